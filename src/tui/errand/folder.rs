//! Folders and the beginnings of files, bounded whatever they hold.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::base::{Stamp, bytes, count};
use crate::intake::{Item, Lines, Rules, open};

/// Entries of a folder that are listed.
const MOST_ENTRIES: usize = 10_000;
/// Bytes that a preview reads of a line at most.
const LONGEST_LINE: usize = 1 << 20;
/// Bytes from which the number of lines is guessed.
const GUESSED_FROM: u64 = 1 << 18;
/// Characters of a prompt in a preview.
const EXCERPT: usize = 600;

/// What a folder holds that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Folders first, by name.
    pub entries: Vec<Entry>,
    /// Whether there are more than were listed.
    pub is_cut: bool,
}

/// A folder or a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is.
    pub path: PathBuf,
    /// Its name: outside text.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file.
    pub bytes: Option<u64>,
    /// When it was last changed.
    pub changed: Option<Stamp>,
}

/// What an entry is, in the order of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A folder.
    Folder,
    /// A batch file.
    Batch,
    /// A table, which cannot be run yet.
    Table,
}

/// The folders and batch files in a folder; everything else is left out.
pub(super) fn list(folder: &Path) -> Result<Listing, String> {
    let read = fs::read_dir(folder).map_err(|error| said(&error))?;
    let mut listing = Listing::default();
    for entry in read.flatten() {
        let Some(entry) = entry_of(&entry) else {
            continue;
        };
        if listing.entries.len() >= MOST_ENTRIES {
            listing.is_cut = true;
            break;
        }
        listing.entries.push(entry);
    }
    listing
        .entries
        .sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    Ok(listing)
}

/// How a file begins, in lines.
pub(super) fn preview(path: &Path) -> Vec<String> {
    let input = match open(path) {
        Ok(input) => input,
        Err(error) => return vec![error.to_string(), error.hint().to_owned()],
    };
    let rules = Rules {
        model_override: true,
        longest_line: LONGEST_LINE,
    };
    let mut lines = vec![size(path)];
    match Lines::new(input, rules).next() {
        Some(Ok(Item::Request(request, _))) => {
            lines.push(format!("first: {}", head(&request.custom_id, 60)));
            let model = request.model.as_deref().unwrap_or("none named");
            lines.push(format!("model: {}", head(model, 60)));
            lines.push(String::new());
            lines.push(head(&prompt(&request.body), EXCERPT));
        }
        Some(Ok(Item::Invalid(line))) => {
            lines.push(format!("line {} is no valid request:", line.line));
            lines.extend(line.problems.iter().take(3).map(ToString::to_string));
        }
        Some(Err(error)) => lines.push(error.to_string()),
        None => lines.push("no request in it".to_owned()),
    }
    lines
}

fn entry_of(entry: &fs::DirEntry) -> Option<Entry> {
    let path = entry.path();
    let name = entry.file_name().to_string_lossy().into_owned();
    // Follows links: a link to a batch file is one.
    let metadata = fs::metadata(&path).ok()?;
    let kind = if metadata.is_dir() {
        Kind::Folder
    } else if metadata.is_file() {
        kind_of_file(&name)?
    } else {
        return None;
    };
    let changed = metadata.modified().ok();
    let since = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    Some(Entry {
        path,
        name,
        kind,
        bytes: (kind != Kind::Folder).then_some(metadata.len()),
        changed: since
            .and_then(|since| i64::try_from(since.as_millis()).ok())
            .map(Stamp),
    })
}

fn kind_of_file(name: &str) -> Option<Kind> {
    let name = name.to_lowercase();
    let endings = [
        (".jsonl", Kind::Batch),
        (".jsonl.gz", Kind::Batch),
        (".jsonl.zst", Kind::Batch),
        (".csv", Kind::Table),
    ];
    let found = endings.iter().find(|(ending, _)| name.ends_with(ending));
    found.map(|(_, kind)| *kind)
}

fn size(path: &Path) -> String {
    let Ok(metadata) = fs::metadata(path) else {
        return "size n/a".to_owned();
    };
    let size = bytes(metadata.len());
    guess(path, metadata.len()).map_or_else(
        || format!("{size}, lines n/a"),
        |lines| format!("{size}, about {} lines", count(lines)),
    )
}

/// Lines, guessed from the first ones; none for compressed files.
fn guess(path: &Path, whole: u64) -> Option<u64> {
    let mut start = Vec::new();
    let file = fs::File::open(path).ok()?;
    file.take(GUESSED_FROM).read_to_end(&mut start).ok()?;
    if start.starts_with(&[0x1f, 0x8b]) || start.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
        return None;
    }
    let lines = start.split(|byte| *byte == b'\n').count() as u64 - 1;
    let read = start.len() as u64;
    if read == whole || lines == 0 {
        let unfinished = u64::from(start.last().is_some_and(|byte| *byte != b'\n'));
        return (read == whole).then_some(lines + unfinished);
    }
    Some(lines.saturating_mul(whole) / read.max(1))
}

/// What the first request asks: its last message, or the input of other endpoints.
fn prompt(body: &str) -> String {
    let body: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let last = body
        .get("messages")
        .and_then(|messages| messages.as_array())
        .and_then(|messages| messages.last())
        .and_then(|message| message.get("content"));
    let asked = last.or_else(|| body.get("prompt").or_else(|| body.get("input")));
    match asked {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

fn head(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

fn said(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such folder".to_owned(),
        io::ErrorKind::PermissionDenied => "no permission to read this folder".to_owned(),
        io::ErrorKind::NotADirectory => "this is no folder".to_owned(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_come_first_and_what_cannot_be_run_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.jsonl", "a.jsonl.zst", "t.csv", "x.txt", ".h.jsonl"] {
            fs::write(folder.path().join(name), "{}\n").unwrap();
        }
        fs::create_dir(folder.path().join("z\u{1b}[2J")).unwrap();
        let listing = list(folder.path()).unwrap();
        let names: Vec<&str> = listing.entries.iter().map(|e| e.name.as_str()).collect();
        assert_eq!(
            names,
            ["z\u{1b}[2J", ".h.jsonl", "a.jsonl.zst", "b.jsonl", "t.csv"]
        );
        assert_eq!(listing.entries[0].bytes, None);
        assert_eq!(listing.entries[1].bytes, Some(3));
    }

    #[test]
    fn a_folder_that_cannot_be_read_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let missing = list(&folder.path().join("none"));
        assert_eq!(missing, Err("there is no such folder".to_owned()));
        let file = folder.path().join("a.jsonl");
        fs::write(&file, "x").unwrap();
        assert_eq!(list(&file), Err("this is no folder".to_owned()));
    }

    #[test]
    fn a_preview_tells_of_the_first_request() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jsonl");
        let line = r#"{"custom_id":"one","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"why?"}]}}"#;
        fs::write(&file, format!("{line}\n{line}")).unwrap();
        let lines = preview(&file);
        assert!(lines[0].ends_with("about 2 lines"), "{lines:?}");
        assert_eq!(lines[1..], ["first: one", "model: m", "", "why?"]);
        fs::write(&file, "nonsense").unwrap();
        assert_eq!(preview(&file)[1], "line 1 is no valid request:");
    }
}
