//! What the graphics cards and the host say about themselves at one moment. A reading that cannot
//! be had is `None` and listed with its reason; it is never 0.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::base::Moment;

/// Everything read at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Readings {
    /// The cards, in the order in which the driver lists them.
    pub cards: Vec<Card>,
    /// The driver's version, where a driver tells one.
    pub driver: Option<String>,
    /// Why there is no card to read, where there is none.
    pub absent: Option<String>,
    /// What became unreadable, was lost or came back since the sample before: a sentence each, and
    /// each told once. For the log; the cards themselves say what is missing now.
    pub news: Vec<String>,
    /// Memory of this machine and of this process.
    pub host: HostMemory,
}

/// Readings and when they were taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TakenReadings {
    /// When, since the engine started.
    pub at: Moment,
    /// What was read.
    pub readings: Arc<Readings>,
}

/// One graphics card.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Card {
    /// What identifies it across restarts: NVIDIA's UUID, or the folder of an AMD card.
    pub id: String,
    /// Its name: outside text.
    pub name: String,
    /// Whether it could be read.
    pub state: CardState,
    /// Its memory.
    pub memory: Option<CardMemory>,
    /// Share of the last moments in which it computed, in per cent.
    pub busy_percent: Option<u32>,
    /// Temperature of the chip in °C.
    pub celsius: Option<i32>,
    /// Power drawn, in watts.
    pub watts: Option<f64>,
    /// Power that it may draw, in watts.
    pub watts_limit: Option<f64>,
    /// Energy used since its driver was loaded, in joules. Only differences mean something.
    pub joules: Option<f64>,
    /// Clock of its cores in MHz.
    pub core_mhz: Option<u32>,
    /// Clock of its memory in MHz.
    pub memory_mhz: Option<u32>,
    /// What holds its clocks down now.
    pub throttled: Option<Vec<Throttle>>,
    /// Who uses it.
    pub processes: Option<Vec<CardProcess>>,
    /// The readings above that could not be had.
    pub missing: Vec<Missing>,
}

/// Whether a card could be read.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum CardState {
    /// It answers.
    #[default]
    Awake,
    /// It sleeps to save power and was not woken for a reading.
    Asleep,
    /// It was there before and does not answer any more, or never could be opened.
    Lost {
        /// What the driver says.
        why: String,
    },
}

/// Memory of a card in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardMemory {
    /// All of it.
    pub total: u64,
    /// What programs use.
    pub used: u64,
    /// What can still be allocated. Less than `total - used` where the driver keeps some for
    /// itself.
    pub free: u64,
}

impl CardMemory {
    /// What cannot be allocated any more, in per cent.
    pub fn filled_percent(&self) -> f64 {
        let taken = self.total.saturating_sub(self.free);
        taken as f64 * 100.0 / self.total.max(1) as f64
    }
}

/// What holds a card's clocks down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Throttle {
    /// It reached the power that it may draw.
    PowerLimit,
    /// It is too hot.
    Heat,
    /// The power supply asked it to slow down.
    PowerSupply,
    /// Its hardware slowed it down without saying whether for heat or power.
    Hardware,
    /// Another card of the same group is slow.
    OtherCard,
    /// Somebody set the clocks.
    Settings,
}

impl Throttle {
    /// The reason in words.
    pub const fn words(self) -> &'static str {
        match self {
            Self::PowerLimit => "power limit",
            Self::Heat => "heat",
            Self::PowerSupply => "power supply",
            Self::Hardware => "hardware slowdown",
            Self::OtherCard => "waits for another card",
            Self::Settings => "clock settings",
        }
    }
}

/// A process that uses a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CardProcess {
    /// Its number.
    pub pid: u32,
    /// Its name, where it may be known: outside text.
    pub name: Option<String>,
    /// Memory of the card that it holds, in bytes.
    pub memory: Option<u64>,
    /// Its share of the card's computing, in per cent.
    pub busy_percent: Option<u32>,
}

impl CardProcess {
    /// Whether it is what runs Ollama's models: a runner of Ollama itself up to 0.29, or the
    /// `llama-server` that later versions start. `None` where its name is not known.
    pub fn is_runner(&self) -> Option<bool> {
        let name = self.name.as_deref()?;
        let program = name.rsplit(['/', '\\']).next().unwrap_or(name);
        Some(program.contains("ollama") || program.contains("llama-server"))
    }
}

