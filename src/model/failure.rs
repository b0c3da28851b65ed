//! Why a request has no answer, and what may be done about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Tokens;

/// A failed attempt, or the final failure of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which kind.
    pub class: FailureClass,
    /// What happened, in the server's words where it gave any (decoded, never double-encoded).
    pub message: String,
    /// The HTTP status, where there was an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// For prompts that do not fit: what was needed and what there was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<TokenNeed>,
}

/// How long a prompt is and how long it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenNeed {
    /// Tokens of the prompt.
    pub prompt: Tokens,
    /// Tokens of the context window.
    pub window: Tokens,
}

impl Failure {
    /// A failure without an HTTP answer.
    pub fn new(class: FailureClass, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
            status: None,
            need: None,
        }
    }

    /// The same with the HTTP status that came with it.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// Longest pattern, in characters: what is alike is alike at its beginning.
const LONGEST_PATTERN: usize = 200;

impl Failure {
    /// The message without what differs from request to request, so that failures with one cause
    /// have one pattern: numbers become `#`, what stands in quotes becomes `…`.
    pub fn pattern(&self) -> String {
        let mut pattern = String::new();
        let mut characters = self.message.chars().take(4 * LONGEST_PATTERN).peekable();
        while let Some(c) = characters.next() {
            match c {
                '0'..='9' => {
                    while characters
                        .next_if(|c| c.is_ascii_digit() || *c == '.')
                        .is_some()
                    {}
                    pattern.push('#');
                }
                '`' | '"' => {
                    while characters.next_if(|inner| *inner != c).is_some() {}
                    characters.next();
                    pattern.extend([c, '…', c]);
                }
                c if c.is_whitespace() => pattern.push(' '),
                c => pattern.push(c),
            }
        }
        pattern.chars().take(LONGEST_PATTERN).collect()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.class, self.message)
    }
}

macro_rules! failure_classes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal => $verdict:ident,)*) => {
        /// The kinds of failure. Each has one name everywhere: on the screen, in result files,
        /// for `retry --class`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum FailureClass {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
        }

        impl FailureClass {
            /// Every class, in the order they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The name of the class.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }

            /// What a failure of this class means for the request.
            pub const fn verdict(self) -> Verdict {
                match self { $(Self::$variant => Verdict::$verdict),* }
            }
        }
    };
}

failure_classes! {
    /// The line is no valid request (kept only with `--skip-invalid`).
    InvalidRequest = "invalid_request" => Permanent,
    /// The server refused what the request asks for (HTTP 400, 403, 501).
    Refused = "refused" => Permanent,
    /// The prompt is longer than the context window.
    ContextLength = "context_length_exceeded" => Permanent,
    /// The server does not have the model.
    ModelMissing = "model_missing" => StopJob,
    /// The model does not fit: the server ran out of memory.
    OutOfMemory = "out_of_memory" => StopJob,
    /// The server's queue was full (HTTP 503).
    Busy = "server_busy" => RetryFree,
    /// Nothing answers, or the connection was lost before the server began to answer.
    ServerDown = "server_down" => RetryFree,
    /// The request only stood behind another one that killed the model runner.
    RunnerGone = "runner_gone" => RetryFree,
    /// The model runner died while it worked on this request.
    RunnerCrash = "runner_crash" => RetryCounted,
    /// The server reported an error of its own.
    ServerError = "server_error" => RetryCounted,
    /// The answer ended without the server saying that it was complete.
    StreamCut = "stream_cut" => RetryCounted,
    /// The server ended the answer because it repeated itself.
    RepeatGuard = "repeat_guard" => RetryCounted,
    /// No answer, or no further token, within the time allowed.
    Timeout = "timeout" => RetryCounted,
    /// The server's answer could not be read.
    BadReply = "bad_reply" => RetryCounted,
}

impl FailureClass {
    /// The class with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|class| class.name() == name)
    }
}

impl fmt::Display for FailureClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a failure means for the request that met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Trying again would give the same.
    Permanent,
    /// Not this request's fault: tried again, and it does not count.
    RetryFree,
    /// Tried again until the limit of retries.
    RetryCounted,
    /// No request of this job could succeed now: the job stops, the request keeps its place.
    StopJob,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_with_one_cause_have_one_pattern() {
        let pattern = |message: &str| Failure::new(FailureClass::Refused, message).pattern();
        assert_eq!(
            pattern("request (3499 tokens) exceeds 512"),
            pattern("request (77 tokens) exceeds 4096")
        );
        assert_eq!(pattern("no `a.b` after 2.5 s"), "no `…` after # s");
        assert_eq!(pattern("open \"quote"), "open \"…\"");
        assert_eq!(pattern(&"x".repeat(5_000)).len(), LONGEST_PATTERN);
    }

    #[test]
    fn every_class_has_one_name() {
        for &class in FailureClass::ALL {
            assert_eq!(FailureClass::from_name(class.name()), Some(class));
            assert_eq!(
                serde_json::to_string(&class).unwrap(),
                format!("\"{}\"", class.name())
            );
        }
    }
}
