//! Jobs: one batch file in the queue, with its settings and its state.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Endpoint, Energy, Mode, Overflow, Parallel, Share, Tokens, TrimPolicy};
use crate::base::Stamp;

/// The number of a job, as commands take it; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A job as the database holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// The name of its file, without folders.
    pub name: String,
    /// Where it stands.
    pub state: JobState,
    /// Higher goes first.
    pub priority: i32,
    /// Among equals, lower goes first.
    pub position: i64,
    /// How its requests are run.
    pub settings: JobSettings,
    /// Where its requests came from.
    pub source: Source,
    /// What its requests ask for; a job has one endpoint. `None` when no line was valid.
    pub endpoint: Option<Endpoint>,
    /// The models that its requests name, in order of appearance.
    pub models: Vec<String>,
    /// How many requests stand where.
    pub counts: Counts,
    /// Energy that the cards used for it; `None` where none tells.
    #[serde(default)]
    pub energy: Option<Energy>,
    /// When it was put in the queue.
    pub created: Stamp,
    /// When its first request was sent.
    pub started: Option<Stamp>,
    /// When it reached its end.
    pub finished: Option<Stamp>,
}

/// Where a job stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum JobState {
    /// Its file is being read; after a crash such a job is removed.
    Reading,
    /// Waits for its turn.
    Queued,
    /// Its requests are being sent.
    Running,
    /// Held: by the user, or because it could not go on (`why` says so).
    Paused {
        /// What stopped it; nothing when the user did.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// No request is left to send; the last answers are on their way.
    Finishing,
    /// Every request has an answer or a final failure.
    Done,
    /// Cancelled by the user; what was stored is kept.
    Cancelled,
    /// It could not be started, for instance because the model is missing.
    FailedToStart {
        /// What was wrong and what to do.
        why: String,
    },
}

impl Job {
    /// What the server has to load for the requests that name the model at this place.
    pub fn load_options(&self, model: usize) -> Option<LoadOptions> {
        Some(LoadOptions {
            model: self.models.get(model)?.clone(),
            num_ctx: self.settings.num_ctx,
            embeddings: self.endpoint == Some(Endpoint::Embeddings),
        })
    }

    /// From its start to its end by the clock on the wall; `None` where it has not ended, or where
    /// the clock was set back meanwhile, so that nobody knows.
    pub fn took(&self) -> Option<Duration> {
        let (started, finished) = self.started.zip(self.finished)?;
        let millis = u64::try_from(finished.0.checked_sub(started.0)?).ok()?;
        Some(Duration::from_millis(millis))
    }
}

impl JobState {
    /// The word for it, as shown and stored.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Reading => "reading",
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused { .. } => "paused",
            Self::Finishing => "finishing",
            Self::Done => "done",
            Self::Cancelled => "cancelled",
            Self::FailedToStart { .. } => "failed-to-start",
        }
    }

    /// What stopped it, where something did.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Paused { why } => why.as_deref(),
            Self::FailedToStart { why } => Some(why),
            _ => None,
        }
    }

    /// The state stored as this word and reason.
    pub fn from_parts(word: &str, why: Option<String>) -> Option<Self> {
        Some(match word {
            "reading" => Self::Reading,
            "queued" => Self::Queued,
            "running" => Self::Running,
            "paused" => Self::Paused { why },
            "finishing" => Self::Finishing,
            "done" => Self::Done,
            "cancelled" => Self::Cancelled,
            "failed-to-start" => Self::FailedToStart {
                why: why.unwrap_or_default(),
            },
            _ => return None,
        })
    }

    /// Whether its requests may be sent.
    pub const fn is_runnable(&self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Finishing)
    }

    /// Whether nothing more will happen to it by itself or by `resume`.
    pub const fn is_over(&self) -> bool {
        matches!(self, Self::Done | Self::Cancelled)
    }
}

impl fmt::Display for JobState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// How many requests of a job stand where. Kept by the store, never counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All requests.
    pub total: u64,
    /// Those with a stored answer.
    pub done: u64,
    /// Those with a stored failure.
    pub failed: u64,
    /// Answers that were cut off (by the cap or by a full context).
    pub cut: u64,
    /// Tokens of all prompts answered.
    pub prompt_tokens: Tokens,
    /// Tokens of all answers.
    pub answer_tokens: Tokens,
}

impl Counts {
    /// Requests without an end.
    pub const fn left(&self) -> u64 {
        self.total.saturating_sub(self.done + self.failed)
    }
}

/// Where the requests of a job came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The file as given, made absolute; `-` for standard input.
    pub path: String,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// blake3 of those bytes in hex: the same content and settings resume the same job.
    pub hash: String,
    /// A random word by which another process that had the file enqueued finds its job, even if
    /// the owner of the queue ended before it could say that the file is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
}

