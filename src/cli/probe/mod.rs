//! `batchtop probe`: how large a window and how many requests at a time a model bears here.
//!
//! The search is [`Reach::next`], which knows nothing of servers; `trial` performs its steps. Each
//! step is stored when it ends, so that an interrupted probe goes on where it stopped.

pub(super) mod json;
mod prompt;
mod table;
mod together;
mod trial;

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use self::json::{GroundJson, ReachJson, RecommendationJson, StepJson};
use self::trial::Prober;
use super::args::Probe as Flags;
use super::cards;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::session::{Signals, owned};
use crate::base::{Stamp, count};
use crate::context::{
    Ground, Load, ModelShape, Probed, Profile, Reach, Recommendation, Step, Stop, Trial,
    measured_overhead,
};
use crate::engine::check_installed;
use crate::inference::{InstalledModel, Ollama, Server, TimeLimits, is_same_model};
use crate::model::{Failure, LoadOptions, LoadedModel, Tokens};
use crate::store::{Ownership, Store, Write};

/// The widest window that is tried where nobody says more.
const WIDEST: u32 = 131_072;
/// The most requests at a time that are tried where nobody says more.
const MOST_LANES: u32 = 8;
/// Putting the server back as it was may take so long.
const RESTORE: Duration = Duration::from_mins(10);

/// What a probe found.
#[derive(Debug)]
struct Report {
    model: String,
    ground: Ground,
    reach: Reach,
    steps: Vec<Step>,
    recommendation: Option<Recommendation>,
    interrupted: bool,
}

/// The same for programs.
#[derive(Debug, Serialize)]
struct ReportJson<'a> {
    model: &'a str,
    #[serde(flatten)]
    ground: GroundJson<'a>,
    reach: ReachJson,
    steps: Vec<StepJson<'a>>,
    recommendation: Option<RecommendationJson>,
    interrupted: bool,
}

impl<'a> ReportJson<'a> {
    fn new(report: &'a Report) -> Self {
        Self {
            model: &report.model,
            ground: GroundJson::new(&report.ground),
            reach: ReachJson::new(report.reach),
            steps: report.steps.iter().map(StepJson::new).collect(),
            recommendation: report.recommendation.map(RecommendationJson::new),
            interrupted: report.interrupted,
        }
    }
}

/// How a probe ended.
enum Ended {
    Whole,
    Interrupted,
    Lost(Failure),
}

/// What is known of the model before anything is tried.
struct Subject {
    name: String,
    weights: Option<u64>,
    trained: Option<u64>,
    shape: Option<ModelShape>,
    digest: String,
}

/// A probe under way, and where its steps are kept.
struct Notebook {
    store: Store,
    profile: Profile,
    subject: Subject,
    reach: Reach,
    steps: Vec<Step>,
}

pub(super) async fn run(flags: &Flags, context: &mut Context) -> Outcome {
    let Some(name) = flags
        .model
        .clone()
        .or_else(|| context.loaded.settings.model.clone())
    else {
        return Err(Trouble::new(
            "no model is named",
            "`--model MODEL` names one; `ollama list` shows what there is",
        ));
    };
    let server = context.server()?;
    let subject = Subject::ask(&server, &name).await.map_err(told)?;
    let folder = context.paths.data.clone();
    let Some(_ownership) = Ownership::take(&folder)? else {
        return Err(owned(&folder));
    };
    let store = Store::open(&folder)?;
    let card = cards::identity(context).await;
    let mut notebook = Notebook::open(store, subject, card, flags)?;
    if !notebook.steps.is_empty() {
        let text = format!("going on; stored steps: {}", notebook.steps.len());
        context.say.note(&text);
        context.say.hint("`--again` forgets them and begins anew");
    }
    let before = server.loaded().await.map_err(told)?;
    let mut signals = Signals::listen()?;
    let ended = search(&mut notebook, &server, &mut signals, context).await?;
    restore(&server, &notebook, &before, &mut signals, context).await;
    conclude(notebook, ended, flags.json, context)
}

