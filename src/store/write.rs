//! The closed list of what can be written, and what comes of it.

use rusqlite::Transaction;

use super::admit::{self, Chunk, NewJob};
use super::claim::{self, Claimed, Unit};
use super::conversation::{self, Recalled};
use super::schema::TextCache;
use super::totals::Totals;
use super::{
    JobReadings, Record, Store, StoreError, account, failed, jobs, measurement, profile, readings,
    row, save,
};
use crate::base::Stamp;
use crate::context::Profile;
use crate::model::{
    Energy, Event, FailureClass, Job, JobId, JobSettings, JobState, Measurement, Move, RanOn,
    RequestId, Source, Trim, WhichFailures,
};

/// One thing to write.
#[derive(Debug)]
pub enum Write {
    /// Make a job that is about to be read.
    OpenJob(NewJob),
    /// Add requests to it.
    Admit(JobId, Chunk),
    /// It is read to its end: queue it.
    CloseJob(JobId, Source),
    /// Take requests of a unit: at most so many, of about so many bytes.
    Claim(Unit, usize, usize),
    /// What became of a claimed request.
    Save(Record),
    /// A request speaks in the conversation of its unit with this number.
    Speak(Unit, RequestId, i64),
    /// A conversation of a unit is over: nothing of it is remembered any more.
    EndConversation(Unit, i64),
    /// Something was left out of a prompt; the exchanges of these requests are out of the history.
    Trim(JobId, Stamp, Trim, Vec<RequestId>),
    /// Remember the conversations of a unit: at most so many, each of at most so many bytes.
    Recall(Unit, usize, usize),
    /// Move a job to another state.
    SetState(JobId, JobState, Stamp),
    /// Change a job's settings.
    SetSettings(JobId, JobSettings),
    /// Change a job's priority.
    SetPriority(JobId, i32),
    /// Change a job's place in the queue.
    Reorder(JobId, Move),
    /// Put failed requests back.
    Retry(JobId, WhichFailures),
    /// Forget a job.
    Remove(JobId),
    /// Note what happened.
    Log(Event),
    /// Add to the energy of a job.
    Energy(JobId, Energy),
    /// Keep what cards and server said while a job ran.
    Readings(Box<JobReadings>),
    /// Keep what was learnt about a model.
    Learn(Box<Profile>),
    /// Forget what was learnt about the model of this name, or about all.
    Forget(Option<String>),
    /// Keep what a server was measured to do.
    Measure(Box<Measurement>),
    /// Note what a job runs on from now on.
    RanOn(JobId, Stamp, Box<RanOn>),
}

impl Write {
    /// Whether it reads or moves jobs as a whole, so that their counts must be up to date.
    const fn looks_at_jobs(&self) -> bool {
        !matches!(self, Self::Claim(..) | Self::Save(_) | Self::Log(_))
    }
}

/// What came of one [`Write`], once it is on disk.
#[derive(Debug)]
pub enum Written {
    /// The job as it is now.
    Job(Box<Job>),
    /// Requests that were claimed, and whether the unit has no more.
    Claimed {
        /// Of which unit.
        unit: Unit,
        /// The requests in the order to send them.
        requests: Vec<Claimed>,
        /// No more are queued.
        exhausted: bool,
    },
    /// A record: `moved` is false when it changed nothing because the request had moved on.
    Saved {
        /// Which request.
        request: RequestId,
        /// Whether the request was still claimed.
        moved: bool,
    },
    /// Conversations of a unit.
    Recalled {
        /// Of which unit.
        unit: Unit,
        /// Those that spoke last, the last one first.
        conversations: Vec<Recalled>,
        /// The highest number that was given to one.
        highest: i64,
    },
    /// So many requests went back.
    Retried {
        /// How many.
        count: u64,
        /// What is left of the job's failures, by class.
        failed: Vec<(FailureClass, u64)>,
        /// The job as it is now.
        job: Box<Job>,
    },
    /// All jobs in their new order.
    Reordered {
        /// Whether anything moved.
        changed: bool,
        /// The jobs.
        jobs: Vec<Job>,
    },
    /// So many profiles are forgotten.
    Forgotten(u64),
    /// There is no such job.
    NoJob(JobId),
    /// Done; there is nothing to tell.
    Nothing,
}

impl Store {
    /// Puts in order what an owner that died left behind. Returns how many requests went back to
    /// the queue.
    pub fn recover(&mut self) -> Result<u64, StoreError> {
        self.group(&["recover"], |transaction, _| jobs::recover(transaction))
    }

    /// All jobs in the order in which they run.
    pub fn jobs(&self) -> Result<Vec<Job>, StoreError> {
        row::jobs(&self.connection).map_err(|error| StoreError::from_sqlite(&error, &self.path))
    }

