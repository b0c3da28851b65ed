//! How long the rest will take.

use std::time::Duration;

use super::Rates;
use crate::base::Moment;

/// Completions or running time without which nothing is told.
const ENOUGH: u64 = 10;
const LONG_ENOUGH: Duration = Duration::from_secs(10);
/// The present pace is that of so long, or of the whole run where that held too few completions.
const RECENT: Duration = Duration::from_mins(5);
const ENOUGH_RECENT: u64 = 20;
/// Below this no pace is believed, however many completions came.
const LEAST: Duration = Duration::from_secs(2);

/// Standard deviations within which nine of ten values of a normal distribution fall short.
const NINE_OF_TEN: f64 = 1.2816;

/// The time left, from the pace of late. Paused time does not count: it neither passes for the
/// pace nor makes it slower.
#[derive(Debug, Clone, PartialEq)]
pub struct Eta {
    rates: Rates,
    start: Moment,
    completed: u64,
    paused: Duration,
    paused_since: Option<Moment>,
}

/// Completions a second.
#[derive(Debug, Clone, Copy)]
struct Pace {
    present: f64,
    overall: f64,
    /// Completions that the present pace was seen in.
    seen: u64,
}

impl Eta {
    /// Nothing completed yet; running since `start`.
    pub fn new(start: Moment) -> Self {
        Self {
            rates: Rates::new(RECENT, start),
            start,
            completed: 0,
            paused: Duration::ZERO,
            paused_since: None,
        }
    }

    /// Takes in `count` completions.
    pub fn completed(&mut self, now: Moment, count: u64) {
        self.completed = self.completed.saturating_add(count);
        self.rates.add(self.running(now), count, 0);
    }

    /// Time stands still from here; again while paused changes nothing.
    pub fn pause(&mut self, now: Moment) {
        self.paused_since.get_or_insert(now);
    }

    /// Time passes again from here; while running it changes nothing.
    pub fn resume(&mut self, now: Moment) {
        if let Some(since) = self.paused_since.take() {
            self.paused = self.paused.saturating_add(now.since(since));
        }
    }

    /// Time for the `left` ones at the present pace; `None` before there were 10 completions or
    /// 10 seconds with one.
    pub fn estimate(&self, now: Moment, left: u64) -> Option<Duration> {
        if left == 0 {
            return Some(Duration::ZERO);
        }
        Duration::try_from_secs_f64(left as f64 / self.pace(now)?.present).ok()
    }

    /// The estimate, and the time that is enough in nine cases of ten. The second is the further
    /// away the fewer completions the pace was seen in, the fewer are left to even out, and the
    /// slower the run as a whole was than it is now.
    pub fn interval(&self, now: Moment, left: u64) -> Option<(Duration, Duration)> {
        let middle = self.estimate(now, left)?;
        if left == 0 {
            return Some((middle, middle));
        }
        let pace = self.pace(now)?;
        let spread = (1.0 / pace.seen as f64 + 1.0 / left as f64).sqrt();
        let slow = left as f64 / pace.present.min(pace.overall);
        let late = Duration::try_from_secs_f64(slow * (1.0 + NINE_OF_TEN * spread)).ok()?;
        Some((middle, late.max(middle)))
    }

    fn pace(&self, now: Moment) -> Option<Pace> {
        let running = self.running(now);
        let passed = running.since(self.start);
        let measured = self.completed >= ENOUGH || passed >= LONG_ENOUGH;
        if !measured || self.completed == 0 || passed < LEAST {
            return None;
        }
        let overall = self.completed as f64 / passed.as_secs_f64();
        let recent = self.rates.recent(running);
        if recent < ENOUGH_RECENT {
            return Some(Pace {
                present: overall,
                overall,
                seen: self.completed,
            });
        }
        Some(Pace {
            present: self.rates.events(running)?,
            overall,
            seen: recent,
        })
    }

