//! The limit that a card really has, learnt from what went well and what failed.

use serde::{Deserialize, Serialize};

use crate::model::Tokens;

/// The share of the largest safe context that is used once something failed, in per cent.
const USED_PERCENT: u64 = 90;

/// On what ground a limit was learnt: on another it says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Ground {
    /// Hash of the model's manifest.
    pub digest: String,
    /// The card, as [`Card::id`](crate::model::Card) names it.
    pub card: String,
    /// Window of one slot, where it was set.
    pub num_ctx: Option<u32>,
    /// Requests at a time; 0 where that is left to be found.
    pub slots: u32,
}

/// What was learnt on one ground. A context is the tokens of a prompt and its answer together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LearnedLimit {
    /// The largest context that went well.
    pub largest_safe: Option<Tokens>,
    /// The smallest that failed: out of memory, or refused.
    pub smallest_failed: Option<Tokens>,
}

impl LearnedLimit {
    /// A context of so many tokens went well. It speaks against an earlier failure of a smaller
    /// one, which then had another cause.
    pub fn went_well(&mut self, context: Tokens) {
        self.largest_safe = self.largest_safe.max(Some(context));
        self.smallest_failed = self.smallest_failed.filter(|failed| *failed > context);
    }

    /// A context of so many tokens failed. What was safe at that size is safe no longer.
    pub fn failed(&mut self, context: Tokens) {
        let smallest = self.smallest_failed.map_or(context, |it| it.min(context));
        self.smallest_failed = Some(smallest);
        self.largest_safe = self.largest_safe.filter(|safe| *safe < smallest);
    }

    /// The largest context to use: 90 % of the largest safe one, or of half the smallest failed one
    /// while nothing below it was seen to go well. `None` while nothing failed: then only the
    /// window limits.
    pub fn usable(&self) -> Option<Tokens> {
        let failed = self.smallest_failed?;
        let safe = self.largest_safe.unwrap_or(Tokens(failed.0 / 2));
        Some(Tokens(
            (u128::from(safe.0) * u128::from(USED_PERCENT) / 100) as u64,
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn learnt(seen: &[(u64, bool)]) -> LearnedLimit {
        let mut limit = LearnedLimit::default();
        for &(context, well) in seen {
            if well {
                limit.went_well(Tokens(context));
            } else {
                limit.failed(Tokens(context));
            }
        }
        limit
    }

    #[test]
    fn nothing_is_held_back_before_something_failed() {
        assert_eq!(learnt(&[]).usable(), None);
        assert_eq!(learnt(&[(3_000, true)]).usable(), None);
    }

    #[test]
    fn after_a_failure_nine_tenths_of_the_safe_context_are_used() {
        let limit = learnt(&[(3_000, true), (6_000, true), (8_000, false)]);
        assert_eq!(limit.usable(), Some(Tokens(5_400)));
        assert_eq!(learnt(&[(8_000, false)]).usable(), Some(Tokens(3_600)));
    }

    #[test]
    fn the_newest_evidence_wins() {
        let worse = learnt(&[(6_000, true), (5_000, false)]);
        assert_eq!(worse.largest_safe, None);
        assert_eq!(worse.usable(), Some(Tokens(2_250)));
        let better = learnt(&[(5_000, false), (6_000, true)]);
        assert_eq!(better.usable(), None);
    }

    proptest! {
        #[test]
        fn the_safe_stays_below_the_failed_and_the_used_below_both(
            seen in proptest::collection::vec((any::<u64>(), any::<bool>()), 0..50),
        ) {
            let limit = learnt(&seen);
            if let (Some(safe), Some(failed)) = (limit.largest_safe, limit.smallest_failed) {
                prop_assert!(safe < failed);
            }
            if let (Some(used), Some(failed)) = (limit.usable(), limit.smallest_failed) {
                prop_assert!(used < failed || failed.0 == 0);
            }
        }
    }
}
