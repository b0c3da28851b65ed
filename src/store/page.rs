//! Lists of requests, a page at a time, from a job of any length: what a screen shows.
//!
//! A page is found by the place of one request in its file, never by counting rows, so the first
//! page costs as much as the last.

use rusqlite::types::Value;
use rusqlite::{Row, params_from_iter};

use super::row::{attempts, unsigned};
use super::{Reader, StoreError};
use crate::base::Stamp;
use crate::model::{
    Answer, Attempts, Failure, FailureClass, JobId, RequestId, RequestState, Tokens,
};

/// Which requests of a job are listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<RequestState>,
    /// Only those that failed with this class.
    pub class: Option<FailureClass>,
    /// Only failures with this pattern.
    pub pattern: Option<String>,
    /// Only those with this in their `custom_id`.
    pub text: Option<String>,
    /// Only those without `text` instead.
    pub inverse: bool,
}

/// Where a page begins or ends. Places are those of [`RequestLine::seq`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// At the beginning of the list.
    First,
    /// At its end.
    Last,
    /// With the request at this place, or the next one that is listed.
    From(i64),
    /// Before this place.
    Before(i64),
    /// Behind this place.
    After(i64),
}

/// A request in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestLine {
    /// Its row.
    pub id: RequestId,
    /// Its place in the job, from 0.
    pub seq: i64,
    /// Its line in the file, from 1.
    pub line: u64,
    /// The user's name for it: outside text. Invalid lines may have none.
    pub custom_id: Option<String>,
    /// Where it stands.
    pub state: RequestState,
    /// How often it was tried.
    pub attempts: Attempts,
    /// When it reached its end.
    pub at: Option<Stamp>,
    /// Why it failed.
    pub class: Option<FailureClass>,
    /// Tokens of its prompt.
    pub prompt_tokens: Option<Tokens>,
    /// Tokens of its answer.
    pub answer_tokens: Option<Tokens>,
    /// Milliseconds from sending to the last byte.
    pub wall_ms: Option<u64>,
}

/// A request in full.
#[derive(Debug, Clone)]
pub struct RequestDetail {
    /// What the list shows of it.
    pub line: RequestLine,
    /// What it asks, as JSON; nothing for a line that is no valid request.
    pub body: Option<String>,
    /// Its answer.
    pub answer: Option<Answer>,
    /// Its final failure.
    pub failure: Option<Failure>,
    /// Its failed attempts that count, with their numbers and times.
    pub failed_attempts: Vec<(u32, Stamp, Failure)>,
}

pub(super) const COLUMNS: &str =
    "r.id, r.seq, r.line, r.custom_id, r.state, r.sent, r.counted, r.crashes,
     o.at, o.class, o.prompt_tokens, o.answer_tokens, o.wall_ms";

/// Requests with what they ended with, from an index without the answers: reading those would read
/// the whole file.
pub(super) const LISTED: &str =
    "request r LEFT JOIN outcome o INDEXED BY outcome_list ON o.request = r.id";

