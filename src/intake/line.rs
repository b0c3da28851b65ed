//! One line: its encoding, its JSON, and the four fields around the body.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::value::RawValue;

use super::body::{self, Body};
use super::json::{self, DEEPEST, Kind, Object};
use super::lines::{InvalidLine, Item, Rules};
use super::place::Place;
use super::problem::{Findings, ProblemCode, quoted};
use crate::base::{bytes as in_units, count};
use crate::model::{Endpoint, NewRequest, Prompt};

const LINE: Place<'static> = Place::Line;
const CUSTOM_ID: Place<'static> = LINE.field("custom_id");
const METHOD: Place<'static> = LINE.field("method");
const URL: Place<'static> = LINE.field("url");
const BODY: Place<'static> = LINE.field("body");

const BOM: &[u8] = b"\xef\xbb\xbf";

/// Judges lines in their order; remembers what one line says about another.
pub(super) struct Judge {
    rules: Rules,
    /// The line of each `custom_id`, by a hash that nobody can make collide.
    custom_ids: HashMap<(u64, u64), u64>,
    /// The endpoint of the first line that has a valid one, and that line.
    endpoint: Option<(Endpoint, u64)>,
}

/// What the four fields of a line say.
#[derive(Default)]
struct Envelope<'a> {
    custom_id: Option<String>,
    endpoint: Option<Endpoint>,
    body: Option<Body<'a>>,
}

impl Judge {
    pub(super) fn new(rules: Rules) -> Self {
        Self {
            rules,
            custom_ids: HashMap::new(),
            endpoint: None,
        }
    }

    /// The item of a line that is not held because it is too long.
    pub(super) fn too_long(&self, line: u64, bytes: u64) -> Item {
        let mut findings = Findings::new(line);
        findings.add(
            &LINE,
            ProblemCode::LineTooLong,
            format!(
                "the line has {}, and {} are allowed",
                in_units(bytes),
                in_units(self.rules.longest_line as u64)
            ),
            "check that line feeds separate the requests, and make this one shorter",
        );
        invalid(None, findings)
    }

    /// The item of a line, or nothing when it is blank. `at` is its offset in the file.
    pub(super) fn line(&mut self, line: u64, at: u64, bytes: &[u8]) -> Option<Item> {
        let without_end = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let content = match without_end.strip_prefix(BOM) {
            Some(rest) if line == 1 => rest,
            _ => without_end,
        };
        if content.trim_ascii().is_empty() {
            return None;
        }
        let mut findings = Findings::new(line);
        let skipped = (without_end.len() - content.len()) as u64;
        let text = decode(&mut findings, at + skipped, content);
        if json::is_too_deep(content) {
            findings.add(
                &LINE,
                ProblemCode::NestingTooDeep,
                format!("lists and objects are nested deeper than {DEEPEST} levels"),
                "make the structure flatter, or write the deep part as a string",
            );
        }
        let envelope = self.envelope(&mut findings, &text);
        Some(
            match (envelope.custom_id, envelope.endpoint, envelope.body) {
                (Some(custom_id), Some(endpoint), Some(body)) if findings.is_clean() => {
                    request(line, custom_id, endpoint, body, findings)
                }
                (custom_id, _, _) => invalid(custom_id, findings),
            },
        )
    }

