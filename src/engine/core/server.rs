//! Whether the server answers, and what it has loaded.

use super::{Core, Effect, Load, Now, Server, Warmed};
use crate::base::duration;
use crate::engine::retry;
use crate::model::{
    EventKind, Failure, FailureClass, JobId, JobState, LoadOptions, Parallel, Verdict,
};

/// Tries to load a model before its jobs are given up.
const LOAD_TRIES: u32 = 5;

impl Core {
    /// Something is odd: asks the server whether it is there, and sends nothing until it says so.
    pub(super) fn doubt(&mut self) {
        if matches!(self.server, Server::Up) {
            self.server = Server::Doubtful;
            self.effects.push(Effect::Probe);
        }
    }

    pub(super) fn probe_when_due(&mut self, now: Now) {
        if let Server::Down { next, probing, .. } = &mut self.server
            && !*probing
            && *next <= now.moment
        {
            *probing = true;
            self.effects.push(Effect::Probe);
        }
    }

    pub(super) fn probed(&mut self, result: Result<(), Failure>, now: Now) {
        match result {
            Ok(()) => {
                if let Server::Down { since, .. } = &self.server {
                    let text = format!(
                        "the server answers again after {}",
                        duration(now.moment - *since)
                    );
                    self.tell(None, EventKind::ServerUp, text, now);
                }
                // A server that was away has nothing loaded; asking one that was not costs
                // milliseconds.
                let lost = matches!(self.server, Server::Down { .. })
                    || self
                        .suspects
                        .iter()
                        .any(|s| s.failure.class != FailureClass::Timeout);
                if lost && matches!(self.load, Load::Ready { .. }) {
                    self.load = Load::None;
                }
                self.server = Server::Up;
                self.clear_suspects(true, now);
            }
            Err(failure) => {
                self.still_down(&failure, now);
                self.clear_suspects(false, now);
            }
        }
    }

    fn still_down(&mut self, failure: &Failure, now: Now) {
        let (since, tries) = if let Server::Down { since, tries, .. } = &self.server {
            (*since, tries + 1)
        } else {
            let text = format!("the server does not answer: {}", failure.message);
            self.tell(None, EventKind::ServerDown, text, now);
            (now.moment, 1)
        };
        self.server = Server::Down {
            since,
            tries,
            why: failure.message.clone(),
            next: now.moment + retry::probe_delay(tries),
            probing: false,
        };
    }

    pub(super) fn warmed(
        &mut self,
        options: &LoadOptions,
        result: Result<Warmed, Failure>,
        now: Now,
    ) {
        let Load::Warming {
            options: asked,
            tries,
            ..
        } = &self.load
        else {
            return;
        };
        if asked != options {
            return;
        }
        let tries = tries + 1;
        match result {
            Ok(warmed) => self.is_loaded(options, &warmed, now),
            Err(failure) => self.not_loaded(options, tries, &failure, now),
        }
    }

    /// What the server says of the model, and what earlier runs have learnt of it, is known before
    /// anything is sent.
    fn is_loaded(&mut self, options: &LoadOptions, warmed: &Warmed, now: Now) {
        let took = duration(warmed.took);
        let text = format!("`{}` is loaded ({took})", options.model);
        self.tell(None, EventKind::Loaded, text, now);
        self.reload_told = Some(now.moment);
        let first = self.jobs_that_want(options).next();
        let first = first.and_then(|id| self.job(id));
        let parallel = first.map_or(Parallel::Auto, |job| job.settings.parallel);
        let lanes = self.learning.loaded(options, warmed, (parallel, now.stamp));
        self.recall_lanes(options, lanes);
        self.begin_tuning(options, now);
        self.load = Load::Ready {
            options: options.clone(),
        };
        self.heard_loaded(warmed.loaded.as_slice(), now);
    }

    fn not_loaded(&mut self, options: &LoadOptions, tries: u32, failure: &Failure, now: Now) {
        let may_pass = match failure.class.verdict() {
            Verdict::RetryFree => true,
            Verdict::RetryCounted => tries < LOAD_TRIES,
            Verdict::Permanent | Verdict::StopJob => false,
        };
        if !may_pass {
            self.load = Load::None;
            return self.give_up_on(options, failure, now);
        }
        let until = now.moment + retry::probe_delay(tries);
        self.load = Load::Cooling {
            options: options.clone(),
            tries,
            until,
        };
        if failure.class == FailureClass::ServerDown {
            self.load = Load::None;
            self.doubt();
        }
    }

    /// The jobs that want this model cannot start.
    fn give_up_on(&mut self, options: &LoadOptions, failure: &Failure, now: Now) {
        let hopeless: Vec<JobId> = self.jobs_that_want(options).collect();
        let why = advice(failure);
        for job in hopeless {
            self.set_state(job, JobState::FailedToStart { why: why.clone() }, now);
            self.release_idle(|other| other == job);
        }
    }
}

/// What stopped a job, with what to do where the message does not say.
pub(super) fn advice(failure: &Failure) -> String {
    let message = failure.message.trim();
    match failure.class {
        FailureClass::OutOfMemory => format!(
            "the server ran out of memory ({message}); a smaller --num-ctx, fewer parallel slots \
             of the server, or a smaller model needs less"
        ),
        _ => message.to_owned(),
    }
}
