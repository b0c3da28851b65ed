//! The loop: events in, pictures out, at most 30 a second and none when nothing changed.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::task::TaskTracker;

use super::canvas::Scene;
use super::desk::Desks;
use super::errand::Desk;
use super::input::Input;
use super::keymap::KeyMap;
use super::msg::{Ask, Msg};
use super::pace::Pace;
use super::screen::Screen;
use super::theme::{Depth, Theme};
use super::ui::{Pane, Seat, Start, Stopping, Ui, View};
use super::update::{ask_about_files, shown, update};
use super::view::view;
use crate::base::Alert;
use crate::engine::Handle;
use crate::model::{CommandError, GuardLimits, JobState, RequestId, ServerState, Snapshot};
use crate::store::KillPoint;

/// Replies to commands that may wait for the loop.
const REPLIES: usize = 32;

/// The run that is shown.
#[derive(Debug)]
pub enum Run {
    /// This process's own. Ending the screen ends the run: what is in flight may finish for
    /// `drain`.
    Own {
        /// The engine.
        handle: Handle,
        /// Time for what is in flight.
        drain: Duration,
        /// Where errands are run.
        desk: Box<Desk>,
    },
    /// That of another process, for looking only.
    Watched {
        /// Its pictures.
        snapshots: watch::Receiver<Arc<Snapshot>>,
        /// Takes the request whose answer its pictures are to show.
        watching: watch::Sender<Option<RequestId>>,
        /// The other process.
        pid: u32,
        /// Where errands are run.
        desk: Box<Desk>,
    },
}

/// How the screen looks and listens.
#[derive(Debug, Clone)]
pub struct Look {
    /// The keys.
    pub keys: KeyMap,
    /// The colours.
    pub theme: Theme,
    /// What the terminal can show.
    pub depth: Depth,
    /// Whether the mouse is listened to at first.
    pub mouse: bool,
    /// The data folder, from whose queue lists are read.
    pub data: PathBuf,
    /// What cards are held to.
    pub limits: GuardLimits,
    /// What the program was started with.
    pub start: Start,
    /// Where tests want a picture to go wrong.
    pub kill_point: Option<KillPoint>,
}

/// Why the screen was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The user wanted to.
    Quit,
    /// The engine has ended, for its own reasons or at a signal.
    Ended,
}

