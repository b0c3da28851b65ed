//! How an answer is written down: records of `/v1/chat/completions`.

use serde::Serialize;

use super::answers::ToolCall;
use super::voice::{End, Logprob, Metrics, Voice};
use super::wire::{to_json, write_json};
use crate::base::Stamp;

#[derive(Serialize)]
struct Record<'a> {
    id: String,
    object: &'static str,
    created: i64,
    model: &'a str,
    system_fingerprint: &'static str,
    choices: Vec<Choice<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delta: Option<Message<'a>>,
    finish_reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<Logprobs>,
}

#[derive(Serialize, Default)]
struct Message<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

/// A tool call in OpenAI's shape: the arguments are a text.
#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    index: u32,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: String,
}

#[derive(Serialize)]
struct Logprobs {
    content: Vec<Logprob>,
}

#[derive(Serialize)]
struct Usage {
    #[serde(rename = "prompt_tokens")]
    prompt: u64,
    #[serde(rename = "completion_tokens")]
    completion: u64,
    #[serde(rename = "total_tokens")]
    total: u64,
}

/// A chunk of one token; the first also names the role.
pub(super) fn word(voice: &Voice, out: &mut Vec<u8>, text: &str, thinking: bool) {
    let delta = Message {
        role: (!voice.begun).then_some("assistant"),
        content: Some(if thinking { "" } else { text }),
        reasoning: thinking.then_some(text),
        tool_calls: Vec::new(),
    };
    let logprobs = logprobs(voice, [text]);
    event(
        out,
        &chunk(voice, vec![choice_delta(delta, None, logprobs)]),
    );
}

/// Tool calls, the finish, the usage where it is asked for, and the mark of the end.
pub(super) fn end(voice: &Voice, out: &mut Vec<u8>, end: &End<'_>, with_usage: bool) {
    if !end.tool_calls.is_empty() {
        let delta = Message {
            tool_calls: calls(end.tool_calls),
            ..Message::default()
        };
        event(out, &chunk(voice, vec![choice_delta(delta, None, None)]));
    }
    let finish = choice_delta(Message::default(), Some(reason(end)), None);
    event(out, &chunk(voice, vec![finish]));
    if with_usage {
        let mut last = chunk(voice, Vec::new());
        last.usage = Some(Usage::of(&end.metrics));
        event(out, &last);
    }
    out.extend_from_slice(b"data: [DONE]\n\n");
}

/// The one record of an answer without streaming.
pub(super) fn whole(voice: &Voice, thinking: &str, content: &str, end: &End<'_>) -> Vec<u8> {
    let message = Message {
        role: Some("assistant"),
        content: Some(content),
        reasoning: Some(thinking).filter(|text| !text.is_empty()),
        tool_calls: calls(end.tool_calls),
    };
    let logprobs = logprobs(voice, super::tokens::pieces(content));
    let usage = Usage::of(&end.metrics);
    completion(voice, message, Some(reason(end)), logprobs, usage)
}

/// What is left of an answer that Ollama gave up: no finish reason, a usage of nothing.
pub(super) fn unfinished(voice: &Voice, content: &str) -> Vec<u8> {
    let message = Message {
        role: Some("assistant"),
        content: Some(content),
        ..Message::default()
    };
    completion(voice, message, None, None, Usage::of(&Metrics::default()))
}

/// What is left of an error within a stream: a chunk of no model with no text.
pub(super) fn lost_error(voice: &Voice, out: &mut Vec<u8>) {
    let delta = Message {
        role: Some("assistant"),
        content: Some(""),
        ..Message::default()
    };
    let mut record = chunk(voice, vec![choice_delta(delta, None, None)]);
    record.model = "";
    event(out, &record);
}

impl Usage {
    const fn of(metrics: &Metrics) -> Self {
        Self {
            prompt: metrics.prompt_tokens,
            completion: metrics.answer_tokens,
            total: metrics.prompt_tokens + metrics.answer_tokens,
        }
    }
}

fn completion(
    voice: &Voice,
    message: Message<'_>,
    finish_reason: Option<&'static str>,
    logprobs: Option<Logprobs>,
    usage: Usage,
) -> Vec<u8> {
    let choice = Choice {
        index: 0,
        message: Some(message),
        delta: None,
        finish_reason,
        logprobs,
    };
    let mut body = to_json(&Record {
        usage: Some(usage),
        ..record(voice, "chat.completion", vec![choice])
    });
    body.push(b'\n');
    body
}

fn chunk<'a>(voice: &'a Voice, choices: Vec<Choice<'a>>) -> Record<'a> {
    record(voice, "chat.completion.chunk", choices)
}

/// Ids have at most three digits in Ollama 0.33, so they are not unique.
fn record<'a>(voice: &'a Voice, object: &'static str, choices: Vec<Choice<'a>>) -> Record<'a> {
    Record {
        id: format!("chatcmpl-{}", voice.number % 999),
        object,
        created: Stamp::now().seconds(),
        model: &voice.model,
        system_fingerprint: "fp_ollama",
        choices,
        usage: None,
    }
}

const fn choice_delta<'a>(
    delta: Message<'a>,
    finish_reason: Option<&'static str>,
    logprobs: Option<Logprobs>,
) -> Choice<'a> {
    Choice {
        index: 0,
        message: None,
        delta: Some(delta),
        finish_reason,
        logprobs,
    }
}

const fn reason(end: &End<'_>) -> &'static str {
    if end.tool_calls.is_empty() {
        end.reason
    } else {
        "tool_calls"
    }
}

fn calls(calls: &[ToolCall]) -> Vec<Call<'_>> {
    calls
        .iter()
        .map(|call| Call {
            id: &call.id,
            index: call.function.index,
            kind: "function",
            function: Function {
                name: &call.function.name,
                arguments: call.function.arguments.to_string(),
            },
        })
        .collect()
}

fn logprobs<'a>(voice: &Voice, tokens: impl IntoIterator<Item = &'a str>) -> Option<Logprobs> {
    let content = voice.probabilities(tokens);
    (!content.is_empty()).then_some(Logprobs { content })
}

fn event(out: &mut Vec<u8>, record: &Record<'_>) {
    out.extend_from_slice(b"data: ");
    write_json(out, record);
    out.extend_from_slice(b"\n\n");
}
