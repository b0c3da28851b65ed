//! How a claimed request goes on: an answer, a failure, another try, or back to the queue. Each is
//! one conditional update, so that a late duplicate changes nothing.

use rusqlite::{Connection, params};

use super::row::json;
use super::totals::Totals;
use crate::base::Stamp;
use crate::model::{Answer, Attempts, Failure, JobId, RequestId, RequestState, Reuse};

/// What became of a claimed request.
#[derive(Debug)]
pub enum Record {
    /// It has an answer.
    Answered {
        /// Of which job.
        job: JobId,
        /// Which request.
        request: RequestId,
        /// The answer.
        answer: Box<Answer>,
        /// When it came.
        at: Stamp,
    },
    /// It failed for good.
    Failed {
        /// Of which job.
        job: JobId,
        /// Which request.
        request: RequestId,
        /// Why.
        failure: Failure,
        /// When.
        at: Stamp,
        /// How often it was tried.
        attempts: Attempts,
    },
    /// It failed and stays claimed to be tried again; `attempts` counts the coming one.
    Again {
        /// Which request.
        request: RequestId,
        /// What the last attempt met, where that counts.
        failure: Option<Failure>,
        /// When.
        at: Stamp,
        /// How often it was tried, the coming attempt included.
        attempts: Attempts,
    },
    /// It goes back to the queue.
    Released {
        /// Which request.
        request: RequestId,
        /// How often it was really sent.
        attempts: Attempts,
    },
}

impl Record {
    /// The request it is about.
    pub const fn request(&self) -> RequestId {
        match self {
            Self::Answered { request, .. }
            | Self::Failed { request, .. }
            | Self::Again { request, .. }
            | Self::Released { request, .. } => *request,
        }
    }
}

/// Writes one record; false when the request was no longer claimed and nothing changed. What an
/// answer adds to its job goes to `totals`.
pub(super) fn save(
    connection: &Connection,
    totals: &mut Totals,
    record: &Record,
) -> rusqlite::Result<bool> {
    match record {
        Record::Answered {
            job,
            request,
            answer,
            at,
        } => answered(connection, totals, (*job, *request), (answer, *at)),
        Record::Failed {
            job,
            request,
            failure,
            at,
            attempts,
        } => {
            log_attempt(connection, *request, failure, (*at, attempts.sent))?;
            let moved = update(connection, *request, RequestState::Failed, *attempts)?;
            if moved {
                insert_failure(connection, (*job, *request), failure, *at)?;
                connection
                    .prepare_cached("UPDATE job SET failed = failed + 1 WHERE id = ?1")?
                    .execute([job.0])?;
            }
            Ok(moved)
        }
        Record::Again {
            request,
            failure,
            at,
            attempts,
        } => {
            if let Some(failure) = failure {
                log_attempt(connection, *request, failure, (*at, attempts.sent - 1))?;
            }
            update(connection, *request, RequestState::Claimed, *attempts)
        }
        Record::Released { request, attempts } => {
            update(connection, *request, RequestState::Queued, *attempts)
        }
    }
}

fn answered(
    connection: &Connection,
    totals: &mut Totals,
    (job, request): (JobId, RequestId),
    (answer, at): (&Answer, Stamp),
) -> rusqlite::Result<bool> {
    let moved = connection
        .prepare_cached("UPDATE request SET state = ?2 WHERE id = ?1 AND state = ?3")?
        .execute([
            request.0,
            RequestState::Done.code(),
            RequestState::Claimed.code(),
        ])?;
    if moved == 0 {
        return Ok(false);
    }
    let reuse = Reuse::of(&answer.usage, &answer.timings);
    connection
        .prepare_cached(
            "INSERT INTO outcome (request, at, answer, prompt_tokens, answer_tokens, wall_ms,
                    reused_tokens)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            request.0,
            at.0,
            json(answer)?,
            answer.usage.prompt.map(|tokens| tokens.0 as i64),
            answer.usage.answer.map(|tokens| tokens.0 as i64),
            answer.timings.wall.as_millis() as i64,
            reuse.as_ref().map(|one| one.reused.0 as i64)
        ])?;
    totals.add(job, answer, reuse.as_ref());
    Ok(true)
}

/// Stores a final failure beside its request, and counts it by its class.
pub(super) fn insert_failure(
    connection: &Connection,
    (job, request): (JobId, RequestId),
    failure: &Failure,
    at: Stamp,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO outcome (request, at, class, pattern, failure) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            request.0,
            at.0,
            failure.class.name(),
            failure.pattern(),
            json(failure)?
        ])?;
    super::failed::add(connection, job, failure.class)
}

/// Moves a claimed request on, or keeps it claimed, with its new counts of attempts.
fn update(
    connection: &Connection,
    request: RequestId,
    to: RequestState,
    attempts: Attempts,
) -> rusqlite::Result<bool> {
    let from = RequestState::Claimed;
    debug_assert!(to == from || from.may_become(to));
    let changed = connection
        .prepare_cached(
            "UPDATE request SET state = ?2, sent = ?3, counted = ?4, crashes = ?5
             WHERE id = ?1 AND state = ?6",
        )?
        .execute(params![
            request.0,
            to.code(),
            attempts.sent,
            attempts.counted,
            attempts.crashes,
            from.code()
        ])?;
    Ok(changed > 0)
}

fn log_attempt(
    connection: &Connection,
    request: RequestId,
    failure: &Failure,
    (at, number): (Stamp, u32),
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO attempt (request, number, at, failure) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![request.0, number, at.0, json(failure)?])?;
    Ok(())
}
