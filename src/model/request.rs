//! Requests: what a line of a batch file asks for, and where it stands.

use std::fmt;
use std::ops::{Add, AddAssign, Range};

use serde::{Deserialize, Serialize};

/// The row of a request in the database; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestId(pub i64);

/// A number of tokens, counted by the model's own tokenizer unless called an estimate.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Tokens(pub u64);

impl Tokens {
    /// Estimate for `bytes` of UTF-8 text: a quarter, rounded up. English prose has about four
    /// bytes a token with the vocabularies in use; no server offers a tokenizer to ask
    /// (Ollama issue 3582).
    pub const fn estimated(bytes: u64) -> Self {
        Self(bytes.div_ceil(4))
    }
}

impl Add for Tokens {
    type Output = Self;

    fn add(self, rhs: Self) -> Self {
        Self(self.0.saturating_add(rhs.0))
    }
}

impl AddAssign for Tokens {
    fn add_assign(&mut self, rhs: Self) {
        *self = *self + rhs;
    }
}

impl std::iter::Sum for Tokens {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self(0), Add::add)
    }
}

/// The three endpoints of OpenAI's Batch API that a request may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Endpoint {
    /// `/v1/chat/completions`
    #[serde(rename = "/v1/chat/completions")]
    Chat,
    /// `/v1/completions`
    #[serde(rename = "/v1/completions")]
    Completions,
    /// `/v1/embeddings`
    #[serde(rename = "/v1/embeddings")]
    Embeddings,
}

impl Endpoint {
    /// All of them, in the order they are listed for people.
    pub const ALL: [Self; 3] = [Self::Chat, Self::Completions, Self::Embeddings];

    /// The path as batch files write it.
    pub const fn url(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Completions => "/v1/completions",
            Self::Embeddings => "/v1/embeddings",
        }
    }

    /// The endpoint with exactly this path.
    pub fn from_url(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|endpoint| endpoint.url() == url)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.url())
    }
}

/// One valid line of a batch file on its way into the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRequest {
    /// Physical line in the source, from 1.
    pub line: u64,
    /// The user's name for it, unique within the file, kept byte for byte.
    pub custom_id: String,
    /// What it asks for.
    pub endpoint: Endpoint,
    /// `body.model`, where the line gives one.
    pub model: Option<String>,
    /// The JSON object under `body`, byte for byte as in the file.
    pub body: String,
    /// Byte ranges of `body` that hold a long JSON value which other requests may share
    /// (a message's content, the tools, a schema): ascending and disjoint. The store keeps each
    /// distinct text once.
    pub shareable: Vec<Range<usize>>,
    /// How long its prompt is and what it begins with.
    pub prompt: Prompt,
}

/// The prompt of a request, as its body in the batch file gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Prompt {
    /// Bytes of JSON that the model reads as text.
    pub bytes: u64,
    /// Those of them that are tools and system messages at the beginning.
    pub lead: u64,
    /// Hash of what the model reads first (tools and system messages). Equal for requests whose
    /// prompts begin alike, so that they can run next to each other.
    pub prefix: u64,
}

/// How often a request was tried, in three counts that mean different things.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct Attempts {
    /// Times it was sent, or was about to be when the process died. Stored before sending.
    pub sent: u32,
    /// Failures that count towards the limit of retries.
    pub counted: u32,
    /// Times the model runner died while this request was in it.
    pub crashes: u32,
}

/// Where a request stands. Moves only as [`RequestState::may_become`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestState {
    /// Waits for its turn.
    Queued,
    /// Taken by the engine: about to be sent, in flight, or waiting to be tried again.
    Claimed,
    /// Its answer is stored.
    Done,
    /// Its failure is stored.
    Failed,
}

impl RequestState {
    /// All states, in the order of a request's life.
    pub const ALL: [Self; 4] = [Self::Queued, Self::Claimed, Self::Done, Self::Failed];

    /// The number that the database holds.
    pub const fn code(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Claimed => 1,
            Self::Done => 2,
            Self::Failed => 3,
        }
    }

    /// The state with this number.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }

    /// Whether `next` is a legal move. `Done` is final: a stored answer is never asked for again.
    pub const fn may_become(self, next: Self) -> bool {
        matches!(
            (self, next),
            (Self::Queued, Self::Claimed)
                | (Self::Claimed, Self::Queued | Self::Done | Self::Failed)
                | (Self::Failed, Self::Queued)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_final() {
        assert!(
            RequestState::ALL
                .into_iter()
                .all(|next| !RequestState::Done.may_become(next))
        );
    }

    #[test]
    fn nothing_is_answered_without_being_claimed() {
        let before_done: Vec<_> = RequestState::ALL
            .into_iter()
            .filter(|state| state.may_become(RequestState::Done))
            .collect();
        assert_eq!(before_done, [RequestState::Claimed]);
    }

    #[test]
    fn codes_and_urls_go_both_ways() {
        for state in RequestState::ALL {
            assert_eq!(RequestState::from_code(state.code()), Some(state));
        }
        for endpoint in Endpoint::ALL {
            assert_eq!(Endpoint::from_url(endpoint.url()), Some(endpoint));
            let json = serde_json::to_string(&endpoint).unwrap();
            assert_eq!(json, format!("\"{}\"", endpoint.url()));
        }
        assert_eq!(Endpoint::from_url("/v1/chat/completions/"), None);
    }
}
