//! How a claimed request goes on: an answer, a failure, another try, or back to the queue. Each is
//! one conditional update, so that a late duplicate changes nothing.

use rusqlite::{Connection, params};

use super::profile;
use super::row::json;
use crate::base::Stamp;
use crate::model::{Answer, Attempts, Failure, JobId, RequestId, RequestState, Tokens};

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

/// Writes one record; false when the request was no longer claimed and nothing changed.
pub(super) fn save(connection: &Connection, record: &Record) -> rusqlite::Result<bool> {
    match record {
        Record::Answered {
            job,
            request,
            answer,
            at,
        } => answered(connection, (*job, *request), answer, *at),
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
    (job, request): (JobId, RequestId),
    answer: &Answer,
    at: Stamp,
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
    connection
        .prepare_cached(
            "INSERT INTO outcome (request, at, answer, prompt_tokens, answer_tokens, wall_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            request.0,
            at.0,
            json(answer)?,
            answer.usage.prompt.map(|tokens| tokens.0 as i64),
            answer.usage.answer.map(|tokens| tokens.0 as i64),
            answer.timings.wall.as_millis() as i64
        ])?;
    let tokens = |count: Option<Tokens>| count.unwrap_or_default().0 as i64;
    connection
        .prepare_cached(
            "UPDATE job SET done = done + 1, cut = cut + ?2, prompt_tokens = prompt_tokens + ?3,
                    answer_tokens = answer_tokens + ?4 WHERE id = ?1",
        )?
        .execute([
            job.0,
            i64::from(answer.finish.is_cut()),
            tokens(answer.usage.prompt),
            tokens(answer.usage.answer),
        ])?;
    profile::add_reuse(connection, (job, request.0), answer)?;
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
