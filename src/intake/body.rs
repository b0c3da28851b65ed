//! The body of a line: its fields by endpoint, and what the model reads first.

use std::ops::Range;

use serde_json::value::RawValue;

use super::fields;
use super::json::{self, Kind, Object};
use super::message;
use super::place::Place;
use super::problem::{Findings, Lead, ProblemCode};
use super::tools;
use crate::model::Endpoint;

/// Bytes from which on a JSON value is worth storing once for all requests that share it.
const SHAREABLE: usize = 256;

/// Bytes of the first message that tell prompts apart where nothing stands before it.
const OPENING: usize = 512;

/// What was read from a body.
pub(super) struct Body<'a> {
    /// The JSON object, byte for byte.
    pub(super) text: &'a str,
    /// Its model.
    pub(super) model: Option<String>,
    /// Where its long values stand, ascending.
    pub(super) shareable: Vec<Range<usize>>,
    endpoint: Endpoint,
    tools: Option<&'a RawValue>,
    system: blake3::Hasher,
    system_bytes: usize,
    first_system: Option<&'a RawValue>,
    opening: Option<&'a RawValue>,
}

impl<'a> Body<'a> {
    fn new(text: &'a str, endpoint: Endpoint) -> Self {
        Self {
            text,
            model: None,
            shareable: Vec::new(),
            endpoint,
            tools: None,
            system: blake3::Hasher::new(),
            system_bytes: 0,
            first_system: None,
            opening: None,
        }
    }

    /// Notes a value that other requests may hold too.
    pub(super) fn share(&mut self, raw: &RawValue) {
        if raw.get().len() >= SHAREABLE {
            self.shareable.extend(self.range_of(raw));
        }
    }

    /// Notes the content of a system message at the beginning.
    pub(super) fn begins_with_system(&mut self, raw: &'a RawValue) {
        self.first_system.get_or_insert(raw);
        self.system_bytes += raw.get().len();
        update_with_length(&mut self.system, raw.get());
    }

    /// Notes the first text that is no system message.
    pub(super) fn opens_with(&mut self, raw: &'a RawValue) {
        self.opening.get_or_insert(raw);
    }

    /// Hash of the model and what it reads first.
    pub(super) fn prefix(&self) -> u64 {
        // Embeddings read each input alone; there is no prefix to share.
        if self.endpoint == Endpoint::Embeddings {
            return 0;
        }
        let mut hasher = blake3::Hasher::new();
        update_with_length(&mut hasher, self.model.as_deref().unwrap_or_default());
        if self.lead_bytes() > 0 {
            update_with_length(&mut hasher, self.tools.map_or("", RawValue::get));
            hasher.update(self.system.finalize().as_bytes());
        } else {
            let opening = self.opening.map_or("", RawValue::get).as_bytes();
            hasher.update(opening.get(..OPENING).unwrap_or(opening));
        }
        let hash = hasher.finalize();
        number_of(hash.as_bytes().get(..8).unwrap_or_default())
    }

    /// What the prompt begins with, where that is tools or system messages.
    pub(super) fn lead(&self) -> Option<Lead> {
        let first = self.first_system.or(self.tools)?;
        Some(Lead {
            bytes: self.lead_bytes() as u64,
            first: self.range_of(first)?,
        })
    }

    fn lead_bytes(&self) -> usize {
        self.system_bytes + self.tools.map_or(0, |tools| tools.get().len())
    }

    /// Where a value borrowed from the body stands in it.
    fn range_of(&self, raw: &RawValue) -> Option<Range<usize>> {
        let start = raw
            .get()
            .as_ptr()
            .addr()
            .checked_sub(self.text.as_ptr().addr())?;
        let range = start..start.checked_add(raw.get().len())?;
        (self.text.get(range.clone()) == Some(raw.get())).then_some(range)
    }
}

/// Reads the body of a line, which is a valid JSON object. Without a valid url the endpoint is
/// guessed, so that the body's own problems are found too.
pub(super) fn read<'a>(
    findings: &mut Findings,
    place: &Place<'_>,
    raw: &'a RawValue,
    endpoint: Option<Endpoint>,
    model_override: bool,
) -> Body<'a> {
    let object = Object::of(raw);
    findings.object(place, &object);
    let endpoint = endpoint.unwrap_or_else(|| guess(&object));
    let mut body = Body::new(raw.get(), endpoint);
    for (name, value) in &object.fields {
        let place = place.field(name);
        match name.as_ref() {
            "model" => model(findings, &place, value, &mut body),
            "messages" | "prompt" | "input" => {}
            name if fields::check(findings, &place, endpoint, (name, value)) => {}
            _ => findings.unknown(&place),
        }
    }
    if object.get("model").is_none() && !model_override {
        findings.missing(
            &place.field("model"),
            "name a model, or give one with `--model`",
        );
    }
    match endpoint {
        Endpoint::Chat => chat(findings, place, &object, &mut body),
        Endpoint::Completions => completion(findings, place, &object, &mut body),
        Endpoint::Embeddings => embeddings(findings, place, &object, &mut body),
    }
    body.shareable.sort_unstable_by_key(|range| range.start);
    body
}

