//! The messages of a conversation: roles, contents and their parts, calls of tools.

use serde_json::value::RawValue;

use super::body::Body;
use super::fields::{one_of, text};
use super::json::{self, Kind, Object};
use super::place::Place;
use super::problem::{Findings, ProblemCode, quoted};
use super::tools;

const ROLES: &[&str] = &[
    "system",
    "developer",
    "user",
    "assistant",
    "tool",
    "function",
];

/// Pictures that Ollama 0.33 can read.
const PICTURES: [&str; 4] = ["image/jpeg", "image/jpg", "image/png", "image/webp"];

/// What a message costs beside its content, as bytes of text: chat templates frame each one with
/// about five tokens (Gemma, Llama 3 and Qwen alike).
const FRAME: u64 = 20;
/// What a picture or a sound costs, as bytes of text: Ollama 0.33 takes a picture for 768 tokens.
const MEDIUM: u64 = 3_072;

/// Bytes of a message in OpenAI's form that the model reads as text: its content as JSON, its frame,
/// and what pictures in it count as. Nothing where it is none.
pub fn message_bytes(message: &str) -> u64 {
    let Ok(raw) = serde_json::from_str::<&RawValue>(message) else {
        return 0;
    };
    let mut findings = Findings::new(0);
    self::message(&mut findings, &Place::Line, raw);
    findings.remarks.prompt_bytes
}

/// Checks `body.messages`, and notes what the model reads first.
pub(super) fn messages<'a>(
    findings: &mut Findings,
    place: &Place<'_>,
    raw: &'a RawValue,
    body: &mut Body<'a>,
) {
    if Kind::of(raw.get()) != Kind::List {
        return findings.wrong_type(place, raw.get(), "a list of messages");
    }
    if json::is_empty_list(raw) {
        let cure = "write at least one message, such as {\"role\":\"user\",\"content\":\"…\"}";
        return findings.add(place, ProblemCode::InvalidValue, "is empty", cure);
    }
    let mut at_the_beginning = true;
    json::each_entry(raw, |index, entry| {
        let Some((role, content)) = message(findings, &place.entry(index), entry) else {
            return;
        };
        at_the_beginning &= role == Role::System;
        let Some(content) = content else { return };
        body.share(content);
        if at_the_beginning {
            body.begins_with_system(content);
        } else {
            body.opens_with(content);
        }
    });
}

/// The roles, as far as they differ in what a message must hold.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// `system` and `developer`.
    System,
    Assistant,
    Other,
}

fn message<'a>(
    findings: &mut Findings,
    place: &Place<'_>,
    raw: &'a RawValue,
) -> Option<(Role, Option<&'a RawValue>)> {
    if Kind::of(raw.get()) != Kind::Object {
        findings.wrong_type(place, raw.get(), "an object with `role` and `content`");
        return None;
    }
    let object = Object::of(raw);
    findings.object(place, &object);
    findings.remarks.prompt_bytes += FRAME;
    let role = role(findings, &place.field("role"), object.get("role"));
    for (name, value) in &object.fields {
        if Kind::of(value.get()) != Kind::Null {
            other_field(findings, &place.field(name), name, value);
        }
    }
    let content_place = place.field("content");
    match object.get("content") {
        Some(content) => self::content(findings, &content_place, content),
        None if role == Role::Assistant && speaks_without_content(&object) => {}
        None => without_content(findings, &content_place, &object, role),
    }
    Some((role, object.get("content")))
}

fn role(findings: &mut Findings, place: &Place<'_>, raw: Option<&RawValue>) -> Role {
    let Some(raw) = raw else {
        findings.missing(place, "write who speaks, such as `user`");
        return Role::Other;
    };
    one_of(findings, place, raw, ROLES);
    match json::text(raw).as_deref() {
        Some("system" | "developer") => Role::System,
        Some("assistant") => Role::Assistant,
        _ => Role::Other,
    }
}

fn other_field(findings: &mut Findings, place: &Place<'_>, name: &str, raw: &RawValue) {
    match name {
        "role" | "content" => {}
        "name" | "tool_call_id" | "refusal" => text(findings, place, raw),
        "tool_calls" => tool_calls(findings, place, raw),
        "function_call" => findings.unsupported(
            place,
            "is the old form of a tool call",
            "write it as `tool_calls`",
        ),
        "audio" => findings.unsupported(
            place,
            "refers to audio that only OpenAI has",
            "take it out, and write what was said as `content`",
        ),
        _ => findings.unknown(place),
    }
}

