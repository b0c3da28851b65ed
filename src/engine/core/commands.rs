//! What people ask of the queue. A command is answered when its effect is on disk.

use super::{Core, Effect, Entry, Now, Ticket};
use crate::base::count;
use crate::model::{
    Command, CommandError, Done, EventKind, JobId, JobState, Move, Parallel, Priority,
    WhichFailures,
};
use crate::store::{Write, Written};

/// A command whose effect is on its way to the disk.
#[derive(Debug, Clone, Copy)]
pub(super) enum Asked {
    /// Nothing is left to do when it is stored.
    Change,
    /// A job's row is being deleted.
    Remove(JobId),
    /// The order of jobs is being changed.
    Reorder,
    /// Failed requests are being put back.
    Retry(JobId),
}

const UNCHANGED: Done = Done {
    changed: false,
    count: 0,
};
const CHANGED: Done = Done {
    changed: true,
    count: 1,
};

impl Core {
    pub(super) fn command(&mut self, ticket: Ticket, command: Command, now: Now) {
        let result = match command {
            Command::Pause { job } => self.pause(ticket, job, now),
            Command::Resume { job } => self.resume(ticket, job, now),
            Command::Cancel { job } => self.cancel(ticket, job, now),
            Command::Retry { job, which } => self.retry(ticket, job, which),
            Command::Remove { job } => self.remove(ticket, job),
            Command::Prioritize { job, priority } => self.prioritize(ticket, job, priority, now),
            Command::Reorder { job, to } => self.reorder(ticket, job, to),
            Command::SetParallel { job, parallel } => self.set_parallel(ticket, job, parallel, now),
            Command::PauseAll => Ok(Some(self.hold(true))),
            Command::ResumeAll => Ok(Some(self.hold(false))),
        };
        // `None` within `Ok` means that the reply comes when the effect is stored.
        match result {
            Ok(None) => {}
            Ok(Some(done)) => self.effects.push(Effect::Reply(ticket, Ok(done))),
            Err(error) => self.effects.push(Effect::Reply(ticket, Err(error))),
        }
    }

    /// The store has done, or refused, what a command asked.
    pub(super) fn reply_to(
        &mut self,
        ticket: Option<Ticket>,
        result: Result<Written, String>,
        now: Now,
    ) {
        let Some(ticket) = ticket else { return };
        let Some(asked) = self.commands.remove(&ticket) else {
            return;
        };
        let reply = match result {
            Ok(Written::NoJob(job)) => Err(no_job(job)),
            Ok(written) => Ok(self.stored(asked, written, now)),
            Err(message) => Err(CommandError {
                message,
                hint: None,
            }),
        };
        self.effects.push(Effect::Reply(ticket, reply));
    }

    fn stored(&mut self, asked: Asked, written: Written, now: Now) -> Done {
        match (asked, written) {
            (
                Asked::Retry(id),
                Written::Retried {
                    count: back,
                    failed,
                    ..
                },
            ) => {
                self.effects.push(Effect::Failed(id, failed));
                self.retried(id, back, now);
                Done {
                    changed: back > 0,
                    count: back,
                }
            }
            (Asked::Reorder, Written::Reordered { changed, jobs }) => {
                for job in jobs {
                    if let Some(entry) = self.jobs.get_mut(&job.id) {
                        entry.job.position = job.position;
                    }
                }
                self.sort();
                self.give_way();
                Done {
                    changed,
                    count: u64::from(changed),
                }
            }
            (Asked::Remove(job), _) => {
                self.jobs.remove(&job);
                self.effects.push(Effect::Failed(job, Vec::new()));
                CHANGED
            }
            _ => CHANGED,
        }
    }

    fn pause(&mut self, ticket: Ticket, id: JobId, now: Now) -> Answered {
        match &self.entry(id)?.job.state {
            JobState::Paused { .. } => Ok(Some(UNCHANGED)),
            state if state.is_runnable() => {
                self.begin(ticket, Asked::Change);
                self.set_state_for(Some(ticket), id, JobState::Paused { why: None }, now);
                self.release_idle(|job| job == id);
                Ok(None)
            }
            state => Err(wrong(
                id,
                state,
                "pause",
                "only a job that waits or runs can be paused",
            )),
        }
    }

    fn resume(&mut self, ticket: Ticket, id: JobId, now: Now) -> Answered {
        match &self.entry(id)?.job.state {
            JobState::Paused { .. } | JobState::FailedToStart { .. } => {
                self.begin(ticket, Asked::Change);
                self.set_state_for(Some(ticket), id, JobState::Queued, now);
                self.requeue_all(id);
                self.give_way();
                Ok(None)
            }
            state if state.is_runnable() => Ok(Some(UNCHANGED)),
            state => Err(wrong(
                id,
                state,
                "resume",
                "`batchtop retry` puts failed requests back",
            )),
        }
    }

