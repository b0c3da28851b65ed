//! What a job ran on: so that somebody can say in a year where its answers came from.

use serde::{Deserialize, Serialize};

use super::Tokens;

/// What a job ran on from the time when a model was loaded for it. What nobody told is `None`. All
/// of it is outside text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RanOn {
    /// The model's name.
    pub model: String,
    /// Hash of its manifest.
    pub digest: Option<String>,
    /// Quantisation, as the server words it: `Q4_K_M`.
    pub quantization: Option<String>,
    /// Context window of one slot that the server gave it.
    pub window: Option<Tokens>,
    /// The server's version.
    pub server_version: Option<String>,
    /// Whether that is the simulated server of `batchtop demo`. One that runs as a program of its
    /// own is a server like any other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub simulated: bool,
    /// The version of the cards' driver.
    pub driver: Option<String>,
    /// The names of the cards.
    pub cards: Vec<String>,
    /// The version of batchtop.
    pub program: String,
}
