//! The guard: fewer requests or none while a card is too full, too hot, lost or wanted by others.
//!
//! A pure state machine. Every cause has a level of its own; the highest one counts. A level moves
//! only after its reason has stood for a while, and falls at another mark than it rose at, so
//! that nothing flaps. What cannot be read moves nothing, but holds nothing back for ever either.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sight::{Neighbour, Sight, others_percent, runners_percent};
use crate::base::{Moment, duration};
use crate::model::{
    GuardCause as Cause, GuardHold, GuardLevel as Level, GuardLimits, GuardView, Readings,
};

/// A cause about which nothing could be read for so long holds nothing back any more: a sensor
/// that fails must not stop a night's work. It is told, because from then on nothing is watched.
const BLIND: Duration = Duration::from_mins(1);
/// Per cent below a mark of the memory at which it counts as left.
const MEMORY_ROOM: f64 = 3.0;

/// One step up or down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardStep {
    /// When.
    pub at: Moment,
    /// What caused it.
    pub cause: Cause,
    /// The level of this cause before.
    pub from: Level,
    /// And after.
    pub to: Level,
    /// The figures, in a sentence.
    pub why: String,
}

/// Watches the readings.
#[derive(Debug, Clone)]
pub struct Guard {
    limits: GuardLimits,
    tracks: Vec<Track>,
}

#[derive(Debug, Clone)]
struct Track {
    cause: Cause,
    level: Level,
    /// When it last moved, or began to be watched.
    since: Moment,
    /// Where it would go, and since when.
    leaning: Option<(Level, Moment)>,
    /// When something could be said about it for the last time.
    seen: Moment,
    /// The figures of the last step.
    why: String,
}

/// What a cause asks for now, and why.
struct Wish {
    level: Level,
    why: String,
}

impl Guard {
    /// A guard that holds nothing back yet.
    pub fn new(limits: GuardLimits) -> Self {
        let tracks = Cause::ALL.map(|cause| Track {
            cause,
            level: Level::Free,
            since: Moment::ZERO,
            leaning: None,
            seen: Moment::ZERO,
            why: String::new(),
        });
        Self {
            limits,
            tracks: tracks.into(),
        }
    }

    /// Looks at one sample. `minute` is the minute of the day by the clock on the wall, if known.
    /// Returns what moved.
    pub fn step(
        &mut self,
        now: Moment,
        minute: Option<u16>,
        readings: &Readings,
    ) -> Vec<GuardStep> {
        let sight = Sight::of(readings);
        let limits = &self.limits;
        let steps = self.tracks.iter_mut().filter_map(|track| {
            let wish = track.wish(limits, &sight, minute, now);
            track.step(now, wish)
        });
        steps.collect()
    }

    /// How much is held back now.
    pub fn level(&self) -> Level {
        let levels = self.tracks.iter().map(|track| track.level);
        levels.max().unwrap_or_default()
    }

    /// What holds something back now.
    pub fn view(&self) -> GuardView {
        let held = self.tracks.iter().filter(|track| track.level > Level::Free);
        let holds = held.map(|track| GuardHold {
            cause: track.cause,
            level: track.level,
            why: track.why.clone(),
        });
        GuardView {
            level: self.level(),
            holds: holds.collect(),
        }
    }

    /// How much one cause holds back, and since when.
    pub fn held_by(&self, cause: Cause) -> (Level, Moment) {
        let track = self.tracks.iter().find(|track| track.cause == cause);
        track.map_or_else(Default::default, |track| (track.level, track.since))
    }

    /// Whether models alone take so much of a card's memory that a pause for it would never end.
    /// `None` where the driver does not tell who holds the memory.
    pub fn is_filled_by_models(&self, readings: &Readings) -> Option<bool> {
        let limit = self.limits.memory_pause - MEMORY_ROOM;
        runners_percent(readings).map(|percent| percent >= limit)
    }

    /// Whether other programs alone take so much of a card's memory that no model may be loaded.
    /// What models hold does not count, because Ollama lets them go for another one. `None` where
    /// the driver does not tell who holds the memory.
    pub fn is_filled_by_others(&self, readings: &Readings) -> Option<bool> {
        let limit = self.limits.memory_pause;
        others_percent(readings).map(|percent| percent >= limit)
    }