/// A reading that could not be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// Which one.
    pub what: String,
    /// Why.
    pub why: String,
}

/// Memory of the machine and of this process, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HostMemory {
    /// All memory of the machine.
    pub total: Option<u64>,
    /// What programs could still get.
    pub available: Option<u64>,
    /// What this process holds.
    pub own: Option<u64>,
}

impl Readings {
    /// The cards of another machine cannot be read from here.
    pub fn elsewhere(address: &str) -> Self {
        Self {
            absent: Some(format!(
                "the server is on another machine ({address}): its card cannot be read from here"
            )),
            ..Self::default()
        }
    }

    /// The cards on which models run: those that hold a runner; where no process list names one,
    /// every card with at least 2 GiB. The graphics part of a processor, whose small share of
    /// memory is always full, is none of them, as it is none for Ollama 0.33.
    pub fn working_cards(&self) -> impl Iterator<Item = &Card> {
        let any_runner = self.cards.iter().any(Card::has_runner);
        self.cards.iter().filter(move |card| {
            if any_runner {
                card.has_runner() || matches!(card.state, CardState::Lost { .. })
            } else {
                card.is_large()
            }
        })
    }
}

impl Card {
    /// Whether a process on it is known to be a runner.
    pub fn has_runner(&self) -> bool {
        let processes = self.processes.iter().flatten();
        processes
            .filter_map(CardProcess::is_runner)
            .any(|is_runner| is_runner)
    }

    /// Bytes that runners hold on it; `None` where it does not list its processes, or not with
    /// their memory.
    pub fn runner_memory(&self) -> Option<u64> {
        let processes = self.processes.as_ref()?.iter();
        let runners = processes.filter(|process| process.is_runner() == Some(true));
        runners
            .map(|process| process.memory)
            .try_fold(0_u64, |sum, memory| Some(sum.saturating_add(memory?)))
    }

    /// Whether models may run on it: it has at least 2 GiB, or does not say how much.
    pub fn is_large(&self) -> bool {
        const LEAST: u64 = 2 << 30;
        self.memory.is_none_or(|memory| memory.total >= LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("/usr/lib/ollama/llama-server", Some(true))]
    #[case("/usr/local/bin/ollama", Some(true))]
    #[case("C:\\Programs\\ollama.exe", Some(true))]
    #[case("/home/ollama/bin/blender", Some(false))]
    fn runners_are_known_by_their_program(#[case] name: &str, #[case] expected: Option<bool>) {
        assert_eq!(process(Some(name)).is_runner(), expected);
    }

    #[test]
    fn without_a_name_nobody_knows() {
        assert_eq!(process(None).is_runner(), None);
    }

    #[test]
    fn the_card_with_the_runner_is_the_one_that_counts() {
        let readings = Readings {
            cards: vec![card("small", 1 << 29, None), card("large", 24 << 30, None)],
            ..Readings::default()
        };
        assert_eq!(names(&readings), ["large"]);
        let readings = Readings {
            cards: vec![
                card("idle", 24 << 30, None),
                card("used", 8 << 30, Some("llama-server")),
            ],
            ..Readings::default()
        };
        assert_eq!(names(&readings), ["used"]);
    }

    #[test]
    fn memory_kept_by_the_driver_counts_as_filled() {
        let memory = CardMemory {
            total: 100,
            used: 80,
            free: 10,
        };
        assert!((memory.filled_percent() - 90.0).abs() < 1e-9);
    }

    fn names(readings: &Readings) -> Vec<&str> {
        readings
            .working_cards()
            .map(|card| card.name.as_str())
            .collect()
    }

    fn process(name: Option<&str>) -> CardProcess {
        CardProcess {
            pid: 7,
            name: name.map(str::to_owned),
            memory: None,
            busy_percent: None,
        }
    }

    fn card(name: &str, total: u64, program: Option<&str>) -> Card {
        Card {
            name: name.to_owned(),
            memory: Some(CardMemory {
                total,
                used: 0,
                free: total,
            }),
            processes: program.map(|program| vec![process(Some(program))]),
            ..Card::default()
        }
    }
}
