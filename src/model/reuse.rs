//! What a job saves because the server keeps the evaluated beginning of prompts.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Timings, Tokens, Usage};
use crate::base::{duration, share, short};

/// Totals over the answers of a job of which reuse is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reuse {
    /// Answers counted here.
    pub requests: u64,
    /// Tokens of their prompts.
    pub prompt: Tokens,
    /// Those of them that were not read again.
    pub reused: Tokens,
    /// The time that reading them would have taken; it counts where the cold rate was known.
    pub saved: Duration,
}

/// The savings of a job on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReuseView {
    /// The totals, those of earlier processes included.
    pub total: Reuse,
    /// Why prompts that begin alike are read in full again, a sentence each; empty while reuse is
    /// as it should be.
    pub causes: Arc<[Arc<str>]>,
}

impl Reuse {
    /// What one answer adds; `None` where its reuse is not known.
    pub fn of(usage: &Usage, timings: &Timings) -> Option<Self> {
        let prompt = usage.prompt?;
        Some(Self {
            requests: 1,
            prompt,
            reused: usage.reused?.min(prompt),
            saved: timings.saved.unwrap_or_default(),
        })
    }

    /// Takes in another one.
    pub fn add(&mut self, other: &Self) {
        self.requests = self.requests.saturating_add(other.requests);
        self.prompt += other.prompt;
        self.reused += other.reused;
        self.saved = self.saved.saturating_add(other.saved);
    }

    /// The share of prompt tokens that were not read again, 0 to 1; `None` of nothing.
    pub fn share(&self) -> Option<f64> {
        (self.prompt.0 > 0).then(|| self.reused.0 as f64 / self.prompt.0 as f64)
    }

    /// The same in fewer words: `96.8 % · 79.9 M tokens · 7 h 10 min saved`.
    pub fn brief(&self) -> String {
        let part = share(self.reused.0, self.prompt.0);
        let saved = duration(self.saved);
        format!("{part} · {} tokens · {saved} saved", short(self.reused.0))
    }

    /// Whether anything is known.
    pub const fn is_known(&self) -> bool {
        self.prompt.0 > 0
    }
}

/// `96.8 %: 79.9 M tokens not read again ≈ 7 h 10 min saved`
impl fmt::Display for Reuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let part = share(self.reused.0, self.prompt.0);
        write!(f, "{part}: {} tokens not read again", short(self.reused.0))?;
        if self.saved.is_zero() {
            return Ok(());
        }
        write!(f, " ≈ {} saved", duration(self.saved))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_in_a_line() {
        let mut reuse = Reuse {
            requests: 41_000,
            prompt: Tokens(82_541_322),
            reused: Tokens(79_900_000),
            saved: Duration::from_mins(430),
        };
        let line = "96.8 %: 79.9 M tokens not read again ≈ 7 h 10 min saved";
        assert_eq!(reuse.to_string(), line);
        let brief = "96.8 % · 79.9 M tokens · 7 h 10 min saved";
        assert_eq!(reuse.brief(), brief);
        reuse.saved = Duration::ZERO;
        assert_eq!(reuse.to_string(), "96.8 %: 79.9 M tokens not read again");
        assert_eq!(Reuse::default().share(), None);
    }

    #[test]
    fn an_answer_without_figures_adds_nothing() {
        let timings = Timings::default();
        let mut usage = Usage {
            prompt: Some(Tokens(100)),
            ..Usage::default()
        };
        assert_eq!(Reuse::of(&usage, &timings), None);
        usage.reused = Some(Tokens(900));
        let one = Reuse::of(&usage, &timings).unwrap();
        assert_eq!(one.reused, Tokens(100));
        let mut all = one;
        all.add(&one);
        assert_eq!((all.requests, all.prompt), (2, Tokens(200)));
    }
}
