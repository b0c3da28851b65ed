//! What is told: one short message, safe to show anywhere, with the figures for programs.

use serde::Serialize;

use crate::base::{Stamp, elide, shown};
use crate::model::{Counts, JobId, JobState, JobView};

/// Columns of a title.
const TITLE: usize = 120;
/// Columns of a text.
const TEXT: usize = 600;
/// Columns of the name of a job.
const NAME: usize = 80;

/// The kinds of notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// Every request of a job has an answer or a final failure.
    JobDone,
    /// A job has stopped itself, or could not be started.
    JobStopped,
    /// Nothing in the queue can go on.
    QueueDone,
    /// The server has not answered for long.
    ServerDown,
    /// The database could not be written for long.
    DiskTrouble,
    /// The guard has held everything back for long.
    GuardPause,
    /// A trouble that was told has passed.
    TroubleOver,
    /// The user tries whether notices arrive.
    Test,
}

/// One message. Its texts hold nothing that a terminal, a chat program or a desktop could obey.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// Which kind.
    pub kind: NoticeKind,
    /// When, by the wall clock.
    #[serde(skip)]
    pub at: Stamp,
    /// What happened, in a few words.
    pub title: String,
    /// The same with figures and reasons.
    pub text: String,
    /// The job that it is about, where it is about one.
    pub job: Option<NoticeJob>,
}

/// The figures of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NoticeJob {
    /// Its number.
    pub id: JobId,
    /// Its name.
    pub name: String,
    /// The word for its state.
    pub state: &'static str,
    /// All its requests.
    pub total: u64,
    /// Those with an answer.
    pub done: u64,
    /// Those with a final failure.
    pub failed: u64,
    /// Answers that were cut off.
    pub cut: u64,
    /// Seconds for which its requests have been running in this process.
    pub seconds: u64,
}

impl Notice {
    /// A message of these words, which may hold outside text.
    pub fn new(kind: NoticeKind, at: Stamp, title: &str, text: &str) -> Self {
        Self {
            kind,
            at,
            title: safe(title, TITLE),
            text: safe(text, TEXT),
            job: None,
        }
    }

    /// The same about a job.
    #[must_use]
    pub fn about(self, job: &JobView) -> Self {
        let Counts {
            total,
            done,
            failed,
            cut,
            ..
        } = job.counts;
        let job = NoticeJob {
            id: job.id,
            name: name(job),
            state: JobState::word(&job.state),
            total,
            done,
            failed,
            cut,
            seconds: job.running_for.as_secs(),
        };
        Self {
            job: Some(job),
            ..self
        }
    }

    /// A message by which the user tries whether notices arrive.
    pub fn test(at: Stamp) -> Self {
        let text = "This is how batchtop tells that a job is done or that something is wrong.";
        Self::new(NoticeKind::Test, at, "a test of batchtop", text)
    }
}

/// The name of a job, safe and short.
pub(super) fn name(job: &JobView) -> String {
    safe(&job.name, NAME)
}

/// Outside text made safe. Angle brackets go as well: desktops read markup between them, and chat
/// programs read `<!channel>` as a call to everybody.
fn safe(text: &str, columns: usize) -> String {
    let visible = shown(text).replace('<', "‹").replace('>', "›");
    elide(&visible, columns)
}
