//! Trims: what was left out of a history, when and why. No trim is silent.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{RequestId, Tokens};

/// What goes first when a history is too long. All of them keep the system prompt and the newest
/// question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TrimPolicy {
    /// The oldest exchange goes first.
    #[default]
    Sliding,
    /// The exchange with the lowest score goes first.
    Importance,
    /// The newest exchanges stay; of the others, the one with the lowest score goes first.
    Hybrid,
    /// All but the last exchange goes.
    Aggressive,
}

impl TrimPolicy {
    /// All of them, mildest first.
    pub const ALL: [Self; 4] = [
        Self::Sliding,
        Self::Importance,
        Self::Hybrid,
        Self::Aggressive,
    ];

    /// The word for it, as typed and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sliding => "sliding",
            Self::Importance => "importance",
            Self::Hybrid => "hybrid",
            Self::Aggressive => "aggressive",
        }
    }
}

impl fmt::Display for TrimPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A word that names no policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no trim policy: sliding, importance, hybrid or aggressive")]
pub struct UnknownPolicy(pub String);

impl FromStr for TrimPolicy {
    type Err = UnknownPolicy;

    fn from_str(word: &str) -> Result<Self, UnknownPolicy> {
        let mut all = Self::ALL.into_iter();
        all.find(|policy| policy.word() == word)
            .ok_or_else(|| UnknownPolicy(word.to_owned()))
    }
}

/// Why a history was trimmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "snake_case")]
pub enum TrimReason {
    /// The next prompt would not have fitted the safe part of the window.
    Tokens,
    /// So many requests had passed since the last trim.
    Interval {
        /// How many.
        requests: u32,
    },
    /// The card's memory was nearly full.
    Memory,
    /// The server refused the prompt as too long.
    Refused,
}

impl fmt::Display for TrimReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokens => f.write_str("too long for the safe part of the window"),
            Self::Interval { requests } => write!(f, "{requests} requests since the last trim"),
            Self::Memory => f.write_str("the card's memory is nearly full"),
            Self::Refused => f.write_str("the server refused the prompt as too long"),
        }
    }
}

/// One trim.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trim {
    /// The request before which it was done.
    pub request: RequestId,
    /// By which policy.
    pub policy: TrimPolicy,
    /// Why.
    pub reason: TrimReason,
    /// Messages before.
    pub messages_before: u32,
    /// Messages after.
    pub messages_after: u32,
    /// Estimated tokens before.
    pub tokens_before: Tokens,
    /// Estimated tokens after.
    pub tokens_after: Tokens,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_go_to_words_and_back() {
        for policy in TrimPolicy::ALL {
            assert_eq!(policy.word().parse(), Ok(policy));
        }
        let error = "newest".parse::<TrimPolicy>().unwrap_err();
        assert!(error.to_string().starts_with("`newest` is no trim policy"));
    }
}
