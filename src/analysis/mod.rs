//! Says what is in results: how many succeeded, what they cost, and what scores the answers give.
//!
//! [`read_results`] takes a result file apart into [`Observation`]s, whoever wrote it; those of a
//! job in the queue are made of its answers. [`Analyzer`] folds them into a [`Summary`], which is
//! plain and serialises. [`Export`] writes them as CSV, [`Comparison`] holds two runs of the same
//! requests against each other.

mod compare;
mod export;
mod line;
mod observation;
mod occurrences;
mod reading;
mod requests;
mod said;
mod score;
mod spread;
mod summary;
mod summary_text;

pub use compare::{Change, Comparer, Comparison};
pub use export::{Column, Export, guarded};
pub use line::LineError;
pub use observation::{Ending, Observation, Seen};
pub use reading::{Lines, Reading, read_results};
pub use requests::{RequestColumn, Requests};
pub use score::{Found, Score, ScoreRule, Spot};
pub use spread::{Bar, Spread};
pub use summary::{
    Added, Analyzer, Duplicates, FailureCount, FoundIn, Ids, Length, Repeated, Scale, ScoreSummary,
    Summary,
};
pub use summary_text::{counted, number};

#[cfg(test)]
mod tests;
