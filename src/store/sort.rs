//! Lists of requests in other orders than that of the file.
//!
//! A page begins at a request, whose value of the column is looked up first, so that nothing is
//! counted off. Only the order by state has an index of its own; for the others SQLite reads the
//! short rows of the job (`outcome_list` holds what it needs of the outcomes, without the answers)
//! and keeps no more of them than the page has. An index for each column would cost every answer
//! more than it is worth: people sort now and then.

use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use super::page::{COLUMNS, condition, line};
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
        !matches!(self, Self::Place | Self::State)
    }

    const fn key(self) -> &'static str {
        match self {
            Self::Place => "r.seq",
            Self::State => "r.state",
            Self::Name => "coalesce(r.custom_id, '')",
            Self::Tries => "r.sent",
            Self::Prompt => "coalesce(o.prompt_tokens, -1)",
            Self::Answer => "coalesce(o.answer_tokens, -1)",
            Self::Time => "coalesce(o.wall_ms, -1)",
            Self::Finished => "coalesce(o.at, -1)",
        }
    }
}

/// Without the answers, which are long.
const JOINED: &str = "request r LEFT JOIN outcome o INDEXED BY outcome_list ON o.request = r.id";

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
        if sort == Sort::Place {
            return self.page(job, filter, anchor, limit);
        }
        let key = sort.key();
        let (mut place, mut values) = condition(job, filter);
        let (comparison, seq) = match anchor {
            Anchor::First | Anchor::Last => ("", None),
            Anchor::From(seq) => (">=", Some(seq)),
            Anchor::Before(seq) => ("<", Some(seq)),
            Anchor::After(seq) => (">", Some(seq)),
        };
        if let Some(seq) = seq
            && let Some(value) = self.key_of(job, key, seq)?
        {
            values.push(value);
            values.push(Value::Integer(seq));
            let (value, seq) = (values.len() - 1, values.len());
            place = format!("{place} AND ({key}, r.seq) {comparison} (?{value}, ?{seq})");
        }
        let backwards = matches!(anchor, Anchor::Last | Anchor::Before(_));
        let direction = if backwards { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM {JOINED} WHERE {place}
             ORDER BY {key} {direction}, r.seq {direction} LIMIT {limit}"
        );
        let mut lines: Vec<RequestLine> = self.read(|connection| {
            let mut query = connection.prepare_cached(&sql)?;
            query.query_map(params_from_iter(values), line)?.collect()
        })?;
        if backwards {
            lines.reverse();
        }
        Ok(lines)
    }

    fn key_of(&self, job: JobId, key: &str, seq: i64) -> Result<Option<Value>, StoreError> {
        let sql = format!("SELECT {key} FROM {JOINED} WHERE r.job = ?1 AND r.seq = ?2");
        self.read(|connection| {
            connection
                .prepare_cached(&sql)?
                .query_row([job.0, seq], |row| row.get(0))
                .optional()
        })
    }
}
