//! Bytes from outside, as bad as they get: the functions of the fuzz targets over the corpus, and
//! over the corpus with bytes changed, cut and doubled.

use std::path::{Path, PathBuf};

use batchtop::intake::{Item, Lines, Rules};
use rstest::rstest;

use crate::support::{Dice, times};

#[path = "../../fuzz/src/lib.rs"]
#[expect(
    unreachable_pub,
    reason = "it is a library of its own for the fuzz targets"
)]
mod targets;

/// A case longer than this is tried as it is and not changed.
const SHORT: usize = 8_192;

/// The files of a folder of the test data, in order.
fn cases(folder: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let entries = std::fs::read_dir(folder).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let read = |path: PathBuf| {
        let bytes = std::fs::read(&path).unwrap();
        (path, bytes)
    };
    paths.into_iter().map(read).collect()
}

/// The same with a few bytes changed.
fn changed(bytes: &[u8], dice: &mut Dice) -> Vec<u8> {
    const TELLING: &[u8] = b"\"\\{}[]:,\n\r\0 -+.eE0919tfn\x1b\x7f\xc3\xa9\xed\xa0\x80\xff";
    let mut bytes = bytes.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let byte = TELLING[dice.below(TELLING.len())];
        match dice.below(5) {
            0 => bytes.insert(at, byte),
            1 => bytes.truncate(at),
            2 => bytes.extend_from_within(..at),
            _ => match bytes.get_mut(at) {
                Some(place) if dice.below(2) == 0 => *place = byte,
                Some(place) => *place ^= 1 << dice.below(8),
                None => bytes.push(byte),
            },
        }
    }
    bytes
}

/// What each target is given, in `tests/data`.
const BATCHES: &[&str] = &["good", "bad", "corpus/json", "corpus/batch"];
const LINES: &[&str] = &["good", "bad", "corpus/batch"];
const ANSWERS: &[&str] = &["corpus/answer", "corpus/json"];
const SETTINGS: &[&str] = &["corpus/settings"];

#[test]
fn every_folder_of_the_corpus_is_tried() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/corpus");
    let entries = std::fs::read_dir(corpus).unwrap();
    let folders = entries.map(|entry| entry.unwrap().path());
    for folder in folders.filter(|path| path.is_dir()) {
        let name = format!("corpus/{}", folder.file_name().unwrap().display());
        let mut tried = [BATCHES, LINES, ANSWERS, SETTINGS].into_iter().flatten();
        assert!(tried.any(|it| *it == name), "nobody tries `{name}`");
    }
}

#[rstest]
#[case::batch(targets::batch, BATCHES, 11)]
#[case::lines(targets::lines, LINES, 12)]
#[case::answer(targets::answer, ANSWERS, 13)]
#[case::settings(targets::settings, SETTINGS, 14)]
fn no_bytes_do_any_harm(#[case] target: fn(&[u8]), #[case] folders: &[&str], #[case] seed: u64) {
    let mut dice = Dice::new(seed);
    let cases: Vec<_> = folders.iter().flat_map(|folder| cases(folder)).collect();
    assert!(cases.len() >= 5);
    for (path, bytes) in &cases {
        println!("{}", path.display());
        target(bytes);
    }
    let short: Vec<_> = cases
        .iter()
        .filter(|(_, bytes)| bytes.len() < SHORT)
        .collect();
    for _ in 0..times(600, 100_000) {
        let (path, bytes) = short[dice.below(short.len())];
        let bytes = changed(bytes, &mut dice);
        println!("{}: {:?}", path.display(), String::from_utf8_lossy(&bytes));
        target(&bytes);
    }
}

/// Whether a line whose body holds this value is a valid request.
fn accepts(value: &[u8]) -> bool {
    let before = br#"{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"hello"}],"metadata":"#;
    let line = [&before[..], value, b"}}"].concat();
    let items: Vec<_> = Lines::new(&line[..], Rules::default()).collect();
    matches!(&items[..], [Ok(Item::Request(..))])
}

#[test]
fn json_is_accepted_and_refused_as_the_collection_says() {
    let mut wrong = Vec::new();
    for (path, bytes) in cases("corpus/json") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // A batch file is cut at line feeds before anything is parsed.
        if bytes.contains(&b'\n') {
            continue;
        }
        let good = accepts(&bytes);
        if name.starts_with("y_") && !good || name.starts_with("n_") && good {
            wrong.push(name);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
