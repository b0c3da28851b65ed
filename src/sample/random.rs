//! Numbers that look random and are the same on every machine, for ever.

/// `splitmix64` by Sebastiano Vigna (public domain): one addition and three mixing steps a
/// number. Not for secrets.
pub(super) struct Random(u64);

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    /// The numbers that belong to one candidate of a seed.
    pub(super) fn new(seed: u64, index: u64) -> Self {
        let start = Self(seed).number() ^ index.wrapping_mul(STEP);
        // Mixed once more: neighbours would otherwise give the same numbers shifted by one.
        Self(Self(start).number())
    }

    fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from `least` to `most`, both included. Slightly uneven, which does not matter here.
    pub(super) fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.number() % (most.saturating_sub(least).saturating_add(1)).max(1)
    }

    /// True in so many of a hundred cases.
    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.between(0, 99) < percent
    }

    /// One of a few words; nothing of none.
    pub(super) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        let index = self.between(0, (words.len() as u64).saturating_sub(1));
        words.get(index as usize).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        // The first three numbers of seed 1234567 in the reference implementation.
        let mut random = Random(1_234_567);
        let numbers = [random.number(), random.number(), random.number()];
        assert_eq!(
            numbers,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn a_range_holds_both_ends() {
        let mut random = Random::new(1, 1);
        let mut seen: Vec<_> = (0..200).map(|_| random.between(3, 5)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen, [3, 4, 5]);
    }
}
