//! Axes: round steps from nothing to the most, and times that a reader can name.

use std::time::Duration;

use crate::base::{duration, short};

/// Steps of an axis at most.
const STEPS: f64 = 4.0;

/// An axis from 0 to `most` in equal steps.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Scale {
    /// Where it ends.
    pub(super) most: f64,
    /// Where its steps are, with what stands beside them.
    pub(super) steps: Vec<(f64, String)>,
}

impl Scale {
    /// An axis on which `largest` has room.
    pub(super) fn of(largest: f64) -> Self {
        let largest = if largest.is_finite() && largest > 0.0 {
            largest
        } else {
            1.0
        };
        let rough = largest / STEPS;
        let size = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|times| times * size)
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let count = (largest / step - 1e-9).ceil().clamp(1.0, 10.0) as u32;
        let steps = (0..=count).map(|number| {
            let value = step * f64::from(number);
            (value, label(value, step))
        });
        Self {
            most: step * f64::from(count),
            steps: steps.collect(),
        }
    }

    /// An axis of whole numbers.
    pub(super) fn of_counts(largest: u64) -> Self {
        // Fewer than the steps of an axis would be told in parts of one.
        Self::of(largest.max(STEPS as u64) as f64)
    }

    /// An axis of time from the start of a run, over so many milliseconds.
    pub(super) fn of_time(milliseconds: i64) -> Self {
        const NAMED: [i64; 18] = [
            1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 21_600,
            43_200, 86_400,
        ];
        let seconds = milliseconds.max(1_000) / 1_000;
        let days = 86_400 * (seconds / 86_400 / 5 + 1);
        let step = NAMED
            .into_iter()
            .find(|step| seconds / step <= 6)
            .unwrap_or(days);
        let steps = (0..=seconds / step).map(|number| {
            let passed = number.saturating_mul(step).unsigned_abs();
            (passed as f64 * 1_000.0, time_label(passed))
        });
        Self {
            most: milliseconds.max(1_000) as f64,
            steps: steps.collect(),
        }
    }
}

fn label(value: f64, step: f64) -> String {
    if step >= 1_000.0 {
        return short(value as u64);
    }
    let digits = (-step.log10().floor()).clamp(0.0, 6.0) as usize;
    let digits = if (step * 10_f64.powi(digits as i32)).fract() > 1e-9 {
        digits + 1
    } else {
        digits
    };
    format!("{value:.digits$}")
}

/// `0`, `30 s`, `10 min`, `1 h 30 min`: no more precise than the axis.
fn time_label(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0) => "0".to_owned(),
        (0, 0, rest) => format!("{rest} s"),
        (0, minutes, 0) => format!("{minutes} min"),
        (hours @ 1..24, 0, 0) => format!("{hours} h"),
        _ => duration(Duration::from_secs(seconds)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case(0.0, &["0.00", "0.25", "0.50", "0.75", "1.00"])]
    #[case(41.3, &["0", "20", "40", "60"])]
    #[case(0.09, &["0.000", "0.025", "0.050", "0.075", "0.100"])]
    #[case(24.0, &["0", "10", "20", "30"])]
    #[case(15_000.0, &["0", "5,000", "10,000", "15,000"])]
    #[case(3_900_000.0, &["0", "1.0 M", "2.0 M", "3.0 M", "4.0 M"])]
    #[case(f64::NAN, &["0.00", "0.25", "0.50", "0.75", "1.00"])]
    fn steps_are_round(#[case] largest: f64, #[case] labels: &[&str]) {
        let scale = Scale::of(largest);
        let told: Vec<_> = scale.steps.iter().map(|step| step.1.as_str()).collect();
        assert_eq!(told, labels);
    }

    #[test]
    fn counts_are_whole() {
        let steps = Scale::of_counts(2).steps;
        let labels: Vec<_> = steps.iter().map(|step| step.1.as_str()).collect();
        assert_eq!(labels, ["0", "1", "2", "3", "4"]);
    }

    #[rstest]
    #[case(9_000, &["0", "2 s", "4 s", "6 s", "8 s"])]
    #[case(31_260_000, &["0", "2 h", "4 h", "6 h", "8 h"])]
    #[case(600_000, &["0", "2 min", "4 min", "6 min", "8 min", "10 min"])]
    fn times_can_be_named(#[case] milliseconds: i64, #[case] labels: &[&str]) {
        let scale = Scale::of_time(milliseconds);
        let told: Vec<_> = scale.steps.iter().map(|step| step.1.as_str()).collect();
        assert_eq!(told, labels);
    }

    proptest! {
        #[test]
        fn there_is_room_for_everything(largest in 1e-6..1e15, milliseconds in 0i64..i64::MAX / 2) {
            let scale = Scale::of(largest);
            prop_assert!(scale.most >= largest * 0.999_999 && scale.steps.len() <= 11);
            prop_assert!(Scale::of_time(milliseconds).steps.len() <= 10);
        }
    }
}