    /// How many of so many requests at a time are allowed now.
    pub fn lanes(&self, wanted: u32) -> u32 {
        match self.level() {
            Level::Free => wanted,
            Level::Ease => wanted.div_ceil(2),
            Level::Least => wanted.min(1),
            Level::Pause => 0,
        }
    }

    /// Why a job must not start now: what would pause it if it ran, with the figures.
    pub fn refusals(&self, minute: Option<u16>, readings: &Readings) -> Vec<(Cause, String)> {
        let sight = Sight::of(readings);
        let fresh = Self::new(self.limits);
        let wishes = fresh.tracks.iter().filter_map(|track| {
            let wish = track.wish(&self.limits, &sight, minute, Moment::ZERO)?;
            (wish.level == Level::Pause).then_some((track.cause, wish.why))
        });
        wishes.collect()
    }
}

impl GuardStep {
    /// The step in a sentence. `now` is what all causes together hold back after it.
    pub fn sentence(&self, now: Level) -> String {
        let what = match self.to {
            _ if now > self.to => match now {
                Level::Pause => "still paused for another reason",
                _ => "still held back for another reason",
            },
            Level::Free => "nothing is held back any more",
            Level::Ease => "half the lanes",
            Level::Least => "one lane",
            Level::Pause => "paused: what is in flight finishes, nothing new is sent",
        };
        format!("{what}; {}", self.why)
    }
}

impl Cause {
    /// What has to be read to judge it.
    const fn figures(self) -> &'static str {
        match self {
            Self::Memory => "the card's memory",
            Self::Heat => "the card's temperature",
            Self::CardLost => "whether the card answers",
            Self::Power => "the card's power",
            Self::Neighbour => "who uses the card",
            Self::Hours => "the time of the day",
        }
    }

    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Memory,
        Self::Heat,
        Self::CardLost,
        Self::Power,
        Self::Neighbour,
        Self::Hours,
    ];

    /// How long a reason to hold back more, or less, must stand. A lost card is lost at once; one
    /// that comes back may go again.
    const fn patience(self, up: bool) -> Duration {
        let seconds = match (self, up) {
            (Self::CardLost | Self::Hours, true) => 0,
            (Self::Heat, true) => 2,
            (Self::Memory | Self::Neighbour, true) => 5,
            (Self::Power, true) | (Self::Heat | Self::CardLost, false) => 10,
            (Self::Memory | Self::Power, false) => 30,
            (Self::Neighbour | Self::Hours, false) => 60,
        };
        Duration::from_secs(seconds)
    }
}

impl Track {
    /// Moves, if the wish has stood long enough.
    fn step(&mut self, now: Moment, wish: Option<Wish>) -> Option<GuardStep> {
        let Some(wish) = wish else {
            return self.blind(now);
        };
        self.seen = now;
        if wish.level == self.level {
            self.leaning = None;
            return None;
        }
        let up = wish.level > self.level;
        let since = match self.leaning {
            // A wish for another level on the same side is the same wish.
            Some((level, since)) if (level > self.level) == up => since,
            _ => now,
        };
        self.leaning = Some((wish.level, since));
        if now.since(since) < self.cause.patience(up) {
            return None;
        }
        Some(self.go(now, wish))
    }

    fn go(&mut self, now: Moment, wish: Wish) -> GuardStep {
        let from = std::mem::replace(&mut self.level, wish.level);
        self.since = now;
        self.leaning = None;
        self.why.clone_from(&wish.why);
        GuardStep {
            at: now,
            cause: self.cause,
            from,
            to: wish.level,
            why: wish.why,
        }
    }

    /// Nothing can be said: lets go after a while.
    fn blind(&mut self, now: Moment) -> Option<GuardStep> {
        self.leaning = None;
        let passed = now.since(self.seen);
        if self.level == Level::Free || passed < BLIND {
            return None;
        }
        let why = format!(
            "{} could not be read for {} and is not watched",
            self.cause.figures(),
            duration(passed)
        );
        Some(self.go(
            now,
            Wish {
                level: Level::Free,
                why,
            },
        ))
    }

