//! One measurement: a batch of sample requests, run by an engine of its own.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Duration;

use tokio::task::yield_now;

use super::Ground;
use crate::base::Stamp;
use crate::cli::context::Context;
use crate::cli::estimate::ask;
use crate::cli::outcome::Trouble;
use crate::cli::run::{Worked, work_alone};
use crate::cli::session::{Session, Signals, TemporaryFolder, no_system};
use crate::intake::{Rules, open, read_all};
use crate::model::{Job, JobId, JobSettings, Measurement, Setup, Work};
use crate::sample::{SampleOptions, request_line};
use crate::stats::Ask;
use crate::store::{Order, Reader, StoreError};

/// Requests that are generated between two looks at the signals.
const HEARD_EVERY: u64 = 1_000;

/// What is measured.
pub(super) struct Case {
    /// On which ground.
    pub(super) setup: Setup,
    /// Requests.
    pub(super) requests: u64,
    /// Whether nobody wants the figures.
    pub(super) is_warm_up: bool,
}

impl Case {
    /// The same for the same case, so that it can be compared with an earlier one; another one for
    /// every other, so that no prompt is met that the server still remembers.
    fn seed(&self) -> u64 {
        let lanes = u64::from(self.setup.parallel.fixed().unwrap_or(0));
        let size = if self.is_warm_up { 0 } else { self.requests };
        size.wrapping_mul(10_007).wrapping_add(lanes)
    }

    fn settings(&self, context: &Context) -> JobSettings {
        JobSettings {
            model: Some(self.setup.model.clone()),
            parallel: self.setup.parallel,
            num_ctx: self.setup.num_ctx,
            // Each of these requests stands alone, whatever the settings say of others.
            mode: crate::model::Mode::Independent,
            ..context.loaded.settings.job()
        }
    }
}

/// Runs it; `None` when it was interrupted.
pub(super) async fn measure(
    case: &Case,
    ground: &Ground,
    context: &mut Context,
) -> Result<Option<Measurement>, Trouble> {
    // From before there is a folder that must not be left behind.
    let mut signals = Signals::listen()?;
    let folder = TemporaryFolder::new()?;
    let batch = folder.0.join("sample.jsonl");
    let generated = generate(&batch, case, &mut signals).await;
    if !generated.map_err(|error| no_system("write the sample batch", &error))? {
        return Ok(None);
    }
    let estimated = ask(&read_all(open(&batch)?, Rules::default(), 0), None);
    let user = std::mem::replace(&mut context.paths.data, folder.0.join("data"));
    let worked = work_off(&batch, case, ground, signals, context).await;
    let measured = worked.and_then(|worked| {
        let seen = worked.map(|it| look(it, context)).transpose()?;
        Ok(seen.map(|(job, seen)| measurement(case, ground, &estimated, (&job, seen))))
    });
    context.paths.data = user;
    measured
}

/// Writes the batch; `false` when a signal came meanwhile.
async fn generate(batch: &Path, case: &Case, signals: &mut Signals) -> std::io::Result<bool> {
    let options = SampleOptions {
        model: Some(case.setup.model.clone()),
        ..SampleOptions::default()
    };
    let mut file = BufWriter::new(File::create(batch)?);
    for index in 0..case.requests {
        writeln!(file, "{}", request_line(case.seed(), index, &options))?;
        if index % HEARD_EVERY == 0 {
            tokio::select! {
                biased;
                () = signals.next() => return Ok(false),
                () = yield_now() => {}
            }
        }
    }
    file.flush()?;
    Ok(true)
}

async fn work_off(
    batch: &Path,
    case: &Case,
    ground: &Ground,
    signals: Signals,
    context: &mut Context,
) -> Result<Option<Worked>, Trouble> {
    let session = Session::open(context, ground.server.clone(), ground.simulated).await?;
    let session = session.hearing(signals);
    let settings = case.settings(context);
    work_alone(session, batch, settings, context).await
}

/// What a job and its answers took.
#[derive(Debug, Default)]
struct Seen {
    whole: Duration,
    wall: Vec<Duration>,
    prefill: Duration,
    decode: Duration,
}

