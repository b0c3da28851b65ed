//! What ended when, in intervals of equal length: one pass over the ends in any order, and memory
//! that does not depend on how many there are.

use std::collections::BTreeMap;

use serde::Serialize;

use super::latencies::Latencies;
use crate::base::Stamp;

/// Intervals of a report at most.
const MOST: i64 = 600;
/// Lengths of intervals in milliseconds. Each is a multiple of the one before it, so that counts
/// are added up and never divided.
const LENGTHS: [i64; 11] = [
    1_000, 5_000, 10_000, 30_000, 60_000, 300_000, 600_000, 1_800_000, 3_600_000, 10_800_000,
    86_400_000,
];

/// What ended in an interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// When it begins.
    pub at: Stamp,
    /// How long it is, in seconds; the last one may be shorter.
    pub seconds: f64,
    /// Requests that were answered.
    pub answered: u64,
    /// Requests that failed for good.
    pub failed: u64,
    /// Tokens of the prompts that were answered.
    pub prompt_tokens: u64,
    /// Tokens of their answers.
    pub answer_tokens: u64,
    /// The mean time of an answer in milliseconds; `None` where none came.
    pub mean_wall_ms: Option<f64>,
    /// The time that half of the answers did not exceed, to 5 %.
    pub p50_wall_ms: Option<f64>,
    /// The time that 95 of a hundred did not exceed, to 5 %.
    pub p95_wall_ms: Option<f64>,
}

impl Interval {
    /// So many a second.
    pub fn rate(&self, number: u64) -> Option<f64> {
        (self.seconds > 0.0).then(|| number as f64 / self.seconds)
    }
}

/// The figures of one answer.
#[derive(Debug, Clone, Copy, Default)]
pub struct Answered {
    /// Tokens of its prompt, where the server told.
    pub prompt_tokens: u64,
    /// Its tokens, where the server told.
    pub answer_tokens: u64,
    /// Milliseconds that it took.
    pub wall_ms: f64,
}

#[derive(Debug, Clone, Default)]
struct Sums {
    answered: u64,
    failed: u64,
    prompt_tokens: u64,
    answer_tokens: u64,
    wall_ms: f64,
    latencies: Latencies,
}

impl Sums {
    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.failed += other.failed;
        self.prompt_tokens = self.prompt_tokens.saturating_add(other.prompt_tokens);
        self.answer_tokens = self.answer_tokens.saturating_add(other.answer_tokens);
        self.wall_ms += other.wall_ms;
        self.latencies.merge(&other.latencies);
    }
}

/// Counts what ended when.
#[derive(Debug)]
pub struct IntervalCounter {
    start: Stamp,
    length: i64,
    sums: BTreeMap<i64, Sums>,
}

impl IntervalCounter {
    /// Nothing has ended since `start`.
    pub fn new(start: Stamp) -> Self {
        let [length, ..] = LENGTHS;
        Self {
            start,
            length,
            sums: BTreeMap::new(),
        }
    }

    /// A request was answered.
    pub fn answered(&mut self, at: Stamp, answer: Answered) {
        let sums = self.at(at);
        sums.answered += 1;
        sums.prompt_tokens = sums.prompt_tokens.saturating_add(answer.prompt_tokens);
        sums.answer_tokens = sums.answer_tokens.saturating_add(answer.answer_tokens);
        sums.wall_ms += answer.wall_ms;
        sums.latencies.add(answer.wall_ms);
    }

    /// A request failed for good. What failed before the start, such as invalid lines, counts at
    /// the start.
    pub fn failed(&mut self, at: Stamp) {
        self.at(at).failed += 1;
    }

    /// The intervals from the start to `until`, or to the last end where that is later.
    pub fn finish(mut self, until: Stamp) -> Vec<Interval> {
        let last = self.sums.keys().next_back().copied().unwrap_or(0);
        let behind = last.saturating_mul(self.length).saturating_add(1);
        let span = until.0.saturating_sub(self.start.0).max(behind);
        while span / self.length >= MOST {
            self.widen();
        }
        let length = self.length;
        // The end of the job, unless something ended later by a clock that jumped.
        let span = self.sums.keys().next_back().map_or(span, |last| {
            span.max(last.saturating_mul(length).saturating_add(1))
        });
        (0..=(span - 1).max(0) / length)
            .map(|key| self.interval(key, span))
            .collect()
    }

