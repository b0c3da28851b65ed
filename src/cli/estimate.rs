//! `batchtop estimate`: how long a batch file will take and what energy it will need.

use std::time::Duration;

use serde::Serialize;

use super::bench::card_names;
use super::check::path;
use super::columns::aligned;
use super::context::Context;
use super::measure_flags::Estimate;
use super::outcome::{End, Outcome, Trouble};
use crate::base::{count, duration, elide, energy, shown};
use crate::inference::is_same_model;
use crate::intake::{Rules, Survey, open, read_all};
use crate::model::{Endpoint, Job, JobState, Measurement, Mode, Setup};
use crate::stats::{Ask, Forecast, Interval, forecast, of_history};
use crate::store::{Reader, StoreError};

/// Finished jobs that are looked at, the newest first.
const JOBS: usize = 20;
/// Columns of an outside name at most.
const NAME: usize = 60;

/// What the bounds mean.
const BOUNDS: [&str; 2] = [
    "the bounds allow for how far measurements lie apart and for what is not known of the tokens;",
    "loading, pauses and other work of the server come on top",
];

/// Everything that is said.
#[derive(Debug, Serialize)]
struct Told {
    #[serde(flatten)]
    ask: Ask,
    model: String,
    card: Option<String>,
    simulated: bool,
    forecasts: Vec<Forecast>,
}

pub(super) fn run(flags: &Estimate, context: &mut Context) -> Outcome {
    let survey = read_all(open(&path(&flags.file))?, Rules::default(), 0);
    let ask = ask(&survey, flags.answer_tokens);
    let model = model(flags, &survey, context)?;
    if survey.invalid_lines > 0 {
        let text = format!("{} lines are no valid request", count(survey.invalid_lines));
        context.say.warning(&text);
        context.say.hint("`batchtop check` says what is wrong");
    }
    let known = known(&model, flags.simulated, context)?;
    let Some(newest) = known.first() else {
        return Err(unmeasured(&model, flags.simulated));
    };
    let card = newest.setup.card.clone();
    let forecasts = forecasts(&ask, &same_ground(&known));
    if forecasts.is_empty() {
        return Err(unmeasured(&model, flags.simulated));
    }
    let told = Told {
        ask,
        model,
        card,
        simulated: flags.simulated,
        forecasts,
    };
    if flags.json {
        context.say.json(&told)?;
        return Ok(End::Done);
    }
    for line in lines(&told) {
        context.say.line(&line)?;
    }
    Ok(End::Done)
}

/// What a batch file asks for, as far as it says.
pub(super) fn ask(survey: &Survey, answer_tokens: Option<u32>) -> Ask {
    let shared = survey.shared_prompts.iter().map(|prompt| {
        let again = prompt.requests.saturating_sub(1);
        again.saturating_mul(prompt.estimated_tokens.0)
    });
    let shared = shared.fold(0, u64::saturating_add);
    let prompt_tokens = survey.estimated_tokens.0;
    Ask {
        requests: survey.requests,
        prompt_tokens,
        fresh_tokens: prompt_tokens.saturating_sub(shared),
        answer_tokens: answer_tokens.map(f64::from),
    }
}

/// The one model that the file will run on.
fn model(flags: &Estimate, survey: &Survey, context: &Context) -> Result<String, Trouble> {
    if survey.requests == 0 {
        return Err(Trouble::new(
            "the file holds no valid request",
            "`batchtop check` says what is wrong with it",
        ));
    }
    if survey.endpoints.contains_key(&Endpoint::Embeddings) {
        return Err(Trouble::new(
            "the file asks for embeddings, and what is measured are answers",
            "run a part of it with `--limit`, and go by the time that it takes",
        ));
    }
    let named = flags.model.clone();
    if let Some(model) = named.or_else(|| context.loaded.settings.model.clone()) {
        return Ok(model);
    }
    match survey.models.as_slice() {
        [one] => Ok(one.name.clone()),
        [] => Err(Trouble::new(
            "the file names no model",
            "`--model MODEL` names one",
        )),
        several => Err(Trouble::new(
            format!("the file names {} models", several.len()),
            "`--model MODEL` says which one to go by",
        )),
    }
}

fn unmeasured(model: &str, simulated: bool) -> Trouble {
    let model = elide(&shown(model), NAME);
    let (what, more) = if simulated {
        ("SIMULATED measurement", " --keep-simulated")
    } else {
        ("measurement", "")
    };
    Trouble::new(
        format!("there is no {what} of `{model}` to base an estimate on"),
        format!("`batchtop bench --model {model}{more}` makes one"),
    )
}

/// What is known about the speed of a model, the newest first.
fn known(model: &str, simulated: bool, context: &Context) -> Result<Vec<Measurement>, Trouble> {
    let Some(reader) = context.reader()? else {
        return Ok(Vec::new());
    };
    let mut known = reader.measurements()?;
    known.retain(|one| one.setup.simulated == simulated && is_same_model(&one.setup.model, model));
    if !simulated {
        known.extend(history(&reader, model)?);
    }
    known.sort_by_key(|one| std::cmp::Reverse(one.at));
    Ok(known)
}

/// Jobs of this model that have run to their end, as far as their readings say how fast.
fn history(reader: &Reader, model: &str) -> Result<Vec<Measurement>, StoreError> {
    let is_like = |job: &Job| {
        let models = matches!(job.models.as_slice(), [one] if is_same_model(one, model));
        models
            && job.state == JobState::Done
            && job.settings.mode == Mode::Independent
            && job.endpoint != Some(Endpoint::Embeddings)
    };
    let mut jobs: Vec<Job> = reader.jobs()?.into_iter().filter(is_like).collect();
    jobs.sort_by_key(|job| std::cmp::Reverse(job.finished));
    let mut found = Vec::new();
    for job in jobs.iter().take(JOBS) {
        let readings = reader.readings(job.id)?;
        let cards = readings.last().map(|last| last.cards.as_slice());
        let names = cards.unwrap_or_default().iter();
        let rates = readings.iter().filter_map(|one| one.requests_per_second);
        let card = card_names(names.map(|card| card.name.as_str()));
        found.extend(of_history(job, card, &rates.collect::<Vec<_>>()));
    }
    Ok(found)
}

