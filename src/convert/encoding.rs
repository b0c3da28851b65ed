//! From the bytes of a file to UTF-8, whatever a spreadsheet program wrote.

use std::io::{self, Read};

use encoding_rs::{Decoder, DecoderResult, UTF_16BE, UTF_16LE, WINDOWS_1252};

/// How a file writes its characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-16 with the least significant byte first, as Excel's "Unicode text" is.
    Utf16Le,
    /// UTF-16 with the most significant byte first.
    Utf16Be,
    /// Windows-1252, as Excel's plain CSV is in western countries. Never guessed: almost any bytes
    /// could be it.
    Windows1252,
}

impl Encoding {
    /// Every encoding.
    pub const ALL: &'static [Self] = &[Self::Utf8, Self::Utf16Le, Self::Utf16Be, Self::Windows1252];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf16Le => "utf-16le",
            Self::Utf16Be => "utf-16be",
            Self::Windows1252 => "windows-1252",
        }
    }

    /// The encoding with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|found| found.name() == name)
    }

    /// What the first bytes say, and how many of them are a byte order mark.
    fn of_mark(head: &[u8]) -> (Option<Self>, usize) {
        match head {
            [0xef, 0xbb, 0xbf, ..] => (Some(Self::Utf8), 3),
            [0xff, 0xfe, ..] => (Some(Self::Utf16Le), 2),
            [0xfe, 0xff, ..] => (Some(Self::Utf16Be), 2),
            _ => (None, 0),
        }
    }

    fn decoder(self) -> Option<Decoder> {
        match self {
            Self::Utf8 => None,
            Self::Utf16Le => Some(UTF_16LE.new_decoder_without_bom_handling()),
            Self::Utf16Be => Some(UTF_16BE.new_decoder_without_bom_handling()),
            Self::Windows1252 => Some(WINDOWS_1252.new_decoder_without_bom_handling()),
        }
    }
}

/// Bytes that are decoded at once.
const CHUNK: usize = 64 * 1024;

/// Gives the text of a file as UTF-8, without its byte order mark. Text that is UTF-8 already goes
/// through untouched; whether it really is, is seen row by row.
pub(super) struct Decoded<R> {
    input: R,
    decoder: Option<Decoder>,
    /// Bytes as they stand in the file, from `raw_at` on.
    raw: Vec<u8>,
    raw_at: usize,
    text: Vec<u8>,
    text_at: usize,
    over: bool,
}

impl<R: Read> Decoded<R> {
    /// Reads the first bytes. A byte order mark is believed before `asked`.
    pub(super) fn new(mut input: R, asked: Option<Encoding>) -> io::Result<Self> {
        let mut head = Vec::with_capacity(3);
        input.by_ref().take(3).read_to_end(&mut head)?;
        let (marked, mark) = Encoding::of_mark(&head);
        let encoding = marked.or(asked).unwrap_or(Encoding::Utf8);
        Ok(Self {
            input,
            decoder: encoding.decoder(),
            raw: head,
            raw_at: mark,
            text: Vec::new(),
            text_at: 0,
            over: false,
        })
    }

    fn unread(&self) -> &[u8] {
        self.raw.get(self.raw_at..).unwrap_or_default()
    }

    fn decode_more(&mut self, decoder: &mut Decoder) -> io::Result<()> {
        if self.raw_at >= self.raw.len() {
            self.raw.resize(CHUNK, 0);
            self.raw_at = 0;
            let read = self.input.read(&mut self.raw);
            self.raw.truncate(*read.as_ref().unwrap_or(&0));
            self.over = read? == 0;
        }
        // Three bytes of UTF-8 for one of Windows-1252 at most.
        self.text.resize(3 * CHUNK + 16, 0);
        self.text_at = 0;
        let unread = self.raw.get(self.raw_at..).unwrap_or_default();
        let (result, read, written) =
            decoder.decode_to_utf8_without_replacement(unread, &mut self.text, self.over);
        self.raw_at += read;
        self.text.truncate(written);
        match result {
            DecoderResult::InputEmpty | DecoderResult::OutputFull => Ok(()),
            DecoderResult::Malformed(..) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "half of a character in UTF-16 text",
            )),
        }
    }
}

impl<R: Read> Read for Decoded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some(mut decoder) = self.decoder.take() else {
            if self.unread().is_empty() {
                return self.input.read(buffer);
            }
            let read = self.unread().read(buffer)?;
            self.raw_at += read;
            return Ok(read);
        };
        let mut result = Ok(());
        while self.text_at >= self.text.len() && !self.over && result.is_ok() {
            result = self.decode_more(&mut decoder);
        }
        self.decoder = Some(decoder);
        result?;
        let read = self
            .text
            .get(self.text_at..)
            .unwrap_or_default()
            .read(buffer)?;
        self.text_at += read;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn decoded(bytes: &[u8], asked: Option<Encoding>) -> io::Result<String> {
        let mut text = String::new();
        Decoded::new(bytes, asked)?.read_to_string(&mut text)?;
        Ok(text)
    }

    fn utf16(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    #[rstest]
    #[case(b"", None, "")]
    #[case(b"a", None, "a")]
    #[case(b"\xef\xbb\xbfa,b", None, "a,b")]
    #[case(b"\xff\xfea\0,\0", None, "a,")]
    #[case(b"\xfe\xff\0a\0,", None, "a,")]
    #[case(b"a\0b\0", Some(Encoding::Utf16Le), "ab")]
    #[case(b"caf\xe9 \x80", Some(Encoding::Windows1252), "café €")]
    #[case(b"\xef\xbb\xbf\xc3\xa9", Some(Encoding::Windows1252), "é")]
    fn text_is_found(
        #[case] bytes: &[u8],
        #[case] asked: Option<Encoding>,
        #[case] expected: &str,
    ) {
        assert_eq!(decoded(bytes, asked).unwrap(), expected);
    }

    #[test]
    fn half_a_character_is_an_error() {
        let error = decoded(b"\xff\xfe\x00\xd8a\0", None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(
            decoded(b"\xff\xfea", None).is_err(),
            "an odd number of bytes"
        );
    }

    proptest! {
        #[test]
        fn utf16_reads_back(text in "[a-z€😀\n]{0,200}", times in 1usize..400) {
            let text = text.repeat(times);
            for (mark, bytes) in [("\u{feff}", u16::to_le_bytes as fn(u16) -> [u8; 2]), ("\u{feff}", u16::to_be_bytes)] {
                let raw = utf16(&format!("{mark}{text}"), bytes);
                prop_assert_eq!(decoded(&raw, None).unwrap(), text.clone());
            }
        }
    }
}