/// Tries one thing after the other until the search is over.
async fn search(
    notebook: &mut Notebook,
    server: &Ollama,
    signals: &mut Signals,
    context: &mut Context,
) -> Result<Ended, Trouble> {
    let is_local = server.is_local();
    let settings = &context.loaded.settings;
    let mut prober = Prober {
        server: server.clone(),
        model: notebook.subject.name.clone(),
        limits: TimeLimits {
            first_byte: settings.first_byte_timeout,
            idle: settings.idle_timeout,
            whole: settings.timeout,
        },
        memory: async || if is_local { fullest().await } else { None },
        memory_limit: settings.guard_limits().map(|limits| limits.memory_pause),
        shape: notebook.subject.shape.clone(),
        sizes: notebook.sizes(),
        salt: Stamp::now().0 as u64,
        calibration: notebook.profile.learnt.calibration,
        cold: notebook.profile.learnt.cold,
        loaded: None,
        has_card: notebook.has_card(),
    };
    while let Some(trial) = notebook.reach.next(&notebook.steps) {
        context.say.note(&trying(trial));
        let tried = tokio::select! {
            tried = prober.perform(trial) => tried,
            () = signals.next() => return Ok(Ended::Interrupted),
        };
        let step = match tried {
            Ok(step) => step,
            Err(failure) => return Ok(Ended::Lost(failure)),
        };
        if let Some(stop) = &step.stop {
            context.say.note(&format!("  {stop}"));
        }
        notebook.profile.learnt.calibration = prober.calibration;
        notebook.profile.learnt.cold = prober.cold;
        notebook.note(step, prober.loaded.as_ref())?;
    }
    Ok(Ended::Whole)
}

fn trying(trial: Trial) -> String {
    let window = count(trial.window.into());
    match trial.lanes {
        1 => format!("trying a window of {window} tokens"),
        lanes => format!("trying {lanes} requests at once, each with a window of {window} tokens"),
    }
}

/// How full the fullest card of this machine is, in per cent.
async fn fullest() -> Option<f64> {
    let readings = cards::read().await;
    let cards = readings.cards.iter().filter(|card| card.is_large());
    let filled = cards.filter_map(|card| Some(card.memory?.filled_percent()));
    filled.reduce(f64::max)
}

impl Subject {
    async fn ask(server: &impl Server, name: &str) -> Result<Self, Failure> {
        check_installed(server, &[name.to_owned()]).await?;
        let installed = server.installed().await?;
        let found = installed
            .into_iter()
            .find(|it| is_same_model(&it.name, name));
        let details = server.show(name, false).await?;
        let shape = ModelShape::of(&details.model_info).ok();
        let of = |get: fn(&InstalledModel) -> Option<u64>| found.as_ref().and_then(get);
        let trained = of(|model| model.trained_window);
        Ok(Self {
            weights: of(|model| model.size),
            trained: shape.as_ref().and_then(|it| it.trained_window).or(trained),
            shape,
            digest: found.and_then(|model| model.digest).unwrap_or_default(),
            name: name.to_owned(),
        })
    }
}

impl Notebook {
    fn open(store: Store, subject: Subject, card: String, flags: &Flags) -> Result<Self, Trouble> {
        let known = store.profiles()?.all;
        let trained = subject
            .trained
            .map_or(WIDEST, |trained| trained.min(u32::MAX.into()) as u32);
        let reach = Reach {
            window: flags.num_ctx_max.unwrap_or(WIDEST).min(trained),
            lanes: flags.parallel_max.unwrap_or(MOST_LANES),
        };
        let ground = Ground {
            digest: subject.digest.clone(),
            card,
            num_ctx: None,
            slots: 1,
        };
        let profile = Profile::begin(&known, ground, &subject.name, Stamp::now());
        let stored = profile.learnt.probe.as_ref().filter(|_| !flags.again);
        // Beyond a smaller reach nothing is to be tried; what was learnt there is kept.
        let steps = stored.map_or_else(Vec::new, |probed| probed.steps.clone());
        Ok(Self {
            store,
            profile,
            subject,
            reach,
            steps,
        })
    }

    /// The windows of earlier steps, and the bytes of the model each time.
    fn sizes(&self) -> Vec<(u64, u64)> {
        let steps = self.steps.iter();
        steps
            .filter_map(|step| Some((step.trial.window.into(), step.figures.size?)))
            .collect()
    }

    fn has_card(&self) -> bool {
        let mut steps = self.steps.iter();
        steps.any(|step| step.figures.size_vram.is_some_and(|size| size > 0))
    }

    /// Takes in a step and stores all that follows from it.
    fn note(&mut self, step: Step, loaded: Option<&LoadedModel>) -> Result<(), Trouble> {
        let context = Tokens(step.trial.window.into());
        let learnt = &mut self.profile.learnt;
        match &step.stop {
            None if step.trial.lanes == 1 => {
                learnt.limit.went_well(step.figures.read.unwrap_or(context));
            }
            Some(Stop::OutOfMemory { .. } | Stop::Refused { .. } | Stop::CutSilently { .. }) => {
                learnt.limit.failed(context);
            }
            Some(Stop::FewerSlots { slots }) => learnt.slots = Some(*slots),
            _ => {}
        }
        self.steps.push(step);
        let slots = self.profile.learnt.slots.unwrap_or(1);
        let overhead = loaded.and_then(|loaded| self.overhead(loaded, slots));
        let learnt = &mut self.profile.learnt;
        learnt.overhead = overhead.or(learnt.overhead);
        learnt.lanes = fastest(&self.steps).or(learnt.lanes);
        learnt.probe = Some(Probed {
            reach: self.reach,
            steps: self.steps.clone(),
        });
        self.profile.at = Stamp::now();
        let write = Write::Learn(Box::new(self.profile.clone()));
        self.store.apply(&[write])?;
        Ok(())
    }