    fn cancel(&mut self, ticket: Ticket, id: JobId, now: Now) -> Answered {
        match &self.entry(id)?.job.state {
            JobState::Cancelled => Ok(Some(UNCHANGED)),
            state @ (JobState::Done | JobState::Reading) => Err(wrong(
                id,
                state,
                "cancel",
                "`batchtop export` writes its results",
            )),
            _ => {
                self.begin(ticket, Asked::Change);
                self.set_state_for(Some(ticket), id, JobState::Cancelled, now);
                self.abort(|flight| flight.request.unit.job == id);
                self.release_idle(|job| job == id);
                Ok(None)
            }
        }
    }

    fn retry(&mut self, ticket: Ticket, id: JobId, which: WhichFailures) -> Answered {
        let state = &self.entry(id)?.job.state;
        if matches!(state, JobState::Cancelled | JobState::Reading) {
            return Err(wrong(id, state, "retry", "put its file in the queue again"));
        }
        self.begin(ticket, Asked::Retry(id));
        self.effects
            .push(Effect::Write(Write::Retry(id, which), Some(ticket)));
        Ok(None)
    }

    fn retried(&mut self, id: JobId, back: u64, now: Now) {
        let Some(entry) = self.jobs.get_mut(&id) else {
            return;
        };
        entry.job.counts.failed = entry.job.counts.failed.saturating_sub(back);
        if back == 0 {
            return;
        }
        let text = format!(
            "{} failed requests of `{}` are queued again",
            count(back),
            entry.job.name
        );
        if entry.job.state == JobState::Done {
            // The store has moved it in the same commit.
            entry.job.state = JobState::Queued;
            entry.job.finished = None;
        }
        self.requeue_all(id);
        self.sort();
        self.tell(Some(id), EventKind::Retried, text, now);
    }

    fn requeue_all(&mut self, id: JobId) {
        if let Some(entry) = self.jobs.get_mut(&id) {
            entry.exhausted.clear();
        }
    }

    fn remove(&mut self, ticket: Ticket, id: JobId) -> Answered {
        match &self.entry(id)?.job.state {
            JobState::Done | JobState::Cancelled => {
                self.begin(ticket, Asked::Remove(id));
                self.effects
                    .push(Effect::Write(Write::Remove(id), Some(ticket)));
                Ok(None)
            }
            state => Err(wrong(id, state, "remove", "`batchtop cancel` it first")),
        }
    }

    fn prioritize(&mut self, ticket: Ticket, id: JobId, to: Priority, now: Now) -> Answered {
        let entry = self.entry(id)?;
        let before = entry.job.priority;
        let priority = match to {
            Priority::Set(priority) => priority,
            Priority::Step(step) => before.saturating_add(step),
        };
        if priority == before {
            return Ok(Some(UNCHANGED));
        }
        entry.job.priority = priority;
        let text = format!("`{}` has priority {priority} now", entry.job.name);
        self.begin(ticket, Asked::Change);
        self.effects.push(Effect::Write(
            Write::SetPriority(id, priority),
            Some(ticket),
        ));
        self.tell(Some(id), EventKind::Setting, text, now);
        self.sort();
        self.give_way();
        Ok(None)
    }

    fn reorder(&mut self, ticket: Ticket, id: JobId, to: Move) -> Answered {
        self.entry(id)?;
        self.begin(ticket, Asked::Reorder);
        self.effects
            .push(Effect::Write(Write::Reorder(id, to), Some(ticket)));
        Ok(None)
    }

    fn set_parallel(
        &mut self,
        ticket: Ticket,
        id: JobId,
        parallel: Parallel,
        now: Now,
    ) -> Answered {
        let entry = self.entry(id)?;
        if entry.job.settings.parallel == parallel {
            return Ok(Some(UNCHANGED));
        }
        entry.job.settings.parallel = parallel;
        entry.settings = std::sync::Arc::new(entry.job.settings.clone());
        let settings = entry.job.settings.clone();
        let text = match parallel {
            Parallel::Auto => format!("the lanes of `{}` are found from now on", entry.job.name),
            Parallel::Fixed(lanes) => format!("`{}` has {lanes} lanes now", entry.job.name),
        };
        self.begin(ticket, Asked::Change);
        self.effects.push(Effect::Write(
            Write::SetSettings(id, settings),
            Some(ticket),
        ));
        self.tell(Some(id), EventKind::Setting, text, now);
        Ok(None)
    }

    fn hold(&mut self, hold: bool) -> Done {
        let changed = self.held != hold;
        self.held = hold;
        Done {
            changed,
            count: self.order.len() as u64,
        }
    }

    fn begin(&mut self, ticket: Ticket, asked: Asked) {
        self.commands.insert(ticket, asked);
    }

    fn entry(&mut self, id: JobId) -> Result<&mut Entry, CommandError> {
        self.jobs.get_mut(&id).ok_or_else(|| no_job(id))
    }
}

/// The reply to give at once, or nothing when it comes with the store's.
type Answered = Result<Option<Done>, CommandError>;

fn no_job(id: JobId) -> CommandError {
    CommandError::new(
        format!("there is no job {id}"),
        "`batchtop jobs` lists them",
    )
}

fn wrong(id: JobId, state: &JobState, verb: &str, hint: &str) -> CommandError {
    CommandError::new(format!("cannot {verb} job {id}: it is {state}"), hint)
}
