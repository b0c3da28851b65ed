//! How long a batch will take and what energy it will need, from what was measured before.
//!
//! A measurement says what a request took: its seconds divided by its requests. That is divided
//! into reading prompts and writing answers as the server's own times were, and each part is
//! scaled by tokens: the first by those of a prompt that no other prompt shares (a shared beginning
//! is read once for each slot), the second by those of an answer. Several measurements are weighed
//! by their requests. The interval is made of how far they lie apart and of what is not known about
//! the tokens, added as independent errors are: by their squares.

use serde::Serialize;

use crate::model::{Energy, Job, Measurement, Setup, Work};

/// Error of the tokens of a prompt, estimated from bytes: text of another kind than the measured
/// one has so much fewer or more bytes a token.
const PROMPT_ERROR: f64 = 0.15;
/// Error of the length of answers that nobody told: it is taken from what was measured.
const ANSWER_ERROR: f64 = 0.5;
/// The same where it was told.
const TOLD_ERROR: f64 = 0.1;
/// How far measurements lie apart at least, whatever the few that there are say.
const LEAST_SPREAD: f64 = 0.05;
/// How far they lie apart where there is only one.
const LONE_SPREAD: f64 = 0.2;
/// An interval of so many standard deviations holds 19 of 20 cases.
const DEVIATIONS: f64 = 2.0;
/// Rates that a job must have, so that its beginning and its end do not decide.
const LEAST_RATES: usize = 6;
/// Requests that a job must have had.
const LEAST_REQUESTS: u64 = 50;

/// What a batch file asks for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Ask {
    /// Its requests.
    pub requests: u64,
    /// Estimate of the tokens of all prompts.
    pub prompt_tokens: u64,
    /// The part of it that no prompt shares with another one.
    pub fresh_tokens: u64,
    /// Tokens of an answer, where that is known.
    pub answer_tokens: Option<f64>,
}

/// What is foretold for one number of lanes and one window.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Forecast {
    /// For what.
    #[serde(flatten)]
    pub setup: Setup,
    /// Seconds.
    pub seconds: Interval,
    /// Joules, where energy was measured.
    pub joules: Option<Interval>,
    /// Whether any of the energy was estimated from power.
    pub energy_is_estimate: bool,
    /// Tokens that an answer is taken to have.
    pub answer_tokens: Option<f64>,
    /// Measurements that it is based on.
    pub measurements: u64,
    /// Requests of all of them.
    pub measured_requests: u64,
}

/// A figure, and between what bounds it lies in 19 of 20 cases.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The lower bound.
    pub low: f64,
    /// The likely figure.
    pub likely: f64,
    /// The upper bound.
    pub high: f64,
}

impl Interval {
    /// Around a figure that may be wrong by a factor of `1 + error` in both directions: neither
    /// time nor energy is ever negative.
    fn around(likely: f64, error: f64) -> Self {
        Self {
            low: likely / (1.0 + error),
            likely,
            high: likely * (1.0 + error),
        }
    }
}

/// What is foretold from measurements of one [`Setup`]; `None` where none of them says anything.
/// Those of other setups are passed over.
pub fn forecast(ask: &Ask, setup: &Setup, measured: &[Measurement]) -> Option<Forecast> {
    let parts: Vec<Part> = measured
        .iter()
        .filter(|one| one.setup == *setup)
        .filter_map(|one| Part::of(ask, one))
        .collect();
    let weight: f64 = parts.iter().map(|part| part.weight).sum();
    let seconds = mean(parts.iter().map(|part| (part.weight, part.seconds)))?;
    let prefill = mean(parts.iter().map(|part| (part.weight, part.prefill_share)))?;
    let error = error(ask, &parts, seconds, prefill);
    let energies = parts
        .iter()
        .filter_map(|part| Some((part.weight, part.energy?)));
    let joules = mean(
        energies
            .clone()
            .map(|(weight, energy)| (weight, energy.joules)),
    );
    let answers = parts
        .iter()
        .filter_map(|part| Some((part.weight, part.answer_tokens?)));
    Some(Forecast {
        setup: setup.clone(),
        seconds: Interval::around(seconds, error),
        joules: joules.map(|joules| Interval::around(joules, error)),
        energy_is_estimate: energies.clone().any(|(_, energy)| energy.is_estimate()),
        answer_tokens: ask.answer_tokens.or_else(|| mean(answers)),
        measurements: parts.len() as u64,
        measured_requests: weight as u64,
    })
}

