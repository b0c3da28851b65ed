//! Finds how many requests should be outstanding: as many as the server works on at once, and no
//! more, because what only waits in its queue gains nothing and dies with the next crash.
//!
//! Little's law does the measuring. With `n` requests always outstanding, `n` × work ÷ time in the
//! server is the throughput, and `n` × time being worked on ÷ time in the server is how many slots
//! are busy. Neither needs a stretch of wall time without disturbance, so a few answers are enough.

use std::time::Duration;

use crate::base::Moment;
use crate::model::{Answer, AnswerBody};

/// Lanes to begin with where nothing is known: a server with one slot shows it at once by its
/// queue, and one with eight is found in two doublings.
const START: u32 = 4;
/// More lanes are worth it when throughput rises by more than this share.
const WORTH: f64 = 0.03;
/// Requests count as queued when this share of them is.
const QUEUED: f64 = 0.10;
/// … and at least so many: an eighth of a slot is how the figures sway.
const QUEUED_LANES: f64 = 0.75;
/// Throughput that differs by this share from what it was means that something has changed.
const CHANGED: f64 = 0.25;
/// A step is judged by at least so many answers.
const LEAST: u32 = 4;
/// While nothing changes, it looks after this many answers whether more lanes would help …
const LOOK_AGAIN: u32 = 128;
/// … and each time in vain after twice as many, up to this.
const LOOK_AGAIN_LIMIT: u32 = 8_192;

/// What an ended request tells about the server.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    /// When it was sent.
    pub(super) sent: Moment,
    /// How many were outstanding then, itself included.
    pub(super) beside: u32,
    /// How long the server had it, loading apart.
    inside: Duration,
    /// How long the server worked on it; `None` where it does not say.
    worked: Option<Duration>,
    /// What came of it, in tokens, or one where nobody counts them.
    work: f64,
}

/// Finds the number of lanes for one model as it is loaded.
#[derive(Debug, Clone)]
pub(super) struct Tuner {
    lanes: u32,
    limit: u32,
    phase: Phase,
    /// Since when `lanes` is in force.
    since: Moment,
    tally: Tally,
    /// The least time in the server that was no work: what is above it was waiting.
    overhead: Option<Duration>,
    look_again: u32,
    /// What was found last.
    settled: Option<u32>,
}

/// A change of the number of lanes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Retuned {
    /// From so many …
    pub(super) from: u32,
    /// … to so many.
    pub(super) to: u32,
    /// Why, in words.
    pub(super) why: String,
    /// Whether the search is over and found another number than before.
    pub(super) found: bool,
}

#[derive(Debug, Clone, Copy)]
enum Phase {
    /// More lanes are tried as long as each step is worth it.
    Climbing { below: Option<Step> },
    /// The number was found.
    Holding {
        rate: Option<f64>,
        /// Answers since it was found.
        answers: u32,
    },
}

/// What a number of lanes was seen to give.
#[derive(Debug, Clone, Copy)]
struct Step {
    lanes: u32,
    /// Work a second.
    rate: f64,
}

/// Answers to requests that were sent while all lanes were busy.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    skipped: u32,
    answers: u32,
    work: f64,
    inside: f64,
    /// `None` once one of them did not say.
    worked: Option<f64>,
}

/// What a tally says.
#[derive(Debug, Clone, Copy)]
struct Measure {
    rate: f64,
    /// Slots that were busy on average, where the server tells the time it worked.
    busy: Option<f64>,
}

impl Sample {
    /// What `answer` tells about a request sent at `sent` as one of `beside`.
    pub(super) fn of(answer: &Answer, sent: Moment, beside: u32) -> Self {
        let timings = &answer.timings;
        let load = timings.load.unwrap_or_default();
        let worked = timings
            .prefill
            .zip(timings.decode)
            .map(|(prefill, decode)| prefill + decode);
        let tokens = match answer.body {
            AnswerBody::Embeddings { .. } => answer.usage.prompt,
            _ => answer.usage.answer,
        };
        Self {
            sent,
            beside,
            inside: timings.total.unwrap_or(timings.wall).saturating_sub(load),
            worked,
            work: tokens.map_or(1.0, |tokens| tokens.0.max(1) as f64),
        }
    }
}