    fn envelope<'a>(&mut self, findings: &mut Findings, text: &'a str) -> Envelope<'a> {
        let Some(object) = parse(findings, text) else {
            return Envelope::default();
        };
        findings.object(&LINE, &object);
        for (name, _) in &object.fields {
            if !matches!(name.as_ref(), "custom_id" | "method" | "url" | "body") {
                findings.unknown(&LINE.field(name));
            }
        }
        let custom_id = self.custom_id(findings, field(&object, "custom_id"));
        method(findings, field(&object, "method"));
        let endpoint = self.endpoint(findings, field(&object, "url"));
        let body = self.body(findings, field(&object, "body"), endpoint);
        Envelope {
            custom_id,
            endpoint,
            body,
        }
    }

    fn custom_id(&mut self, findings: &mut Findings, raw: Option<&RawValue>) -> Option<String> {
        let Some(raw) = raw else {
            findings.missing(&CUSTOM_ID, "give each line a `custom_id` of its own");
            return None;
        };
        let Some(custom_id) = json::text(raw) else {
            findings.wrong_type(&CUSTOM_ID, raw.get(), "a string");
            return None;
        };
        if custom_id.is_empty() {
            findings.add(
                &CUSTOM_ID,
                ProblemCode::InvalidValue,
                "is empty",
                "give each line a `custom_id` of its own",
            );
            return None;
        }
        let first = self.first_line_of(&custom_id, findings.line());
        if first != findings.line() {
            findings.add(
                &CUSTOM_ID,
                ProblemCode::DuplicateCustomId,
                format!(
                    "{} is already used on line {}",
                    quoted(&custom_id),
                    count(first)
                ),
                "give each line a `custom_id` of its own",
            );
        }
        Some(custom_id.into_owned())
    }

    /// The first line with this `custom_id`: the present one when it is new.
    fn first_line_of(&mut self, custom_id: &str, line: u64) -> u64 {
        let hash = blake3::hash(custom_id.as_bytes());
        let mut halves = hash.as_bytes().chunks_exact(8).map(body::number_of);
        let key = (
            halves.next().unwrap_or_default(),
            halves.next().unwrap_or_default(),
        );
        *self.custom_ids.entry(key).or_insert(line)
    }

    fn endpoint(&mut self, findings: &mut Findings, raw: Option<&RawValue>) -> Option<Endpoint> {
        let Some(raw) = raw else {
            findings.missing(&URL, "write `/v1/chat/completions`");
            return None;
        };
        let Some(url) = json::text(raw) else {
            findings.wrong_type(&URL, raw.get(), "a string");
            return None;
        };
        let Some(endpoint) = Endpoint::from_url(&url) else {
            findings.add(
                &URL,
                ProblemCode::InvalidUrl,
                format!("{} is no endpoint that can be run here", quoted(&url)),
                "write `/v1/chat/completions`, `/v1/completions` or `/v1/embeddings`, exactly so",
            );
            return None;
        };
        let (first, line) = *self.endpoint.get_or_insert((endpoint, findings.line()));
        if first != endpoint {
            findings.add(
                &URL,
                ProblemCode::UrlMismatch,
                format!("`{endpoint}` is another endpoint than `{first}` of line {line}"),
                "put each endpoint in a file of its own",
            );
        }
        Some(endpoint)
    }

    fn body<'a>(
        &self,
        findings: &mut Findings,
        raw: Option<&'a RawValue>,
        endpoint: Option<Endpoint>,
    ) -> Option<Body<'a>> {
        let Some(raw) = raw else {
            findings.missing(&BODY, "write the request itself under `body`, as an object");
            return None;
        };
        if Kind::of(raw.get()) != Kind::Object {
            findings.wrong_type(&BODY, raw.get(), "an object");
            return None;
        }
        Some(body::read(
            findings,
            &BODY,
            raw,
            endpoint,
            self.rules.model_override,
        ))
    }
}

fn field<'a>(object: &Object<'a>, name: &str) -> Option<&'a RawValue> {
    let found = object.fields.iter().find(|(key, _)| key == name);
    found.map(|(_, value)| *value)
}

fn request(
    line: u64,
    custom_id: String,
    endpoint: Endpoint,
    body: Body<'_>,
    mut findings: Findings,
) -> Item {
    findings.remarks.lead = body.lead();
    let prompt = Prompt {
        bytes: findings.remarks.prompt_bytes,
        lead: findings.remarks.lead.as_ref().map_or(0, |lead| lead.bytes),
        prefix: body.prefix(),
    };
    let request = NewRequest {
        line,
        custom_id,
        endpoint,
        prompt,
        model: body.model,
        body: body.text.to_owned(),
        shareable: body.shareable,
    };
    Item::Request(request, findings.remarks)
}

