//! One picture of the run, complete in itself: what every face shows. Its size does not depend on
//! the size of the queue.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    ContextView, Counts, Energy, Event, EventKind, Failure, FailureClass, GuardView, JobId,
    JobState, Parallel, PlanView, RequestId, ReuseView, TakenReadings, Tokens, WatchedAnswer,
};
use crate::base::{Moment, Stamp};

/// What the engine knows at one moment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Snapshot {
    /// Time since the engine started.
    pub now: Moment,
    /// The same by the wall clock.
    pub at: Stamp,
    /// Whether what is shown comes from the built-in simulated server.
    pub simulated: bool,
    /// The server and its models.
    pub server: ServerView,
    /// The jobs in the order in which they run, over ones last; at most 200.
    pub jobs: Arc<[JobView]>,
    /// Jobs that the list leaves out.
    pub jobs_left_out: u64,
    /// The job whose requests are being sent.
    pub active: Option<JobId>,
    /// What is outstanding, one lane each.
    pub lanes: Vec<LaneView>,
    /// How many requests may be outstanding now.
    pub lanes_allowed: u32,
    /// Rates over the last minute.
    pub rates: RateView,
    /// How long answers took, over the last answers.
    pub latency: Option<LatencyView>,
    /// Stored answers and failures that were not yet published when the picture was taken.
    pub unsaved: u64,
    /// Whether the user holds the whole queue.
    pub held: bool,
    /// Why nothing is being sent although something could be, in a sentence.
    pub waiting: Option<String>,
    /// What happened last, oldest first; at most 200.
    pub events: Arc<[Event]>,
    /// The last final failures, oldest first; at most 50.
    pub failures: Arc<[(JobId, RequestId, Failure)]>,
    /// Requests that have failed for good and were not put back, by job and class, the most
    /// frequent first; at most 200.
    pub failed: Arc<[FailedCount]>,
    /// What the cards said last; nothing before they were asked. They are asked only while
    /// something runs or somebody looks.
    #[serde(default)]
    pub readings: Option<TakenReadings>,
    /// Rates over time, and what happened when.
    pub history: HistoryView,
    /// The answer that somebody watches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub watched: Option<WatchedAnswer>,
    /// What the guard holds back; `None` where it is switched off.
    pub guard: Option<GuardView>,
    /// What the loaded model takes of the cards, once it is planned.
    pub plan: Option<PlanView>,
    /// How full context windows are, and what was trimmed.
    pub context: ContextView,
}

/// How often a kind of failure was final.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedCount {
    /// The job.
    pub job: JobId,
    /// The kind.
    pub class: FailureClass,
    /// How often.
    pub count: u64,
}

/// Rates over time in bounded memory. A second in which nothing was under way is a gap.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct HistoryView {
    /// Requests that reached their end, a second.
    pub requests: SeriesView,
    /// Tokens generated, a second.
    pub answer_tokens: SeriesView,
    /// What happened that explains the rates, oldest first; at most 100.
    pub marks: Arc<[Mark]>,
    /// Readings of the cards, in the order in which they were first seen; at most 16 cards.
    #[serde(default)]
    pub cards: Arc<[CardHistory]>,
}

/// Readings of a card over time. Where it was not read is a gap.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardHistory {
    /// Which card.
    pub id: Arc<str>,
    /// How much of its memory was taken, in per cent.
    pub memory: SeriesView,
    /// How busy it was, in per cent.
    pub busy: SeriesView,
    /// Its temperature in °C.
    pub celsius: SeriesView,
    /// The power it drew, in watts.
    pub watts: SeriesView,
}

/// A figure over time.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SeriesView {
    /// The last seconds up to now, oldest first, one point each; at most 600. `None` is a gap.
    pub recent: Arc<[Option<f32>]>,
    /// The whole run, oldest first; at most 600 points.
    pub whole: Arc<[Option<f32>]>,
    /// How long one point of the whole run is.
    pub whole_step: Duration,
}

/// Something that explains a change of the rates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When.
    pub at: Moment,
    /// What kind of thing.
    pub kind: EventKind,
}

/// A job on the screen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobView {
    /// Its number.
    pub id: JobId,
    /// Its name: outside text.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: JobState,
    /// Higher goes first.
    pub priority: i32,
    /// How many requests stand where.
    pub counts: Counts,
    /// How many of its requests may be outstanding.
    pub parallel: Parallel,
    /// Time until it is done at the present rate; `None` while that is not known.
    pub eta: Option<Duration>,
    /// Time within which it is done in nine cases of ten; never less than `eta`.
    pub eta_p90: Option<Duration>,
    /// Time its requests have been running in this process.
    pub running_for: Duration,
    /// Energy that the cards used for it, earlier processes included; `None` where none tells.
    #[serde(default)]
    pub energy: Option<Energy>,
    /// What it saves because prompts begin alike.
    #[serde(default)]
    pub reuse: ReuseView,
}

/// The server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerView {
    /// Its address, without secrets.
    pub address: String,
    /// Its version, once it was asked.
    pub version: Option<String>,
    /// Whether it answers.
    pub state: ServerState,
    /// The models it holds in memory.
    pub loaded: Vec<LoadedModel>,
}

/// Whether the server answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum ServerState {
    /// Not asked yet.
    Unknown,
    /// It answers.
    Up,
    /// It loads a model for us.
    Loading {
        /// Which one.
        model: String,
        /// Since when.
        since: Moment,
    },
    /// It does not answer.
    Down {
        /// Since when.
        since: Moment,
        /// What the last try said.
        why: String,
        /// When it is tried again.
        next: Moment,
    },
}

/// A model in the server's memory, as the server reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedModel {
    /// Its name.
    pub name: String,
    /// Hash of its manifest.
    pub digest: String,
    /// Quantisation, as the server words it: `Q4_K_M`.
    #[serde(default)]
    pub quantization: Option<String>,
    /// Bytes it takes in all.
    pub size: Option<u64>,
    /// Bytes of those on graphics cards.
    pub size_vram: Option<u64>,
    /// Context window of one slot.
    pub window: Option<Tokens>,
    /// When the server will drop it, as it says.
    pub expires: Option<String>,
}

/// One outstanding request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneView {
    /// Which lane, from 1.
    pub lane: u32,
    /// The job.
    pub job: JobId,
    /// The request.
    pub request: RequestId,
    /// The user's name for it: outside text.
    pub custom_id: Arc<str>,
    /// What it does.
    pub phase: Phase,
    /// When it was sent.
    pub since: Moment,
    /// Chunks received so far: about one token each.
    pub chunks: u64,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// What an outstanding request does, as far as one can tell from outside: the server sends
/// nothing before the first token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Sent; the server queues it or reads its prompt, and nobody can tell which.
    Waiting,
    /// A slot is known to be free for it: the server reads its prompt.
    Reading,
    /// Tokens arrive.
    Answering,
    /// Waits before it is tried again.
    BackingOff,
}

/// Rates over the last minute; `None` before anything could be measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct RateView {
    /// Requests that reached their end, a second.
    pub requests: Option<f64>,
    /// Tokens generated, a second.
    pub answer_tokens: Option<f64>,
    /// Tokens of prompts answered, a second (cached ones included).
    pub prompt_tokens: Option<f64>,
}

/// Percentiles of the time from sending to the last byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LatencyView {
    /// Half were faster.
    pub p50: Duration,
    /// 95 in 100 were faster.
    pub p95: Duration,
    /// 99 in 100 were faster.
    pub p99: Duration,
}
