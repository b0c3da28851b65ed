//! `batchtop bench`: what a server can do, measured with sample requests.
//!
//! Each measurement is a batch of its own, run by the ordinary engine in a temporary data folder;
//! the right to the user's queue is held meanwhile, because a server that works for two is
//! measured wrongly. What was measured is kept at once, so that an interruption loses only the
//! measurement under way.

mod json;
mod run;
mod table;

use self::run::{Case, measure};
use super::cards;
use super::context::Context;
use super::measure_flags::Bench;
use super::outcome::{End, Outcome, Trouble};
use super::session::owned;
use crate::base::{count, shown};
use crate::engine::check_installed;
use crate::gpu::{Sampler, Simulated};
use crate::inference::{InstalledModel, Ollama, Server, is_same_model};
use crate::model::{Failure, FailureClass, Measurement, Readings, Setup};
use crate::store::{Ownership, Reader, Store, Write};

/// A measurement, and what changed since an earlier one of the same.
#[derive(Debug)]
struct Told {
    measured: Measurement,
    requests_per_second: Option<f64>,
    answer_tokens_per_second: Option<f64>,
    /// How much more requests a second than before, in per cent.
    change_percent: Option<f64>,
    /// The newest earlier measurement of the same setup and size.
    before: Option<Measurement>,
}

impl Told {
    fn new(measured: Measurement, earlier: &[Measurement]) -> Self {
        let is_same = |one: &&Measurement| {
            one.setup == measured.setup && one.work.requests == measured.work.requests
        };
        let before = earlier.iter().find(is_same).cloned();
        let rate = measured.requests_per_second();
        let former = before.as_ref().and_then(Measurement::requests_per_second);
        Self {
            requests_per_second: rate,
            answer_tokens_per_second: measured.answer_tokens_per_second(),
            change_percent: rate
                .zip(former)
                .map(|(now, before)| (now / before - 1.0) * 100.0),
            measured,
            before,
        }
    }
}

/// What is the same for every measurement of one `bench`.
struct Ground {
    server: Ollama,
    simulated: bool,
    version: Option<String>,
    card: Option<String>,
    installed: Vec<InstalledModel>,
}

pub(super) async fn run(flags: &Bench, context: &mut Context) -> Outcome {
    let ground = ground(context).await?;
    let setups = setups(flags, &ground, context)?;
    check_models(&ground, &setups).await?;
    let folder = context.paths.data.clone();
    let _right = Ownership::take(&folder)?.ok_or_else(|| owned(&folder))?;
    let mut store = Store::open(&folder)?;
    let earlier = match Reader::open(&folder)? {
        Some(reader) => reader.measurements()?,
        None => Vec::new(),
    };
    if ground.simulated {
        let text = if flags.keep_simulated {
            "SIMULATED: the figures are those of the simulated server and kept as such"
        } else {
            "SIMULATED: the figures are those of the simulated server and not kept"
        };
        context.say.note(text);
    }
    let mut told = Vec::new();
    let mut end = End::Done;
    'all: for setup in setups {
        for size in std::iter::once(None).chain(flags.sizes.iter().copied().map(Some)) {
            let case = case(&setup, size, flags.warm_up);
            if case.requests == 0 {
                continue;
            }
            say_what(&case, context);
            let Some(measured) = measure(&case, &ground, context).await? else {
                end = End::Interrupted;
                break 'all;
            };
            if size.is_none() {
                continue;
            }
            if !ground.simulated || flags.keep_simulated {
                store.apply(&[Write::Measure(Box::new(measured.clone()))])?;
            }
            told.push(Told::new(measured, &earlier));
        }
    }
    tell(&told, flags, context)?;
    Ok(conclude(end, &told, context))
}

/// The measurement of so many requests; without a number, the warm-up.
fn case(setup: &Setup, size: Option<u64>, warm_up: u64) -> Case {
    Case {
        setup: setup.clone(),
        requests: size.unwrap_or(warm_up),
        is_warm_up: size.is_none(),
    }
}

