//! An engine with everything around it: the right to the queue, the ear for other processes, the
//! line of progress and the signals.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use super::cards;
use super::context::Context;
use super::leaving::Leaving;
use super::outcome::Trouble;
use super::progress::Progress;
use super::telling::Telling;
use crate::control::Listener;
use crate::engine::{Engine, Handle, Options, Parts, start};
use crate::gpu::{Sampler, Simulated};
use crate::inference::Ollama;
use crate::model::{JobId, JobState, Snapshot};
use crate::notify::Ways;
use crate::store::{Owner, Ownership, Store};

/// How often the line of progress changes on a terminal.
const ON_TERMINAL: Duration = Duration::from_millis(200);
/// How often programs that read JSON lines hear of progress.
const AS_JSON: Duration = Duration::from_secs(1);
/// How often the cards are read.
const SAMPLE: Duration = Duration::from_secs(1);

/// What was interrupted may take this long to come to its end.
const LAST_WORD: Duration = Duration::from_secs(2);
/// An owner that has just started says where it listens within this time.
const ANNOUNCED: Duration = Duration::from_secs(3);

/// A process that owns the queue.
pub(super) struct Session {
    pub(super) handle: Handle,
    engine: Engine,
    signals: Signals,
    stops: u32,
    abandoned: bool,
    pub(super) telling: Telling,
    // Dropped in this order: nobody is heard any more before the queue is free.
    _listener: Listener,
    _ownership: Ownership,
}

/// What a session is followed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Goal {
    /// This job has ended or cannot go on.
    Job(JobId),
    /// No job is left that could run.
    Empty,
    /// Until it is stopped.
    Forever,
}

/// The queue is another process's if it still is after this time: the system lets go of the lock of
/// a process that was killed only once all of it is gone, which takes a moment on a busy machine.
const KILLED: Duration = Duration::from_secs(1);

/// Why following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Followed {
    /// The goal is reached.
    Reached,
    /// A signal came.
    Interrupted,
}

/// Names the card that what is learnt is kept for. Drivers take some tenths of a second to answer
/// for the first time.
pub(super) async fn name_card(handle: &Handle, context: &Context) {
    let simulated = handle.snapshots().borrow().simulated;
    let card = if simulated {
        "simulated".to_owned()
    } else {
        cards::identity(context).await
    };
    handle.card(card).await;
}

impl Session {
    /// Takes the queue and starts an engine that does nothing yet. It is an error when another
    /// process has the queue.
    pub(super) async fn open(
        context: &Context,
        server: Ollama,
        simulated: bool,
    ) -> Result<Self, Trouble> {
        let leaving = Leaving::within(KILLED);
        let session = loop {
            if let Some(session) = Self::open_if_free(context, server.clone(), simulated).await? {
                break session;
            }
            if !leaving.wait().await {
                return Err(owned(&context.paths.data));
            }
        };
        name_card(&session.handle, context).await;
        Ok(session)
    }

    /// The same; `None` when another process has the queue.
    pub(super) async fn open_if_free(
        context: &Context,
        server: Ollama,
        simulated: bool,
    ) -> Result<Option<Self>, Trouble> {
        let folder = &context.paths.data;
        let Some(ownership) = Ownership::take(folder)? else {
            return Ok(None);
        };
        let settings = &context.loaded.settings;
        let options = Options {
            simulated,
            first_byte: settings.first_byte_timeout,
            idle: settings.idle_timeout,
            // A simulated server heats no card, and nobody waits for its hours.
            guard: settings.guard_limits().filter(|_| !simulated),
            sample: SAMPLE,
        };
        // The simulated server has a simulated card; what else this machine has is not its own.
        let cards: Box<dyn Sampler> = if simulated {
            Box::new(Simulated::default())
        } else {
            cards::of(&server)
        };
        let signals = Signals::listen()?;
        let store = Store::open_until(folder, context.kill_point()?)?;
        let (handle, engine) = start(Parts {
            store,
            server,
            cards,
            options,
        })?;
        let listener = Listener::start(handle.clone())
            .await
            .map_err(|error| no_system("listen on the loopback interface", &error))?;
        ownership.announce(listener.owner())?;
        Ok(Some(Self {
            handle,
            engine,
            signals,
            stops: 0,
            abandoned: false,
            telling: Telling::nothing(),
            _listener: listener,
            _ownership: ownership,
        }))
    }

