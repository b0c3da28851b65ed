//! The lines of a result file, and what is wrong with those that are no results.

use std::io::{self, Read};

use serde::Serialize;

use super::line::LineError;
use super::observation::Observation;
use crate::intake::{RawLine, Rules, Splitter};

/// What reading a result file met besides results.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Results.
    pub results: u64,
    /// Lines that are no JSON object, such as the last one of a file that was cut off.
    pub not_json: Lines,
    /// Lines that are requests.
    pub requests: Lines,
    /// Lines that are something else.
    pub not_results: Lines,
}

/// Lines of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// How many.
    pub count: u64,
    /// The first, from 1.
    pub first: Option<u64>,
}

impl Lines {
    fn add(&mut self, line: u64) {
        self.count += 1;
        self.first = self.first.or(Some(line));
    }
}

impl Reading {
    /// Whether every line is a result, and there is one.
    pub const fn is_clean(&self) -> bool {
        let others = self.not_json.count + self.requests.count + self.not_results.count;
        self.results > 0 && others == 0
    }
}

/// Gives every result of a file to `each`. Blank lines are skipped, lines that are no results
/// counted.
///
/// # Errors
/// Those of the input and those of `each`.
pub fn read_results(
    input: impl Read,
    mut each: impl FnMut(Observation) -> io::Result<()>,
) -> io::Result<Reading> {
    let mut splitter = Splitter::new(input, Rules::default().longest_line);
    let mut reading = Reading::default();
    let mut number = 0;
    while let Some(line) = splitter.next_line()? {
        number += 1;
        let found = match line {
            RawLine::Bytes { bytes, .. } => {
                let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
                if bytes.trim_ascii().is_empty() {
                    continue;
                }
                Observation::of_line(bytes)
            }
            RawLine::TooLong { .. } => Err(LineError::NotJson),
        };
        match found {
            Ok(observation) => {
                reading.results += 1;
                each(observation)?;
            }
            Err(LineError::NotJson) => reading.not_json.add(number),
            Err(LineError::Request) => reading.requests.add(number),
            Err(LineError::NotAResult) => reading.not_results.add(number),
        }
    }
    Ok(reading)
}
