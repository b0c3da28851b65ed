//! How an answer is written down: records of `/api/chat` and `/api/generate`.

use std::time::Duration;

use serde::Serialize;

use super::answers::ToolCall;
use super::openai_voice;
use super::tokens::{self, Token};
use super::wire::{JSON, PLAIN_JSON, Refusal, created_at, to_json, write_json};

/// Whose records are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `/api/chat`
    Chat,
    /// `/api/generate`
    Generate,
    /// `/v1/chat/completions`
    OpenAi {
        /// Whether the stream ends with the usage.
        usage: bool,
    },
}

/// Writes the records of one answer.
#[derive(Debug)]
pub(super) struct Voice {
    pub dialect: Dialect,
    /// The model as the request named it.
    pub model: String,
    /// Alternatives listed for each token; `None` is no probabilities at all.
    pub logprobs: Option<u32>,
    /// Number of the request, for the ids of the OpenAI dialect.
    pub number: u64,
    /// Whether a record has been written already.
    pub begun: bool,
}

/// How an answer ended.
#[derive(Debug)]
pub(super) struct End<'a> {
    pub reason: &'static str,
    pub metrics: Metrics,
    pub tool_calls: &'a [ToolCall],
    /// Prompt and answer in numbers, for `/api/generate`.
    pub context: Option<Vec<Token>>,
}

/// The figures of the last record. Durations are nanoseconds on the wire.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metrics {
    pub total: Duration,
    pub load: Duration,
    pub prompt_tokens: u64,
    pub prefill: Duration,
    pub answer_tokens: u64,
    pub decode: Duration,
}

/// A record of Ollama's own endpoints, fields in its order.
#[derive(Serialize, Default)]
struct Record<'a> {
    model: &'a str,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    response: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a str>,
    done: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    done_reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logprobs: Vec<Logprob>,
    #[serde(skip_serializing_if = "Option::is_none")]
    context: Option<&'a [Token]>,
    #[serde(skip_serializing_if = "is_zero")]
    total_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    load_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    prompt_eval_duration: u64,
    #[serde(skip_serializing_if = "is_zero")]
    eval_count: u64,
    #[serde(skip_serializing_if = "is_zero")]
    eval_duration: u64,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    thinking: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tool_calls: &'a [ToolCall],
}

/// How likely a token was, and which others were.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Logprob {
    token: String,
    #[serde(rename = "logprob")]
    natural: f64,
    bytes: Vec<u8>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    top_logprobs: Vec<Logprob>,
}

