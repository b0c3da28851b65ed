//! What was sent and is not answered yet, what was refused as too long, and the last trims.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::prompt::{Message, Prompt};
use crate::base::Ring;
use crate::model::{LaneContext, RequestId, TrimView};
use crate::store::Claimed;

/// Trims kept for a look.
const TRIMS: usize = 200;

/// Prompts on their way.
#[derive(Debug)]
pub(in crate::engine::core) struct Prompts {
    sent: BTreeMap<RequestId, Sent>,
    refused: BTreeMap<RequestId, Refused>,
    trims: Ring<TrimView>,
    shown: Arc<[TrimView]>,
    trimmed: u64,
    /// The system messages read last, which most likely come again.
    system: Vec<Message>,
}

/// A prompt on its way.
#[derive(Debug)]
pub(super) struct Sent {
    /// What it consists of.
    pub(super) context: LaneContext,
    /// Bytes of its messages, the tools included.
    pub(super) bytes: u64,
    /// The request's own messages as they were sent, for the history.
    pub(super) own: Vec<Message>,
    /// Whether more of it could be left out.
    pub(super) is_compressible: bool,
}

/// A prompt that the server refused as too long.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Refused {
    /// How often.
    pub(super) times: u32,
    /// By how much its estimate was too low.
    pub(super) scale: f64,
}

impl Default for Prompts {
    fn default() -> Self {
        Self {
            sent: BTreeMap::new(),
            refused: BTreeMap::new(),
            trims: Ring::new(TRIMS),
            shown: Arc::new([]),
            trimmed: 0,
            system: Vec::new(),
        }
    }
}

impl Prompts {
    /// The prompt of a request, as [`Prompt::of`] reads it.
    pub(super) fn read(&mut self, request: &Claimed) -> Option<Prompt> {
        let prompt = Prompt::of(request.endpoint, &request.body, &self.system)?;
        self.system.clone_from(&prompt.system);
        Some(prompt)
    }

    pub(super) fn send(&mut self, request: RequestId, sent: Sent) {
        self.sent.insert(request, sent);
    }

    /// Bytes of a prompt as it was sent; `None` where its body was sent as it is.
    pub(in crate::engine::core) fn bytes(&self, request: RequestId) -> Option<u64> {
        self.sent.get(&request).map(|sent| sent.bytes)
    }

    /// What came back, whatever it was.
    pub(super) fn back(&mut self, request: RequestId) -> Option<Sent> {
        self.sent.remove(&request)
    }

    pub(super) fn refused(&self, request: RequestId) -> Option<Refused> {
        self.refused.get(&request).copied()
    }

    pub(super) fn refuse(&mut self, request: RequestId, refused: Refused) {
        self.refused.insert(request, refused);
    }

    /// The request came to its end, or goes back to the queue.
    pub(super) fn ended(&mut self, request: RequestId) {
        self.sent.remove(&request);
        self.refused.remove(&request);
    }

    /// Counts a trim and keeps it for a look.
    pub(super) fn trim(&mut self, trim: impl FnOnce(u64) -> TrimView) {
        self.trimmed += 1;
        self.trims.push(trim(self.trimmed));
        self.shown = self.trims.iter().cloned().collect();
    }

    /// Prompts on their way, by lane.
    pub(super) fn lanes(&self, limit: usize) -> Vec<LaneContext> {
        let mut lanes: Vec<LaneContext> = self.sent.values().map(|sent| sent.context).collect();
        lanes.sort_by_key(|lane| lane.lane);
        lanes.truncate(limit);
        lanes
    }

    /// The last trims, oldest first, and how many there were.
    pub(super) fn trims(&self) -> (Arc<[TrimView]>, u64) {
        (Arc::clone(&self.shown), self.trimmed)
    }
}
