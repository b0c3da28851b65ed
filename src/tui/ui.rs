//! What the user is looking at: small, and nobody else's. Nothing of the run is kept here, except
//! the frozen picture of it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::dialog::Dialog;
use super::hits::{Hits, Listed};
use super::lists::Lists;
use super::theme::{Depth, Theme};
use crate::model::{FailureClass, GuardLimits, JobId, JobSettings, Prices, RequestId, Snapshot};

/// All that the screen knows beside the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Ui {
    /// The views opened on top of each other; never empty, the last one is shown.
    pub views: Vec<View>,
    /// The questions asked on top of each other; the last one has the keys.
    pub dialogs: Vec<Dialog>,
    /// The pane that has the keys.
    pub focus: Pane,
    /// Whether the focused pane fills the view.
    pub enlarged: bool,
    /// What is selected where.
    pub selected: Selected,
    /// The request whose answer is watched while it is written, with its job.
    pub watched: Option<(JobId, RequestId)>,
    /// What is held of the queue.
    pub lists: Lists,
    /// The first row drawn of each list when it was last moved in.
    pub anchors: BTreeMap<Listed, usize>,
    /// The time that graphs show.
    pub window: TimeWindow,
    /// The picture that is shown instead of the latest one.
    pub frozen: Option<Frozen>,
    /// What was last said to the user.
    pub message: Option<Message>,
    /// What lay where in the last picture.
    pub hits: Hits,
    /// Whole seconds since the latest picture came, so that times go on when it does not change.
    pub age: Duration,
    /// Whether the mouse is listened to.
    pub mouse: bool,
    /// Whose run it is.
    pub seat: Seat,
    /// Whether the run is being ended.
    pub stopping: Stopping,
    /// The colours.
    pub theme: Theme,
    /// What the terminal can show.
    pub depth: Depth,
    /// What cards are held to.
    pub limits: GuardLimits,
    /// What the program was started with.
    pub start: Start,
    /// The zone that clock times are shown in.
    pub zone: TimeZone,
}

/// What the program was started with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Start {
    /// The folder it was started in.
    pub folder: PathBuf,
    /// The user's own folder.
    pub home: Option<PathBuf>,
    /// How jobs are run unless one says otherwise.
    pub settings: JobSettings,
    /// What energy and a cloud cost.
    pub prices: Prices,
    /// The settings in force with their origins, in lines.
    pub shown: Vec<String>,
    /// Batch files that the user is asked about first.
    pub files: Vec<PathBuf>,
}

/// A view that fills the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum View {
    /// The panes.
    Main,
    /// The requests of a job.
    Requests,
    /// The answer of a lane as it is written, over the panes.
    Answer,
    /// One request.
    Request,
    /// The failures of a job.
    Failures,
    /// What is in the results of a job.
    Analysis,
    /// What happened.
    Log,
    /// The keys.
    Help,
    /// The settings in force.
    Settings,
}

/// A pane of the main view.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pane {
    /// The jobs of the queue.
    Jobs,
    /// What is outstanding.
    Lanes,
    /// Rates over time.
    Throughput,
    /// How far, and until when.
    Progress,
    /// Memory of the graphics card.
    Vram,
    /// How full context windows are.
    Context,
    /// What was dropped from histories.
    Trims,
    /// What failed, by kind.
    Failures,
}

impl Pane {
    /// Every pane, in the order in which Tab goes through them.
    pub const ALL: [Self; 8] = [
        Self::Jobs,
        Self::Lanes,
        Self::Throughput,
        Self::Progress,
        Self::Vram,
        Self::Context,
        Self::Trims,
        Self::Failures,
    ];

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Jobs => "Jobs",
            Self::Lanes => "Lanes",
            Self::Throughput => "Throughput",
            Self::Progress => "Progress",
            Self::Vram => "VRAM",
            Self::Context => "Context",
            Self::Trims => "Trims",
            Self::Failures => "Failures",
        }
    }
}

/// A row of a pane, by what it shows: a list that changes does not move the cursor to another row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Row {
    /// A job.
    Job(JobId),
    /// A request in a lane.
    Request(RequestId),
    /// A kind of failure of a job.
    Failure(JobId, FailureClass),
    /// A trim, by its number.
    Trim(u64),
}

/// A tab on a screen that has room for one pane.
pub type Tab = Pane;

/// The selected rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selected(BTreeMap<Pane, Row>);

impl Selected {
    /// The selected row of a pane.
    pub fn of(&self, pane: Pane) -> Option<Row> {
        self.0.get(&pane).copied()
    }

    /// Selects a row.
    pub fn set(&mut self, pane: Pane, row: Row) {
        self.0.insert(pane, row);
    }
}

/// The time that graphs show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeWindow {
    /// A minute.
    Minute,
    /// Ten minutes.
    TenMinutes,
    /// An hour.
    Hour,
    /// The whole run.
    Whole,
}

impl TimeWindow {
    /// The one after it.
    #[must_use]
    pub const fn next(self) -> Self {
        match self {
            Self::Minute => Self::TenMinutes,
            Self::TenMinutes => Self::Hour,
            Self::Hour => Self::Whole,
            Self::Whole => Self::Minute,
        }
    }

    /// As shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Minute => "1 min",
            Self::TenMinutes => "10 min",
            Self::Hour => "1 h",
            Self::Whole => "all",
        }
    }
}

/// A frozen picture. Two are the same when they are of the same moment.
#[derive(Debug, Clone)]
pub struct Frozen(pub Arc<Snapshot>);

impl PartialEq for Frozen {
    fn eq(&self, other: &Self) -> bool {
        self.0.now == other.0.now
    }
}

/// Something said to the user at the bottom of the screen, until the next key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What. May hold outside text.
    pub text: String,
    /// Whether something went wrong.
    pub is_error: bool,
}

/// Whose run the screen shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    /// This process's own.
    Owner,
    /// Another process's: nothing can be changed here.
    Watcher {
        /// The owner.
        pid: u32,
        /// Whether it has ended.
        gone: bool,
    },
}

/// How far the end of the run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stopping {
    /// Not asked for.
    No,
    /// What is in flight may finish.
    Draining,
    /// At once.
    Now,
}

impl Ui {
    /// A screen as it is at first.
    pub fn new(seat: Seat, theme: Theme, depth: Depth) -> Self {
        Self {
            views: vec![View::Main],
            dialogs: Vec::new(),
            focus: Pane::Jobs,
            enlarged: false,
            selected: Selected::default(),
            watched: None,
            lists: Lists::default(),
            anchors: BTreeMap::new(),
            window: TimeWindow::TenMinutes,
            frozen: None,
            message: None,
            hits: Hits::default(),
            age: Duration::ZERO,
            mouse: true,
            seat,
            stopping: Stopping::No,
            theme,
            depth,
            limits: GuardLimits::default(),
            start: Start::default(),
            zone: TimeZone::UTC,
        }
    }

    /// The view that is shown.
    pub fn view(&self) -> View {
        self.views.last().copied().unwrap_or(View::Main)
    }

    /// Says something that went as wanted.
    pub fn tell(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            is_error: false,
        });
    }

    /// Says something that went wrong.
    pub fn complain(&mut self, text: impl Into<String>) {
        self.message = Some(Message {
            text: text.into(),
            is_error: true,
        });
    }
}
