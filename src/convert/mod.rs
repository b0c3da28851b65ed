//! Makes a batch file of a table: CSV, TSV or JSON lines go in, one request a row comes out.
//!
//! The header and the templates are judged first, so that a column that is not there is said once
//! and not for every row. Then rows stream through `pipeline` in blocks. Memory does not grow
//! with the table, but for a hash and a line number for each `custom_id` that is not a row number.

mod encoding;
mod frame;
mod pipeline;
mod problem;
mod recipe;
mod table;
mod template;

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::Tokens;
use encoding::Decoded;
use frame::{Framer, HeaderRow, LONGEST_ROW};
use pipeline::{Rendered, Stop, Work};
use table::{Header, Splitter};

pub use encoding::Encoding;
pub use problem::{Flaw, Place, RowProblem};
pub use recipe::{Recipe, Wording};
pub use table::Form;

/// Bytes that are looked at to tell the form of a table.
const HEAD: u64 = 64 * 1024;

/// How a table is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The form; found by the first bytes where it is not given.
    pub form: Option<Form>,
    /// The encoding; a byte order mark is believed before it. UTF-8 where there is neither.
    pub encoding: Option<Encoding>,
    /// Threads that make requests of rows.
    pub workers: usize,
    /// Problems that are kept; the others are counted.
    pub problems: usize,
    /// Requests whose messages are kept to be shown.
    pub previews: usize,
}

impl Default for Reading {
    fn default() -> Self {
        Self {
            form: None,
            encoding: None,
            workers: 2,
            problems: 100,
            previews: 0,
        }
    }
}

/// What a table became.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Converted {
    /// Requests that were written.
    pub requests: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Estimate of the tokens of all prompts.
    pub estimated_tokens: Tokens,
    /// Rows that are in no request.
    pub bad_rows: u64,
    /// The first problems.
    pub problems: Vec<RowProblem>,
    /// Whether the rest of the table could not be read as rows.
    pub is_cut_short: bool,
    /// The first requests.
    pub previews: Vec<Preview>,
}

/// A request to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Preview {
    /// Its `custom_id`.
    pub custom_id: String,
    /// Role and text of each message.
    pub messages: Vec<Message>,
}

/// A message to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// `system` or `user`.
    pub role: String,
    /// Its text.
    pub content: String,
}

/// Why a table cannot be converted at all.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// It cannot be read to its end.
    #[error("cannot read the table: {0}")]
    Read(io::Error),
    /// The requests cannot be written.
    #[error("cannot write the requests: {0}")]
    Write(io::Error),
    /// There is no row in it.
    #[error("the table holds no row")]
    Empty,
    /// Something is wrong with the header, or the templates do not fit it.
    #[error("{0}")]
    Header(RowProblem),
}

/// Writes a request for every good row, in the order of the rows.
///
/// # Errors
/// Where the header and the templates do not fit, and where input or output fail. What is wrong
/// with single rows is in what is returned.
pub fn convert(
    input: impl Read + Send,
    recipe: &Recipe,
    reading: &Reading,
    output: &mut dyn Write,
) -> Result<Converted, ConvertError> {
    let mut input = Decoded::new(input, reading.encoding).map_err(ConvertError::Read)?;
    let mut head = Vec::new();
    let read = input.by_ref().take(HEAD).read_to_end(&mut head);
    read.map_err(ConvertError::Read)?;
    if head.trim_ascii().is_empty() {
        return Err(ConvertError::Empty);
    }
    let form = reading.form.unwrap_or_else(|| Form::of(&head));
    if memchr::memchr(b'\r', &head).is_some() && memchr::memchr(b'\n', &head).is_none() {
        return Err(ConvertError::Header(at_the_top(Flaw::OldLineEnds)));
    }
    let mut framer = Framer::new(input, head, form.separator(), LONGEST_ROW);
    let header = match form {
        Form::Separated(separator) => header(&mut framer, separator, recipe)?,
        Form::JsonLines => Header::default(),
    };
    let work = Work {
        recipe,
        form,
        header: Arc::new(header),
        workers: reading.workers,
    };
    let mut writer = Writer::new(output, reading);
    match pipeline::run(&mut framer, &work, |rendered| writer.take(rendered)) {
        Ok(()) => writer.finish(),
        Err(Stop::Read(error)) => Err(ConvertError::Read(error)),
        Err(Stop::Write(error)) => Err(ConvertError::Write(error)),
    }
}

