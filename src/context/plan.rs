//! Whether a model fits the card, said before the hours are spent.
//!
//! Weights + keys and values + what computing needs, against the memory that is free. What
//! computing needs is an allowance until the server has loaded the model once and told its size.

use serde::Serialize;

use super::cache::Load;
use super::shape::ModelShape;

/// Buffers for computing and the driver's own share, as long as nothing was measured.
const ALLOWANCE: u64 = 768 << 20;
/// Bytes that llama-server leaves free on a card when Ollama 0.33 lets it choose how many layers go there
/// (`LLAMA_ARG_FIT_TARGET`).
pub const MARGIN: u64 = 1 << 30;
/// Windows and slots beyond these are not looked for.
const WIDEST: u64 = 1 << 24;
const MOST_SLOTS: u32 = 256;

/// What is to be planned.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The shape of the model; `None` where it is not known.
    pub shape: Option<&'a ModelShape>,
    /// Bytes of its weights: the size of its files.
    pub weights: Option<u64>,
    /// How it is to be loaded.
    pub load: Load,
    /// Memory that it may take; `None` where no card could be read.
    pub room: Option<Room>,
    /// What computing needs, as measured at an earlier load.
    pub overhead: Option<u64>,
}

/// Memory of cards that a model may take, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Room {
    /// On the card with the most.
    pub largest_card: u64,
    /// On all cards together.
    pub all_cards: u64,
    /// How many cards.
    pub cards: u32,
}

/// What a model takes, in bytes; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// Its weights.
    pub weights: Option<u64>,
    /// Keys and values of all slots.
    pub cache: Option<u64>,
    /// What computing needs.
    pub overhead: u64,
    /// Whether that was measured; else it is an allowance.
    pub overhead_measured: bool,
}

impl Needs {
    /// All of it, where all is known.
    pub fn total(&self) -> Option<u64> {
        let known = self.weights?.saturating_add(self.cache?);
        Some(known.saturating_add(self.overhead))
    }
}

/// Whether it fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// On one card.
    Fits {
        /// Bytes left there.
        left: u64,
    },
    /// On several cards together, which is slower than one.
    FitsSpread {
        /// Bytes left on all of them.
        left: u64,
    },
    /// Part of it would run on the processor, which is far slower.
    Spills {
        /// Bytes that find no place.
        over: u64,
        /// The largest window that would fit with as many slots.
        window: Option<u64>,
        /// The most slots that would fit with such a window.
        slots: Option<u32>,
    },
    /// It cannot be said.
    Unknown,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// How it would be loaded.
    pub load: Load,
    /// What it would take.
    pub needs: Needs,
    /// What there is.
    pub room: Option<Room>,
    /// Whether it fits.
    pub verdict: Verdict,
}

impl Plan {
    /// Works it out.
    pub fn of(question: &Question<'_>) -> Self {
        let needs = question.needs(&question.load);
        Self {
            load: question.load,
            needs,
            room: question.room,
            verdict: question.verdict(&needs),
        }
    }
}

impl Room {
    /// Room on cards of which so much is free. What drivers keep for themselves must be off
    /// already.
    pub fn of(free: impl IntoIterator<Item = u64>) -> Option<Self> {
        let mut room = Self {
            largest_card: 0,
            all_cards: 0,
            cards: 0,
        };
        for free in free {
            room.largest_card = room.largest_card.max(free);
            room.all_cards = room.all_cards.saturating_add(free);
            room.cards += 1;
        }
        (room.cards > 0).then_some(room)
    }

    /// Bytes left after `needed`, on one card or else on all; an error is what is over.
    fn left(&self, needed: u64) -> Result<Verdict, u64> {
        let with_margin = needed.saturating_add(MARGIN);
        if with_margin <= self.largest_card {
            let left = self.largest_card - needed;
            return Ok(Verdict::Fits { left });
        }
        // Every card computes and so keeps a margin of its own.
        let margins = MARGIN.saturating_mul(self.cards.into());
        let spread = needed.saturating_add(margins);
        if self.cards > 1 && spread <= self.all_cards {
            let left = self.all_cards - needed;
            return Ok(Verdict::FitsSpread { left });
        }
        let all = self.all_cards;
        Err(spread.saturating_sub(all))
    }
}

impl Question<'_> {
    fn needs(&self, load: &Load) -> Needs {
        Needs {
            weights: self.weights,
            cache: self.shape.map(|shape| shape.cache_bytes(load)),
            overhead: self.overhead.unwrap_or(ALLOWANCE),
            overhead_measured: self.overhead.is_some(),
        }
    }

    fn verdict(&self, needs: &Needs) -> Verdict {
        let (Some(total), Some(room)) = (needs.total(), self.room) else {
            return Verdict::Unknown;
        };
        match room.left(total) {
            Ok(fits) => fits,
            Err(over) => Verdict::Spills {
                over,
                window: largest_window(self),
                slots: largest_slots(self),
            },
        }
    }

    fn fits(&self, load: &Load) -> bool {
        let total = self.needs(load).total();
        let room = self.room.zip(total);
        room.is_some_and(|(room, total)| room.left(total).is_ok())
    }
}

/// What computing needs, as a load showed it: the size of the loaded model less its weights and its
/// keys and values. `None` where the rest is no overhead: less than nothing, or so much that
/// something else is in the figure.
pub fn measured_overhead(shape: &ModelShape, weights: u64, size: u64, load: &Load) -> Option<u64> {
    const MOST: u64 = 8 << 30;
    let known = weights.checked_add(shape.cache_bytes(load))?;
    size.checked_sub(known).filter(|rest| *rest <= MOST)
}

