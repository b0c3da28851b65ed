//! The lines of a result file, and what is wrong with those that are no results.

use std::collections::BTreeMap;
use std::io::{self, Read};

use serde::Serialize;

use super::line::LineError;
use super::observation::Observation;
use crate::intake::{RawLine, Rules, Splitter};

/// What reading a result file met besides results.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Reading {
    /// Results.
    pub results: u64,
    /// Lines that are no results, by what they are.
    pub skipped: BTreeMap<LineError, Lines>,
}

/// Lines of one kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// How many.
    pub count: u64,
    /// The first, from 1.
    pub first_line: u64,
}

impl Reading {
    /// Whether every line is a result, and there is one.
    pub fn is_clean(&self) -> bool {
        self.results > 0 && self.skipped.is_empty()
    }

    fn skip(&mut self, error: LineError, line: u64) {
        let lines = self.skipped.entry(error).or_insert(Lines {
            count: 0,
            first_line: line,
        });
        lines.count += 1;
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
            Err(error) => reading.skip(error, number),
        }
    }
    Ok(reading)
}