/// Those on the card and of the build of the newest: others say nothing about the next run. Jobs
/// do not keep the build, so theirs is believed to be the same.
fn same_ground(known: &[Measurement]) -> Vec<Measurement> {
    let card = known.first().map(|newest| &newest.setup.card);
    let digest = known.iter().find_map(|one| one.digest.as_ref());
    let same = known.iter().filter(|one| {
        Some(&one.setup.card) == card && (one.digest.is_none() || one.digest.as_ref() == digest)
    });
    same.cloned().collect()
}

/// One forecast for each number of lanes and window, the fastest first.
fn forecasts(ask: &Ask, known: &[Measurement]) -> Vec<Forecast> {
    let mut setups: Vec<&Setup> = Vec::new();
    for one in known {
        if !setups.contains(&&one.setup) {
            setups.push(&one.setup);
        }
    }
    let mut found: Vec<Forecast> = setups
        .into_iter()
        .filter_map(|setup| forecast(ask, setup, known))
        .collect();
    found.sort_by(|one, other| one.seconds.likely.total_cmp(&other.seconds.likely));
    found
}

fn lines(told: &Told) -> Vec<String> {
    let name = |name: &str| elide(&shown(name), NAME);
    let card = told.card.as_deref().map(name);
    let mark = if told.simulated { "SIMULATED: " } else { "" };
    let mut lines = vec![format!(
        "{mark}{} requests, about {} tokens of prompts, on {} ({})",
        count(told.ask.requests),
        count(told.ask.prompt_tokens),
        name(&told.model),
        card.unwrap_or_else(|| "card unknown".to_owned()),
    )];
    let head = [
        "LANES", "WINDOW", "TIME", "BETWEEN", "ENERGY", "BETWEEN", "FROM",
    ];
    let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec())
        .chain(told.forecasts.iter().map(row))
        .collect();
    lines.extend(aligned(&rows, rows.first().map_or(0, Vec::len)));
    let answers = told.forecasts.first().and_then(|first| first.answer_tokens);
    if let Some(tokens) = answers {
        let tokens = count(tokens.round() as u64);
        lines.push(match told.ask.answer_tokens {
            Some(_) => format!("answers have {tokens} tokens in the mean, as told"),
            None => format!(
                "answers are taken to have {tokens} tokens in the mean, as measured; \
                 `--answer-tokens N` says better"
            ),
        });
    }
    lines.extend(BOUNDS.map(str::to_owned));
    lines
}

fn row(found: &Forecast) -> Vec<String> {
    let window = found.setup.num_ctx.map(|window| count(window.into()));
    let time = |seconds: f64| {
        Duration::try_from_secs_f64(seconds).map_or_else(|_| "n/a".to_owned(), duration)
    };
    let between = |interval: &Interval, form: &dyn Fn(f64) -> String| {
        format!("{} and {}", form(interval.low), form(interval.high))
    };
    let joules = found.joules.as_ref();
    let estimate = if found.energy_is_estimate {
        " (from power)"
    } else {
        ""
    };
    let times = if found.measurements == 1 {
        "run"
    } else {
        "runs"
    };
    vec![
        found.setup.parallel.to_string(),
        window.unwrap_or_else(|| "server's".to_owned()),
        time(found.seconds.likely),
        between(&found.seconds, &time),
        joules.map_or_else(|| "n/a".to_owned(), |found| energy(found.likely) + estimate),
        joules.map_or_else(String::new, |found| between(found, &energy)),
        format!(
            "{} {times} of {} requests",
            count(found.measurements),
            count(found.measured_requests)
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Stamp;
    use crate::model::{Energy, Parallel, Work};

    fn measured(lanes: u32, digest: Option<&str>, seconds: f64) -> Measurement {
        Measurement {
            setup: Setup {
                model: "gemma3:12b".into(),
                card: Some("NVIDIA H200".into()),
                parallel: Parallel::Fixed(lanes),
                num_ctx: (lanes > 1).then_some(8_192),
                simulated: false,
            },
            at: Stamp(1),
            digest: digest.map(str::to_owned),
            quantization: None,
            server_version: None,
            work: Work {
                requests: 1_000,
                answer_tokens: 74_000,
                estimated_tokens: Some(2_200_000),
                estimated_fresh: Some(200_000),
                prefill_share: Some(0.2),
                ..Work::default()
            },
            seconds,
            p50_ms: None,
            p95_ms: None,
            energy: (lanes > 1).then_some(Energy {
                joules: 90_000.0,
                estimated: 0.0,
            }),
        }
    }

    #[test]
    fn it_is_said_for_each_number_of_lanes_the_fastest_first() {
        let known = [
            measured(1, Some("new"), 800.0),
            measured(4, Some("new"), 250.0),
            measured(4, None, 260.0),
            measured(4, Some("old"), 9_000.0),
        ];
        let ask = Ask {
            requests: 170_000,
            prompt_tokens: 374_000_000,
            fresh_tokens: 34_000_000,
            answer_tokens: None,
        };
        let told = Told {
            ask,
            model: "gemma3:12b\u{1b}[2J".into(),
            card: Some("NVIDIA H200".into()),
            simulated: false,
            forecasts: forecasts(&ask, &same_ground(&known)),
        };
        insta::assert_snapshot!(lines(&told).join("\n"));
    }
}
