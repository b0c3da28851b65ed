//! The guard: fewer requests or none while a card is too full, too hot, lost or wanted by others.
//!
//! A pure state machine. Every cause has a level of its own; the highest one counts. A level moves
//! only after its reason has stood for a while, and falls at another mark than it rose at, so
//! that nothing flaps. What cannot be read moves nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sight::{Neighbour, Sight};
use crate::base::Moment;
use crate::model::{GuardLimits, Readings};

/// How much is held back.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Nothing.
    #[default]
    Free,
    /// Half the requests at a time.
    Ease,
    /// One request at a time, and histories are trimmed hard.
    Least,
    /// Everything: what is in flight finishes, nothing is sent.
    Pause,
}

/// Why something is held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The card's memory is nearly full.
    Memory,
    /// The card is too hot.
    Heat,
    /// The card does not answer.
    CardLost,
    /// The card takes more power than it should.
    Power,
    /// Another program uses the card.
    Neighbour,
    /// It is outside the hours.
    Hours,
}

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
    pub fn causes(&self) -> impl Iterator<Item = (Cause, Level)> {
        let held = self.tracks.iter().filter(|track| track.level > Level::Free);
        held.map(|track| (track.cause, track.level))
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
    pub fn refusals(&self, minute: Option<u16>, readings: &Readings) -> Vec<String> {
        let sight = Sight::of(readings);
        let fresh = Self::new(self.limits.clone());
        let wishes = fresh.tracks.iter().filter_map(|track| {
            let wish = track.wish(&self.limits, &sight, minute, Moment::ZERO)?;
            (wish.level == Level::Pause).then_some(wish.why)
        });
        wishes.collect()
    }
}

impl Cause {
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
        let Some(wish) = wish.filter(|wish| wish.level != self.level) else {
            self.leaning = None;
            return None;
        };
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
        let from = std::mem::replace(&mut self.level, wish.level);
        self.since = now;
        self.leaning = None;
        Some(GuardStep {
            at: now,
            cause: self.cause,
            from,
            to: wish.level,
            why: wish.why,
        })
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
            Cause::CardLost => Some(lost(sight)),
            Cause::Power => self.power(limits, sight),
            Cause::Neighbour => neighbour(limits, sight),
            Cause::Hours => hours(limits, minute),
        }
    }

    /// Up: eased at one mark, after a minute there one at a time, paused at the other. Down one
    /// level at a time, each only with some room below its mark.
    fn memory(&self, limits: &GuardLimits, sight: &Sight, now: Moment) -> Option<Wish> {
        const ROOM: f64 = 3.0;
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

fn lost(sight: &Sight) -> Wish {
    match &sight.lost {
        Some(lost) => Wish {
            level: Level::Pause,
            why: format!("{} does not answer: {}", lost.card, lost.value),
        },
        None => Wish {
            level: Level::Free,
            why: "the card answers again".to_owned(),
        },
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
