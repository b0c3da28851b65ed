//! The only asynchronous loop: it performs what the core decides and tells it what happened.
//! When it returns, everything that it started has ended.

mod arrivals;

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::JoinHandle as Thread;
use std::time::Duration;

use jiff::tz::TimeZone;
use thiserror::Error;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::board::Board;
use super::core::{Core, Effect, Input, Now, Ticket};
use super::handle::{Ask, Handle};
use super::sampling::Sampling;
use super::tasks::{Patience, Tasks};
use crate::base::{Moment, Stamp};
use crate::gpu::Sampler;
use crate::inference::Server;
use crate::model::{CommandError, Done, Event, EventKind, GuardLimits, RequestId, Snapshot};
use crate::store::{Reply, Store, StoreError, Write, Writer};

/// Snapshots are at least this far apart.
const PUBLISH: Duration = Duration::from_millis(100);
/// How often the server is asked what it holds in memory.
const ASK_LOADED: Duration = Duration::from_secs(10);
/// Commands that may wait for the driver.
const ASKS: usize = 64;
/// Commits that may wait for the driver.
const REPLIES: usize = 64;

/// All that an engine needs.
#[derive(Debug)]
pub struct Parts<S> {
    /// The queue.
    pub store: Store,
    /// Who answers.
    pub server: S,
    /// The cards that it runs on.
    pub cards: Box<dyn Sampler>,
    /// How it runs.
    pub options: Options,
}

/// How an engine runs, whatever the job.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether the server is the built-in simulated one.
    pub simulated: bool,
    /// The longest wait for the first byte of an answer.
    pub first_byte: Duration,
    /// The longest wait between two pieces of an answer.
    pub idle: Duration,
    /// What the guard holds the cards to; `None` watches nothing.
    pub guard: Option<GuardLimits>,
    /// Time between two readings of the cards: a second, for people.
    pub sample: Duration,
}

/// A running engine.
#[derive(Debug)]
pub struct Engine {
    task: JoinHandle<Result<(), EngineError>>,
}

/// Why an engine could not start or had to end.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The queue failed in a way that waiting does not mend. What was stored is safe.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The operating system refused a thread.
    #[error("cannot start a thread: {0}")]
    Thread(#[from] std::io::Error),
    /// The engine itself failed. What was stored is safe.
    #[error("the engine failed: {0}")]
    Internal(String),
}

impl Engine {
    /// Waits until it has ended: after [`Handle::stop`], or because it failed. To be asked once.
    pub async fn ended(&mut self) -> Result<(), EngineError> {
        match (&mut self.task).await {
            Ok(result) => result,
            Err(error) => Err(EngineError::Internal(error.to_string())),
        }
    }
}

/// Starts an engine on the present runtime. What an earlier owner of the queue left behind is put
/// in order first; nothing is sent before [`Handle::work`].
pub fn start<S: Server>(parts: Parts<S>) -> Result<(Handle, Engine), EngineError> {
    let Parts {
        mut store,
        server,
        cards,
        options,
    } = parts;
    store.recover()?;
    let jobs = store.jobs()?;
    let failed = store.failed()?;
    let known = store.profiles()?.all;
    let reuse = store.reuse()?;
    let (replies_in, replies) = mpsc::channel(REPLIES);
    let (writer, thread) = Writer::start(store, replies_in)?;
    let sampling = Sampling::start(cards, options.sample)?;
    let start = Instant::now();
    let mut board = Board::new(server.address(), options.simulated, &jobs, Moment::ZERO);
    board.saved(reuse);
    for one in failed {
        board.failed_before(one);
    }
    let mut core = Core::new(jobs).knowing(known);
    if let Some(limits) = options.guard {
        core = core.guarded_by(limits, TimeZone::system());
    }
    let first = board.snapshot(core.overview(Moment::ZERO), Moment::ZERO, Stamp::now());
    let (snapshots_in, snapshots) = watch::channel(Arc::new(first));
    let (asks_in, asks) = mpsc::channel(ASKS);
    let (watching, watched) = watch::channel(None);
    let driver = Driver {
        core,
        board,
        tasks: Tasks::new(server),
        patience: Patience {
            first_byte: options.first_byte,
            idle: options.idle,
        },
        writer,
        sampling,
        readings_awaited: false,
        start,
        snapshots: snapshots_in,
        watched,
        published: None,
        asked_loaded: None,
        pending: HashMap::new(),
        tickets: 0,
        stopped: false,
        failed: None,
    };
    let task = tokio::spawn(driver.run(asks, replies, thread));
    Ok((Handle::new(asks_in, snapshots, watching), Engine { task }))
}

