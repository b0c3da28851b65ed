//! What is wrong with a table or a template, in words that name the place and the cure.

use std::fmt;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::base::{count, elide, shown};

/// Something that is wrong with one row; line 1 is the header of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// Physical line on which it begins, from 1.
    pub line: u64,
    /// What it is.
    pub flaw: Flaw,
}

/// The kinds of problems.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A row has more or fewer fields than the header.
    #[error("the row has {found} fields, the header has {expected}{}", named(missing.as_ref()))]
    Ragged {
        /// Fields of the row.
        found: usize,
        /// Columns of the header.
        expected: usize,
        /// The first column that has no field.
        missing: Option<String>,
    },
    /// A quote opens on this line, and the file ends before it closes.
    #[error("a quote opens here and never closes")]
    UnclosedQuote,
    /// The row is longer than can be held.
    #[error("the row is longer than {} bytes", count(*longest))]
    TooLong {
        /// Bytes that a row may have.
        longest: u64,
    },
    /// The request of a row is longer than a line of a batch file may be.
    #[error("the request of this row is longer than {} bytes", count(*longest))]
    LongRequest {
        /// Bytes that it may have.
        longest: u64,
    },
    /// A byte 0.
    #[error("the row holds a NUL byte")]
    NulByte,
    /// Bytes that are no UTF-8.
    #[error("byte {offset} of the row is no UTF-8")]
    InvalidUtf8 {
        /// The first bad byte, from 1.
        offset: usize,
    },
    /// A line of JSON that is not one object.
    #[error("the line is not one JSON object: {what}")]
    NotAnObject {
        /// What the parser says.
        what: String,
    },
    /// Two columns with one name.
    #[error(
        "the column {} stands there twice, as number {first} and {second}",
        quoted(name)
    )]
    DuplicateColumn {
        /// The name.
        name: String,
        /// The place of the first, from 1.
        first: usize,
        /// The place of the second, from 1.
        second: usize,
    },
    /// Lines that end with a carriage return alone.
    #[error("the lines end with a carriage return alone")]
    OldLineEnds,
    /// A name in a template, or the one of `--id`, that no column has.
    #[error("{template}: there is no column {}", quoted(name))]
    UnknownColumn {
        /// Where it is asked for.
        template: Place,
        /// The name.
        name: String,
        /// The column whose name is nearest.
        nearest: Option<String>,
        /// All columns, in short.
        columns: String,
    },
    /// A template that cannot be read or rendered.
    #[error("{template}: {what}")]
    Template {
        /// Where.
        template: Place,
        /// What is wrong.
        what: String,
    },
    /// A prompt without a single letter.
    #[error("the prompt is empty")]
    EmptyPrompt,
    /// A `custom_id` without a single letter.
    #[error("the `custom_id` is empty")]
    EmptyId,
    /// A `custom_id` that an earlier row has.
    #[error("the `custom_id` {} is already used on line {first}", quoted(id))]
    DuplicateId {
        /// The id.
        id: String,
        /// The line of the row that has it.
        first: u64,
    },
}

/// A place in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Which template: `prompt`, `system`, `id`.
    pub template: &'static str,
    /// Line of the template, from 1.
    pub line: usize,
    /// Character in that line, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            template,
            line,
            column,
        } = self;
        write!(f, "template of `{template}`, line {line}, column {column}")
    }
}

impl Flaw {
    /// What to do about it.
    pub fn cure(&self) -> String {
        match self {
            Self::Ragged { found, expected, .. } if found > expected => {
                "put a field that holds the separator in quotes, or name the separator with `--separator`".to_owned()
            }
            Self::Ragged { .. } => "add the missing fields; empty ones count".to_owned(),
            Self::UnclosedQuote => "close the quote, or write it twice where it belongs to the text".to_owned(),
            Self::TooLong { .. } => "look for a line end that is missing, or split the row".to_owned(),
            Self::LongRequest { .. } => "use less of the row in the template, or split the row".to_owned(),
            Self::NulByte => "take it out; a UTF-16 file without a byte order mark needs `--encoding utf-16le`".to_owned(),
            Self::InvalidUtf8 { .. } => "save the file as UTF-8, or try `--encoding windows-1252`".to_owned(),
            Self::NotAnObject { .. } => "write one object on each line, or name the format with `--format`".to_owned(),
            Self::DuplicateColumn { .. } => "rename one of them".to_owned(),
            Self::OldLineEnds => "save the file with LF or CRLF line ends".to_owned(),
            Self::UnknownColumn { nearest: Some(nearest), .. } => {
                format!("did you mean {}?", quoted(nearest))
            }
            Self::UnknownColumn { columns, .. } => format!("the columns are {columns}"),
            Self::Template { .. } => "templates are those of Jinja: `{{ column }}`, `{% if column %} … {% endif %}`".to_owned(),
            Self::EmptyPrompt => "fill the columns that the template uses, or leave the row out with `--skip-invalid`".to_owned(),
            Self::EmptyId => "fill the column, or choose another with `--id`".to_owned(),
            Self::DuplicateId { .. } => "choose a column whose values differ, or number the rows: `--id 'row-{{ row_number }}'`".to_owned(),
        }
    }

    /// The name of its kind.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Ragged { .. } => "ragged_row",
            Self::UnclosedQuote => "unclosed_quote",
            Self::TooLong { .. } => "row_too_long",
            Self::LongRequest { .. } => "request_too_long",
            Self::NulByte => "nul_byte",
            Self::InvalidUtf8 { .. } => "invalid_utf8",
            Self::NotAnObject { .. } => "invalid_json_line",
            Self::DuplicateColumn { .. } => "duplicate_column",
            Self::OldLineEnds => "invalid_line_ends",
            Self::UnknownColumn { .. } => "unknown_column",
            Self::Template { .. } => "template_error",
            Self::EmptyPrompt => "empty_prompt",
            Self::EmptyId => "empty_custom_id",
            Self::DuplicateId { .. } => "duplicate_custom_id",
        }
    }
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.flaw)
    }
}

impl Serialize for RowProblem {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("RowProblem", 4)?;
        fields.serialize_field("line", &self.line)?;
        fields.serialize_field("code", self.flaw.code())?;
        fields.serialize_field("what", &self.flaw.to_string())?;
        fields.serialize_field("cure", &self.flaw.cure())?;
        fields.end()
    }
}

fn named(missing: Option<&String>) -> String {
    missing.map_or_else(String::new, |name| {
        format!("; the first without a field is {}", quoted(name))
    })
}

/// Outside text between backticks, short and safe to show.
pub(super) fn quoted(text: &str) -> String {
    let head: String = text.chars().take(200).collect();
    format!("`{}`", elide(&shown(&head), 40))
}
