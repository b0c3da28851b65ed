//! What every face gets: commands whose reply comes after the effect is stored, snapshots of which
//! the latest wins, and admission of batch files.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};

use super::admit::{self, Admit, AdmitError, AdmitProgress, Admitted};
use super::core::Scope;
use crate::model::{Command, CommandError, Done, Job, RequestId, Snapshot};
use crate::store::Writer;

/// Speaks to a running engine. Clones speak to the same one.
#[derive(Debug, Clone)]
pub struct Handle {
    asks: mpsc::Sender<Ask>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    stopping: Arc<AtomicBool>,
    watching: Arc<watch::Sender<Option<RequestId>>>,
}

/// What the driver is asked.
#[derive(Debug)]
pub(super) enum Ask {
    Command(Command, oneshot::Sender<Result<Done, CommandError>>),
    Admitted(Box<Job>, oneshot::Sender<()>),
    Work(Scope),
    Look,
    Card(String),
    Writer(oneshot::Sender<Writer>),
    Stop(Duration),
}

impl Handle {
    pub(super) fn new(
        asks: mpsc::Sender<Ask>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        watching: watch::Sender<Option<RequestId>>,
    ) -> Self {
        Self {
            watching: Arc::new(watching),
            asks,
            snapshots,
            stopping: Arc::new(AtomicBool::new(false)),
        }
    }

    /// Does what `command` asks. Returns when the effect is on disk.
    pub async fn command(&self, command: Command) -> Result<Done, CommandError> {
        let (sender, receiver) = oneshot::channel();
        self.asks
            .send(Ask::Command(command, sender))
            .await
            .map_err(|_| ended())?;
        receiver.await.map_err(|_| ended())?
    }

    /// Whether the engine has ended, so that whatever is asked of it comes too late.
    pub fn has_ended(&self) -> bool {
        self.asks.is_closed()
    }

    /// Works these jobs off from now on.
    pub async fn work(&self, scope: Scope) {
        // An engine that has ended tells so to whoever waits for it.
        let _ = self.asks.send(Ask::Work(scope)).await;
    }

    /// Somebody looks at the cards: they are read once more although nothing may run.
    pub fn look(&self) {
        // A driver that is too busy to hear it reads them anyway.
        let _ = self.asks.try_send(Ask::Look);
    }

    /// Names the card that the models run on: what is learnt is kept for this card.
    pub async fn card(&self, card: String) {
        // An engine that has ended learns nothing more.
        let _ = self.asks.send(Ask::Card(card)).await;
    }

    /// The latest picture of the run, at most ten a second.
    pub fn snapshots(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// Has snapshots show the answer of this request while it is written, or none. There is one
    /// for all who look: whoever asked last is shown theirs.
    pub fn watch(&self, request: Option<RequestId>) {
        self.watching.send_replace(request);
    }

    /// Reads a batch file into the queue. It is all there or not at all: a problem in it, a full
    /// disk, or [`Handle::stop`] leaves nothing behind.
    pub async fn admit(&self, admit: Admit) -> Result<Admitted, AdmitError> {
        self.admit_while(admit, |_| true).await
    }

    /// The same, telling now and then how far it is. Once `goes_on` says no, nothing is left
    /// behind either, and the error is [`AdmitError::Stopped`].
    pub async fn admit_while(
        &self,
        admit: Admit,
        goes_on: impl Fn(AdmitProgress) -> bool + Send + 'static,
    ) -> Result<Admitted, AdmitError> {
        let (sender, receiver) = oneshot::channel();
        self.asks
            .send(Ask::Writer(sender))
            .await
            .map_err(|_| AdmitError::Ended)?;
        let writer = receiver.await.map_err(|_| AdmitError::Ended)?;
        let stopping = Arc::clone(&self.stopping);
        let goes_on = move |progress| !stopping.load(Ordering::Relaxed) && goes_on(progress);
        let admitted = tokio::task::spawn_blocking(move || admit::admit(&writer, &admit, &goes_on))
            .await
            .map_err(|_| AdmitError::Ended)??;
        let (sender, receiver) = oneshot::channel();
        let job = Box::new(admitted.job.clone());
        // It is on disk. An engine that has ended meanwhile finds it at its next start.
        if self.asks.send(Ask::Admitted(job, sender)).await.is_ok() {
            let _ = receiver.await;
        }
        Ok(admitted)
    }

    /// Starts nothing new, lets what is in flight finish for so long, stores everything and ends.
    /// A second call can only make it shorter.
    pub async fn stop(&self, drain: Duration) {
        self.stopping.store(true, Ordering::Relaxed);
        // An engine that has ended cannot be stopped any more, which is what was wanted.
        let _ = self.asks.send(Ask::Stop(drain)).await;
    }
}

fn ended() -> CommandError {
    CommandError {
        message: "the engine has ended".to_owned(),
        hint: None,
    }
}