impl Reader {
    /// At most `limit` requests of a job, in the order of the file.
    pub fn page(
        &self,
        job: JobId,
        filter: &Filter,
        anchor: Anchor,
        limit: usize,
    ) -> Result<Vec<RequestLine>, StoreError> {
        let (mut place, mut values) = condition(job, filter);
        let backwards = matches!(anchor, Anchor::Last | Anchor::Before(_));
        match anchor {
            Anchor::First | Anchor::Last => {}
            Anchor::From(seq) => bound(&mut place, &mut values, ">=", seq),
            Anchor::Before(seq) => bound(&mut place, &mut values, "<", seq),
            Anchor::After(seq) => bound(&mut place, &mut values, ">", seq),
        }
        let direction = if backwards { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM {LISTED} WHERE {place}
             ORDER BY r.seq {direction} LIMIT {limit}"
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

    /// How many requests the filter lets through. Counting takes a while where a text is looked
    /// for among a million: a screen does it aside.
    pub fn matches(&self, job: JobId, filter: &Filter) -> Result<u64, StoreError> {
        let (place, values) = condition(job, filter);
        let source = if filter.class.is_some() || filter.pattern.is_some() {
            "request r JOIN outcome o ON o.request = r.id"
        } else {
            // Names alone are counted in their index, which is half as long as the rows.
            "request r"
        };
        self.read(|connection| {
            connection
                .prepare_cached(&format!("SELECT count(*) FROM {source} WHERE {place}"))?
                .query_row(params_from_iter(values), |row| unsigned(row, 0))
        })
    }

    /// How many requests of a job are claimed: in flight, or about to be sent. Never many.
    pub fn claimed(&self, job: JobId) -> Result<u64, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached("SELECT count(*) FROM request WHERE job = ?1 AND state = 1")?
                .query_row([job.0], |row| unsigned(row, 0))
        })
    }

    /// Everything about one request.
    pub fn request(
        &self,
        job: JobId,
        request: RequestId,
    ) -> Result<Option<RequestDetail>, StoreError> {
        let sql = format!(
            "SELECT {COLUMNS}, o.answer, o.failure FROM request r
             LEFT JOIN outcome o ON o.request = r.id WHERE r.job = ?1 AND r.id = ?2"
        );
        let found = self.read(|connection| {
            let mut query = connection.prepare_cached(&sql)?;
            let mut rows = query.query([job.0, request.0])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let json = |column| row.get::<_, Option<String>>(column);
            let answer = json(13)?.as_deref().map(super::row::parse).transpose()?;
            let failure = json(14)?.as_deref().map(super::row::parse).transpose()?;
            Ok(Some((line(row)?, answer, failure)))
        })?;
        let Some((line, answer, failure)) = found else {
            return Ok(None);
        };
        Ok(Some(RequestDetail {
            line,
            body: self.body(job, request)?,
            answer,
            failure,
            failed_attempts: self.failed_attempts(request)?,
        }))
    }

    fn failed_attempts(
        &self,
        request: RequestId,
    ) -> Result<Vec<(u32, Stamp, Failure)>, StoreError> {
        self.read(|connection| {
            connection
                .prepare_cached(
                    "SELECT number, at, failure FROM attempt WHERE request = ?1 ORDER BY number",
                )?
                .query_map([request.0], |row| {
                    let failure = super::row::parse(&row.get::<_, String>(2)?)?;
                    Ok((row.get(0)?, Stamp(row.get(1)?), failure))
                })?
                .collect()
        })
    }
}

/// The conditions of a filter and the values of their parameters.
pub(super) fn condition(job: JobId, filter: &Filter) -> (String, Vec<Value>) {
    let mut place = "r.job = ?1".to_owned();
    let mut values = vec![Value::Integer(job.0)];
    let mut add = |sql: &str, value: Value| {
        values.push(value);
        place.push_str(&sql.replace('?', &format!("?{}", values.len())));
    };
    if let Some(state) = filter.state {
        add(" AND r.state = ?", Value::Integer(state.code()));
    }
    if let Some(class) = filter.class {
        add(
            " AND r.state = 3 AND o.class = ?",
            Value::Text(class.name().to_owned()),
        );
    }
    if let Some(pattern) = &filter.pattern {
        add(
            " AND r.state = 3 AND o.pattern = ?",
            Value::Text(pattern.clone()),
        );
    }
    if let Some(text) = &filter.text {
        let found = if filter.inverse { "=" } else { ">" };
        let sql = format!(" AND instr(coalesce(r.custom_id, ''), ?) {found} 0");
        add(&sql, Value::Text(text.clone()));
    }
    (place, values)
}

fn bound(place: &mut String, values: &mut Vec<Value>, comparison: &str, seq: i64) {
    values.push(Value::Integer(seq));
    for part in [" AND r.seq ", comparison, " ?", &values.len().to_string()] {
        place.push_str(part);
    }
}

pub(super) fn line(row: &Row<'_>) -> rusqlite::Result<RequestLine> {
    let class: Option<String> = row.get(9)?;
    let number = |column: usize| -> rusqlite::Result<Option<u64>> {
        Ok(row
            .get::<_, Option<i64>>(column)?
            .and_then(|number| u64::try_from(number).ok()))
    };
    Ok(RequestLine {
        id: RequestId(row.get(0)?),
        seq: row.get(1)?,
        line: unsigned(row, 2)?,
        custom_id: row.get(3)?,
        state: RequestState::from_code(row.get(4)?).unwrap_or(RequestState::Queued),
        attempts: attempts(row, 5)?,
        at: row.get::<_, Option<i64>>(8)?.map(Stamp),
        class: class.and_then(|name| FailureClass::from_name(&name)),
        prompt_tokens: number(10)?.map(Tokens),
        answer_tokens: number(11)?.map(Tokens),
        wall_ms: number(12)?,
    })
}
