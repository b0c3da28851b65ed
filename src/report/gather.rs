//! Gathers the report on a job from the queue: one look at every end, whatever the job's length,
//! and everything else by its size.

use crate::analysis::{Analyzer, Observation, ScoreRule};
use crate::base::Stamp;
use crate::model::{Bill, JobId, Prices};
use crate::store::{EndedRequest, Reader, StoreError};

use super::page::{Answered, IntervalCounter, Report};

/// Events of a report at most.
const EVENTS: usize = 1_000;
/// Trims of a report at most.
const TRIMS: usize = 20;

/// The report on a job as it stands now; `None` when there is no such job. All of it is of one
/// moment, also while the job runs.
pub fn gather(
    reader: &Reader,
    job: JobId,
    prices: &Prices,
    now: Stamp,
) -> Result<Option<Report>, StoreError> {
    reader.at_one_moment(|reader| {
        let Some(job) = reader.job(job)? else {
            return Ok(None);
        };
        let mut analyzer = Analyzer::new(ScoreRule::Detect);
        let mut counter = job.started.map(IntervalCounter::new);
        reader.ended::<StoreError>(job.id, |ended| {
            if let Some(counter) = &mut counter {
                count(counter, &ended);
            }
            let (answer, failure) = (ended.answer.as_ref(), ended.failure.as_ref());
            if let Some(observation) = Observation::of_end(ended.custom_id, answer, failure) {
                analyzer.add(&observation);
            }
            Ok(())
        })?;
        let until = job.finished.unwrap_or(now);
        Ok(Some(Report {
            form: Report::FORM,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            written: now,
            ran_on: reader.ran_on(job.id)?,
            results: analyzer.finish(),
            intervals: counter.map_or_else(Vec::new, |counter| counter.finish(until)),
            readings: reader.readings(job.id)?,
            reuse: reader.reuse(job.id)?,
            trims: reader.trims(job.id, TRIMS)?,
            failures: reader.failures(job.id)?,
            attempts: reader.attempts_by_class(job.id)?,
            events: reader.events(job.id, EVENTS)?,
            bill: Bill::of(job.energy, &job.counts, prices),
            prices: prices.clone(),
            job,
        }))
    })
}

fn count(counter: &mut IntervalCounter, ended: &EndedRequest) {
    let Some(answer) = &ended.answer else {
        counter.failed(ended.at);
        return;
    };
    let answered = Answered {
        prompt_tokens: answer.usage.prompt.unwrap_or_default().0,
        answer_tokens: answer.usage.answer.unwrap_or_default().0,
        wall_ms: answer.timings.wall.as_secs_f64() * 1_000.0,
    };
    counter.answered(ended.at, answered);
}
