//! The tasks that tell, beside the run and never in its way.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::delivery::Patience;
use super::notice::Notice;
use super::watch::{Rules, Sight, Watch};
use super::ways::{Way, Ways};
use crate::base::Alert;
use crate::model::Snapshot;

/// Notices that wait for one way; of more, the newest stay.
const WAITING: usize = 16;
/// Alerts that wait for the terminal. One that finds no room is none too few: the others ring.
const ALERTS: usize = 4;

/// Watches a run and tells what is worth it, until it is closed.
#[derive(Debug)]
pub struct Notifier {
    closing: CancellationToken,
    tasks: JoinSet<()>,
}

/// What the watching task tells to.
struct Tellers {
    ways: Ways,
    notices: broadcast::Sender<Arc<Notice>>,
    alerts: mpsc::Sender<Alert>,
}

impl Notifier {
    /// Begins to watch. Whoever has the terminal performs the alerts.
    pub fn start(
        ways: Ways,
        rules: Rules,
        patience: Patience,
        snapshots: watch::Receiver<Arc<Snapshot>>,
    ) -> (Self, mpsc::Receiver<Alert>) {
        let closing = CancellationToken::new();
        let (notices, _) = broadcast::channel(WAITING);
        let (alerts, received) = mpsc::channel(ALERTS);
        let mut tasks = JoinSet::new();
        for way in ways.out() {
            tasks.spawn(deliver(way.clone(), notices.subscribe(), patience));
        }
        let tellers = Tellers {
            ways,
            notices,
            alerts,
        };
        tasks.spawn(follow(snapshots, rules, tellers, closing.clone()));
        (Self { closing, tasks }, received)
    }

    /// Looks once more, lets what is under way be delivered for so long, and ends everything.
    pub async fn close(mut self, patience: Duration) {
        self.closing.cancel();
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(patience, ended).await.is_err() {
            tracing::warn!("a notification could not be delivered before the end");
            self.tasks.shutdown().await;
        }
    }
}

/// Looks at every picture, and at the last one again when a trouble has lasted long enough.
async fn follow(
    mut snapshots: watch::Receiver<Arc<Snapshot>>,
    rules: Rules,
    tellers: Tellers,
    closing: CancellationToken,
) {
    let mut watch = Watch::new(rules);
    let mut latest = Arc::clone(&snapshots.borrow_and_update());
    let mut came = Instant::now();
    loop {
        for notice in watch.look(Sight::of(&latest, came.elapsed())) {
            tellers.tell(notice);
        }
        let due = watch.next().map(|due| came + due.since(latest.now));
        let is_last = tokio::select! {
            changed = snapshots.changed() => changed.is_err(),
            () = closing.cancelled() => true,
            () = at(due) => continue,
        };
        latest = Arc::clone(&snapshots.borrow_and_update());
        came = Instant::now();
        if is_last {
            for notice in watch.look(Sight::of(&latest, Duration::ZERO)) {
                tellers.tell(notice);
            }
            return;
        }
    }
}

impl Tellers {
    fn tell(&self, notice: Notice) {
        tracing::info!("notification: {}", notice.title);
        if let Some(alert) = self.ways.alert(&notice) {
            // A terminal that takes nothing is told nothing.
            let _ = self.alerts.try_send(alert);
        }
        // Without ways there is nobody to hear it.
        let _ = self.notices.send(Arc::new(notice));
    }
}

/// Tells one way what there is to tell, one after the other, until there is nothing more to come.
async fn deliver(way: Way, mut notices: broadcast::Receiver<Arc<Notice>>, patience: Patience) {
    loop {
        match notices.recv().await {
            Ok(notice) => {
                if let Err(failed) = way.deliver(&notice, patience).await {
                    let (way, title) = (way.word(), &notice.title);
                    tracing::warn!("{way}: `{title}` was not delivered: {failed}");
                }
            }
            Err(RecvError::Lagged(missed)) => {
                let way = way.word();
                tracing::warn!("{way}: {missed} notifications were left out, newer ones wait");
            }
            Err(RecvError::Closed) => return,
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_hangs_is_ended_and_nothing_is_left() {
        let held = Arc::new(());
        let mut tasks = JoinSet::new();
        let inside = Arc::clone(&held);
        tasks.spawn(async move {
            std::future::pending::<()>().await;
            drop(inside);
        });
        let closing = CancellationToken::new();
        let notifier = Notifier { closing, tasks };
        notifier.close(Duration::from_secs(5)).await;
        assert_eq!(Arc::strong_count(&held), 1);
    }
}
