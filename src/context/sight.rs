//! What the guard sees of a card.

use crate::model::{Card, CardState, Readings};

/// A figure and the card that has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Worst<T> {
    pub(super) value: T,
    pub(super) card: String,
}

/// What one sample says about the limits; `None` where it says nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Sight {
    /// The fullest memory, in per cent.
    pub(super) memory: Option<Worst<f64>>,
    /// The hottest chip in °C.
    pub(super) celsius: Option<Worst<i32>>,
    /// The most power in watts.
    pub(super) watts: Option<Worst<f64>>,
    /// Whether there is any card.
    pub(super) any_card: bool,
    /// A card that is lost, and why.
    pub(super) lost: Option<Worst<String>>,
    /// Whether another program uses a card heavily.
    pub(super) neighbour: Neighbour,
}

/// Whether another program uses a card heavily.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) enum Neighbour {
    /// No card lists its processes.
    #[default]
    Unknown,
    /// None does.
    None,
    /// This one does.
    Heavy(Worst<String>),
}

impl Sight {
    pub(super) fn of(readings: &Readings) -> Self {
        let cards: Vec<&Card> = readings.working_cards().collect();
        let lost = cards.iter().find_map(|card| match &card.state {
            CardState::Lost { why } => Some(Worst {
                value: why.clone(),
                card: card.name.clone(),
            }),
            _ => None,
        });
        Self {
            memory: worst(&cards, |card| Some(card.memory?.filled_percent())),
            celsius: worst(&cards, |card| card.celsius),
            watts: worst(&cards, |card| card.watts),
            neighbour: neighbour(&cards),
            any_card: !cards.is_empty(),
            lost,
        }
    }
}

/// The largest share of a card's memory that models hold, in per cent. `None` where no card tells
/// who holds its memory.
pub(super) fn runners_percent(readings: &Readings) -> Option<f64> {
    held_percent(readings, |card, models| {
        Some(models as f64 / card.memory?.total.max(1) as f64 * 100.0)
    })
}

/// The largest share of a card's memory that is taken by others than models, in per cent. `None`
/// where no card tells who holds its memory.
pub(super) fn others_percent(readings: &Readings) -> Option<f64> {
    held_percent(readings, |card, models| {
        let memory = card.memory?;
        let taken = memory.total.saturating_sub(memory.free);
        Some(taken.saturating_sub(models) as f64 / memory.total.max(1) as f64 * 100.0)
    })
}

fn held_percent(readings: &Readings, percent: impl Fn(&Card, u64) -> Option<f64>) -> Option<f64> {
    let shares = readings.working_cards().filter_map(|card| {
        let models = card.runner_memory()?;
        percent(card, models)
    });
    shares.reduce(f64::max)
}

fn worst<T: PartialOrd>(cards: &[&Card], of: impl Fn(&Card) -> Option<T>) -> Option<Worst<T>> {
    let mut worst: Option<Worst<T>> = None;
    for card in cards {
        let Some(value) = of(card) else { continue };
        if worst.as_ref().is_none_or(|worst| value > worst.value) {
            worst = Some(Worst {
                value,
                card: card.name.clone(),
            });
        }
    }
    worst
}

/// Another program counts as heavy when it computes a quarter of the time; where the card does not
/// say, when it holds a tenth of the memory.
fn neighbour(cards: &[&Card]) -> Neighbour {
    const BUSY: u32 = 25;
    const SHARE: u64 = 10;
    let mut known = false;
    for card in cards {
        let Some(processes) = &card.processes else {
            continue;
        };
        known = true;
        let total = card.memory.map(|memory| memory.total);
        let heavy = processes.iter().find(|process| {
            let holds = process.memory.zip(total);
            let is_large = holds.is_some_and(|(held, total)| held >= total / SHARE);
            let is_heavy = process.busy_percent.map_or(is_large, |busy| busy >= BUSY);
            process.is_runner() == Some(false) && is_heavy
        });
        if let Some(process) = heavy {
            let name = process.name.clone().unwrap_or_default();
            return Neighbour::Heavy(Worst {
                value: format!("{name} ({})", process.pid),
                card: card.name.clone(),
            });
        }
    }
    if known {
        Neighbour::None
    } else {
        Neighbour::Unknown
    }
}
