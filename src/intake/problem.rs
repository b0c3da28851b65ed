//! What is wrong with a batch file, in words that name the place and the cure.

use std::fmt;

use serde::Serialize;

use super::json::{Kind, Object};
use super::place::Place;
use crate::base::{elide, shown};

/// Problems that are kept of one line; a line of 64 MiB could hold millions.
const KEPT_PER_LINE: usize = 50;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Physical line, from 1; none when it is about the whole file.
    pub line: Option<u64>,
    /// Path of the field within the line, such as `body.messages[3].content`.
    pub field: Option<String>,
    /// Which kind.
    pub code: ProblemCode,
    /// What is wrong. Outside text in it is cut short and safe to show.
    pub what: String,
    /// What to do about it.
    #[serde(rename = "hint")]
    pub cure: String,
}

impl Problem {
    /// The problem of a file that holds no line at all, or only blank ones.
    pub fn empty_file() -> Self {
        Self::of_file(
            ProblemCode::EmptyFile,
            "the file holds no request",
            "write one request on each line",
        )
    }

    pub(super) fn of_file(code: ProblemCode, what: impl Into<String>, cure: &str) -> Self {
        Self {
            line: None,
            field: None,
            code,
            what: what.into(),
            cure: cure.to_owned(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}")?,
            None => f.write_str("file")?,
        }
        if let Some(field) = &self.field {
            write!(f, ", {field}")?;
        }
        write!(f, ": {}", self.what)
    }
}

macro_rules! problem_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// The kinds of problems. Those that OpenAI's Batch API knows have its names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum ProblemCode {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl ProblemCode {
            /// Every code, in the order they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of the code.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }
    };
}

problem_codes! {
    /// The line is not one JSON object.
    InvalidJsonLine = "invalid_json_line",
    /// Bytes that are no UTF-8.
    InvalidUtf8 = "invalid_utf8",
    /// A byte 0 in the line.
    NulByte = "nul_byte",
    /// The line is longer than 64 MiB.
    LineTooLong = "line_too_long",
    /// Lists and objects are nested deeper than 128 levels.
    NestingTooDeep = "nesting_too_deep",
    /// A field that must be there is not.
    MissingParameter = "missing_required_parameter",
    /// A field has a value of the wrong type.
    InvalidType = "invalid_type",
    /// A field has the right type, but a value that is not allowed.
    InvalidValue = "invalid_value",
    /// The same field twice in one object.
    DuplicateField = "duplicate_field",
    /// The same `custom_id` on two lines.
    DuplicateCustomId = "duplicate_custom_id",
    /// Another method than POST.
    InvalidMethod = "invalid_method",
    /// An address that is none of the three endpoints.
    InvalidUrl = "invalid_url",
    /// Another endpoint than that of the lines before.
    UrlMismatch = "url_mismatch",
    /// `stream: true`.
    Streaming = "streaming_unsupported",
    /// Something that Ollama cannot do and whose absence would change the answer.
    Unsupported = "unsupported_parameter",
    /// The file holds no request.
    EmptyFile = "empty_file",
    /// The file cannot be read to its end, or was changed meanwhile.
    UnreadableFile = "unreadable_file",
}

impl fmt::Display for ProblemCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What reading a line says besides the request itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Remarks {
    /// Bytes of JSON that the model reads as text: contents, tools, prompts, inputs.
    pub prompt_bytes: u64,
    /// What the prompt begins with, where it begins with tools or system messages.
    pub lead: Option<Lead>,
    /// Paths of fields that are understood but change nothing here.
    pub without_effect: Vec<String>,
    /// Paths of fields that nobody knows; they are kept.
    pub unknown: Vec<String>,
}

/// The tools and system messages at the beginning of a prompt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lead {
    /// Their length as JSON.
    pub bytes: u64,
    /// Where in the request's body the first of them stands.
    pub first: std::ops::Range<usize>,
}

/// Gathers what there is to say about one line.
pub(super) struct Findings {
    line: u64,
    pub(super) problems: Vec<Problem>,
    pub(super) more: u64,
    pub(super) remarks: Remarks,
}

impl Findings {
    pub(super) fn new(line: u64) -> Self {
        Self {
            line,
            problems: Vec::new(),
            more: 0,
            remarks: Remarks::default(),
        }
    }

    /// Notes a problem at a place.
    pub(super) fn add(
        &mut self,
        place: &Place<'_>,
        code: ProblemCode,
        what: impl Into<String>,
        cure: impl Into<String>,
    ) {
        if self.problems.len() >= KEPT_PER_LINE {
            self.more += 1;
            return;
        }
        self.problems.push(Problem {
            line: Some(self.line),
            field: place.path(),
            code,
            what: what.into(),
            cure: cure.into(),
        });
    }

    /// Notes that a value is of the wrong type. `expected` reads like `a string`.
    pub(super) fn wrong_type(&mut self, place: &Place<'_>, raw: &str, expected: &str) {
        let what = format!("must be {expected}, but is {}", described(raw));
        let cure = format!("write {expected}");
        self.add(place, ProblemCode::InvalidType, what, cure);
    }

    /// Notes that a field is not there.
    pub(super) fn missing(&mut self, place: &Place<'_>, cure: &str) {
        self.add(place, ProblemCode::MissingParameter, "is missing", cure);
    }

    /// Notes something that Ollama cannot do.
    pub(super) fn unsupported(&mut self, place: &Place<'_>, what: &str, cure: &str) {
        self.add(place, ProblemCode::Unsupported, what, cure);
    }

    /// Notes what is wrong with an object as such: fields that stand there twice, too many fields.
    pub(super) fn object(&mut self, place: &Place<'_>, object: &Object<'_>) {
        for name in object.repeated() {
            self.add(
                &place.field(name),
                ProblemCode::DuplicateField,
                "stands there twice",
                "leave one of them; programs differ in which one they take",
            );
        }
        if object.too_many {
            let what = "the object has more than 1,000 fields";
            self.add(
                place,
                ProblemCode::InvalidValue,
                what,
                "leave most of them out",
            );
        }
    }

    /// The line that this is about.
    pub(super) const fn line(&self) -> u64 {
        self.line
    }

    pub(super) fn without_effect(&mut self, place: &Place<'_>) {
        push_bounded(&mut self.remarks.without_effect, place);
    }

    pub(super) fn unknown(&mut self, place: &Place<'_>) {
        push_bounded(&mut self.remarks.unknown, place);
    }

    pub(super) const fn is_clean(&self) -> bool {
        self.problems.is_empty()
    }
}

fn push_bounded(paths: &mut Vec<String>, place: &Place<'_>) {
    if paths.len() < KEPT_PER_LINE {
        paths.extend(place.general_path());
    }
}

/// Outside text between backticks, short and safe to show.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 200;
    let head: String = text.chars().take(LONGEST).collect();
    format!("`{}`", elide(&shown(&head), 40))
}

/// A JSON value in words: the number 5, a list.
fn described(raw: &str) -> String {
    match Kind::of(raw) {
        Kind::Text => match raw.trim_matches('"') {
            "" => "an empty string".to_owned(),
            text => format!("the string {}", quoted(text)),
        },
        Kind::Number => format!("the number {}", quoted(raw)),
        Kind::Boolean => format!("the boolean {}", quoted(raw)),
        kind => kind.to_string(),
    }
}
