//! How much happens a second, over the last seconds.

use std::time::Duration;

use crate::base::Moment;

/// Rates are not told before so much time was seen: they would jump about.
const LEAST: Duration = Duration::from_secs(2);

/// Events and amounts a second over a sliding window, in buckets of one second.
///
/// Time in which nothing happens counts, so rates fall to 0 when nothing comes.
#[derive(Debug, Clone, PartialEq)]
pub struct Rates {
    buckets: Box<[Bucket]>,
    start: Moment,
    newest: Moment,
    seen: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bucket {
    second: u64,
    events: u64,
    amount: u64,
}

impl Rates {
    /// Nothing seen yet; measuring begins at `start`. The window is taken in whole seconds, from
    /// 2 seconds to an hour.
    pub fn new(window: Duration, start: Moment) -> Self {
        let seconds = window.as_secs().clamp(2, 3_600);
        Self {
            buckets: vec![Bucket::default(); seconds as usize].into(),
            start,
            newest: start,
            seen: false,
        }
    }

    /// Takes in `events` that carry `amount` (of tokens, say) in all. An earlier time than the
    /// latest one counts as the latest.
    pub fn add(&mut self, now: Moment, events: u64, amount: u64) {
        self.newest = self.newest.max(now);
        self.seen = true;
        let second = self.newest.0.as_secs();
        let at = second % self.buckets.len() as u64;
        let Some(bucket) = self.buckets.get_mut(at as usize) else {
            return;
        };
        if bucket.second != second {
            *bucket = Bucket {
                second,
                ..Bucket::default()
            };
        }
        bucket.events = bucket.events.saturating_add(events);
        bucket.amount = bucket.amount.saturating_add(amount);
    }

    /// Events a second; `None` before the first event, or before 2 seconds have passed.
    pub fn events(&self, now: Moment) -> Option<f64> {
        self.rate(now, |bucket| bucket.events)
    }

    /// Amount a second; `None` as for [`Rates::events`].
    pub fn amounts(&self, now: Moment) -> Option<f64> {
        self.rate(now, |bucket| bucket.amount)
    }

    /// Events within the window.
    pub fn recent(&self, now: Moment) -> u64 {
        self.sum(self.newest.max(now), |bucket| bucket.events)
    }

    fn rate(&self, now: Moment, of: impl Fn(&Bucket) -> u64) -> Option<f64> {
        let now = self.newest.max(now);
        if !self.seen || now.since(self.start) < LEAST {
            return None;
        }
        let begin = Moment(Duration::from_secs(self.oldest(now))).max(self.start);
        Some(self.sum(now, of) as f64 / now.since(begin).as_secs_f64())
    }

    fn sum(&self, now: Moment, of: impl Fn(&Bucket) -> u64) -> u64 {
        let seconds = self.oldest(now)..=now.0.as_secs();
        self.buckets
            .iter()
            .filter(|bucket| seconds.contains(&bucket.second))
            .map(of)
            .fold(0, u64::saturating_add)
    }

    /// The first second of the window: the one that has just begun counts as one of them.
    fn oldest(&self, now: Moment) -> u64 {
        let others = self.buckets.len() as u64 - 1;
        now.0.as_secs().saturating_sub(others)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn at(seconds: f64) -> Moment {
        Moment(Duration::from_secs_f64(seconds))
    }

    #[test]
    fn nothing_is_told_before_something_was_measured() {
        let mut rates = Rates::new(MINUTE, at(0.0));
        assert_eq!(rates.events(at(100.0)), None);
        rates.add(at(0.5), 1, 10);
        assert_eq!(rates.events(at(1.9)), None);
        assert_eq!(rates.events(at(2.0)), Some(0.5));
        assert_eq!(rates.amounts(at(2.0)), Some(5.0));
    }

    #[test]
    fn the_rate_falls_to_nothing_when_nothing_comes() {
        let mut rates = Rates::new(MINUTE, at(0.0));
        (0..60).for_each(|second| rates.add(at(f64::from(second)), 4, 4));
        let falling: Vec<_> = [60.0, 80.0, 100.0, 118.0, 121.0]
            .map(|second| rates.events(at(second)).unwrap().round())
            .into();
        assert_eq!(falling, [4.0, 3.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn time_before_the_start_is_not_measured() {
        let mut rates = Rates::new(MINUTE, at(1_000.0));
        (1_000..1_010).for_each(|second| rates.add(at(f64::from(second)), 3, 0));
        assert_eq!(rates.events(at(1_010.0)), Some(3.0));
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut rates = Rates::new(MINUTE, at(0.0));
        rates.add(at(50.0), 5, 0);
        rates.add(at(10.0), 5, 0);
        assert_eq!(rates.recent(at(0.0)), 10);
        assert_eq!(rates.events(at(0.0)), rates.events(at(50.0)));
    }

    proptest! {
        #[test]
        fn a_steady_stream_is_measured_within_five_per_cent(
            per_second in 2.0f64..5_000.0,
            start in 0u64..100_000,
            run in 20u64..200,
        ) {
            let start = Moment(Duration::from_secs(start));
            let mut rates = Rates::new(MINUTE, start);
            let events = (per_second * run as f64) as u64;
            let moment = |event: u64| start + Duration::from_secs_f64(event as f64 / per_second);
            // Many events at one moment are given as one call, so that this test stays short.
            let step = (events / 2_000).max(1);
            for event in (0..events).step_by(step as usize) {
                rates.add(moment(event), step, step * 7);
            }
            let end = moment(events);
            let measured = rates.events(end).unwrap();
            prop_assert!((measured / per_second - 1.0).abs() < 0.05, "{measured} of {per_second}");
            let amount = rates.amounts(end).unwrap();
            prop_assert!((amount / per_second / 7.0 - 1.0).abs() < 0.05);
        }

        #[test]
        fn jumps_never_panic_and_memory_never_grows(
            steps in proptest::collection::vec((any::<u64>(), any::<u64>(), any::<u64>()), 0..50),
        ) {
            let mut rates = Rates::new(MINUTE, Moment::ZERO);
            for (second, events, amount) in steps {
                let now = Moment(Duration::from_secs(second));
                rates.add(now, events, amount);
                let rate = rates.events(now);
                prop_assert!(rate.is_none_or(|rate| rate.is_finite() && rate >= 0.0));
                prop_assert_eq!(rates.buckets.len(), 60);
            }
        }
    }
}
