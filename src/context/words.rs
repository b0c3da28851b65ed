//! Plans in words, for every face alike.

use super::facts::Outlook;
use super::plan::{Plan, Verdict};
use crate::base::{bytes, count};

impl Plan {
    /// The verdict in a sentence.
    pub fn verdict_in_words(&self) -> String {
        match self.verdict {
            Verdict::Fits { left } => format!("fits, {} left", bytes(left)),
            Verdict::FitsSpread { left } => {
                format!("fits spread over all cards, {} left", bytes(left))
            }
            Verdict::Spills { over, .. } => format!(
                "does not fit, part would run on the CPU: {} too much",
                bytes(over)
            ),
            Verdict::Unknown => "cannot be said".to_owned(),
        }
    }

    /// What would fit, where the asked-for does not.
    pub fn advice(&self) -> Option<String> {
        let Verdict::Spills { window, slots, .. } = self.verdict else {
            return None;
        };
        let window = window.map(|window| format!("a window of {} tokens", count(window)));
        let slots = slots.map(|slots| format!("{slots} at a time with this window"));
        match (window, slots) {
            (Some(window), Some(slots)) => Some(format!("would fit: {window}, or {slots}")),
            (Some(one), None) | (None, Some(one)) => Some(format!("would fit: {one}")),
            (None, None) => {
                Some("no window fits: a smaller model or a stronger quantisation would".to_owned())
            }
        }
    }

    /// What it takes, and what there is: `8.1 GB of weights + 0.5 GB of context (…) = …`.
    fn figures(&self) -> String {
        let size = |size: Option<u64>| size.map_or_else(|| "n/a".to_owned(), bytes);
        let needs = &self.needs;
        let slots = match self.load.slots {
            1 => String::new(),
            slots => format!("{slots} × "),
        };
        let room = self.room.map_or_else(String::new, |room| {
            let cards = match room.cards {
                1 => "on the card".to_owned(),
                cards => format!("on {cards} cards"),
            };
            format!(", {} free {cards}", bytes(room.all_cards))
        });
        format!(
            "weights {} + context {} ({slots}{} tokens) + computing {} = {}{room}",
            size(needs.weights),
            size(needs.cache),
            count(self.load.window),
            bytes(needs.overhead),
            size(needs.total())
        )
    }
}

impl Outlook {
    /// One or two sentences: the figures with the verdict, and what would fit where it does not.
    /// The model's name is outside text.
    pub fn sentences(&self) -> Vec<String> {
        let known = self.plan.needs.weights.is_some() || self.plan.needs.cache.is_some();
        let (model, figures) = (&self.model, self.plan.figures());
        let verdict = self.plan.verdict_in_words();
        // What matters most stands first, where a narrow line cuts it last.
        let first = match self.unknown.first() {
            None => format!("{model}: {verdict} ({figures})"),
            Some(why) if known => {
                format!("{model}: {figures}; whether it fits cannot be said: {why}")
            }
            Some(why) => format!("{model}: whether it fits cannot be said: {why}"),
        };
        std::iter::once(first).chain(self.plan.advice()).collect()
    }

    /// Why a job must not start although it could: the plan, and the ways out.
    pub fn refusal(&self) -> String {
        let plan = self.sentences().join("; ");
        format!("{plan}; `--allow-spill` runs it all the same")
    }
}
