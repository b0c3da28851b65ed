//! The model that runs, and the profile of the ground it runs on.

use std::collections::HashSet;

use super::reuse::{Cold, Sent};
use crate::base::Stamp;
use crate::context::{Ground, Learnt, Profile};
use crate::engine::core::Warmed;
use crate::model::{Answer, Endpoint, LoadOptions, Parallel, Prompt};

/// Beginnings of prompts that are remembered; with more of them nothing is shared anyway.
const PREFIXES: usize = 10_000;

/// The model that runs.
#[derive(Debug)]
pub(super) struct Loaded {
    /// What it was loaded with.
    pub(super) load: LoadOptions,
    /// What is known of it on its ground.
    pub(super) profile: Profile,
    is_changed: bool,
    /// Whether what is learnt may go to the disk: the server told the model's digest.
    is_kept: bool,
    is_fresh: bool,
    /// Beginnings that the server has read since the load.
    prefixes: HashSet<u64>,
}

impl Loaded {
    /// A model that has just been loaded, for requests so many at a time on this card, with what
    /// is known of it.
    pub(super) fn new(
        load: LoadOptions,
        warmed: &Warmed,
        (card, parallel): (&str, Parallel),
        (known, now): (&[Profile], Stamp),
    ) -> Self {
        let digest = warmed.digest.as_ref();
        let ground = Ground {
            // A name is no digest, so that nothing of another model is mistaken for its own.
            digest: digest.unwrap_or(&load.model).clone(),
            card: card.to_owned(),
            num_ctx: load.num_ctx,
            slots: parallel.fixed().unwrap_or(0),
        };
        Self {
            profile: Profile::begin(known, ground, &load.model, now),
            load,
            is_changed: false,
            is_kept: digest.is_some(),
            is_fresh: warmed.is_fresh,
            prefixes: HashSet::new(),
        }
    }

    /// The ground on which it would stand with this card and so many requests at a time.
    pub(super) fn ground(&self, card: &str, parallel: Parallel) -> Ground {
        Ground {
            card: card.to_owned(),
            slots: parallel.fixed().unwrap_or(0),
            ..self.profile.ground.clone()
        }
    }

    /// Goes on with what is known of another ground.
    pub(super) fn stand_on(&mut self, ground: Ground, known: &[Profile], now: Stamp) {
        self.profile = Profile::begin(known, ground, &self.load.model, now);
        self.is_changed = false;
    }

    /// Changes what is learnt; `change` says whether it did.
    pub(super) fn note(&mut self, change: impl FnOnce(&mut Learnt) -> bool) {
        self.is_changed |= change(&mut self.profile.learnt);
    }

    /// What is learnt now, which changes with that.
    pub(super) fn learnt_mut(&mut self) -> &mut Learnt {
        self.is_changed = true;
        &mut self.profile.learnt
    }

    /// The profile, if it is to be stored and was changed since this was last asked.
    pub(super) fn changed(&mut self) -> Option<Profile> {
        let is_due = std::mem::take(&mut self.is_changed) && self.is_kept;
        is_due.then(|| self.profile.clone())
    }

    /// Whether the server can have had the beginning of a prompt that is sent now.
    pub(super) fn cold(&mut self, prompt: &Prompt, endpoint: Endpoint) -> Cold {
        if endpoint == Endpoint::Embeddings || self.prefixes.len() >= PREFIXES {
            return Cold::Unknown;
        }
        let is_first = self.prefixes.is_empty();
        if !self.prefixes.insert(prompt.prefix) {
            return Cold::No;
        }
        if is_first && self.is_fresh {
            Cold::Certain
        } else {
            Cold::Likely
        }
    }

    /// A model that somebody else had loaded again has lost every prefix.
    pub(super) fn notice_reload(&mut self, sent: &Sent, answer: &Answer) {
        if answer.timings.is_reloaded() {
            self.prefixes.clear();
            self.prefixes.insert(sent.prompt.prefix);
        }
    }
}