    /// The level that the readings ask for; `None` where they say nothing.
    fn wish(
        &self,
        limits: &GuardLimits,
        sight: &Sight,
        minute: Option<u16>,
        now: Moment,
    ) -> Option<Wish> {
        match self.cause {
            Cause::Memory => self.memory(limits, sight, now),
            Cause::Heat => self.heat(limits, sight),
            Cause::CardLost => lost(sight),
            Cause::Power => self.power(limits, sight),
            Cause::Neighbour => neighbour(limits, sight),
            Cause::Hours => hours(limits, minute),
        }
    }

    /// Up: eased at one mark, after a minute there one at a time, paused at the other. Down one
    /// level at a time, each only with some room below its mark.
    fn memory(&self, limits: &GuardLimits, sight: &Sight, now: Moment) -> Option<Wish> {
        const ROOM: f64 = MEMORY_ROOM;
        const LONG: Duration = Duration::from_mins(1);
        let filled = sight.memory.as_ref()?;
        let (pause, ease) = (limits.memory_pause, limits.memory_ease);
        let percent = filled.value;
        let (level, limit) = match self.level {
            _ if percent >= pause => (Level::Pause, pause),
            Level::Pause if percent < pause - ROOM => (Level::Least, pause),
            Level::Free if percent >= ease => (Level::Ease, ease),
            Level::Ease if percent >= ease && now.since(self.since) >= LONG => (Level::Least, ease),
            Level::Least if percent < ease - ROOM => (Level::Ease, ease),
            Level::Ease if percent < ease - ROOM => (Level::Free, ease),
            same => (same, ease),
        };
        let card = &filled.card;
        let why =
            format!("{percent:.1} % of the memory of {card} is taken, the limit is {limit} %");
        Some(Wish { level, why })
    }

    fn heat(&self, limits: &GuardLimits, sight: &Sight) -> Option<Wish> {
        let hottest = sight.celsius.as_ref()?;
        let (pause, resume) = (limits.heat_pause, limits.heat_resume);
        let celsius = hottest.value;
        let level = match self.level {
            _ if celsius >= pause => Level::Pause,
            _ if celsius < resume.min(pause) => Level::Free,
            same => same,
        };
        let why = format!(
            "{} is at {celsius} °C: paused from {pause} °C, resumed below {resume} °C",
            hottest.card
        );
        Some(Wish { level, why })
    }

    fn power(&self, limits: &GuardLimits, sight: &Sight) -> Option<Wish> {
        const ROOM: f64 = 0.9;
        let cap = limits.watts?;
        let most = sight.watts.as_ref()?;
        let level = match self.level {
            _ if most.value > cap => Level::Ease,
            _ if most.value < cap * ROOM => Level::Free,
            same => same,
        };
        let why = format!(
            "{} takes {:.0} W, the limit is {cap:.0} W",
            most.card, most.value
        );
        Some(Wish { level, why })
    }
}

/// A sample without any card says nothing about one that was lost.
fn lost(sight: &Sight) -> Option<Wish> {
    match &sight.lost {
        Some(lost) => Some(Wish {
            level: Level::Pause,
            why: format!("{} does not answer: {}", lost.card, lost.value),
        }),
        None => sight.any_card.then(|| Wish {
            level: Level::Free,
            why: "the card answers again".to_owned(),
        }),
    }
}

fn neighbour(limits: &GuardLimits, sight: &Sight) -> Option<Wish> {
    if !limits.neighbour {
        return None;
    }
    Some(match &sight.neighbour {
        Neighbour::Unknown => return None,
        Neighbour::Heavy(other) => Wish {
            level: Level::Pause,
            why: format!("{} uses {}", other.value, other.card),
        },
        Neighbour::None => Wish {
            level: Level::Free,
            why: "no other program uses the card heavily any more".to_owned(),
        },
    })
}

fn hours(limits: &GuardLimits, minute: Option<u16>) -> Option<Wish> {
    let (hours, minute) = (limits.hours?, minute?);
    let level = if hours.contains(minute) {
        Level::Free
    } else {
        Level::Pause
    };
    let why = format!("work may be done {hours}");
    Some(Wish { level, why })
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
