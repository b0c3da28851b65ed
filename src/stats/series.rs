//! A figure over time: every second of the last ten minutes, and the whole run more coarsely.

use std::time::Duration;

use crate::base::Moment;

/// Points of each of the two parts.
pub const SERIES_POINTS: usize = 600;

/// A figure over time in fixed memory. A second in which it was not measured is a gap.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    recent: Box<[(u64, Mean)]>,
    whole: Vec<Mean>,
    step: u64,
    newest: u64,
}

/// The whole run as points of one length each.
#[derive(Debug, Clone, PartialEq)]
pub struct Coarse {
    /// How long one point is: doubled whenever the run outgrows its points.
    pub step: Duration,
    /// The means, oldest first; `None` is a gap.
    pub points: Vec<Option<f64>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.join(Self {
            sum: value,
            count: 1,
        });
    }

    fn join(&mut self, other: Self) {
        self.sum += other.sum;
        self.count = self.count.saturating_add(other.count);
    }

    fn value(self) -> Option<f64> {
        (self.count > 0)
            .then(|| self.sum / self.count as f64)
            .filter(|mean| mean.is_finite())
    }
}

impl Series {
    /// No point yet; the whole run begins at [`Moment::ZERO`].
    pub fn new() -> Self {
        Self {
            recent: vec![(0, Mean::default()); SERIES_POINTS].into(),
            whole: Vec::with_capacity(SERIES_POINTS),
            step: 1,
            newest: 0,
        }
    }

    /// Takes in a measured value; several in one second are averaged. A value that is no number
    /// is a gap, and an earlier time than the latest one counts as the latest.
    pub fn add(&mut self, now: Moment, value: f64) {
        self.newest = self.newest.max(now.0.as_secs());
        if !value.is_finite() {
            return;
        }
        if let Some((second, mean)) = self.recent.get_mut(place(self.newest)) {
            if *second != self.newest {
                (*second, *mean) = (self.newest, Mean::default());
            }
            mean.add(value);
        }
        self.grow();
        if let Some(mean) = self.whole.get_mut((self.newest / self.step) as usize) {
            mean.add(value);
        }
    }

    /// The last 600 seconds up to `now`, oldest first; seconds before the start are gaps.
    pub fn recent(&self, now: Moment) -> impl ExactSizeIterator<Item = Option<f64>> {
        let now = now.0.as_secs().max(self.newest);
        (0..SERIES_POINTS).rev().map(move |ago| {
            let second = now.checked_sub(ago as u64)?;
            let &(found, mean) = self.recent.get(place(second))?;
            if found == second { mean.value() } else { None }
        })
    }

    /// The whole run up to the last measured value, in at most 600 points.
    pub fn whole(&self) -> Coarse {
        Coarse {
            step: Duration::from_secs(self.step),
            points: self.whole.iter().map(|mean| mean.value()).collect(),
        }
    }

    /// Makes room for the newest second, joining points by twos until it fits.
    fn grow(&mut self) {
        while self.newest / self.step >= SERIES_POINTS as u64 {
            self.whole = self.whole.chunks(2).map(joined).collect();
            self.step = self.step.saturating_mul(2);
        }
        let needed = (self.newest / self.step) as usize + 1;
        if self.whole.len() < needed {
            self.whole.resize(needed, Mean::default());
        }
    }
}

impl Default for Series {
    fn default() -> Self {
        Self::new()
    }
}

fn place(second: u64) -> usize {
    (second % SERIES_POINTS as u64) as usize
}

fn joined(points: &[Mean]) -> Mean {
    points.iter().fold(Mean::default(), |mut all, &point| {
        all.join(point);
        all
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn recent(series: &Series, now: u64) -> Vec<Option<f64>> {
        series.recent(at(now)).collect()
    }

    #[test]
    fn gaps_are_gaps_and_never_nothing() {
        let mut series = Series::new();
        series.add(at(0), 4.0);
        series.add(at(2), 0.0);
        series.add(at(3), f64::NAN);
        let points = recent(&series, 4);
        assert_eq!(points.len(), SERIES_POINTS);
        assert_eq!(points[595..], [Some(4.0), None, Some(0.0), None, None]);
        assert!(points[..595].iter().all(Option::is_none));
        assert_eq!(series.whole().points, [Some(4.0), None, Some(0.0)]);
    }

    #[test]
    fn several_values_of_a_second_are_averaged() {
        let mut series = Series::new();
        series.add(at(7), 2.0);
        series.add(at(7), 4.0);
        assert_eq!(recent(&series, 7).last(), Some(&Some(3.0)));
        assert_eq!(series.whole().points.last(), Some(&Some(3.0)));
    }

    #[test]
    fn what_is_older_than_ten_minutes_is_only_in_the_whole() {
        let mut series = Series::new();
        (0..1_200).for_each(|second| series.add(at(second), second as f64));
        assert_eq!(recent(&series, 1_199)[0], Some(600.0));
        let whole = series.whole();
        assert_eq!(whole.step, Duration::from_secs(2));
        assert_eq!(whole.points[..2], [Some(0.5), Some(2.5)]);
        assert_eq!(whole.points.len(), 600);
    }

    #[test]
    fn an_old_round_of_the_ring_is_not_taken_for_now() {
        let mut series = Series::new();
        series.add(at(10), 1.0);
        assert!(recent(&series, 610).iter().all(Option::is_none));
    }

    #[test]
    fn a_clock_that_goes_back_stands_still() {
        let mut series = Series::new();
        series.add(at(9), 1.0);
        series.add(at(3), 3.0);
        assert_eq!(recent(&series, 0).last(), Some(&Some(2.0)));
    }

    proptest! {
        #[test]
        fn jumps_never_panic_and_memory_never_grows(
            steps in proptest::collection::vec((any::<u64>(), any::<f64>()), 0..50),
        ) {
            let mut series = Series::new();
            for (second, value) in steps {
                series.add(at(second), value);
                prop_assert!(series.whole.len() <= SERIES_POINTS);
                prop_assert_eq!(series.recent(at(second)).len(), SERIES_POINTS);
            }
        }

        #[test]
        fn the_whole_run_keeps_every_value(seconds in 1u64..20_000) {
            let mut series = Series::new();
            (0..seconds).for_each(|second| series.add(at(second), 1.0));
            prop_assert_eq!(series.whole.iter().map(|mean| mean.count).sum::<u64>(), seconds);
            prop_assert!(series.whole().points.iter().all(|point| *point == Some(1.0)));
        }
    }
}
