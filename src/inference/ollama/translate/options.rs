//! Ollama's `options`: what a model is loaded with, and how tokens are chosen.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::value::RawValue;

use super::super::super::Call;
use super::body::Body;
use super::refused;
use crate::model::{Failure, LoadOptions};

/// The options that shape how a model is loaded. They are the same on every call, because Ollama
/// reloads the model when one of them changes or is left out.
#[derive(Debug, Clone, Serialize)]
pub(super) struct LoadChoice {
    #[serde(skip_serializing_if = "Option::is_none")]
    num_ctx: Option<u32>,
}

impl LoadChoice {
    pub(super) const fn of(load: &LoadOptions) -> Self {
        Self {
            num_ctx: load.num_ctx,
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.num_ctx.is_none()
    }
}

/// All options of a request. Numbers keep the text that they have in the body; what the body does
/// not say is left to the model's own settings.
#[derive(Debug, Serialize)]
pub(super) struct Options<'a> {
    #[serde(flatten)]
    load: LoadChoice,
    pub(super) num_predict: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_k: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    typical_p: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_penalty: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repeat_last_n: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    presence_penalty: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    frequency_penalty: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<Stop<'a>>,
}

/// OpenAI takes one string or a list, Ollama only a list.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Stop<'a> {
    One([&'a RawValue; 1]),
    List(&'a RawValue),
}

impl<'a> Options<'a> {
    pub(super) fn of(call: &Call, body: &Body<'a>) -> Result<Self, Failure> {
        Ok(Self {
            load: LoadChoice::of(&call.load),
            num_predict: cap(call, body)?,
            seed: seed(body.seed, call.nudge),
            temperature: body.temperature,
            top_p: body.top_p,
            top_k: body.top_k,
            min_p: body.min_p,
            typical_p: body.typical_p,
            repeat_penalty: repeat_penalty(body.repeat_penalty, call.nudge),
            repeat_last_n: body.repeat_last_n,
            presence_penalty: body.presence_penalty,
            frequency_penalty: body.frequency_penalty,
            stop: body.stop.map(stop),
        })
    }
}

fn stop(given: &RawValue) -> Stop<'_> {
    if given.get().starts_with('[') {
        Stop::List(given)
    } else {
        Stop::One([given])
    }
}

/// The cap of the answer. Zero and less are refused: Ollama 0.33 takes them as one token, as ten
/// context windows or as no end, depending on the model.
fn cap(call: &Call, body: &Body<'_>) -> Result<u64, Failure> {
    let given = [
        ("max_completion_tokens", body.max_completion_tokens),
        ("max_tokens", body.max_tokens),
    ];
    let Some((field, value)) = given.into_iter().find_map(|(f, v)| Some((f, v?))) else {
        return Ok(u64::from(call.max_tokens.max(1)));
    };
    match whole(value.get()) {
        Some(cap) if cap > 0 => Ok(cap),
        _ => {
            let value: String = value.get().chars().take(40).collect();
            Err(refused(format!(
                "`{field}` is `{value}`: it must be a whole number from 1"
            )))
        }
    }
}

/// A whole number, also when it is written as `256.0`. What is larger than any context can hold
/// is no number of tokens.
fn whole(text: &str) -> Option<u64> {
    let (digits, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = fraction.bytes().all(|digit| digit == b'0');
    let number = digits.parse::<u64>().ok().filter(|_| is_whole)?;
    i32::try_from(number).ok().map(|_| number)
}

/// A seed moved away from the one that led into a loop. Without a seed Ollama takes a new one
/// each time anyway.
fn seed(given: Option<&RawValue>, nudge: u32) -> Option<Cow<'_, RawValue>> {
    let given = given?;
    let moved = given
        .get()
        .parse::<i64>()
        .ok()
        .filter(|_| nudge > 0)
        .and_then(|seed| number(&seed.wrapping_add(i64::from(nudge)).to_string()));
    Some(moved.unwrap_or(Cow::Borrowed(given)))
}

/// Ollama's own default is 1.0, no penalty. After a loop it is at least 1.1.
fn repeat_penalty(given: Option<&RawValue>, nudge: u32) -> Option<Cow<'_, RawValue>> {
    let strong = given.is_some_and(|given| given.get().parse::<f64>().is_ok_and(|p| p >= 1.1));
    if nudge == 0 || strong {
        return given.map(Cow::Borrowed);
    }
    number("1.1")
}

fn number<'a>(text: &str) -> Option<Cow<'a, RawValue>> {
    RawValue::from_string(text.to_owned()).ok().map(Cow::Owned)
}