/// Why there is no screen.
#[derive(Debug, thiserror::Error)]
pub enum ScreenError {
    /// The terminal refused.
    #[error("cannot draw on this terminal: {0}")]
    Terminal(#[from] io::Error),
}

/// Shows the run until the user quits it or it ends. When this returns, the terminal is restored
/// and an engine of its own has been stopped. Alerts go to the terminal between two pictures.
pub async fn run(run: Run, look: Look, alerts: mpsc::Receiver<Alert>) -> Result<Left, ScreenError> {
    let (snapshots, seat) = match &run {
        Run::Own { handle, .. } => (handle.snapshots(), Seat::Owner),
        Run::Watched { snapshots, pid, .. } => (
            snapshots.clone(),
            Seat::Watcher {
                pid: *pid,
                gone: false,
            },
        ),
    };
    let mut ui = Ui::new(seat, look.theme, look.depth);
    ui.mouse = look.mouse;
    ui.start = look.start;
    ui.limits = look.limits;
    ui.zone = jiff::tz::TimeZone::system();
    let (replied, heard) = mpsc::channel(REPLIES);
    let latest = Arc::clone(&snapshots.borrow());
    let mut face = Face {
        screen: Screen::take(look.mouse)?,
        ui,
        keys: look.keys,
        run,
        latest,
        came: Instant::now(),
        is_stale: true,
        pace: Pace::default(),
        desks: Desks::new(look.data, replied.clone()),
        tasks: TaskTracker::new(),
        replied,
        left: None,
        kill_point: look.kill_point,
    };
    for ask in ask_about_files(&mut face.ui) {
        face.perform(ask)?;
    }
    let left = face.follow(snapshots, heard, alerts).await;
    face.close().await;
    left
}

struct Face {
    screen: Screen,
    ui: Ui,
    keys: KeyMap,
    run: Run,
    latest: Arc<Snapshot>,
    /// When the latest picture came.
    came: Instant,
    /// Whether what is shown differs from what is known.
    is_stale: bool,
    pace: Pace,
    desks: Desks,
    /// Commands that are waited for.
    tasks: TaskTracker,
    replied: mpsc::Sender<Msg>,
    left: Option<Left>,
    kill_point: Option<KillPoint>,
}

impl Face {
    async fn follow(
        &mut self,
        mut snapshots: watch::Receiver<Arc<Snapshot>>,
        mut heard: mpsc::Receiver<Msg>,
        mut alerts: mpsc::Receiver<Alert>,
    ) -> Result<Left, ScreenError> {
        let mut input = Some(Input::new()?);
        let mut stops = Stops::new()?;
        let mut is_open = true;
        loop {
            if let Some(left) = self.left {
                return Ok(left);
            }
            let tick = self.next_tick();
            // Biased: people first, then the clock of pictures, then news, of which the latest
            // wins anyway.
            tokio::select! {
                biased;
                msg = next(&mut input) => match msg {
                    Some(msg) => self.take(msg)?,
                    // The terminal is gone; its signal ends the run.
                    None => input = None,
                },
                () = stops.next() => self.suspend()?,
                () = self.next_picture() => self.draw()?,
                Some(msg) = heard.recv() => self.take(msg)?,
                Some(alert) = alerts.recv() => self.screen.alert(&alert),
                changed = snapshots.changed(), if is_open => {
                    if changed.is_err() {
                        is_open = false;
                        self.ended()?;
                    } else {
                        self.latest = Arc::clone(&snapshots.borrow_and_update());
                        self.came = Instant::now();
                        self.take(Msg::Changed)?;
                    }
                }
                () = at(tick) => {
                    self.look_at_cards();
                    let age = self.came.elapsed().as_secs();
                    self.take(Msg::Age(age))?;
                }
            }
        }
    }

    /// Gives the terminal back, then waits for everything that was started.
    async fn close(self) {
        drop(self.screen);
        drop(self.replied);
        self.desks.close().await;
        let (Run::Own { desk, .. } | Run::Watched { desk, .. }) = self.run;
        desk.close().await;
        self.tasks.close();
        self.tasks.wait().await;
    }

    fn take(&mut self, msg: Msg) -> Result<(), ScreenError> {
        // News behind a frozen picture change nothing that is shown.
        let is_hidden = self.ui.frozen.is_some() && matches!(msg, Msg::Changed | Msg::Age(_));
        self.is_stale |= !is_hidden;
        let asks = update(&mut self.ui, msg, &self.latest, &self.keys);
        for ask in asks {
            self.perform(ask)?;
        }
        Ok(())
    }

    fn perform(&mut self, ask: Ask) -> Result<(), ScreenError> {
        match (ask, &mut self.run) {
            (Ask::Command { command, what }, Run::Own { handle, .. }) => {
                let (handle, replied) = (handle.clone(), self.replied.clone());
                self.tasks.spawn(async move {
                    let result = handle.command(command).await;
                    // A screen that was left does not wait for it.
                    let _ = replied.send(Msg::Replied { what, result }).await;
                });
            }
            (Ask::Command { what, .. }, Run::Watched { .. }) => {
                let result = Err(CommandError::new(
                    "this view is read-only",
                    "ask the owner of the queue",
                ));
                self.take(Msg::Replied { what, result })?;
            }
            (Ask::Errand(errand), Run::Own { handle, desk, .. }) => {
                desk.run(errand, Some(handle), self.replied.clone());
            }
            (Ask::Errand(errand), Run::Watched { desk, .. }) => {
                desk.run(errand, None, self.replied.clone());
            }
            (Ask::Watch(request), Run::Own { handle, .. }) => handle.watch(request),
            (Ask::Watch(request), Run::Watched { watching, .. }) => {
                watching.send_replace(request);
            }
            (Ask::Quit(how), Run::Own { handle, drain, .. }) => {
                let patience = if how == Stopping::Now {
                    Duration::ZERO
                } else {
                    *drain
                };
                let handle = handle.clone();
                self.tasks.spawn(async move { handle.stop(patience).await });
            }
            (Ask::Quit(_), Run::Watched { .. }) => self.left = Some(Left::Quit),
            (Ask::Query(query), _) => self.desks.ask(query),
            (Ask::Leave(query), _) => self.desks.leave(&query),
            (Ask::Copy(text), _) => self.screen.copy(&text),
            (Ask::Suspend, _) => self.suspend()?,
            (Ask::Redraw, _) => self.screen.forget(),
            (Ask::Mouse(on), _) => self.screen.mouse(on),
        }
        Ok(())
    }

