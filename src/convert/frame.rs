//! Cuts a table into rows without looking into them, so that several threads can.
//!
//! A row ends at a line feed that is not inside quotes. A quote opens only at the beginning of a
//! field (RFC 4180, and what `csv-core` does with the row afterwards); elsewhere it is a character
//! like any other.

use std::io::{self, Read};
use std::ops::Range;

use super::problem::{Flaw, RowProblem};

/// Bytes of rows that are handed on at once, at least.
const BLOCK: usize = 256 * 1024;

/// Bytes after which the end of a row is looked for no longer; it bounds the memory of reading to
/// twice as much.
pub(super) const LONGEST_ROW: usize = 64 * 1024 * 1024;

/// Where a row stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Frame {
    /// Its bytes in the block, without the end of the line.
    pub(super) bytes: Range<usize>,
    /// The line it begins on, from 1.
    pub(super) line: u64,
}

/// Some whole rows.
#[derive(Debug, Default)]
pub(super) struct Block {
    pub(super) bytes: Vec<u8>,
    pub(super) frames: Vec<Frame>,
    /// Rows before the first of these, blank ones not counted.
    pub(super) rows_before: u64,
    /// Why nothing comes after this block.
    pub(super) end: Option<RowProblem>,
}

/// The first row of a table.
#[derive(Debug)]
pub(super) enum HeaderRow {
    /// Its bytes and the line it begins on.
    Whole(Vec<u8>, u64),
    /// It has no end.
    Broken(RowProblem),
}

/// Gives blocks of rows.
pub(super) struct Framer<R> {
    input: R,
    separator: Option<u8>,
    buffer: Vec<u8>,
    scan: Scan,
    rows: u64,
    longest: usize,
    over: bool,
    /// The block that the header was taken from.
    first: Option<Block>,
}

impl<R: Read> Framer<R> {
    /// `separator` is that of the fields, where they may be quoted. `head` was read already.
    pub(super) fn new(input: R, head: Vec<u8>, separator: Option<u8>, longest: usize) -> Self {
        Self {
            input,
            separator,
            buffer: head,
            scan: Scan::default(),
            rows: 0,
            longest,
            over: false,
            first: None,
        }
    }

    /// Takes the first row off; nothing where there is none.
    pub(super) fn header(&mut self) -> io::Result<Option<HeaderRow>> {
        let Some(mut block) = self.next_block()? else {
            return Ok(None);
        };
        if block.frames.is_empty() {
            return Ok(block.end.map(HeaderRow::Broken));
        }
        let frame = block.frames.remove(0);
        let row = block.bytes.get(frame.bytes).unwrap_or_default().to_vec();
        self.rows -= 1;
        self.first = Some(block);
        Ok(Some(HeaderRow::Whole(row, frame.line)))
    }

    /// The next rows; nothing at the end.
    pub(super) fn next_block(&mut self) -> io::Result<Option<Block>> {
        if let Some(block) = self.first.take() {
            return Ok(Some(block));
        }
        let mut block = Block {
            rows_before: self.rows,
            ..Block::default()
        };
        while !self.over && block.end.is_none() {
            self.fill()?;
            self.scan
                .run(&self.buffer, self.separator, self.over, &mut block.frames);
            let pending = self.buffer.len() - self.scan.row_start;
            block.end = self.problem(pending);
            if self.scan.row_start >= BLOCK || (self.over && self.scan.row_start > 0) {
                break;
            }
        }
        if block.frames.is_empty() && block.end.is_none() {
            return Ok(None);
        }
        self.over |= block.end.is_some();
        let rest = self.buffer.split_off(self.scan.row_start);
        self.scan.forget(self.scan.row_start);
        block.bytes = std::mem::replace(&mut self.buffer, rest);
        self.rows += block.frames.len() as u64;
        Ok(Some(block))
    }

