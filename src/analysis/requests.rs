//! What the requests of a batch file said, to stand beside their results.

use std::collections::HashMap;
use std::io::{self, Read};

use serde::Deserialize;
use serde_json::Value;

use super::export::guarded;
use super::occurrences::{Occurrences, key};
use crate::intake::{RawLine, Rules, Splitter};

/// Something of a request that can be a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestColumn {
    /// The text of the last message of the user; the prompt of a completion; the input of an
    /// embedding.
    Prompt,
    /// The text of the first system message.
    System,
    /// The field of the body at these names and places, such as `metadata.team`.
    Field(String),
}

impl RequestColumn {
    /// The column of this name: `prompt`, `system`, or a path in the body.
    pub fn from_name(name: &str) -> Self {
        match name {
            "prompt" => Self::Prompt,
            "system" => Self::System,
            path => Self::Field(path.to_owned()),
        }
    }

    /// What stands over it.
    pub fn name(&self) -> String {
        let name = match self {
            Self::Prompt => "prompt",
            Self::System => "system",
            Self::Field(path) => path,
        };
        format!("request.{name}")
    }

    fn cell(&self, body: &Value) -> String {
        let found = match self {
            Self::Prompt => {
                let message = message(body, "user", true);
                let message = message.or_else(|| body.get("prompt"));
                message.or_else(|| body.get("input"))
            }
            Self::System => message(body, "system", false),
            Self::Field(path) => at(body, path),
        };
        found.map_or_else(String::new, text)
    }
}

/// The content of the first or last message of a role.
fn message<'a>(body: &'a Value, role: &str, last: bool) -> Option<&'a Value> {
    let messages = body.get("messages")?.as_array()?;
    let mut of_role = messages
        .iter()
        .filter(|message| message.get("role").and_then(Value::as_str) == Some(role));
    let found = if last {
        of_role.next_back()
    } else {
        of_role.next()
    };
    found?.get("content")
}

/// The value at names and places with points between them.
fn at<'a>(body: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(body, |value, step| match value {
        Value::Array(list) => list.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    })
}

/// A value as the text of a cell; of the parts of a message, those that are text.
fn text(value: &Value) -> String {
    let part = |part: &Value| part.get("text")?.as_str().map(str::to_owned);
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(parts) if parts.iter().any(|one| part(one).is_some()) => {
            let parts: Vec<String> = parts.iter().filter_map(part).collect();
            parts.join("\n\n")
        }
        other => other.to_string(),
    }
}

/// The chosen columns of every request of a batch file, by `custom_id`.
///
/// Memory: the cells, and about 100 bytes for each request. Prompts that are as long as the file
/// therefore take as much memory as the file; fields of `metadata` take next to none.
#[derive(Debug)]
pub struct Requests {
    columns: Vec<RequestColumn>,
    rows: HashMap<u128, Row>,
    unknown: u64,
    /// Requests whose `custom_id` an earlier one has, and the first such id.
    duplicates: (u64, Option<String>),
    /// Whether a request has something in each of the columns.
    filled: Vec<bool>,
}

#[derive(Debug)]
struct Row {
    cells: Box<[Box<str>]>,
    is_met: bool,
}

#[derive(Deserialize)]
struct Line {
    custom_id: String,
    body: Value,
}

impl Requests {
    /// Reads a batch file. Lines that are no requests are passed over: `check` is there for them.
    ///
    /// # Errors
    /// Those of the input.
    pub fn read(input: impl Read, columns: Vec<RequestColumn>) -> io::Result<Self> {
        let mut splitter = Splitter::new(input, Rules::default().longest_line);
        let mut rows = HashMap::new();
        let mut ids = Occurrences::default();
        let mut duplicates = (0, None);
        let mut filled = vec![false; columns.len()];
        while let Some(line) = splitter.next_line()? {
            let RawLine::Bytes { bytes, .. } = line else {
                continue;
            };
            let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let Ok(line) = serde_json::from_slice::<Line>(bytes) else {
                continue;
            };
            let cells = columns.iter().map(|column| column.cell(&line.body));
            let cells: Box<[Box<str>]> = cells.map(|cell| guarded(&cell).into()).collect();
            for (is_filled, cell) in filled.iter_mut().zip(&cells) {
                *is_filled |= !cell.is_empty();
            }
            let row = Row {
                cells,
                is_met: false,
            };
            let occurrence = ids.add(&line.custom_id);
            rows.insert(key(&line.custom_id, occurrence), row);
            if occurrence > 0 {
                duplicates.0 += 1;
                duplicates.1.get_or_insert(line.custom_id);
            }
        }
        Ok(Self {
            columns,
            rows,
            unknown: 0,
            duplicates,
            filled,
        })
    }

    /// How many requests have a `custom_id` that an earlier one has, and the first such id.
    pub fn duplicates(&self) -> Option<(u64, &str)> {
        let (count, first) = &self.duplicates;
        Some((*count, first.as_deref()?))
    }

