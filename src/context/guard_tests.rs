use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::model::{Card, CardMemory, CardProcess, CardState};

/// A card with so much of its memory taken, and a temperature.
fn card(percent: u64, celsius: i32) -> Card {
    Card {
        id: "GPU-1".into(),
        name: "RTX".into(),
        memory: Some(CardMemory {
            total: 100 << 30,
            used: percent << 30,
            free: (100 - percent) << 30,
        }),
        celsius: Some(celsius),
        watts: Some(200.0),
        ..Card::default()
    }
}

fn with(card: Card) -> Readings {
    Readings {
        cards: vec![card],
        ..Readings::default()
    }
}

fn at(second: u64) -> Moment {
    Moment(Duration::from_secs(second))
}

/// A guard that is shown one sample a second.
struct Watch {
    guard: Guard,
    second: u64,
    steps: Vec<GuardStep>,
}

impl Watch {
    fn new(limits: GuardLimits) -> Self {
        Self {
            guard: Guard::new(limits),
            second: 0,
            steps: Vec::new(),
        }
    }

    /// Shows the same readings for so many seconds; returns the level then.
    fn for_seconds(&mut self, seconds: u64, readings: &Readings) -> Level {
        self.at_minute(seconds, readings, None)
    }

    fn at_minute(&mut self, seconds: u64, readings: &Readings, minute: Option<u16>) -> Level {
        for _ in 0..seconds {
            let steps = self.guard.step(at(self.second), minute, readings);
            self.steps.extend(steps);
            self.second += 1;
        }
        self.guard.level()
    }
}

#[test]
fn memory_steps_up_and_down_with_room_between() {
    let mut watch = Watch::new(GuardLimits::default());
    let full = |percent| with(card(percent, 60));
    assert_eq!(watch.for_seconds(60, &full(89)), Level::Free);
    assert_eq!(watch.for_seconds(4, &full(91)), Level::Free);
    assert_eq!(watch.for_seconds(2, &full(91)), Level::Ease);
    assert_eq!(watch.guard.lanes(8), 4);
    assert_eq!(watch.for_seconds(70, &full(91)), Level::Least);
    assert_eq!(watch.guard.lanes(8), 1);
    assert_eq!(watch.for_seconds(6, &full(96)), Level::Pause);
    assert_eq!(watch.guard.lanes(8), 0);
    assert_eq!(watch.for_seconds(300, &full(93)), Level::Pause);
    assert_eq!(watch.for_seconds(31, &full(91)), Level::Least);
    assert_eq!(watch.for_seconds(300, &full(88)), Level::Least);
    assert_eq!(watch.for_seconds(31, &full(86)), Level::Ease);
    assert_eq!(watch.for_seconds(31, &full(86)), Level::Free);
    let levels: Vec<Level> = watch.steps.iter().map(|step| step.to).collect();
    assert_eq!(
        levels,
        [
            Level::Ease,
            Level::Least,
            Level::Pause,
            Level::Least,
            Level::Ease,
            Level::Free
        ]
    );
    assert_eq!(
        watch.steps[2].why,
        "96.0 % of the memory of RTX is taken, the limit is 95 %"
    );
}

#[test]
fn heat_pauses_and_goes_on_ten_degrees_below() {
    let mut watch = Watch::new(GuardLimits::default());
    let hot = |celsius| with(card(50, celsius));
    assert_eq!(watch.for_seconds(60, &hot(84)), Level::Free);
    assert_eq!(watch.for_seconds(3, &hot(85)), Level::Pause);
    assert_eq!(watch.for_seconds(300, &hot(75)), Level::Pause);
    assert_eq!(watch.for_seconds(11, &hot(74)), Level::Free);
    assert_eq!(
        watch.steps[0].why,
        "RTX is at 85 °C: paused from 85 °C, resumed below 75 °C"
    );
}

