//! Where the bytes of a batch file come from: a file or standard input, plain or compressed.
//!
//! The only file of this module that touches the file system. What is read is hashed on the
//! way, so that the same content can be recognised later without a second pass.

use std::fs::{File, Metadata};
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::Path;
use std::time::SystemTime;

use flate2::bufread::MultiGzDecoder;
use serde::Serialize;

use crate::base::shown;

/// Bytes asked of the operating system at once; large, because hashing is fast only on large
/// pieces.
const CHUNK: usize = 256 * 1024;

/// What was read, for telling later whether a file is still the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceSeen {
    /// Bytes as stored, before decompression.
    pub bytes: u64,
    /// blake3 of those bytes in hex.
    #[serde(rename = "blake3")]
    pub hash: String,
}

/// Why a source cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nothing has this name.
    #[error("cannot open `{path}`: there is no such file")]
    NotFound {
        /// The name as given, safe to show.
        path: String,
    },
    /// The name is that of a folder.
    #[error("cannot read `{path}`: it is a folder")]
    Directory {
        /// The name as given, safe to show.
        path: String,
    },
    /// The operating system refuses.
    #[error("cannot open `{path}`: no permission to read it")]
    NoPermission {
        /// The name as given, safe to show.
        path: String,
    },
    /// A pipe, a socket or a device: reading it a second time would give something else.
    #[error("cannot read `{path}`: it is not a regular file")]
    NotRegular {
        /// The name as given, safe to show.
        path: String,
    },
    /// Size, time of change or content moved between opening and the end.
    #[error("`{path}` was changed while it was read")]
    Changed {
        /// The name as given, safe to show.
        path: String,
    },
    /// Standard input can be read only once.
    #[error("standard input cannot be read a second time")]
    OnlyOnce,
    /// Anything else that the operating system reports.
    #[error("cannot read `{path}`: {source}")]
    Other {
        /// The name as given, safe to show.
        path: String,
        /// What it reports.
        source: io::Error,
    },
}

impl OpenError {
    /// What to do about it.
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotFound { .. } => "check the name and the folder you are in",
            Self::Directory { .. } => "name one of the batch files in it",
            Self::NoPermission { .. } => "give yourself the right to read it, or copy it",
            Self::NotRegular { .. } => "pipe it in and write `-` as the file",
            Self::Changed { .. } => "wait until it is written completely, then start again",
            Self::OnlyOnce => "save it to a file and name the file",
            Self::Other { .. } => "check the disk or the network share that it is on",
        }
    }
}

/// Opens a regular file, or standard input for `-`. Gzip and zstd are found by their first
/// bytes, never by the name.
pub fn open(path: &Path) -> Result<Input, OpenError> {
    if path.as_os_str() == "-" {
        return Input::from_reader(io::stdin());
    }
    let (file, state) = open_regular(path)?;
    Input::start(
        Box::new(file.try_clone().map_err(|error| failure(path, error))?),
        shown(&path.display().to_string()),
        Some((file, state)),
    )
}

/// Hashes a file without reading its lines: the same as what [`Input::finish`] gives after
/// reading it.
pub fn fingerprint(path: &Path) -> Result<SourceSeen, OpenError> {
    if path.as_os_str() == "-" {
        return Err(OpenError::OnlyOnce);
    }
    open(path)?.finish()
}

