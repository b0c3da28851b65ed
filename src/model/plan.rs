//! What a loaded model takes of the cards, planned and then measured: what the screen shows.

use serde::{Deserialize, Serialize};

/// The plan of the model that is loaded or being loaded. Bytes; `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanView {
    /// The model's name.
    pub model: String,
    /// Window of one slot in tokens: as planned, and as the server reports it once it is loaded.
    pub window: u64,
    /// Slots, as far as batchtop asks for them; the server does not tell its own number.
    pub slots: u32,
    /// Its weights.
    pub weights: Option<u64>,
    /// Keys and values of all slots.
    pub cache: Option<u64>,
    /// What computing needs beside them.
    pub overhead: u64,
    /// Whether that was measured; else it is an allowance.
    pub overhead_measured: bool,
    /// Bytes that run on the processor instead of a card, as the server reports.
    pub spilled: Option<u64>,
    /// The plan before the load in one or two sentences. May hold outside text.
    pub words: Vec<String>,
}
