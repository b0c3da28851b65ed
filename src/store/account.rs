//! What a report on a job asks of the queue: every end in one pass, what happened, and what it
//! ran on.

use rusqlite::{Connection, Row, params};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as WordError;

use super::row::{json, parse, unsigned};
use super::{Reader, StoreError};
use crate::base::Stamp;
use crate::model::{Answer, Event, EventKind, Failure, FailureClass, JobId, RanOn};

/// How one request ended, and when.
#[derive(Debug)]
pub struct EndedRequest {
    /// The user's name for it: outside text. Invalid lines may have none.
    pub custom_id: Option<String>,
    /// When.
    pub at: Stamp,
    /// Its answer.
    pub answer: Option<Answer>,
    /// Its failure.
    pub failure: Option<Failure>,
}

/// What happened to a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Events {
    /// How many events there were.
    pub count: u64,
    /// The first of them, oldest first.
    pub first: Vec<Event>,
}

/// Notes what a job runs on, unless that is what was noted last.
pub(super) fn note(
    connection: &Connection,
    job: JobId,
    at: Stamp,
    ran_on: &RanOn,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO ran_on (job, at, told) SELECT ?1, ?2, ?3
             WHERE EXISTS (SELECT 1 FROM job WHERE id = ?1)
               AND NOT EXISTS (SELECT 1 FROM ran_on WHERE job = ?1 AND told = ?3)",
        )?
        .execute(params![job.0, at.0, json(ran_on)?])?;
    Ok(())
}

impl Reader {
    /// Runs `work` in one consistent view of the queue, however long it takes. The view ends with
    /// it, also where `work` fails or panics.
    pub fn at_one_moment<T>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(|connection| {
            // It only reads, so there is nothing to commit: the guard ends it when it is dropped.
            let _moment = connection.unchecked_transaction()?;
            Ok(work(self))
        })?
    }

    /// Gives the end of every request of a job to `each`, in the order of the file. Holds one of
    /// them at a time. Stops at the first error of `each` and returns it.
    pub fn ended<E: From<StoreError>>(
        &self,
        job: JobId,
        mut each: impl FnMut(EndedRequest) -> Result<(), E>,
    ) -> Result<(), E> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT r.custom_id, o.at, o.answer, o.failure FROM request r
                 JOIN outcome o ON o.request = r.id WHERE r.job = ?1 ORDER BY r.seq",
            )?;
            let mut rows = query.query([job.0])?;
            while let Some(row) = rows.next()? {
                let went = each(ended(row)?);
                if went.is_err() {
                    return Ok(went);
                }
            }
            Ok(Ok(()))
        })?
    }

    /// The first events of a job, and of the server and the cards while it was in the queue.
    /// Failures and trims of single requests are not among them: they are listed elsewhere.
    pub fn events(&self, job: JobId, limit: usize) -> Result<Events, StoreError> {
        const PLACE: &str = "FROM event e JOIN job j ON j.id = ?1
             WHERE (e.job = j.id OR (e.job IS NULL AND e.at >= coalesce(j.started, j.created)
                    AND e.at <= coalesce(j.finished, e.at)))
               AND e.kind NOT IN ('request_failed', 'trimmed')";
        self.read(|connection| {
            let count = connection
                .prepare_cached(&format!("SELECT count(*) {PLACE}"))?
                .query_row([job.0], |row| unsigned(row, 0))?;
            let mut query = connection.prepare_cached(&format!(
                "SELECT e.job, e.at, e.kind, e.text {PLACE} ORDER BY e.at, e.id LIMIT ?2"
            ))?;
            let rows = query.query_map(params![job.0, limit as i64], event)?;
            // A kind that a newer version wrote has no name here.
            let first: rusqlite::Result<Vec<Option<Event>>> = rows.collect();
            Ok(Events {
                count,
                first: first?.into_iter().flatten().collect(),
            })
        })
    }

    /// Failed attempts of a job that count, by class, most frequent first.
    pub fn attempts_by_class(&self, job: JobId) -> Result<Vec<(FailureClass, u64)>, StoreError> {
        self.read(|connection| {
            // There are few attempts, and many requests: the attempts of other jobs cost less than
            // the requests of this one.
            let mut query = connection.prepare_cached(
                "SELECT a.failure ->> '$.class' AS class, count(*) FROM attempt a
                 CROSS JOIN request r ON r.id = a.request WHERE r.job = ?1
                 GROUP BY class ORDER BY count(*) DESC, class",
            )?;
            let class = |row: &Row<'_>| Ok((row.get::<_, String>(0)?, unsigned(row, 1)?));
            let rows = query.query_map([job.0], class)?;
            // A class that a newer version wrote has no name here.
            rows.filter_map(|row| {
                row.map(|(class, count)| Some((FailureClass::from_name(&class)?, count)))
                    .transpose()
            })
            .collect()
        })
    }

    /// What a job ran on, each different combination once, oldest first.
    pub fn ran_on(&self, job: JobId) -> Result<Vec<RanOn>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT told FROM ran_on WHERE job = ?1 ORDER BY id LIMIT 100")?
                .query_map([job.0], |row| parse(&row.get::<_, String>(0)?))?
                .collect()
        })
    }
}

fn ended(row: &Row<'_>) -> rusqlite::Result<EndedRequest> {
    let text = |column| Ok::<_, rusqlite::Error>(row.get_ref(column)?.as_str_or_null()?);
    Ok(EndedRequest {
        custom_id: row.get(0)?,
        at: Stamp(row.get(1)?),
        answer: text(2)?.map(parse).transpose()?,
        failure: text(3)?.map(parse).transpose()?,
    })
}

fn event(row: &Row<'_>) -> rusqlite::Result<Option<Event>> {
    let word: String = row.get(2)?;
    let kind = EventKind::deserialize(IntoDeserializer::<WordError>::into_deserializer(word));
    let (job, at, text) = (row.get::<_, Option<i64>>(0)?, row.get(1)?, row.get(3)?);
    Ok(kind.ok().map(|kind| Event {
        at: Stamp(at),
        job: job.map(JobId),
        kind,
        text,
    }))
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;
    use crate::model::JobSettings;
    use crate::store::{NewJob, Store, Write};

    fn jobs(reader: &Reader) -> usize {
        reader.jobs().unwrap().len()
    }

    #[test]
    fn a_moment_stands_still_and_ends_however_the_work_ends() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        let reader = Reader::open(folder.path()).unwrap().unwrap();
        let mut open = || {
            let new = NewJob {
                name: "a.jsonl".into(),
                path: "/a.jsonl".into(),
                settings: JobSettings::default(),
                created: Stamp(0),
            };
            store.apply(&[Write::OpenJob(new)]).unwrap();
        };
        let seen = reader.at_one_moment(|reader| {
            let before = jobs(reader);
            open();
            Ok((before, jobs(reader)))
        });
        assert_eq!(seen.unwrap(), (0, 0));
        assert_eq!(jobs(&reader), 1);
        let failed = reader.at_one_moment(|_| Err::<(), _>(StoreError::NoJob(9)));
        assert!(matches!(failed, Err(StoreError::NoJob(9))));
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            reader.at_one_moment(|reader| -> Result<(), StoreError> {
                panic!("after {} jobs", jobs(reader))
            })
        }));
        assert!(panicked.is_err());
        open();
        assert_eq!(reader.at_one_moment(|reader| Ok(jobs(reader))).unwrap(), 2);
    }
}
