//! Taking requests out of the queue, a few at a time, in the order that keeps prefixes warm.

use std::sync::Arc;

use rusqlite::{Connection, params};

use super::admit::{read_text, whole_body};
use super::row::attempts;
use super::schema::TextCache;
use crate::model::{Attempts, Endpoint, JobId, Prompt, RequestId, RequestState};

/// What is run as one: the requests of a job that name the same model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// The job.
    pub job: JobId,
    /// The model, by its place in the job's list.
    pub model: i64,
}

/// A request taken from the queue. Its attempt is already counted on disk.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// Its row.
    pub id: RequestId,
    /// The unit it was taken from.
    pub unit: Unit,
    /// The user's name for it.
    pub custom_id: Arc<str>,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// The body as it stood in the file.
    pub body: Arc<str>,
    /// Its prompt; `None` where it was put in the queue by a program that did not note it.
    pub prompt: Option<Prompt>,
    /// How often it was tried, the coming attempt included.
    pub attempts: Attempts,
}

/// Claims up to `limit` requests of `unit` with bodies of about `max_bytes` together, at least
/// one. Fewer than `limit` and below `max_bytes` means that no more are queued.
pub(super) fn claim(
    connection: &Connection,
    texts: &mut TextCache,
    unit: Unit,
    (limit, max_bytes): (usize, usize),
) -> rusqlite::Result<(Vec<Claimed>, bool)> {
    let mut query = connection.prepare_cached(
        "SELECT r.id, r.custom_id, b.rest, b.cuts, r.sent, r.counted, r.crashes, j.endpoint,
                b.prompt, b.lead, b.prefix
         FROM request r JOIN body b ON b.request = r.id JOIN job j ON j.id = r.job
         WHERE r.job = ?1 AND r.model = ?2 AND r.state = 0
         ORDER BY r.prefix, r.seq LIMIT ?3",
    )?;
    let mut rows = query.query(params![unit.job.0, unit.model, limit as i64])?;
    let mut claimed = Vec::new();
    let mut bytes = 0;
    let mut exhausted = true;
    while let Some(row) = rows.next()? {
        if bytes >= max_bytes {
            exhausted = false;
            break;
        }
        let request = read(connection, texts, unit, row)?;
        bytes += request.body.len();
        claimed.push(request);
    }
    exhausted &= claimed.len() < limit;
    drop(rows);
    for request in &claimed {
        mark(connection, request.id)?;
    }
    Ok((claimed, exhausted))
}

fn read(
    connection: &Connection,
    texts: &mut TextCache,
    unit: Unit,
    row: &rusqlite::Row<'_>,
) -> rusqlite::Result<Claimed> {
    let cuts: Option<String> = row.get(3)?;
    let body = whole_body(row.get(2)?, cuts.as_deref(), |number| {
        texts.get((unit.job.0, number), || {
            read_text(connection, unit.job.0, number)
        })
    })?;
    let endpoint: Option<String> = row.get(7)?;
    let mut tried = attempts(row, 4)?;
    tried.sent += 1;
    Ok(Claimed {
        id: RequestId(row.get(0)?),
        unit,
        custom_id: row.get::<_, Option<String>>(1)?.unwrap_or_default().into(),
        endpoint: endpoint
            .and_then(|url| Endpoint::from_url(&url))
            .unwrap_or(Endpoint::Chat),
        body: body.into(),
        prompt: prompt(row)?,
        attempts: tried,
    })
}

fn prompt(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Prompt>> {
    let [bytes, lead, prefix]: [Option<i64>; 3] = [row.get(8)?, row.get(9)?, row.get(10)?];
    let known = bytes.zip(lead).zip(prefix);
    Ok(known.map(|((bytes, lead), prefix)| Prompt {
        bytes: bytes as u64,
        lead: lead as u64,
        prefix: prefix as u64,
    }))
}

fn mark(connection: &Connection, id: RequestId) -> rusqlite::Result<()> {
    let (from, to) = (RequestState::Queued.code(), RequestState::Claimed.code());
    connection
        .prepare_cached(
            "UPDATE request SET state = ?3, sent = sent + 1 WHERE id = ?1 AND state = ?2",
        )?
        .execute([id.0, from, to])?;
    Ok(())
}
