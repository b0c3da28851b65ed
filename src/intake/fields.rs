//! The fields of a body that have a value of their own: one rule each, by endpoint.
//!
//! Three kinds: what shapes the answer is checked, what has no effect here is remarked, and what
//! Ollama cannot do although the answer would differ is a problem.

use std::fmt::Display;

use serde_json::value::RawValue;

use super::json::{self, Kind};
use super::place::Place;
use super::problem::{Findings, ProblemCode, quoted};
use super::tools;
use crate::model::Endpoint;

/// The largest number of tokens that can be asked for: servers count them in 32 bits.
const MOST_TOKENS: i64 = i32::MAX as i64;

/// What a field must be. `null` always means that the field is not there.
enum Rule {
    Text,
    Flag,
    Whole(i64, i64),
    Number(f64, f64),
    OneOf(&'static [&'static str]),
    /// A string or a list of strings.
    Texts,
    /// Understood, and nothing changes.
    NoEffect,
    /// A rule of its own.
    Own(fn(&mut Findings, &Place<'_>, &RawValue)),
}

/// Checks a field; false when no rule knows it.
pub(super) fn check(
    findings: &mut Findings,
    place: &Place<'_>,
    endpoint: Endpoint,
    (name, raw): (&str, &RawValue),
) -> bool {
    let Some(rule) = rule(endpoint, name) else {
        return false;
    };
    if Kind::of(raw.get()) != Kind::Null {
        apply(findings, place, raw, &rule);
    }
    true
}

fn rule(endpoint: Endpoint, name: &str) -> Option<Rule> {
    let own = match endpoint {
        Endpoint::Chat => chat(name),
        Endpoint::Completions => completion(name),
        Endpoint::Embeddings => embeddings(name),
    };
    own.or_else(|| anywhere(name))
}

fn anywhere(name: &str) -> Option<Rule> {
    Some(match name {
        "stream" => Rule::Own(stream),
        "user"
        | "metadata"
        | "store"
        | "service_tier"
        | "safety_identifier"
        | "stream_options"
        | "prompt_cache_key"
        | "prompt_cache_retention" => Rule::NoEffect,
        _ => return None,
    })
}

/// What chat and completions have in common.
fn generation(name: &str) -> Option<Rule> {
    Some(match name {
        "max_tokens" => Rule::Whole(1, MOST_TOKENS),
        "temperature" => Rule::Number(0.0, 2.0),
        "top_p" => Rule::Number(0.0, 1.0),
        "frequency_penalty" | "presence_penalty" => Rule::Number(-2.0, 2.0),
        "seed" => Rule::Whole(i64::MIN, i64::MAX),
        "stop" => Rule::Texts,
        "n" => Rule::Own(one_answer),
        "logit_bias" => Rule::Own(logit_bias),
        _ => return None,
    })
}

fn chat(name: &str) -> Option<Rule> {
    const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];
    Some(match name {
        "max_completion_tokens" => Rule::Whole(1, MOST_TOKENS),
        "reasoning_effort" => Rule::OneOf(EFFORTS),
        "logprobs" => Rule::Flag,
        "top_logprobs" => Rule::Whole(0, 20),
        // Walked by `body`, together with what the model reads.
        "tools" => Rule::Own(|_, _, _| ()),
        "response_format" => Rule::Own(tools::response_format),
        "tool_choice" => Rule::Own(tools::tool_choice),
        "parallel_tool_calls" => Rule::Own(parallel_tool_calls),
        "functions" | "function_call" => Rule::Own(tools::legacy_functions),
        "modalities" => Rule::Own(modalities),
        "audio" | "web_search_options" => Rule::Own(not_here),
        "prediction" | "verbosity" => Rule::NoEffect,
        _ => return generation(name),
    })
}

fn completion(name: &str) -> Option<Rule> {
    Some(match name {
        "suffix" => Rule::Text,
        "echo" => Rule::Own(echo),
        "best_of" => Rule::Own(one_answer),
        "logprobs" => Rule::Own(completion_logprobs),
        _ => return generation(name),
    })
}

fn embeddings(name: &str) -> Option<Rule> {
    Some(match name {
        "encoding_format" => Rule::OneOf(&["float", "base64"]),
        "dimensions" => Rule::Whole(1, MOST_TOKENS),
        _ => return None,
    })
}

fn apply(findings: &mut Findings, place: &Place<'_>, raw: &RawValue, rule: &Rule) {
    match *rule {
        Rule::Text => text(findings, place, raw),
        Rule::Flag => flag(findings, place, raw),
        Rule::Whole(least, most) => whole(findings, place, raw, (least, most)),
        Rule::Number(least, most) => number(findings, place, raw, (least, most)),
        Rule::OneOf(words) => one_of(findings, place, raw, words),
        Rule::Texts => texts(findings, place, raw),
        Rule::NoEffect => findings.without_effect(place),
        Rule::Own(own) => own(findings, place, raw),
    }
}

/// A string.
pub(super) fn text(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::Text {
        findings.wrong_type(place, raw.get(), "a string");
    }
}

