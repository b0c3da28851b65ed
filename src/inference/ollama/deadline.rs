//! The time a request may take, by the runtime's own clock so that tests may hold it.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use super::super::TimeLimits;
use crate::base::duration;
use crate::model::{Failure, FailureClass};

/// A running request's limits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    started: Instant,
    limits: TimeLimits,
}

impl Deadline {
    /// Starts the clock.
    pub(super) fn start(limits: TimeLimits) -> Self {
        Self {
            started: Instant::now(),
            limits,
        }
    }

    /// Starts the clock with one limit for everything.
    pub(super) fn of(whole: Duration) -> Self {
        Self::start(TimeLimits {
            first_byte: whole,
            idle: whole,
            whole,
        })
    }

    /// Time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits for the server to begin.
    pub(super) async fn first_byte<F: Future>(&self, future: F) -> Result<F::Output, Failure> {
        let limit = self.limits.first_byte;
        self.within(limit, "no answer began within", future).await
    }

    /// Waits for the next piece of the answer.
    pub(super) async fn next_piece<F: Future>(&self, future: F) -> Result<F::Output, Failure> {
        let limit = self.limits.idle;
        self.within(limit, "the answer stood still for", future)
            .await
    }

    async fn within<F: Future>(
        &self,
        limit: Duration,
        what: &str,
        future: F,
    ) -> Result<F::Output, Failure> {
        let step = after(Instant::now(), limit);
        let whole = after(self.started, self.limits.whole);
        timeout_at(step.min(whole), future).await.map_err(|_| {
            let message = if step <= whole {
                format!("{what} {}", duration(limit))
            } else {
                format!("no complete answer within {}", duration(self.limits.whole))
            };
            Failure::new(FailureClass::Timeout, message)
        })
    }
}

/// The instant `length` later; a length beyond what the clock can hold means a century.
fn after(start: Instant, length: Duration) -> Instant {
    const CENTURY: Duration = Duration::from_hours(100 * 365 * 24);
    start + length.min(CENTURY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    fn limits(first_byte: u64, idle: u64, whole: u64) -> TimeLimits {
        TimeLimits {
            first_byte: Duration::from_secs(first_byte),
            idle: Duration::from_secs(idle),
            whole: Duration::from_secs(whole),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_limit_is_named() {
        let deadline = Deadline::start(limits(5, 2, 60));
        let late = deadline.first_byte(pending::<()>()).await.unwrap_err();
        assert_eq!(late.message, "no answer began within 5.0 s");
        assert_eq!(deadline.elapsed(), Duration::from_secs(5));
        let still = deadline.next_piece(pending::<()>()).await.unwrap_err();
        assert_eq!(still.message, "the answer stood still for 2.0 s");
        assert_eq!(still.class, FailureClass::Timeout);
    }

    #[tokio::test(start_paused = true)]
    async fn the_whole_limit_ends_a_wait_that_is_allowed_longer() {
        let deadline = Deadline::start(limits(600, 600, 60));
        let late = deadline.first_byte(pending::<()>()).await.unwrap_err();
        assert_eq!(late.message, "no complete answer within 1 min 00 s");
    }

    #[tokio::test]
    async fn no_limit_is_too_long() {
        let deadline = Deadline::of(Duration::MAX);
        assert_eq!(deadline.first_byte(async { 7 }).await, Ok(7));
    }
}
