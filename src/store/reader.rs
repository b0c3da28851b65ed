//! Reading the queue without being able to change it. Any number of processes may, while one
//! works.

use std::path::{Path, PathBuf};

use rusqlite::{Connection, InterruptHandle, Row, params};
use thiserror::Error;

use super::admit::{read_text, whole_body};
use super::row::{self, attempts, parse, unsigned};
use super::schema::{is_older, open_read_only};
use super::{Ownership, Store, StoreError, conversation};
use crate::base::Stamp;
use crate::model::{
    Answer, Attempts, Endpoint, Failure, FailureClass, Job, JobId, JobName, RequestId,
    RequestState, Trim,
};

/// A read-only view of the queue. Cheap to open; each thread has its own.
#[derive(Debug)]
pub struct Reader {
    connection: Connection,
    path: PathBuf,
}

/// In which order results are given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As the lines stood in the file.
    Input,
    /// As the answers came.
    Finished,
}

/// A request with its end, if it has one.
#[derive(Debug)]
pub struct ResultRow {
    /// Its row.
    pub id: RequestId,
    /// Its line in the file, from 1.
    pub line: u64,
    /// The user's name for it; invalid lines may have none.
    pub custom_id: Option<String>,
    /// What it asked for.
    pub endpoint: Endpoint,
    /// The model it named.
    pub model: String,
    /// Where it stands.
    pub state: RequestState,
    /// How often it was tried.
    pub attempts: Attempts,
    /// When it reached its end.
    pub at: Option<Stamp>,
    /// Its answer.
    pub answer: Option<Answer>,
    /// Its failure.
    pub failure: Option<Failure>,
    /// The conversation of its job and model in which it spoke, where it did.
    pub conversation: Option<i64>,
    /// What was left out of its prompt, oldest first.
    pub trims: Vec<Trim>,
    /// What it asked, for embeddings only: their result depends on the encoding asked for.
    pub body: Option<String>,
}

/// Failures of a job that are alike.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FailureGroup {
    /// The class.
    pub class: FailureClass,
    /// What their messages have in common ([`Failure::pattern`]).
    pub pattern: String,
    /// How many.
    pub count: u64,
    /// One of them, in words.
    pub sample: String,
}

