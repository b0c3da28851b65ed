//! Lists of requests in other orders than that of the file.
//!
//! A page begins at a request, whose value of the column is looked up first, so that nothing is
//! counted off. Only the order by state has an index of its own; for the others all requests of
//! the job are walked through, and no more of them are kept than the page has. An index for each
//! column would cost every answer more than it is worth: people sort now and then.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params_from_iter};

use super::page::{COLUMNS, LISTED, condition, line};
use super::walk::{self, Best, Column};
use super::{Anchor, Filter, Reader, RequestLine, StoreError};
use crate::model::JobId;

/// What a list of requests is sorted by, the smallest first. What is not known comes before
/// everything, and equal ones stand in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum Sort {
    /// Place in the file.
    #[default]
    Place,
    /// Queued, running, done, failed.
    State,
    /// The user's names for them.
    Name,
    /// Tries.
    Tries,
    /// Tokens of the prompt.
    Prompt,
    /// Tokens of the answer.
    Answer,
    /// Time from sending to the last byte.
    Time,
    /// When they reached their end.
    Finished,
}

impl Sort {
    /// Every order.
    pub const ALL: [Self; 8] = [
        Self::Place,
        Self::State,
        Self::Name,
        Self::Tries,
        Self::Prompt,
        Self::Answer,
        Self::Time,
        Self::Finished,
    ];

    /// Whether a page takes a look at every request of the job.
    pub const fn is_slow(self) -> bool {
        self.column().is_some()
    }

    /// What it walks for; nothing where an index has the order.
    const fn column(self) -> Option<Column> {
        Some(match self {
            Self::Place | Self::State => return None,
            Self::Name => Column::Name,
            Self::Tries => Column::Own("r.sent"),
            Self::Prompt => Column::End("prompt_tokens"),
            Self::Answer => Column::End("answer_tokens"),
            Self::Time => Column::End("wall_ms"),
            Self::Finished => Column::End("at"),
        })
    }
}

impl Reader {
    /// At most `limit` requests of a job in this order. A page that is to begin at a request that
    /// is not there begins at the beginning.
    pub fn sorted_page(
        &self,
        job: JobId,
        (filter, sort): (&Filter, Sort),
        anchor: Anchor,
        limit: usize,
    ) -> Result<Vec<RequestLine>, StoreError> {
        let Some(column) = sort.column() else {
            return self.indexed_page(job, (filter, sort), anchor, limit);
        };
        let is_last = matches!(anchor, Anchor::Last | Anchor::Before(_));
        let mut best = Best::new(limit, is_last);
        self.read(|connection| {
            let from = match anchor {
                Anchor::First | Anchor::Last => None,
                Anchor::From(seq) | Anchor::Before(seq) | Anchor::After(seq) => {
                    walk::place_of(connection, job, column, seq)?
                }
            };
            // In the direction of the page: what came late often is late in other orders, too.
            walk::walk(connection, job, (filter, column), is_last, |one| {
                let is_on = from.as_ref().is_none_or(|from| match anchor {
                    Anchor::Before(_) => one < *from,
                    Anchor::After(_) => one > *from,
                    Anchor::First | Anchor::Last | Anchor::From(_) => one >= *from,
                });
                if is_on {
                    best.offer(one);
                }
            })?;
            lines(connection, best)
        })
    }

    /// At most `half` requests before the one at this place, and at most as many from it on.
    pub fn sorted_around(
        &self,
        job: JobId,
        (filter, sort): (&Filter, Sort),
        seq: i64,
        half: usize,
    ) -> Result<[Vec<RequestLine>; 2], StoreError> {
        let Some(column) = sort.column() else {
            return Ok([
                self.sorted_page(job, (filter, sort), Anchor::Before(seq), half)?,
                self.sorted_page(job, (filter, sort), Anchor::From(seq), half)?,
            ]);
        };
        let (mut before, mut behind) = (Best::new(half, true), Best::new(half, false));
        self.read(|connection| {
            let from = walk::place_of(connection, job, column, seq)?;
            walk::walk(connection, job, (filter, column), false, |one| {
                if from.as_ref().is_some_and(|from| one < *from) {
                    before.offer(one);
                } else {
                    behind.offer(one);
                }
            })?;
            Ok([lines(connection, before)?, lines(connection, behind)?])
        })
    }
}

impl Reader {
    /// A page in an order that an index has.
    fn indexed_page(
        &self,
        job: JobId,
        (filter, sort): (&Filter, Sort),
        anchor: Anchor,
        limit: usize,
    ) -> Result<Vec<RequestLine>, StoreError> {
        if sort == Sort::Place {
            return self.page(job, filter, anchor, limit);
        }
        let backwards = matches!(anchor, Anchor::Last | Anchor::Before(_));
        let direction = if backwards { "DESC" } else { "ASC" };
        let mut lines: Vec<RequestLine> = self.read(|connection| {
            let (mut place, mut values) = condition(job, filter);
            let (comparison, seq) = match anchor {
                Anchor::First | Anchor::Last => ("", None),
                Anchor::From(seq) => (">=", Some(seq)),
                Anchor::Before(seq) => ("<", Some(seq)),
                Anchor::After(seq) => (">", Some(seq)),
            };
            if let Some(seq) = seq
                && let Some(state) = state_of(connection, job, seq)?
            {
                values.extend([Value::Integer(state), Value::Integer(seq)]);
                let (state, seq) = (values.len() - 1, values.len());
                place = format!("{place} AND (r.state, r.seq) {comparison} (?{state}, ?{seq})");
            }
            let mut query = connection.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM {LISTED} WHERE {place}
                 ORDER BY r.state {direction}, r.seq {direction} LIMIT {limit}"
            ))?;
            query.query_map(params_from_iter(values), line)?.collect()
        })?;
        if backwards {
            lines.reverse();
        }
        Ok(lines)
    }
}

fn state_of(connection: &Connection, job: JobId, seq: i64) -> rusqlite::Result<Option<i64>> {
    connection
        .prepare_cached("SELECT state FROM request WHERE job = ?1 AND seq = ?2")?
        .query_row([job.0, seq], |row| row.get(0))
        .optional()
}

/// The lines of these requests.
fn lines(connection: &Connection, best: Best) -> rusqlite::Result<Vec<RequestLine>> {
    let mut query =
        connection.prepare_cached(&format!("SELECT {COLUMNS} FROM {LISTED} WHERE r.id = ?1"))?;
    let mut lines = Vec::new();
    for request in best.requests() {
        lines.push(query.query_row([request.0], line)?);
    }
    Ok(lines)
}
