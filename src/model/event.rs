//! What happened, for the log and for marks on the time line.

use serde::{Deserialize, Serialize};

use super::JobId;
use crate::base::Stamp;

/// Something worth telling, with the time by the wall clock. Single answers are no events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Stamp,
    /// About which job, where it is about one.
    pub job: Option<JobId>,
    /// Which kind.
    pub kind: EventKind,
    /// In words. May hold outside text: show it through `base::shown`.
    pub text: String,
}

/// The kinds of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A job changed its state.
    JobState,
    /// A setting of a job was changed while it was in the queue.
    Setting,
    /// Failed requests were put back.
    Retried,
    /// The server does not answer.
    ServerDown,
    /// The server answers again.
    ServerUp,
    /// A model is being loaded.
    Loading,
    /// A model was loaded by us.
    Loaded,
    /// A model that was loaded had to be loaded again: someone else used the server.
    Reloaded,
    /// Prompts that begin alike are read in full again.
    LowReuse,
    /// The model runner died.
    RunnerCrash,
    /// A request met its final failure.
    RequestFailed,
    /// The number of lanes was found or found anew.
    Lanes,
    /// Something was left out of a prompt to make it fit.
    Trimmed,
    /// The database cannot be written; nothing new is sent until it can.
    StoreTrouble,
    /// The database can be written again.
    StoreWell,
    /// The guard holds more or less back.
    Guard,
    /// A model takes other memory, or has another window, than was planned.
    Plan,
    /// Something about a card became unreadable, was lost or came back.
    Card,
}

impl EventKind {
    /// The word for it, as stored.
    pub const fn word(self) -> &'static str {
        match self {
            Self::JobState => "job_state",
            Self::Setting => "setting",
            Self::Retried => "retried",
            Self::ServerDown => "server_down",
            Self::ServerUp => "server_up",
            Self::Loading => "loading",
            Self::Loaded => "loaded",
            Self::Reloaded => "reloaded",
            Self::LowReuse => "low_reuse",
            Self::RunnerCrash => "runner_crash",
            Self::RequestFailed => "request_failed",
            Self::Lanes => "lanes",
            Self::Trimmed => "trimmed",
            Self::StoreTrouble => "store_trouble",
            Self::StoreWell => "store_well",
            Self::Guard => "guard",
            Self::Plan => "plan",
            Self::Card => "card",
        }
    }

    /// Whether it can be why rates changed: a pause, a reload, an outage, a setting.
    pub const fn explains_rates(self) -> bool {
        !matches!(
            self,
            Self::RequestFailed
                | Self::Retried
                | Self::Loading
                | Self::Plan
                | Self::Card
                | Self::Trimmed
                | Self::LowReuse
        )
    }
}