/// Why a job's name leads nowhere.
#[derive(Debug, Error)]
pub enum FindError {
    /// The queue holds none that matches.
    #[error("no job is called `{0}`")]
    None(String),
    /// Several match.
    #[error("`{name}` could be any of {}", matches.join(", "))]
    Several {
        /// What was asked for.
        name: String,
        /// Number and name of those that match.
        matches: Vec<String>,
    },
    /// The database could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Reader {
    /// Opens the queue of the data folder; `None` when there is none yet. An older format is
    /// brought up to date first.
    pub fn open(folder: &Path) -> Result<Option<Self>, StoreError> {
        let path = folder.join(Store::FILE);
        match std::fs::metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                return Err(StoreError::Folder {
                    what: "open",
                    path,
                    source,
                });
            }
        }
        if is_older(folder)? {
            // Nobody works the queue where the right to it is free.
            if let Some(_right) = Ownership::take(folder)? {
                Store::open(folder)?;
            }
        }
        let connection = open_read_only(folder)?;
        Ok(connection.map(|connection| Self { connection, path }))
    }

    /// All jobs in the order in which they run.
    pub fn jobs(&self) -> Result<Vec<Job>, StoreError> {
        self.sorted(row::jobs(&self.connection))
    }

    /// The job with this number.
    pub fn job(&self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.sorted(row::job_by_id(&self.connection, id))
    }

    /// The one job with this number, this name, or with this in its name.
    pub fn find(&self, name: &JobName) -> Result<Job, FindError> {
        let part = match name {
            JobName::Number(id) => {
                if let Some(job) = self.job(*id)? {
                    return Ok(job);
                }
                id.to_string()
            }
            JobName::Part(part) => part.clone(),
        };
        let jobs = self.jobs()?;
        let (exact, partial): (Vec<Job>, Vec<Job>) = jobs
            .into_iter()
            .filter(|job| job.name.contains(&part))
            .partition(|job| job.name == part);
        let mut found = if exact.is_empty() { partial } else { exact };
        match found.len() {
            0 => Err(FindError::None(part)),
            1 => Ok(found.remove(0)),
            _ => Err(FindError::Several {
                name: part,
                matches: found
                    .iter()
                    .map(|job| format!("{} ({})", job.id, job.name))
                    .collect(),
            }),
        }
    }

    /// The failures of a job by class and likeness, most frequent first; at most 200 groups.
    pub fn failures(&self, job: JobId) -> Result<Vec<FailureGroup>, StoreError> {
        self.sorted(self.read_failures(job))
    }

    fn read_failures(&self, job: JobId) -> rusqlite::Result<Vec<FailureGroup>> {
        let mut query = self.connection.prepare_cached(
            "SELECT o.pattern, count(*), min(o.failure) FROM request r
             JOIN outcome o ON o.request = r.id WHERE r.job = ?1 AND r.state = 3
             GROUP BY o.class, o.pattern ORDER BY count(*) DESC, o.class LIMIT 200",
        )?;
        let rows = query.query_map([job.0], |row| {
            let failure: Failure = parse(&row.get::<_, String>(2)?)?;
            Ok(FailureGroup {
                class: failure.class,
                pattern: row.get(0)?,
                count: unsigned(row, 1)?,
                sample: failure.message,
            })
        })?;
        rows.collect()
    }

    /// Gives every request of a job to `each`, in one consistent view of the queue however long
    /// it takes. Stops at the first error of `each` and returns it.
    pub fn results<E: From<StoreError>>(
        &self,
        job: JobId,
        order: Order,
        mut each: impl FnMut(ResultRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let sorted = |error| E::from(StoreError::from_sqlite(&error, &self.path));
        let order = match order {
            Order::Input => "r.seq",
            Order::Finished => "o.at, r.id",
        };
        let sql = format!(
            "SELECT r.id, r.line, r.custom_id, j.endpoint, m.name, r.state, r.sent, r.counted,
                    r.crashes, o.at, o.answer, o.failure
             FROM request r JOIN job j ON j.id = r.job
             LEFT JOIN job_model m ON m.job = r.job AND m.ordinal = r.model
             LEFT JOIN outcome o ON o.request = r.id
             WHERE r.job = ?1 ORDER BY {order}"
        );
        let transaction = self.connection.unchecked_transaction().map_err(sorted)?;
        let mut query = transaction.prepare(&sql).map_err(sorted)?;
        let mut rows = query.query([job.0]).map_err(sorted)?;
        let is_known = conversation::is_known(&transaction).map_err(sorted)?;
        while let Some(row) = rows.next().map_err(sorted)? {
            let mut result = result_row(row).map_err(sorted)?;
            if result.endpoint == Endpoint::Embeddings {
                result.body = self.read_body(job, result.id).map_err(sorted)?;
            }
            if is_known {
                result.trims = conversation::of_request(&transaction, result.id).map_err(sorted)?;
                result.conversation = conversation::of(&transaction, result.id).map_err(sorted)?;
            }
            each(result)?;
        }
        Ok(())
    }

    /// What a request asks; nothing for a line that is no valid request.
    pub(super) fn body(
        &self,
        job: JobId,
        request: RequestId,
    ) -> Result<Option<String>, StoreError> {
        self.sorted(self.read_body(job, request))
    }

    fn read_body(&self, job: JobId, request: RequestId) -> rusqlite::Result<Option<String>> {
        let mut query = self
            .connection
            .prepare_cached("SELECT rest, cuts FROM body WHERE request = ?1")?;
        let mut rows = query.query(params![request.0])?;
        let Some(row) = rows.next()? else {
            return Ok(None);
        };
        let cuts: Option<String> = row.get(1)?;
        whole_body(row.get(0)?, cuts.as_deref(), |number| {
            read_text(&self.connection, job.0, number).map(Into::into)
        })
        .map(Some)
    }

    /// An end to whatever this reader is reading at the time, to be used from another thread.
    pub fn interrupter(&self) -> InterruptHandle {
        self.connection.get_interrupt_handle()
    }

    /// Reads something, with the errors of SQLite sorted.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.sorted(read(&self.connection))
    }

    fn sorted<T>(&self, result: rusqlite::Result<T>) -> Result<T, StoreError> {
        result.map_err(|error| StoreError::from_sqlite(&error, &self.path))
    }
}

fn result_row(row: &Row<'_>) -> rusqlite::Result<ResultRow> {
    let endpoint: Option<String> = row.get(3)?;
    let json = |column| row.get::<_, Option<String>>(column);
    Ok(ResultRow {
        id: RequestId(row.get(0)?),
        line: unsigned(row, 1)?,
        custom_id: row.get(2)?,
        endpoint: endpoint
            .and_then(|url| Endpoint::from_url(&url))
            .unwrap_or(Endpoint::Chat),
        model: row.get::<_, Option<String>>(4)?.unwrap_or_default(),
        state: RequestState::from_code(row.get(5)?).unwrap_or(RequestState::Queued),
        attempts: attempts(row, 6)?,
        at: row.get::<_, Option<i64>>(9)?.map(Stamp),
        answer: json(10)?.as_deref().map(parse).transpose()?,
        failure: json(11)?.as_deref().map(parse).transpose()?,
        conversation: None,
        trims: Vec::new(),
        body: None,
    })
}
