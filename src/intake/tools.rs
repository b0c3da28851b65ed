//! Tools, calls of tools, and the form that an answer must have.

use serde_json::value::RawValue;

use super::fields::text;
use super::json::{self, Kind, Object};
use super::place::Place;
use super::problem::{Findings, ProblemCode, quoted};

/// Checks `body.tools`.
pub(super) fn tools(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::List {
        return findings.wrong_type(place, raw.get(), "a list of tools");
    }
    json::each_entry(raw, |index, tool| {
        let place = place.entry(index);
        if let Some(function) = function_of(findings, &place, tool) {
            described_function(findings, &place.field("function"), function);
        }
    });
}

/// Checks one of a message's `tool_calls`.
pub(super) fn tool_call(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    let Some(function) = function_of(findings, place, raw) else {
        return;
    };
    let place = place.field("function");
    let function = Object::of(function);
    name(findings, &place, &function);
    let arguments = place.field("arguments");
    let Some(raw) = function.get("arguments") else {
        return findings.missing(&arguments, "write the arguments, `\"{}\"` for none");
    };
    let Some(inside) = json::text(raw) else {
        return findings.wrong_type(&arguments, raw.get(), "a string that holds a JSON object");
    };
    if Object::parse(&inside).is_err() {
        findings.add(
            &arguments,
            ProblemCode::InvalidValue,
            format!("holds no JSON object: {}", quoted(&inside)),
            "write the arguments as JSON in a string, `\"{}\"` for none",
        );
    }
}

/// Checks `body.tool_choice`. Ollama lets the model choose; `none` is done by sending no tools.
pub(super) fn tool_choice(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    match (Kind::of(raw.get()), json::text(raw).as_deref()) {
        (_, Some("auto" | "none")) => {}
        (Kind::Object, _) | (_, Some("required")) => findings.unsupported(
            place,
            "Ollama cannot make a model call a tool",
            "write `auto`, and ask for the call in the prompt",
        ),
        (Kind::Text, _) => super::fields::one_of(findings, place, raw, &["auto", "none"]),
        _ => findings.wrong_type(place, raw.get(), "a string"),
    }
}

/// Checks `body.functions` and `body.function_call`, the form before tools.
pub(super) fn legacy_functions(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    let harmless =
        json::is_empty_list(raw) || matches!(json::text(raw).as_deref(), Some("auto" | "none"));
    if harmless {
        return findings.without_effect(place);
    }
    findings.unsupported(
        place,
        "is the old form of tools, which Ollama does not know",
        "write the functions as `tools`",
    );
}

/// Checks `body.response_format`.
pub(super) fn response_format(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::Object {
        return findings.wrong_type(place, raw.get(), "an object with a `type`");
    }
    let object = Object::of(raw);
    findings.object(place, &object);
    let kind_place = place.field("type");
    let Some(kind) = object.get("type") else {
        return findings.missing(&kind_place, "write `text`, `json_object` or `json_schema`");
    };
    let kinds = ["text", "json_object", "json_schema"];
    super::fields::one_of(findings, &kind_place, kind, &kinds);
    if json::text(kind).as_deref() == Some("json_schema") {
        json_schema(
            findings,
            &place.field("json_schema"),
            object.get("json_schema"),
        );
    }
}

fn json_schema(findings: &mut Findings, place: &Place<'_>, raw: Option<&RawValue>) {
    const CURE: &str = "write {\"name\":\"…\",\"schema\":{…}}";
    let Some(raw) = raw else {
        return findings.missing(place, CURE);
    };
    if Kind::of(raw.get()) != Kind::Object {
        return findings.wrong_type(place, raw.get(), "an object");
    }
    let object = Object::of(raw);
    findings.object(place, &object);
    let schema = place.field("schema");
    match object.get("schema") {
        Some(raw) => expect_object(findings, &schema, raw),
        None => findings.missing(&schema, CURE),
    }
}

/// The `function` of a tool or of a call.
fn function_of<'a>(
    findings: &mut Findings,
    place: &Place<'_>,
    raw: &'a RawValue,
) -> Option<&'a RawValue> {
    if Kind::of(raw.get()) != Kind::Object {
        findings.wrong_type(place, raw.get(), "an object");
        return None;
    }
    let object = Object::of(raw);
    findings.object(place, &object);
    // Calls are often written without a type; there is only one.
    if let Some(kind) = object.get("type").and_then(json::text)
        && kind != "function"
    {
        let what = format!("Ollama knows no tool of type {}", quoted(&kind));
        findings.unsupported(&place.field("type"), &what, "describe it as a `function`");
        return None;
    }
    let function_place = place.field("function");
    let Some(function) = object.get("function") else {
        findings.missing(
            &function_place,
            "write the function as an object with a `name`",
        );
        return None;
    };
    if Kind::of(function.get()) != Kind::Object {
        findings.wrong_type(&function_place, function.get(), "an object");
        return None;
    }
    Some(function)
}

fn described_function(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    let function = Object::of(raw);
    findings.object(place, &function);
    name(findings, place, &function);
    if let Some(description) = function.get("description") {
        text(findings, &place.field("description"), description);
    }
    if let Some(parameters) = function.get("parameters") {
        expect_object(findings, &place.field("parameters"), parameters);
    }
}

fn name(findings: &mut Findings, place: &Place<'_>, function: &Object<'_>) {
    let place = place.field("name");
    match function.get("name") {
        Some(name) => text(findings, &place, name),
        None => findings.missing(&place, "name the function"),
    }
}

fn expect_object(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::Object {
        findings.wrong_type(place, raw.get(), "an object");
    }
}
