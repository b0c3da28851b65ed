//! `batchtop plan`: whether a model fits the card, before the hours are spent.
//!
//! What is known comes from three places: the server (the model's shape, its weights, what is
//! loaded), the card (what is free), and what was typed (window and slots).

mod json;
mod table;

use super::args::Plan as Flags;
use super::cards;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::profile;
use crate::config::Settings;
use crate::context::{
    CacheType, Load, ModelFacts, Outlook, Plan, Question, Verdict, WindowFrom, Wish,
};
use crate::engine::ask_facts;
use crate::inference::{Ollama, Server};
use crate::model::{Card, Failure, FailureClass, Readings};

/// Windows and slots of the table of choices.
const WINDOWS: [u64; 7] = [2_048, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072];
const SLOTS: [u32; 4] = [1, 2, 4, 8];

pub(super) async fn run(flags: &Flags, context: &mut Context) -> Outcome {
    let settings = &context.loaded.settings;
    let Some(model) = flags.model.clone().or_else(|| settings.model.clone()) else {
        return Err(Trouble::new(
            "no model is named",
            "`--model MODEL` names one; `ollama list` shows what there is",
        ));
    };
    let server = context.server()?;
    let wish = Wish {
        cache: flags.cache_type.unwrap_or_default(),
        ..wish(settings)
    };
    let wish = Wish {
        window: flags.num_ctx.map(u64::from).or(wish.window),
        slots: flags.parallel.unwrap_or(wish.slots),
        ..wish
    };
    let learnt = profile::overhead(context, &model).await;
    let (facts, readings) = facts(&server, &model, learnt).await?;
    let report = report(&facts, &wish, &readings);
    if flags.json {
        context.say.json(&json::PlanJson::new(&report))?;
        return Ok(End::Done);
    }
    for line in table::lines(&report) {
        context.say.line(&line)?;
    }
    Ok(End::Done)
}

/// How the settings have a model loaded.
pub(super) fn wish(settings: &Settings) -> Wish {
    Wish {
        window: settings.num_ctx.map(u64::from),
        slots: settings.parallel.fixed().unwrap_or(1),
        cache: CacheType::default(),
    }
}

/// Everything about one model and this card.
#[derive(Debug)]
pub(super) struct Report {
    /// The model's name as asked for.
    pub(super) model: String,
    /// Its architecture, where its shape is known.
    pub(super) architecture: Option<String>,
    /// The longest context that it was trained for.
    pub(super) trained_window: Option<u64>,
    /// Where the window comes from.
    pub(super) window_from: WindowFrom,
    /// What it takes and whether it fits.
    pub(super) plan: Plan,
    /// The same for the usual windows and slots.
    pub(super) choices: Vec<Choice>,
    /// The cards of this machine; empty when the server is on another one.
    pub(super) cards: Vec<Card>,
    /// What keeps the plan from being complete, a sentence each.
    pub(super) unknown: Vec<String>,
}

/// A window and a number of slots, and what they take.
#[derive(Debug)]
pub(super) struct Choice {
    pub(super) window: u64,
    pub(super) slots: u32,
    pub(super) bytes: Option<u64>,
    pub(super) verdict: Verdict,
}

/// Asks the server and the card, and works it out with the bytes that computing took at an earlier
/// load, where that was `learnt`.
pub(super) async fn of_model(
    server: &Ollama,
    model: &str,
    wish: &Wish,
    learnt: Option<u64>,
) -> Result<Outlook, Trouble> {
    let (facts, readings) = facts(server, model, learnt).await?;
    Ok(facts.outlook(wish, &readings))
}

async fn facts(
    server: &Ollama,
    model: &str,
    learnt: Option<u64>,
) -> Result<(ModelFacts, Readings), Trouble> {
    let facts = ask_facts(server, model).await.map_err(no_model)?;
    let facts = ModelFacts { learnt, ..facts };
    let readings = if server.is_local() {
        cards::read().await
    } else {
        Readings::elsewhere(&server.address())
    };
    Ok((facts, readings))
}

fn no_model(failure: Failure) -> Trouble {
    let hint = match failure.class {
        FailureClass::ModelMissing => "`ollama pull MODEL` fetches it",
        _ => "`batchtop doctor` says what is well and what is not",
    };
    Trouble::new(failure.message, hint)
}

fn report(facts: &ModelFacts, wish: &Wish, readings: &Readings) -> Report {
    let Outlook {
        model,
        window_from,
        plan,
        unknown,
    } = facts.outlook(wish, readings);
    let question = facts.question(wish, plan.load.window, readings);
    Report {
        model,
        architecture: question.shape.map(|shape| shape.architecture.clone()),
        trained_window: question.shape.and_then(|shape| shape.trained_window),
        window_from,
        plan,
        choices: choices(&question),
        cards: readings.cards.clone(),
        unknown,
    }
}

fn choices(question: &Question<'_>) -> Vec<Choice> {
    let trained = question.shape.and_then(|shape| shape.trained_window);
    let possible = |window: &u64| *window <= trained.unwrap_or(u64::MAX);
    let windows = WINDOWS.into_iter().filter(possible);
    let pairs = windows.flat_map(|window| SLOTS.map(|slots| (window, slots)));
    pairs
        .map(|(window, slots)| {
            let load = Load {
                window,
                slots,
                ..question.load
            };
            let plan = Plan::of(&Question { load, ..*question });
            Choice {
                window,
                slots,
                bytes: plan.needs.total(),
                verdict: plan.verdict,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
