//! The scheduler as a pure machine: an input and the time go in, effects come out.
//!
//! It decides what is claimed, sent, tried again, given up and stored, and when to wait for a
//! server. It never awaits, never asks the clock and knows no SQL and no HTTP, so a whole night
//! with failures, pauses and an outage runs in a unit test in milliseconds.
//!
//! The parts: `conversation` says what a prompt consists of, `lanes` fills the lanes, `ends` says what an ended request means, `server` holds the
//! breaker and the model that is loaded, `release` gives requests back, `commands` does what people ask, `saves` hears what is on
//! disk, `tuner` finds how many lanes are best, `learning` keeps what answers teach, `guard` holds it
//! back, `plan` says what the model takes, `view` shows it all.

mod commands;
mod conversation;
mod ends;
mod guard;
mod lanes;
mod learning;
mod messages;
mod plan;
mod release;
mod saves;
mod server;
mod tuner;
mod tuning;
mod view;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use self::conversation::{Conversations, Prompts};
use self::learning::Learning;
use crate::base::Moment;
use crate::model::{
    Event, EventKind, Failure, FailureClass, Job, JobId, JobSettings, JobState, LoadOptions,
    Readings, RequestId,
};
use crate::store::{Claimed, Unit, Write};

use tuner::Tuner;

pub use messages::{Effect, End, Input, Now, Published, Scope, SendId, Sending, Ticket, Warmed};
pub use view::Overview;

/// Claimed at once to begin with. Where the disk is slower than the server, it doubles …
const AHEAD: usize = 16;
/// … up to this many.
const AHEAD_LIMIT: usize = 512;
/// Stored at most so late: with more answers waiting for the disk, nothing new is sent.
const UNSAVED_LIMIT: usize = 2_048;

/// The scheduler.
#[derive(Debug)]
pub struct Core {
    scope: Scope,
    held: bool,
    stop: Option<Moment>,
    stopped: bool,
    store_trouble: Option<String>,
    jobs: BTreeMap<JobId, Entry>,
    /// The jobs whose requests may be sent, in the order in which they run.
    order: Vec<JobId>,
    load: Load,
    server: Server,
    /// Claimed, on disk as such, and not yet sent.
    ready: VecDeque<Claimed>,
    claiming: Option<Unit>,
    /// How many requests are claimed at once.
    ahead: usize,
    flight: BTreeMap<RequestId, Flight>,
    /// Waiting to be tried again.
    waiting: BTreeMap<RequestId, Waiting>,
    /// Ended in a way that only the server's health explains; a probe decides.
    suspects: Vec<Suspect>,
    /// How many lanes are best, by what is loaded.
    tuners: HashMap<LoadOptions, Tuner>,
    /// Given to the store and not yet on disk.
    unsaved: HashMap<RequestId, Unsaved>,
    commands: BTreeMap<Ticket, commands::Asked>,
    sends: u64,
    reload_told: Option<Moment>,
    watch: Option<guard::Watch>,
    planned: Option<plan::Planned>,
    /// The cards as they were seen last.
    latest: Arc<Readings>,
    conversations: Conversations,
    learning: Learning,
    prompts: Prompts,
    /// When the last input came.
    stepped: Moment,
    effects: Vec<Effect>,
}

