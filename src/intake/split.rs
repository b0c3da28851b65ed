//! Cuts a stream of bytes into physical lines without holding more than one of them.

use std::io::{self, Read};

/// Bytes that are read at once, at least.
const CHUNK: usize = 1024 * 1024;

/// One physical line without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub enum RawLine<'a> {
    /// A line that is not too long.
    Bytes {
        /// The offset of its first byte in the (decompressed) file.
        at: u64,
        /// All of it.
        bytes: &'a [u8],
    },
    /// A line longer than allowed; it was read past and is not held.
    TooLong {
        /// Its length.
        bytes: u64,
    },
}

/// Reads lines into one buffer and lends them from there.
#[derive(Debug)]
pub struct Splitter<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// Offset of `start` in the file.
    at: u64,
    longest: usize,
}

impl<R: Read> Splitter<R> {
    /// Lines of at most `longest` bytes.
    pub fn new(reader: R, longest: usize) -> Self {
        Self {
            reader,
            buffer: vec![0; CHUNK],
            start: 0,
            end: 0,
            at: 0,
            longest,
        }
    }

    /// Bytes of the lines given out so far, line feeds included.
    pub const fn bytes(&self) -> u64 {
        self.at
    }

    /// The input.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// The next line, or nothing at the end.
    pub fn next_line(&mut self) -> io::Result<Option<RawLine<'_>>> {
        let mut searched = 0;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let found = memchr::memchr(b'\n', unread.get(searched..).unwrap_or_default());
            if let Some(length) = found.map(|more| searched + more) {
                return Ok(Some(self.lend(length, 1)));
            }
            searched = unread.len();
            if searched > self.longest {
                return self.read_past().map(Some);
            }
            if self.fill()? == 0 {
                return Ok((searched > 0).then(|| self.lend(searched, 0)));
            }
        }
    }

    fn lend(&mut self, length: usize, line_feed: usize) -> RawLine<'_> {
        let (from, at) = (self.start, self.at);
        self.start += length + line_feed;
        self.at += (length + line_feed) as u64;
        if length > self.longest {
            let bytes = length as u64;
            return RawLine::TooLong { bytes };
        }
        let bytes = self.buffer.get(from..from + length).unwrap_or_default();
        RawLine::Bytes { at, bytes }
    }

    /// Skips the rest of a line that is already too long, one buffer at a time.
    fn read_past(&mut self) -> io::Result<RawLine<'static>> {
        let mut bytes = 0;
        loop {
            let unread = self.buffer.get(self.start..self.end).unwrap_or_default();
            let found = memchr::memchr(b'\n', unread);
            let length = found.unwrap_or(unread.len());
            let taken = length + usize::from(found.is_some());
            bytes += length as u64;
            self.start += taken;
            self.at += taken as u64;
            if found.is_some() || self.fill()? == 0 {
                return Ok(RawLine::TooLong { bytes });
            }
        }
    }

    /// Reads more behind what is unread, which moves to the front of the buffer.
    fn fill(&mut self) -> io::Result<usize> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.buffer.len() {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(read) => {
                    self.end = (self.end + read).min(self.buffer.len());
                    return Ok(read);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives a few bytes at a time, as pipes do.
    struct Trickle<'a>(&'a [u8], usize);

    impl Read for Trickle<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(self.0.len()).min(buffer.len());
            let (now, later) = self.0.split_at(step);
            buffer[..step].copy_from_slice(now);
            self.0 = later;
            Ok(step)
        }
    }

    fn lines(bytes: &[u8], step: usize, longest: usize) -> Vec<Result<(u64, Vec<u8>), u64>> {
        let mut splitter = Splitter::new(Trickle(bytes, step), longest);
        let mut all = Vec::new();
        while let Some(line) = splitter.next_line().unwrap() {
            all.push(match line {
                RawLine::Bytes { at, bytes } => Ok((at, bytes.to_vec())),
                RawLine::TooLong { bytes } => Err(bytes),
            });
        }
        assert_eq!(splitter.bytes(), bytes.len() as u64);
        all
    }

    #[test]
    fn a_last_line_needs_no_line_feed() {
        let expected = [
            Ok((0, b"a".to_vec())),
            Ok((2, b"".to_vec())),
            Ok((3, b"b".to_vec())),
        ];
        assert_eq!(lines(b"a\n\nb", 9, 9), expected);
        assert_eq!(lines(b"a\n\nb\n", 9, 9), expected);
    }

    #[test]
    fn a_line_far_longer_than_the_buffer_is_read_past() {
        let mut bytes = vec![b'x'; 3 * CHUNK];
        bytes.extend_from_slice(b"\nshort\n");
        let after = 3 * CHUNK as u64 + 1;
        assert_eq!(
            lines(&bytes, CHUNK, 100),
            [Err(3 * CHUNK as u64), Ok((after, b"short".to_vec()))]
        );
    }

    #[test]
    fn a_line_longer_than_the_buffer_but_allowed_is_whole() {
        let bytes = vec![b'x'; 2 * CHUNK + 5];
        assert_eq!(lines(&bytes, 70_000, 3 * CHUNK), [Ok((0, bytes))]);
    }

    proptest! {
        #[test]
        fn lines_are_what_splitting_gives(
            bytes in proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..200),
            step in 1usize..50,
            longest in 0usize..20,
        ) {
            let mut expected: Vec<_> = bytes.split(|&byte| byte == b'\n').collect();
            if expected.last().is_some_and(|last| last.is_empty()) {
                expected.pop();
            }
            let found = lines(&bytes, step, longest);
            prop_assert_eq!(found.len(), expected.len());
            for (line, whole) in found.iter().zip(expected) {
                match line {
                    Ok((_, text)) => prop_assert_eq!(text, whole),
                    Err(length) => {
                        prop_assert!(whole.len() > longest);
                        prop_assert_eq!(*length, whole.len() as u64);
                    }
                }
            }
        }
    }
}