/// A job that has run to its end as a measurement: its requests at the mean of the rates that were
/// read while it ran, so that pauses do not count. `None` where that says too little.
pub fn of_history(job: &Job, card: Option<String>, rates: &[f64]) -> Option<Measurement> {
    let requests = job.counts.done + job.counts.failed;
    let rate = mean(rates.iter().map(|rate| (1.0, *rate)))?;
    if rates.len() < LEAST_RATES || requests < LEAST_REQUESTS || rate <= 0.0 {
        return None;
    }
    let counts = &job.counts;
    Some(Measurement {
        setup: Setup {
            model: job.models.first()?.clone(),
            card,
            parallel: job.settings.parallel,
            num_ctx: job.settings.num_ctx,
            simulated: false,
        },
        at: job.finished?,
        digest: None,
        quantization: None,
        server_version: None,
        work: Work {
            requests,
            failed: counts.failed,
            prompt_tokens: counts.prompt_tokens.0,
            answer_tokens: counts.answer_tokens.0,
            ..Work::default()
        },
        seconds: requests as f64 / rate,
        p50_ms: None,
        p95_ms: None,
        energy: job.energy,
    })
}

/// The mean of values with weights; `None` of nothing.
fn mean(values: impl Iterator<Item = (f64, f64)>) -> Option<f64> {
    let (weight, sum) = values.fold((0.0, 0.0), |(weights, sum), (weight, value)| {
        (weights + weight, weight.mul_add(value, sum))
    });
    let mean = sum / weight;
    (weight > 0.0 && mean.is_finite()).then_some(mean)
}

/// What one measurement says of the whole batch.
#[derive(Debug, Clone, Copy)]
struct Part {
    weight: f64,
    seconds: f64,
    /// The part of those seconds in which prompts are read, from 0 to 1.
    prefill_share: f64,
    energy: Option<Energy>,
    answer_tokens: Option<f64>,
}

impl Part {
    fn of(ask: &Ask, measured: &Measurement) -> Option<Self> {
        let work = &measured.work;
        let weight = work.requests as f64;
        let answered = work.requests.saturating_sub(work.failed) as f64;
        if measured.seconds <= 0.0 || answered < 1.0 || ask.requests == 0 {
            return None;
        }
        let answer = (work.answer_tokens > 0).then(|| work.answer_tokens as f64 / answered);
        let reading = prompts(ask, measured);
        let writing = ask.answer_tokens.zip(answer);
        let writing = writing.map_or(1.0, |(asked, seen)| asked / seen);
        // Without the server's own times, both count alike.
        let share = work.prefill_share.unwrap_or(0.5).clamp(0.0, 1.0);
        let (read, written) = (share * reading, (1.0 - share) * writing);
        let times = ask.requests as f64 / weight * (read + written);
        let energy = measured.energy.map(|energy| Energy {
            joules: energy.joules * times,
            estimated: energy.estimated * times,
        });
        Some(Self {
            weight,
            seconds: measured.seconds * times,
            prefill_share: read / (read + written).max(f64::MIN_POSITIVE),
            energy,
            answer_tokens: answer,
        })
    }
}

/// How much more of a prompt is to be read than was measured. Both sides are estimated in the same
/// way where that is possible, so that its errors cancel out.
fn prompts(ask: &Ask, measured: &Measurement) -> f64 {
    let work = &measured.work;
    let (asked, seen) = match (work.estimated_fresh, work.estimated_tokens) {
        (Some(fresh), _) => (ask.fresh_tokens, fresh),
        (None, Some(all)) => (ask.prompt_tokens, all),
        (None, None) => (ask.prompt_tokens, work.prompt_tokens),
    };
    let each = |tokens: u64, requests: u64| tokens as f64 / requests.max(1) as f64;
    let ratio = each(asked, ask.requests) / each(seen, work.requests);
    if ratio.is_finite() { ratio } else { 1.0 }
}

