//! A batch file on its way into the queue, on a thread of its own: read, judged, deduplicated and
//! written in chunks, with never more than two chunks under way.

use std::collections::VecDeque;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::sync::oneshot;

use crate::base::Stamp;
use crate::intake::{
    InvalidLine, Item, Lines, OpenError, ProblemCode, Rules, SourceSeen, Survey, Surveyor, open,
};
use crate::model::{Failure, FailureClass, Job, JobId, JobSettings, Source};
use crate::store::{Admission, Chunk, Invalid, NewJob, StoreError, Write, Writer, Written};

/// Chunks given to the store and not yet on disk.
const UNDER_WAY: usize = 2;
/// Lines between two words about how far it is.
const STEP: u64 = 500;
/// Problems that are told in full.
const PROBLEMS_KEPT: usize = 100;
/// Problems of one invalid line that its failure names.
const PROBLEMS_NAMED: usize = 5;

/// A batch file to be put in the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Admit {
    /// The file; `-` is standard input.
    pub path: PathBuf,
    /// The name of the job.
    pub name: String,
    /// How its requests are run.
    pub settings: JobSettings,
    /// What the file held when it was looked at before, so that a change in between is noticed.
    pub hash: Option<String>,
    /// A random word that is stored with the job, see [`Source::receipt`].
    #[serde(default)]
    pub receipt: Option<String>,
}

/// A batch file that is in the queue now.
#[derive(Debug)]
pub struct Admitted {
    /// Its job.
    pub job: Job,
    /// What is in it.
    pub survey: Survey,
}

/// How much of a batch file has been read into the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AdmitProgress {
    /// Requests and invalid lines.
    pub lines: u64,
    /// Bytes of the lines, after decompression.
    pub bytes: u64,
}

/// Why a batch file is not in the queue. Nothing of it is left behind.
#[derive(Debug, Error)]
pub enum AdmitError {
    /// It cannot be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It holds lines that are no valid requests, or no request at all.
    #[error("the file has problems")]
    Problems(Box<Survey>),
    /// It is not the file that was looked at before.
    #[error("the file was changed between two looks at it")]
    Changed,
    /// The queue failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The engine was stopped, or nobody wants the file any more.
    #[error("interrupted while the file was read")]
    Stopped,
    /// The engine has ended.
    #[error("the engine has ended")]
    Ended,
}

/// Reads a batch file into the queue; `goes_on` is told now and then how far it is, and says
/// whether to go on.
pub(super) fn admit(
    writer: &Writer,
    admit: &Admit,
    goes_on: &impl Fn(AdmitProgress) -> bool,
) -> Result<Admitted, AdmitError> {
    let input = open(&admit.path)?;
    let new = NewJob {
        name: admit.name.clone(),
        path: admit.path.display().to_string(),
        settings: admit.settings.clone(),
        created: Stamp::now(),
    };
    let Written::Job(job) = writer.write(Write::OpenJob(new))? else {
        return Err(AdmitError::Ended);
    };
    let mut feed = Feed::new(writer, job.id);
    let rules = Rules {
        model_override: admit.settings.model.is_some(),
        ..Rules::default()
    };
    let read = read(Lines::new(input, rules), admit, &mut feed, goes_on);
    let closed = read.and_then(|(seen, survey)| feed.close(admit, seen, survey));
    if closed.is_err() {
        // Whatever went wrong, the half of a job is worth nothing. If even this cannot be
        // written, the next start drops it.
        let _ = writer.write(Write::Remove(job.id));
    }
    closed
}

fn read(
    mut lines: Lines<crate::intake::Input>,
    admit: &Admit,
    feed: &mut Feed<'_>,
    goes_on: &impl Fn(AdmitProgress) -> bool,
) -> Result<(SourceSeen, Survey), AdmitError> {
    let settings = &admit.settings;
    let mut surveyor = Surveyor::new(PROBLEMS_KEPT);
    let mut admission = Admission::new(settings);
    let mut left = settings.limit.unwrap_or(u64::MAX);
    let mut sound = true;
    let mut read = 0;
    while left > 0
        && let Some(item) = lines.next()
    {
        left -= 1;
        read += 1;
        let item = match item {
            Ok(item) => item,
            Err(error) => {
                surveyor.broken(error.to_string(), error.hint());
                sound = false;
                break;
            }
        };
        surveyor.add(&item);
        sound &= settings.skip_invalid || matches!(item, Item::Request(..));
        let chunk = match item {
            _ if !sound => None,
            Item::Request(request, _) => admission.request(request),
            Item::Invalid(line) => admission.invalid(invalid(line)),
        };
        if let Some(chunk) = chunk {
            feed.give(chunk)?;
        }
        let progress = AdmitProgress {
            lines: read,
            bytes: lines.bytes(),
        };
        if read % STEP == 0 && !goes_on(progress) {
            return Err(AdmitError::Stopped);
        }
    }
    surveyor.read_so_far(lines.line(), lines.bytes());
    let seen = lines.into_input().finish()?;
    let survey = surveyor.finish();
    if !sound || survey.requests + survey.invalid_lines == 0 {
        return Err(AdmitError::Problems(Box::new(survey)));
    }
    feed.give(admission.finish())?;
    Ok((seen, survey))
}

/// A line that is no valid request, as a failure that says what is wrong with it.
fn invalid(line: InvalidLine) -> Invalid {
    let named: Vec<String> = line
        .problems
        .iter()
        .take(PROBLEMS_NAMED)
        .map(ToString::to_string)
        .collect();
    let duplicate = |p: &crate::intake::Problem| p.code == ProblemCode::DuplicateCustomId;
    // The earlier line has the id; this one would appear twice under it.
    let custom_id = line
        .custom_id
        .filter(|_| !line.problems.iter().any(duplicate));
    Invalid {
        line: line.line,
        custom_id,
        failure: Failure::new(FailureClass::InvalidRequest, named.join("; ")),
        at: Stamp::now(),
    }
}

/// Gives chunks to the store and waits for those before the last two.
struct Feed<'a> {
    writer: &'a Writer,
    job: JobId,
    under_way: VecDeque<oneshot::Receiver<Result<Written, StoreError>>>,
}

impl<'a> Feed<'a> {
    fn new(writer: &'a Writer, job: JobId) -> Self {
        Self {
            writer,
            job,
            under_way: VecDeque::new(),
        }
    }

    fn give(&mut self, chunk: Chunk) -> Result<(), AdmitError> {
        while self.under_way.len() >= UNDER_WAY {
            self.wait_for_one()?;
        }
        self.under_way
            .push_back(self.writer.begin(Write::Admit(self.job, chunk))?);
        Ok(())
    }

    fn wait_for_one(&mut self) -> Result<(), AdmitError> {
        if let Some(first) = self.under_way.pop_front() {
            first.blocking_recv().map_err(|_| AdmitError::Ended)??;
        }
        Ok(())
    }

    fn close(
        mut self,
        admit: &Admit,
        seen: SourceSeen,
        survey: Survey,
    ) -> Result<Admitted, AdmitError> {
        while !self.under_way.is_empty() {
            self.wait_for_one()?;
        }
        if admit.hash.as_ref().is_some_and(|hash| *hash != seen.hash) {
            return Err(AdmitError::Changed);
        }
        let path = admit.path.display().to_string();
        let source = Source {
            path,
            bytes: seen.bytes,
            hash: seen.hash,
            receipt: admit.receipt.clone(),
        };
        match self.writer.write(Write::CloseJob(self.job, source))? {
            Written::Job(job) => Ok(Admitted { job: *job, survey }),
            _ => Err(AdmitError::Ended),
        }
    }
}