fn say_what(case: &Case, context: &mut Context) {
    let what = if case.is_warm_up {
        "warming up with"
    } else {
        "measuring"
    };
    context.say.note(&format!(
        "{what} {} requests on {}, lanes {}, window {}",
        count(case.requests),
        shown(&case.setup.model),
        case.setup.parallel,
        table::window(&case.setup),
    ));
}

fn tell(told: &[Told], flags: &Bench, context: &mut Context) -> Result<(), Trouble> {
    if flags.json {
        let told: Vec<_> = told.iter().map(json::BenchJson::new).collect();
        return Ok(context.say.json(&told)?);
    }
    for line in table::lines(told) {
        context.say.line(&line)?;
    }
    Ok(())
}

fn conclude(end: End, told: &[Told], context: &mut Context) -> End {
    if end == End::Interrupted {
        let kept = count(told.len() as u64);
        context
            .say
            .note(&format!("interrupted; {kept} measurements were finished"));
        return end;
    }
    let failed: u64 = told.iter().map(|one| one.measured.work.failed).sum();
    if failed > 0 {
        let text = format!("{} requests failed; the rates count them", count(failed));
        context.say.warning(&text);
        return End::SomeFailed;
    }
    End::Done
}

async fn ground(context: &Context) -> Result<Ground, Trouble> {
    let server = context.server()?;
    let version = server.version().await.map_err(no_server)?;
    let simulated = server.is_simulated().await;
    let readings = if simulated {
        Simulated::default().sample()
    } else if server.is_local() {
        cards::read().await
    } else {
        Readings::elsewhere(&server.address())
    };
    let installed = server.installed().await.map_err(no_server)?;
    Ok(Ground {
        server,
        simulated,
        version: Some(version),
        card: card_names(readings.cards.iter().map(|card| card.name.as_str())),
        installed,
    })
}

/// The names of cards as a measurement keeps them; `None` where there is none.
pub(super) fn card_names<'a>(names: impl Iterator<Item = &'a str>) -> Option<String> {
    let names: Vec<&str> = names.collect();
    (!names.is_empty()).then(|| names.join(" + "))
}

fn no_server(failure: Failure) -> Trouble {
    Trouble::new(
        failure.message,
        "`batchtop doctor` says what is well and what is not",
    )
}

/// Every combination of what was asked for: models, then windows, then lanes, so that the model is
/// loaded anew as rarely as possible.
fn setups(flags: &Bench, ground: &Ground, context: &Context) -> Result<Vec<Setup>, Trouble> {
    let settings = &context.loaded.settings;
    let models = if flags.model.is_empty() {
        settings.model.clone().into_iter().collect()
    } else {
        flags.model.clone()
    };
    if models.is_empty() {
        return Err(Trouble::new(
            "no model is named",
            "`--model MODEL` names one; `ollama list` shows what there is",
        ));
    }
    let windows = if flags.num_ctx.is_empty() {
        vec![settings.num_ctx]
    } else {
        flags.num_ctx.iter().copied().map(Some).collect()
    };
    let lanes = if flags.parallel.is_empty() {
        vec![settings.parallel]
    } else {
        flags.parallel.clone()
    };
    let mut setups = Vec::new();
    for model in models {
        for num_ctx in &windows {
            setups.extend(lanes.iter().map(|parallel| Setup {
                model: model.clone(),
                card: ground.card.clone(),
                parallel: *parallel,
                num_ctx: *num_ctx,
                simulated: ground.simulated,
            }));
        }
    }
    Ok(setups)
}

/// A misspelt model is told before hours are spent on the others.
async fn check_models(ground: &Ground, setups: &[Setup]) -> Result<(), Trouble> {
    let models: Vec<String> = setups.iter().map(|setup| setup.model.clone()).collect();
    match check_installed(&ground.server, &models).await {
        Err(failure) if failure.class == FailureClass::ModelMissing => {
            Err(Trouble::Wrong(failure.message, None))
        }
        _ => Ok(()),
    }
}

impl Ground {
    fn installed(&self, model: &str) -> Option<&InstalledModel> {
        let mut installed = self.installed.iter();
        installed.find(|one| is_same_model(&one.name, model))
    }
}
