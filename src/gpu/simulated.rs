//! A card that does not exist, for the demo: believable figures that are the same in every run.

use super::{Sampler, host};
use crate::model::{Card, CardMemory, CardProcess, Readings, Throttle};

const MIB: u64 = 1 << 20;
const TOTAL: u64 = 16_376 * MIB;
/// What a desktop holds beside the model.
const OTHERS: u64 = 412 * MIB;
/// What the runner holds at first, and how far its cache and buffers grow.
const MODEL: u64 = 9_870 * MIB;
const GROWTH: u64 = 640 * MIB;
const COLD: f64 = 41.0;
const WARM: f64 = 71.0;
const WATTS_LIMIT: f64 = 320.0;

/// A card that computes whenever it is asked. Each sample stands for a second.
#[derive(Debug, Clone, Default)]
pub struct Simulated {
    seconds: u32,
    joules: f64,
}

impl Sampler for Simulated {
    fn sample(&mut self) -> Readings {
        let watts = self.watts();
        self.seconds = self.seconds.saturating_add(1);
        self.joules += watts;
        Readings {
            cards: vec![self.card(watts)],
            driver: Some("SIMULATED".to_owned()),
            host: host::memory(&super::Places::default().proc),
            ..Readings::default()
        }
    }
}

impl Simulated {
    /// A wave from -1 to 1 with a period of so many seconds.
    fn wave(&self, period: f64) -> f64 {
        (f64::from(self.seconds) * std::f64::consts::TAU / period).sin()
    }

    fn watts(&self) -> f64 {
        let swing = 18.0f64.mul_add(self.wave(37.0), 7.0 * self.wave(5.3));
        (291.0 + swing).min(WATTS_LIMIT - 0.4)
    }

    /// How far it has come from its start to where it stays, from 0 to 1.
    fn settled(&self, seconds: f64) -> f64 {
        1.0 - (-f64::from(self.seconds) / seconds).exp()
    }

    fn card(&self, watts: f64) -> Card {
        let celsius = (WARM - COLD).mul_add(self.settled(90.0), COLD) + 1.6 * self.wave(43.0);
        let runner = MODEL + (GROWTH as f64 * self.settled(120.0)) as u64;
        let used = runner + OTHERS;
        let slowed = (watts > 312.0).then_some(Throttle::PowerLimit);
        Card {
            id: "simulated-0".to_owned(),
            name: "SIMULATED RTX 4080".to_owned(),
            memory: Some(CardMemory {
                total: TOTAL,
                used,
                free: TOTAL - used,
            }),
            busy_percent: Some((95.0 + 4.0 * self.wave(11.0)) as u32),
            celsius: Some(celsius as i32),
            watts: Some(watts),
            watts_limit: Some(WATTS_LIMIT),
            joules: Some(self.joules),
            core_mhz: Some((2_610.0 + 60.0 * self.wave(29.0)) as u32),
            memory_mhz: Some(11_201),
            throttled: Some(slowed.into_iter().collect()),
            processes: Some(vec![
                process(4_242, "/usr/lib/ollama/llama-server", runner),
                process(1_717, "/usr/bin/Xwayland", OTHERS),
            ]),
            ..Card::default()
        }
    }
}

fn process(pid: u32, name: &str, memory: u64) -> CardProcess {
    CardProcess {
        pid,
        name: Some(name.to_owned()),
        memory: Some(memory),
        busy_percent: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_marked_and_stays_believable_for_a_day() {
        let mut card = Simulated::default();
        let mut before = 0.0;
        for _ in 0..86_400 {
            let readings = card.sample();
            let card = &readings.cards[0];
            assert!(card.name.starts_with("SIMULATED"));
            let memory = card.memory.unwrap();
            assert!(memory.used + memory.free == memory.total);
            assert!((40..=80).contains(&card.celsius.unwrap()));
            assert!(card.busy_percent.unwrap() <= 100);
            let watts = card.watts.unwrap();
            assert!(watts <= WATTS_LIMIT);
            let joules = card.joules.unwrap();
            assert!((joules - before - watts).abs() < 1e-3);
            before = joules;
        }
    }
}
