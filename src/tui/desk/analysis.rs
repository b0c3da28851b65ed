//! Reads the results of a job through and says what is in them.

use crate::analysis::{Analyzer, Observation, ScoreRule};
use crate::model::JobId;
use crate::store::{Reader, StoreError};
use crate::tui::query::Found;

/// Results after which it says how far it is, and asks whether to go on.
const EVERY: u64 = 1_000;

/// Why the reading ended before its end.
enum Stop {
    Store(StoreError),
    Left,
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// What is in the results of a job, or how far the reading was when it was not to go on. Holds one
/// result at a time.
pub(super) fn analyze(
    reader: &Reader,
    job: JobId,
    mut goes_on: impl FnMut(Found) -> bool,
) -> Result<Found, StoreError> {
    let mut analyzer = Analyzer::new(ScoreRule::Detect);
    let mut looked_at = 0_u64;
    let read = reader.ended(job, |ended| {
        looked_at += 1;
        if looked_at.is_multiple_of(EVERY) && !goes_on(Found::Analyzing(looked_at)) {
            return Err(Stop::Left);
        }
        let (answer, failure) = (ended.answer.as_ref(), ended.failure.as_ref());
        if let Some(observation) = Observation::of_end(ended.custom_id, answer, failure) {
            analyzer.add(&observation);
        }
        Ok(())
    });
    match read {
        Ok(()) => Ok(Found::Analysis(Box::new(analyzer.finish()))),
        Err(Stop::Left) => Ok(Found::Analyzing(looked_at)),
        Err(Stop::Store(error)) => Err(error),
    }
}
