//! Trying to tell, and trying again.

use std::time::Duration;

use tokio::time::{sleep, timeout};

/// How patient one is with those who take notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// How long one try may take.
    pub attempt: Duration,
    /// How long is waited before each try after the first.
    pub waits: [Duration; 3],
}

/// Why a try has failed. Holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}")]
pub struct Failed {
    /// What was wrong.
    pub what: String,
    /// Whether another try may go better.
    pub may_pass: bool,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            attempt: Duration::from_secs(10),
            waits: [1, 4, 15].map(Duration::from_secs),
        }
    }
}

impl Failed {
    /// Another try may go better.
    pub(super) fn for_now(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            may_pass: true,
        }
    }

    /// Every try would end like this.
    pub(super) fn for_good(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            may_pass: false,
        }
    }
}

/// Tries once, for so long.
pub(super) async fn once(
    limit: Duration,
    attempt: impl Future<Output = Result<(), Failed>>,
) -> Result<(), Failed> {
    timeout(limit, attempt).await.unwrap_or_else(|_| {
        let limit = crate::base::duration(limit);
        Err(Failed::for_now(format!("no answer within {limit}")))
    })
}

/// Tries until it goes well, cannot go well, or patience has ended.
pub(super) async fn repeatedly<F: Future<Output = Result<(), Failed>>>(
    patience: Patience,
    attempt: impl Fn() -> F,
) -> Result<(), Failed> {
    let mut last = once(patience.attempt, attempt()).await;
    for wait in patience.waits {
        match last {
            Err(Failed { may_pass: true, .. }) => {}
            other => return other,
        }
        sleep(wait).await;
        last = once(patience.attempt, attempt()).await;
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[rstest]
    #[case::well(0, true, 1)]
    #[case::passes(2, true, 3)]
    #[case::never(9, true, 4)]
    #[case::for_good(9, false, 1)]
    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again(
        #[case] failures: u32,
        #[case] may_pass: bool,
        #[case] tries: u32,
    ) {
        let tried = AtomicU32::new(0);
        let result = repeatedly(Patience::default(), || async {
            let what = "no".to_owned();
            if tried.fetch_add(1, Ordering::Relaxed) < failures {
                return Err(Failed { what, may_pass });
            }
            Ok(())
        });
        assert_eq!(result.await.is_ok(), failures < tries);
        assert_eq!(tried.load(Ordering::Relaxed), tries);
    }

    #[tokio::test(start_paused = true)]
    async fn who_never_answers_is_not_waited_for() {
        let patience = Patience::default();
        let failed = repeatedly(patience, std::future::pending).await;
        let failed = failed.unwrap_err();
        assert_eq!(failed.what, "no answer within 10.0 s");
    }
}
