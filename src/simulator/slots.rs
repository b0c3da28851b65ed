//! The slots of a runner and what each has in its prefix cache (llama.cpp b10488).

use super::tokens::Token;

/// Share of a prompt that a slot must have cached to be preferred over the slot unused longest
/// (`--slot-prompt-similarity 0.1`).
const SIMILAR: f64 = 0.1;

/// The slots of one runner.
#[derive(Debug)]
pub(super) struct Slots {
    slots: Vec<Slot>,
    uses: u64,
}

#[derive(Debug, Default)]
struct Slot {
    cached: Vec<Token>,
    last_use: u64,
    busy: bool,
}

/// Where a prompt was put, and how much of it was there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Seating {
    /// Index of the slot.
    pub slot: usize,
    /// Tokens of the prompt that need no evaluation.
    pub reused: usize,
}

impl Slots {
    /// So many empty slots.
    pub(super) fn new(count: usize) -> Self {
        let slots = std::iter::repeat_with(Slot::default).take(count).collect();
        Self { slots, uses: 0 }
    }

    /// Takes the idle slot with the longest common prefix, or the one unused longest where no
    /// prefix is longer than a tenth of the prompt. `None` when every slot is busy.
    pub(super) fn take(&mut self, prompt: &[Token], window: Option<usize>) -> Option<Seating> {
        let (slot, common) = self.most_similar(prompt).or_else(|| self.oldest(prompt))?;
        let taken = self.slots.get_mut(slot)?;
        self.uses += 1;
        taken.last_use = self.uses;
        taken.busy = true;
        let reused = reusable(common, prompt.len(), window);
        taken.cached.truncate(reused);
        Some(Seating { slot, reused })
    }

    /// Gives a slot back. `cached` is what it holds now; `None` where the prompt was not
    /// evaluated to its end, so that only the reused part is left.
    pub(super) fn give_back(&mut self, slot: usize, cached: Option<Vec<Token>>) {
        if let Some(slot) = self.slots.get_mut(slot) {
            slot.busy = false;
            if let Some(cached) = cached {
                slot.cached = cached;
            }
        }
    }

    fn most_similar(&self, prompt: &[Token]) -> Option<(usize, usize)> {
        self.idle()
            .map(|(at, slot)| (at, common_prefix(&slot.cached, prompt)))
            .filter(|&(_, common)| common as f64 > prompt.len() as f64 * SIMILAR)
            // The first of equals, as llama.cpp's loop finds it.
            .rev()
            .max_by_key(|&(_, common)| common)
    }

    fn oldest(&self, prompt: &[Token]) -> Option<(usize, usize)> {
        self.idle()
            .min_by_key(|(_, slot)| slot.last_use)
            .map(|(at, slot)| (at, common_prefix(&slot.cached, prompt)))
    }

    fn idle(&self) -> impl DoubleEndedIterator<Item = (usize, &Slot)> {
        self.slots.iter().enumerate().filter(|(_, slot)| !slot.busy)
    }
}

/// Tokens that need no evaluation: one always does, and a sliding-window model reuses only a
/// prefix longer than its window (Gemma 3: `forcing full prompt re-processing`).
fn reusable(common: usize, prompt: usize, window: Option<usize>) -> usize {
    let reusable = common.min(prompt.saturating_sub(1));
    match window {
        Some(window) if reusable <= window => 0,
        _ => reusable,
    }
}

/// Compares in strides first, which the machine does many tokens at a time.
fn common_prefix(a: &[Token], b: &[Token]) -> usize {
    const STRIDE: usize = 64;
    let strides = a.chunks_exact(STRIDE).zip(b.chunks_exact(STRIDE));
    let equal = strides.take_while(|(a, b)| a == b).count() * STRIDE;
    let rest = a.iter().zip(b).skip(equal);
    equal + rest.take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn prompt(shared: u32, own: u32) -> Vec<Token> {
        (0..shared).chain(own * 1000..own * 1000 + 10).collect()
    }

    #[test]
    fn each_slot_evaluates_a_shared_prefix_once() {
        let mut slots = Slots::new(2);
        let first = slots.take(&prompt(100, 1), None).unwrap();
        let second = slots.take(&prompt(100, 2), None).unwrap();
        assert_eq!((first.reused, second.reused), (0, 0));
        assert_ne!(first.slot, second.slot);
        slots.give_back(first.slot, Some(prompt(100, 1)));
        slots.give_back(second.slot, Some(prompt(100, 2)));
        let third = slots.take(&prompt(100, 3), None).unwrap();
        assert_eq!(third.reused, 100);
    }

    #[test]
    fn a_strange_prompt_goes_to_the_slot_unused_longest() {
        let mut slots = Slots::new(2);
        let old = slots.take(&prompt(0, 1), None).unwrap();
        let young = slots.take(&prompt(0, 2), None).unwrap();
        slots.give_back(young.slot, Some(prompt(0, 2)));
        slots.give_back(old.slot, Some(prompt(0, 1)));
        assert_eq!(slots.take(&prompt(0, 3), None).unwrap().slot, old.slot);
    }

    #[test]
    fn the_same_prompt_still_evaluates_one_token() {
        let mut slots = Slots::new(1);
        let seating = slots.take(&prompt(20, 1), None).unwrap();
        slots.give_back(seating.slot, Some(prompt(20, 1)));
        assert_eq!(slots.take(&prompt(20, 1), None).unwrap().reused, 29);
    }

    #[rstest]
    #[case(512, 0)]
    #[case(513, 513)]
    fn a_sliding_window_reuses_only_longer_prefixes(#[case] shared: u32, #[case] reused: usize) {
        let mut slots = Slots::new(1);
        let seating = slots.take(&prompt(shared, 1), Some(512)).unwrap();
        slots.give_back(seating.slot, Some(prompt(shared, 1)));
        let again = slots.take(&prompt(shared, 2), Some(512)).unwrap();
        assert_eq!(again.reused, reused);
    }

    #[test]
    fn a_prompt_given_up_half_way_is_not_cached() {
        let mut slots = Slots::new(1);
        let seating = slots.take(&prompt(50, 1), None).unwrap();
        slots.give_back(seating.slot, None);
        assert_eq!(slots.take(&prompt(50, 1), None).unwrap().reused, 0);
    }

    #[rstest]
    #[case(0)]
    #[case(63)]
    #[case(64)]
    #[case(65)]
    #[case(1_000)]
    fn a_prefix_is_common_to_its_last_token(#[case] shared: u32) {
        let (one, other) = (prompt(shared, 2), prompt(shared, 3));
        assert_eq!(common_prefix(&one, &other), shared as usize);
        assert_eq!(
            common_prefix(&one, &one[..shared as usize]),
            shared as usize
        );
    }

    #[test]
    fn no_slot_is_given_twice() {
        let mut slots = Slots::new(1);
        slots.take(&prompt(1, 1), None).unwrap();
        assert_eq!(slots.take(&prompt(1, 1), None), None);
    }
}
