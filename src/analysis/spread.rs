//! How numbers are spread, without keeping every one of them.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;
use serde::Serialize;

/// Different scores that are told apart; further ones are rounded to two digits.
const MOST_DIFFERENT: usize = 10_000;

/// A summary of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    /// How many.
    pub count: u64,
    /// The least.
    pub least: f64,
    /// A tenth is not above this.
    pub p10: f64,
    /// Half of them are not above this.
    pub median: f64,
    /// Nine tenths are not above this.
    pub p90: f64,
    /// 99 of a hundred are not above this.
    pub p99: f64,
    /// The most.
    pub most: f64,
    /// Their mean.
    pub mean: f64,
}

impl Spread {
    /// The same numbers in another unit, of which each is so many.
    #[must_use]
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            count: self.count,
            least: self.least * factor,
            p10: self.p10 * factor,
            median: self.median * factor,
            p90: self.p90 * factor,
            p99: self.p99 * factor,
            most: self.most * factor,
            mean: self.mean * factor,
        }
    }
}

/// Measurements that are whole numbers or times: tokens, milliseconds. Quantiles are exact to a
/// thousandth; about 100 kB, however many.
#[derive(Debug, Clone)]
pub(super) struct Measurements {
    histogram: Histogram<u64>,
    sum: f64,
    scale: f64,
}

impl Measurements {
    /// `scale` is how many steps there are in one unit.
    pub(super) fn new(scale: f64) -> Self {
        Self {
            histogram: Histogram::new_with_bounds(1, 1 << 40, 3).expect("the bounds are valid"),
            sum: 0.0,
            scale,
        }
    }

    pub(super) fn add(&mut self, number: f64) {
        if number.is_finite() && number >= 0.0 {
            let steps = (number * self.scale).round() as u64;
            self.histogram.saturating_record(steps);
            self.sum += number;
        }
    }

    pub(super) const fn sum(&self) -> f64 {
        self.sum
    }

    pub(super) fn spread(&self) -> Option<Spread> {
        let histogram = Some(&self.histogram).filter(|found| !found.is_empty())?;
        let at = |part| histogram.value_at_quantile(part) as f64 / self.scale;
        Some(Spread {
            count: histogram.len(),
            least: histogram.min() as f64 / self.scale,
            p10: at(0.1),
            median: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            most: histogram.max() as f64 / self.scale,
            mean: self.sum / histogram.len() as f64,
        })
    }
}

/// Scores: few different ones, each counted exactly.
#[derive(Debug, Clone, Default)]
pub(super) struct Scores {
    counts: BTreeMap<Ordered, u64>,
    count: u64,
    sum: f64,
}

/// A number that is not NaN, in its order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f64);

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// A bar of a histogram.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bar {
    /// The least score that it counts.
    pub from: f64,
    /// The most: the same where it counts one score only, else the next bar's least, which it does
    /// not count unless it is the last.
    pub to: f64,
    /// How many.
    pub count: u64,
}

/// Bars of a histogram at most.
const BARS: usize = 21;

impl Scores {
    pub(super) fn add(&mut self, score: f64) {
        // Negative zero is zero.
        let mut score = score + 0.0;
        if self.counts.len() >= MOST_DIFFERENT && !self.counts.contains_key(&Ordered(score)) {
            let size = 10_f64.powf(score.abs().max(1e-9).log10().floor() - 1.0);
            score = (score / size).round() * size;
        }
        *self.counts.entry(Ordered(score)).or_default() += 1;
        self.count += 1;
        self.sum += score;
    }

    pub(super) fn spread(&self) -> Option<Spread> {
        let (least, most) = (
            self.counts.keys().next()?.0,
            self.counts.keys().next_back()?.0,
        );
        Some(Spread {
            count: self.count,
            least,
            p10: self.at(0.1),
            median: self.at(0.5),
            p90: self.at(0.9),
            p99: self.at(0.99),
            most,
            mean: self.sum / self.count as f64,
        })
    }

