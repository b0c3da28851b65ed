//! A request as a person reads it: its messages by role, its answer, its failures.

use serde_json::Value;

use crate::base::Stamp;
use crate::model::{Answer, AnswerBody, Finish, Timings};
use crate::store::{RequestDetail, RequestLine};

/// Fields of a body that are shown as messages.
const MESSAGES: [&str; 4] = ["messages", "prompt", "input", "tools"];

/// A request in words. All texts are outside text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestText {
    /// What lists show of it.
    pub line: RequestLine,
    /// What it asks.
    pub prompt: Vec<Piece>,
    /// What was answered, or why nothing was.
    pub answer: Vec<Piece>,
    /// The JSON of both sides: the body as it stands in the file, and the stored outcome.
    pub raw: [String; 2],
    /// The failed attempts that count: number, time and what happened.
    pub attempts: Vec<(u32, Stamp, String)>,
    /// Where the time went.
    pub timings: Option<Timings>,
    /// Why the answer ended.
    pub finish: Option<Finish>,
}

/// Something said by someone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// By whom.
    pub role: String,
    /// What.
    pub text: String,
}

impl Piece {
    fn new(role: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            role: role.into(),
            text: text.into(),
        }
    }
}

impl RequestText {
    /// The request in words.
    pub fn of(detail: RequestDetail) -> Self {
        let body = detail.body.unwrap_or_default();
        let mut answer = detail.answer.as_ref().map(said).unwrap_or_default();
        if let Some(failure) = &detail.failure {
            let status = failure.status.map(|status| format!(" (HTTP {status})"));
            let role = format!("{}{}", failure.class, status.unwrap_or_default());
            answer.push(Piece::new(role, failure.message.clone()));
        }
        let raw = match (&detail.answer, &detail.failure) {
            (Some(answer), _) => serde_json::to_string_pretty(answer),
            (None, Some(failure)) => serde_json::to_string_pretty(failure),
            (None, None) => Ok(String::new()),
        };
        Self {
            line: detail.line,
            prompt: asked(&body),
            answer,
            raw: [body, raw.unwrap_or_default()],
            attempts: detail
                .failed_attempts
                .into_iter()
                .map(|(number, at, failure)| (number, at, failure.to_string()))
                .collect(),
            timings: detail.answer.as_ref().map(|answer| answer.timings),
            finish: detail.answer.as_ref().map(|answer| answer.finish),
        }
    }
}

/// The messages of a body, and its other fields at the end.
fn asked(body: &str) -> Vec<Piece> {
    let Ok(Value::Object(body)) = serde_json::from_str(body) else {
        return vec![Piece::new("no valid request", body)];
    };
    let mut pieces = Vec::new();
    let messages = body.get("messages").and_then(Value::as_array);
    for message in messages.into_iter().flatten() {
        let role = message.get("role").map_or("message".to_owned(), plain);
        let content = message.get("content").map(content).unwrap_or_default();
        pieces.push(Piece::new(role, content));
        if let Some(calls) = message.get("tool_calls") {
            pieces.push(Piece::new("tool calls", self::calls(calls)));
        }
    }
    for name in ["prompt", "input"] {
        if let Some(value) = body.get(name) {
            pieces.push(Piece::new(name, content(value)));
        }
    }
    if let Some(tools) = body.get("tools") {
        pieces.push(Piece::new("tools", pretty(tools)));
    }
    let others = body
        .iter()
        .filter(|(name, _)| !MESSAGES.contains(&name.as_str()));
    let others: Vec<String> = others
        .map(|(name, value)| format!("{name}: {}", plain(value)))
        .collect();
    if !others.is_empty() {
        pieces.push(Piece::new("parameters", others.join("\n")));
    }
    pieces
}

fn said(answer: &Answer) -> Vec<Piece> {
    match &answer.body {
        AnswerBody::Chat {
            content,
            thinking,
            tool_calls,
            ..
        } => {
            let mut pieces = Vec::new();
            if let Some(thinking) = thinking {
                pieces.push(Piece::new("thinking", thinking.clone()));
            }
            if !content.is_empty() || (thinking.is_none() && tool_calls.is_none()) {
                pieces.push(Piece::new("assistant", content.clone()));
            }
            if let Some(raw) = tool_calls {
                let parsed = serde_json::from_str(raw.get());
                let text = parsed.map_or_else(|_| raw.get().to_owned(), |value| calls(&value));
                pieces.push(Piece::new("tool calls", text));
            }
            pieces
        }
        AnswerBody::Completion { text } => vec![Piece::new("completion", text.clone())],
        AnswerBody::Embeddings { vectors } => {
            let vectors: Vec<&str> = vectors.iter().map(|vector| vector.get()).collect();
            vec![Piece::new("embeddings", vectors.join("\n"))]
        }
    }
}

/// Text of a content: a string, or parts of which some are text.
fn content(value: &Value) -> String {
    match value {
        Value::Array(parts) => {
            let parts: Vec<String> = parts.iter().map(part).collect();
            parts.join("\n")
        }
        Value::Null => String::new(),
        other => plain(other),
    }
}

fn part(part: &Value) -> String {
    match (part.get("text"), part.get("type")) {
        (Some(text), _) => plain(text),
        (None, Some(kind)) => format!("[{}]", plain(kind)),
        (None, None) => plain(part),
    }
}

fn calls(value: &Value) -> String {
    let call = |call: &Value| {
        let function = call.get("function")?;
        let arguments = function.get("arguments").map(plain).unwrap_or_default();
        Some(format!("{}({arguments})", plain(function.get("name")?)))
    };
    let calls = value.as_array().into_iter().flatten();
    let calls: Option<Vec<String>> = calls.map(call).collect();
    calls
        .filter(|calls| !calls.is_empty())
        .map_or_else(|| pretty(value), |calls| calls.join("\n"))
}

fn plain(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_by_role() {
        let body = r#"{"messages":[{"role":"system","content":"Be brief."},
            {"role":"user","content":[{"type":"text","text":"Look:"},{"type":"image_url"}]},
            {"role":"assistant","content":null,
             "tool_calls":[{"function":{"name":"f","arguments":"{\"a\":1}"}}]}],"seed":7}"#;
        let pieces = asked(body);
        let read: Vec<(&str, &str)> = pieces
            .iter()
            .map(|piece| (piece.role.as_str(), piece.text.as_str()))
            .collect();
        let expected = [
            ("system", "Be brief."),
            ("user", "Look:\n[image_url]"),
            ("assistant", ""),
            ("tool calls", "f({\"a\":1})"),
            ("parameters", "seed: 7"),
        ];
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_no_request_is_shown_as_it_is() {
        assert_eq!(asked("{oops"), [Piece::new("no valid request", "{oops")]);
    }
}
