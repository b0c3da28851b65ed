//! How long answers took, coarsely: enough for a line in a chart, in little memory.

/// Classes for each doubling of the time: a class is 9 % wide.
const PER_DOUBLING: f64 = 8.0;
/// Classes at most: from a millisecond to more than ten days.
const MOST: usize = 240;

/// Times of answers, of which quantiles are known to 5 %.
#[derive(Debug, Clone, Default)]
pub(super) struct Latencies {
    counts: Vec<u32>,
    count: u64,
}

impl Latencies {
    pub(super) fn add(&mut self, milliseconds: f64) {
        let class = (milliseconds.max(1.0).log2() * PER_DOUBLING) as usize;
        self.add_to(class.min(MOST - 1), 1);
    }

    /// Takes in others.
    pub(super) fn merge(&mut self, other: &Self) {
        for (class, count) in other.counts.iter().enumerate() {
            self.add_to(class, *count);
        }
    }

    /// The time in milliseconds that this part of all does not exceed; `None` of nothing.
    pub(super) fn quantile(&self, part: f64) -> Option<f64> {
        let wanted = (part * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        let class = self.counts.iter().position(|count| {
            seen += u64::from(*count);
            seen >= wanted
        })?;
        let middle = ((class as f64 + 0.5) / PER_DOUBLING).exp2();
        Some(middle.round())
    }

    fn add_to(&mut self, class: usize, more: u32) {
        if class >= self.counts.len() {
            self.counts.resize(class + 1, 0);
        }
        if let Some(count) = self.counts.get_mut(class) {
            *count = count.saturating_add(more);
        }
        self.count += u64::from(more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_quantile() {
        assert_eq!(Latencies::default().quantile(0.5), None);
    }

    proptest! {
        #[test]
        fn quantiles_are_near_however_they_were_merged(
            mut times in prop::collection::vec(20.0..1e7, 1..200),
            split in 0usize..200,
        ) {
            let (mut all, mut rest) = (Latencies::default(), Latencies::default());
            for (number, time) in times.iter().enumerate() {
                if number < split { all.add(*time) } else { rest.add(*time) }
            }
            all.merge(&rest);
            times.sort_by(f64::total_cmp);
            for part in [0.5, 0.95, 1.0] {
                let exact = times[((part * times.len() as f64).ceil() as usize).max(1) - 1];
                let told = all.quantile(part).unwrap();
                prop_assert!((told / exact - 1.0).abs() < 0.07, "{} for {}", told, exact);
            }
        }

        #[test]
        fn any_time_is_taken(times in prop::collection::vec(any::<f64>(), 0..50)) {
            let mut all = Latencies::default();
            for time in &times {
                all.add(*time);
            }
            prop_assert!(all.counts.len() <= MOST);
            prop_assert_eq!(all.quantile(1.0).is_some(), !times.is_empty());
        }
    }
}