    /// Writes all of `writes` in one commit, or none of them.
    pub fn apply(&mut self, writes: &[Write]) -> Result<Vec<Written>, StoreError> {
        let kinds: Vec<&str> = writes.iter().map(Write::kind).collect();
        self.group(&kinds, |transaction, texts| {
            let mut totals = Totals::default();
            let mut written = Vec::with_capacity(writes.len());
            for write in writes {
                if write.looks_at_jobs() {
                    totals.write(transaction)?;
                }
                written.push(apply(transaction, texts, &mut totals, write)?);
            }
            totals.write(transaction)?;
            Ok(written)
        })
    }
}

fn apply(
    transaction: &Transaction<'_>,
    texts: &mut TextCache,
    totals: &mut Totals,
    write: &Write,
) -> rusqlite::Result<Written> {
    match write {
        Write::OpenJob(job) => {
            let id = admit::open_job(transaction, job)?;
            row::job_by_id(transaction, id).map(|job| found(id, job))
        }
        Write::Admit(job, chunk) => nothing(admit::write(transaction, *job, chunk)),
        Write::CloseJob(job, source) => {
            jobs::close(transaction, *job, source).map(|now| found(*job, now))
        }
        Write::Claim(unit, limit, bytes) => claimed(transaction, texts, *unit, (*limit, *bytes)),
        Write::Save(record) => saved(transaction, totals, record),
        Write::Speak(unit, request, number) => {
            nothing(conversation::speak(transaction, *unit, *request, *number))
        }
        Write::EndConversation(unit, number) => {
            nothing(conversation::end(transaction, *unit, *number))
        }
        Write::Trim(job, at, trim, dropped) => {
            nothing(conversation::trim(transaction, *job, (*at, trim), dropped))
        }
        Write::Recall(unit, conversations, bytes) => {
            recalled(transaction, texts, *unit, (*conversations, *bytes))
        }
        Write::SetState(job, state, at) => {
            jobs::set_state(transaction, *job, state, *at).map(|now| found(*job, now))
        }
        Write::SetSettings(job, settings) => {
            jobs::set_settings(transaction, *job, settings).map(|now| found(*job, now))
        }
        Write::SetPriority(job, priority) => {
            jobs::set_priority(transaction, *job, *priority).map(|now| found(*job, now))
        }
        Write::Reorder(job, to) => {
            let changed = jobs::reorder(transaction, *job, *to)?;
            Ok(Written::Reordered {
                changed,
                jobs: row::jobs(transaction)?,
            })
        }
        Write::Retry(job, which) => retried(transaction, *job, which),
        Write::Remove(job) => jobs::remove(transaction, *job).map(|gone| {
            if gone {
                Written::Nothing
            } else {
                Written::NoJob(*job)
            }
        }),
        Write::Log(event) => nothing(jobs::log(transaction, event)),
        Write::Energy(job, energy) => nothing(readings::add_energy(transaction, *job, *energy)),
        Write::Readings(kept) => nothing(readings::keep(transaction, kept)),
        Write::Learn(learnt) => nothing(profile::learn(transaction, learnt)),
        Write::Forget(model) => {
            profile::forget(transaction, model.as_deref()).map(Written::Forgotten)
        }
        Write::Measure(kept) => nothing(measurement::keep(transaction, kept)),
        Write::RanOn(job, at, told) => nothing(account::note(transaction, *job, *at, told)),
    }
}

fn saved(
    transaction: &Transaction<'_>,
    totals: &mut Totals,
    record: &Record,
) -> rusqlite::Result<Written> {
    let moved = save::save(transaction, totals, record)?;
    Ok(Written::Saved {
        request: record.request(),
        moved,
    })
}

fn retried(
    transaction: &Transaction<'_>,
    job: JobId,
    which: &WhichFailures,
) -> rusqlite::Result<Written> {
    let (count, now) = jobs::retry(transaction, job, which)?;
    let failed = failed::of_job(transaction, job)?;
    Ok(now.map_or(Written::NoJob(job), |now| Written::Retried {
        count,
        failed,
        job: Box::new(now),
    }))
}

fn claimed(
    transaction: &Transaction<'_>,
    texts: &mut TextCache,
    unit: Unit,
    limits: (usize, usize),
) -> rusqlite::Result<Written> {
    let (requests, exhausted) = claim::claim(transaction, texts, unit, limits)?;
    Ok(Written::Claimed {
        unit,
        requests,
        exhausted,
    })
}

fn recalled(
    transaction: &Transaction<'_>,
    texts: &mut TextCache,
    unit: Unit,
    limits: (usize, usize),
) -> rusqlite::Result<Written> {
    let (conversations, highest) = conversation::recall(transaction, texts, unit, limits)?;
    Ok(Written::Recalled {
        unit,
        conversations,
        highest,
    })
}

fn found(id: JobId, job: Option<Job>) -> Written {
    job.map_or(Written::NoJob(id), |job| Written::Job(Box::new(job)))
}

fn nothing(done: rusqlite::Result<()>) -> rusqlite::Result<Written> {
    done.map(|()| Written::Nothing)
}
