//! The lines of a batch file, one judged item after the other.

use std::io::{self, Read};
use std::iter::FusedIterator;

use super::line::Judge;
use super::problem::{Problem, Remarks};
use super::split::{RawLine, Splitter};
use crate::model::NewRequest;

/// What a line must fulfil beyond its own shape.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Whether a model is given for all lines, so that `body.model` may be missing.
    pub model_override: bool,
    /// Bytes that one line may have; it is the memory that reading takes at most.
    pub longest_line: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            model_override: false,
            longest_line: 64 * 1024 * 1024,
        }
    }
}

/// A line that is not blank.
#[derive(Debug, Clone, PartialEq)]
pub enum Item {
    /// A valid request, with what is worth remarking about it.
    Request(NewRequest, Remarks),
    /// No valid request.
    Invalid(InvalidLine),
}

/// A line with at least one problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidLine {
    /// Physical line, from 1.
    pub line: u64,
    /// Its `custom_id`, where one could be read. It may be that of an earlier line.
    pub custom_id: Option<String>,
    /// What is wrong with it, at most 50.
    pub problems: Vec<Problem>,
    /// Problems that the list leaves out.
    pub more: u64,
}

/// Why reading stopped before the end of the file.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The compressed data stop in the middle: an unfinished download, most often.
    #[error("the compressed data end too early, in line {line}")]
    CutOff {
        /// The line that was being read.
        line: u64,
    },
    /// The compressed data are not what was compressed.
    #[error("the compressed data are damaged, in line {line}: {source}")]
    Damaged {
        /// The line that was being read.
        line: u64,
        /// What the decompressor reports.
        source: io::Error,
    },
    /// The operating system reports an error.
    #[error("cannot read on in line {line}: {source}")]
    Io {
        /// The line that was being read.
        line: u64,
        /// What it reports.
        source: io::Error,
    },
}

impl ReadError {
    fn new(line: u64, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::CutOff { line },
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::Damaged { line, source }
            }
            _ => Self::Io { line, source },
        }
    }

    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::CutOff { .. } => "fetch or compress the file again; it is not complete",
            Self::Damaged { .. } => "fetch or compress the file again",
            Self::Io { .. } => "check the disk or the network share that it is on",
        }
    }
}

/// Reads a batch file line by line. Blank lines are skipped, but counted; CRLF line ends and a
/// byte order mark are accepted.
///
/// Memory: one line (at most [`Rules::longest_line`]) and, for finding a `custom_id` that is used
/// twice, 24 bytes for each line with a `custom_id`: a 128-bit hash and the number of its line.
/// (The table doubles when it is full, so that it may take up to twice that.)
pub struct Lines<R> {
    splitter: Splitter<R>,
    judge: Judge,
    line: u64,
    over: bool,
}

impl<R: Read> Lines<R> {
    /// Lines of what `input` gives.
    pub fn new(input: R, rules: Rules) -> Self {
        Self {
            splitter: Splitter::new(input, rules.longest_line),
            judge: Judge::new(rules),
            line: 0,
            over: false,
        }
    }

    /// Physical lines read so far, blank ones included.
    pub const fn line(&self) -> u64 {
        self.line
    }

    /// Bytes of those lines, after decompression.
    pub const fn bytes(&self) -> u64 {
        self.splitter.bytes()
    }

    /// The input, for [`Input::finish`](super::Input::finish).
    pub fn into_input(self) -> R {
        self.splitter.into_inner()
    }
}

impl<R: Read> Iterator for Lines<R> {
    type Item = Result<Item, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.over {
            let raw = match self.splitter.next_line() {
                Ok(Some(raw)) => raw,
                Ok(None) => break,
                Err(source) => {
                    self.over = true;
                    return Some(Err(ReadError::new(self.line + 1, source)));
                }
            };
            self.line += 1;
            let item = match raw {
                RawLine::TooLong { bytes } => Some(self.judge.too_long(self.line, bytes)),
                RawLine::Bytes { at, bytes } => self.judge.line(self.line, at, bytes),
            };
            if let Some(item) = item {
                return Some(Ok(item));
            }
        }
        self.over = true;
        None
    }
}

impl<R: Read> FusedIterator for Lines<R> {}
