//! What must hold for any bytes from outside. Each function panics where it does not.
//!
//! The fuzz targets call them with bytes of their own making; `tests/it/hostile.rs` includes this
//! file and calls them with the corpus in `tests/data/corpus`.

use std::io::{self, Read};
use std::path::PathBuf;

use batchtop::config::{self, Environment, Layer};
use batchtop::inference;
use batchtop::intake::{Item, Lines, Rules, Surveyor};
use batchtop::model::Endpoint;
use serde_json::value::RawValue;

/// Lines are cut off here, so that few bytes can make one that is too long.
const LONGEST_LINE: usize = 4_096;

/// A batch file is read to its end. Every line is a request whose body is JSON, or has at least
/// one problem that is told.
pub fn batch(bytes: &[u8]) {
    let mut surveyor = Surveyor::new(5);
    let (mut requests, mut invalid) = (0, 0);
    for item in Lines::new(bytes, rules(bytes)) {
        let item = item.expect("bytes in memory can be read");
        surveyor.add(&item);
        match item {
            Item::Request(request, _) => {
                requests += 1;
                is_json(&request.body);
                for range in request.shareable {
                    is_json(request.body.get(range).expect("a part of the body"));
                }
            }
            Item::Invalid(line) => {
                invalid += 1;
                assert!(!line.problems.is_empty());
                for problem in line.problems {
                    is_told(&problem.to_string());
                }
            }
        }
    }
    let survey = surveyor.finish();
    assert_eq!((survey.requests, survey.invalid_lines), (requests, invalid));
    is_told(&survey.report());
}

/// It does not matter in which pieces a batch file arrives.
pub fn lines(bytes: &[u8]) {
    let whole = items(bytes, bytes);
    for size in [1, 3, 1_000] {
        let pieces = Pieces { bytes, size };
        assert_eq!(items(bytes, pieces), whole, "in pieces of {size}");
    }
}

/// It does not matter in which pieces the server's answer arrives, and whatever arrives is an
/// answer or a failure that says something.
pub fn answer(bytes: &[u8]) {
    for endpoint in [Endpoint::Chat, Endpoint::Completions, Endpoint::Embeddings] {
        let whole = read(endpoint, [bytes]);
        for size in [1, 7] {
            assert_eq!(read(endpoint, bytes.chunks(size)), whole, "by {size} bytes");
        }
    }
}

/// A settings file gives settings that can be printed and read again, or problems that are told.
pub fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let load = |text: &str| {
        let file = Some((PathBuf::from("config.toml"), text.to_owned()));
        config::load(Layer::default(), &Environment::default(), file)
    };
    match load(text) {
        Ok(loaded) => {
            let printed = config::print(&loaded);
            let again = load(&printed).unwrap_or_else(|wrong| panic!("{wrong:?} in {printed}"));
            if !loaded.settings.server.has_secrets() {
                assert_eq!(again.settings, loaded.settings);
            }
        }
        Err(problems) => {
            assert!(!problems.is_empty());
            for problem in problems {
                is_told(&problem.to_string());
            }
        }
    }
}

/// Which rules hold is for the bytes to say.
fn rules(bytes: &[u8]) -> Rules {
    Rules {
        model_override: bytes.len().is_multiple_of(2),
        longest_line: LONGEST_LINE,
    }
}

fn items(bytes: &[u8], input: impl Read) -> Vec<Item> {
    Lines::new(input, rules(bytes))
        .map(|item| item.expect("bytes in memory can be read"))
        .collect()
}

fn read<'a>(endpoint: Endpoint, pieces: impl IntoIterator<Item = &'a [u8]>) -> String {
    match inference::read_answer(endpoint, pieces) {
        Ok(answer) => format!("{answer:?}"),
        Err(failure) => {
            // The server's words are kept as they are; what shows them makes them safe.
            assert!(!failure.message.trim().is_empty(), "{failure:?}");
            format!("{failure:?}")
        }
    }
}

/// Gives at most so many bytes at once.
struct Pieces<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = buffer.len().min(self.size);
        self.bytes.read(&mut buffer[..length])
    }
}

fn is_json(text: &str) {
    if let Err(error) = serde_json::from_str::<&RawValue>(text) {
        panic!("{error} in `{text}`");
    }
}

/// Text for a terminal: there is some, and nothing in it that a terminal would obey.
fn is_told(text: &str) {
    let obeyed = |c: char| c.is_control() && c != '\n';
    assert!(
        !text.trim().is_empty() && !text.contains(obeyed),
        "{text:?}"
    );
}