impl Seen {
    /// The time within which this part of the answers came, in milliseconds.
    fn percentile(&self, part: f64) -> Option<f64> {
        let last = self.wall.len().checked_sub(1)?;
        let place = (part * last as f64).round() as usize;
        self.wall
            .get(place)
            .map(|wall| wall.as_secs_f64() * 1_000.0)
    }

    fn prefill_share(&self) -> Option<f64> {
        let all = self.prefill + self.decode;
        (!all.is_zero()).then(|| self.prefill.as_secs_f64() / all.as_secs_f64())
    }
}

fn look(worked: Worked, context: &Context) -> Result<(Job, Seen), Trouble> {
    let id = worked.job;
    let reader = context.reader()?.ok_or(StoreError::NoJob(id.0))?;
    let job = reader.job(id)?.ok_or(StoreError::NoJob(id.0))?;
    if let Some(why) = job.state.why() {
        return Err(Trouble::new(
            format!("the measurement could not go on: {why}"),
            "`batchtop doctor` says what is well and what is not",
        ));
    }
    let whole = worked.took.or_else(|| job.took()).unwrap_or_default();
    let seen = Seen {
        whole,
        ..seen(&reader, id)?
    };
    Ok((job, seen))
}

fn seen(reader: &Reader, job: JobId) -> Result<Seen, StoreError> {
    let mut seen = Seen::default();
    reader.results::<StoreError>(job, Order::Input, |row| {
        if let Some(answer) = row.answer {
            seen.wall.push(answer.timings.wall);
            seen.prefill += answer.timings.prefill.unwrap_or_default();
            seen.decode += answer.timings.decode.unwrap_or_default();
        }
        Ok(())
    })?;
    seen.wall.sort_unstable();
    Ok(seen)
}

fn measurement(
    case: &Case,
    ground: &Ground,
    estimated: &Ask,
    (job, seen): (&Job, Seen),
) -> Measurement {
    let installed = ground.installed(&case.setup.model);
    Measurement {
        setup: case.setup.clone(),
        at: job.finished.unwrap_or_else(Stamp::now),
        digest: installed.and_then(|model| model.digest.clone()),
        quantization: installed.and_then(|model| model.quantization.clone()),
        server_version: ground.version.clone(),
        work: Work {
            requests: job.counts.done + job.counts.failed,
            failed: job.counts.failed,
            prompt_tokens: job.counts.prompt_tokens.0,
            answer_tokens: job.counts.answer_tokens.0,
            estimated_tokens: Some(estimated.prompt_tokens),
            estimated_fresh: Some(estimated.fresh_tokens),
            prefill_share: seen.prefill_share(),
        },
        // Nothing takes no time at all.
        seconds: seen.whole.max(Duration::from_millis(1)).as_secs_f64(),
        p50_ms: seen.percentile(0.50),
        p95_ms: seen.percentile(0.95),
        energy: job.energy,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Parallel;

    fn case(requests: u64, parallel: Parallel, is_warm_up: bool) -> Case {
        let setup = Setup {
            model: "m".into(),
            card: None,
            parallel,
            num_ctx: None,
            simulated: true,
        };
        Case {
            setup,
            requests,
            is_warm_up,
        }
    }

    #[test]
    fn no_two_cases_send_the_same_prompts() {
        let mut seeds = std::collections::BTreeSet::new();
        let all = [Parallel::Auto, Parallel::Fixed(1), Parallel::Fixed(4_096)];
        for parallel in all {
            assert!(seeds.insert(case(16, parallel, true).seed()));
            for requests in [1, 16, 100, 1_000, 10_000] {
                assert!(seeds.insert(case(requests, parallel, false).seed()));
            }
        }
    }

    #[test]
    fn percentiles_are_those_of_the_answers() {
        let seen = Seen {
            wall: (0..=100).map(Duration::from_millis).collect(),
            prefill: Duration::from_secs(1),
            decode: Duration::from_secs(3),
            ..Seen::default()
        };
        assert_eq!(seen.percentile(0.5), Some(50.0));
        assert_eq!(seen.percentile(0.95), Some(95.0));
        assert_eq!(seen.prefill_share(), Some(0.25));
        assert_eq!(Seen::default().percentile(0.5), None);
        assert_eq!(Seen::default().prefill_share(), None);
    }
}