#[derive(Debug)]
struct Entry {
    job: Job,
    settings: Arc<JobSettings>,
    /// Units whose queue was seen empty.
    exhausted: BTreeSet<i64>,
    running_since: Option<Moment>,
    ran: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Load {
    None,
    Warming {
        options: LoadOptions,
        tries: u32,
        since: Moment,
    },
    /// A try failed in a way that may pass.
    Cooling {
        options: LoadOptions,
        tries: u32,
        until: Moment,
    },
    Ready {
        options: LoadOptions,
    },
}

#[derive(Debug)]
enum Server {
    /// Not asked yet, or something is odd: a probe is out and nothing is sent until it is back.
    Doubtful,
    Up,
    Down {
        since: Moment,
        tries: u32,
        why: String,
        next: Moment,
        probing: bool,
    },
}

#[derive(Debug)]
struct Flight {
    send: SendId,
    lane: u32,
    request: Claimed,
    load: LoadOptions,
    nudge: u32,
    free_tries: u32,
    since: Moment,
    /// How many were outstanding when it was sent, itself included.
    beside: u32,
}

#[derive(Debug)]
struct Waiting {
    request: Claimed,
    due: Moment,
    /// Its attempt is counted on disk.
    stored: bool,
    nudge: u32,
    free_tries: u32,
}

#[derive(Debug)]
struct Suspect {
    flight: Flight,
    failure: Failure,
}

#[derive(Debug)]
enum Unsaved {
    End(Published),
    Again,
    Released(Unit),
}

impl Core {
    /// A core for the jobs that the store holds. It works on none of them until it is told to.
    pub fn new(jobs: Vec<Job>) -> Self {
        Self {
            scope: Scope::Nothing,
            held: false,
            stop: None,
            stopped: false,
            store_trouble: None,
            jobs: jobs
                .into_iter()
                .map(|job| (job.id, Entry::new(job)))
                .collect(),
            order: Vec::new(),
            load: Load::None,
            server: Server::Doubtful,
            ready: VecDeque::new(),
            claiming: None,
            ahead: AHEAD,
            flight: BTreeMap::new(),
            waiting: BTreeMap::new(),
            suspects: Vec::new(),
            tuners: HashMap::new(),
            unsaved: HashMap::new(),
            commands: BTreeMap::new(),
            sends: 0,
            reload_told: None,
            watch: None,
            planned: None,
            latest: Arc::default(),
            conversations: Conversations::default(),
            learning: Learning::default(),
            prompts: Prompts::default(),
            stepped: Moment::ZERO,
            effects: Vec::new(),
        }
    }

    /// Takes one input and says what is to be done.
    pub fn step(&mut self, input: Input, now: Now) -> Vec<Effect> {
        self.stepped = now.moment;
        match input {
            Input::Work(scope) => self.work(scope),
            Input::Admitted(job) => self.admitted(*job, now),
            Input::Command(ticket, command) => self.command(ticket, command, now),
            Input::Written(ticket, result) => self.written(ticket, result, now),
            Input::StoreTrouble(why) => self.store_trouble(why, now),
            Input::StoreWell => self.store_well(now),
            Input::Looked(options, result) => self.looked(&options, result, now),
            Input::Loaded(models) => self.heard_loaded(&models, now),
            Input::Readings(readings) => self.sampled(readings, now),
            Input::Card(card) => self.learning.card(card),
            Input::Warmed(options, result) => self.warmed(&options, result, now),
            Input::Probed(result) => self.probed(result, now),
            Input::Ended(request, send, result) => self.ended((request, send), result, now),
            Input::Stop(drain) => self.stop(drain, now),
            Input::Tick => {}
        }
        self.schedule(now);
        if !self.stopped {
            self.keep_learnt(now, false);
        }
        std::mem::take(&mut self.effects)
    }

    /// When the core wants an [`Input::Tick`] although nothing else happens. What was due by the
    /// last input waits for something else, whose input will come. It is the last input that
    /// counts and not the present: what has become due since then must not be passed over.
    pub fn wake_at(&self) -> Option<Moment> {
        let now = self.stepped;
        let server = match &self.server {
            Server::Down {
                next,
                probing: false,
                ..
            } => Some(*next),
            _ => None,
        };
        let load = match &self.load {
            Load::Cooling { until, .. } => Some(*until),
            _ => None,
        };
        let due = self.waiting.values().filter(|w| w.stored).map(|w| w.due);
        let retry = due.filter(|at| *at > now).min();
        let stop = self
            .stop
            .filter(|_| !self.flight.is_empty() || self.store_trouble.is_some());
        [server, load, retry, stop, self.look_at()]
            .into_iter()
            .flatten()
            .filter(|at| *at > now)
            .min()
    }

    fn work(&mut self, scope: Scope) {
        if self.scope == Scope::Nothing {
            self.effects.push(Effect::Probe);
        }
        self.scope = scope;
        self.sort();
        self.give_way();
    }

