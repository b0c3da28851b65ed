//! What reaches the screen, and what it asks for in return.

use super::errand::{Errand, News};
use super::key::{Key, Mouse};
use super::query::{Found, Query};
use super::ui::Stopping;
use crate::model::{Command, CommandError, Done, RequestId};

/// Something happened.
#[derive(Debug, Clone)]
pub enum Msg {
    /// A key was pressed.
    Key(Key),
    /// The mouse did something.
    Mouse(Mouse),
    /// Text was pasted.
    Paste(String),
    /// The terminal has another size now.
    Resize,
    /// There is a new picture of the run.
    Changed,
    /// So many whole seconds have passed since the latest picture.
    Age(u64),
    /// A command has had its effect, or none.
    Replied {
        /// What was asked for, in words.
        what: String,
        /// What came of it.
        result: Result<Done, CommandError>,
    },
    /// The queue has answered.
    Found {
        /// What was asked.
        query: Query,
        /// What was found, or why nothing was.
        found: Result<Found, String>,
    },
    /// Something came of an errand.
    News(News),
    /// The owner of the run that is watched has ended.
    OwnerGone,
}

/// Something that is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
    /// Have the engine do this; `what` says it in words.
    Command {
        /// The command.
        command: Command,
        /// What it does, for the message line.
        what: String,
    },
    /// Look this up in the queue, instead of what was asked of its kind before.
    Query(Query),
    /// Nobody waits for the answer to this any more.
    Leave(Query),
    /// Have something done outside.
    Errand(Errand),
    /// Show this request's answer while it is written, or none.
    Watch(Option<RequestId>),
    /// End the run and the screen.
    Quit(Stopping),
    /// Put this text in the clipboard of the terminal.
    Copy(String),
    /// Stop the process until `fg`.
    Suspend,
    /// Draw everything anew.
    Redraw,
    /// Listen to the mouse or not.
    Mouse(bool),
}
