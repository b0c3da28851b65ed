//! The settings file: TOML, read with the place of every value, so that all that is wrong in it
//! can be pointed at.

use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::origin::{Origin, Problem};
use super::paths::ConfigFile;
use super::settings::{KEYS, Layer};
use super::suggest::{brief, nearest};
use super::value::Raw;

/// A settings file longer than this many bytes is refused.
pub const MAX_FILE_BYTES: u64 = 64 * 1024;

/// Why the settings file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system refused.
    #[error("cannot read the settings file `{}`: {why}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's words.
        why: std::io::Error,
    },
    /// It is longer than [`MAX_FILE_BYTES`].
    #[error("the settings file `{}` is longer than {MAX_FILE_BYTES} bytes", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// It is not UTF-8.
    #[error("the settings file `{}` is not UTF-8 text (byte {offset})", path.display())]
    NotText {
        /// Which file.
        path: PathBuf,
        /// The first byte that is not.
        offset: usize,
    },
}

/// Reads the settings file, ready for [`load`](super::load). Nobody needs to have one: `None` where
/// it is missing, unless it was named.
///
/// # Errors
/// Where it is there, or was named, and cannot be read as text.
pub fn read_file(file: &ConfigFile) -> Result<Option<(PathBuf, String)>, FileError> {
    let path = file.path.clone();
    let mut bytes = Vec::new();
    let read = std::fs::File::open(&path)
        .and_then(|open| open.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes));
    match read {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound && !file.named => return Ok(None),
        Err(why) => return Err(FileError::Unreadable { path, why }),
        Ok(length) if length as u64 > MAX_FILE_BYTES => return Err(FileError::TooLong { path }),
        Ok(_) => {}
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Some((path, text))),
        Err(why) => Err(FileError::NotText {
            path,
            offset: why.utf8_error().valid_up_to(),
        }),
    }
}

/// What the file says, and all that is wrong with it. Where it is no TOML, only that is said: the
/// rest could not be trusted.
pub(super) fn layer(path: &Arc<Path>, text: &str) -> (Layer, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut walk = Walk {
        path,
        text,
        layer: Layer::default(),
        problems: Vec::new(),
    };
    if errors.is_empty() {
        walk.table("", table.get_ref());
    } else {
        walk.syntax(&errors);
    }
    let mut problems = walk.problems;
    problems.sort_by_key(|problem| match problem.origin {
        Origin::File { line, column, .. } => (line, column),
        _ => (0, 0),
    });
    (walk.layer, problems)
}

struct Walk<'a> {
    path: &'a Arc<Path>,
    text: &'a str,
    layer: Layer,
    problems: Vec<Problem>,
}

impl Walk<'_> {
    fn table(&mut self, above: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let path = match above {
                "" => name.get_ref().to_string(),
                above => format!("{above}.{}", name.get_ref()),
            };
            if KEYS.iter().any(|key| key.path == path) {
                self.setting(&path, value);
            } else if sections().any(|section| section == path) {
                self.section(&path, value);
            } else {
                let suggestion = meant(above, name.get_ref());
                let what = "means nothing".to_owned();
                self.problem(name.span(), Some(&path), what, suggestion);
            }
        }
    }

    fn section(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        if let Some(table) = value.get_ref().as_table() {
            return self.table(path, table);
        }
        let what = format!("{} is not a table", kind(value.get_ref()));
        let suggestion = Some(format!("write `[{path}]` on a line of its own"));
        self.problem(value.span(), Some(path), what, suggestion);
    }

    fn setting(&mut self, path: &str, value: &Spanned<DeValue<'_>>) {
        let origin = self.origin(value.span());
        if let Err(wrong) = self.layer.set(path, raw(value.get_ref()), origin) {
            self.problem(value.span(), Some(path), wrong.what, wrong.suggestion);
        }
    }

    fn syntax(&mut self, errors: &[toml::de::Error]) {
        for error in errors {
            // The message alone: the error's own text quotes the line, which may hold a password.
            let what = format!("is no TOML: {}", error.message().replace('\n', ", "));
            self.problem(error.span().unwrap_or_default(), None, what, None);
        }
    }

    fn problem(
        &mut self,
        span: Range<usize>,
        path: Option<&str>,
        what: String,
        suggestion: Option<String>,
    ) {
        self.problems.push(Problem {
            origin: self.origin(span),
            setting: path.map(brief),
            what,
            suggestion,
        });
    }

    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Origin::File {
            path: Arc::clone(self.path),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

fn raw<'a>(value: &'a DeValue<'_>) -> Raw<'a> {
    match value {
        DeValue::String(text) => Raw::Quoted(text),
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix())
            .map_or(Raw::Other("a number beyond all limits"), Raw::Whole),
        DeValue::Float(digits) => Raw::Fraction(digits.as_str()),
        DeValue::Boolean(on) => Raw::Switch(*on),
        other => Raw::Other(kind(other)),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a number",
        DeValue::Float(_) => "a fraction",
        DeValue::Boolean(_) => "a switch",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn sections() -> impl Iterator<Item = &'static str> {
    KEYS.iter()
        .filter_map(|key| key.path.split_once('.').map(|(section, _)| section))
}

/// What a name that means nothing was meant to be: a setting of the same table, one of another
/// table, or a table.
fn meant(above: &str, name: &str) -> Option<String> {
    let names = |section: &'static str| {
        KEYS.iter().filter_map(move |key| {
            let (table, name) = key.path.split_once('.')?;
            (section.is_empty() || section == table).then_some((table, name))
        })
    };
    let own = sections().find(|&section| section == above);
    if let Some(own) = own
        && let Some(near) = nearest(name, names(own).map(|(_, name)| name))
    {
        return Some(format!("did you mean `{near}`?"));
    }
    if own.is_none()
        && let Some(near) = nearest(name, sections())
    {
        return Some(format!("did you mean `[{near}]`?"));
    }
    let near = nearest(name, names("").map(|(_, name)| name))?;
    let (table, _) = names("").find(|&(_, name)| name == near)?;
    Some(format!("did you mean `{near}` in `[{table}]`?"))
}
