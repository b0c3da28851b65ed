//! Energy and readings that are kept with a job. A night stays small: at most some thousand rows
//! for a job, however long it runs.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::row::{json, parse, unsigned};
use super::{Reader, StoreError};
use crate::base::Stamp;
use crate::model::{Energy, JobId};

/// Readings kept of a job at most. With one every ten seconds that is half a day; beyond that
/// every second one goes.
const MOST: i64 = 4_096;

/// What cards and server said at one moment while a job ran.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobReadings {
    /// Which job.
    pub job: JobId,
    /// When, by the wall clock, which may jump.
    pub at: Stamp,
    /// Requests in flight.
    pub lanes: u32,
    /// Bytes of all models in the server's memory, as it reports.
    pub server_size: Option<u64>,
    /// Those of them on cards.
    pub server_size_vram: Option<u64>,
    /// Requests that reached their end, a second, over the last minute.
    pub requests_per_second: Option<f64>,
    /// Tokens generated, a second, over the last minute.
    pub answer_tokens_per_second: Option<f64>,
    /// The cards.
    pub cards: Vec<CardPoint>,
}

/// A card at one moment. What could not be read is `None`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct CardPoint {
    /// What identifies it ([`crate::model::Card::id`]).
    pub id: String,
    /// Its name: outside text.
    pub name: String,
    /// Memory that programs used, in bytes.
    pub memory_used: Option<u64>,
    /// All of its memory, in bytes.
    pub memory_total: Option<u64>,
    /// How busy it was, in per cent.
    pub busy_percent: Option<u32>,
    /// Its temperature in °C.
    pub celsius: Option<i32>,
    /// The power it drew, in watts.
    pub watts: Option<f64>,
}

/// Adds energy to what a job has used. A job that is gone stays gone.
pub(super) fn add_energy(
    connection: &Connection,
    job: JobId,
    energy: Energy,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "UPDATE job SET joules = coalesce(joules, 0.0) + ?2,
                    joules_estimated = coalesce(joules_estimated, 0.0) + ?3 WHERE id = ?1",
        )?
        .execute(params![job.0, energy.joules, energy.estimated])?;
    Ok(())
}

/// Keeps readings, unless they follow the last ones too closely or the job is gone.
pub(super) fn keep(connection: &Connection, readings: &JobReadings) -> rusqlite::Result<()> {
    let job = readings.job.0;
    let found = connection
        .prepare_cached(
            "SELECT readings, readings_step,
                    (SELECT at FROM reading WHERE job = ?1 ORDER BY id DESC LIMIT 1)
             FROM job WHERE id = ?1",
        )?
        .query_row([job], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((count, step, last)): Option<(i64, i64, Option<i64>)> = found else {
        return Ok(());
    };
    // A clock that was set back makes no gap.
    let passed = last.map(|last| readings.at.0.saturating_sub(last));
    if passed.is_some_and(|passed| (0..step).contains(&passed)) {
        return Ok(());
    }
    insert(connection, readings)?;
    if count < MOST {
        connection
            .prepare_cached("UPDATE job SET readings = readings + 1 WHERE id = ?1")?
            .execute([job])?;
        return Ok(());
    }
    thin(connection, job)
}

fn insert(connection: &Connection, readings: &JobReadings) -> rusqlite::Result<()> {
    let bytes = |bytes: Option<u64>| bytes.and_then(|bytes| i64::try_from(bytes).ok());
    connection
        .prepare_cached(
            "INSERT INTO reading (job, at, lanes, server_size, server_size_vram,
                    requests_per_second, answer_tokens_per_second, cards)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            readings.job.0,
            readings.at.0,
            readings.lanes,
            bytes(readings.server_size),
            bytes(readings.server_size_vram),
            readings.requests_per_second,
            readings.answer_tokens_per_second,
            json(&readings.cards)?
        ])?;
    Ok(())
}

/// Removes every second reading of a job and doubles the time between them.
fn thin(connection: &Connection, job: i64) -> rusqlite::Result<()> {
    connection.execute(
        "DELETE FROM reading WHERE id IN (
             SELECT id FROM (SELECT id, row_number() OVER (ORDER BY id) AS place
                             FROM reading WHERE job = ?1) WHERE place % 2 = 0)",
        [job],
    )?;
    connection.execute(
        "UPDATE job SET readings_step = min(readings_step * 2, 86400000),
                readings = (SELECT count(*) FROM reading WHERE job = ?1) WHERE id = ?1",
        [job],
    )?;
    Ok(())
}

impl Reader {
    /// What cards and server said while a job ran, oldest first; at most some thousand, evenly
    /// spread over the time in which it ran.
    pub fn readings(&self, job: JobId) -> Result<Vec<JobReadings>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT job, at, lanes, server_size, server_size_vram, requests_per_second,
                        answer_tokens_per_second, cards
                 FROM reading WHERE job = ?1 ORDER BY id",
            )?;
            let rows = query.query_map([job.0], readings)?;
            rows.collect()
        })
    }
}

fn readings(row: &Row<'_>) -> rusqlite::Result<JobReadings> {
    let bytes = |column| {
        let bytes: Option<i64> = row.get(column)?;
        Ok::<_, rusqlite::Error>(bytes.and_then(|bytes| u64::try_from(bytes).ok()))
    };
    Ok(JobReadings {
        job: JobId(row.get(0)?),
        at: Stamp(row.get(1)?),
        lanes: u32::try_from(unsigned(row, 2)?).unwrap_or(u32::MAX),
        server_size: bytes(3)?,
        server_size_vram: bytes(4)?,
        requests_per_second: row.get(5)?,
        answer_tokens_per_second: row.get(6)?,
        cards: parse(&row.get::<_, String>(7)?)?,
    })
}

/// The energy in two columns from `first` on.
pub(super) fn energy(row: &Row<'_>, first: usize) -> rusqlite::Result<Option<Energy>> {
    let joules: Option<f64> = row.get(first)?;
    let estimated: Option<f64> = row.get(first + 1)?;
    Ok(joules.map(|joules| Energy {
        joules,
        estimated: estimated.unwrap_or_default(),
    }))
}

#[cfg(test)]
#[path = "readings_tests.rs"]
mod tests;
