//! Words to answer with, drawn from a seed.

use super::edition::mix;

/// Each is one token, with and without a space before it.
const WORDS: [&str; 64] = [
    "ability", "able", "about", "after", "answer", "appears", "balance", "because", "before",
    "brings", "builds", "careful", "clear", "code", "deep", "design", "details", "duty", "early",
    "enough", "expert", "finds", "first", "focus", "gives", "goals", "good", "habit", "handles",
    "help", "honest", "ideas", "impact", "keeps", "knows", "leads", "learns", "level", "likely",
    "long", "makes", "mature", "needs", "notes", "often", "open", "owns", "people", "plans",
    "quick", "reads", "result", "review", "role", "shows", "sound", "speaks", "steady", "strong",
    "team", "tests", "thinks", "work", "writes",
];

/// Draws numbers and words; the same seed draws the same.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    seed: u64,
    step: u64,
}

impl Dice {
    pub(super) const fn new(seed: u64) -> Self {
        Self { seed, step: 0 }
    }

    /// A number from `min` to `max`, both included.
    pub(super) const fn between(&mut self, min: u64, max: u64) -> u64 {
        self.step += 1;
        let span = max.saturating_sub(min).saturating_add(1);
        min + mix(self.seed, self.step) % span
    }

    pub(super) fn word(&mut self) -> &'static str {
        let at = self.between(0, WORDS.len() as u64 - 1);
        WORDS.get(at as usize).copied().unwrap_or("word")
    }

    /// Prose of exactly so many tokens: words, and a full stop after every dozen.
    pub(super) fn prose(&mut self, tokens: u64) -> String {
        let mut text = String::new();
        for at in 1..=tokens {
            let stop = at.is_multiple_of(12) || (at == tokens && at > 1);
            if stop {
                text.push('.');
                continue;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(self.word());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::tokens;

    #[test]
    fn every_word_is_one_token() {
        for word in WORDS {
            assert_eq!(tokens::encode(&format!(" {word}")).len(), 1, "{word}");
            assert_eq!(tokens::encode(word).len(), 1, "{word}");
        }
    }

    proptest::proptest! {
        #[test]
        fn prose_has_the_length_asked_for(tokens in 0u64..200, seed: u64) {
            let text = Dice::new(seed).prose(tokens);
            proptest::prop_assert_eq!(tokens::encode(&text).len() as u64, tokens);
        }

        #[test]
        fn dice_stay_within_their_bounds(min in 0u64..50, span in 0u64..50, seed: u64) {
            let drawn = Dice::new(seed).between(min, min + span);
            proptest::prop_assert!((min..=min + span).contains(&drawn));
        }
    }
}