/// The first eight bytes as a number.
pub(super) fn number_of(bytes: &[u8]) -> u64 {
    bytes
        .first_chunk()
        .map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// The length goes first, so that two texts never look like one.
fn update_with_length(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn guess(object: &Object<'_>) -> Endpoint {
    match (
        object.get("input"),
        object.get("prompt"),
        object.get("messages"),
    ) {
        (Some(_), _, None) => Endpoint::Embeddings,
        (None, Some(_), None) => Endpoint::Completions,
        (_, _, Some(_)) | (None, None, None) => Endpoint::Chat,
    }
}

fn model(findings: &mut Findings, place: &Place<'_>, raw: &RawValue, body: &mut Body<'_>) {
    match json::text(raw) {
        Some(name) if name.trim().is_empty() => findings.add(
            place,
            ProblemCode::InvalidValue,
            "is empty",
            "name a model, such as `gemma3:12b`",
        ),
        Some(name) => body.model = Some(name.into_owned()),
        None if Kind::of(raw.get()) == Kind::Null => {}
        None => findings.wrong_type(place, raw.get(), "a string"),
    }
}

fn chat<'a>(findings: &mut Findings, place: &Place<'_>, object: &Object<'a>, body: &mut Body<'a>) {
    if let Some(raw) = object.get("tools").filter(|raw| !json::is_empty_list(raw)) {
        tools::tools(findings, &place.field("tools"), raw);
        findings.remarks.prompt_bytes += raw.get().len() as u64;
        body.tools = Some(raw);
        body.share(raw);
    }
    if let Some(raw) = object.get("response_format") {
        body.share(raw);
    }
    stray(findings, place, object, &["prompt", "input"]);
    let messages = place.field("messages");
    match object.get("messages") {
        Some(raw) => message::messages(findings, &messages, raw, body),
        None => findings.missing(&messages, "write the conversation as a list of messages"),
    }
}

fn completion<'a>(
    findings: &mut Findings,
    place: &Place<'_>,
    object: &Object<'a>,
    body: &mut Body<'a>,
) {
    stray(findings, place, object, &["messages", "input"]);
    let prompt = place.field("prompt");
    let Some(raw) = object.get("prompt") else {
        return findings.missing(&prompt, "write the text to go on from, as a string");
    };
    match Kind::of(raw.get()) {
        Kind::Text => not_empty(findings, &prompt, raw),
        Kind::List => one_text(findings, &prompt, raw),
        _ => findings.wrong_type(&prompt, raw.get(), "a string"),
    }
    findings.remarks.prompt_bytes += raw.get().len() as u64;
    body.opens_with(raw);
    body.share(raw);
}

fn embeddings<'a>(
    findings: &mut Findings,
    place: &Place<'_>,
    object: &Object<'a>,
    body: &mut Body<'a>,
) {
    stray(findings, place, object, &["messages", "prompt"]);
    let input = place.field("input");
    let Some(raw) = object.get("input") else {
        return findings.missing(
            &input,
            "write the text to embed, as a string or a list of strings",
        );
    };
    match Kind::of(raw.get()) {
        Kind::Text => not_empty(findings, &input, raw),
        Kind::List if json::is_empty_list(raw) => {
            findings.add(
                &input,
                ProblemCode::InvalidValue,
                "is empty",
                "write at least one text",
            );
        }
        Kind::List => {
            texts(findings, &input, raw);
        }
        _ => findings.wrong_type(&input, raw.get(), "a string or a list of strings"),
    }
    findings.remarks.prompt_bytes += raw.get().len() as u64;
    body.share(raw);
}

/// A prompt as a list: OpenAI makes one answer for each entry, Ollama takes one text.
fn one_text(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    let entries = texts(findings, place, raw);
    if entries.is_some_and(|entries| entries != 1) {
        findings.unsupported(
            place,
            "must hold exactly one text: one line, one prompt",
            "write each prompt on a line of its own",
        );
    }
}

/// Checks a list of texts and counts them; nothing when it is a list of tokens, which is said once
/// and not for each of thousands.
fn texts(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) -> Option<usize> {
    let (mut entries, mut tokens) = (0, false);
    json::each_entry(raw, |index, entry| {
        entries += 1;
        match Kind::of(entry.get()) {
            Kind::Text => not_empty(findings, &place.entry(index), entry),
            Kind::Number | Kind::List => tokens = true,
            _ => findings.wrong_type(&place.entry(index), entry.get(), "a string"),
        }
    });
    if tokens {
        findings.unsupported(
            place,
            "holds token numbers, which Ollama does not take",
            "write the text instead of its tokens",
        );
    }
    (!tokens).then_some(entries)
}

fn not_empty(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if raw.get() == "\"\"" {
        findings.add(
            place,
            ProblemCode::InvalidValue,
            "is empty",
            "write a text, or leave the line out",
        );
    }
}

/// Fields that belong to another endpoint are kept and have no effect.
fn stray(findings: &mut Findings, place: &Place<'_>, object: &Object<'_>, names: &[&str]) {
    for name in names.iter().filter(|name| object.get(name).is_some()) {
        findings.unknown(&place.field(name));
    }
}
