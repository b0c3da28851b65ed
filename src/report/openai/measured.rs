//! What was measured of an answer.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::ResultLine;
use crate::model::{Answer, Finish, Tokens, Trim, TrimReason};

/// What OpenAI's form has no place for. Times are milliseconds; what is not known is left out.
#[derive(Serialize)]
pub(super) struct Measured<'a> {
    attempts: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    conversation: Option<i64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    trims: Vec<Cut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_tokens: Option<Tokens>,
    wall_ms: Milliseconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_token_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    queue_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefill_ms: Option<Milliseconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decode_ms: Option<Milliseconds>,
}

impl<'a> Measured<'a> {
    /// The figures of this answer.
    pub(super) fn of(line: &ResultLine<'a>, answer: &Answer) -> Self {
        let timings = &answer.timings;
        let usage = answer.usage;
        let is_whole = usage.prompt.is_some() && usage.answer.is_some();
        Self {
            attempts: line.attempts.sent,
            conversation: line.conversation,
            trims: line.trims.iter().map(Cut::of).collect(),
            cut: match answer.finish {
                Finish::Cap => Some("cap"),
                Finish::ContextFull => Some("context"),
                Finish::Stop | Finish::ToolCalls => None,
            },
            prompt_tokens: usage.prompt.filter(|_| !is_whole),
            answer_tokens: usage.answer.filter(|_| !is_whole),
            wall_ms: Milliseconds(timings.wall),
            first_token_ms: timings.first_token.map(Milliseconds),
            total_ms: timings.total.map(Milliseconds),
            queue_ms: timings.queued().map(Milliseconds),
            load_ms: timings.load.map(Milliseconds),
            prefill_ms: timings.prefill.map(Milliseconds),
            decode_ms: timings.decode.map(Milliseconds),
        }
    }
}

/// Something that was left out of the prompt. Tokens are estimates.
#[derive(Serialize)]
struct Cut<'a> {
    policy: &'static str,
    #[serde(flatten)]
    reason: &'a TrimReason,
    messages_before: u32,
    messages_after: u32,
    tokens_before: Tokens,
    tokens_after: Tokens,
}

impl<'a> Cut<'a> {
    fn of(trim: &'a Trim) -> Self {
        Self {
            policy: trim.policy.word(),
            reason: &trim.reason,
            messages_before: trim.messages_before,
            messages_after: trim.messages_after,
            tokens_before: trim.tokens_before,
            tokens_after: trim.tokens_after,
        }
    }
}

/// Written as milliseconds with at most three decimals.
#[derive(Clone, Copy)]
struct Milliseconds(Duration);

impl Serialize for Milliseconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_micros() as f64 / 1000.0)
    }
}
