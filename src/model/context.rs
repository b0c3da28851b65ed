//! How full context windows are and what was left out of histories, as a snapshot shows it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{JobId, Mode, RequestId, Tokens, Trim};
use crate::base::Stamp;

/// The context windows of the job whose requests are being sent.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ContextView {
    /// Whether its requests see each other.
    pub mode: Mode,
    /// Window of one slot; `None` until the server has told.
    pub window: Option<Tokens>,
    /// What prompt and answer may take of it.
    pub safe: Option<Tokens>,
    /// The largest prompt with its answer since the model was loaded, as the server counted them.
    pub peak: Option<Tokens>,
    /// What is outstanding, one entry a lane; at most 64.
    pub lanes: Vec<LaneContext>,
    /// The last trims of all jobs, oldest first; at most 200.
    pub trims: Arc<[TrimView]>,
    /// Trims since the engine started.
    pub trimmed: u64,
    /// How far estimates of tokens are off, as a share of the real count; `None` before the first
    /// count.
    pub error: Option<f64>,
}

/// What the prompt of an outstanding request consists of, in estimated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneContext {
    /// Which lane, from 1.
    pub lane: u32,
    /// The request.
    pub request: RequestId,
    /// Tools and system prompt.
    pub system: Tokens,
    /// Earlier questions and answers.
    pub history: Tokens,
    /// The request's own messages.
    pub question: Tokens,
    /// Reserved for the answer.
    pub answer: Tokens,
}

impl LaneContext {
    /// All of it.
    pub fn total(&self) -> Tokens {
        self.system + self.history + self.question + self.answer
    }
}

/// A trim on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrimView {
    /// Counts trims from 1 since the engine started.
    pub number: u64,
    /// When.
    pub at: Stamp,
    /// Of which job.
    pub job: JobId,
    /// The user's name for the request before which it was done: outside text.
    pub custom_id: Arc<str>,
    /// What was done.
    pub trim: Trim,
}
