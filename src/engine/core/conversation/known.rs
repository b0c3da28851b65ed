//! What is known of models and their windows: learnt from every answer and every refusal.

use std::collections::HashMap;

use crate::context::{Calibration, LearnedLimit};
use crate::model::{Answer, Failure, FailureClass, Finish, LoadOptions, Tokens};

/// The window that Ollama 0.33 takes where nobody names one and the cards are small: what is
/// assumed until the server has told.
const ASSUMED: Tokens = Tokens(4_096);

/// What is known.
#[derive(Debug, Default)]
pub(in crate::engine::core) struct Known {
    /// By the name of the model.
    calibrations: HashMap<String, Calibration>,
    loads: HashMap<LoadOptions, Loaded>,
}

#[derive(Debug, Default)]
struct Loaded {
    window: Option<Tokens>,
    limit: LearnedLimit,
    peak: Option<Tokens>,
}

/// What was learnt of one model loaded with certain options.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Learned {
    /// How many tokens its texts have.
    pub calibration: Calibration,
    /// The contexts that went well and those that failed.
    pub limit: LearnedLimit,
    /// How many requests at a time were found to be best.
    pub lanes: Option<u32>,
}

impl Known {
    /// What is known of a model and its load options.
    pub(super) fn learned(&self, load: &LoadOptions) -> Learned {
        Learned {
            calibration: self.calibration(load),
            limit: self.loads.get(load).map(|it| it.limit).unwrap_or_default(),
            lanes: None,
        }
    }

    /// Takes over what was learnt in an earlier run.
    pub(super) fn recall(&mut self, load: &LoadOptions, learned: Learned) {
        let Learned {
            calibration, limit, ..
        } = learned;
        self.calibrations.insert(load.model.clone(), calibration);
        self.loads.entry(load.clone()).or_default().limit = limit;
    }

    pub(super) fn calibration(&self, load: &LoadOptions) -> Calibration {
        self.calibrations
            .get(&load.model)
            .copied()
            .unwrap_or_default()
    }

    /// The window of a slot, as the server told it or as it was asked for.
    pub(super) fn told_window(&self, load: &LoadOptions) -> Option<Tokens> {
        let told = self.loads.get(load).and_then(|it| it.window);
        told.or(load.num_ctx.map(|window| Tokens(window.into())))
    }

    /// The same, or what is assumed while nobody has told.
    pub(super) fn window(&self, load: &LoadOptions) -> Tokens {
        self.told_window(load).unwrap_or(ASSUMED)
    }

    pub(super) fn usable(&self, load: &LoadOptions) -> Option<Tokens> {
        self.loads.get(load)?.limit.usable()
    }

    pub(super) fn peak(&self, load: &LoadOptions) -> Option<Tokens> {
        self.loads.get(load)?.peak
    }

    /// The server has told its window.
    pub(in crate::engine::core) fn tell_window(&mut self, load: &LoadOptions, window: Tokens) {
        if window.0 > 0 {
            self.loads.entry(load.clone()).or_default().window = Some(window);
        }
    }

    /// Learns from an answer to a prompt of so many bytes.
    pub(super) fn answered(&mut self, load: &LoadOptions, bytes: u64, answer: &Answer) {
        let Some(prompt) = answer.usage.prompt else {
            return;
        };
        self.count(load, bytes, prompt);
        let context = prompt + answer.usage.answer.unwrap_or_default();
        let loaded = self.loads.entry(load.clone()).or_default();
        loaded.peak = loaded.peak.max(Some(context));
        // An answer that filled the window says where it ends, not what is safe.
        if answer.finish != Finish::ContextFull {
            loaded.limit.went_well(context);
        }
    }

    /// Learns from a failure of a prompt of so many bytes. A refusal that its window explains
    /// teaches the window and the tokens; only what fails within the window, or for want of
    /// memory, is a limit of the card.
    pub(super) fn failed(&mut self, load: &LoadOptions, bytes: u64, failure: &Failure) {
        let estimated = self.calibration(load).estimate(bytes);
        let context = match (failure.class, failure.need) {
            (FailureClass::ContextLength, Some(need)) => {
                self.count(load, bytes, need.prompt);
                self.tell_window(load, need.window);
                (need.prompt < need.window).then_some(need.prompt)
            }
            (FailureClass::OutOfMemory, _) => Some(estimated),
            _ => None,
        };
        if let Some(context) = context {
            let loaded = self.loads.entry(load.clone()).or_default();
            loaded.limit.failed(context);
        }
    }

    fn count(&mut self, load: &LoadOptions, bytes: u64, tokens: Tokens) {
        let name = load.model.clone();
        self.calibrations
            .entry(name)
            .or_default()
            .learn(bytes, tokens);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::TokenNeed;

    fn load() -> LoadOptions {
        LoadOptions {
            model: "m".into(),
            num_ctx: Some(8_192),
            embeddings: false,
        }
    }

    fn refusal(need: Option<(u64, u64)>) -> Failure {
        let need = need.map(|(prompt, window)| TokenNeed {
            prompt: Tokens(prompt),
            window: Tokens(window),
        });
        Failure {
            need,
            ..Failure::new(FailureClass::ContextLength, "too long")
        }
    }

    #[test]
    fn a_refusal_teaches_the_window_and_the_tokens() {
        let mut known = Known::default();
        assert_eq!(known.window(&load()), Tokens(8_192));
        known.failed(&load(), 8_000, &refusal(Some((4_000, 2_048))));
        assert_eq!(known.window(&load()), Tokens(2_048));
        assert_eq!(known.calibration(&load()).estimate(8_000), Tokens(4_000));
        assert_eq!(known.usable(&load()), None, "the window explains it");
    }

    #[test]
    fn what_fails_within_the_window_is_a_limit_of_the_card() {
        let mut known = Known::default();
        known.failed(&load(), 8_000, &refusal(Some((4_000, 8_192))));
        assert_eq!(known.usable(&load()), Some(Tokens(1_800)));
        let mut known = Known::default();
        let out = Failure::new(FailureClass::OutOfMemory, "no room");
        known.failed(&load(), 8_000, &out);
        assert_eq!(known.usable(&load()), Some(Tokens(900)));
        known.failed(&load(), 8_000, &refusal(None));
        assert_eq!(known.usable(&load()), Some(Tokens(900)));
    }

    #[test]
    fn what_was_learnt_goes_out_and_in_again() {
        let mut known = Known::default();
        known.failed(&load(), 8_000, &refusal(Some((4_000, 8_192))));
        let mut next = Known::default();
        next.recall(&load(), known.learned(&load()));
        assert_eq!(next.learned(&load()), known.learned(&load()));
        assert_eq!(next.usable(&load()), known.usable(&load()));
    }
}