    /// The same, hearing the signals that came since these began to listen.
    pub(super) fn hearing(self, signals: Signals) -> Self {
        Self { signals, ..self }
    }

    /// The same, telling in these ways what is worth it.
    pub(super) fn telling(self, ways: Ways, context: &Context) -> Self {
        let telling = Telling::start(ways, &context.loaded.settings, &self.handle);
        Self { telling, ..self }
    }

    /// Does something that may take a while; a signal stops the engine, which ends it. `None` when
    /// it hangs all the same, as reading a silent standard input does.
    pub(super) async fn or_interrupt<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        tokio::select! {
            done = &mut work => return Some(done),
            () = self.signals.next() => {}
        }
        self.stops += 1;
        self.handle.stop(Duration::ZERO).await;
        let done = timeout(LAST_WORD, work).await.ok();
        self.abandoned = done.is_none();
        done
    }

    /// Waits for a face that ends when the engine does; a signal stops the engine, the second one
    /// at once.
    pub(super) async fn beside<T>(&mut self, face: impl Future<Output = T>, drain: Duration) -> T {
        let mut face = std::pin::pin!(face);
        loop {
            tokio::select! {
                done = &mut face => return done,
                () = self.signals.next() => {
                    self.stops += 1;
                    let patience = if self.stops == 1 { drain } else { Duration::ZERO };
                    self.handle.stop(patience).await;
                }
            }
        }
    }

    /// Whether a signal has come.
    pub(super) const fn is_interrupted(&self) -> bool {
        self.stops > 0
    }

    /// Shows progress until the goal is reached or a signal comes. Then the engine has ended and
    /// everything is stored.
    pub(super) async fn follow(
        mut self,
        context: &mut Context,
        goal: Goal,
        json: bool,
    ) -> Result<Followed, Trouble> {
        let drain = context.loaded.settings.drain;
        let every = interval(context, json);
        let mut snapshots = self.handle.snapshots();
        let mut next = Instant::now();
        let mut reached = self.is_interrupted();
        loop {
            if !reached && is_reached(goal, &snapshots.borrow_and_update()) {
                reached = true;
                self.handle.stop(Duration::ZERO).await;
            }
            tokio::select! {
                ended = self.engine.ended() => {
                    show(context, goal, json, &snapshots.borrow())?;
                    ended?;
                    break;
                }
                () = self.signals.next() => {
                    self.stops += 1;
                    let patience = if self.stops == 1 { drain } else { Duration::ZERO };
                    tell_stop(context, self.stops, drain);
                    self.handle.stop(patience).await;
                }
                () = sleep_until(next) => {
                    show(context, goal, json, &snapshots.borrow())?;
                    next = Instant::now() + every;
                }
                Some(alert) = self.telling.alert() => {
                    context.say.alert(&alert);
                }
                changed = snapshots.changed(), if !reached => {
                    // An engine that has ended is noticed above.
                    if changed.is_err() {
                        reached = true;
                    }
                }
            }
        }
        context.say.keep_progress();
        let is_in_haste = self.is_interrupted();
        self.telling.finish(&mut context.say, is_in_haste).await;
        Ok(if self.stops > 0 {
            Followed::Interrupted
        } else {
            Followed::Reached
        })
    }

    /// Ends the engine at once; everything is stored then.
    pub(super) async fn close(mut self) -> Result<(), Trouble> {
        // What hangs in the system cannot be waited for; the next start tidies up after it.
        if self.abandoned {
            self.telling.close_in_haste().await;
            return Ok(());
        }
        self.handle.stop(Duration::ZERO).await;
        let ended = self.engine.ended().await;
        self.telling.close_in_haste().await;
        Ok(ended?)
    }
}

