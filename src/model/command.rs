//! What a face may ask of the engine, and what it hears back once the effect is stored.

use serde::{Deserialize, Serialize};

use super::{FailureClass, JobId, Parallel, RequestId};

/// A wish about the queue. Its reply comes after the effect is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    /// Send nothing new of this job; what is in flight finishes.
    Pause {
        /// Which job.
        job: JobId,
    },
    /// Go on with a paused job, or try one again that failed to start.
    Resume {
        /// Which job.
        job: JobId,
    },
    /// End the job for good; what is in flight is aborted, what was stored is kept.
    Cancel {
        /// Which job.
        job: JobId,
    },
    /// Put failed requests back in the queue.
    Retry {
        /// Which job.
        job: JobId,
        /// Which of them.
        #[serde(default)]
        which: WhichFailures,
    },
    /// Forget a job that is over, with all its data.
    Remove {
        /// Which job.
        job: JobId,
    },
    /// Change which jobs go first.
    Prioritize {
        /// Which job.
        job: JobId,
        /// The new priority.
        priority: Priority,
    },
    /// Change a job's place among those of the same priority.
    Reorder {
        /// Which job.
        job: JobId,
        /// Which way.
        to: Move,
    },
    /// Change how many requests of a job may be outstanding.
    SetParallel {
        /// Which job.
        job: JobId,
        /// So many, or as many as are found to be best.
        parallel: Parallel,
    },
    /// Hold the whole queue.
    PauseAll,
    /// Let the queue go on.
    ResumeAll,
}

/// Some of the failed requests of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhichFailures {
    /// All of them.
    #[default]
    All,
    /// Those of one class.
    Class(FailureClass),
    /// Those whose messages are alike: they have this [`Failure::pattern`](super::Failure::pattern).
    Alike(String),
    /// These, as far as they have failed.
    Requests(Vec<RequestId>),
}

/// A priority, absolute or as a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Exactly this.
    Set(i32),
    /// So much more or less than now.
    Step(i32),
}

/// A direction in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Move {
    /// Towards the front.
    Up,
    /// Towards the end.
    Down,
}

/// The effect of a command, now stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Whether anything changed: pausing a paused job changes nothing and is no error.
    pub changed: bool,
    /// For `retry`: how many requests went back; else how many jobs were touched.
    pub count: u64,
}

/// Why a command had no effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What was wrong, with the bad value.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl CommandError {
    /// An error with something to do about it.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: Some(hint.into()),
        }
    }
}

/// How a person names a job: its number, or an unambiguous part of its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobName {
    /// `3`
    Number(JobId),
    /// `candidates`
    Part(String),
}

impl std::fmt::Display for JobName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Number(id) => id.fmt(f),
            Self::Part(part) => f.write_str(part),
        }
    }
}

impl std::str::FromStr for JobName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text
            .parse()
            .map_or_else(|_| Self::Part(text.to_owned()), |n| Self::Number(JobId(n))))
    }
}
