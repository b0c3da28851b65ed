//! How large a window and how many requests at a time a model bears, found step by step.
//!
//! What is to be tried next follows from what was tried before and from nothing else, so a search
//! that was interrupted goes on from its stored steps.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::base::{bytes, count};
use crate::model::Tokens;

/// The window that is tried first.
const FIRST_WINDOW: u32 = 4_096;
/// Windows are tried in steps of so many tokens.
const STEP: u32 = 64;
/// The search ends when what went well and what failed differ by one part in so many: with the
/// part of a window that a prompt does not fill, the answer is within 5 %.
const CLOSE_ENOUGH: u32 = 40;
/// Of a window beyond which something failed, so much is recommended, in per cent.
const USED_PERCENT: u64 = 90;
/// Steps of a search: more are garbage.
const MOST_STEPS: usize = 200;

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reach {
    /// The largest window.
    pub window: u32,
    /// The most requests at a time.
    pub lanes: u32,
}

/// What is to be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Window of a slot.
    pub window: u32,
    /// Requests at a time.
    pub lanes: u32,
}

/// What was tried and how it went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What was tried.
    pub trial: Trial,
    /// Why it failed; `None` when it went well.
    pub stop: Option<Stop>,
    /// What was measured.
    #[serde(default)]
    pub figures: Figures,
}

/// What was measured in a step; `None` is not measured.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Figures {
    /// Bytes of the loaded model.
    pub size: Option<u64>,
    /// Those of them on cards.
    pub size_vram: Option<u64>,
    /// How long the server took to load it.
    pub load: Option<Duration>,
    /// Tokens of the longest prompt that was read.
    pub read: Option<Tokens>,
    /// Whether the model repeated a word from the very beginning of that prompt.
    pub recalled: Option<bool>,
    /// Tokens a second at which that prompt was read.
    pub prefill: Option<f64>,
    /// Tokens a second of all answers together.
    pub decode: Option<f64>,
    /// Requests that the server worked on at the same time.
    pub at_once: Option<u32>,
}

/// Why a step failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "stop", rename_all = "snake_case")]
pub enum Stop {
    /// The server ran out of memory.
    OutOfMemory {
        /// In its words.
        message: String,
    },
    /// The server refused.
    Refused {
        /// In its words.
        message: String,
    },
    /// Part of the model went to the processor.
    Spilled {
        /// Bytes of it.
        bytes: u64,
    },
    /// The card's memory was beyond its limit.
    MemoryLimit {
        /// How full it was, in per cent.
        percent: f64,
    },
    /// The server gave a smaller window than asked for.
    Capped {
        /// Which.
        window: u32,
    },
    /// The server read less than was sent and did not say so.
    CutSilently {
        /// Tokens sent, estimated.
        sent: Tokens,
        /// Tokens read.
        read: Tokens,
    },
    /// The server has fewer slots than there were requests.
    FewerSlots {
        /// How many it has.
        slots: u32,
    },
    /// The server answers too fast to see how many it works on at once.
    Unseen,
    /// Something else failed.
    Failed {
        /// What.
        message: String,
    },
}

/// What a search recommends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recommendation {
    /// The largest window that went well.
    pub largest: u32,
    /// The window to use: all of it where nothing larger failed, else 90 %.
    pub window: u32,
    /// Requests at a time.
    pub lanes: u32,
}

impl Reach {
    /// What to try next; `None` when the search is over.
    pub fn next(&self, steps: &[Step]) -> Option<Trial> {
        if steps.len() >= MOST_STEPS {
            return None;
        }
        let windows = Bounds::of_windows(steps);
        if let Some(window) = self.next_window(windows, steps) {
            return Some(Trial { window, lanes: 1 });
        }
        let window = windows.good?;
        let lanes = self.next_lanes(Bounds::of_lanes(steps, window))?;
        Some(Trial { window, lanes })
    }

