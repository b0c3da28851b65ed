//! What happens to whole jobs.

use rusqlite::{Connection, OptionalExtension, params};

use super::row::{job_by_id, json};
use crate::base::Stamp;
use crate::model::{
    Event, FailureClass, Job, JobId, JobSettings, JobState, Move, RequestState, Source,
    WhichFailures,
};

/// After a start: what an owner that died left behind. Claimed requests are queued again (their
/// attempt stays counted), jobs that ran are queued, jobs that were still being read are dropped.
pub(super) fn recover(connection: &Connection) -> rusqlite::Result<u64> {
    connection.execute("DELETE FROM job WHERE state = 'reading'", [])?;
    connection.execute(
        "UPDATE job SET state = 'queued' WHERE state IN ('running', 'finishing')",
        [],
    )?;
    let (from, to) = (RequestState::Claimed.code(), RequestState::Queued.code());
    // The literal lets SQLite use the partial index of claimed requests.
    let requeued = connection.execute(
        &format!("UPDATE request SET state = {to} WHERE state = {from}"),
        [],
    )?;
    Ok(requeued as u64)
}

pub(super) fn close(
    connection: &Connection,
    job: JobId,
    source: &Source,
) -> rusqlite::Result<Option<Job>> {
    connection.execute(
        "UPDATE job SET state = 'queued', source = ?2 WHERE id = ?1 AND state = 'reading'",
        params![job.0, json(source)?],
    )?;
    job_by_id(connection, job)
}

pub(super) fn set_state(
    connection: &Connection,
    job: JobId,
    state: &JobState,
    at: Stamp,
) -> rusqlite::Result<Option<Job>> {
    let started = matches!(state, JobState::Running).then_some(at.0);
    let finished = state.is_over().then_some(at.0);
    connection
        .prepare_cached(
            "UPDATE job SET state = ?2, why = ?3, started = coalesce(started, ?4), finished = ?5
             WHERE id = ?1",
        )?
        .execute(params![job.0, state.word(), state.why(), started, finished])?;
    job_by_id(connection, job)
}

pub(super) fn set_settings(
    connection: &Connection,
    job: JobId,
    settings: &JobSettings,
) -> rusqlite::Result<Option<Job>> {
    connection.execute(
        "UPDATE job SET settings = ?2 WHERE id = ?1",
        params![job.0, json(settings)?],
    )?;
    job_by_id(connection, job)
}

pub(super) fn set_priority(
    connection: &Connection,
    job: JobId,
    priority: i32,
) -> rusqlite::Result<Option<Job>> {
    connection.execute(
        "UPDATE job SET priority = ?2 WHERE id = ?1",
        params![job.0, priority],
    )?;
    job_by_id(connection, job)
}

/// Changes places with the next unfinished job of the same priority in that direction.
pub(super) fn reorder(connection: &Connection, job: JobId, to: Move) -> rusqlite::Result<bool> {
    let (before, order) = match to {
        Move::Up => ("<", "DESC"),
        Move::Down => (">", "ASC"),
    };
    let neighbour = connection
        .query_row(
            &format!(
                "SELECT other.id, other.position, mine.position FROM job mine JOIN job other
                   ON other.priority = mine.priority AND other.position {before} mine.position
                  AND other.state NOT IN ('done', 'cancelled', 'reading')
                 WHERE mine.id = ?1 ORDER BY other.position {order} LIMIT 1"
            ),
            [job.0],
            |row| {
                Ok((
                    row.get::<_, i64>(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                ))
            },
        )
        .optional()?;
    let Some((other, theirs, mine)) = neighbour else {
        return Ok(false);
    };
    let place = "UPDATE job SET position = ?2 WHERE id = ?1";
    connection.execute(place, [other, mine])?;
    connection.execute(place, [job.0, theirs])?;
    Ok(true)
}

/// Puts failed requests back in the queue with fresh counts of tries. Lines that never were valid
/// requests stay failed: there is nothing to send.
pub(super) fn retry(
    connection: &Connection,
    job: JobId,
    which: &WhichFailures,
) -> rusqlite::Result<(u64, Option<Job>)> {
    let (class, pattern, requests) = match which {
        WhichFailures::All => (None, None, None),
        WhichFailures::Class(class) => (Some(class.name()), None, None),
        WhichFailures::Alike(pattern) => (None, Some(pattern), None),
        WhichFailures::Requests(requests) => (None, None, Some(json(requests)?)),
    };
    connection.execute_batch(
        "CREATE TEMP TABLE IF NOT EXISTS again (id INTEGER PRIMARY KEY); DELETE FROM temp.again;",
    )?;
    connection.execute(
        "INSERT INTO temp.again SELECT r.id FROM request r JOIN outcome o ON o.request = r.id
         WHERE r.job = ?1 AND r.state = 3 AND o.class <> ?2
           AND (?3 IS NULL OR o.class = ?3) AND (?4 IS NULL OR o.pattern = ?4)
           AND (?5 IS NULL OR r.id IN (SELECT value FROM json_each(?5)))",
        params![
            job.0,
            FailureClass::InvalidRequest.name(),
            class,
            pattern,
            requests
        ],
    )?;
    super::failed::forget(connection, job)?;
    connection.execute(
        "DELETE FROM outcome WHERE request IN (SELECT id FROM temp.again)",
        [],
    )?;
    let count = connection.execute(
        "UPDATE request SET state = 0, counted = 0, crashes = 0
         WHERE id IN (SELECT id FROM temp.again)",
        [],
    )?;
    if count > 0 {
        // In one statement, so that no death in between leaves a finished job with work.
        connection.execute(
            "UPDATE job SET failed = failed - ?2,
                    finished = CASE state WHEN 'done' THEN NULL ELSE finished END,
                    state = CASE state WHEN 'done' THEN 'queued' ELSE state END WHERE id = ?1",
            params![job.0, count as i64],
        )?;
    }
    Ok((count as u64, job_by_id(connection, job)?))
}

/// Forgets a job and everything that belongs to it.
pub(super) fn remove(connection: &Connection, job: JobId) -> rusqlite::Result<bool> {
    Ok(connection.execute("DELETE FROM job WHERE id = ?1", [job.0])? > 0)
}

pub(super) fn log(connection: &Connection, event: &Event) -> rusqlite::Result<()> {
    connection
        .prepare_cached("INSERT INTO event (job, at, kind, text) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            event.job.map(|job| job.0),
            event.at.0,
            event.kind.word(),
            event.text
        ])?;
    Ok(())
}