/// The largest window that fits with as many slots, in steps of 256 tokens. `None` where none
/// does or nothing is known.
pub fn largest_window(question: &Question<'_>) -> Option<u64> {
    const STEP: u64 = 256;
    let trained = question.shape?.trained_window.unwrap_or(WIDEST);
    let fits = |steps: u64| {
        question.fits(&Load {
            window: steps * STEP,
            ..question.load
        })
    };
    let steps = last_that(trained.min(WIDEST) / STEP, fits)?;
    Some(steps * STEP)
}

/// The most slots that fit with such a window. `None` where not even one does.
pub fn largest_slots(question: &Question<'_>) -> Option<u32> {
    let fits = |slots: u64| {
        question.fits(&Load {
            slots: slots as u32,
            ..question.load
        })
    };
    last_that(MOST_SLOTS.into(), fits).map(|slots| slots as u32)
}

/// The last number from 1 to `most` that fits, where everything below one that fits does, too.
fn last_that(most: u64, fits: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut good, mut bad) = (0, most + 1);
    while bad - good > 1 {
        let middle = good + (bad - good) / 2;
        if fits(middle) {
            good = middle;
        } else {
            bad = middle;
        }
    }
    (good > 0).then_some(good)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::testing::{self, GIB};
    use proptest::prelude::*;

    /// Llama 3.1 8B: 128 KiB a token.
    fn llama() -> ModelShape {
        ModelShape::of(&testing::llama()).unwrap()
    }

    fn question(shape: &ModelShape, window: u64, room: Option<Room>) -> Question<'_> {
        Question {
            shape: Some(shape),
            weights: Some(5 * GIB),
            load: Load::of(window),
            room,
            overhead: None,
        }
    }

    #[test]
    fn a_model_with_room_to_spare_fits() {
        let shape = llama();
        let plan = Plan::of(&question(&shape, 8_192, Room::of([16 * GIB])));
        assert_eq!(plan.needs.total(), Some(6 * GIB + ALLOWANCE));
        assert_eq!(
            plan.verdict,
            Verdict::Fits {
                left: 10 * GIB - ALLOWANCE
            }
        );
        assert!(!plan.needs.overhead_measured);
    }

    #[test]
    fn what_does_not_fit_names_the_window_and_slots_that_would() {
        let shape = llama();
        let question = Question {
            load: Load {
                slots: 4,
                ..Load::of(32_768)
            },
            ..question(&shape, 0, Room::of([16 * GIB]))
        };
        let Verdict::Spills {
            over,
            window,
            slots,
        } = Plan::of(&question).verdict
        else {
            panic!("it fits");
        };
        assert_eq!(over, 5 * GIB + 16 * GIB + ALLOWANCE + GIB - 16 * GIB);
        assert_eq!(window, Some(18_944));
        assert_eq!(slots, Some(2));
    }

    #[test]
    fn several_cards_together_hold_more_and_keep_a_margin_each() {
        let shape = llama();
        let two = Room::of([8 * GIB, 8 * GIB]);
        let plan = Plan::of(&question(&shape, 32_768, two));
        assert_eq!(
            plan.verdict,
            Verdict::FitsSpread {
                left: 7 * GIB - ALLOWANCE
            }
        );
    }

    #[test]
    fn a_model_whose_weights_alone_are_too_large_has_no_cure() {
        let shape = llama();
        let plan = Plan::of(&question(&shape, 4_096, Room::of([4 * GIB])));
        assert!(matches!(
            plan.verdict,
            Verdict::Spills {
                window: None,
                slots: None,
                ..
            }
        ));
    }

    #[test]
    fn what_is_not_known_is_not_guessed() {
        let shape = llama();
        let known = question(&shape, 4_096, Room::of([16 * GIB]));
        for unknown in [
            Question {
                shape: None,
                ..known
            },
            Question {
                weights: None,
                ..known
            },
            Question {
                room: Room::of([]),
                ..known
            },
        ] {
            assert_eq!(Plan::of(&unknown).verdict, Verdict::Unknown);
        }
    }

    #[test]
    fn a_measured_overhead_replaces_the_allowance() {
        let shape = llama();
        let measured = Question {
            overhead: Some(2 * GIB),
            ..question(&shape, 8_192, Room::of([16 * GIB]))
        };
        let plan = Plan::of(&measured);
        assert!(plan.needs.overhead_measured);
        assert_eq!(plan.verdict, Verdict::Fits { left: 8 * GIB });
    }

    proptest! {
        #[test]
        fn what_is_named_as_fitting_fits_and_one_more_does_not(
            window in 1u64..1 << 20, slots in 1u32..64, room in 0u64..64 * GIB,
        ) {
            let shape = llama();
            let asked = Question {
                load: Load { slots, ..Load::of(window) },
                ..question(&shape, 0, Room::of([room]))
            };
            if let Some(window) = largest_window(&asked) {
                let same = Load { window, ..asked.load };
                prop_assert!(asked.fits(&same));
                let more = Load { window: window + 256, ..asked.load };
                prop_assert!(window == 131_072 || !asked.fits(&more));
            }
            if let Some(slots) = largest_slots(&asked) {
                let same = Load { slots, ..asked.load };
                prop_assert!(asked.fits(&same));
                let more = Load { slots: slots + 1, ..asked.load };
                prop_assert!(slots == MOST_SLOTS || !asked.fits(&more));
            }
        }
    }
}