    /// The columns in which no request has anything.
    pub fn empty_columns(&self) -> impl Iterator<Item = &RequestColumn> {
        let columns = self.columns.iter().zip(&self.filled);
        columns
            .filter(|(_, is_filled)| !**is_filled)
            .map(|(column, _)| column)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// What stands over the columns.
    pub fn header(&self) -> impl Iterator<Item = String> {
        self.columns.iter().map(RequestColumn::name)
    }

    /// The cells of the request with this name, safe for a spreadsheet; empty ones where there is
    /// no such request. Of several with the same name the second result gets the second, if there
    /// is one.
    pub fn cells(
        &mut self,
        custom_id: Option<&str>,
        occurrence: u32,
    ) -> impl Iterator<Item = &str> {
        let key = custom_id.map(|id| {
            let own = key(id, occurrence);
            if self.rows.contains_key(&own) {
                own
            } else {
                key(id, 0)
            }
        });
        let row = key.and_then(|key| self.rows.get_mut(&key));
        let cells: &[Box<str>] = if let Some(row) = row {
            row.is_met = true;
            &row.cells
        } else {
            self.unknown += 1;
            &[]
        };
        let missing = self.columns.len() - cells.len();
        let empty = std::iter::repeat_n("", missing);
        cells.iter().map(AsRef::as_ref).chain(empty)
    }

    /// Results that belong to none of the requests.
    pub const fn unknown(&self) -> u64 {
        self.unknown
    }

    /// Requests of which no result was seen.
    pub fn without_result(&self) -> u64 {
        self.rows.values().filter(|row| !row.is_met).count() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case("prompt", "last")]
    #[case("system", "rubric\n\nmore")]
    #[case("metadata.team", "=red")]
    #[case("messages.0.role", "system")]
    #[case("temperature", "0.5")]
    #[case("metadata.none", "")]
    #[case("messages.9.role", "")]
    fn a_column_is_found(#[case] name: &str, #[case] expected: &str) {
        let body = json!({
            "messages": [
                {"role": "system", "content": [
                    {"type": "text", "text": "rubric"}, {"type": "image_url"}, {"type": "text", "text": "more"},
                ]},
                {"role": "user", "content": "first"},
                {"role": "user", "content": "last"},
            ],
            "metadata": {"team": "=red"},
            "temperature": 0.5,
        });
        assert_eq!(RequestColumn::from_name(name).cell(&body), expected);
    }

    #[test]
    fn other_requests_have_prompts_too() {
        assert_eq!(RequestColumn::Prompt.cell(&json!({"prompt": "p"})), "p");
        assert_eq!(
            RequestColumn::Prompt.cell(&json!({"input": ["a"]})),
            "[\"a\"]"
        );
        assert_eq!(RequestColumn::Prompt.cell(&json!([])), "");
    }

    #[test]
    fn results_and_requests_are_joined_by_name() {
        let line = |id: &str| json!({"custom_id": id, "body": {"prompt": format!("={id}")}});
        let file = format!("\u{feff}{}\nnonsense\n{}\n", line("a"), line("b"));
        let mut requests = Requests::read(file.as_bytes(), vec![RequestColumn::Prompt]).unwrap();
        let mut cells =
            |id: Option<&str>| requests.cells(id, 0).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(cells(Some("b")), ["'=b"]);
        assert_eq!(cells(Some("c")), [""]);
        assert_eq!(cells(None), [""]);
        assert_eq!((requests.unknown(), requests.without_result()), (2, 1));
        assert_eq!(requests.header().collect::<Vec<_>>(), ["request.prompt"]);
    }

    #[test]
    fn requests_of_one_name_are_joined_in_their_order() {
        let line = |prompt: &str| json!({"custom_id": "a", "body": {"prompt": prompt}}).to_string();
        let file = format!("{}\n{}\n", line("first"), line("second"));
        let columns = vec![RequestColumn::Prompt, RequestColumn::System];
        let mut requests = Requests::read(file.as_bytes(), columns).unwrap();
        let mut prompt = |occurrence| {
            let mut cells = requests.cells(Some("a"), occurrence);
            cells.next().map(str::to_owned).unwrap()
        };
        assert_eq!(
            [prompt(0), prompt(1), prompt(2)],
            ["first", "second", "first"]
        );
        assert_eq!(requests.duplicates(), Some((1, "a")));
        let empty: Vec<String> = requests.empty_columns().map(RequestColumn::name).collect();
        assert_eq!(empty, ["request.system"]);
    }

    proptest::proptest! {
        #[test]
        fn no_file_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300), path in ".{0,20}") {
            let columns = vec![RequestColumn::from_name(&path), RequestColumn::System];
            let mut requests = Requests::read(bytes.as_slice(), columns).unwrap();
            proptest::prop_assert_eq!(requests.cells(Some("a"), 0).count(), 2);
        }
    }
}
