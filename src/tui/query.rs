//! What lists ask of the queue, and what they hear back: always a bounded piece of it.

use crate::analysis::Summary;
use crate::model::{JobId, RequestId};
use crate::store::{FailureGroup, Filter, RequestLine, Sort};

use super::reading::RequestText;

/// Requests on either side of the one that a page is around.
pub const HALF_PAGE: usize = 200;

/// A question about the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// Some requests of a job.
    Page {
        /// Which job.
        job: JobId,
        /// Which of its requests.
        filter: Filter,
        /// In which order.
        sort: Sort,
        /// Where in that order.
        at: At,
    },
    /// How many requests a filter lets through.
    Count {
        /// Which job.
        job: JobId,
        /// Which of its requests.
        filter: Filter,
    },
    /// Everything about one request.
    Request {
        /// Its job.
        job: JobId,
        /// Which.
        request: RequestId,
    },
    /// The failures of a job, by likeness.
    Failures {
        /// Which job.
        job: JobId,
    },
    /// What is in the results of a job so far. Answered in the end, and before that with how far
    /// the reading is.
    Analysis {
        /// Which job.
        job: JobId,
    },
}

/// Where a page lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// At the beginning.
    First,
    /// At the end.
    Last,
    /// Around the request that has this place in the file.
    Around(i64),
}

/// A piece of a list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Page {
    /// Its requests.
    pub lines: Vec<RequestLine>,
    /// Whether nothing comes before them.
    pub is_first: bool,
    /// Whether nothing comes behind them.
    pub is_last: bool,
    /// Requests of the job that are in flight or about to be sent.
    pub claimed: u64,
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Some requests, in the order of the file.
    Page(Page),
    /// So many.
    Count(u64),
    /// A request; nothing where it is gone.
    Request(Option<Box<RequestText>>),
    /// Failures, the most frequent first.
    Failures(Vec<FailureGroup>),
    /// So many results of the job were looked at so far.
    Analyzing(u64),
    /// What is in its results.
    Analysis(Box<Summary>),
}