    fn next_window(self, seen: Bounds, steps: &[Step]) -> Option<u32> {
        let capped = steps.iter().filter_map(|step| match step.stop {
            Some(Stop::Capped { window }) => Some(window),
            _ => None,
        });
        let most = capped.min().unwrap_or(u32::MAX).min(self.window);
        let good = seen.good.unwrap_or(0);
        let bad = seen.bad.filter(|bad| *bad <= most);
        let Some(bad) = bad else {
            let next = match good {
                0 => FIRST_WINDOW,
                good => good.saturating_mul(2),
            };
            return Some(next.min(most)).filter(|next| *next > good);
        };
        let close = STEP.max(good / CLOSE_ENOUGH);
        if bad - good <= close {
            return None;
        }
        let middle = (good + (bad - good) / 2).next_multiple_of(STEP);
        Some(middle).filter(|middle| good < *middle && *middle < bad)
    }

    fn next_lanes(self, seen: Bounds) -> Option<u32> {
        let good = seen.good.unwrap_or(1);
        let Some(bad) = seen.bad else {
            return Some(good.saturating_mul(2).min(self.lanes)).filter(|next| *next > good);
        };
        (bad - good > 1).then(|| good + (bad - good) / 2)
    }
}

/// The largest of something that went well, and the smallest above it that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Bounds {
    good: Option<u32>,
    bad: Option<u32>,
}

impl Bounds {
    fn of_windows(steps: &[Step]) -> Self {
        let alone = steps.iter().filter(|step| step.trial.lanes == 1);
        Self::of(alone.map(|step| (step.trial.window, step.stop.is_none())))
    }

    fn of_lanes(steps: &[Step], window: u32) -> Self {
        let same = steps.iter().filter(|step| step.trial.window == window);
        Self::of(same.map(|step| (step.trial.lanes, step.stop.is_none())))
    }

    fn of(seen: impl Iterator<Item = (u32, bool)> + Clone) -> Self {
        let good = seen.clone().filter(|(_, well)| *well).map(|(at, _)| at);
        let good = good.max();
        let failed = seen.filter(|(_, well)| !*well).map(|(at, _)| at);
        let bad = failed.filter(|at| Some(*at) > good).min();
        Self { good, bad }
    }
}

impl Recommendation {
    /// What these steps recommend; `None` where no window went well.
    pub fn of(steps: &[Step]) -> Option<Self> {
        let windows = Bounds::of_windows(steps);
        let largest = windows.good?;
        let failed = steps.iter().any(|step| {
            let is_limit = !matches!(step.stop, None | Some(Stop::Capped { .. }));
            step.trial.lanes == 1 && step.trial.window > largest && is_limit
        });
        let used = (u64::from(largest) * USED_PERCENT / 100) as u32;
        Some(Self {
            largest,
            window: if failed { floor(used) } else { largest },
            lanes: Bounds::of_lanes(steps, largest).good.unwrap_or(1),
        })
    }
}

/// A multiple of [`STEP`] at most so large, but not nothing.
fn floor(window: u32) -> u32 {
    (window / STEP * STEP).max(window.min(STEP))
}

impl Step {
    /// Whether it went well.
    pub const fn is_well(&self) -> bool {
        self.stop.is_none()
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfMemory { message } => write!(f, "out of memory: {message}"),
            Self::Refused { message } => write!(f, "refused: {message}"),
            Self::Spilled { bytes: over } => {
                write!(f, "{} of it would run on the processor", bytes(*over))
            }
            Self::MemoryLimit { percent } => {
                write!(
                    f,
                    "the card's memory is {percent:.0} % full, beyond its limit"
                )
            }
            Self::Capped { window } => {
                write!(
                    f,
                    "the server gives {} tokens at most",
                    count((*window).into())
                )
            }
            Self::CutSilently { sent, read } => write!(
                f,
                "the server cuts silently: about {} tokens were sent and {} read",
                count(sent.0),
                count(read.0)
            ),
            Self::FewerSlots { slots: 1 } => f.write_str("the server has 1 slot"),
            Self::FewerSlots { slots } => write!(f, "the server has {slots} slots"),
            Self::Unseen => {
                f.write_str("the answers are too fast to see how many the server works on at once")
            }
            Self::Failed { message } => f.write_str(message),
        }
    }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
