//! The cards of this machine, for commands that look once.

use super::context::Context;
use crate::base::bytes;
use crate::gpu::{Absent, Lazy, Places, Sampler, detect};
use crate::inference::{Ollama, Server};
use crate::model::{Card, CardState, Readings};

/// Looks once. Drivers block for some tenths of a second.
pub(super) fn look() -> Readings {
    detect(&Places::default()).sample()
}

/// The same on a thread of its own.
pub(super) async fn read() -> Readings {
    tokio::task::spawn_blocking(look)
        .await
        .unwrap_or_else(|_| Readings {
            absent: Some("the driver failed while its cards were read".to_owned()),
            ..Readings::default()
        })
}

/// The cards that this server runs on, to be asked again and again.
pub(super) fn of(server: &Ollama) -> Box<dyn Sampler> {
    let places = Places::default();
    if server.is_local() {
        return Box::new(Lazy::new(places));
    }
    Box::new(Absent {
        why: Readings::elsewhere(&server.address())
            .absent
            .unwrap_or_default(),
        proc: places.proc,
    })
}

/// What the cards of the server are called in profiles: those of this machine by what identifies
/// them, those of another by its address.
pub(super) async fn identity(context: &Context) -> String {
    match context.server() {
        Ok(server) if server.is_local() => name(&read().await),
        Ok(server) => format!("cards at {}", server.address()),
        Err(_) => String::new(),
    }
}

/// What identifies all cards that can hold a model together.
pub(super) fn name(readings: &Readings) -> String {
    let large = readings.cards.iter().filter(|card| card.is_large());
    let ids: Vec<&str> = large.map(|card| card.id.as_str()).collect();
    if ids.is_empty() {
        return "no card".to_owned();
    }
    ids.join(" + ")
}

/// A card in a line.
pub(super) fn line(card: &Card) -> String {
    let state = match &card.state {
        CardState::Awake => return format!("{}: {}", card.name, figures(card)),
        CardState::Asleep => "asleep".to_owned(),
        CardState::Lost { why } => format!("lost: {why}"),
    };
    format!("{}: {state}", card.name)
}

fn figures(card: &Card) -> String {
    let memory = card.memory.map_or_else(
        || "memory n/a".to_owned(),
        |memory| format!("{} free of {}", bytes(memory.free), bytes(memory.total)),
    );
    let celsius = card.celsius.map(|celsius| format!("{celsius} °C"));
    let watts = card.watts.map(|watts| format!("{watts:.0} W"));
    let busy = card.busy_percent.map(|busy| format!("{busy} % busy"));
    let throttled = card.throttled.iter().flatten();
    let throttled = throttled.map(|why| format!("slowed down by {}", why.words()));
    let known = [Some(memory), busy, celsius, watts].into_iter().flatten();
    known.chain(throttled).collect::<Vec<_>>().join(", ")
}

/// What could not be read of a card, if anything.
pub(super) fn missing(card: &Card) -> Option<String> {
    let missing: Vec<String> = card
        .missing
        .iter()
        .map(|missing| format!("{} ({})", missing.what, missing.why))
        .collect();
    (!missing.is_empty()).then(|| format!("n/a: {}", missing.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CardMemory, Missing, Throttle};

    #[test]
    fn a_card_is_shown_with_what_is_known_of_it() {
        let card = Card {
            name: "RTX".into(),
            memory: Some(CardMemory {
                total: 24_000_000_000,
                used: 4_000_000_000,
                free: 20_000_000_000,
            }),
            celsius: Some(61),
            throttled: Some(vec![Throttle::PowerLimit]),
            missing: vec![Missing {
                what: "power".into(),
                why: "the card does not support it".into(),
            }],
            ..Card::default()
        };
        assert_eq!(
            line(&card),
            "RTX: 20.0 GB free of 24.0 GB, 61 °C, slowed down by power limit"
        );
        assert_eq!(
            missing(&card).unwrap(),
            "n/a: power (the card does not support it)"
        );
    }

    #[test]
    fn a_lost_card_says_so() {
        let card = Card {
            name: "RTX".into(),
            state: CardState::Lost {
                why: "fell off the bus".into(),
            },
            ..Card::default()
        };
        assert_eq!(line(&card), "RTX: lost: fell off the bus");
        assert_eq!(missing(&card), None);
    }
}