/// How the requests of a job are run. Everything that shapes an answer is here and is part of
/// what makes two runs "the same".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct JobSettings {
    /// Replaces `body.model` of every line.
    pub model: Option<String>,
    /// Context window for each slot; `None` leaves it to the server.
    pub num_ctx: Option<u32>,
    /// Cap of an answer where the line gives none.
    pub max_tokens: u32,
    /// Only this many requests of the file.
    pub limit: Option<u64>,
    /// Invalid lines become failures instead of stopping everything.
    pub skip_invalid: bool,
    /// Requests outstanding at most.
    pub parallel: Parallel,
    /// Tries after the first failure that counts.
    pub retries: u32,
    /// The longest that one answer may take.
    pub timeout: Duration,
    /// Whether it may run although part of the model does not fit the cards.
    pub allow_spill: bool,
    /// Whether its requests see each other.
    pub mode: Mode,
    /// What goes first when a history is too long.
    pub trim: TrimPolicy,
    /// What becomes of a single request that is too long.
    pub on_overflow: Overflow,
    /// A history is trimmed after so many requests at the latest; 0 is never.
    pub trim_interval: u32,
    /// The part of the window that prompt and answer may take.
    pub safe_share: Share,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            model: None,
            num_ctx: None,
            max_tokens: 4096,
            limit: None,
            skip_invalid: false,
            parallel: Parallel::Auto,
            retries: 3,
            timeout: Duration::from_mins(30),
            allow_spill: false,
            mode: Mode::Independent,
            trim: TrimPolicy::Sliding,
            on_overflow: Overflow::Fail,
            trim_interval: 50,
            safe_share: Share::default(),
        }
    }
}

impl JobSettings {
    /// Whether two runs would ask for the same answers. How fast and how patiently they ask does
    /// not matter.
    pub fn asks_the_same(&self, other: &Self) -> bool {
        let shape = |s: &Self| {
            (
                s.model.clone(),
                s.num_ctx,
                s.max_tokens,
                s.limit,
                s.skip_invalid,
                (s.mode, s.trim, s.on_overflow),
                (s.trim_interval, s.safe_share),
            )
        };
        shape(self) == shape(other)
    }
}

/// What a server loads: changing any of it reloads the model and loses every cached prefix, so
/// it is the same for every request of a (job, model).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LoadOptions {
    /// The model's name.
    pub model: String,
    /// Context window for each slot; `None` leaves it to the server.
    pub num_ctx: Option<u32>,
    /// Whether the model is asked for embeddings rather than text.
    pub embeddings: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[rstest::rstest]
    #[case(Some(1_000), Some(4_000), Some(Duration::from_secs(3)))]
    #[case(Some(4_000), Some(1_000), None)]
    #[case(Some(i64::MIN), Some(i64::MAX), None)]
    #[case(Some(1_000), None, None)]
    #[case(None, Some(1_000), None)]
    fn a_clock_that_was_set_back_tells_no_time(
        #[case] started: Option<i64>,
        #[case] finished: Option<i64>,
        #[case] took: Option<Duration>,
    ) {
        let job = Job {
            started: started.map(Stamp),
            finished: finished.map(Stamp),
            ..job()
        };
        assert_eq!(job.took(), took);
    }

    fn job() -> Job {
        serde_json::from_value(serde_json::json!({
            "id": 1, "name": "b.jsonl", "state": {"is": "done"}, "priority": 0, "position": 1,
            "settings": {}, "source": {"path": "b.jsonl", "bytes": 0, "hash": ""},
            "endpoint": null, "models": [], "counts": Counts::default(), "created": 0,
            "started": null, "finished": null,
        }))
        .unwrap()
    }

    #[test]
    fn states_go_to_words_and_back() {
        let states = [
            JobState::Reading,
            JobState::Queued,
            JobState::Running,
            JobState::Paused { why: None },
            JobState::Paused {
                why: Some("out of memory".into()),
            },
            JobState::Finishing,
            JobState::Done,
            JobState::Cancelled,
            JobState::FailedToStart {
                why: "no model".into(),
            },
        ];
        for state in states {
            let why = state.why().map(str::to_owned);
            assert_eq!(JobState::from_parts(state.word(), why), Some(state));
        }
    }

    #[test]
    fn patience_does_not_make_another_run() {
        let one = JobSettings::default();
        let patient = JobSettings {
            parallel: Parallel::Fixed(8),
            retries: 9,
            ..one.clone()
        };
        let other = JobSettings {
            max_tokens: 5,
            ..one.clone()
        };
        assert!(one.asks_the_same(&patient));
        assert!(!one.asks_the_same(&other));
    }

    #[test]
    fn what_answers_can_see_makes_another_run() {
        let one = JobSettings::default;
        let others = [
            JobSettings {
                mode: Mode::Conversation,
                ..one()
            },
            JobSettings {
                trim: TrimPolicy::Hybrid,
                ..one()
            },
            JobSettings {
                on_overflow: Overflow::Trim,
                ..one()
            },
            JobSettings {
                trim_interval: 7,
                ..one()
            },
            JobSettings {
                safe_share: Share::of_thousandths(500),
                ..one()
            },
        ];
        assert!(others.iter().all(|other| !one().asks_the_same(other)));
    }
}