impl Tuner {
    /// Begins with `known` lanes where an earlier run found them, and never has more than `limit`.
    pub(super) fn new(known: Option<u32>, limit: u32, now: Moment) -> Self {
        let limit = limit.max(1);
        let phase = match known {
            Some(_) => Phase::holding(),
            None => Phase::Climbing { below: None },
        };
        Self {
            lanes: known.unwrap_or(START).clamp(1, limit),
            limit,
            phase,
            since: now,
            tally: Tally::default(),
            overhead: None,
            look_again: LOOK_AGAIN,
            settled: known,
        }
    }

    /// How many requests should be outstanding now.
    pub(super) const fn lanes(&self) -> u32 {
        self.lanes
    }

    /// What was found, unless it is still being looked for.
    pub(super) const fn found(&self) -> Option<u32> {
        match self.phase {
            Phase::Holding { .. } => Some(self.lanes),
            Phase::Climbing { .. } => None,
        }
    }

    /// Takes in how a request went.
    pub(super) fn answered(&mut self, sample: &Sample, now: Moment) -> Option<Retuned> {
        self.learn_overhead(sample);
        // What was sent under another number, or while lanes stood empty, tells about something else.
        if sample.sent < self.since || sample.beside != self.lanes {
            return None;
        }
        // The first to reach a slot read the whole prompt, which the later ones find there.
        if self.tally.skipped < self.lanes {
            self.tally.skipped += 1;
            return None;
        }
        self.tally.add(sample, self.overhead.unwrap_or_default());
        if self.tally.answers < self.needed() {
            return None;
        }
        let measure = self.tally.measure(self.lanes)?;
        self.judge(measure, now)
    }

    /// A request sent at `sent` met trouble that fewer requests may avoid: half of them go on.
    pub(super) fn trouble(&mut self, why: &str, sent: Moment, now: Moment) -> Option<Retuned> {
        // The others of the same trouble were sent under the number that it was with.
        if sent < self.since {
            return None;
        }
        self.look_again = (self.look_again * 2).min(LOOK_AGAIN_LIMIT);
        let fewer = (self.lanes / 2).max(1);
        self.hold(fewer, why.to_owned(), now)
    }

    /// The very first request finds nobody before it, so the least that was ever seen is no queue.
    fn learn_overhead(&mut self, sample: &Sample) {
        let Some(worked) = sample.worked else { return };
        let idle = sample.inside.saturating_sub(worked);
        self.overhead = Some(self.overhead.map_or(idle, |least| least.min(idle)));
    }

    fn needed(&self) -> u32 {
        match self.phase {
            Phase::Climbing { .. } => self.lanes.max(LEAST),
            Phase::Holding { .. } => (self.lanes * 4).max(32),
        }
    }

    fn judge(&mut self, measure: Measure, now: Moment) -> Option<Retuned> {
        if let Some(slots) = measure.busy.filter(|busy| self.is_queued(*busy)) {
            let least = match self.phase {
                Phase::Climbing { below: Some(below) } => below.lanes,
                _ => 1,
            };
            let slots = (slots.round() as u32).clamp(least.min(self.lanes), self.lanes);
            let why = "the server works on no more at once".to_owned();
            return self.hold(slots, why, now);
        }
        match self.phase {
            Phase::Climbing { below } => self.climb(below, measure.rate, now),
            Phase::Holding { rate, answers } => self.watch(rate, answers, measure.rate, now),
        }
    }

    fn is_queued(&self, busy: f64) -> bool {
        let queued = f64::from(self.lanes) - busy;
        queued > QUEUED * f64::from(self.lanes) && queued > QUEUED_LANES
    }