    fn fill(&mut self) -> io::Result<()> {
        let wanted = BLOCK.max(self.buffer.len()) as u64;
        let read = self
            .input
            .by_ref()
            .take(wanted)
            .read_to_end(&mut self.buffer)?;
        self.over = (read as u64) < wanted;
        Ok(())
    }

    /// What is wrong with the row that is not complete yet.
    fn problem(&self, pending: usize) -> Option<RowProblem> {
        let is_too_long = pending > self.longest;
        match self.scan.quote {
            Some(line) if self.over || is_too_long => Some(RowProblem {
                line,
                flaw: Flaw::UnclosedQuote,
            }),
            None if is_too_long => Some(RowProblem {
                line: self.scan.row_line,
                flaw: Flaw::TooLong {
                    longest: self.longest as u64,
                },
            }),
            _ => None,
        }
    }
}

/// How far the looking for ends of rows has come.
struct Scan {
    at: usize,
    line: u64,
    row_start: usize,
    row_line: u64,
    /// The line on which the quote opened that is not closed yet.
    quote: Option<u64>,
}

impl Default for Scan {
    fn default() -> Self {
        Self {
            at: 0,
            line: 1,
            row_start: 0,
            row_line: 1,
            quote: None,
        }
    }
}

impl Scan {
    fn run(&mut self, bytes: &[u8], separator: Option<u8>, is_end: bool, frames: &mut Vec<Frame>) {
        loop {
            let more = match self.quote {
                Some(_) => self.inside(bytes, is_end),
                None => self.outside(bytes, separator, frames),
            };
            if !more {
                break;
            }
        }
        if is_end && self.quote.is_none() && self.row_start < bytes.len() {
            self.row_ends(bytes, bytes.len(), frames);
            self.row_start = bytes.len();
        }
    }

    /// Looks for the end of a quoted field. False when the bytes are used up.
    fn inside(&mut self, bytes: &[u8], is_end: bool) -> bool {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let found = memchr::memchr(b'"', rest);
        let passed = rest.get(..found.unwrap_or(rest.len())).unwrap_or_default();
        self.line += memchr::memchr_iter(b'\n', passed).count() as u64;
        self.at += passed.len();
        if found.is_none() {
            return false;
        }
        match bytes.get(self.at + 1) {
            Some(b'"') => self.at += 2,
            None if !is_end => return false,
            _ => {
                self.quote = None;
                self.at += 1;
            }
        }
        true
    }

    /// Looks for the end of the row, or the beginning of a quoted field.
    fn outside(&mut self, bytes: &[u8], separator: Option<u8>, frames: &mut Vec<Frame>) -> bool {
        let rest = bytes.get(self.at..).unwrap_or_default();
        let found = match separator {
            Some(_) => memchr::memchr2(b'\n', b'"', rest),
            None => memchr::memchr(b'\n', rest),
        };
        let Some(found) = found.map(|found| self.at + found) else {
            self.at = bytes.len();
            return false;
        };
        self.at = found + 1;
        if bytes.get(found) == Some(&b'\n') {
            self.row_ends(bytes, found, frames);
            self.line += 1;
            self.row_start = self.at;
            self.row_line = self.line;
        } else {
            let before = found.checked_sub(1).and_then(|before| bytes.get(before));
            if found == self.row_start || before.copied() == separator {
                self.quote = Some(self.line);
            }
        }
        true
    }

    fn row_ends(&self, bytes: &[u8], end: usize, frames: &mut Vec<Frame>) {
        let row = bytes.get(self.row_start..end).unwrap_or_default();
        let length = row.strip_suffix(b"\r").unwrap_or(row).len();
        if length > 0 {
            frames.push(Frame {
                bytes: self.row_start..self.row_start + length,
                line: self.row_line,
            });
        }
    }

