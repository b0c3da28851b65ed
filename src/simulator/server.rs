//! The state that all requests of a simulated server share.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Mutex as AsyncMutex;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::door::Door;
use super::edition::Edition;
use super::faults::{Action, Fault};
use super::log::Journal;
use super::scheduler::{Need, Scheduler, Stuck};
use super::script::Script;
use super::stats::Meter;
use super::timer::Timer;
use super::tokens::Familiar;

/// A running server.
#[derive(Debug)]
pub(super) struct Server {
    pub address: SocketAddr,
    pub meter: Arc<Meter>,
    pub journal: Arc<Journal>,
    pub scheduler: Arc<Scheduler>,
    pub stuck: Arc<Stuck>,
    pub door: AsyncMutex<Door>,
    /// Cancelled when the simulator is dropped; everything that runs ends with it.
    pub stop: CancellationToken,
    pub tasks: TaskTracker,
    pub familiar: Familiar,
    /// What answers take their time by.
    pub timer: Timer,
    edition: RwLock<Arc<Edition>>,
    /// What a restart has the server call itself.
    version: Mutex<Option<String>>,
    /// Cancelled when another script takes over: ends the faults that wait for their time.
    clock: Mutex<CancellationToken>,
}

impl Server {
    pub(super) fn new(address: SocketAddr, script: Script) -> io::Result<Self> {
        let meter = Arc::new(Meter::default());
        let journal = Arc::new(Journal::new(Arc::clone(&meter)));
        journal.keep(script.log_limit, script.log_file.as_deref())?;
        let edition = Edition::new(script).map_err(io::Error::other)?;
        let stop = CancellationToken::new();
        Ok(Self {
            address,
            scheduler: Arc::new(Scheduler::new(Arc::clone(&meter))),
            meter,
            journal,
            stuck: Arc::default(),
            door: AsyncMutex::default(),
            tasks: TaskTracker::new(),
            familiar: Familiar::default(),
            timer: Timer::start()?,
            edition: RwLock::new(Arc::new(edition)),
            version: Mutex::new(None),
            clock: Mutex::new(stop.child_token()),
            stop,
        })
    }

    /// The script in play.
    pub(super) fn edition(&self) -> Arc<Edition> {
        let edition = self.edition.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&edition)
    }

    /// Plays another script from now on. Loaded models stay loaded.
    pub(super) fn replace(self: &Arc<Self>, script: Script) -> io::Result<()> {
        let (limit, file) = (script.log_limit, script.log_file.clone());
        let next = Arc::new(Edition::new(script).map_err(io::Error::other)?);
        self.journal.keep(limit, file.as_deref())?;
        self.name(None);
        *self.edition.write().unwrap_or_else(PoisonError::into_inner) = next;
        self.watch_the_clock();
        Ok(())
    }

    pub(super) fn version(&self) -> String {
        let version = self.version.lock().unwrap_or_else(PoisonError::into_inner);
        version
            .clone()
            .unwrap_or_else(|| self.edition().script.version.clone())
    }

    /// Has the faults that go by the clock alone happen at their times.
    pub(super) fn watch_the_clock(self: &Arc<Self>) {
        let token = self.stop.child_token();
        let mut clock = self.clock.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *clock, token.clone()).cancel();
        for fault in &self.edition().script.faults {
            if let Some(after) = fault.by_clock() {
                self.strike_later(fault, Duration::from_millis(after), token.clone());
            }
        }
    }

    /// Has a server-wide fault happen, beside the request that brought it about.
    pub(super) async fn strike(self: &Arc<Self>, action: &Action) {
        let server = Arc::clone(self);
        let action = action.clone();
        // The request's own connection may be cut by it, so it cannot be what runs it.
        let striking = self.tasks.spawn(server.happen(action));
        let _ = striking.await;
    }

    fn strike_later(self: &Arc<Self>, fault: &Fault, after: Duration, token: CancellationToken) {
        let server = Arc::clone(self);
        let action = fault.action.clone();
        self.tasks
            .spawn(token.run_until_cancelled_owned(async move {
                tokio::time::sleep(after).await;
                server.happen(action).await;
            }));
    }

    /// Boxed, because listening again leads to requests and those lead here.
    fn happen(self: Arc<Self>, action: Action) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(async move {
            match action {
                Action::Outage { ms } => self.go_down_for(Duration::from_millis(ms)).await,
                Action::Restart { version } => self.restart(&version).await,
                Action::ForeignReload { num_ctx } => self.reload_all(num_ctx).await,
                _ => {}
            }
        })
    }

    /// The models go with the server, as they do when it is stopped.
    async fn go_down_for(self: &Arc<Self>, length: Duration) {
        self.close_door().await;
        self.scheduler.kill_all();
        let server = Arc::clone(self);
        let stop = self.stop.clone();
        self.tasks.spawn(stop.run_until_cancelled_owned(async move {
            tokio::time::sleep(length).await;
            // Somebody else has the port now: the server stays away.
            let _ = server.open_door().await;
        }));
    }

    async fn restart(self: &Arc<Self>, version: &str) {
        self.close_door().await;
        self.scheduler.kill_all();
        self.name(Some(version.to_owned()));
        let _ = self.open_door().await;
    }

    async fn reload_all(&self, num_ctx: u64) {
        let edition = self.edition();
        for runner in self.scheduler.list() {
            let need = Need {
                tuple: runner.tuple.clone().with_num_ctx(num_ctx),
                ..Need::of(&edition, &runner.model)
            };
            // Another client's failure is no matter of ours.
            let _ = self.scheduler.acquire(&need, || None).await;
        }
    }

    fn name(&self, version: Option<String>) {
        *self.version.lock().unwrap_or_else(PoisonError::into_inner) = version;
    }
}
