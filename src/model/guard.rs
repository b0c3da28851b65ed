//! How much the guard holds back, and why: what the screen shows of it.

use serde::{Deserialize, Serialize};

/// How much is held back.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum GuardLevel {
    /// Nothing.
    #[default]
    Free,
    /// Half the requests at a time.
    Ease,
    /// One request at a time, and histories are trimmed hard.
    Least,
    /// Everything: what is in flight finishes, nothing is sent.
    Pause,
}

/// Why something is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardCause {
    /// The card's memory is nearly full.
    Memory,
    /// The card is too hot.
    Heat,
    /// The card does not answer.
    CardLost,
    /// The card takes more power than it should.
    Power,
    /// Another program uses the card.
    Neighbour,
    /// It is outside the hours.
    Hours,
}

/// What the guard does now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct GuardView {
    /// The highest level of all causes: the one that counts.
    pub level: GuardLevel,
    /// What holds something back.
    pub holds: Vec<GuardHold>,
}

/// One cause that holds something back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardHold {
    /// Which.
    pub cause: GuardCause,
    /// How much.
    pub level: GuardLevel,
    /// The figures at its last step, in words. May hold outside text, such as a card's name.
    pub why: String,
}
