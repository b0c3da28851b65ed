//! Whether requests see each other, and what becomes of a prompt that is too long.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Whether the requests of a job see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Each line is a request of its own, as in OpenAI's Batch API.
    #[default]
    Independent,
    /// Requests with the same system prompt run as growing chats, one a lane.
    Conversation,
}

impl Mode {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Independent, Self::Conversation];

    /// What everybody who chooses a conversation must know.
    pub const WARNING: &'static str =
        "in conversation mode each answer can see earlier requests and their answers";

    /// The word for it, as typed and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Independent => "independent",
            Self::Conversation => "conversation",
        }
    }

    /// What must be said before and after a run in this mode, in one sentence.
    pub const fn warning(self) -> Option<&'static str> {
        match self {
            Self::Independent => None,
            Self::Conversation => Some(Self::WARNING),
        }
    }
}

/// What becomes of a single request that is too long for the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Overflow {
    /// It fails, with the tokens that it needs and those that there are.
    #[default]
    Fail,
    /// Its own older turns are left out, and its answer is marked.
    Trim,
}

impl Overflow {
    /// Both, the default first.
    pub const ALL: [Self; 2] = [Self::Fail, Self::Trim];

    /// The word for it, as typed and stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Trim => "trim",
        }
    }
}

/// A part of a context window, in thousandths of it: from 10 % to 100 %.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Share(u16);

/// A text that is no part of a window.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no part of a window: write per cent from 10 to 100, such as `87.5 %`")]
pub struct WrongShare(pub String);

impl Share {
    /// The smallest: with less, no prompt would fit.
    const LEAST: u16 = 100;
    /// The whole.
    const WHOLE: u16 = 1_000;

    /// So many thousandths, brought within the limits.
    pub const fn of_thousandths(thousandths: u16) -> Self {
        Self(match thousandths {
            ..Self::LEAST => Self::LEAST,
            Self::WHOLE.. => Self::WHOLE,
            within => within,
        })
    }

    /// In thousandths.
    pub const fn thousandths(self) -> u16 {
        self.0
    }
}

impl Default for Share {
    /// 87.5 %: estimates of tokens err, and a prompt one token too long is refused.
    fn default() -> Self {
        Self(875)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 10, self.0 % 10) {
            (whole, 0) => write!(f, "{whole} %"),
            (whole, tenths) => write!(f, "{whole}.{tenths} %"),
        }
    }
}

impl FromStr for Share {
    type Err = WrongShare;

    fn from_str(text: &str) -> Result<Self, WrongShare> {
        let number = text.trim().trim_end_matches('%').trim_end();
        let thousandths = || {
            let (whole, tenths) = number.split_once('.').unwrap_or((number, "0"));
            let is_digit = tenths.len() == 1;
            let (whole, tenths) = (whole.parse::<u16>().ok()?, tenths.parse::<u16>().ok()?);
            let thousandths = whole.checked_mul(10)?.checked_add(tenths)?;
            let within = (Self::LEAST..=Self::WHOLE).contains(&thousandths);
            (is_digit && within).then_some(Self(thousandths))
        };
        thousandths().ok_or_else(|| WrongShare(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("87.5 %", 875)]
    #[case("87.5", 875)]
    #[case("100%", 1_000)]
    #[case(" 10 % ", 100)]
    fn shares_go_to_words_and_back(#[case] text: &str, #[case] thousandths: u16) {
        let share: Share = text.parse().unwrap();
        assert_eq!(share.thousandths(), thousandths);
        assert_eq!(share.to_string().parse(), Ok(share));
    }

    #[rstest]
    #[case("")]
    #[case("9.9 %")]
    #[case("100.1")]
    #[case("87.55")]
    #[case("-5")]
    #[case("half")]
    fn other_texts_are_no_shares(#[case] text: &str) {
        let error = text.parse::<Share>().unwrap_err();
        assert!(error.to_string().contains("per cent from 10 to 100"));
    }

    #[test]
    fn only_a_conversation_needs_a_warning() {
        assert_eq!(Mode::default().warning(), None);
        assert!(Mode::Conversation.warning().is_some());
    }
}
