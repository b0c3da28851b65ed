//! What goes wrong on a simulated server, and when.

use serde::{Deserialize, Serialize};

use super::log::Route;
use super::script::{ScriptError, check};

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// When it does. Empty is "always".
    #[serde(default)]
    pub when: When,
    /// What it is.
    #[serde(rename = "do")]
    pub action: Action,
}

/// The requests that a fault happens to. All conditions must hold.
///
/// `nth`, `every` and `probability` count the requests that meet `endpoint`, `model` and `marker`
/// within the times given. A server-wide fault (`outage`, `restart`, `foreign_reload`) whose
/// conditions are times alone needs no request: it happens once, at `after_ms`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct When {
    /// The chance of it, 0 to 1, drawn from `seed`.
    pub probability: Option<f64>,
    /// Which draws `probability` makes.
    pub seed: u64,
    /// A text that the last user message (or prompt, or input) contains.
    pub marker: Option<String>,
    /// The n-th request, from 1, and no other.
    pub nth: Option<u64>,
    /// Every n-th request.
    pub every: Option<u64>,
    /// Not before so many milliseconds since the script began to play.
    pub after_ms: Option<u64>,
    /// Not from so many milliseconds on.
    pub until_ms: Option<u64>,
    /// At most so many times.
    pub times: Option<u64>,
    /// Requests of this kind. Without it, those that have something answered: no polls, no
    /// loading ahead.
    pub endpoint: Option<Route>,
    /// Requests to this model, named as the request names it.
    pub model: Option<String>,
}

/// What goes wrong. Where `after_tokens` is a field, so many tokens come out before it happens;
/// for a request without streaming that is a matter of time only. Embeddings have no tokens to
/// come out: it happens at once, and faults that only change a text leave them as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// The connection is closed without an answer. (For a refused one see `outage`.)
    Refuse,
    /// The connection is reset without an answer.
    Reset,
    /// 503, the queue is full.
    Busy,
    /// Any status with any text.
    Error {
        /// HTTP status.
        status: u16,
        /// Error text.
        text: String,
    },
    /// An error of llama-server, which arrives as JSON within the error text.
    LlamaError {
        /// HTTP status, also the `code` within.
        status: u16,
        /// `server_error`, `unavailable_error` and so on.
        #[serde(rename = "type")]
        kind: String,
        /// The message within.
        message: String,
        /// A line of the runner's log that follows the JSON, such as one of lack of memory.
        #[serde(default)]
        log_line: Option<String>,
    },
    /// The model's runner dies: everything in it fails, everything queued for it too, and the
    /// next request loads it again.
    RunnerCrash {
        /// Tokens of this request's answer before it.
        #[serde(default)]
        after_tokens: u64,
    },
    /// The model does not fit: 500 for the request that would load it. Happens to requests of
    /// every kind that load a model, and only when they do.
    OutOfMemoryAtLoad,
    /// Memory runs out in the run; all models are unloaded.
    OutOfMemoryInRun {
        /// Tokens before it.
        #[serde(default)]
        after_tokens: u64,
    },
    /// Nothing is answered until the client leaves, and the slot is held.
    HangBeforeFirstByte {
        /// The runner itself is stuck: `/api/ps` blocks for up to 20 s, and when the client
        /// leaves, the runner is killed.
        #[serde(default)]
        stuck_runner: bool,
    },
    /// The stream goes silent until the client leaves.
    HangMidStream {
        /// Tokens before it.
        after_tokens: u64,
    },
    /// The answer ends in good order, but without a record that says `done`.
    EndWithoutDone {
        /// Tokens before it.
        after_tokens: u64,
    },
    /// The connection is reset within the answer.
    ResetMidStream {
        /// Tokens before it.
        after_tokens: u64,
    },
    /// A line with an error ends the stream.
    ErrorLine {
        /// Tokens before it.
        after_tokens: u64,
        /// Its text.
        text: String,
    },
    /// A line that is no JSON stands between the others.
    GarbageLine {
        /// Tokens before it.
        after_tokens: u64,
        /// The line.
        text: String,
    },
    /// The answer repeats itself until Ollama ends it: without an error and without `done`, or
    /// with 500 as releases after 0.33 do.
    RepeatGuard {
        /// Answer as the later releases do.
        #[serde(default)]
        newer: bool,
    },
    /// An answer of so many bytes, whatever cap the request sets.
    Huge {
        /// Bytes of text.
        bytes: u64,
        /// Bytes in each record.
        chunk_bytes: u64,
    },
    /// A pause before each record.
    SlowDrip {
        /// Milliseconds.
        ms: u64,
    },
    /// An answer that never ends.
    Endless {
        /// What each record brings.
        text: String,
        /// Milliseconds between them.
        ms: u64,
    },
    /// Another client has the model loaded with other options just before this request.
    ForeignReload {
        /// The other client's context window.
        num_ctx: u64,
    },
    /// The server is started anew: connections are cut, models unloaded.
    Restart {
        /// What it calls itself from now on.
        version: String,
    },
    /// The server is gone for a while: connections are cut and new ones refused.
    Outage {
        /// Milliseconds.
        ms: u64,
    },
}