#[test]
fn a_peak_of_a_second_moves_nothing() {
    let mut watch = Watch::new(GuardLimits::default());
    for _ in 0..100 {
        watch.for_seconds(1, &with(card(99, 99)));
        watch.for_seconds(1, &with(card(50, 60)));
    }
    assert!(watch.steps.is_empty(), "{:?}", watch.steps);
}

#[test]
fn a_lost_card_pauses_at_once_and_its_return_is_waited_for() {
    let mut watch = Watch::new(GuardLimits::default());
    let lost = with(Card {
        state: CardState::Lost {
            why: "fell off the bus".into(),
        },
        name: "RTX".into(),
        ..Card::default()
    });
    assert_eq!(watch.for_seconds(1, &lost), Level::Pause);
    assert_eq!(watch.steps[0].why, "RTX does not answer: fell off the bus");
    assert_eq!(watch.for_seconds(10, &with(card(50, 60))), Level::Pause);
    assert_eq!(watch.for_seconds(1, &with(card(50, 60))), Level::Free);
}

#[test]
fn power_above_the_cap_eases() {
    let mut watch = Watch::new(GuardLimits {
        watts: Some(300.0),
        ..GuardLimits::default()
    });
    let takes = |watts| {
        with(Card {
            watts: Some(watts),
            ..card(50, 60)
        })
    };
    assert_eq!(watch.for_seconds(11, &takes(301.0)), Level::Ease);
    assert_eq!(watch.for_seconds(60, &takes(280.0)), Level::Ease);
    assert_eq!(watch.for_seconds(31, &takes(260.0)), Level::Free);
    assert_eq!(watch.steps[0].why, "RTX takes 301 W, the limit is 300 W");
}

fn process(name: &str, memory: u64, busy: Option<u32>) -> CardProcess {
    CardProcess {
        pid: 7,
        name: Some(name.into()),
        memory: Some(memory << 30),
        busy_percent: busy,
    }
}

#[rstest]
#[case::game(process("game", 1, Some(80)), Level::Pause)]
#[case::busy_unknown(process("train", 20, None), Level::Pause)]
#[case::desktop(process("Xorg", 1, None), Level::Free)]
#[case::idle(process("train", 20, Some(0)), Level::Free)]
#[case::runner(process("/usr/lib/ollama/llama-server", 80, Some(99)), Level::Free)]
fn a_good_neighbour_gives_way(#[case] other: CardProcess, #[case] expected: Level) {
    let used = with(Card {
        processes: Some(vec![other]),
        ..card(50, 60)
    });
    let mut watch = Watch::new(GuardLimits {
        neighbour: true,
        ..GuardLimits::default()
    });
    assert_eq!(watch.for_seconds(6, &used), expected);
    let alone = with(Card {
        processes: Some(Vec::new()),
        ..card(50, 60)
    });
    assert_eq!(watch.for_seconds(59, &alone), expected);
    assert_eq!(watch.for_seconds(2, &alone), Level::Free);
    let mut selfish = Watch::new(GuardLimits::default());
    assert_eq!(selfish.for_seconds(60, &used), Level::Free);
}

#[test]
fn work_is_done_in_its_hours() {
    let mut watch = Watch::new(GuardLimits {
        hours: Some("22:00-07:00".parse().unwrap()),
        ..GuardLimits::default()
    });
    let readings = Readings::default();
    assert_eq!(watch.at_minute(1, &readings, Some(12 * 60)), Level::Pause);
    assert_eq!(watch.steps[0].why, "work may be done 22:00-07:00");
    assert_eq!(watch.at_minute(61, &readings, Some(23 * 60)), Level::Free);
    assert_eq!(watch.at_minute(60, &readings, None), Level::Free);
}

#[test]
fn what_cannot_be_read_moves_nothing_for_a_minute() {
    let mut watch = Watch::new(GuardLimits::default());
    watch.for_seconds(3, &with(card(50, 90)));
    assert_eq!(watch.guard.level(), Level::Pause);
    let blind = with(Card {
        memory: None,
        celsius: None,
        watts: None,
        ..card(50, 60)
    });
    assert_eq!(watch.for_seconds(59, &blind), Level::Pause);
    let mut fresh = Watch::new(GuardLimits::default());
    assert_eq!(fresh.for_seconds(600, &blind), Level::Free);
}