    /// So many bytes were taken away from the front.
    const fn forget(&mut self, taken: usize) {
        self.at -= taken;
        self.row_start = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn rows(bytes: &[u8], separator: Option<u8>) -> (Vec<(u64, String)>, Option<RowProblem>) {
        let mut framer = Framer::new(bytes, Vec::new(), separator, LONGEST_ROW);
        let (mut rows, mut end) = (Vec::new(), None);
        while let Some(block) = framer.next_block().unwrap() {
            assert_eq!(block.rows_before, rows.len() as u64);
            for frame in block.frames {
                let text = String::from_utf8_lossy(&block.bytes[frame.bytes]).into_owned();
                rows.push((frame.line, text));
            }
            end = block.end;
        }
        (rows, end)
    }

    #[rstest]
    #[case("", &[])]
    #[case("a\n", &[(1, "a")])]
    #[case("a\r\n\r\nb", &[(1, "a"), (3, "b")])]
    #[case("\"a\n\nb\",c\nd\n", &[(1, "\"a\n\nb\",c"), (4, "d")])]
    #[case("x,\"say \"\"hi\"\"\n\"\ny", &[(1, "x,\"say \"\"hi\"\"\n\""), (3, "y")])]
    #[case("5\" pipe\nb", &[(1, "5\" pipe"), (2, "b")])]
    #[case("\"\"\n\"\"\"\"\n", &[(1, "\"\""), (2, "\"\"\"\"")])]
    fn a_row_ends_outside_of_quotes(#[case] text: &str, #[case] expected: &[(u64, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(line, row)| (*line, (*row).to_owned()))
            .collect();
        assert_eq!(rows(text.as_bytes(), Some(b',')), (expected, None));
    }

    #[test]
    fn without_a_separator_quotes_mean_nothing() {
        let (rows, end) = rows(b"\"a\nb\n", None);
        assert_eq!((rows.len(), end), (2, None));
    }

    #[test]
    fn a_quote_that_never_closes_is_named_by_its_own_line() {
        let (rows, end) = rows(b"a,b\n\"x\ny\",\"open\nto the\nend\n", Some(b','));
        assert_eq!(rows.len(), 1);
        let problem = end.unwrap();
        assert_eq!((problem.line, problem.flaw), (3, Flaw::UnclosedQuote));
    }

    #[test]
    fn a_row_that_never_ends_is_not_held() {
        let mut framer = Framer::new(io::repeat(b'x'), Vec::new(), Some(b','), 1_000_000);
        let block = framer.next_block().unwrap().unwrap();
        let flaw = Flaw::TooLong { longest: 1_000_000 };
        assert_eq!(block.end, Some(RowProblem { line: 1, flaw }));
        assert!(framer.next_block().unwrap().is_none());
    }

    #[test]
    fn rows_longer_than_a_block_are_whole() {
        let long = "é".repeat(BLOCK);
        let text = format!("a\n\"{long}\n\"\nb\n");
        let (rows, end) = rows(text.as_bytes(), Some(b','));
        assert_eq!(end, None);
        assert_eq!(rows[1], (2, format!("\"{long}\n\"")));
        assert_eq!(rows[2], (4, "b".to_owned()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn rows_are_those_that_the_csv_crate_wrote(
            records in prop::collection::vec(prop::collection::vec("[a\",;\n\r\t é]{0,8}", 2), 0..20),
            times in prop_oneof![Just(1usize), Just(2_000)],
        ) {
            let written: Vec<Vec<u8>> = records
                .iter()
                .map(|record| {
                    let mut writer = csv::Writer::from_writer(Vec::new());
                    writer.write_record(record).unwrap();
                    writer.into_inner().unwrap()
                })
                .collect();
            let bytes = written.concat().repeat(times);
            let (rows, end) = rows(&bytes, Some(b','));
            prop_assert_eq!(end, None);
            prop_assert_eq!(rows.len(), records.len() * times);
            let mut line = 1;
            for ((at, row), expected) in rows.iter().zip(written.iter().cycle()) {
                prop_assert_eq!(row.as_bytes(), &expected[..expected.len() - 1]);
                prop_assert_eq!(*at, line);
                line += memchr::memchr_iter(b'\n', expected).count() as u64;
            }
        }
    }
}
