//! Which requests formed which conversation, and what was left out of their histories.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::admit::{read_text, whole_body};
use super::claim::Unit;
use super::row::{json, parse, unsigned};
use super::schema::TextCache;
use super::{Reader, StoreError};
use crate::base::Stamp;
use crate::model::{Answer, JobId, RequestId, Tokens, Trim};

/// A conversation as it is remembered.
#[derive(Debug, Clone)]
pub struct Recalled {
    /// Its number among those of its unit, from 1.
    pub number: i64,
    /// What is still in its history, in the order of the file.
    pub exchanges: Vec<RecalledExchange>,
    /// Requests that spoke in it and have not come to their end.
    pub unended: Vec<RequestId>,
    /// Answers since something was last left out of its history.
    pub since_trim: u32,
}

/// A question and its answer, as they are stored.
#[derive(Debug, Clone)]
pub struct RecalledExchange {
    /// The request.
    pub request: RequestId,
    /// Its body as it stood in the file.
    pub body: String,
    /// Its answer.
    pub answer: Answer,
}

/// Trims of one job.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Trims {
    /// How many there were.
    pub count: u64,
    /// The last of them, oldest first.
    pub last: Vec<(Stamp, Trim)>,
}

/// Notes that a request speaks in a conversation.
pub(super) fn speak(
    connection: &Connection,
    unit: Unit,
    request: RequestId,
    number: i64,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO conversation (request, job, model, number)
             VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![request.0, unit.job.0, unit.model, number])?;
    Ok(())
}

/// Notes that a conversation is over.
pub(super) fn end(connection: &Connection, unit: Unit, number: i64) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE conversation SET dropped = 1 WHERE job = ?1 AND model = ?2 AND number = ?3",
        )?
        .execute(params![unit.job.0, unit.model, number])?;
    Ok(())
}

/// Notes a trim, and which exchanges are out of the history from now on.
pub(super) fn trim(
    connection: &Connection,
    job: JobId,
    (at, trim): (Stamp, &Trim),
    dropped: &[RequestId],
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO trim (job, request, at, policy, reason, messages_before, messages_after,
                               tokens_before, tokens_after)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            job.0,
            trim.request.0,
            at.0,
            trim.policy.word(),
            json(&trim.reason)?,
            trim.messages_before,
            trim.messages_after,
            trim.tokens_before.0 as i64,
            trim.tokens_after.0 as i64
        ])?;
    let mut out =
        connection.prepare_cached("UPDATE conversation SET dropped = 1 WHERE request = ?1")?;
    for request in dropped {
        out.execute([request.0])?;
    }
    Ok(())
}

/// The conversations of a unit that are not over and spoke last, at most so many, each with at most
/// so many bytes of its newest exchanges; and the highest number that was given to one.
pub(super) fn recall(
    connection: &Connection,
    texts: &mut TextCache,
    unit: Unit,
    (conversations, bytes): (usize, usize),
) -> rusqlite::Result<(Vec<Recalled>, i64)> {
    let numbers: rusqlite::Result<Vec<i64>> = connection
        .prepare_cached(
            "SELECT number FROM conversation WHERE job = ?1 AND model = ?2 AND dropped = 0
             GROUP BY number ORDER BY max(request) DESC LIMIT ?3",
        )?
        .query_map(
            params![unit.job.0, unit.model, conversations as i64],
            |row| row.get(0),
        )?
        .collect();
    let highest = connection
        .prepare_cached(
            "SELECT coalesce(max(number), 0) FROM conversation WHERE job = ?1 AND model = ?2",
        )?
        .query_row([unit.job.0, unit.model], |row| row.get(0))?;
    let recalled: rusqlite::Result<Vec<Recalled>> = numbers?
        .into_iter()
        .map(|number| {
            Ok(Recalled {
                number,
                exchanges: exchanges(connection, texts, (unit, number), bytes)?,
                unended: unended(connection, unit, number)?,
                since_trim: since_trim(connection, unit, number)?,
            })
        })
        .collect();
    Ok((recalled?, highest))
}

fn unended(connection: &Connection, unit: Unit, number: i64) -> rusqlite::Result<Vec<RequestId>> {
    connection
        .prepare_cached(
            "SELECT c.request FROM conversation c LEFT JOIN outcome o ON o.request = c.request
             WHERE c.job = ?1 AND c.model = ?2 AND c.number = ?3 AND c.dropped = 0
               AND o.request IS NULL ORDER BY c.request",
        )?
        .query_map(params![unit.job.0, unit.model, number], |row| {
            Ok(RequestId(row.get(0)?))
        })?
        .collect()
}

