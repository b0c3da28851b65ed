//! How many requests of a job have failed with which class: kept beside the failures, never
//! counted.

use rusqlite::{Connection, params};

use super::row::unsigned;
use super::{Store, StoreError};
use crate::model::{FailedCount, FailureClass, JobId};

impl Store {
    /// The failed requests of all jobs by class.
    pub fn failed(&self) -> Result<Vec<FailedCount>, StoreError> {
        all(&self.connection).map_err(|error| StoreError::from_sqlite(&error, &self.path))
    }
}

fn all(connection: &Connection) -> rusqlite::Result<Vec<FailedCount>> {
    connection
        .prepare_cached("SELECT job, class, count FROM failed_class WHERE count > 0")?
        .query_map([], |row| {
            let class = FailureClass::from_name(&row.get::<_, String>(1)?);
            Ok((JobId(row.get(0)?), class, unsigned(row, 2)?))
        })?
        // A class that a newer version wrote has no name here.
        .filter_map(|row| match row {
            Ok((job, Some(class), count)) => Some(Ok(FailedCount { job, class, count })),
            Ok((_, None, _)) => None,
            Err(error) => Some(Err(error)),
        })
        .collect()
}

/// The failed requests of one job by class.
pub(super) fn of_job(
    connection: &Connection,
    job: JobId,
) -> rusqlite::Result<Vec<(FailureClass, u64)>> {
    let counts = all(connection)?.into_iter();
    let of_job = counts.filter(|one| one.job == job);
    Ok(of_job.map(|one| (one.class, one.count)).collect())
}

/// One more request of the job has failed.
pub(super) fn add(
    connection: &Connection,
    job: JobId,
    class: FailureClass,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO failed_class (job, class, count) VALUES (?1, ?2, 1)
             ON CONFLICT (job, class) DO UPDATE SET count = count + 1",
        )?
        .execute(params![job.0, class.name()])?;
    Ok(())
}

/// The failures of the requests in `temp.again` are about to be forgotten.
pub(super) fn forget(connection: &Connection, job: JobId) -> rusqlite::Result<()> {
    connection.execute(
        "UPDATE failed_class SET count = count - (
             SELECT count(*) FROM outcome o
             WHERE o.request IN (SELECT id FROM temp.again) AND o.class = failed_class.class)
         WHERE job = ?1",
        [job.0],
    )?;
    Ok(())
}