/// The relative error of the whole.
fn error(ask: &Ask, parts: &[Part], seconds: f64, prefill: f64) -> f64 {
    let distance = |part: &Part| (part.seconds / seconds - 1.0).powi(2);
    let spread = match parts.len() {
        0 | 1 => LONE_SPREAD,
        _ => mean(parts.iter().map(|part| (part.weight, distance(part))))
            .map_or(LONE_SPREAD, f64::sqrt)
            .max(LEAST_SPREAD),
    };
    let answer = if ask.answer_tokens.is_some() {
        TOLD_ERROR
    } else {
        ANSWER_ERROR
    };
    // The errors of tokens are bounds already.
    let squares = [
        DEVIATIONS * spread,
        PROMPT_ERROR * prefill,
        answer * (1.0 - prefill),
    ]
    .map(|error| error * error);
    squares.iter().sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Stamp;
    use crate::model::{Counts, JobId, JobSettings, JobState, Parallel, Source, Tokens};
    use proptest::prelude::*;

    fn setup() -> Setup {
        Setup {
            model: "m".into(),
            card: Some("RTX".into()),
            parallel: Parallel::Fixed(4),
            num_ctx: None,
            simulated: false,
        }
    }

    fn measured(requests: u64, seconds: f64) -> Measurement {
        Measurement {
            setup: setup(),
            at: Stamp(1),
            digest: None,
            quantization: None,
            server_version: None,
            work: Work {
                requests,
                failed: 0,
                prompt_tokens: 2_200 * requests,
                answer_tokens: 80 * requests,
                estimated_tokens: Some(2_000 * requests),
                estimated_fresh: Some(200 * requests),
                prefill_share: Some(0.25),
            },
            seconds,
            p50_ms: None,
            p95_ms: None,
            energy: Some(Energy {
                joules: 300.0 * seconds,
                estimated: 0.0,
            }),
        }
    }

    fn ask(requests: u64) -> Ask {
        Ask {
            requests,
            prompt_tokens: 2_000 * requests,
            fresh_tokens: 200 * requests,
            answer_tokens: None,
        }
    }

    fn near(found: f64, expected: f64) -> bool {
        (found / expected - 1.0).abs() < 1e-9
    }

    #[test]
    fn more_of_the_same_takes_in_proportion() {
        let found = forecast(&ask(10_000), &setup(), &[measured(100, 25.0)]).unwrap();
        assert!(near(found.seconds.likely, 2_500.0), "{found:?}");
        assert!(near(found.joules.unwrap().likely, 750_000.0));
        assert!(near(found.answer_tokens.unwrap(), 80.0));
        assert_eq!((found.measurements, found.measured_requests), (1, 100));
        // By hand: 2 × 0.2, 0.15 × 0.25 and 0.5 × 0.75, added by squares.
        let error = (0.4_f64.powi(2) + 0.0375_f64.powi(2) + 0.375_f64.powi(2)).sqrt();
        assert!(near(found.seconds.high, 2_500.0 * (1.0 + error)));
        assert!(near(found.seconds.low, 2_500.0 / (1.0 + error)));
    }

    #[test]
    fn prompts_and_answers_are_scaled_each_by_their_own() {
        let longer = Ask {
            fresh_tokens: 400 * 100,
            answer_tokens: Some(40.0),
            ..ask(100)
        };
        // A quarter of 100 s doubles, three quarters are halved.
        let found = forecast(&longer, &setup(), &[measured(100, 100.0)]).unwrap();
        assert!(near(found.seconds.likely, 50.0 + 37.5), "{found:?}");
        assert_eq!(found.answer_tokens, Some(40.0));
    }

    #[test]
    fn the_larger_measurement_weighs_more_and_agreement_narrows() {
        let agreeing = [measured(1_000, 250.0), measured(100, 25.0)];
        let apart = [measured(1_000, 250.0), measured(100, 50.0)];
        let agreed = forecast(&ask(100), &setup(), &agreeing).unwrap();
        let differing = forecast(&ask(100), &setup(), &apart).unwrap();
        let alone = forecast(&ask(100), &setup(), &agreeing[..1]).unwrap();
        let width = |found: &Forecast| found.seconds.high / found.seconds.low;
        assert!(near(agreed.seconds.likely, 25.0));
        assert!(near(differing.seconds.likely, 30_000.0 / 1_100.0));
        assert!(width(&agreed) < width(&differing) && width(&agreed) < width(&alone));
    }

    #[test]
    fn energy_that_was_not_measured_is_unknown() {
        let mut dark = measured(100, 25.0);
        dark.energy = None;
        let found = forecast(&ask(100), &setup(), &[dark]).unwrap();
        assert_eq!(found.joules, None);
    }

    fn job(done: u64) -> Job {
        Job {
            id: JobId(1),
            name: "a.jsonl".into(),
            state: JobState::Done,
            priority: 0,
            position: 0,
            settings: JobSettings {
                parallel: Parallel::Fixed(4),
                ..JobSettings::default()
            },
            source: Source {
                path: "a.jsonl".into(),
                bytes: 1,
                hash: String::new(),
                receipt: None,
            },
            endpoint: None,
            models: vec!["m".into()],
            counts: Counts {
                total: done,
                done,
                prompt_tokens: Tokens(2_000 * done),
                answer_tokens: Tokens(80 * done),
                ..Counts::default()
            },
            energy: None,
            created: Stamp(0),
            started: Some(Stamp(0)),
            // It was paused for most of the time.
            finished: Some(Stamp(1_000_000_000)),
        }
    }

    #[test]
    fn a_job_counts_as_fast_as_it_was_while_it_ran() {
        let seen = of_history(&job(1_000), Some("RTX".into()), &[4.0; 6]).unwrap();
        assert!(near(seen.seconds, 250.0));
        assert_eq!(seen.setup, setup());
        let found = forecast(&ask(2_000), &setup(), &[seen]).unwrap();
        assert!(near(found.seconds.likely, 500.0), "{found:?}");
        assert_eq!(of_history(&job(1_000), None, &[4.0; 5]), None);
        assert_eq!(of_history(&job(1_000), None, &[0.0; 9]), None);
        assert_eq!(of_history(&job(9), None, &[4.0; 9]), None);
    }

    #[test]
    fn other_setups_and_failed_measurements_say_nothing() {
        let other = Setup {
            parallel: Parallel::Auto,
            ..setup()
        };
        assert_eq!(forecast(&ask(9), &other, &[measured(100, 25.0)]), None);
        let mut failed = measured(100, 25.0);
        failed.work.failed = 100;
        assert_eq!(
            forecast(&ask(9), &setup(), &[failed, measured(100, 0.0)]),
            None
        );
        assert_eq!(forecast(&ask(9), &setup(), &[]), None);
        assert_eq!(forecast(&ask(0), &setup(), &[measured(100, 25.0)]), None);
    }

    proptest! {
        #[test]
        fn the_figure_lies_between_its_bounds(
            requests in 1u64..1_000_000, fresh in 0u64..1 << 40, answer in prop::option::of(1.0f64..1e5),
            sizes in prop::collection::vec((1u64..10_000, 0.001f64..1e6, 0.0f64..1.0), 1..6),
        ) {
            let ask = Ask { requests, prompt_tokens: fresh, fresh_tokens: fresh, answer_tokens: answer };
            let all: Vec<_> = sizes.into_iter().map(|(requests, seconds, share)| {
                let mut one = measured(requests, seconds);
                one.work.prefill_share = Some(share);
                one
            }).collect();
            let found = forecast(&ask, &setup(), &all).unwrap();
            for interval in [Some(found.seconds), found.joules].into_iter().flatten() {
                prop_assert!(interval.low >= 0.0 && interval.low <= interval.likely);
                prop_assert!(interval.likely <= interval.high && interval.high.is_finite());
            }
        }
    }
}