    /// The moment less all the time that was paused.
    fn running(&self, now: Moment) -> Moment {
        let standing = self
            .paused_since
            .map_or(Duration::ZERO, |since| now.since(since));
        let paused = self.paused.saturating_add(standing);
        Moment(now.0.saturating_sub(paused)).max(self.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn minutes(eta: &Eta, second: u64, left: u64) -> Option<u64> {
        let left = eta.estimate(at(second), left)?;
        Some((left.as_secs_f64() / 60.0).round() as u64)
    }

    /// One completion a second in each of these seconds.
    fn steady(eta: &mut Eta, seconds: std::ops::Range<u64>) {
        seconds.for_each(|second| eta.completed(at(second), 1));
    }

    #[test]
    fn nothing_is_told_before_enough_was_seen() {
        let mut eta = Eta::new(at(0));
        assert_eq!(eta.estimate(at(1_000), 5), None);
        eta.completed(at(3), 1);
        assert_eq!(eta.estimate(at(9), 5), None);
        assert_eq!(eta.estimate(at(10), 5), Some(Duration::from_secs(50)));
        let mut burst = Eta::new(at(0));
        burst.completed(at(1), 500);
        assert_eq!(burst.estimate(at(1), 500), None);
        assert!(burst.estimate(at(2), 500).is_some());
    }

    #[test]
    fn nothing_left_takes_no_time() {
        assert_eq!(Eta::new(at(0)).estimate(at(0), 0), Some(Duration::ZERO));
    }

    #[test]
    fn the_pace_of_late_counts() {
        let mut eta = Eta::new(at(0));
        (0..600).for_each(|second| eta.completed(at(second), 10));
        assert_eq!(minutes(&eta, 600, 6_000), Some(10));
        steady(&mut eta, 600..1_000);
        assert_eq!(minutes(&eta, 1_000, 6_000), Some(100));
    }

    #[test]
    fn slow_answers_are_averaged_over_the_whole_run() {
        let mut eta = Eta::new(at(0));
        (1..=10).for_each(|answer| eta.completed(at(answer * 200), 1));
        assert_eq!(eta.estimate(at(2_000), 3), Some(Duration::from_mins(10)));
    }

    #[test]
    fn a_night_of_pause_changes_nothing() {
        let mut eta = Eta::new(at(0));
        steady(&mut eta, 0..100);
        let before = eta.estimate(at(100), 1_000);
        eta.pause(at(100));
        eta.pause(at(200));
        assert_eq!(eta.estimate(at(20_000), 1_000), before);
        eta.resume(at(30_000));
        eta.resume(at(30_001));
        assert_eq!(eta.estimate(at(30_000), 1_000), before);
        steady(&mut eta, 30_000..30_100);
        assert_eq!(minutes(&eta, 30_100, 1_200), Some(20));
    }

    #[test]
    fn answers_that_drain_during_a_pause_count() {
        let mut eta = Eta::new(at(0));
        steady(&mut eta, 0..100);
        eta.pause(at(100));
        eta.completed(at(105), 4);
        assert!(eta.estimate(at(110), 100).is_some());
    }

    #[test]
    fn the_interval_narrows_as_more_is_seen() {
        let width = |seen: u64| {
            let mut eta = Eta::new(at(0));
            steady(&mut eta, 0..seen);
            let (middle, late) = eta.interval(at(seen), 10_000).unwrap();
            late.as_secs_f64() / middle.as_secs_f64()
        };
        assert!(width(20) > 1.2, "{}", width(20));
        assert!(width(290) < width(20));
        assert!(width(290) > 1.0);
    }

    #[test]
    fn a_run_that_was_slower_before_may_be_so_again() {
        let mut eta = Eta::new(at(0));
        steady(&mut eta, 0..1_000);
        (1_000..1_400).for_each(|second| eta.completed(at(second), 10));
        let (middle, late) = eta.interval(at(1_400), 10_000).unwrap();
        assert!(late > middle * 2, "{middle:?} {late:?}");
        assert_eq!(eta.interval(at(1_400), 0), Some(Default::default()));
    }

    proptest! {
        #[test]
        fn jumps_never_panic(
            steps in proptest::collection::vec((any::<u64>(), any::<u64>(), 0u8..3), 0..60),
        ) {
            let mut eta = Eta::new(at(5));
            for (second, count, kind) in steps {
                match kind {
                    0 => eta.completed(at(second), count),
                    1 => eta.pause(at(second)),
                    _ => eta.resume(at(second)),
                }
                let interval = eta.interval(at(second), count);
                prop_assert!(interval.is_none_or(|(middle, late)| middle <= late));
            }
        }

        #[test]
        fn more_left_never_takes_less(left in 1u64..1_000_000, more in 1u64..1_000_000) {
            let mut eta = Eta::new(at(0));
            steady(&mut eta, 0..60);
            prop_assert!(eta.estimate(at(60), left) <= eta.estimate(at(60), left + more));
        }
    }
}
