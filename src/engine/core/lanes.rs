//! What runs next: which model is loaded, which requests are claimed, which lane sends what.

use super::{Core, Effect, Flight, Load, Now, Scope, SendId, Sending, Server, UNSAVED_LIMIT};
use crate::base::Moment;
use crate::model::{EventKind, JobId, JobState, LoadOptions, Parallel, RequestId};
use crate::store::{Claimed, Unit, Write};

/// Requests that may wait for another try. More would let memory grow while a server fails
/// everything; with so many waiting, only they are sent.
const WAITING_LIMIT: usize = 1_024;
/// The same in bytes of bodies.
const WAITING_BYTES: usize = 256 << 20;
/// Bodies claimed ahead, in bytes.
const READY_BYTES: usize = 32 << 20;

impl Core {
    /// Does everything that can be done now. Runs after every input, so no input has to know what
    /// it makes possible.
    pub(super) fn schedule(&mut self, now: Now) {
        if self.stop.is_some() {
            return self.wind_down(now);
        }
        self.look_when_due(now);
        self.probe_when_due(now);
        self.end_jobs(now);
        if self.why_not_sending().is_some() {
            return;
        }
        let target = self.target();
        self.drop_useless_load();
        let Some((unit, load)) = target else { return };
        if matches!(&self.load, Load::Ready { options } if *options == load) {
            self.fill(&load, now);
            if self.paused_by_guard().is_none() {
                self.claim_ahead(&load, now);
            }
        } else if self.load_forbidden().is_none() {
            self.switch_to(unit, load, now);
        }
    }