/// A source being read: gives the decompressed bytes and hashes the stored ones.
pub struct Input {
    decoder: Decoder,
    path: String,
    opened: Option<(File, FileState)>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Input {
    /// A source that is no file, such as standard input. Fails when the first bytes cannot be
    /// read.
    pub fn from_reader(reader: impl Read + Send + 'static) -> Result<Self, OpenError> {
        Self::start(Box::new(reader), "-".to_owned(), None)
    }

    fn start(
        reader: Box<dyn Read + Send>,
        path: String,
        opened: Option<(File, FileState)>,
    ) -> Result<Self, OpenError> {
        let hashing = Hashing {
            reader,
            hasher: blake3::Hasher::new(),
            bytes: 0,
        };
        match Decoder::new(hashing) {
            Ok(decoder) => Ok(Self {
                decoder,
                path,
                opened,
            }),
            Err(source) => Err(OpenError::Other { path, source }),
        }
    }

    /// Reads what is left and says what the source held. Fails when the file was changed since
    /// it was opened.
    pub fn finish(mut self) -> Result<SourceSeen, OpenError> {
        let other = |source| OpenError::Other {
            path: self.path.clone(),
            source,
        };
        let raw = self.decoder.raw();
        raw.drain().map_err(other)?;
        let seen = SourceSeen {
            bytes: raw.bytes,
            hash: raw.hasher.finalize().to_hex().to_string(),
        };
        if let Some((file, before)) = &self.opened {
            let now = FileState::of(&file.metadata().map_err(other)?);
            if now != *before || seen.bytes != before.bytes {
                return Err(OpenError::Changed { path: self.path });
            }
        }
        Ok(seen)
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.decoder {
            Decoder::Plain(reader) => reader.read(buffer),
            Decoder::Gzip(reader) => reader.read(buffer),
            Decoder::Zstd(reader) => reader.read(buffer),
        }
    }
}

/// What shows that a file was written to.
#[derive(PartialEq, Eq)]
struct FileState {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl FileState {
    fn of(metadata: &Metadata) -> Self {
        Self {
            bytes: metadata.len(),
            modified: metadata.modified().ok(),
        }
    }
}

fn open_regular(path: &Path) -> Result<(File, FileState), OpenError> {
    // Asked before opening: opening a named pipe would wait for its writer.
    let kind = path.metadata().map_err(|error| failure(path, error))?;
    let shown_path = || shown(&path.display().to_string());
    if kind.is_dir() {
        return Err(OpenError::Directory { path: shown_path() });
    }
    if !kind.is_file() {
        return Err(OpenError::NotRegular { path: shown_path() });
    }
    let file = File::open(path).map_err(|error| failure(path, error))?;
    let state = FileState::of(&file.metadata().map_err(|error| failure(path, error))?);
    Ok((file, state))
}

fn failure(path: &Path, source: io::Error) -> OpenError {
    let path = shown(&path.display().to_string());
    match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => OpenError::NotFound { path },
        io::ErrorKind::PermissionDenied => OpenError::NoPermission { path },
        io::ErrorKind::IsADirectory => OpenError::Directory { path },
        _ => OpenError::Other { path, source },
    }
}

/// Counts and hashes the bytes as they are stored.
struct Hashing {
    reader: Box<dyn Read + Send>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl Hashing {
    fn drain(&mut self) -> io::Result<()> {
        let mut rest = vec![0; CHUNK];
        loop {
            match self.read(&mut rest) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Read for Hashing {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        self.hasher
            .update(buffer.get(..read).ok_or(io::ErrorKind::InvalidData)?);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// The first bytes, read ahead to recognise the compression, then the rest.
type Rewound = Chain<Cursor<Vec<u8>>, Hashing>;

enum Decoder {
    Plain(Box<Rewound>),
    Gzip(Box<MultiGzDecoder<BufReader<Rewound>>>),
    Zstd(Box<zstd::stream::read::Decoder<'static, BufReader<Rewound>>>),
}

impl Decoder {
    fn new(mut source: Hashing) -> io::Result<Self> {
        let mut head = Vec::with_capacity(4);
        source.by_ref().take(4).read_to_end(&mut head)?;
        let gzip = head.starts_with(&[0x1f, 0x8b]);
        let zstd = head == [0x28, 0xb5, 0x2f, 0xfd];
        let rewound = Cursor::new(head).chain(source);
        if gzip {
            let buffered = BufReader::with_capacity(CHUNK, rewound);
            return Ok(Self::Gzip(Box::new(MultiGzDecoder::new(buffered))));
        }
        if zstd {
            let buffered = BufReader::with_capacity(CHUNK, rewound);
            let decoder = zstd::stream::read::Decoder::with_buffer(buffered)?;
            return Ok(Self::Zstd(Box::new(decoder)));
        }
        Ok(Self::Plain(Box::new(rewound)))
    }

    fn raw(&mut self) -> &mut Hashing {
        let rewound = match self {
            Self::Plain(rewound) => rewound,
            Self::Gzip(decoder) => decoder.get_mut().get_mut(),
            Self::Zstd(decoder) => decoder.get_mut().get_mut(),
        };
        rewound.get_mut().1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    // Root may read everything, so that the refusal itself cannot be provoked everywhere.
    #[rstest]
    #[case(
        io::ErrorKind::PermissionDenied,
        "cannot open `a␛b`: no permission to read it"
    )]
    #[case(io::ErrorKind::NotFound, "cannot open `a␛b`: there is no such file")]
    #[case(io::ErrorKind::IsADirectory, "cannot read `a␛b`: it is a folder")]
    #[case(io::ErrorKind::TimedOut, "cannot read `a␛b`: timed out")]
    fn each_refusal_has_its_words(#[case] kind: io::ErrorKind, #[case] words: &str) {
        let error = failure(Path::new("a\u{1b}b"), kind.into());
        assert_eq!(error.to_string(), words);
        assert!(!error.hint().is_empty());
    }

    #[test]
    fn fewer_bytes_than_any_magic_are_plain_text() {
        for text in ["", "{", "\u{1f}"] {
            let mut input = Input::from_reader(Cursor::new(text)).unwrap();
            let mut read = String::new();
            input.read_to_string(&mut read).unwrap();
            assert_eq!(read, text);
            assert_eq!(input.finish().unwrap().bytes, text.len() as u64);
        }
    }
}