    fn overhead(&self, loaded: &LoadedModel, slots: u32) -> Option<u64> {
        let load = Load {
            slots,
            ..Load::of(loaded.window?.0)
        };
        let subject = &self.subject;
        measured_overhead(
            subject.shape.as_ref()?,
            subject.weights?,
            loaded.size?,
            &load,
        )
    }
}

/// The requests at a time that gave the most tokens a second.
fn fastest(steps: &[Step]) -> Option<u32> {
    let together = steps
        .iter()
        .filter(|step| step.is_well() && step.trial.lanes > 1);
    let rated = together.filter_map(|step| Some((step.figures.decode?, step.trial.lanes)));
    rated
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, lanes)| lanes)
}

/// Loads again what was loaded before, as it was, and lets the probed model go where it was not.
async fn restore(
    server: &Ollama,
    notebook: &Notebook,
    before: &[LoadedModel],
    signals: &mut Signals,
    context: &mut Context,
) {
    let work = timeout(RESTORE, restored(server, notebook, before));
    let restored = tokio::select! {
        restored = work => restored.unwrap_or_else(|_| Err(late())),
        () = signals.next() => Err(Failure::new(
            crate::model::FailureClass::Timeout,
            "interrupted",
        )),
    };
    if let Err(failure) = restored {
        context.say.warning(&format!(
            "the server could not be put back as it was: {}",
            failure.message
        ));
    }
}

fn late() -> Failure {
    Failure::new(crate::model::FailureClass::Timeout, "it takes too long")
}

async fn restored(
    server: &Ollama,
    notebook: &Notebook,
    before: &[LoadedModel],
) -> Result<(), Failure> {
    let now = server.loaded().await?;
    let is_own = |model: &LoadedModel| is_same_model(&model.name, &notebook.subject.name);
    // The list begins with the model that stays longest.
    for model in before.iter().rev() {
        let load = options(model);
        let is_there = |it: &LoadedModel| it.name == model.name && it.window == model.window;
        if !now.iter().any(is_there) {
            server.warm(&load).await?;
            release(server, model, &load).await?;
        } else if is_own(model) {
            release(server, model, &load).await?;
        }
    }
    if let Some(model) = now.iter().find(|model| is_own(model))
        && !before.iter().any(is_own)
    {
        server.release(&options(model)).await?;
    }
    Ok(())
}

/// Lets a model go in its time, unless it was to stay for ever (Ollama 0.33 lists that as some
/// 290 years).
async fn release(server: &Ollama, model: &LoadedModel, load: &LoadOptions) -> Result<(), Failure> {
    let year = model
        .expires
        .as_deref()
        .and_then(|at| at.get(..4)?.parse::<u32>().ok());
    if year.is_some_and(|year| year >= 2_200) {
        return Ok(());
    }
    server.release(load).await
}

fn options(model: &LoadedModel) -> LoadOptions {
    LoadOptions {
        model: model.name.clone(),
        num_ctx: model.window.and_then(|window| u32::try_from(window.0).ok()),
        embeddings: false,
    }
}

/// Says what was found.
fn conclude(notebook: Notebook, ended: Ended, json: bool, context: &mut Context) -> Outcome {
    let report = Report {
        model: notebook.subject.name,
        ground: notebook.profile.ground,
        reach: notebook.reach,
        recommendation: Recommendation::of(&notebook.steps),
        steps: notebook.steps,
        interrupted: matches!(ended, Ended::Interrupted),
    };
    if json {
        context.say.json(&ReportJson::new(&report))?;
    } else {
        for line in table::lines(&report) {
            context.say.line(&line)?;
        }
    }
    match ended {
        Ended::Whole => Ok(End::Done),
        Ended::Interrupted => {
            context
                .say
                .note("interrupted; every finished step is stored");
            context
                .say
                .hint("the same command goes on where it stopped");
            Ok(End::Interrupted)
        }
        Ended::Lost(failure) => Err(Trouble::new(
            failure.message,
            "the same command goes on where it stopped",
        )),
    }
}

fn told(failure: Failure) -> Trouble {
    Trouble::new(
        failure.message,
        "`batchtop doctor` says what is well and what is not",
    )
}

#[cfg(test)]
mod tests;
