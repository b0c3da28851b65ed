//! The JSON of Ollama's answers, and the pieces of OpenAI's that are made of it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Text that is borrowed from the line where it has no escapes.
#[derive(Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// A line of `/api/chat` or `/api/generate`, or the answer of `/api/embed`. Durations are
/// nanoseconds; a figure of zero is left out by the server, so a missing one is unknown.
#[derive(Debug, Deserialize)]
pub(super) struct Line<'a> {
    #[serde(borrow)]
    pub(super) model: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) message: Option<Message<'a>>,
    #[serde(borrow)]
    pub(super) response: Option<Text<'a>>,
    pub(super) logprobs: Option<Vec<LogProb<'a>>>,
    pub(super) embeddings: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    pub(super) done: bool,
    pub(super) done_reason: Option<String>,
    pub(super) error: Option<&'a RawValue>,
    pub(super) total_duration: Option<u64>,
    pub(super) load_duration: Option<u64>,
    pub(super) prompt_eval_count: Option<u64>,
    /// Not in Ollama 0.33; proposed in its pull request 16138.
    pub(super) prompt_eval_cached_count: Option<u64>,
    pub(super) prompt_eval_duration: Option<u64>,
    pub(super) eval_count: Option<u64>,
    pub(super) eval_duration: Option<u64>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) content: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) thinking: Option<Text<'a>>,
    pub(super) tool_calls: Option<Vec<ToolCall<'a>>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct ToolCall<'a> {
    pub(super) id: Option<String>,
    #[serde(borrow)]
    pub(super) function: Function<'a>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Function<'a> {
    pub(super) name: String,
    #[serde(borrow)]
    pub(super) arguments: Option<&'a RawValue>,
}

#[derive(Serialize)]
pub(super) struct OpenAiToolCall<'a> {
    pub(super) id: String,
    pub(super) r#type: &'static str,
    pub(super) function: OpenAiFunction<'a>,
}

#[derive(Serialize)]
pub(super) struct OpenAiFunction<'a> {
    pub(super) name: &'a str,
    pub(super) arguments: &'a str,
}

/// Ollama's form of a token's probability is OpenAI's, but OpenAI always has the list.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct LogProb<'a> {
    #[serde(borrow)]
    pub(super) token: &'a RawValue,
    pub(super) logprob: &'a RawValue,
    pub(super) bytes: Option<&'a RawValue>,
    #[serde(default)]
    pub(super) top_logprobs: Vec<&'a RawValue>,
}

#[derive(Serialize)]
pub(super) struct OpenAiLogProbs<'a> {
    pub(super) content: &'a [Box<RawValue>],
    pub(super) refusal: Option<()>,
}