fn invalid(custom_id: Option<String>, findings: Findings) -> Item {
    Item::Invalid(InvalidLine {
        line: findings.line(),
        custom_id,
        more: findings.more,
        problems: findings.problems,
    })
}

/// The line as text. Where it is no UTF-8, the rest of it is still judged, with the bad bytes
/// replaced.
fn decode<'a>(findings: &mut Findings, at: u64, content: &'a [u8]) -> Cow<'a, str> {
    let error = match std::str::from_utf8(content) {
        Ok(text) => return Cow::Borrowed(text),
        Err(error) => error,
    };
    if content.starts_with(b"\xff\xfe") || content.starts_with(b"\xfe\xff") {
        findings.add(
            &LINE,
            ProblemCode::InvalidUtf8,
            "the file is written in UTF-16",
            "save it as UTF-8",
        );
    } else {
        let inside = error.valid_up_to();
        let byte = content.get(inside).copied().unwrap_or_default();
        findings.add(
            &LINE,
            ProblemCode::InvalidUtf8,
            format!(
                "byte {byte:#04x} at offset {inside} of the line (offset {} of the file) is no UTF-8",
                at + inside as u64
            ),
            "save the file as UTF-8",
        );
    }
    String::from_utf8_lossy(content)
}

fn parse<'a>(findings: &mut Findings, text: &'a str) -> Option<Object<'a>> {
    match Object::parse(text) {
        Ok(object) => {
            if let Some(at) = json::lone_surrogate(text) {
                findings.add(
                    &LINE,
                    ProblemCode::InvalidJsonLine,
                    format!(
                        "half of a surrogate pair at column {}: {}",
                        at + 1,
                        quoted(text.get(at..at + 6).unwrap_or_default())
                    ),
                    "write the whole character; a text was cut in the middle of one",
                );
                return None;
            }
            Some(object)
        }
        Err(error) => {
            not_an_object(findings, text, &error);
            None
        }
    }
}

fn not_an_object(findings: &mut Findings, text: &str, error: &serde_json::Error) {
    // What a replaced byte does to the syntax is no problem of its own.
    if !findings.is_clean() {
        return;
    }
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        findings.add(
            &LINE,
            ProblemCode::NulByte,
            format!("a byte 0 at offset {at} of the line"),
            "take it out; such a file was cut by a crash, is not text, or is not written in UTF-8",
        );
        return;
    }
    // The first error may be about the type alone: what is wrong as JSON comes before that.
    let parsed = serde_json::from_str::<&RawValue>(text);
    if parsed.is_ok() && Kind::of(text) != Kind::Object {
        return findings.wrong_type(&LINE, text.trim_ascii(), "an object");
    }
    let syntax = parsed.as_ref().err().unwrap_or(error);
    let cure = match (syntax.is_eof(), text.trim_ascii()) {
        (true, _) => "write each request completely on one line, without line breaks inside",
        (_, text) if text.starts_with("{'") => "use double quotes: this is Python, not JSON",
        _ => "write one JSON object on the line and nothing else",
    };
    let what = format!("no JSON at column {}: {}", syntax.column(), reason(syntax));
    findings.add(&LINE, ProblemCode::InvalidJsonLine, what, cure);
}

/// The parser's words without the place, which it counts in a text of one line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let words = text.split(" at line ").next().unwrap_or_default();
    words.to_owned()
}

fn method(findings: &mut Findings, raw: Option<&RawValue>) {
    let Some(raw) = raw else {
        return findings.missing(&METHOD, "write `POST`");
    };
    let Some(method) = json::text(raw) else {
        return findings.wrong_type(&METHOD, raw.get(), "a string");
    };
    if method != "POST" {
        let what = format!("{} is not `POST`", quoted(&method));
        findings.add(&METHOD, ProblemCode::InvalidMethod, what, "write `POST`");
    }
}