impl Voice {
    pub(super) const fn stream_type(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAi { .. } => "text/event-stream",
            _ => "application/x-ndjson",
        }
    }

    pub(super) const fn whole_type(&self) -> &'static str {
        match self.dialect {
            Dialect::OpenAi { .. } => PLAIN_JSON,
            _ => JSON,
        }
    }

    /// A record of one token.
    pub(super) fn word(&mut self, out: &mut Vec<u8>, text: &str, thinking: bool) {
        if matches!(self.dialect, Dialect::OpenAi { .. }) {
            openai_voice::word(self, out, text, thinking);
            self.begun = true;
            return;
        }
        self.begun = true;
        let (thought, content) = if thinking { (text, "") } else { ("", text) };
        let record = Record {
            logprobs: self.probabilities([text]),
            ..self.record(thought, content, &[])
        };
        line(out, &record);
    }

    /// The records after the last token.
    pub(super) fn end(&self, out: &mut Vec<u8>, end: &End<'_>) {
        if let Dialect::OpenAi { usage } = self.dialect {
            return openai_voice::end(self, out, end, usage);
        }
        if !end.tool_calls.is_empty() {
            line(out, &self.record("", "", end.tool_calls));
        }
        line(out, &self.last("", "", &[], end));
    }

    /// The one record of an answer without streaming.
    pub(super) fn whole(&self, thinking: &str, content: &str, end: &End<'_>) -> Vec<u8> {
        if matches!(self.dialect, Dialect::OpenAi { .. }) {
            return openai_voice::whole(self, thinking, content, end);
        }
        let record = Record {
            logprobs: self.probabilities(tokens::pieces(thinking).chain(tokens::pieces(content))),
            ..self.last(thinking, content, end.tool_calls, end)
        };
        to_json(&record)
    }

    /// The one record of an answer that Ollama gave up without an error: not done, no figures.
    pub(super) fn unfinished(&self, content: &str) -> Vec<u8> {
        match self.dialect {
            Dialect::OpenAi { .. } => openai_voice::unfinished(self, content),
            _ => to_json(&self.record("", content, &[])),
        }
    }

    /// The answer to a request that only loads or unloads.
    pub(super) fn loaded(&self, reason: &'static str) -> Vec<u8> {
        to_json(&Record {
            done: true,
            done_reason: Some(reason),
            ..self.record("", "", &[])
        })
    }

    /// An error within a stream. The OpenAI dialect loses it: one record of no model, and the end
    /// without `[DONE]` (Ollama 0.33).
    pub(super) fn error(&self, out: &mut Vec<u8>, text: &str) {
        if matches!(self.dialect, Dialect::OpenAi { .. }) {
            return openai_voice::lost_error(self, out);
        }
        out.extend(Refusal::new(500, text).native_body());
        out.push(b'\n');
    }

    /// Probabilities of these tokens, where they are asked for. Always of the same numbers.
    pub(super) fn probabilities<'a>(
        &self,
        tokens: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Logprob> {
        let Some(others) = self.logprobs else {
            return Vec::new();
        };
        tokens
            .into_iter()
            .filter(|token| !token.is_empty())
            .map(|token| Logprob::of(token, others))
            .collect()
    }

    fn record<'a>(
        &'a self,
        thinking: &'a str,
        content: &'a str,
        calls: &'a [ToolCall],
    ) -> Record<'a> {
        let mut record = Record {
            model: &self.model,
            created_at: created_at(),
            ..Record::default()
        };
        if self.dialect == Dialect::Generate {
            record.response = Some(content);
            record.thinking = Some(thinking).filter(|text| !text.is_empty());
        } else {
            record.message = Some(Message {
                role: "assistant",
                content,
                thinking,
                tool_calls: calls,
            });
        }
        record
    }

    fn last<'a>(
        &'a self,
        thinking: &'a str,
        content: &'a str,
        calls: &'a [ToolCall],
        end: &'a End<'_>,
    ) -> Record<'a> {
        let metrics = end.metrics;
        Record {
            done: true,
            done_reason: Some(end.reason),
            context: end.context.as_deref(),
            total_duration: metrics.total.as_nanos() as u64,
            load_duration: metrics.load.as_nanos() as u64,
            prompt_eval_count: metrics.prompt_tokens,
            prompt_eval_duration: metrics.prefill.as_nanos() as u64,
            eval_count: metrics.answer_tokens,
            eval_duration: metrics.decode.as_nanos() as u64,
            ..self.record(thinking, content, calls)
        }
    }
}

impl Logprob {
    fn of(token: &str, others: u32) -> Self {
        let alternatives = (1..others).map(|rank| {
            let other = format!(" {rank}");
            Self::alone(&other, -2.5 - f64::from(rank))
        });
        let mut own = Self::alone(token, -f64::from(tokens::token(token) % 200) / 100.0);
        if others > 0 {
            own.top_logprobs = std::iter::once(own.clone()).chain(alternatives).collect();
        }
        own
    }

    fn alone(token: &str, natural: f64) -> Self {
        Self {
            token: token.to_owned(),
            natural,
            bytes: token.bytes().collect(),
            top_logprobs: Vec::new(),
        }
    }
}

fn line(out: &mut Vec<u8>, record: &Record<'_>) {
    write_json(out, record);
    out.push(b'\n');
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde asks for a reference"
)]
const fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(dialect: Dialect) -> Voice {
        Voice {
            dialect,
            model: "m".to_owned(),
            logprobs: None,
            number: 1,
            begun: false,
        }
    }

    #[test]
    fn figures_of_nothing_are_left_out() {
        let end = End {
            reason: "stop",
            metrics: Metrics::default(),
            tool_calls: &[],
            context: None,
        };
        let text = String::from_utf8(voice(Dialect::Generate).whole("", "hi", &end)).unwrap();
        assert!(
            text.ends_with(r#""response":"hi","done":true,"done_reason":"stop"}"#),
            "{text}"
        );
    }

    #[test]
    fn thinking_has_its_own_field() {
        let mut out = Vec::new();
        voice(Dialect::Chat).word(&mut out, "hm", true);
        let text = String::from_utf8(out).unwrap();
        assert!(
            text.contains(
                r#""message":{"role":"assistant","content":"","thinking":"hm"},"done":false}"#
            ),
            "{text}"
        );
    }
}