    fn admitted(&mut self, job: Job, now: Now) {
        self.tell(
            Some(job.id),
            EventKind::JobState,
            format!("`{}` is queued", job.name),
            now,
        );
        if job.counts.failed > 0 {
            // Nothing of it was sent yet: only lines that are no requests have failed.
            let failed = vec![(FailureClass::InvalidRequest, job.counts.failed)];
            self.effects.push(Effect::Failed(job.id, failed));
        }
        self.jobs.insert(job.id, Entry::new(job));
        self.sort();
        self.give_way();
    }

    fn stop(&mut self, drain: Duration, now: Now) {
        let until = now.moment + drain;
        self.stop = Some(self.stop.map_or(until, |before| before.min(until)));
        if matches!(self.load, Load::Warming { .. } | Load::Cooling { .. }) {
            self.load = Load::None;
            self.effects.push(Effect::AbortWarm);
        }
        self.release_idle(|_| true);
    }

    fn tell(&mut self, job: Option<JobId>, kind: EventKind, text: String, now: Now) {
        self.effects.push(Effect::Tell(Event {
            at: now.stamp,
            job,
            kind,
            text,
        }));
    }

    fn set_state(&mut self, id: JobId, state: JobState, now: Now) {
        self.set_state_for(None, id, state, now);
    }

    /// Moves a job to another state here and on disk.
    fn set_state_for(&mut self, ticket: Option<Ticket>, id: JobId, state: JobState, now: Now) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        entry.clock(
            matches!(state, JobState::Running | JobState::Finishing),
            now.moment,
        );
        entry.job.state = state.clone();
        if matches!(state, JobState::Running) {
            entry.job.started.get_or_insert(now.stamp);
        }
        entry.job.finished = state.is_over().then_some(now.stamp);
        if state.is_over() {
            self.forget_conversations(id);
        }
        self.sort();
        let Some(entry) = self.jobs.get(&id) else {
            return;
        };
        let text = match state.why() {
            Some(why) => format!("`{}` is {state}: {why}", entry.job.name),
            None => format!("`{}` is {state}", entry.job.name),
        };
        self.effects
            .push(Effect::Write(Write::SetState(id, state, now.stamp), ticket));
        self.tell(Some(id), EventKind::JobState, text, now);
    }

    /// Brings `order` up to date after a change of state, priority or place.
    fn sort(&mut self) {
        let mut order: Vec<&Job> = self
            .jobs
            .values()
            .map(|entry| &entry.job)
            .filter(|job| job.state.is_runnable() && self.scope.includes(job.id))
            .collect();
        order.sort_by_key(|job| (std::cmp::Reverse(job.priority), job.position, job.id));
        self.order = order.into_iter().map(|job| job.id).collect();
    }
}

impl Scope {
    fn includes(self, job: JobId) -> bool {
        match self {
            Self::Nothing => false,
            Self::Only(one) => one == job,
            Self::Everything => true,
        }
    }
}

impl Entry {
    fn new(job: Job) -> Self {
        let settings = Arc::new(job.settings.clone());
        Self {
            job,
            settings,
            exhausted: BTreeSet::new(),
            running_since: None,
            ran: Duration::ZERO,
        }
    }

    /// Starts or stops the clock of the time that the job has been running.
    fn clock(&mut self, runs: bool, now: Moment) {
        match (runs, self.running_since) {
            (true, None) => self.running_since = Some(now),
            (false, Some(since)) => {
                self.ran += now - since;
                self.running_since = None;
            }
            _ => {}
        }
    }

    fn units(&self) -> impl Iterator<Item = Unit> + '_ {
        let job = self.job.id;
        (0..self.job.models.len() as i64).map(move |model| Unit { job, model })
    }

    fn load(&self, unit: Unit) -> Option<LoadOptions> {
        self.job.load_options(usize::try_from(unit.model).ok()?)
    }
}

impl Load {
    fn options(&self) -> Option<&LoadOptions> {
        match self {
            Self::None => None,
            Self::Warming { options, .. }
            | Self::Cooling { options, .. }
            | Self::Ready { options } => Some(options),
        }
    }
}
