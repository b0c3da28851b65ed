//! Between columns and types.

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::readings;
use crate::base::Stamp;
use crate::model::{Attempts, Counts, Endpoint, Job, JobId, JobState, Tokens};

/// The columns that [`job`] reads, in its order.
pub(super) const JOB_COLUMNS: &str = "id, name, state, why, priority, position, settings, source, \
     total, done, failed, cut, prompt_tokens, answer_tokens, created, started, finished, endpoint, joules, \
     joules_estimated";

/// A value as JSON text for a column.
pub(super) fn json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// A value from the JSON text of a column.
pub(super) fn parse<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, Type::Text, Box::new(error)))
}

/// A count or number of tokens; the database never holds negative ones.
pub(super) fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column)
        .map(|number| u64::try_from(number).unwrap_or(0))
}

/// The attempts in three columns from `first` on.
pub(super) fn attempts(row: &Row<'_>, first: usize) -> rusqlite::Result<Attempts> {
    Ok(Attempts {
        sent: row.get(first)?,
        counted: row.get(first + 1)?,
        crashes: row.get(first + 2)?,
    })
}

/// A job from the columns of [`JOB_COLUMNS`].
pub(super) fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let (word, why) = (row.get::<_, String>(2)?, row.get(3)?);
    let unknown = || rusqlite::Error::InvalidColumnType(2, word.clone(), Type::Text);
    Ok(Job {
        id: JobId(row.get(0)?),
        name: row.get(1)?,
        state: JobState::from_parts(&word, why).ok_or_else(unknown)?,
        priority: row.get(4)?,
        position: row.get(5)?,
        settings: parse(&row.get::<_, String>(6)?)?,
        source: parse(&row.get::<_, String>(7)?)?,
        endpoint: row
            .get::<_, Option<String>>(17)?
            .and_then(|url| Endpoint::from_url(&url)),
        models: Vec::new(),
        counts: Counts {
            total: unsigned(row, 8)?,
            done: unsigned(row, 9)?,
            failed: unsigned(row, 10)?,
            cut: unsigned(row, 11)?,
            prompt_tokens: Tokens(unsigned(row, 12)?),
            answer_tokens: Tokens(unsigned(row, 13)?),
        },
        energy: readings::energy(row, 18)?,
        created: Stamp(row.get(14)?),
        started: row.get::<_, Option<i64>>(15)?.map(Stamp),
        finished: row.get::<_, Option<i64>>(16)?.map(Stamp),
    })
}

/// All jobs in the order in which they run.
pub(super) fn jobs(connection: &Connection) -> rusqlite::Result<Vec<Job>> {
    let sql = format!("SELECT {JOB_COLUMNS} FROM job ORDER BY priority DESC, position, id");
    let rows: rusqlite::Result<Vec<Job>> = connection
        .prepare_cached(&sql)?
        .query_map([], job)?
        .collect();
    rows?
        .into_iter()
        .map(|job| with_models(connection, job))
        .collect()
}

/// The job with this number, if there is one.
pub(super) fn job_by_id(connection: &Connection, id: JobId) -> rusqlite::Result<Option<Job>> {
    let sql = format!("SELECT {JOB_COLUMNS} FROM job WHERE id = ?1");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([id.0], job)
        .optional()?;
    found.map(|job| with_models(connection, job)).transpose()
}

fn with_models(connection: &Connection, mut job: Job) -> rusqlite::Result<Job> {
    job.models = connection
        .prepare_cached("SELECT name FROM job_model WHERE job = ?1 ORDER BY ordinal")?
        .query_map([job.id.0], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(job)
}
