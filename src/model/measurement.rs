//! What a server was measured to do with sample requests.

use serde::{Deserialize, Serialize};

use super::{Energy, Parallel};
use crate::base::Stamp;

/// What was measured: figures are compared only where this is the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Setup {
    /// The model's name: outside text.
    pub model: String,
    /// Name of the card, or of several with ` + ` between them; `None` where no card can be read.
    pub card: Option<String>,
    /// Requests outstanding at most.
    pub parallel: Parallel,
    /// Context window of each slot in tokens; `None` is what the server chose.
    pub num_ctx: Option<u32>,
    /// Whether the server was the simulated one.
    pub simulated: bool,
}

/// One measurement: so many requests, and what they took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What was measured.
    #[serde(flatten)]
    pub setup: Setup,
    /// When it ended.
    pub at: Stamp,
    /// Hash of the model's manifest.
    pub digest: Option<String>,
    /// How its weights are quantised, as the server words it.
    pub quantization: Option<String>,
    /// Version of the server.
    pub server_version: Option<String>,
    /// What was sent and what came back.
    pub work: Work,
    /// From sending the first request to the last answer, in seconds.
    pub seconds: f64,
    /// Half of the answers took less, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 in 100 answers took less, in milliseconds.
    pub p95_ms: Option<f64>,
    /// Energy that the cards used.
    pub energy: Option<Energy>,
}

/// Requests and their tokens.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Work {
    /// Requests that reached their end.
    pub requests: u64,
    /// Those of them that failed.
    pub failed: u64,
    /// Tokens of the prompts answered, as the server counted them, cached ones included.
    pub prompt_tokens: u64,
    /// Tokens of the answers.
    pub answer_tokens: u64,
    /// Tokens of all prompts as they were estimated before.
    pub estimated_tokens: Option<u64>,
    /// The part of the estimate that no prompt shares with another one.
    pub estimated_fresh: Option<u64>,
    /// The share of the server's work that was reading prompts, from 0 to 1.
    pub prefill_share: Option<f64>,
}

impl Measurement {
    /// Requests that reached their end, a second.
    pub fn requests_per_second(&self) -> Option<f64> {
        self.per_second(self.work.requests)
    }

    /// Tokens of answers, a second.
    pub fn answer_tokens_per_second(&self) -> Option<f64> {
        self.per_second(self.work.answer_tokens)
    }

    fn per_second(&self, number: u64) -> Option<f64> {
        (self.seconds > 0.0 && number > 0).then(|| number as f64 / self.seconds)
    }
}