struct Driver<S> {
    core: Core,
    board: Board,
    tasks: Tasks<S>,
    patience: Patience,
    writer: Writer,
    sampling: Sampling,
    /// Somebody looks at the cards and has not seen them yet.
    readings_awaited: bool,
    start: Instant,
    snapshots: watch::Sender<Arc<Snapshot>>,
    watched: watch::Receiver<Option<RequestId>>,
    published: Option<Instant>,
    asked_loaded: Option<Instant>,
    pending: HashMap<Ticket, oneshot::Sender<Result<Done, CommandError>>>,
    tickets: u64,
    stopped: bool,
    failed: Option<StoreError>,
}

impl<S: Server> Driver<S> {
    async fn run(
        mut self,
        mut asks: mpsc::Receiver<Ask>,
        mut replies: mpsc::Receiver<Reply>,
        thread: Thread<()>,
    ) -> Result<(), EngineError> {
        let mut changed = true;
        while !self.stopped && self.failed.is_none() {
            let wake = self.core.wake_at().map(|at| self.start + at.0);
            let publish = (changed || !self.tasks.is_empty()).then(|| self.next_publish());
            self.sampling.want(self.wants_readings());
            // Biased: people first, then what is stored (it frees memory), then what ended (it
            // frees lanes), then time. Each of the first is short and cannot starve the rest.
            tokio::select! {
                biased;
                ask = asks.recv() => self.asked(ask),
                Some(reply) = replies.recv() => self.replied(reply),
                ended = self.tasks.next(), if !self.tasks.is_empty() => self.task_ended(ended),
                () = at(wake) => self.step(Input::Tick),
                readings = self.sampling.next() => self.new_readings(readings),
                () = at(publish) => {
                    self.publish();
                    changed = false;
                    continue;
                }
            }
            changed = true;
        }
        self.publish();
        self.finish(replies, thread).await
    }

    /// Ends everything that was started; what waits for the disk gets there first.
    async fn finish(
        mut self,
        mut replies: mpsc::Receiver<Reply>,
        thread: Thread<()>,
    ) -> Result<(), EngineError> {
        for write in self.board.flush() {
            self.note(write);
        }
        self.sampling.end().await;
        let server = self.tasks.shut_down().await;
        if let Some(load) = self.core.loaded().filter(|_| self.core.server_is_up()) {
            // A model that stays loaded costs memory, not answers.
            let _ = server.release(load).await;
        }
        drop(self.writer);
        if self.failed.is_some() || self.core.is_in_trouble() {
            replies.close();
        }
        while let Some(reply) = replies.recv().await {
            if matches!(reply, Reply::Trouble(_)) {
                // Every answer is stored; what else is written now, the next start puts in order.
                replies.close();
            }
        }
        let joined = tokio::task::spawn_blocking(move || thread.join()).await;
        match (self.failed, joined) {
            (Some(error), _) => Err(error.into()),
            (None, Ok(Ok(()))) => Ok(()),
            (None, _) => Err(EngineError::Internal(
                "the writing thread panicked".to_owned(),
            )),
        }
    }

    fn now(&self) -> Now {
        Now {
            moment: Moment(self.start.elapsed()),
            stamp: Stamp::now(),
        }
    }

