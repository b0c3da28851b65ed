//! Cuts a stream of bytes into lines, with bounded memory.

use crate::model::{Failure, FailureClass};

/// The part of a line that has no end yet. A line may be cut anywhere, also inside a character.
#[derive(Debug)]
pub(super) struct Lines {
    rest: Vec<u8>,
    limit: usize,
}

impl Lines {
    /// Lines of at most `limit` bytes.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            rest: Vec::new(),
            limit,
        }
    }

    /// Takes what has arrived and hands on each line that it completes. Blank lines are left out.
    pub(super) fn push(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, after) = bytes.split_at(end);
            bytes = after.get(1..).unwrap_or_default();
            if self.rest.is_empty() {
                pass_on(line, &mut each)?;
            } else {
                self.keep(line)?;
                pass_on(&self.rest, &mut each)?;
                self.rest.clear();
            }
        }
        self.keep(bytes)
    }

    /// The last line, which need not end with a newline.
    pub(super) fn finish(
        self,
        mut each: impl FnMut(&[u8]) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        pass_on(&self.rest, &mut each)
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        if self.rest.len() + bytes.len() > self.limit {
            return Err(Failure::new(
                FailureClass::BadReply,
                format!(
                    "the server's answer has a line of more than {} bytes",
                    self.limit
                ),
            ));
        }
        self.rest.extend_from_slice(bytes);
        Ok(())
    }
}

fn pass_on(
    line: &[u8],
    each: &mut impl FnMut(&[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if line.trim_ascii().is_empty() {
        return Ok(());
    }
    each(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(pieces: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::new(1_000);
        let mut seen = Vec::new();
        let mut note = |line: &[u8]| {
            seen.push(String::from_utf8(line.to_vec()).unwrap());
            Ok(())
        };
        for piece in pieces {
            lines.push(piece, &mut note).unwrap();
        }
        lines.finish(&mut note).unwrap();
        seen
    }

    #[test]
    fn it_does_not_matter_where_the_bytes_are_cut() {
        let text = "{\"a\":\"ä\"}\n\n{\"b\":\"日\"}\r\n{\"c\":1}".as_bytes();
        let whole = cut(&[text]);
        assert_eq!(whole.len(), 3);
        for at in 0..text.len() {
            assert_eq!(cut(&[&text[..at], &text[at..]]), whole);
        }
        assert_eq!(cut(&text.chunks(1).collect::<Vec<_>>()), whole);
    }

    #[test]
    fn a_line_without_end_is_refused() {
        let mut lines = Lines::new(10);
        lines.push(b"12345", |_| Ok(())).unwrap();
        let failure = lines.push(b"6789012", |_| Ok(())).unwrap_err();
        assert_eq!(failure.class, FailureClass::BadReply);
    }
}
