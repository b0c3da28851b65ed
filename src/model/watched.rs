//! An answer that somebody watches while it is written.

use serde::{Deserialize, Serialize};

use super::RequestId;

/// The end of an answer that is being written, or that was until a moment ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WatchedAnswer {
    /// Whose answer it is.
    pub request: RequestId,
    /// What came last of it: outside text, at most 4 kB of whole characters. What the model thinks
    /// comes first, a blank line divides it from what it says.
    pub text: String,
    /// Bytes before `text` that were left out.
    pub dropped: u64,
    /// Whether the last piece was thinking.
    pub is_thinking: bool,
    /// Whether it is still being sent. An answer that is no longer sent is stored, or the request
    /// has failed or waits to be tried again: the queue says which.
    pub is_open: bool,
}