    fn climb(&mut self, below: Option<Step>, rate: f64, now: Moment) -> Option<Retuned> {
        let gain = below.map(|below| rate / below.rate - 1.0);
        if let Some((below, gain)) = below.zip(gain)
            && gain < WORTH
        {
            let why = format!("{} gave {:+.0} % throughput", self.lanes, gain * 100.0);
            return self.hold(below.lanes, why, now);
        }
        if self.lanes == self.limit {
            return self.hold(self.limit, "that is the most allowed".to_owned(), now);
        }
        let here = Step {
            lanes: self.lanes,
            rate,
        };
        self.phase = Phase::Climbing { below: Some(here) };
        let why = match gain {
            Some(gain) => format!("{} gave {:+.0} % throughput", self.lanes, gain * 100.0),
            None => "to see whether throughput rises".to_owned(),
        };
        self.change(self.lanes.saturating_mul(2), why, now)
    }

    /// Looks again when the load has changed, and now and then when it has not.
    fn watch(
        &mut self,
        before: Option<f64>,
        answers: u32,
        rate: f64,
        now: Moment,
    ) -> Option<Retuned> {
        let answers = answers.saturating_add(self.tally.answers);
        self.tally = Tally::warm(self.lanes);
        let before = before.unwrap_or(rate);
        let changed = (rate / before - 1.0).abs() > CHANGED;
        self.phase = Phase::Holding {
            rate: Some(if changed { rate } else { before }),
            answers,
        };
        if (!changed && answers < self.look_again) || self.lanes == self.limit {
            return None;
        }
        self.look_again = if changed {
            LOOK_AGAIN
        } else {
            (self.look_again * 2).min(LOOK_AGAIN_LIMIT)
        };
        let here = Step {
            lanes: self.lanes,
            rate,
        };
        self.phase = Phase::Climbing { below: Some(here) };
        let why = "to see whether throughput rises".to_owned();
        self.change(self.lanes + (self.lanes / 4).max(1), why, now)
    }

    fn hold(&mut self, lanes: u32, why: String, now: Moment) -> Option<Retuned> {
        self.phase = Phase::holding();
        self.change(lanes, why, now)
    }

    fn change(&mut self, to: u32, why: String, now: Moment) -> Option<Retuned> {
        let (from, to) = (self.lanes, to.clamp(1, self.limit));
        self.lanes = to;
        self.since = now;
        self.tally = Tally::default();
        let found = self
            .found()
            .is_some_and(|lanes| self.settled.replace(lanes) != Some(lanes));
        (from != to || found).then_some(Retuned {
            from,
            to,
            why,
            found,
        })
    }
}

impl Phase {
    const fn holding() -> Self {
        Self::Holding {
            rate: None,
            answers: 0,
        }
    }
}

impl Tally {
    /// An empty one for lanes whose slots have read the shared prompt.
    fn warm(lanes: u32) -> Self {
        Self {
            skipped: lanes,
            ..Self::default()
        }
    }

    fn add(&mut self, sample: &Sample, overhead: Duration) {
        let known = self.answers == 0 || self.worked.is_some();
        self.worked = sample
            .worked
            .filter(|_| known)
            .map(|worked| self.worked.unwrap_or_default() + worked.as_secs_f64());
        // Overhead is no waiting: without it, answers of a millisecond would all look queued.
        let overhead = sample.worked.map_or(Duration::ZERO, |_| overhead);
        self.inside += sample.inside.saturating_sub(overhead).as_secs_f64();
        self.work += sample.work;
        self.answers += 1;
    }

    /// Little's law; nothing where the server took no time at all.
    fn measure(&self, lanes: u32) -> Option<Measure> {
        let lanes = f64::from(lanes);
        (self.inside > 0.0).then(|| Measure {
            rate: lanes * self.work / self.inside,
            busy: self.worked.map(|worked| lanes * worked / self.inside),
        })
    }
}

#[cfg(test)]
#[path = "tuner_tests.rs"]
mod tests;
