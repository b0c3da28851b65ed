//! Cards for the scenes of the tests.

use std::sync::Arc;
use std::time::Duration;

use super::testing::HOSTILE;
use crate::base::Moment;
use crate::model::{
    Card, CardHistory, CardMemory, CardProcess, CardState, HostMemory, Missing, Readings,
    SeriesView, Snapshot, TakenReadings, Throttle,
};

const MIB: u64 = 1 << 20;

/// Gives the run of a scene the cards that belong to it.
pub(super) fn add(snapshot: &mut Snapshot, scene: &str) {
    let (cards, age) = match scene {
        "busy" => (vec![card(0, "NVIDIA GeForce RTX 4080")], 1),
        "failing" => (failing(), 1),
        "paused" => (vec![card(0, "NVIDIA GeForce RTX 4080")], 127),
        "huge" => (huge(), 0),
        "hostile" => (HOSTILE.iter().map(|name| hostile(name)).collect(), 0),
        _ => return,
    };
    snapshot.history.cards = cards.iter().map(history).collect();
    let readings = Readings {
        cards,
        driver: Some("570.86.15".to_owned()),
        host: HostMemory {
            total: Some(65_536 * MIB),
            available: Some(48_128 * MIB),
            own: Some(61 * MIB),
        },
        ..Readings::default()
    };
    let at = snapshot.now.0.saturating_sub(Duration::from_secs(age));
    snapshot.readings = Some(TakenReadings {
        at: Moment(at),
        readings: Arc::new(readings),
    });
}

fn card(number: usize, name: &str) -> Card {
    Card {
        id: format!("GPU-{number}"),
        name: name.to_owned(),
        memory: Some(CardMemory {
            total: 16_376 * MIB,
            used: 10_830 * MIB,
            free: 5_240 * MIB,
        }),
        busy_percent: Some(97),
        celsius: Some(61),
        watts: Some(288.4),
        watts_limit: Some(320.0),
        joules: Some(1e6),
        core_mhz: Some(2_610),
        memory_mhz: Some(11_201),
        throttled: Some(Vec::new()),
        processes: Some(vec![
            process(1_717, Some("/usr/bin/Xwayland"), 282),
            process(4_242, Some("/usr/lib/ollama/llama-server"), 10_548),
        ]),
        ..Card::default()
    }
}

fn process(pid: u32, name: Option<&str>, mib: u64) -> CardProcess {
    CardProcess {
        pid,
        name: name.map(str::to_owned),
        memory: Some(mib * MIB),
        busy_percent: None,
    }
}

/// One card that is nearly full, hot and half readable, one that is lost, one that sleeps.
fn failing() -> Vec<Card> {
    let missing = |what: &str| Missing {
        what: what.to_owned(),
        why: "the card does not support it".to_owned(),
    };
    let half = Card {
        memory: Some(CardMemory {
            total: 16_376 * MIB,
            used: 15_830 * MIB,
            free: 300 * MIB,
        }),
        celsius: Some(86),
        watts: None,
        busy_percent: None,
        core_mhz: None,
        processes: None,
        throttled: Some(vec![Throttle::Heat, Throttle::PowerLimit]),
        missing: vec![missing("power"), missing("processes")],
        ..card(0, "NVIDIA T4")
    };
    let lost = Card {
        id: "GPU-1".to_owned(),
        name: "NVIDIA GeForce RTX 3090".to_owned(),
        state: CardState::Lost {
            why: "device fell off the bus".to_owned(),
        },
        ..Card::default()
    };
    let asleep = Card {
        id: "GPU-2".to_owned(),
        name: "NVIDIA RTX A2000".to_owned(),
        state: CardState::Asleep,
        ..Card::default()
    };
    vec![half, lost, asleep]
}

fn huge() -> Vec<Card> {
    (0..40)
        .map(|number| Card {
            memory: Some(CardMemory {
                total: u64::MAX,
                used: u64::MAX,
                free: 0,
            }),
            celsius: Some(i32::MAX),
            watts: Some(f64::INFINITY),
            busy_percent: Some(u32::MAX),
            ..card(
                number,
                "NVIDIA H200 with a very long name that nobody has room for",
            )
        })
        .collect()
}

fn hostile(name: &str) -> Card {
    Card {
        throttled: None,
        processes: Some(vec![process(1, Some(name), 3)]),
        missing: vec![Missing {
            what: name.to_owned(),
            why: name.to_owned(),
        }],
        ..card(0, name)
    }
}

fn history(card: &Card) -> CardHistory {
    let series = |top: f32| {
        let points: Arc<[Option<f32>]> = (0..600u16)
            .map(|n| (n > 200).then(|| (f32::from(n - 200) / 200.0).min(1.0) * top))
            .collect();
        SeriesView {
            recent: Arc::clone(&points),
            whole: points,
            whole_step: Duration::from_secs(16),
        }
    };
    CardHistory {
        id: card.id.as_str().into(),
        memory: series(68.0),
        busy: series(97.0),
        celsius: series(61.0),
        watts: series(288.0),
    }
}