impl Fault {
    pub(super) fn check(&self) -> Result<(), ScriptError> {
        let share = self.when.probability.unwrap_or_default();
        check(
            "faults.when.probability",
            &share,
            (0.0..=1.0).contains(&share),
            "0 to 1",
        )?;
        let every = self.when.every.unwrap_or(1);
        check("faults.when.every", &every, every > 0, "at least 1")?;
        let nth = self.when.nth.unwrap_or(1);
        check("faults.when.nth", &nth, nth > 0, "at least 1")?;
        match self.action {
            Action::Error { status, .. } | Action::LlamaError { status, .. } => check(
                "faults.do.status",
                &status,
                (400..600).contains(&status),
                "a status from 400 to 599",
            ),
            Action::Huge { chunk_bytes, .. } => check(
                "faults.do.huge.chunk_bytes",
                &chunk_bytes,
                (1..=1 << 26).contains(&chunk_bytes),
                "1 to 67108864",
            ),
            _ => Ok(()),
        }
    }

    /// When it happens by the clock alone, with no request to happen to.
    pub(super) fn by_clock(&self) -> Option<u64> {
        let when = &self.when;
        let times_alone = when.probability.is_none()
            && when.marker.is_none()
            && when.nth.is_none()
            && when.every.is_none()
            && when.endpoint.is_none()
            && when.model.is_none();
        let server_wide = matches!(
            self.action,
            Action::Outage { .. } | Action::Restart { .. } | Action::ForeignReload { .. }
        );
        when.after_ms.filter(|_| times_alone && server_wide)
    }
}

impl Action {
    /// The name a script gives it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Busy => "busy",
            Self::Error { .. } => "error",
            Self::LlamaError { .. } => "llama_error",
            Self::RunnerCrash { .. } => "runner_crash",
            Self::OutOfMemoryAtLoad => "out_of_memory_at_load",
            Self::OutOfMemoryInRun { .. } => "out_of_memory_in_run",
            Self::HangBeforeFirstByte { .. } => "hang_before_first_byte",
            Self::HangMidStream { .. } => "hang_mid_stream",
            Self::EndWithoutDone { .. } => "end_without_done",
            Self::ResetMidStream { .. } => "reset_mid_stream",
            Self::ErrorLine { .. } => "error_line",
            Self::GarbageLine { .. } => "garbage_line",
            Self::RepeatGuard { .. } => "repeat_guard",
            Self::Huge { .. } => "huge",
            Self::SlowDrip { .. } => "slow_drip",
            Self::Endless { .. } => "endless",
            Self::ForeignReload { .. } => "foreign_reload",
            Self::Restart { .. } => "restart",
            Self::Outage { .. } => "outage",
        }
    }

    /// The same for a request whose answer has no tokens to come out before it.
    pub(super) fn at_once(self) -> Self {
        match self {
            Self::RunnerCrash { .. } => Self::RunnerCrash { after_tokens: 0 },
            Self::OutOfMemoryInRun { .. } => Self::OutOfMemoryInRun { after_tokens: 0 },
            Self::ErrorLine { text, .. } => Self::ErrorLine {
                after_tokens: 0,
                text,
            },
            Self::HangMidStream { .. } => Self::HangBeforeFirstByte {
                stuck_runner: false,
            },
            Self::EndWithoutDone { .. } => Self::Refuse,
            Self::ResetMidStream { .. } => Self::Reset,
            other => other,
        }
    }

    /// Tokens that come out before it, for those that happen within an answer.
    pub(super) const fn after_tokens(&self) -> Option<u64> {
        match self {
            Self::RunnerCrash { after_tokens }
            | Self::OutOfMemoryInRun { after_tokens }
            | Self::HangMidStream { after_tokens }
            | Self::EndWithoutDone { after_tokens }
            | Self::ResetMidStream { after_tokens }
            | Self::ErrorLine { after_tokens, .. }
            | Self::GarbageLine { after_tokens, .. } => Some(*after_tokens),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_scripts() {
        let written = [
            r#""refuse""#,
            r#"{"huge":{"bytes":1,"chunk_bytes":1}}"#,
            r#"{"llama_error":{"status":500,"type":"server_error","message":"m"}}"#,
            r#"{"hang_before_first_byte":{}}"#,
        ];
        for text in written {
            let action: Action = serde_json::from_str(text).unwrap();
            assert!(text.contains(action.name()), "{text}");
        }
    }

    #[test]
    fn only_server_wide_faults_go_by_the_clock() {
        let at = |action: Action| Fault {
            when: When {
                after_ms: Some(5),
                ..When::default()
            },
            action,
        };
        assert_eq!(at(Action::Outage { ms: 1 }).by_clock(), Some(5));
        assert_eq!(at(Action::Busy).by_clock(), None);
        let mut marked = at(Action::Outage { ms: 1 });
        marked.when.marker = Some("x".to_owned());
        assert_eq!(marked.by_clock(), None);
    }
}