    fn step(&mut self, input: Input) {
        let effects = self.core.step(input, self.now());
        self.perform(effects);
    }

    fn asked(&mut self, ask: Option<Ask>) {
        match ask {
            Some(Ask::Command(command, reply)) => {
                self.tickets += 1;
                let ticket = Ticket(self.tickets);
                self.pending.insert(ticket, reply);
                self.step(Input::Command(ticket, command));
            }
            Some(Ask::Admitted(job, done)) => {
                self.step(Input::Admitted(job));
                self.publish();
                // Who no longer waits does not need the answer.
                let _ = done.send(());
            }
            Some(Ask::Work(scope)) => {
                self.readings_awaited = true;
                self.step(Input::Work(scope));
            }
            Some(Ask::Look) => self.readings_awaited = true,
            Some(Ask::Card(card)) => self.step(Input::Card(card)),
            Some(Ask::Writer(reply)) => drop(reply.send(self.writer.clone())),
            Some(Ask::Stop(drain)) => self.step(Input::Stop(drain)),
            // Nobody is left to ask for anything.
            None => self.step(Input::Stop(Duration::ZERO)),
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Write(write, ticket) => self.write(write, ticket),
                Effect::Send(sending) => self.tasks.send(*sending, self.patience),
                Effect::Abort(request) => self.tasks.abort(request),
                Effect::Look(load) => self.tasks.look(load),
                Effect::Warm(load, needed) => self.tasks.warm(load, needed),
                Effect::AbortWarm => self.tasks.abort_warm(),
                Effect::Probe => self.tasks.probe(),
                Effect::Reply(ticket, reply) => {
                    // Whoever asked looks at snapshots next and must not see what was before.
                    self.publish();
                    if let Some(pending) = self.pending.remove(&ticket) {
                        // Who no longer waits does not need the answer.
                        let _ = pending.send(reply);
                    }
                }
                Effect::Tell(event) => self.tell(event),
                Effect::Publish(published) => {
                    self.board
                        .published(published, Moment(self.start.elapsed()));
                }
                Effect::Failed(job, counts) => self.board.failed_by_class(job, counts),
                Effect::Stopped => self.stopped = true,
            }
        }
    }

    fn tell(&mut self, event: Event) {
        tracing::info!(kind = event.kind.word(), job = ?event.job, "{}", event.text);
        // A failed request has its own row; the log would grow with the batch.
        if event.kind != EventKind::RequestFailed {
            self.write(Write::Log(event.clone()), None);
        }
        self.board.event(event, Moment(self.start.elapsed()));
    }

    fn write(&mut self, write: Write, ticket: Option<Ticket>) {
        if let Err(error) = self.writer.send(write, ticket.map(|ticket| ticket.0)) {
            self.failed = Some(error);
        }
    }

    /// Writes what may be lost: where the queue of writes is full, or has ended, it is.
    fn note(&self, write: Write) {
        let _ = self.writer.send(write, None);
    }

    fn next_publish(&self) -> Instant {
        self.published.map_or(self.start, |last| last + PUBLISH)
    }

    fn publish(&mut self) {
        let now = self.now();
        let overview = self.core.overview(now.moment);
        if let Some(job) = overview.active {
            self.board.causes(job, &self.core.reuse_causes(job));
        }
        let mut snapshot = self.board.snapshot(overview, now.moment, now.stamp);
        self.tasks.fill_in(&mut snapshot.lanes, self.core.loaded());
        snapshot.watched = self.tasks.watched(*self.watched.borrow());
        self.snapshots.send_replace(Arc::new(snapshot));
        let instant = Instant::now();
        self.published = Some(instant);
        let due = self
            .asked_loaded
            .is_none_or(|asked| asked + ASK_LOADED <= instant);
        if due && !self.stopped && self.core.server_is_up() {
            self.asked_loaded = Some(instant);
            self.tasks.ask_loaded();
        }
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}
