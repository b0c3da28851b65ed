//! Energy of the cards from one sample to the next.
//!
//! A card's own counter is believed; where there is none, power × time stands in and is marked as
//! an estimate. While nothing is sampled nothing is counted.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::Moment;
use crate::model::{Card, Energy};

/// Power is not carried over a longer gap between two samples.
const LONGEST_GAP: Duration = Duration::from_secs(10);
/// No card takes more; a counter that says so has jumped.
const MOST_WATTS: f64 = 5_000.0;

/// Adds up energy from samples of the cards.
#[derive(Debug, Clone, Default)]
pub struct EnergyMeter {
    before: BTreeMap<String, Before>,
    used: Option<Energy>,
}

/// A card at the sample before.
#[derive(Debug, Clone, Copy)]
struct Before {
    at: Moment,
    joules: Option<f64>,
    watts: Option<f64>,
}

impl EnergyMeter {
    /// Takes one sample of the cards.
    pub fn sample<'a>(&mut self, now: Moment, cards: impl IntoIterator<Item = &'a Card>) {
        let mut seen = BTreeMap::new();
        for card in cards {
            let at = Before {
                at: now,
                joules: card.joules,
                watts: card.watts,
            };
            if let Some(before) = self.before.get(&card.id) {
                self.used = added(self.used, before, &at);
            }
            seen.insert(card.id.clone(), at);
        }
        self.before = seen;
    }

    /// Counts nothing between the last sample and the next one: nothing ran.
    pub fn pause(&mut self) {
        self.before.clear();
    }

    /// What was used so far; `None` where no card tells anything.
    pub const fn used(&self) -> Option<Energy> {
        self.used
    }
}

fn added(used: Option<Energy>, before: &Before, now: &Before) -> Option<Energy> {
    let seconds = now.at.since(before.at).as_secs_f64();
    let counted = before.joules.zip(now.joules).map(|(from, to)| to - from);
    // A counter begins anew when its driver is loaded anew.
    let counted = counted.filter(|joules| (0.0..=MOST_WATTS * seconds.max(1.0)).contains(joules));
    let energy = used.unwrap_or_default();
    if let Some(joules) = counted {
        return Some(Energy {
            joules: energy.joules + joules,
            ..energy
        });
    }
    let Some((from, to)) = before.watts.zip(now.watts) else {
        return used;
    };
    let watts = f64::midpoint(from, to).clamp(0.0, MOST_WATTS);
    let joules = watts * seconds.min(LONGEST_GAP.as_secs_f64());
    Some(Energy {
        joules: energy.joules + joules,
        estimated: energy.estimated + joules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn card(joules: Option<f64>, watts: Option<f64>) -> Card {
        Card {
            id: "GPU-1".into(),
            joules,
            watts,
            ..Card::default()
        }
    }

    fn at(second: u64) -> Moment {
        Moment(Duration::from_secs(second))
    }

    fn close(one: f64, other: f64) -> bool {
        (one - other).abs() < 1e-6
    }

    #[test]
    fn the_counter_is_believed() {
        let mut meter = EnergyMeter::default();
        assert_eq!(meter.used(), None);
        for second in 0..3_600 {
            meter.sample(
                at(second),
                &[card(Some(7.0 + second as f64 * 360.0), Some(1.0))],
            );
        }
        let energy = meter.used().unwrap();
        assert!(close(energy.joules, 3_599.0 * 360.0));
        assert!(!energy.is_estimate());
        assert!(close(energy.kilowatt_hours(), 0.3599));
    }

    #[test]
    fn power_stands_in_and_is_marked() {
        let mut meter = EnergyMeter::default();
        meter.sample(at(0), &[card(None, Some(100.0))]);
        meter.sample(at(1), &[card(None, Some(300.0))]);
        let energy = meter.used().unwrap();
        assert!(close(energy.joules, 200.0) && close(energy.estimated, 200.0));
    }

    #[test]
    fn a_counter_that_begins_anew_takes_nothing_away() {
        let mut meter = EnergyMeter::default();
        meter.sample(at(0), &[card(Some(1e9), Some(100.0))]);
        meter.sample(at(1), &[card(Some(5.0), Some(100.0))]);
        meter.sample(at(2), &[card(Some(105.0), Some(100.0))]);
        let energy = meter.used().unwrap();
        assert!(close(energy.joules, 200.0) && close(energy.estimated, 100.0));
    }

    #[test]
    fn a_pause_and_a_card_that_tells_nothing_count_nothing() {
        let mut meter = EnergyMeter::default();
        meter.sample(at(0), &[card(Some(0.0), None)]);
        meter.pause();
        meter.sample(at(900), &[card(Some(90_000.0), None)]);
        assert_eq!(meter.used(), None);
        let mut silent = EnergyMeter::default();
        silent.sample(at(0), &[card(None, None)]);
        silent.sample(at(1), &[card(None, None)]);
        assert_eq!(silent.used(), None);
    }

    #[test]
    fn a_reading_that_goes_missing_takes_nothing_away() {
        let mut meter = EnergyMeter::default();
        meter.sample(at(0), &[card(None, Some(100.0))]);
        meter.sample(at(1), &[card(None, Some(100.0))]);
        meter.sample(at(2), &[card(None, None)]);
        assert!(close(meter.used().unwrap().joules, 100.0));
    }

    proptest! {
        #[test]
        fn energy_never_falls(
            samples in proptest::collection::vec(
                (0u64..100, proptest::option::of(any::<f64>()), proptest::option::of(any::<f64>())),
                0..50,
            ),
        ) {
            let mut meter = EnergyMeter::default();
            let (mut second, mut last) = (0, 0.0);
            for (later, joules, watts) in samples {
                second += later;
                let watts = watts.filter(|watts| watts.is_finite());
                meter.sample(at(second), &[card(joules, watts)]);
                let joules = meter.used().map_or(0.0, |energy| energy.joules);
                prop_assert!(joules >= last);
                last = joules;
            }
        }
    }
}
