//! `batchtop plan`: whether a model fits the card, before the hours are spent.
//!
//! What is known comes from three places: the server (the model's shape, its weights, what is
//! loaded), the card (what is free), and what was typed (window and slots).

mod facts;
mod table;

use serde::Serialize;

use self::facts::Facts;
pub(super) use self::table::{advice, verdict};
use super::args::Plan as Flags;
use super::cards;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use crate::config::Settings;
use crate::context::{CacheType, Load, Plan, Question, Room, ShapeError, Verdict};
use crate::inference::{Ollama, Server};
use crate::model::{Card, LoadedModel, Readings};

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
        ..Wish::of(settings)
    };
    let wish = Wish {
        window: flags.num_ctx.map(u64::from).or(wish.window),
        slots: flags.parallel.unwrap_or(wish.slots),
        ..wish
    };
    let report = of_model(&server, &model, &wish).await?;
    if flags.json {
        context.say.json(&report)?;
        return Ok(End::Done);
    }
    for line in table::lines(&report) {
        context.say.line(&line)?;
    }
    Ok(End::Done)
}

/// How the model is to be loaded, as far as the user says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wish {
    pub(super) window: Option<u64>,
    pub(super) slots: u32,
    pub(super) cache: CacheType,
}

impl Wish {
    /// As the settings have it.
    pub(super) fn of(settings: &Settings) -> Self {
        Self {
            window: settings.num_ctx.map(u64::from),
            slots: settings.parallel.fixed().unwrap_or(1),
            cache: CacheType::default(),
        }
    }
}

/// Everything about one model and this card.
#[derive(Debug, Serialize)]
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
#[derive(Debug, Serialize)]
pub(super) struct Choice {
    pub(super) window: u64,
    pub(super) slots: u32,
    pub(super) bytes: Option<u64>,
    pub(super) verdict: Verdict,
}

/// Where a window comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum WindowFrom {
    /// Typed, or from the settings.
    Asked,
    /// The model is loaded with it.
    Loaded,
    /// The model itself asks for it.
    Modelfile,
    /// Ollama 0.33's own choice by the memory of all cards.
    CardMemory,
    /// Ollama 0.33's smallest choice, because the server's cards are not known.
    Assumed,
}

/// Asks the server and the card, and works it out.
pub(super) async fn of_model(server: &Ollama, model: &str, wish: &Wish) -> Result<Report, Trouble> {
    let facts = Facts::ask(server, model).await?;
    let readings = if server.is_local() {
        cards::read().await
    } else {
        cards::elsewhere(&server.address())
    };
    Ok(report(&facts, wish, &readings))
}

fn report(facts: &Facts, wish: &Wish, readings: &Readings) -> Report {
    let (window, window_from) = facts.window(wish, readings);
    let load = Load {
        window,
        slots: wish.slots,
        cache: wish.cache,
        batch: None,
    };
    let question = Question {
        shape: facts.shape.as_ref().ok(),
        weights: facts.weights,
        load,
        room: room(readings, &facts.loaded),
        overhead: facts.overhead(wish),
    };
    Report {
        model: facts.model.clone(),
        architecture: question.shape.map(|shape| shape.architecture.clone()),
        trained_window: question.shape.and_then(|shape| shape.trained_window),
        window_from,
        plan: Plan::of(&question),
        choices: choices(&question),
        cards: readings.cards.clone(),
        unknown: unknown(facts, readings, &question),
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

/// Memory that the model may take: what is free, and what loaded models hold, because Ollama lets
/// them go for another one.
fn room(readings: &Readings, loaded: &[LoadedModel]) -> Option<Room> {
    let held: u64 = loaded.iter().filter_map(|model| model.size_vram).sum();
    let large = readings.cards.iter().filter(|card| card.is_large());
    let cards: Vec<&Card> = large.collect();
    let any_runner = cards.iter().any(|card| card.has_runner());
    let most = cards
        .iter()
        .filter_map(|card| card.memory)
        .map(|it| it.used)
        .max();
    Room::of(cards.iter().filter_map(|card| {
        let memory = card.memory?;
        let own = if any_runner {
            runners(card)
        } else if Some(memory.used) == most {
            // Without a list of processes, the fullest card holds the models.
            held
        } else {
            0
        };
        // A server may report more than the card has.
        Some(memory.free.saturating_add(own.min(memory.used)))
    }))
}

fn runners(card: &Card) -> u64 {
    let processes = card.processes.iter().flatten();
    let runners = processes.filter(|process| process.is_runner() == Some(true));
    runners.filter_map(|process| process.memory).sum()
}

fn unknown(facts: &Facts, readings: &Readings, question: &Question<'_>) -> Vec<String> {
    let shape = facts.shape.as_ref().err().map(ShapeError::to_string);
    let weights = facts.weights.is_none();
    let weights = weights.then(|| "the server does not say how large the model is".to_owned());
    let room = question.room.is_none().then(|| {
        let absent = readings.absent.clone();
        absent.unwrap_or_else(|| "no card says how much memory it has".to_owned())
    });
    shape.into_iter().chain(weights).chain(room).collect()
}

#[cfg(test)]
mod tests;
