//! What the server and the cards say about a model, and the plan that follows from it.

use serde::Serialize;

use super::cache::{CacheType, Load};
use super::plan::{Plan, Question, Room, Verdict, measured_overhead};
use super::shape::{ModelShape, ShapeError};
use crate::model::{Card, LoadedModel, Readings};

/// What is known about a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFacts {
    /// Its name as asked for.
    pub model: String,
    /// Its shape, or why it is not known.
    pub shape: Result<ModelShape, ShapeError>,
    /// Bytes of its files.
    pub weights: Option<u64>,
    /// The window that the model itself asks for, in tokens.
    pub num_ctx: Option<u64>,
    /// What the server says of it, where it is loaded.
    pub own: Option<LoadedModel>,
    /// Bytes on cards of every model in the server's memory.
    pub held: u64,
    /// Bytes that computing needed at an earlier load, where that was kept.
    pub learnt: Option<u64>,
}

/// How a model is to be loaded, as far as the user says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// Window of one slot in tokens.
    pub window: Option<u64>,
    /// Slots. Ollama 0.33 does not tell how many it has.
    pub slots: u32,
    /// How exactly keys and values are kept.
    pub cache: CacheType,
}

/// Where a window comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowFrom {
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

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The model's name as asked for.
    pub model: String,
    /// Where the window comes from.
    pub window_from: WindowFrom,
    /// What it takes and whether it fits.
    pub plan: Plan,
    /// What keeps the plan from being complete, a sentence each.
    pub unknown: Vec<String>,
}

impl ModelFacts {
    /// The plan for this wish on these cards.
    pub fn outlook(&self, wish: &Wish, readings: &Readings) -> Outlook {
        let (window, window_from) = self.window(wish, readings);
        let question = self.question(wish, window, readings);
        Outlook {
            model: self.model.clone(),
            window_from,
            plan: Plan::of(&question),
            unknown: self.unknown(readings, &question),
        }
    }

    /// What is to be planned for a window of so many tokens.
    pub fn question(&self, wish: &Wish, window: u64, readings: &Readings) -> Question<'_> {
        Question {
            shape: self.shape.as_ref().ok(),
            weights: self.weights,
            load: Load {
                window,
                slots: wish.slots,
                cache: wish.cache,
                batch: None,
            },
            room: room(readings, self.held),
            overhead: self.overhead(wish, readings).or(self.learnt),
        }
    }

    /// The window of a slot in tokens and where it comes from.
    pub fn window(&self, wish: &Wish, readings: &Readings) -> (u64, WindowFrom) {
        if let Some(asked) = wish.window {
            return (self.capped(asked), WindowFrom::Asked);
        }
        if let Some(window) = self.own.as_ref().and_then(|loaded| loaded.window) {
            return (window.0, WindowFrom::Loaded);
        }
        if let Some(own) = self.num_ctx {
            return (self.capped(own), WindowFrom::Modelfile);
        }
        let (usual, from) = usual(readings);
        (self.capped(usual), from)
    }

    /// Ollama 0.33 gives no more than the model was trained for.
    fn capped(&self, window: u64) -> u64 {
        let trained = self.shape.as_ref().ok().and_then(|it| it.trained_window);
        window.min(trained.unwrap_or(u64::MAX))
    }

    /// What computing needs in bytes, if the model is loaded: its size less its weights and its
    /// cache. The slots are taken as asked for, because the server does not tell them. `None` also
    /// where the server reports what cannot be, such as more than its cards have.
    pub fn overhead(&self, wish: &Wish, readings: &Readings) -> Option<u64> {
        let own = self.own.as_ref()?;
        let load = Load {
            slots: wish.slots,
            cache: wish.cache,
            ..Load::of(own.window?.0)
        };
        let on_cards = own.size_vram.unwrap_or_default();
        if total(readings).is_some_and(|total| on_cards > total) {
            return None;
        }
        measured_overhead(self.shape.as_ref().ok()?, self.weights?, own.size?, &load)
    }

    fn unknown(&self, readings: &Readings, question: &Question<'_>) -> Vec<String> {
        let shape = self.shape.as_ref().err().map(ShapeError::to_string);
        let weights = self.weights.is_none();
        let weights = weights.then(|| "the server does not say how large the model is".to_owned());
        let room = question.room.is_none().then(|| {
            let absent = readings.absent.clone();
            absent.unwrap_or_else(|| "no card says how much memory it has".to_owned())
        });
        shape.into_iter().chain(weights).chain(room).collect()
    }
}

impl Outlook {
    /// Whether it does not fit even if computing needed nothing and no memory had to stay free.
    /// An estimate that is a little short says only that it may not fit, which stops nobody.
    pub fn surely_spills(&self) -> bool {
        let Plan {
            needs,
            room,
            verdict,
            ..
        } = &self.plan;
        let known = needs.weights.zip(needs.cache);
        let least = known.map(|(weights, cache)| weights.saturating_add(cache));
        let too_much = least
            .zip(*room)
            .is_some_and(|(least, room)| least > room.all_cards);
        too_much && matches!(verdict, Verdict::Spills { .. })
    }
}

/// Memory that a model may take: what is free, and what loaded models hold (`held` bytes of cards
/// in all), because Ollama lets them go for another one.
pub fn room(readings: &Readings, held: u64) -> Option<Room> {
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
        let own = match card.runner_memory().filter(|_| any_runner) {
            Some(models) => models,
            // Where nobody tells who holds how much, the fullest card holds the models.
            None if Some(memory.used) == most => held,
            None => 0,
        };
        // A server may report more than the card has.
        Some(memory.free.saturating_add(own.min(memory.used)))
    }))
}

fn total(readings: &Readings) -> Option<u64> {
    let memory = readings.cards.iter().filter_map(|card| card.memory);
    memory
        .map(|memory| memory.total)
        .reduce(u64::saturating_add)
}

/// Ollama 0.33's window where nobody asks for one, by the memory of all cards. The server's
/// `OLLAMA_CONTEXT_LENGTH` would go before it, but cannot be asked.
fn usual(readings: &Readings) -> (u64, WindowFrom) {
    const GIB: u64 = 1 << 30;
    const LEAST: u64 = 4_096;
    match total(readings) {
        None => (LEAST, WindowFrom::Assumed),
        Some(total) if total >= 47 * GIB => (262_144, WindowFrom::CardMemory),
        Some(total) if total >= 23 * GIB => (32_768, WindowFrom::CardMemory),
        Some(_) => (LEAST, WindowFrom::CardMemory),
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
