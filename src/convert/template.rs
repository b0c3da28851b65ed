//! Templates: text with `{{ column }}` in it.

use std::collections::HashSet;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};

use super::problem::{Flaw, Place, quoted};
use super::table::{Header, Row};
use crate::base::shown;
use crate::config::nearest;

/// Names that are there in every row.
const OWN_NAMES: [&str; 2] = ["row", "row_number"];

/// Columns that are listed where a name is not among them.
const LISTED: usize = 12;

/// One template.
#[derive(Debug)]
pub(super) struct Template {
    name: &'static str,
    source: String,
    environment: Environment<'static>,
    is_constant: bool,
}

impl Template {
    /// Reads a template.
    pub(super) fn new(name: &'static str, source: String) -> Result<Self, Flaw> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_debug(true);
        // A prompt is no page: nothing is escaped, and what a record leaves open is nothing.
        environment.set_formatter(|output, _, value| {
            if value.is_none() {
                return Ok(());
            }
            match value.as_str() {
                Some(text) => output.write_str(text).map_err(Error::from),
                None => write!(output, "{value}").map_err(Error::from),
            }
        });
        let is_constant = !["{{", "{%", "{#"].iter().any(|mark| source.contains(mark));
        let read = environment.add_template_owned(name, source.clone());
        let template = Self {
            name,
            source,
            environment,
            is_constant,
        };
        match read {
            Ok(()) => Ok(template),
            Err(error) => Err(template.flaw(&error)),
        }
    }

    /// The text where it is the same for every row.
    pub(super) fn constant(&self) -> Option<&str> {
        self.is_constant.then_some(&self.source)
    }

    /// Whether every name in it is that of a column. A name that the template itself asks after
    /// (`is defined`, `default`) may be absent.
    pub(super) fn check(&self, header: &Header) -> Result<(), Flaw> {
        let Ok(template) = self.environment.get_template(self.name) else {
            return Ok(());
        };
        let mut unknown: Vec<_> = self.unknown(&template.undeclared_variables(false), header);
        unknown.sort_by_key(|(at, _)| *at);
        unknown.into_iter().next().map_or(Ok(()), |(at, name)| {
            let names: Vec<&str> = header.names().collect();
            Err(self.unknown_column(at, name, &names))
        })
    }

    fn unknown(&self, names: &HashSet<String>, header: &Header) -> Vec<(usize, String)> {
        let built_in: HashSet<&str> = self.environment.globals().map(|(name, _)| name).collect();
        let absent = names.iter().filter(|name| {
            !header.knows(name)
                && !built_in.contains(name.as_str())
                && !OWN_NAMES.contains(&name.as_str())
        });
        let mut unknown: Vec<_> = absent
            .filter_map(|name| {
                let first = occurrences(&self.source, name);
                let is_asked_after = first.iter().any(|at| self.is_asked_after(at.end));
                let at = first.first().map_or(0, |at| at.start);
                (!is_asked_after).then(|| (at, name.clone()))
            })
            .collect();
        if names.contains("row") {
            let columns = columns_of_row(&self.source);
            let is_asked_after = |name| {
                let mut same = columns.iter().filter(|column| column.name == name);
                same.any(|column| self.is_asked_after(column.end))
            };
            let absent = columns
                .iter()
                .filter(|column| !header.knows(column.name) && !is_asked_after(column.name));
            unknown.extend(absent.map(|column| (column.start, column.name.to_owned())));
        }
        unknown
    }

    /// Whether the template itself asks if what stands before this place is there.
    fn is_asked_after(&self, end: usize) -> bool {
        let behind = self.source.get(end..).unwrap_or_default().trim_start();
        let filter = behind.strip_prefix('|').map_or("", str::trim_start);
        behind.starts_with("is ") || filter.starts_with("default") || filter.starts_with("d(")
    }