    fn interval(&self, key: i64, span: i64) -> Interval {
        let from = key.saturating_mul(self.length);
        let none = Sums::default();
        let sums = self.sums.get(&key).unwrap_or(&none);
        let length = self.length.min(span.saturating_sub(from)).max(1);
        Interval {
            at: Stamp(self.start.0.saturating_add(from)),
            seconds: length as f64 / 1_000.0,
            answered: sums.answered,
            failed: sums.failed,
            prompt_tokens: sums.prompt_tokens,
            answer_tokens: sums.answer_tokens,
            mean_wall_ms: (sums.answered > 0).then(|| sums.wall_ms / sums.answered as f64),
            p50_wall_ms: sums.latencies.quantile(0.5),
            p95_wall_ms: sums.latencies.quantile(0.95),
        }
    }

    /// The sums of the interval in which this is.
    fn at(&mut self, at: Stamp) -> &mut Sums {
        let passed = at.0.saturating_sub(self.start.0).max(0);
        while self.sums.len() as i64 >= MOST && !self.sums.contains_key(&(passed / self.length)) {
            self.widen();
        }
        self.sums.entry(passed / self.length).or_default()
    }

    fn widen(&mut self) {
        let next = LENGTHS.iter().find(|length| **length > self.length);
        let next = next.copied().unwrap_or(self.length.saturating_mul(2));
        let times = next / self.length;
        for (key, sums) in std::mem::take(&mut self.sums) {
            self.sums.entry(key / times).or_default().add(&sums);
        }
        self.length = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_short_run_is_told_by_the_second() {
        let mut counter = IntervalCounter::new(Stamp(10_000));
        counter.answered(
            Stamp(10_400),
            Answered {
                prompt_tokens: 10,
                answer_tokens: 4,
                wall_ms: 300.0,
            },
        );
        counter.failed(Stamp(12_100));
        let intervals = counter.finish(Stamp(12_500));
        let told: Vec<_> = intervals
            .iter()
            .map(|one| (one.at.0, one.seconds, one.answered, one.failed))
            .collect();
        let expected = [
            (10_000, 1.0, 1, 0),
            (11_000, 1.0, 0, 0),
            (12_000, 0.5, 0, 1),
        ];
        assert_eq!(told, expected);
        assert_eq!(intervals[0].mean_wall_ms, Some(300.0));
        assert_eq!(intervals[1].mean_wall_ms, None);
        let half = intervals[0].p50_wall_ms.unwrap();
        assert!((290.0..310.0).contains(&half), "{half}");
        assert_eq!(intervals[1].p95_wall_ms, None);
    }

    #[test]
    fn a_night_is_told_in_a_few_hundred_intervals() {
        let mut counter = IntervalCounter::new(Stamp(0));
        for second in 0..36_000 {
            counter.answered(Stamp(second * 1_000), Answered::default());
        }
        let intervals = counter.finish(Stamp(36_000_000));
        assert_eq!(intervals.len(), 120);
        assert!(intervals.iter().all(|one| one.answered == 300));
    }

    proptest! {
        #[test]
        fn nothing_is_lost_whatever_the_clock_says(
            start in any::<i64>(),
            until in any::<i64>(),
            ends in prop::collection::vec(any::<i64>(), 0..400),
        ) {
            let mut counter = IntervalCounter::new(Stamp(start));
            for at in &ends {
                counter.failed(Stamp(*at));
            }
            let intervals = counter.finish(Stamp(until));
            prop_assert!(intervals.len() as i64 <= MOST + 1);
            prop_assert_eq!(intervals.iter().map(|one| one.failed).sum::<u64>(), ends.len() as u64);
        }
    }
}