    fn suspend(&mut self) -> Result<(), ScreenError> {
        self.screen.suspend(self.ui.mouse)?;
        self.is_stale = true;
        Ok(())
    }

    fn ended(&mut self) -> Result<(), ScreenError> {
        match self.run {
            Run::Own { .. } if self.ui.stopping == Stopping::No => self.left = Some(Left::Ended),
            Run::Own { .. } => self.left = Some(Left::Quit),
            Run::Watched { .. } => self.take(Msg::OwnerGone)?,
        }
        Ok(())
    }

    /// Waits until there is something to draw, the time for it has come, and the picture before
    /// it has left: a terminal that takes nothing is shown nothing.
    async fn next_picture(&self) {
        if !self.is_stale {
            std::future::pending::<()>().await;
        }
        sleep_until(self.pace.next(Instant::now())).await;
        self.screen.freed().await;
    }

    /// When the next second must be counted: only where a time is shown that goes on by itself.
    fn next_tick(&self) -> Option<Instant> {
        let is_down = matches!(
            self.latest.server.state,
            ServerState::Down { .. } | ServerState::Loading { .. }
        );
        let runs = |state: &JobState| matches!(state, JobState::Running | JobState::Finishing);
        let is_alive = is_down || self.latest.jobs.iter().any(|job| runs(&job.state));
        let gone = matches!(self.ui.seat, Seat::Watcher { gone: true, .. });
        let age = self.came.elapsed().as_secs();
        let counts = is_alive || self.looks_at_cards();
        (counts && !gone && self.ui.frozen.is_none())
            .then(|| self.came + Duration::from_secs(age + 1))
    }

    /// Whether the user has chosen the pane of the cards.
    fn looks_at_cards(&self) -> bool {
        self.ui.focus == Pane::Vram && self.ui.views.last() == Some(&View::Main)
    }

    /// Cards rest while nothing runs, unless somebody looks at them.
    fn look_at_cards(&self) {
        if let (true, Run::Own { handle, .. }) = (self.looks_at_cards(), &self.run) {
            handle.look();
        }
    }

    fn draw(&mut self) -> Result<(), ScreenError> {
        if let Some(point) = &mut self.kill_point {
            point.pass_picture();
        }
        let area = self.screen.area();
        let mut buffer = Buffer::empty(area);
        let scene = Scene {
            snapshot: shown(&self.ui, &self.latest),
            ui: &self.ui,
            keys: &self.keys,
        };
        let hits = view(scene, area, &mut buffer);
        self.ui.hits = hits;
        self.screen.show(buffer)?;
        self.pace.drawn(Instant::now());
        self.is_stale = false;
        Ok(())
    }
}

async fn next(input: &mut Option<Input>) -> Option<Msg> {
    match input {
        Some(input) => input.next().await,
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

/// Requests from outside to stop for a while.
#[cfg(unix)]
struct Stops(tokio::signal::unix::Signal);

#[cfg(unix)]
impl Stops {
    fn new() -> io::Result<Self> {
        let number = rustix::process::Signal::TSTP.as_raw();
        let kind = tokio::signal::unix::SignalKind::from_raw(number);
        tokio::signal::unix::signal(kind).map(Self)
    }

    async fn next(&mut self) {
        if self.0.recv().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// Requests from outside to stop for a while: this system has none.
#[cfg(not(unix))]
struct Stops;

#[cfg(not(unix))]
impl Stops {
    fn new() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        std::future::pending::<()>().await;
    }
}
