//! A model and a card for the tests of what depends on both.

use serde_json::{Map, Value};

use super::{CacheType, Wish};
use crate::model::{Card, CardMemory, Readings};

/// A gibibyte.
pub(crate) const GIB: u64 = 1 << 30;

/// `model_info` of a Llama 3.1 8B: 128 KiB a token.
pub(crate) fn llama() -> Map<String, Value> {
    let text = include_str!("../../tests/data/models/llama3.1-8b.json");
    serde_json::from_str(text).unwrap()
}

/// A card of 16 GiB of which so much is free.
pub(crate) fn card(free: u64) -> Card {
    let total = 16 * GIB;
    Card {
        name: "RTX".into(),
        memory: Some(CardMemory {
            total,
            used: total - free,
            free,
        }),
        ..Card::default()
    }
}

/// Readings of these cards.
pub(crate) fn with(cards: Vec<Card>) -> Readings {
    Readings {
        cards,
        ..Readings::default()
    }
}

/// So many slots of so large a window.
pub(crate) fn wish(window: u64, slots: u32) -> Wish {
    Wish {
        window: Some(window),
        slots,
        cache: CacheType::F16,
    }
}