fn since_trim(connection: &Connection, unit: Unit, number: i64) -> rusqlite::Result<u32> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM conversation c JOIN outcome o ON o.request = c.request
             WHERE c.job = ?1 AND c.model = ?2 AND c.number = ?3 AND o.answer IS NOT NULL
               AND c.request >= (
                   SELECT coalesce(max(t.request), 0) FROM conversation k
                   JOIN trim t ON t.request = k.request
                   WHERE k.job = ?1 AND k.model = ?2 AND k.number = ?3)",
        )?
        .query_row(params![unit.job.0, unit.model, number], |row| row.get(0))
}

fn exchanges(
    connection: &Connection,
    texts: &mut TextCache,
    (unit, number): (Unit, i64),
    bytes: usize,
) -> rusqlite::Result<Vec<RecalledExchange>> {
    let mut query = connection.prepare_cached(
        "SELECT c.request, b.rest, b.cuts, o.answer FROM conversation c
         JOIN body b ON b.request = c.request JOIN outcome o ON o.request = c.request
         WHERE c.job = ?1 AND c.model = ?2 AND c.number = ?3 AND c.dropped = 0
           AND o.answer IS NOT NULL ORDER BY c.request DESC",
    )?;
    let mut rows = query.query(params![unit.job.0, unit.model, number])?;
    let (mut newest_first, mut read) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let (rest, answer): (String, String) = (row.get(1)?, row.get(3)?);
        read += rest.len() + answer.len();
        if read > bytes {
            break;
        }
        let cuts: Option<String> = row.get(2)?;
        let body = whole_body(rest, cuts.as_deref(), |number| {
            let job = unit.job.0;
            texts.get((job, number), || read_text(connection, job, number))
        })?;
        newest_first.push(RecalledExchange {
            request: RequestId(row.get(0)?),
            body,
            answer: parse(&answer)?,
        });
    }
    newest_first.reverse();
    Ok(newest_first)
}

impl Reader {
    /// The trims of a job: how many, and the last of them.
    pub fn trims(&self, job: JobId, limit: usize) -> Result<Trims, StoreError> {
        self.read(|connection| {
            if !is_known(connection)? {
                return Ok(Trims::default());
            }
            let count = connection
                .prepare_cached("SELECT count(*) FROM trim WHERE job = ?1")?
                .query_row([job.0], |row| unsigned(row, 0))?;
            let mut query = connection.prepare_cached(
                "SELECT request, policy, reason, messages_before, messages_after, tokens_before,
                        tokens_after, at FROM trim WHERE job = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let rows = query.query_map(params![job.0, limit as i64], |row| {
                Ok((Stamp(row.get(7)?), read_trim(row)?))
            })?;
            let mut last: Vec<(Stamp, Trim)> = rows.collect::<rusqlite::Result<_>>()?;
            last.reverse();
            Ok(Trims { count, last })
        })
    }

    /// The trims before one request, oldest first.
    pub fn trims_before(&self, request: RequestId) -> Result<Vec<Trim>, StoreError> {
        self.read(|connection| {
            if is_known(connection)? {
                of_request(connection, request)
            } else {
                Ok(Vec::new())
            }
        })
    }
}

/// Whether the file is of a format that has trims: a reader does not bring older ones up to date.
pub(super) fn is_known(connection: &Connection) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'trim'",
        )?
        .query_row([], |row| row.get(0))
}

/// The conversation in which a request spoke.
pub(super) fn of(connection: &Connection, request: RequestId) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT number FROM conversation WHERE request = ?1")?
        .query_row([request.0], |row| row.get(0))
        .optional()
}

/// The trims before one request, oldest first.
pub(super) fn of_request(
    connection: &Connection,
    request: RequestId,
) -> rusqlite::Result<Vec<Trim>> {
    connection
        .prepare_cached(
            "SELECT request, policy, reason, messages_before, messages_after, tokens_before,
                    tokens_after FROM trim WHERE request = ?1 ORDER BY id",
        )?
        .query_map([request.0], read_trim)?
        .collect()
}

fn read_trim(row: &Row<'_>) -> rusqlite::Result<Trim> {
    let policy: String = row.get(1)?;
    Ok(Trim {
        request: RequestId(row.get(0)?),
        policy: policy.parse().unwrap_or_default(),
        reason: parse(&row.get::<_, String>(2)?)?,
        messages_before: row.get(3)?,
        messages_after: row.get(4)?,
        tokens_before: Tokens(unsigned(row, 5)?),
        tokens_after: Tokens(unsigned(row, 6)?),
    })
}