    /// The least score that so large a part of all does not exceed.
    fn at(&self, part: f64) -> f64 {
        let wanted = ((part * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        let mut scores = self.counts.iter();
        scores
            .find_map(|(score, count)| {
                seen += count;
                (seen >= wanted).then_some(score.0)
            })
            .unwrap_or(f64::NAN)
    }

    /// A bar for each score where they are whole and few, else ten of equal width.
    pub(super) fn bars(&self) -> Vec<Bar> {
        let ends = (self.counts.keys().next(), self.counts.keys().next_back());
        let (Some(least), Some(most)) = ends else {
            return Vec::new();
        };
        let (least, most) = (least.0, most.0);
        let are_whole = self.counts.keys().all(|score| score.0.fract() == 0.0);
        if are_whole && most - least < BARS as f64 {
            return (0..=(most - least) as u32)
                .map(|step| {
                    let score = least + f64::from(step);
                    let count = self.counts.get(&Ordered(score)).copied().unwrap_or(0);
                    Bar {
                        from: score,
                        to: score,
                        count,
                    }
                })
                .collect();
        }
        if most <= least {
            return vec![Bar {
                from: least,
                to: least,
                count: self.count,
            }];
        }
        self.equal_bars(least, most)
    }

    fn equal_bars(&self, least: f64, most: f64) -> Vec<Bar> {
        const EQUAL: u32 = 10;
        // Halved first: the difference of two finite numbers may not be one.
        let step = (most / 2.0 - least / 2.0) / f64::from(EQUAL) * 2.0;
        let edge = |number: u32| least + step * f64::from(number);
        let mut bars: Vec<Bar> = (0..EQUAL)
            .map(|number| Bar {
                from: edge(number),
                to: edge(number + 1),
                count: 0,
            })
            .collect();
        for (score, count) in &self.counts {
            let place = ((score.0 - least) / step) as usize;
            if let Some(bar) = bars.get_mut(place.min(EQUAL as usize - 1)) {
                bar.count += count;
            }
        }
        bars
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scores(numbers: &[f64]) -> Scores {
        let mut scores = Scores::default();
        for number in numbers {
            scores.add(*number);
        }
        scores
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!(Scores::default().spread(), None);
        assert_eq!(Scores::default().bars(), []);
        assert_eq!(Measurements::new(1.0).spread(), None);
    }

    #[test]
    fn whole_scores_have_a_bar_each() {
        let scores = scores(&[3.0, 5.0, 5.0, -0.0, 0.0]);
        let counts: Vec<_> = scores.bars().iter().map(|bar| bar.count).collect();
        assert_eq!(counts, [2, 0, 0, 1, 0, 2]);
        let spread = scores.spread().unwrap();
        assert_eq!((spread.median, spread.mean, spread.most), (3.0, 2.6, 5.0));
    }

    #[test]
    fn other_scores_have_ten_bars() {
        let scores = scores(&[0.0, 0.05, 0.95, 1.0]);
        let bars = scores.bars();
        assert_eq!((bars.len(), bars[0].count, bars[9].count), (10, 2, 2));
    }

    proptest! {
        #[test]
        fn quantiles_are_those_of_the_sorted_numbers(mut numbers in prop::collection::vec(-1e9..1e9, 1..300)) {
            let spread = scores(&numbers).spread().unwrap();
            numbers.sort_by(f64::total_cmp);
            let at = |part: f64| numbers[((part * numbers.len() as f64).ceil() as usize).max(1) - 1];
            prop_assert_eq!((spread.p10, spread.median, spread.p90), (at(0.1), at(0.5), at(0.9)));
        }

        #[test]
        fn every_score_is_in_a_bar(numbers in prop::collection::vec(any::<f64>().prop_filter("finite", |number| number.is_finite()), 1..300)) {
            let scores = scores(&numbers);
            prop_assert_eq!(scores.bars().iter().map(|bar| bar.count).sum::<u64>(), numbers.len() as u64);
        }

        #[test]
        fn measurements_are_near(numbers in prop::collection::vec(1u32..1_000_000, 1..300)) {
            let mut measurements = Measurements::new(1.0);
            for number in &numbers {
                measurements.add(f64::from(*number));
            }
            let spread = measurements.spread().unwrap();
            let exact = scores(&numbers.iter().map(|number| f64::from(*number)).collect::<Vec<_>>()).spread().unwrap();
            prop_assert!((spread.median / exact.median - 1.0).abs() < 0.002);
            prop_assert!((spread.mean / exact.mean - 1.0).abs() < 1e-9);
        }
    }
}