/// Takes the header off the table and holds it against the templates.
fn header<R: Read>(
    framer: &mut Framer<R>,
    separator: u8,
    recipe: &Recipe,
) -> Result<Header, ConvertError> {
    let row = framer.header().map_err(ConvertError::Read)?;
    let (row, line) = match row.ok_or(ConvertError::Empty)? {
        HeaderRow::Whole(row, line) => (row, line),
        HeaderRow::Broken(problem) => return Err(ConvertError::Header(problem)),
    };
    let header = Splitter::new(separator)
        .split(&row)
        .and_then(|fields| Header::new(&fields))
        .and_then(|header| recipe.check(&header).map(|()| header));
    header.map_err(|flaw| ConvertError::Header(RowProblem { line, flaw }))
}

const fn at_the_top(flaw: Flaw) -> RowProblem {
    RowProblem { line: 1, flaw }
}

/// Writes what comes out of the pipeline, and keeps the account.
struct Writer<'a> {
    output: &'a mut dyn Write,
    reading: &'a Reading,
    /// The line of each `custom_id`.
    ids: HashMap<u128, u64>,
    prompt_bytes: u64,
    converted: Converted,
}

impl<'a> Writer<'a> {
    fn new(output: &'a mut dyn Write, reading: &'a Reading) -> Self {
        Self {
            output,
            reading,
            ids: HashMap::new(),
            prompt_bytes: 0,
            converted: Converted::default(),
        }
    }

    fn take(&mut self, rendered: Rendered) -> io::Result<()> {
        let mut problems = rendered.problems;
        let (mut start, mut written) = (0, 0);
        for request in &rendered.requests {
            let line = rendered.lines.get(start..request.end).unwrap_or_default();
            let first = request.id.map_or(request.line, |id| {
                *self.ids.entry(id).or_insert(request.line)
            });
            if first == request.line {
                self.converted.requests += 1;
                self.preview(line);
            } else {
                let id = preview(line).map_or_else(String::new, |preview| preview.custom_id);
                let flaw = Flaw::DuplicateId { id, first };
                problems.push(RowProblem {
                    line: request.line,
                    flaw,
                });
                self.write(rendered.lines.get(written..start).unwrap_or_default())?;
                written = request.end;
            }
            start = request.end;
        }
        self.write(rendered.lines.get(written..start).unwrap_or_default())?;
        self.prompt_bytes += rendered.prompt_bytes;
        self.converted.is_cut_short |= rendered.is_last;
        self.problems(problems);
        Ok(())
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.converted.bytes += lines.len() as u64;
        self.output.write_all(lines)
    }

    fn preview(&mut self, line: &[u8]) {
        if self.converted.previews.len() < self.reading.previews {
            self.converted.previews.extend(preview(line));
        }
    }

    fn problems(&mut self, mut problems: Vec<RowProblem>) {
        problems.sort_by_key(|problem| problem.line);
        self.converted.bad_rows += problems.len() as u64;
        let room = self
            .reading
            .problems
            .saturating_sub(self.converted.problems.len());
        self.converted
            .problems
            .extend(problems.into_iter().take(room));
    }

    fn finish(mut self) -> Result<Converted, ConvertError> {
        self.output.flush().map_err(ConvertError::Write)?;
        if self.converted.requests + self.converted.bad_rows == 0 {
            return Err(ConvertError::Empty);
        }
        self.converted.estimated_tokens = Tokens::estimated(self.prompt_bytes);
        Ok(self.converted)
    }
}

/// What a line of a batch file asks.
fn preview(line: &[u8]) -> Option<Preview> {
    #[derive(Deserialize)]
    struct Line {
        custom_id: String,
        body: Body,
    }
    #[derive(Deserialize)]
    struct Body {
        messages: Vec<Message>,
    }
    let line: Line = serde_json::from_slice(line).ok()?;
    Some(Preview {
        custom_id: line.custom_id,
        messages: line.body.messages,
    })
}

#[cfg(test)]
mod tests;
