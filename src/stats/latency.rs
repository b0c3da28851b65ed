//! How long the last answers took.

use std::time::Duration;

use hdrhistogram::Histogram;

use crate::model::LatencyView;

/// Values after which the older half of what is remembered is forgotten.
const HALF: u64 = 1_000;
/// What takes longer counts as so long.
const LONGEST: Duration = Duration::from_hours(7 * 24);

/// Percentiles over the last 1,000 to 2,000 values, one per cent exact.
#[derive(Debug, Clone)]
pub struct Latency {
    newer: Option<Histogram<u64>>,
    older: Option<Histogram<u64>>,
}

impl Latency {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            newer: empty(),
            older: None,
        }
    }

    /// Takes in one value.
    pub fn add(&mut self, length: Duration) {
        let Some(newer) = &mut self.newer else { return };
        let micros = length.min(LONGEST).as_micros() as u64;
        newer.saturating_record(micros.max(1));
        if newer.len() >= HALF {
            self.older = std::mem::replace(&mut self.newer, empty());
        }
    }

    /// The percentiles; `None` before the first value.
    pub fn view(&self) -> Option<LatencyView> {
        let mut all = self.newer.clone()?;
        if let Some(older) = &self.older {
            all.add(older).ok()?;
        }
        let at = |part: f64| Duration::from_micros(all.value_at_quantile(part));
        (!all.is_empty()).then(|| LatencyView {
            p50: at(0.50),
            p95: at(0.95),
            p99: at(0.99),
        })
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self::new()
    }
}

/// About 30 kB, whatever is put in. The bounds are right, so there always is one; were they not,
/// nothing would be measured and nothing shown.
fn empty() -> Option<Histogram<u64>> {
    Histogram::new_with_bounds(1, LONGEST.as_micros() as u64, 2).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Latency {
        let mut latency = Latency::new();
        values
            .into_iter()
            .for_each(|millis| latency.add(Duration::from_millis(millis)));
        latency
    }

    fn near(found: Duration, expected: u64) -> bool {
        (found.as_secs_f64() * 1000.0 / expected as f64 - 1.0).abs() <= 0.011
    }

    #[test]
    fn nothing_is_told_of_nothing() {
        assert_eq!(Latency::new().view(), None);
    }

    #[test]
    fn percentiles_are_those_of_the_values() {
        let view = of(1..=999).view().unwrap();
        assert!(near(view.p50, 500), "{view:?}");
        assert!(near(view.p95, 950), "{view:?}");
        assert!(near(view.p99, 990), "{view:?}");
    }

    #[test]
    fn one_value_is_all_percentiles() {
        let view = of([840]).view().unwrap();
        assert!(near(view.p50, 840) && view.p50 == view.p99);
    }

    #[test]
    fn old_values_are_forgotten() {
        let slow_then_fast = (0..1_000).map(|_| 60_000).chain((0..2_000).map(|_| 10));
        assert!(near(of(slow_then_fast).view().unwrap().p99, 10));
        let just_turned = (0..1_000).map(|_| 60_000);
        assert!(near(of(just_turned).view().unwrap().p50, 60_000));
    }

    proptest! {
        #[test]
        fn percentiles_rise_and_memory_stands(values in proptest::collection::vec(any::<u64>(), 1..3_000)) {
            let mut latency = Latency::new();
            let buckets = latency.newer.as_ref().unwrap().distinct_values();
            for value in values {
                latency.add(Duration::from_nanos(value));
                latency.add(Duration::from_secs(value));
            }
            let view = latency.view().unwrap();
            prop_assert!(view.p50 <= view.p95 && view.p95 <= view.p99);
            prop_assert_eq!(latency.newer.as_ref().unwrap().distinct_values(), buckets);
        }
    }
}
