//! How many tokens a text has, learnt from the counts that the server gives back. There is no
//! tokenizer to ask (Ollama issue 3582).

use serde::{Deserialize, Serialize};

use crate::model::Tokens;

/// Bytes a token before anything is known: as in [`Tokens::estimated`].
const FIRST: f64 = 4.0;
/// Bytes a token, whatever the counts say: beyond these the counts are garbage.
const FEWEST: f64 = 0.25;
const MOST: f64 = 64.0;
/// What an older prompt counts against the next one: about the last fifty matter.
const FADING: f64 = 0.98;
/// What the error of one estimate moves the shown error.
const NEW_ERROR: f64 = 0.1;

/// What was learnt about the tokens of one model's prompts.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Calibration {
    bytes: f64,
    tokens: f64,
    prompts: u64,
    error: Option<f64>,
}

impl Calibration {
    /// Tokens of so many bytes of text, rounded up.
    pub fn estimate(&self, bytes: u64) -> Tokens {
        Tokens((bytes as f64 / self.bytes_per_token()).ceil() as u64)
    }

    /// The same with the usual error on top: what decides whether a prompt fits.
    pub fn careful(&self, bytes: u64) -> Tokens {
        let error = self.error.unwrap_or(0.0).min(1.0);
        Tokens((bytes as f64 / self.bytes_per_token() * (1.0 + error)).ceil() as u64)
    }

    /// Takes the real count of a prompt of so many bytes: `prompt_eval_count`, or what a refusal
    /// says was needed. Counts of nothing are left alone.
    pub fn learn(&mut self, bytes: u64, counted: Tokens) {
        if bytes == 0 || counted.0 == 0 {
            return;
        }
        let real = counted.0 as f64;
        let error = (self.estimate(bytes).0 as f64 - real).abs() / real;
        self.error = Some(match self.error {
            Some(usual) if self.prompts > 1 => usual + (error - usual) * NEW_ERROR,
            // The first estimate was no model's own: its error says nothing about later ones.
            _ => error,
        });
        self.bytes = self.bytes * FADING + bytes as f64;
        self.tokens = self.tokens * FADING + real;
        self.prompts += 1;
    }

    /// Bytes a token in this model's prompts.
    pub fn bytes_per_token(&self) -> f64 {
        if self.tokens > 0.0 {
            (self.bytes / self.tokens).clamp(FEWEST, MOST)
        } else {
            FIRST
        }
    }

    /// How far estimates were off, as a share of the real count; `None` before the first count.
    pub const fn error(&self) -> Option<f64> {
        self.error
    }

    /// Prompts learnt from.
    pub const fn prompts(&self) -> u64 {
        self.prompts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn it_starts_at_a_quarter() {
        let fresh = Calibration::default();
        assert_eq!(fresh.estimate(4_001), Tokens::estimated(4_001));
        assert_eq!(fresh.careful(4_000), Tokens(1_000));
        assert_eq!(fresh.error(), None);
    }

    #[test]
    fn it_learns_the_model_and_its_error_falls() {
        let mut calibration = Calibration::default();
        for bytes in (1_000..5_000).step_by(100) {
            calibration.learn(bytes, Tokens(bytes / 3));
        }
        assert_eq!(calibration.prompts(), 40);
        assert!((calibration.bytes_per_token() - 3.0).abs() < 0.01);
        assert!(calibration.error().unwrap() < 0.01);
        assert!((999..=1_002).contains(&calibration.estimate(3_000).0));
    }

    #[test]
    fn a_refused_prompt_raises_the_next_estimate() {
        let mut calibration = Calibration::default();
        calibration.learn(4_000, Tokens(1_000));
        let before = calibration.estimate(4_000);
        calibration.learn(4_000, Tokens(1_900));
        assert!(calibration.estimate(4_000) > before);
        assert!(calibration.careful(4_000) > calibration.estimate(4_000));
    }

    #[test]
    fn the_newest_prompts_matter_most() {
        let mut calibration = Calibration::default();
        for _ in 0..500 {
            calibration.learn(4_000, Tokens(1_000));
        }
        for _ in 0..200 {
            calibration.learn(4_000, Tokens(2_000));
        }
        assert!(calibration.bytes_per_token() < 2.1);
    }

    proptest! {
        #[test]
        fn whatever_the_counts_are_estimates_stay_sane(
            counts in proptest::collection::vec((any::<u64>(), any::<u64>()), 0..40),
            bytes in 1u64..1 << 40,
        ) {
            let mut calibration = Calibration::default();
            for (bytes, tokens) in counts {
                calibration.learn(bytes, Tokens(tokens));
            }
            let estimate = calibration.estimate(bytes).0;
            prop_assert!(estimate >= bytes / 64 && estimate <= bytes * 4);
            prop_assert!(calibration.careful(bytes).0 >= estimate);
            prop_assert!(calibration.estimate(bytes + 1).0 >= estimate);
        }
    }
}
