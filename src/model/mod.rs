//! The nouns of the program as plain data. No I/O, no clock, no floor above is known here.

mod answer;
mod command;
mod context;
mod energy;
mod event;
mod failure;
mod guard;
mod job;
mod limits;
mod measurement;
mod mode;
mod parallel;
mod plan;
mod ran_on;
mod reading;
mod report_to;
mod request;
mod reuse;
mod snapshot;
mod thinking;
mod trim;
mod watched;

pub use answer::{Answer, AnswerBody, Finish, RELOAD, Timings, Usage};
pub use command::{Command, CommandError, Done, JobName, Move, Priority, WhichFailures};
pub use context::{ContextView, LaneContext, TrimView};
pub use energy::{Bill, CloudPrice, Energy, Price, Prices, WrongPrice};
pub use event::{Event, EventKind};
pub use failure::{Failure, FailureClass, TokenNeed, Verdict};
pub use guard::{GuardCause, GuardHold, GuardLevel, GuardView};
pub use job::{Counts, Job, JobId, JobSettings, JobState, LoadOptions, Source};
pub use limits::{GuardLimits, Hours, WrongHours};
pub use measurement::{Measurement, Setup, Work};
pub use mode::{Mode, Overflow, Share, WrongShare};
pub use parallel::Parallel;
pub use plan::PlanView;
pub use ran_on::RanOn;
pub use reading::{
    Card, CardMemory, CardProcess, CardState, HostMemory, Missing, Readings, TakenReadings,
    Throttle,
};
pub use report_to::{Format, ReportTo, UnknownFormat};
pub use request::{Attempts, Endpoint, NewRequest, Prompt, RequestId, RequestState, Tokens};
pub use reuse::{Reuse, ReuseView};
pub use snapshot::{
    CardHistory, FailedCount, HistoryView, JobView, LaneView, LatencyView, LoadedModel, Mark,
    Phase, RateView, SeriesView, ServerState, ServerView, Snapshot,
};
pub use thinking::without_thinking;
pub use trim::{Trim, TrimPolicy, TrimReason, UnknownPolicy};
pub use watched::WatchedAnswer;