#[rstest]
#[case::no_figures(with(Card { celsius: None, ..card(50, 60) }), "the card's temperature could not be read for 1 min 00 s and is not watched")]
#[case::no_card(
    Readings::default(),
    "the card's temperature could not be read for 1 min 00 s and is not watched"
)]
fn what_cannot_be_read_any_more_holds_nothing_back_for_ever(
    #[case] blind: Readings,
    #[case] why: &str,
) {
    let mut watch = Watch::new(GuardLimits::default());
    assert_eq!(watch.for_seconds(3, &with(card(50, 90))), Level::Pause);
    assert_eq!(watch.for_seconds(61, &blind), Level::Free);
    assert_eq!(watch.steps.last().unwrap().why, why);
    assert_eq!(watch.for_seconds(600, &blind), Level::Free);
    assert_eq!(watch.for_seconds(3, &with(card(50, 90))), Level::Pause);
}

#[test]
fn a_lost_card_that_is_not_listed_any_more_has_not_come_back() {
    let mut watch = Watch::new(GuardLimits::default());
    let lost = with(Card {
        state: CardState::Lost { why: "gone".into() },
        ..Card::default()
    });
    assert_eq!(watch.for_seconds(1, &lost), Level::Pause);
    assert_eq!(watch.for_seconds(30, &Readings::default()), Level::Pause);
    assert_eq!(watch.for_seconds(61, &Readings::default()), Level::Free);
    assert!(watch.steps[1].why.contains("not watched"));
}

#[rstest]
#[case::models(Some(vec![process("llama-server", 93, None)]), Some(true), Some(false))]
#[case::others(Some(vec![process("train", 96, None)]), Some(false), Some(true))]
#[case::both(Some(vec![process("llama-server", 80, None)]), Some(false), Some(false))]
#[case::nobody_knows(None, None, None)]
fn who_fills_the_memory_decides_whether_waiting_helps(
    #[case] processes: Option<Vec<CardProcess>>,
    #[case] models: Option<bool>,
    #[case] others: Option<bool>,
) {
    let guard = Guard::new(GuardLimits::default());
    let readings = with(Card {
        processes,
        ..card(96, 60)
    });
    assert_eq!(guard.is_filled_by_models(&readings), models);
    assert_eq!(guard.is_filled_by_others(&readings), others);
}

#[test]
fn a_job_is_refused_with_the_figures() {
    let guard = Guard::new(GuardLimits::default());
    assert!(guard.refusals(None, &with(card(94, 84))).is_empty());
    let refusals = guard.refusals(None, &with(card(97, 88)));
    assert_eq!(
        refusals,
        [
            (
                Cause::Memory,
                "97.0 % of the memory of RTX is taken, the limit is 95 %".to_owned()
            ),
            (
                Cause::Heat,
                "RTX is at 88 °C: paused from 85 °C, resumed below 75 °C".to_owned()
            )
        ]
    );
}

proptest! {
    /// Whatever the readings are, a cause that moved one way does not move back before its
    /// patience is over, and every step starts where the last one ended.
    #[test]
    fn nothing_flaps(
        samples in proptest::collection::vec((0u64..=100, 40i32..100, 1u64..20), 1..200),
    ) {
        let mut watch = Watch::new(GuardLimits { watts: Some(150.0), ..GuardLimits::default() });
        for (percent, celsius, seconds) in samples {
            watch.for_seconds(seconds, &with(card(percent, celsius)));
        }
        for cause in Cause::ALL {
            let steps: Vec<_> = watch.steps.iter().filter(|step| step.cause == cause).collect();
            for pair in steps.windows(2) {
                prop_assert_eq!(pair[0].to, pair[1].from);
                let up = pair[1].to > pair[1].from;
                let passed = pair[1].at.since(pair[0].at);
                prop_assert!(passed >= cause.patience(up), "{:?}", pair);
            }
        }
    }
}