    /// Why nothing may be sent, whatever is queued.
    pub(super) fn why_not_sending(&self) -> Option<&'static str> {
        if self.scope == Scope::Nothing {
            Some("the queue is not being worked")
        } else if self.held {
            Some("everything is paused")
        } else if self.store_trouble.is_some() {
            Some("the database cannot be written")
        } else if self.unsaved.len() >= UNSAVED_LIMIT {
            Some("the disk is slower than the server")
        } else {
            match self.server {
                Server::Up => None,
                Server::Doubtful => Some("asking the server whether it is there"),
                Server::Down { .. } => Some("the server does not answer"),
            }
        }
    }

    /// The unit that runs now: of the jobs with the highest priority that have work, one that
    /// needs no other model than the loaded one, else the first.
    fn target(&self) -> Option<(Unit, LoadOptions)> {
        let mut first: Option<(i32, Unit, LoadOptions)> = None;
        for entry in self.order.iter().filter_map(|id| self.jobs.get(id)) {
            if first
                .as_ref()
                .is_some_and(|(priority, ..)| *priority > entry.job.priority)
            {
                break;
            }
            for unit in entry.units().filter(|unit| self.has_work(*unit)) {
                let Some(load) = entry.load(unit) else {
                    continue;
                };
                if self.load.options() == Some(&load) {
                    return Some((unit, load));
                }
                first.get_or_insert((entry.job.priority, unit, load));
            }
        }
        first.map(|(_, unit, load)| (unit, load))
    }

    /// Whether a unit has requests that were not sent yet or are to be sent again.
    pub(super) fn has_work(&self, unit: Unit) -> bool {
        self.is_queued(unit)
            || self.claiming == Some(unit)
            || self.ready.iter().any(|request| request.unit == unit)
            || self
                .waiting
                .values()
                .any(|waiting| waiting.request.unit == unit)
            || self
                .suspects
                .iter()
                .any(|suspect| suspect.flight.request.unit == unit)
    }

    fn is_queued(&self, unit: Unit) -> bool {
        self.jobs
            .get(&unit.job)
            .is_some_and(|entry| !entry.exhausted.contains(&unit.model))
    }

    /// Stops loading a model that no job wants any more.
    fn drop_useless_load(&mut self) {
        if let Load::Warming { options, .. } = &self.load
            && self.jobs_that_want(options).next().is_none()
        {
            self.load = Load::None;
            self.effects.push(Effect::AbortWarm);
        }
    }

    /// The jobs with work for which the server must have loaded this.
    pub(super) fn jobs_that_want(&self, options: &LoadOptions) -> impl Iterator<Item = JobId> {
        let entries = self.order.iter().filter_map(|id| self.jobs.get(id));
        entries
            .filter(|entry| {
                let mut units = entry.units();
                units.any(|unit| entry.load(unit).as_ref() == Some(options) && self.has_work(unit))
            })
            .map(|entry| entry.job.id)
    }

    /// Loads what `unit` needs, once everything that runs on the present model has ended.
    fn switch_to(&mut self, unit: Unit, load: LoadOptions, now: Now) {
        match &self.load {
            Load::Warming { .. } => return,
            Load::Cooling { options, until, .. } if *options == load && now.moment < *until => {
                return;
            }
            _ => {}
        }
        self.release_ready(|request| request.unit != unit);
        if !self.flight.is_empty() || !self.suspects.is_empty() {
            return;
        }
        let tries = match &self.load {
            Load::Cooling { options, tries, .. } if *options == load => *tries,
            _ => 0,
        };
        self.tell(
            Some(unit.job),
            EventKind::Loading,
            format!("loading `{}`", load.model),
            now,
        );
        self.load = Load::Warming {
            options: load.clone(),
            tries,
            since: now.moment,
        };
        if self.is_planned(&load) {
            self.warm(load);
        } else {
            self.effects.push(Effect::Look(load));
        }
        self.mark_running(unit.job, now);
    }

    fn mark_running(&mut self, job: JobId, now: Now) {
        if self
            .jobs
            .get(&job)
            .is_some_and(|entry| entry.job.state != JobState::Running)
        {
            self.set_state(job, JobState::Running, now);
        }
    }

    /// Fills free lanes with requests that `load` serves.
    fn fill(&mut self, load: &LoadOptions, now: Now) {
        self.recall_earlier();
        while let Some(next) = self.next_request(load, now.moment) {
            let (request, nudge, free_tries) = match next {
                Next::Again(id) => match self.waiting.remove(&id) {
                    Some(again) => (again.request, again.nudge, again.free_tries),
                    None => return,
                },
                Next::Fresh => match self.ready.pop_front() {
                    Some(request) => (request, 0, 0),
                    None => return,
                },
            };
            self.send(request, load, (nudge, free_tries), now);
        }
    }

    /// The request that may be sent now, if any may. Those that are tried again go first; one
    /// that was in a runner's crash goes alone, so that the next crash shows whose it is.
    fn next_request(&self, load: &LoadOptions, now: Moment) -> Option<Next> {
        if self
            .flight
            .values()
            .any(|flight| flight.request.attempts.crashes > 0)
        {
            return None;
        }
        let again = self
            .waiting
            .iter()
            .filter(|(_, waiting)| waiting.stored && waiting.due <= now)
            .filter(|(_, waiting)| self.load_of(waiting.request.unit).as_ref() == Some(load))
            .max_by_key(|(_, waiting)| (waiting.request.attempts.crashes, waiting.due))
            .map(|(id, waiting)| (Next::Again(*id), &waiting.request));
        let fresh = || {
            let request = self.ready.front().filter(|_| !self.is_crowded())?;
            self.may_speak(request).then_some((Next::Fresh, request))
        };
        let (next, request) = again.or_else(fresh)?;
        let allowed = match request.attempts.crashes {
            0 => self.lanes_of(request.unit.job),
            _ => self.lanes_under_guard(1),
        };
        (self.flight.len() < allowed).then_some(next)
    }

    fn load_of(&self, unit: Unit) -> Option<LoadOptions> {
        self.jobs.get(&unit.job)?.load(unit)
    }

    /// How many requests of a job may be outstanding now.
    pub(super) fn lanes_of(&self, job: JobId) -> usize {
        self.lanes_under_guard(self.lanes_unguarded(job))
    }

    /// How many there may be when the guard holds nothing back.
    pub(super) fn lanes_unguarded(&self, job: JobId) -> usize {
        let entry = self.jobs.get(&job);
        entry.map_or(0, |entry| match entry.settings.parallel {
            Parallel::Fixed(lanes) => lanes.max(1) as usize,
            Parallel::Auto => self.tuned_lanes(),
        })
    }

    fn is_crowded(&self) -> bool {
        let bytes = || {
            self.waiting
                .values()
                .map(|w| w.request.body.len())
                .sum::<usize>()
        };
        self.waiting.len() >= WAITING_LIMIT || (self.waiting.len() > 16 && bytes() > WAITING_BYTES)
    }

    fn send(&mut self, request: Claimed, load: &LoadOptions, tries: (u32, u32), now: Now) {
        let Some(entry) = self.jobs.get(&request.unit.job) else {
            return;
        };
        let settings = entry.settings.clone();
        self.sends += 1;
        let (id, lane) = (SendId(self.sends), self.free_lane());
        let (nudge, free_tries) = tries;
        self.learn_with(settings.parallel, now);
        let messages = self.compose(&request, lane, load, now);
        self.learn_from_sending(&request, lane);
        self.effects.push(Effect::Send(Box::new(Sending {
            id,
            lane,
            request: request.clone(),
            messages,
            load: load.clone(),
            settings,
            nudge,
        })));
        let flight = Flight {
            send: id,
            lane,
            request,
            load: load.clone(),
            nudge,
            free_tries,
            since: now.moment,
            beside: self.flight.len() as u32 + 1,
        };
        self.flight.insert(flight.request.id, flight);
    }

    fn free_lane(&self) -> u32 {
        let mut taken: Vec<u32> = self.flight.values().map(|flight| flight.lane).collect();
        taken.sort_unstable();
        let gap = (1..).zip(&taken).find(|(lane, taken)| lane != *taken);
        gap.map_or(taken.len() as u32 + 1, |(lane, _)| lane)
    }

    /// Keeps a few requests claimed, so that a free lane never waits for the disk.
    fn claim_ahead(&mut self, load: &LoadOptions, now: Now) {
        let Some(unit) = self.next_to_claim(load) else {
            return;
        };
        // Lanes that end together must not find less than there are lanes.
        let ahead = self.ahead.max(2 * self.lanes_of(unit.job));
        let ahead = ahead.min(super::AHEAD_LIMIT);
        if self.claiming.is_some() || self.ready.len() > ahead / 2 {
            return;
        }
        self.claiming = Some(unit);
        let claim = Write::Claim(unit, ahead, READY_BYTES);
        self.effects.push(Effect::Write(claim, None));
        self.mark_running(unit.job, now);
    }

    fn next_to_claim(&self, load: &LoadOptions) -> Option<Unit> {
        let entries = self.order.iter().filter_map(|id| self.jobs.get(id));
        entries
            .flat_map(|entry| {
                entry
                    .units()
                    .filter(|u| entry.load(*u).as_ref() == Some(load))
            })
            .find(|unit| self.is_queued(*unit))
    }

    /// After a change of the queue's order: what was claimed ahead goes back if another job is to
    /// go first.
    pub(super) fn give_way(&mut self) {
        let first = self.order.first().copied();
        self.release_ready(|request| Some(request.unit.job) != first);
    }

    /// Ends jobs that have nothing left, and says which only wait for their last answers.
    fn end_jobs(&mut self, now: Now) {
        for id in self.order.clone() {
            let Some(entry) = self.jobs.get(&id) else {
                continue;
            };
            if entry.job.counts.left() == 0 {
                self.set_state(id, JobState::Done, now);
            } else if entry.job.state == JobState::Running
                && !entry.units().any(|unit| self.has_work(unit))
            {
                self.set_state(id, JobState::Finishing, now);
            }
        }
    }

    /// After a stop: what is in flight may finish until the deadline, then it is dropped.
    fn wind_down(&mut self, now: Now) {
        if self.stop.is_some_and(|until| until <= now.moment) {
            self.abort(|_| true);
        }
        // Answers that cannot be stored were told to nobody; they are asked for again.
        let hopeless =
            self.store_trouble.is_some() && self.stop.is_some_and(|until| until <= now.moment);
        let idle = self.flight.is_empty()
            && self.suspects.is_empty()
            && self.unsaved.is_empty()
            && self.commands.is_empty()
            && self.claiming.is_none();
        if (idle || hopeless) && !self.stopped {
            if !hopeless {
                self.leave_jobs(now);
            }
            self.keep_learnt(now, true);
            self.stopped = true;
            self.effects.push(Effect::Stopped);
        }
    }

    /// Says of the jobs that ran that they wait for the next start: nobody runs them any more.
    fn leave_jobs(&mut self, now: Now) {
        for id in self.order.clone() {
            let Some(entry) = self.jobs.get(&id) else {
                continue;
            };
            if entry.job.counts.left() == 0 {
                self.set_state(id, JobState::Done, now);
            } else if entry.job.state != JobState::Queued {
                self.set_state(id, JobState::Queued, now);
            }
        }
    }
}

enum Next {
    Again(RequestId),
    Fresh,
}