/// True or false.
fn flag(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::Boolean {
        findings.wrong_type(place, raw.get(), "true or false");
    }
}

/// One of a few words.
pub(super) fn one_of(findings: &mut Findings, place: &Place<'_>, raw: &RawValue, words: &[&str]) {
    let Some(word) = json::text(raw) else {
        return findings.wrong_type(place, raw.get(), "a string");
    };
    if !words.contains(&word.as_ref()) {
        let what = format!("{} is not allowed", quoted(&word));
        let cure = format!("write {}", listed(words));
        findings.add(place, ProblemCode::InvalidValue, what, cure);
    }
}

/// `a`, `b` or `c`.
fn listed(words: &[&str]) -> String {
    let each: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
    match each.split_last() {
        Some((last, before)) if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => each.concat(),
    }
}

fn whole(findings: &mut Findings, place: &Place<'_>, raw: &RawValue, (least, most): (i64, i64)) {
    if Kind::of(raw.get()) != Kind::Number {
        return findings.wrong_type(place, raw.get(), "a whole number");
    }
    if raw
        .get()
        .bytes()
        .any(|byte| matches!(byte, b'.' | b'e' | b'E'))
    {
        return findings.wrong_type(place, raw.get(), "a whole number, without a decimal point");
    }
    let value = raw.get().parse::<i64>();
    if !value.is_ok_and(|value| (least..=most).contains(&value)) {
        out_of_range(findings, place, raw, (least, most));
    }
}

fn number(findings: &mut Findings, place: &Place<'_>, raw: &RawValue, (least, most): (f64, f64)) {
    if Kind::of(raw.get()) != Kind::Number {
        return findings.wrong_type(place, raw.get(), "a number");
    }
    let value = raw.get().parse::<f64>();
    if !value.is_ok_and(|value| (least..=most).contains(&value)) {
        out_of_range(findings, place, raw, (least, most));
    }
}

fn out_of_range<N: PartialEq + Display>(
    findings: &mut Findings,
    place: &Place<'_>,
    raw: &RawValue,
    (least, most): (N, N),
) {
    let what = format!("{} is out of range", quoted(raw.get()));
    let cure = if least == most {
        format!("write {least}, or take the field out")
    } else {
        format!("write a number from {least} to {most}")
    };
    findings.add(place, ProblemCode::InvalidValue, what, cure);
}

fn texts(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    match Kind::of(raw.get()) {
        Kind::Text => {}
        Kind::List => json::each_entry(raw, |index, entry| {
            text(findings, &place.entry(index), entry);
        }),
        _ => findings.wrong_type(place, raw.get(), "a string or a list of strings"),
    }
}

fn stream(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    match raw.get() {
        "false" => {}
        "true" => findings.add(
            place,
            ProblemCode::Streaming,
            "a batch has no one to stream to",
            "take the field out",
        ),
        _ => flag(findings, place, raw),
    }
}

fn one_answer(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if raw.get().parse::<u64>().is_ok_and(|answers| answers > 1) {
        let what = format!("asks for {} answers, and Ollama gives one", raw.get());
        let cure = "write the line that often, each time with another `custom_id` and `seed`";
        return findings.unsupported(place, &what, cure);
    }
    whole(findings, place, raw, (1, 1));
}

fn logit_bias(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::Object {
        return findings.wrong_type(place, raw.get(), "an object");
    }
    if !json::Object::of(raw).fields.is_empty() {
        findings.unsupported(
            place,
            "Ollama cannot weigh single tokens",
            "take it out, and ask for the wording in the prompt or with a `response_format`",
        );
    }
}

fn parallel_tool_calls(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    match raw.get() {
        "true" => findings.without_effect(place),
        "false" => findings.unsupported(
            place,
            "Ollama cannot keep a model from calling several tools at once",
            "take it out, and use only the first call of an answer",
        ),
        _ => flag(findings, place, raw),
    }
}

fn modalities(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    if Kind::of(raw.get()) != Kind::List {
        return findings.wrong_type(place, raw.get(), "a list of strings");
    }
    json::each_entry(raw, |index, entry| match json::text(entry).as_deref() {
        Some("text") => {}
        Some(_) => findings.unsupported(
            &place.entry(index),
            &format!(
                "Ollama answers in text, not in {}",
                quoted(entry.get().trim_matches('"'))
            ),
            "write `[\"text\"]`, or take the field out",
        ),
        None => findings.wrong_type(&place.entry(index), entry.get(), "a string"),
    });
}

fn not_here(findings: &mut Findings, place: &Place<'_>, _: &RawValue) {
    findings.unsupported(place, "Ollama cannot do this", "take the field out");
}

fn echo(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    match raw.get() {
        "true" => findings.unsupported(
            place,
            "Ollama does not repeat the prompt in the answer",
            "take it out, and join prompt and answer by `custom_id` afterwards",
        ),
        _ => flag(findings, place, raw),
    }
}

/// A result of `/v1/completions` has no place for probabilities here, so asking has no effect.
fn completion_logprobs(findings: &mut Findings, place: &Place<'_>, raw: &RawValue) {
    whole(findings, place, raw, (0, 20));
    findings.without_effect(place);
}
