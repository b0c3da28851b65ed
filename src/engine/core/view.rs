//! The core as others see it.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use super::{Core, Load, Scope, Server};
use crate::base::Moment;
use crate::model::{
    ContextView, GuardView, Job, JobId, LaneView, LoadOptions, Phase, PlanView, RequestId,
    ServerState,
};

/// Jobs shown at most.
const JOBS_SHOWN: usize = 200;
/// Requests that wait for another try, shown at most.
const WAITING_SHOWN: usize = 64;

/// What a snapshot takes from the core.
#[derive(Debug)]
pub struct Overview<'a> {
    /// Jobs in the order in which they run, then the one that alone is worked off, then the
    /// others, newest first; with the time that each has been running.
    pub jobs: Vec<(&'a Job, Duration)>,
    /// Jobs left out.
    pub jobs_left_out: u64,
    /// The job whose requests are being sent.
    pub active: Option<JobId>,
    /// Requests in flight and those that wait to be tried again.
    pub lanes: Vec<LaneView>,
    /// How many requests may be in flight.
    pub lanes_allowed: u32,
    /// Ends that are on their way to the disk.
    pub unsaved: u64,
    /// Why nothing is sent although something is queued.
    pub waiting: Option<String>,
    /// Whether the whole queue is held.
    pub held: bool,
    /// Whether the server answers.
    pub server: ServerState,
    /// What the guard holds back; `None` where there is none.
    pub guard: Option<GuardView>,
    /// What the loaded model takes.
    pub plan: Option<&'a PlanView>,
    /// How full context windows are, and what was trimmed.
    pub context: ContextView,
}

impl Core {
    /// What is going on. Takes time for what it shows, not for what is queued.
    pub fn overview(&self, now: Moment) -> Overview<'_> {
        let active = self.active();
        Overview {
            jobs: self.shown_jobs(now),
            jobs_left_out: self.jobs.len().saturating_sub(JOBS_SHOWN) as u64,
            active,
            lanes: self.lane_views(),
            lanes_allowed: active.map_or(0, |job| self.lanes_of(job) as u32),
            unsaved: self.unsaved.len() as u64,
            waiting: self.waiting_for(),
            held: self.held,
            server: self.server_state(),
            guard: self.guard_view(),
            plan: self.plan(),
            context: self.context_view(active),
        }
    }

    /// Whether the database cannot be written at present.
    pub fn is_in_trouble(&self) -> bool {
        self.store_trouble.is_some()
    }

    /// The model that was loaded for us and is kept until it is released.
    pub fn loaded(&self) -> Option<&LoadOptions> {
        match &self.load {
            Load::Ready { options } => Some(options),
            _ => None,
        }
    }

    /// Whether the server answered when it was last asked.
    pub fn server_is_up(&self) -> bool {
        matches!(self.server, Server::Up)
    }

    /// The job with this number.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(&id).map(|entry| &entry.job)
    }

    fn active(&self) -> Option<JobId> {
        let flying = self
            .flight
            .values()
            .map(|flight| flight.request.unit.job)
            .next();
        flying.or_else(|| {
            self.order.iter().copied().find(|id| {
                self.jobs
                    .get(id)
                    .is_some_and(|entry| entry.running_since.is_some())
            })
        })
    }

    /// Jobs that may run stand first, in the order in which they run; then the others, newest
    /// first. Whoever follows one job must see its end, however many newer ones there are.
    fn shown_jobs(&self, now: Moment) -> Vec<(&Job, Duration)> {
        let mut entries: Vec<&super::Entry> = self.jobs.values().collect();
        entries.sort_by_key(|entry| {
            let job = &entry.job;
            let place = if job.state.is_runnable() {
                (0, Reverse(job.priority), job.position)
            } else {
                let is_followed = self.scope == Scope::Only(job.id);
                (if is_followed { 1 } else { 2 }, Reverse(0), -job.id.0)
            };
            (place, job.id)
        });
        let ran = |entry: &super::Entry| {
            entry.ran
                + entry
                    .running_since
                    .map_or(Duration::ZERO, |since| now - since)
        };
        entries.truncate(JOBS_SHOWN);
        entries
            .into_iter()
            .map(|entry| (&entry.job, ran(entry)))
            .collect()
    }

    fn lane_views(&self) -> Vec<LaneView> {
        let flying = self.flight.values().map(|flight| {
            let phase = Phase::Waiting;
            let attempt = flight.request.attempts.sent;
            let lane = (flight.lane, phase, flight.since, attempt);
            lane_view(
                lane,
                flight.request.unit.job,
                flight.request.id,
                &flight.request.custom_id,
            )
        });
        let backing_off = self.waiting.values().take(WAITING_SHOWN).map(|waiting| {
            let request = &waiting.request;
            let lane = (0, Phase::BackingOff, waiting.due, request.attempts.sent);
            lane_view(lane, request.unit.job, request.id, &request.custom_id)
        });
        let mut lanes: Vec<LaneView> = flying.collect();
        lanes.sort_by_key(|lane| lane.lane);
        lanes.extend(backing_off);
        lanes
    }

    fn waiting_for(&self) -> Option<String> {
        if self.order.is_empty() || !self.flight.is_empty() {
            return None;
        }
        if let Some(trouble) = &self.store_trouble {
            return Some(trouble.clone());
        }
        match &self.load {
            _ if self.why_not_sending().is_some() => self.why_not_sending().map(str::to_owned),
            Load::Ready { .. } if self.paused_by_guard().is_some() => self.paused_by_guard(),
            Load::None if self.load_forbidden().is_some() => self.load_forbidden(),
            Load::Warming { options, .. } => Some(format!("loading {}", options.model)),
            Load::Cooling { options, .. } => {
                Some(format!("trying again to load {}", options.model))
            }
            Load::None | Load::Ready { .. } if !self.waiting.is_empty() => {
                Some("waiting to try failed requests again".to_owned())
            }
            Load::None | Load::Ready { .. } => None,
        }
    }

    fn server_state(&self) -> ServerState {
        match (&self.server, &self.load) {
            (
                Server::Down {
                    since, why, next, ..
                },
                _,
            ) => ServerState::Down {
                since: *since,
                why: why.clone(),
                next: *next,
            },
            (Server::Up, Load::Warming { options, since, .. }) => ServerState::Loading {
                model: options.model.clone(),
                since: *since,
            },
            (Server::Up, _) => ServerState::Up,
            (Server::Doubtful, _) => ServerState::Unknown,
        }
    }
}

fn lane_view(
    (lane, phase, since, attempt): (u32, Phase, Moment, u32),
    job: JobId,
    request: RequestId,
    custom_id: &Arc<str>,
) -> LaneView {
    let custom_id = Arc::clone(custom_id);
    LaneView {
        lane,
        job,
        request,
        custom_id,
        phase,
        since,
        chunks: 0,
        attempt,
    }
}
