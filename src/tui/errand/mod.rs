//! What the screen has done outside of it: folders listed, files looked at, put in the queue and
//! written. Each errand runs beside the loop and comes back as [`News`]; the loop waits for none.

mod batch;
mod desk;
mod folder;
mod plan;

use std::path::PathBuf;

pub use batch::Found;
pub use desk::Desk;
pub use folder::{Entry, Kind, Listing};
pub use plan::{PlanAsked, Planned};

use crate::engine::{Admit, AdmitProgress};
use crate::model::{JobId, Prices};

/// Something to be done outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Errand {
    /// List the folders and batch files in this folder.
    List(PathBuf),
    /// Look at the beginning of this file.
    Preview(PathBuf),
    /// Read this file through and say what is in it.
    Check(PathBuf),
    /// Stop reading this file.
    Leave(PathBuf),
    /// Ask the server which models it has.
    Models,
    /// Say whether a model fits the cards.
    Plan(PlanAsked),
    /// Put a file in the queue.
    Enqueue(Box<Admit>),
    /// Write what a job has so far.
    Export {
        /// The job.
        job: JobId,
        /// The file of the answers; beside the job's source where there is none.
        to: Option<PathBuf>,
    },
    /// Write a report on a job so far, beside its source.
    Report {
        /// The job.
        job: JobId,
        /// Where it goes where there is no file beside which it could lie.
        folder: PathBuf,
        /// What energy and a cloud cost.
        prices: Prices,
    },
}

/// Why a file is not in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Why, in a sentence.
    pub why: String,
    /// What is wrong in it, with line, field and cure: outside text.
    pub problems: Vec<String>,
}

/// What came of an errand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// What is in a folder.
    Listed {
        /// The folder.
        folder: PathBuf,
        /// Its entries, or why they cannot be read.
        listing: Result<Listing, String>,
    },
    /// How a file begins, in lines to be shown: outside text.
    Previewed {
        /// The file.
        path: PathBuf,
        /// The lines.
        lines: Vec<String>,
    },
    /// A file is being read, so many lines of it so far.
    Checking {
        /// The file.
        path: PathBuf,
        /// Lines.
        lines: u64,
    },
    /// What is in a file, or why it cannot be read.
    Checked {
        /// The file.
        path: PathBuf,
        /// What was found.
        found: Result<Box<Found>, String>,
    },
    /// The names of the server's models.
    Models(Vec<String>),
    /// A file is on its way into the queue.
    Admitting {
        /// The file.
        path: PathBuf,
        /// How much of it.
        progress: AdmitProgress,
    },
    /// Whether a model fits the cards.
    Planned {
        /// What was asked.
        asked: PlanAsked,
        /// The answer.
        planned: Planned,
    },
    /// A file is in the queue, or why it is not.
    Enqueued {
        /// The file.
        path: PathBuf,
        /// What to say of it.
        result: Result<String, Rejection>,
    },
    /// Results or a report are written, or why they are not.
    Exported(Result<String, String>),
}
