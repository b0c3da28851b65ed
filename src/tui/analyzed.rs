//! What the view of an analysis holds, and when a job is read again.

use std::time::Duration;

use super::query::Query;
use crate::analysis::Summary;
use crate::base::Moment;
use crate::model::JobId;

/// A job that runs is not read again before this has passed.
const PAUSE: Duration = Duration::from_secs(5);
/// Reading takes at most one part of so many of the time.
const PART: u32 = 20;

/// The analysis of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Analyzed {
    /// The job.
    pub job: JobId,
    /// What is in its results, once it has been read.
    pub summary: Option<Box<Summary>>,
    /// Why it could not be read.
    pub trouble: Option<String>,
    /// Results looked at so far, while it is being read.
    pub reading: Option<u64>,
    /// When the reading began, …
    began: Moment,
    /// … and how long the last one took.
    took: Duration,
    /// Done and failed requests of the job when it began.
    seen: (u64, u64),
}

impl Analyzed {
    /// Of a job that nobody has looked at.
    pub const fn new(job: JobId) -> Self {
        Self {
            job,
            summary: None,
            trouble: None,
            reading: None,
            began: Moment::ZERO,
            took: Duration::ZERO,
            seen: (0, 0),
        }
    }

    /// The question that it is the answer to.
    pub const fn query(&self) -> Query {
        Query::Analysis { job: self.job }
    }

    /// Begins to read the job, of which so many requests are done and failed; nothing while it is
    /// being read.
    pub fn read(&mut self, ends: (u64, u64), now: Moment) -> Option<Query> {
        if self.reading.is_some() {
            return None;
        }
        self.reading = Some(0);
        self.began = now;
        self.seen = ends;
        Some(self.query())
    }

    /// The same where the job has changed since, and its last reading is long enough ago.
    pub fn read_again(&mut self, ends: (u64, u64), now: Moment) -> Option<Query> {
        let pause = self.took.saturating_mul(PART).max(PAUSE);
        let is_due = self.seen != ends && now.since(self.began) >= pause;
        is_due.then(|| self.read(ends, now)).flatten()
    }

    /// Gives the reading up, and returns the question that nobody waits for any more.
    pub fn leave(&mut self) -> Option<Query> {
        self.reading.take().map(|_| self.query())
    }

    /// Takes how far the reading is.
    pub fn goes_on(&mut self, looked_at: u64) {
        if let Some(reading) = &mut self.reading {
            *reading = looked_at;
        }
    }

    /// Takes what was read. What comes of a reading that was left is left, too.
    pub fn ends(&mut self, found: Result<Box<Summary>, String>, now: Moment) {
        if self.reading.take().is_none() {
            return;
        }
        self.took = now.since(self.began);
        match found {
            Ok(summary) => (self.summary, self.trouble) = (Some(summary), None),
            Err(trouble) => self.trouble = Some(trouble),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    /// A job of which ten requests were done at the second 100, and which took so long to read.
    fn read(took: u64) -> Analyzed {
        let mut analyzed = Analyzed::new(JobId(1));
        assert!(analyzed.read((10, 0), at(100)).is_some());
        analyzed.ends(Ok(Box::default()), at(100 + took));
        analyzed
    }

    #[test]
    fn a_job_that_changes_is_read_again_and_no_other() {
        assert_eq!(read(0).read_again((10, 0), at(900)), None);
        assert_eq!(read(0).read_again((11, 0), at(104)), None);
        let again = read(0).read_again((10, 1), at(105));
        assert_eq!(again, Some(Query::Analysis { job: JobId(1) }));
    }

    #[test]
    fn what_takes_long_to_read_is_read_less_often() {
        assert_eq!(read(3).read_again((11, 0), at(159)), None);
        assert!(read(3).read_again((11, 0), at(160)).is_some());
    }

    #[test]
    fn it_is_read_once_at_a_time() {
        let mut analyzed = read(0);
        assert!(analyzed.read((11, 0), at(200)).is_some());
        assert_eq!(analyzed.read((12, 0), at(201)), None);
        assert_eq!(analyzed.read_again((12, 0), at(400)), None);
    }

    #[test]
    fn what_comes_of_a_reading_that_was_left_is_not_taken() {
        let mut analyzed = Analyzed::new(JobId(1));
        assert_eq!(analyzed.leave(), None);
        analyzed.read((1, 0), at(1));
        analyzed.goes_on(1_000);
        assert_eq!(analyzed.reading, Some(1_000));
        assert_eq!(analyzed.leave(), Some(Query::Analysis { job: JobId(1) }));
        analyzed.goes_on(2_000);
        analyzed.ends(Err("interrupted".into()), at(2));
        assert_eq!((analyzed.reading, analyzed.trouble), (None, None));
    }

    #[test]
    fn trouble_leaves_what_was_read_before() {
        let mut analyzed = read(0);
        analyzed.read((11, 0), at(200));
        analyzed.ends(Err("the disk is gone".into()), at(201));
        assert!(analyzed.summary.is_some() && analyzed.trouble.is_some());
        analyzed.read((11, 0), at(210));
        analyzed.ends(Ok(Box::default()), at(211));
        assert_eq!(analyzed.trouble, None);
    }
}
