//! What every row becomes: one line of a batch file.

use std::sync::Arc;

use super::problem::Flaw;
use super::table::{Header, Row};
use super::template::Template;
use crate::intake::Rules;
use crate::sample::{ANSWER_SCHEMA, SYSTEM_PROMPT};

/// Columns that name a request where nothing else is said, the first that is there.
const USUAL_IDS: [&str; 3] = ["custom_id", "id", "candidate_id"];

/// What the requests say.
#[derive(Debug, Clone, PartialEq)]
pub struct Wording {
    /// Template of the user's message.
    pub prompt: String,
    /// Template of the system message.
    pub system: Option<String>,
    /// A column, or a template with `{{`, that gives the `custom_id`. Without it: the column
    /// `custom_id`, `id` or `candidate_id`, or else the number of the row.
    pub id: Option<String>,
    /// `body.model`.
    pub model: Option<String>,
    /// `body.temperature`, 0 to 2.
    pub temperature: Option<f64>,
    /// `body.max_tokens`.
    pub max_tokens: Option<u32>,
    /// The form of the answer: its name, and a JSON schema. It is written in the order of its
    /// fields, because a model answers in that order.
    pub schema: Option<(String, String)>,
}

impl Wording {
    /// Only a prompt.
    pub const fn new(prompt: String) -> Self {
        Self {
            prompt,
            system: None,
            id: None,
            model: None,
            temperature: None,
            max_tokens: None,
            schema: None,
        }
    }

    /// The ready template `candidates`: the rubric that `sample` uses, and an answer with score and
    /// reason. A column `profile` is the prompt; without one, all columns are listed.
    pub fn candidates() -> Self {
        Self {
            system: Some(SYSTEM_PROMPT.to_owned()),
            temperature: Some(0.0),
            max_tokens: Some(160),
            schema: Some(("grade".to_owned(), ANSWER_SCHEMA.to_owned())),
            ..Self::new(include_str!("../../assets/sample/prompt.txt").to_owned())
        }
    }
}

/// How rows become requests: templates read, constant text already JSON.
#[derive(Debug)]
pub struct Recipe {
    prompt: Template,
    system: Option<System>,
    id: Id,
    /// What stands before the messages in the body.
    model: String,
    /// What stands behind the messages, up to the end of the line.
    tail: String,
    /// Bytes that a line of a batch file may have.
    longest: usize,
}

#[derive(Debug)]
enum System {
    /// The same for every row, as JSON.
    Constant(String, u64),
    Template(Box<Template>),
}

#[derive(Debug)]
enum Id {
    Usual,
    Template(Box<Template>),
}

/// A request that was made of a row.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) custom_id: String,
    /// Whether nobody else can have this id.
    pub(super) is_numbered: bool,
    /// Bytes of text that the model reads.
    pub(super) prompt_bytes: u64,
}

impl Recipe {
    /// Reads the templates.
    ///
    /// # Errors
    /// What is wrong with one of them, and where.
    pub fn new(wording: &Wording) -> Result<Self, Flaw> {
        let system = wording
            .system
            .as_ref()
            .map(|source| Template::new("system", source.clone()))
            .transpose()?
            .map(|template| match template.constant() {
                Some(text) => System::Constant(json(text), text.len() as u64),
                None => System::Template(Box::new(template)),
            });
        let id = match &wording.id {
            None => Id::Usual,
            Some(template) if template.contains("{{") => {
                Id::Template(Box::new(Template::new("id", template.clone())?))
            }
            // The name of a column, which need not be an identifier.
            Some(column) => {
                let template = format!("{{{{ row[{}] }}}}", json(column));
                Id::Template(Box::new(Template::new("id", template)?))
            }
        };
        let model = wording.model.as_ref();
        Ok(Self {
            prompt: Template::new("prompt", wording.prompt.clone())?,
            system,
            id,
            model: model.map_or_else(String::new, |model| format!("\"model\":{},", json(model))),
            tail: tail(wording),
            longest: Rules::default().longest_line,
        })
    }

    /// Has lines be no longer than this, for tests that need no line of 64 MiB.
    #[cfg(test)]
    pub(super) const fn cap_lines(&mut self, longest: usize) {
        self.longest = longest;
    }

