//! What the end of a sending means: an answer to store, another try, or a final failure.

use std::time::Duration;

use super::{
    Core, Effect, End, Flight, Load, Now, Published, SendId, Server, Suspect, Unsaved, Waiting,
};
use crate::engine::retry;
use crate::model::{Answer, EventKind, Failure, FailureClass, JobId, JobState, RequestId, Verdict};
use crate::store::{Record, Write};

/// A request that was in this many crashes of the runner is set aside.
const CRASH_LIMIT: u32 = 3;
/// A request whose connection is lost this often although the server is well has itself to blame.
const LOST_LIMIT: u32 = 20;

impl Core {
    pub(super) fn ended(
        &mut self,
        (request, send): (RequestId, SendId),
        result: Result<Box<Answer>, Failure>,
        now: Now,
    ) {
        let Some(flight) = self.flight.remove(&request) else {
            return;
        };
        if flight.send != send {
            self.flight.insert(request, flight);
            return;
        }
        match result {
            Ok(answer) => self.answered(&flight, answer, now),
            Err(failure) => self.failed(flight, failure, now),
        }
    }

    fn failed(&mut self, flight: Flight, failure: Failure, now: Now) {
        self.learning.failed(&flight, &failure);
        if self.is_shortened(&flight, &failure) {
            // Nobody's fault but the estimate's: the next prompt is shorter.
            return self.again(flight, None, Duration::ZERO, now);
        }
        self.judge(flight, failure, now);
    }

    fn answered(&mut self, flight: &Flight, mut answer: Box<Answer>, now: Now) {
        self.notice_reload(flight, &answer, now);
        self.tune(flight, &answer, now);
        // What was not read again is noted in the answer before it is stored.
        self.learning.answered(flight, &mut answer);
        self.remember(flight, &answer);
        let job = flight.request.unit.job;
        self.tell_low_reuse(job, now);
        let end = End::Answered {
            usage: answer.usage,
            timings: answer.timings,
            cut: answer.finish.is_cut(),
        };
        let request = flight.request.id;
        self.unsaved
            .insert(request, Unsaved::End(Published { job, request, end }));
        let record = Record::Answered {
            job,
            request,
            answer,
            at: now.stamp,
        };
        self.effects.push(Effect::Write(Write::Save(record), None));
    }

    /// A load time on a warm model means that somebody else changed what is loaded.
    fn notice_reload(&mut self, flight: &Flight, answer: &Answer, now: Now) {
        // Every request that waited for the same load reports it.
        let told = self.reload_told.is_some_and(|told| flight.since < told);
        if answer.timings.is_reloaded() && !told {
            self.reload_told = Some(now.moment);
            let text = format!(
                "`{}` was loaded again: another client uses the server with other options, and \
                 every cached prefix is lost",
                flight.load.model
            );
            self.tell(
                Some(flight.request.unit.job),
                EventKind::Reloaded,
                text,
                now,
            );
        }
    }

    fn judge(&mut self, flight: Flight, failure: Failure, now: Now) {
        if matches!(
            failure.class,
            FailureClass::RunnerCrash | FailureClass::RunnerGone
        ) {
            self.runner_died(&flight, &failure, now);
        }
        match failure.class {
            // Whose fault it was depends on whether the server is still there: one that shuts
            // down takes connections, answers and runners with it.
            FailureClass::ServerDown
            | FailureClass::StreamCut
            | FailureClass::Timeout
            | FailureClass::RunnerCrash => {
                if matches!(self.server, Server::Down { .. }) {
                    return self.try_free(flight, now);
                }
                self.suspects.push(Suspect { flight, failure });
                self.doubt();
            }
            FailureClass::Busy => {
                self.ease(&flight, "the server is too busy", now);
                self.settle(flight, failure, now);
            }
            _ => self.settle(flight, failure, now),
        }
    }

    /// Decides about requests whose end a probe of the server has explained.
    pub(super) fn clear_suspects(&mut self, server_is_well: bool, now: Now) {
        for Suspect { flight, failure } in std::mem::take(&mut self.suspects) {
            let blamed = match failure.class {
                FailureClass::ServerDown => server_is_well && flight.free_tries >= LOST_LIMIT,
                _ => server_is_well,
            };
            if blamed {
                self.count(flight, failure, now);
            } else {
                self.try_free(flight, now);
            }
        }
    }

