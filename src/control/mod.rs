//! How other processes reach the one that owns the queue: one line of JSON over loopback, one line
//! back when the effect is on disk. Only [`Ask::Watch`] is answered by many lines: a snapshot each.
//!
//! The owner listens on a free port of 127.0.0.1 and notes port and a random token in the data
//! folder, readable by its user only; a line without the token is refused. What is absent on
//! purpose: reading what is stored. Whoever wants to look opens the database read-only.

mod client;
mod server;
mod token;

pub use client::{ControlError, Watched, ask, watch};
pub use server::Listener;
pub use token::random_token;

use serde::{Deserialize, Serialize};

use crate::engine::Admit;
use crate::model::{Command, CommandError, Done, Job, RequestId};

/// What may be asked of the owner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Do this to the queue.
    Command(Command),
    /// Put this file in the queue.
    Enqueue(Admit),
    /// Have the pictures of the run show the answer of this request while it is written, or none.
    Answer(Option<RequestId>),
    /// Tell how the run goes: a line with a snapshot whenever there is a new one.
    Watch,
}

/// What the owner says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// The command's effect is stored.
    Done(Done),
    /// The file is in the queue.
    Enqueued(Box<Job>),
    /// Nothing was done.
    Refused(CommandError),
    /// The owner is ending, so that the queue is about to be free. Of a file nothing was read; a
    /// command may have had its effect, and has the same one if it is given again.
    Ending,
}

/// One line to the owner.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    token: String,
    ask: Ask,
}

/// A line is never longer: paths and settings are short.
const LONGEST_LINE: u64 = 1 << 20;
/// A snapshot as a line is never longer: its lists are bounded, the texts in them are sentences.
const LONGEST_SNAPSHOT: u64 = 16 << 20;