    /// Whether the templates ask only for columns that are there.
    pub(super) fn check(&self, header: &Header) -> Result<(), Flaw> {
        self.prompt.check(header)?;
        if let Some(System::Template(template)) = &self.system {
            template.check(header)?;
        }
        match &self.id {
            Id::Usual => Ok(()),
            Id::Template(template) => template.check(header),
        }
    }

    /// Writes the request of one row, its end of line included. Where it fails, nothing was written.
    pub(super) fn write(&self, row: &Arc<Row>, line: &mut Vec<u8>) -> Result<Made, Flaw> {
        let start = line.len();
        let made = self.try_write(row, line).and_then(|made| {
            let longest = self.longest as u64;
            let is_short = line.len() - start <= self.longest;
            is_short
                .then_some(made)
                .ok_or(Flaw::LongRequest { longest })
        });
        if made.is_err() {
            line.truncate(start);
        }
        made
    }

    fn try_write(&self, row: &Arc<Row>, line: &mut Vec<u8>) -> Result<Made, Flaw> {
        let (custom_id, is_numbered) = self.id(row)?;
        line.extend_from_slice(b"{\"custom_id\":");
        put(line, &custom_id);
        line.extend_from_slice(b",\"method\":\"POST\",\"url\":\"/v1/chat/completions\",\"body\":{");
        line.extend_from_slice(self.model.as_bytes());
        line.extend_from_slice(b"\"messages\":[");
        let mut prompt_bytes = self.write_system(row, line)?;
        let prompt = self.prompt.render(row)?;
        if prompt.trim().is_empty() {
            return Err(Flaw::EmptyPrompt);
        }
        prompt_bytes += prompt.len() as u64;
        line.extend_from_slice(b"{\"role\":\"user\",\"content\":");
        put(line, &prompt);
        line.extend_from_slice(self.tail.as_bytes());
        Ok(Made {
            custom_id,
            is_numbered,
            prompt_bytes,
        })
    }

    fn write_system(&self, row: &Arc<Row>, line: &mut Vec<u8>) -> Result<u64, Flaw> {
        let Some(system) = &self.system else {
            return Ok(0);
        };
        line.extend_from_slice(b"{\"role\":\"system\",\"content\":");
        let bytes = match system {
            System::Constant(json, bytes) => {
                line.extend_from_slice(json.as_bytes());
                *bytes
            }
            System::Template(template) => {
                let text = template.render(row)?;
                put(line, &text);
                text.len() as u64
            }
        };
        line.extend_from_slice(b"},");
        Ok(bytes)
    }

    fn id(&self, row: &Arc<Row>) -> Result<(String, bool), Flaw> {
        let id = match &self.id {
            Id::Template(template) => template.render(row)?,
            Id::Usual => match row.first_of(&USUAL_IDS) {
                Some(id) => id,
                None => return Ok((format!("row-{:06}", row.number()), true)),
            },
        };
        if id.trim().is_empty() {
            return Err(Flaw::EmptyId);
        }
        Ok((id, false))
    }
}

/// What stands behind the text of the prompt.
fn tail(wording: &Wording) -> String {
    let format = wording.schema.as_ref().map(|(name, schema)| {
        // No string of JSON holds a line end, so that this takes nothing from one.
        let schema: String = schema.split(['\n', '\r']).map(str::trim).collect();
        let name = json(name);
        format!(
            ",\"response_format\":{{\"type\":\"json_schema\",\"json_schema\":{{\"name\":{name},\"schema\":{schema}}}}}"
        )
    });
    let max_tokens = wording
        .max_tokens
        .map(|number| format!(",\"max_tokens\":{number}"));
    let temperature = wording
        .temperature
        .map(|number| format!(",\"temperature\":{number}"));
    let fields = [format, max_tokens, temperature];
    let fields: String = fields.into_iter().flatten().collect();
    format!("}}]{fields}}}}}\n")
}

/// A text as JSON. Writing text to memory cannot fail.
fn json(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

fn put(line: &mut Vec<u8>, text: &str) {
    let _ = serde_json::to_writer(line, text);
}