/// The process that has the queue, once it has said where it listens.
pub(super) async fn owner(folder: &Path) -> Result<Owner, Trouble> {
    let starting = Leaving::within(ANNOUNCED);
    loop {
        if let Some(owner) = Owner::read(folder) {
            return Ok(owner);
        }
        if !starting.wait().await {
            return Err(owned(folder));
        }
    }
}

/// The queue belongs to another process.
pub(super) fn owned(folder: &Path) -> Trouble {
    let who = Owner::read(folder).map_or_else(
        || "another process".to_owned(),
        |owner| format!("process {}", owner.pid),
    );
    Trouble::new(
        format!("{who} works the queue in `{}`", folder.display()),
        "`batchtop enqueue` gives it the file, `batchtop jobs` shows how far it is; \
         another `--data-dir` has a queue of its own",
    )
}

pub(super) fn no_system(what: &str, error: &io::Error) -> Trouble {
    Trouble::Wrong(format!("cannot {what}: {error}"), None)
}

fn interval(context: &Context, json: bool) -> Duration {
    if json {
        AS_JSON
    } else if context.say.error_stream.is_terminal {
        ON_TERMINAL
    } else {
        context.loaded.settings.progress_every
    }
}

fn is_reached(goal: Goal, snapshot: &Snapshot) -> bool {
    match goal {
        Goal::Job(id) => {
            let job = snapshot.jobs.iter().find(|job| job.id == id);
            job.is_some_and(|job| match &job.state {
                JobState::Paused { why } => why.is_some(),
                JobState::FailedToStart { .. } => true,
                state => state.is_over(),
            })
        }
        Goal::Empty => !snapshot.jobs.iter().any(|job| job.state.is_runnable()),
        Goal::Forever => false,
    }
}

fn show(context: &mut Context, goal: Goal, json: bool, snapshot: &Snapshot) -> Result<(), Trouble> {
    let job = match goal {
        Goal::Job(id) => Some(id),
        Goal::Empty | Goal::Forever => None,
    };
    // Before the first picture that knows the job there is nothing to say about it.
    if job.is_some_and(|id| !snapshot.jobs.iter().any(|job| job.id == id)) {
        return Ok(());
    }
    let progress = Progress::of(snapshot, job);
    if json {
        context.say.json(&progress.json())?;
    } else if context.say.error_stream.is_terminal {
        let line = progress.terminal(context.say.columns().saturating_sub(1));
        context.say.progress(&line);
    } else {
        context.say.progress(&progress.plain());
    }
    Ok(())
}

fn tell_stop(context: &mut Context, stops: u32, drain: Duration) {
    context.say.note(&if stops > 1 {
        "stopping at once; what was in flight is queued again".to_owned()
    } else {
        format!(
            "stopping: what is in flight may finish within {}; once more to stop at once",
            crate::base::duration(drain)
        )
    });
}

/// Removes a folder when it goes out of scope.
pub(super) struct TemporaryFolder(pub(super) PathBuf);

impl TemporaryFolder {
    /// Makes a new one in the system's folder for such things.
    pub(super) fn new() -> Result<Self, Trouble> {
        let base = std::env::temp_dir();
        for number in 0..1_000 {
            let path = base.join(format!("batchtop-{}-{number}", std::process::id()));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(no_system("make a temporary folder", &error)),
            }
        }
        Err(Trouble::Wrong(
            format!("`{}` is full of old folders", base.display()),
            None,
        ))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // What cannot be removed is in the system's folder for such things, which is cleaned.
        let _ = fs::remove_dir_all(&self.0);
    }
}

impl Signals {
    /// Hears those that come from now on; none of them ends the process by itself any more.
    pub(super) fn listen() -> Result<Self, Trouble> {
        Self::new().map_err(|error| no_system("listen for signals", &error))
    }
}

/// The signals that ask a program to end: Ctrl-C, a closed terminal, a shutdown.
#[cfg(unix)]
pub(super) struct Signals([tokio::signal::unix::Signal; 3]);

#[cfg(unix)]
impl Signals {
    fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self([
            signal(SignalKind::interrupt())?,
            signal(SignalKind::terminate())?,
            signal(SignalKind::hangup())?,
        ]))
    }

    pub(super) async fn next(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}

/// The signals that ask a program to end.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    pub(super) async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
