//! What a server answered, in the program's own words.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::Tokens;

/// A complete answer: the server said `done`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Answer {
    /// The model's name as the server gave it back.
    pub model: String,
    /// What was generated.
    pub body: AnswerBody,
    /// Why it ended there.
    pub finish: Finish,
    /// Tokens read and written.
    pub usage: Usage,
    /// Where the time went.
    pub timings: Timings,
}

/// The generated part of an answer, by endpoint.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerBody {
    /// A chat message.
    Chat {
        /// The visible text.
        content: String,
        /// Thinking text, where the model gave any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        thinking: Option<String>,
        /// Tool calls in OpenAI's shape (`id`, `type`, `function {name, arguments}`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        tool_calls: Option<Box<RawValue>>,
        /// Token probabilities in OpenAI's shape (`{"content": […]}`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        logprobs: Option<Box<RawValue>>,
    },
    /// Plain text after a prompt.
    Completion {
        /// The text.
        text: String,
    },
    /// One vector for each input, each a JSON array of numbers exactly as the server wrote it.
    Embeddings {
        /// In the order of the inputs.
        vectors: Vec<Box<RawValue>>,
    },
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// The model ended it, or a stop string did.
    Stop,
    /// The model called tools.
    ToolCalls,
    /// Cut off: the request's own cap of tokens was reached.
    Cap,
    /// Cut off: the context window was full before the cap was reached.
    ContextFull,
}

impl Finish {
    /// Whether the answer was cut off.
    pub const fn is_cut(self) -> bool {
        matches!(self, Self::Cap | Self::ContextFull)
    }

    /// OpenAI's `finish_reason`, which does not tell the two kinds of cut apart.
    pub const fn openai(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::ToolCalls => "tool_calls",
            Self::Cap | Self::ContextFull => "length",
        }
    }
}

/// Tokens of one request. `None` is "the server did not say".
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the whole prompt, those read from a cache included.
    pub prompt: Option<Tokens>,
    /// Those of them that the server says it did not evaluate again. Ollama 0.33 never says.
    pub cached: Option<Tokens>,
    /// Those of them that were not evaluated again: as the server counts, or else as the time it
    /// took shows. `None` where neither can be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<Tokens>,
    /// Tokens generated, thinking and the end mark included.
    pub answer: Option<Tokens>,
}

/// Times of one request. The server's own figures are `None` where it leaves them out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Timings {
    /// From sending to the last byte, by our clock.
    pub wall: Duration,
    /// From sending to the first token, by our clock.
    pub first_token: Option<Duration>,
    /// The server's whole handling, waiting in its queue included.
    pub total: Option<Duration>,
    /// Waiting for the model to be loaded, which [`RELOAD`] judges.
    pub load: Option<Duration>,
    /// Evaluating the part of the prompt that was not cached.
    pub prefill: Option<Duration>,
    /// From the first generated token to the last: `answer - 1` steps.
    pub decode: Option<Duration>,
    /// What evaluating the reused part would have taken; `None` where the rate of reading is not
    /// known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saved: Option<Duration>,
}

/// A load that took longer was a load: a model in memory answers within 5 ms (Ollama 0.33).
pub const RELOAD: Duration = Duration::from_millis(500);

impl Timings {
    /// Whether the model was loaded for this request.
    pub fn is_reloaded(&self) -> bool {
        self.load.is_some_and(|load| load > RELOAD)
    }

    /// Time in the server's queue: its total less everything it accounts for.
    pub fn queued(&self) -> Option<Duration> {
        let parts = [self.load?, self.prefill?, self.decode?];
        Some(self.total?.saturating_sub(parts.iter().sum()))
    }
}
