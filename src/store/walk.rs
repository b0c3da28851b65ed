//! Walking through all requests of a job, one row of the file behind the other, for orders that no
//! index has.
//!
//! Requests are numbered in the order of their file, by the one writer that admits them, and their
//! ends have the same numbers. So both are gone through side by side, which is several times
//! faster than looking up the end of each. A walk ends at once when its reader is interrupted.

use std::collections::BTreeSet;

use rusqlite::types::Value;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Row, Rows, params_from_iter};

use super::Filter;
use super::page::{LISTED, condition};
use crate::model::{JobId, RequestId};

/// The key of what is not known: it comes before everything.
const UNKNOWN: i64 = -1;

/// What requests are put in order by. Equal ones stand in the order of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    /// The user's name for the request.
    Name,
    /// A number in the request's own row.
    Own(&'static str),
    /// A number that the request ended with.
    End(&'static str),
}

/// A request's value of a column, and its number.
pub(super) type Place = (Key, i64);

/// A value of a column.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A number, or [`UNKNOWN`].
    Number(i64),
    /// A name.
    Text(String),
}

/// The first or the last ones of all that are offered.
#[derive(Debug)]
pub(super) struct Best {
    held: BTreeSet<Place>,
    limit: usize,
    is_last: bool,
}

impl Best {
    /// So many of them, the first ones or the last ones.
    pub(super) const fn new(limit: usize, is_last: bool) -> Self {
        Self {
            held: BTreeSet::new(),
            limit,
            is_last,
        }
    }

    /// Keeps one if it is among the best so far.
    pub(super) fn offer(&mut self, one: Place) {
        if self.held.len() < self.limit {
            self.held.insert(one);
        } else if self.is_last && self.held.first().is_some_and(|worst| one > *worst) {
            self.held.pop_first();
            self.held.insert(one);
        } else if !self.is_last && self.held.last().is_some_and(|worst| one < *worst) {
            self.held.pop_last();
            self.held.insert(one);
        }
    }

    /// The requests, in order.
    pub(super) fn requests(self) -> impl Iterator<Item = RequestId> {
        self.held.into_iter().map(|(_, id)| RequestId(id))
    }
}

/// Gives each request that a filter lets through to `each`, in the order of the file or from its
/// end.
pub(super) fn walk(
    connection: &Connection,
    job: JobId,
    (filter, column): (&Filter, Column),
    from_end: bool,
    mut each: impl FnMut(Place),
) -> rusqlite::Result<()> {
    let Some((first, last)) = span(connection, job)? else {
        return Ok(());
    };
    let direction = if from_end { "DESC" } else { "ASC" };
    let mut listed = match column {
        Column::End(name) => Some(ends(connection, name, direction)?),
        Column::Name | Column::Own(_) => None,
    };
    let mut ends = match &mut listed {
        Some(listed) => Some(Ends::of(listed.query([first, last])?, from_end)?),
        None => None,
    };
    let (place, mut values) = condition(job, filter);
    values.extend([Value::Integer(first), Value::Integer(last)]);
    let sql = format!(
        "SELECT r.id, {} FROM {} WHERE {place} AND r.id BETWEEN ?{} AND ?{}
         ORDER BY r.id {direction}",
        column.own(),
        source(filter),
        values.len() - 1,
        values.len()
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        let (mut key, id) = column.place(row)?;
        if let Some(ends) = &mut ends {
            key = Key::Number(ends.key(id)?);
        }
        each((key, id));
    }
    Ok(())
}

/// The place of one request in an order.
pub(super) fn place_of(
    connection: &Connection,
    job: JobId,
    column: Column,
    seq: i64,
) -> rusqlite::Result<Option<Place>> {
    let key = match column {
        Column::End(name) => format!("coalesce(o.{name}, {UNKNOWN})"),
        Column::Name | Column::Own(_) => column.own().to_owned(),
    };
    connection
        .prepare_cached(&format!(
            "SELECT r.id, {key} FROM {LISTED} WHERE r.job = ?1 AND r.seq = ?2"
        ))?
        .query_row([job.0, seq], |row| column.place(row))
        .optional()
}

impl Column {
    /// What stands of it in the request's own row.
    const fn own(self) -> &'static str {
        match self {
            Self::Name => "coalesce(r.custom_id, '')",
            Self::Own(name) => name,
            Self::End(_) => "0",
        }
    }

    fn place(self, row: &Row<'_>) -> rusqlite::Result<Place> {
        let key = match self {
            Self::Name => Key::Text(row.get(1)?),
            Self::Own(_) | Self::End(_) => Key::Number(row.get(1)?),
        };
        Ok((key, row.get(0)?))
    }
}

/// The numbers of the first and the last request of a job; rows of other jobs may stand between.
fn span(connection: &Connection, job: JobId) -> rusqlite::Result<Option<(i64, i64)>> {
    let end = |order| {
        let sql = format!("SELECT id FROM request WHERE job = ?1 ORDER BY seq {order} LIMIT 1");
        connection
            .prepare_cached(&sql)?
            .query_row([job.0], |row| row.get(0))
            .optional()
    };
    Ok(end("ASC")?.zip(end("DESC")?))
}

/// The requests to walk through, with their ends only where the filter asks for them.
const fn source(filter: &Filter) -> &'static str {
    if filter.class.is_some() || filter.pattern.is_some() {
        // Never the other way round: that would look at the failures of every job.
        "request r NOT INDEXED CROSS JOIN outcome o ON o.request = r.id"
    } else {
        "request r NOT INDEXED"
    }
}

/// What requests ended with, without the answers.
fn ends<'a>(
    connection: &'a Connection,
    column: &str,
    direction: &str,
) -> rusqlite::Result<CachedStatement<'a>> {
    connection.prepare_cached(&format!(
        "SELECT request, coalesce({column}, {UNKNOWN}) FROM outcome INDEXED BY outcome_list
         WHERE request BETWEEN ?1 AND ?2 ORDER BY request {direction}"
    ))
}

/// Ends that are gone through beside a walk, in its direction.
struct Ends<'a> {
    rows: Rows<'a>,
    next: Option<(i64, i64)>,
    from_end: bool,
}

impl<'a> Ends<'a> {
    fn of(rows: Rows<'a>, from_end: bool) -> rusqlite::Result<Self> {
        let mut ends = Self {
            rows,
            next: None,
            from_end,
        };
        ends.advance()?;
        Ok(ends)
    }

    fn advance(&mut self) -> rusqlite::Result<()> {
        self.next = match self.rows.next()? {
            Some(row) => Some((row.get(0)?, row.get(1)?)),
            None => None,
        };
        Ok(())
    }

    /// The key of a request, which stands behind the one before in the walk.
    fn key(&mut self, id: i64) -> rusqlite::Result<i64> {
        while let Some((request, key)) = self.next {
            if request == id {
                return Ok(key);
            }
            if (request < id) == self.from_end {
                break;
            }
            self.advance()?;
        }
        Ok(UNKNOWN)
    }
}
