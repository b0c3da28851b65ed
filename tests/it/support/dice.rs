//! How often and when.

use std::ffi::OsString;

/// `long` where the long form of the tests is wanted, see `docs/TESTING.md`.
pub(crate) fn times(short: usize, long: usize) -> usize {
    match std::env::var_os("BATCHTOP_LONG") {
        Some(_) => long,
        None => short,
    }
}

/// The number that `BATCHTOP_SEED` holds instead of the usual one, to draw other dice.
pub(crate) fn seed(usual: u64) -> u64 {
    let number = |given: OsString| given.to_str()?.parse().ok();
    match std::env::var_os("BATCHTOP_SEED") {
        Some(given) => number(given).expect("BATCHTOP_SEED is a number"),
        None => usual,
    }
}

/// Draws numbers, the same ones for the same seed (Knuth's MMIX generator).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % end as u64) as usize
    }
}