    /// The text for one row.
    pub(super) fn render(&self, row: &Arc<Row>) -> Result<String, Flaw> {
        let context = Value::from_dyn_object(Arc::clone(row));
        self.environment
            .get_template(self.name)
            .and_then(|template| template.render(context))
            .map_err(|error| self.row_flaw(&error, row))
    }

    fn row_flaw(&self, error: &Error, row: &Row) -> Flaw {
        match row
            .missing()
            .filter(|_| error.kind() == ErrorKind::UndefinedError)
        {
            Some(name) => {
                let at = error.range().map_or(0, |range| range.start);
                let at = occurrences(&self.source, &name)
                    .into_iter()
                    .map(|found| found.start)
                    .find(|found| *found >= at)
                    .unwrap_or(at);
                let names = row.names();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                self.unknown_column(at, name, &names)
            }
            None => self.flaw(error),
        }
    }

    fn unknown_column(&self, at: usize, name: String, names: &[&str]) -> Flaw {
        let mut columns: Vec<_> = names.iter().take(LISTED).map(|name| quoted(name)).collect();
        if names.len() > LISTED {
            columns.push(format!("and {} others", names.len() - LISTED));
        }
        Flaw::UnknownColumn {
            template: self.place(at),
            nearest: nearest(&name, names.iter().copied()).map(str::to_owned),
            name,
            columns: columns.join(", "),
        }
    }

    fn flaw(&self, error: &Error) -> Flaw {
        let at = error.range().map_or_else(
            || self.line_start(error.line().unwrap_or(1)),
            |range| range.start,
        );
        let asked = error.range().and_then(|range| self.source.get(range));
        let what = match (error.detail(), asked) {
            (Some(detail), _) => format!("{}: {}", error.kind(), shown(detail)),
            (None, Some(asked)) if error.kind() == ErrorKind::UndefinedError => {
                format!("there is no value for {}", quoted(asked))
            }
            (None, _) => error.kind().to_string(),
        };
        Flaw::Template {
            template: self.place(at),
            what,
        }
    }

    fn line_start(&self, line: usize) -> usize {
        let lines = self.source.split_inclusive('\n');
        lines.take(line.saturating_sub(1)).map(str::len).sum()
    }

    fn place(&self, at: usize) -> Place {
        let mut at = at.min(self.source.len());
        while !self.source.is_char_boundary(at) {
            at -= 1;
        }
        let before = self.source.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        Place {
            template: self.name,
            line: before.matches('\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// Where a name stands as a whole word inside of `{{ }}` or `{% %}`.
fn occurrences(source: &str, name: &str) -> Vec<Range<usize>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let found = source.match_indices(name).filter(|(at, _)| {
        let (before, behind) = (source.get(..*at), source.get(at + name.len()..));
        let before = before.unwrap_or_default();
        let opened = before.rfind("{{").max(before.rfind("{%"));
        let closed = before.rfind("}}").max(before.rfind("%}"));
        opened > closed
            && !before.ends_with(|c| is_part(c) || c == '.')
            && !behind.unwrap_or_default().starts_with(is_part)
    });
    found.map(|(at, _)| at..at + name.len()).collect()
}

/// A column that a template asks for by way of its row.
struct ColumnOfRow<'a> {
    name: &'a str,
    /// Where the name stands.
    start: usize,
    /// Where the expression ends.
    end: usize,
}

/// The columns that are asked for as `row["Full name"]`.
fn columns_of_row(source: &str) -> Vec<ColumnOfRow<'_>> {
    let found = occurrences(source, "row").into_iter().filter_map(|row| {
        let behind = source.get(row.end..)?.strip_prefix('[')?;
        let quote = behind.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (name, rest) = behind.get(1..)?.split_once(quote)?;
        // What is put together, or holds an escape, is known when it is rendered.
        let is_whole = rest.starts_with(']') && !name.contains('\\');
        let start = row.end + 2;
        is_whole.then_some(ColumnOfRow {
            name,
            start,
            end: start + name.len() + 2,
        })
    });
    found.collect()
}