fn speaks_without_content(object: &Object<'_>) -> bool {
    let calls = object
        .get("tool_calls")
        .is_some_and(|raw| !json::is_empty_list(raw));
    calls || object.get("refusal").is_some() || object.get("function_call").is_some()
}

fn without_content(findings: &mut Findings, place: &Place<'_>, object: &Object<'_>, role: Role) {
    let cure = match role {
        Role::Assistant => "write what the assistant said, or its `tool_calls`",
        _ => "write a text or a list of parts",
    };
    if object.fields.iter().any(|(name, _)| name == "content") {
        let what = "must be a string or a list of parts, but is null";
        findings.add(place, ProblemCode::InvalidType, what, cure);
    } else {
        findings.missing(place, cure);
    }
}

fn content(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    match Kind::of(raw.get()) {
        Kind::Text => findings.remarks.prompt_bytes += raw.get().len() as u64,
        Kind::List if json::is_empty_list(raw) => {
            let cure = "write at least one part, or a string";
            findings.add(place, ProblemCode::InvalidValue, "is empty", cure);
        }
        Kind::List => json::each_entry(raw, |index, entry| {
            part(findings, &place.entry(index), entry);
        }),
        _ => findings.wrong_type(place, raw.get(), "a string or a list of parts"),
    }
}

fn part(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::Object {
        return findings.wrong_type(place, raw.get(), "an object with a `type`");
    }
    let object = Object::of(raw);
    findings.object(place, &object);
    let kind_place = place.field("type");
    let Some(kind) = object.get("type") else {
        return findings.missing(&kind_place, "write `text`, `image_url` or `input_audio`");
    };
    let Some(kind) = json::text(kind) else {
        return findings.wrong_type(&kind_place, kind.get(), "a string");
    };
    let check = match kind.as_ref() {
        "text" | "refusal" => text_part,
        "image_url" => image,
        "input_audio" => audio,
        _ => {
            let what = format!("Ollama cannot read a part of type {}", quoted(&kind));
            let cure = "use `text`, `image_url` or `input_audio`";
            return findings.unsupported(&kind_place, &what, cure);
        }
    };
    let value_place = place.field(&kind);
    match object.get(&kind) {
        Some(value) => check(findings, &value_place, value),
        None => findings.missing(&value_place, "write what the part holds"),
    }
}

fn text_part(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    findings.remarks.prompt_bytes += raw.get().len() as u64;
    text(findings, place, raw);
}

fn image(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    findings.remarks.prompt_bytes += MEDIUM;
    let url_place = place.field("url");
    let (place, raw) = match Kind::of(raw.get()) {
        Kind::Object => match Object::of(raw).get("url") {
            Some(url) => (&url_place, url),
            None => return findings.missing(&url_place, "write the picture as a `data:` URI"),
        },
        _ => (place, raw),
    };
    let Some(url) = json::text(raw) else {
        return findings.wrong_type(place, raw.get(), "a string");
    };
    let Some(data) = url.strip_prefix("data:") else {
        return findings.unsupported(
            place,
            &format!("Ollama does not fetch pictures: {}", quoted(&url)),
            "put the picture itself in the line, as `data:image/png;base64,…`",
        );
    };
    let kind = data.split_once(";base64,").map(|(kind, _)| kind);
    if !kind.is_some_and(|kind| PICTURES.contains(&kind)) {
        let what = format!("{} is no picture that Ollama can read", quoted(&url));
        let cure = "write `data:image/png;base64,…`, or the same with jpeg or webp";
        findings.add(place, ProblemCode::InvalidValue, what, cure);
    }
}

fn audio(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    findings.remarks.prompt_bytes += MEDIUM;
    if Kind::of(raw.get()) != Kind::Object {
        return findings.wrong_type(place, raw.get(), "an object with `data` and `format`");
    }
    let object = Object::of(raw);
    match object.get("data") {
        Some(data) => text(findings, &place.field("data"), data),
        None => findings.missing(&place.field("data"), "write the sound in base64"),
    }
    match object.get("format") {
        Some(format) => one_of(findings, &place.field("format"), format, &["wav", "mp3"]),
        None => findings.missing(&place.field("format"), "write `wav` or `mp3`"),
    }
}

fn tool_calls(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::List {
        return findings.wrong_type(place, raw.get(), "a list of calls");
    }
    findings.remarks.prompt_bytes += raw.get().len() as u64;
    json::each_entry(raw, |index, call| {
        tools::tool_call(findings, &place.entry(index), call);
    });
}