    fn settle(&mut self, flight: Flight, failure: Failure, now: Now) {
        match failure.class.verdict() {
            Verdict::Permanent => self.fail(&flight, failure, now),
            Verdict::RetryFree => self.try_free(flight, now),
            Verdict::RetryCounted => self.count(flight, failure, now),
            Verdict::StopJob => {
                let job = flight.request.unit.job;
                self.release(&flight.request);
                self.stop_job(job, &failure, now);
            }
        }
    }

    /// The next request would load the model again; doing it on purpose keeps the load out of
    /// the time that a request is given.
    fn runner_died(&mut self, flight: &Flight, failure: &Failure, now: Now) {
        if matches!(self.load, Load::Ready { .. }) {
            self.load = Load::None;
            let job = Some(flight.request.unit.job);
            self.tell(job, EventKind::RunnerCrash, failure.message.clone(), now);
            self.ease(flight, "the runner crashed", now);
        }
    }

    /// A failure that counts: another try until the limit.
    fn count(&mut self, mut flight: Flight, failure: Failure, now: Now) {
        let attempts = &mut flight.request.attempts;
        attempts.counted += 1;
        attempts.crashes += u32::from(failure.class == FailureClass::RunnerCrash);
        let job = flight.request.unit.job;
        let retries = self
            .jobs
            .get(&job)
            .map_or(0, |entry| entry.settings.retries);
        let over = match failure.class {
            // Another seed may end it; the same one would not (Ollama issues 7547, 17270).
            FailureClass::RepeatGuard => flight.nudge > 0,
            FailureClass::RunnerCrash => attempts.crashes >= CRASH_LIMIT,
            _ => false,
        };
        if over || attempts.counted > retries {
            return self.fail(&flight, failure, now);
        }
        let wait = retry::delay(flight.request.id, attempts.counted);
        flight.nudge += u32::from(failure.class == FailureClass::RepeatGuard);
        self.again(flight, Some(failure), wait, now);
    }

    fn try_free(&mut self, mut flight: Flight, now: Now) {
        flight.free_tries += 1;
        let wait = retry::delay(flight.request.id, flight.free_tries);
        self.again(flight, None, wait, now);
    }

    /// Keeps the request for another try, which is counted on disk before it is made.
    fn again(&mut self, flight: Flight, failure: Option<Failure>, wait: Duration, now: Now) {
        let Flight {
            mut request,
            nudge,
            free_tries,
            ..
        } = flight;
        request.attempts.sent += 1;
        let (id, attempts) = (request.id, request.attempts);
        let record = Record::Again {
            request: id,
            failure,
            at: now.stamp,
            attempts,
        };
        self.effects.push(Effect::Write(Write::Save(record), None));
        if self.stop.is_some() || !self.is_runnable(request.unit.job) {
            return self.release_unsent(request);
        }
        self.unsaved.insert(id, Unsaved::Again);
        let due = now.moment + wait;
        self.waiting.insert(
            id,
            Waiting {
                request,
                due,
                stored: false,
                nudge,
                free_tries,
            },
        );
    }

    fn fail(&mut self, flight: &Flight, failure: Failure, now: Now) {
        let (job, request) = (flight.request.unit.job, flight.request.id);
        self.leave(request);
        let end = End::Failed(failure.clone());
        self.unsaved
            .insert(request, Unsaved::End(Published { job, request, end }));
        let attempts = flight.request.attempts;
        let record = Record::Failed {
            job,
            request,
            failure,
            at: now.stamp,
            attempts,
        };
        self.effects.push(Effect::Write(Write::Save(record), None));
    }

    /// Pauses a job none of whose requests could succeed now.
    fn stop_job(&mut self, job: JobId, failure: &Failure, now: Now) {
        if self.is_runnable(job) {
            let why = super::server::advice(failure);
            self.set_state(job, JobState::Paused { why: Some(why) }, now);
            self.release_idle(|other| other == job);
        }
    }

    pub(super) fn is_runnable(&self, job: JobId) -> bool {
        self.jobs
            .get(&job)
            .is_some_and(|entry| entry.job.state.is_runnable())
    }
}
