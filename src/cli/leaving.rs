//! Patience with an owner of the queue that has just started, or is about to leave it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// An owner that is ending has left the queue within this time.
const LEAVING: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const GLANCE: Duration = Duration::from_millis(20);

/// How long it is still worth to try again.
pub(super) struct Leaving {
    deadline: Instant,
}

impl Leaving {
    /// As long as an owner that is ending may take.
    pub(super) fn begin() -> Self {
        Self::within(LEAVING)
    }

    /// So long.
    pub(super) fn within(limit: Duration) -> Self {
        Self {
            deadline: Instant::now() + limit,
        }
    }

    /// Waits a little before the next try; `false` when there were enough.
    pub(super) async fn wait(&self) -> bool {
        let is_worth = Instant::now() < self.deadline;
        if is_worth {
            sleep(GLANCE).await;
        }
        is_worth
    }
}
