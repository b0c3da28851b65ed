use rstest::rstest;

use super::*;
use crate::context::testing::{GIB, card, llama, wish, with};
use crate::model::{CardMemory, CardProcess, Tokens};

/// A Llama 3.1 8B of 5 GiB: 128 KiB a token.
fn facts() -> ModelFacts {
    ModelFacts {
        model: "llama3.1:8b".into(),
        shape: ModelShape::of(&llama()),
        weights: Some(5 * GIB),
        num_ctx: None,
        own: None,
        held: 0,
        learnt: None,
    }
}

/// A card of 16 GiB of which so much is free, and so much is the runner's.
fn shared(free: u64, runner: u64) -> Card {
    Card {
        processes: Some(vec![CardProcess {
            pid: 7,
            name: Some("llama-server".into()),
            memory: Some(runner),
            busy_percent: None,
        }]),
        ..card(free)
    }
}

fn card_with_a_silent_runner(free: u64) -> Card {
    let mut card = shared(free, 0);
    for process in card.processes.iter_mut().flatten() {
        process.memory = None;
    }
    card
}

fn elsewhere() -> Readings {
    Readings {
        absent: Some("the server is on another machine".into()),
        ..Readings::default()
    }
}

fn loaded(size: u64, window: u64) -> LoadedModel {
    LoadedModel {
        name: "llama3.1:8b".into(),
        quantization: None,
        digest: String::new(),
        size: Some(size),
        size_vram: Some(size),
        window: Some(Tokens(window)),
        expires: None,
    }
}

#[rstest]
#[case::fits(facts(), wish(8_192, 4), with(vec![card(16 * GIB)]),
    &["llama3.1:8b: fits, 6.7 GB left (weights 5.4 GB + context 4.3 GB (4 × 8,192 tokens) + computing 805 MB = 10.5 GB, 17.2 GB free on the card)"])]
#[case::spills(facts(), wish(65_536, 4), with(vec![card(16 * GIB)]),
    &["llama3.1:8b: does not fit, part would run on the CPU: 24.4 GB too much (weights 5.4 GB + context 34.4 GB (4 × 65,536 tokens) + computing 805 MB = 40.5 GB, 17.2 GB free on the card)",
      "would fit: a window of 18,944 tokens, or 1 at a time with this window"])]
#[case::no_card(facts(), wish(8_192, 1), elsewhere(),
    &["llama3.1:8b: weights 5.4 GB + context 1.1 GB (8,192 tokens) + computing 805 MB = 7.2 GB; whether it fits cannot be said: the server is on another machine"])]
#[case::unknown_shape(ModelFacts { shape: ModelShape::of(&serde_json::Map::new()), ..facts() }, wish(8_192, 1), with(vec![card(16 * GIB)]),
    &["llama3.1:8b: weights 5.4 GB + context n/a (8,192 tokens) + computing 805 MB = n/a, 17.2 GB free on the card; whether it fits cannot be said: the server does not name the model's architecture"])]
fn a_plan_is_one_or_two_sentences(
    #[case] facts: ModelFacts,
    #[case] wish: Wish,
    #[case] readings: Readings,
    #[case] expected: &[&str],
) {
    assert_eq!(facts.outlook(&wish, &readings).sentences(), expected);
}

#[rstest]
#[case::much_too_large(65_536, true)]
#[case::only_the_allowance_is_short(20_000, false)]
#[case::fits(8_192, false)]
fn only_what_surely_does_not_fit_is_refused(#[case] window: u64, #[case] expected: bool) {
    let readings = with(vec![card(16 * GIB)]);
    let outlook = facts().outlook(&wish(window, 4), &readings);
    assert_eq!(outlook.surely_spills(), expected);
    let blind = facts().outlook(&wish(window, 4), &elsewhere());
    assert!(!blind.surely_spills());
}

#[test]
fn the_window_comes_from_the_best_source() {
    let mut facts = facts();
    facts.num_ctx = Some(2_048);
    let nothing = Wish {
        window: None,
        ..wish(0, 1)
    };
    let readings = with(vec![card(16 * GIB)]);
    let from = |facts: &ModelFacts, wish: &Wish| facts.window(wish, &readings);
    assert_eq!(
        from(&facts, &wish(1 << 30, 1)),
        (131_072, WindowFrom::Asked)
    );
    assert_eq!(from(&facts, &nothing), (2_048, WindowFrom::Modelfile));
    facts.num_ctx = None;
    assert_eq!(from(&facts, &nothing), (4_096, WindowFrom::CardMemory));
    let nowhere = facts.window(&nothing, &elsewhere());
    assert_eq!(nowhere, (4_096, WindowFrom::Assumed));
    facts.own = Some(loaded(8 * GIB, 8_192));
    assert_eq!(from(&facts, &nothing), (8_192, WindowFrom::Loaded));
}

#[rstest]
#[case::measured(Some(loaded(6 * GIB + GIB / 2, 8_192)), None, GIB / 2, true)]
#[case::too_small_to_be_true(Some(loaded(GIB, 8_192)), None, 768 << 20, false)]
#[case::more_than_the_card_has(Some(loaded(99 * GIB, 8_192)), None, 768 << 20, false)]
#[case::learnt(None, Some(GIB), GIB, true)]
#[case::measured_goes_before_learnt(Some(loaded(6 * GIB + GIB / 2, 8_192)), Some(GIB), GIB / 2, true)]
fn what_the_loaded_model_takes_corrects_the_plan(
    #[case] own: Option<LoadedModel>,
    #[case] learnt: Option<u64>,
    #[case] overhead: u64,
    #[case] measured: bool,
) {
    let facts = ModelFacts {
        own,
        learnt,
        ..facts()
    };
    let readings = with(vec![card(9 * GIB)]);
    let needs = facts.outlook(&wish(8_192, 1), &readings).plan.needs;
    assert_eq!(
        (needs.overhead, needs.overhead_measured),
        (overhead, measured)
    );
}

#[rstest]
#[case::nothing_loaded(card(6 * GIB), 0, 6)]
#[case::loaded_models_make_room(card(6 * GIB), 8, 14)]
#[case::no_more_than_there_is(card(6 * GIB), 99, 16)]
#[case::the_runner_is_measured(shared(6 * GIB, 7 * GIB), 8, 13)]
#[case::the_runners_memory_is_not_told(card_with_a_silent_runner(6 * GIB), 8, 14)]
fn models_that_are_loaded_count_as_room(
    #[case] card: Card,
    #[case] held: u64,
    #[case] gibibytes: u64,
) {
    let room = room(&with(vec![card]), held * GIB).unwrap();
    assert_eq!(room.largest_card, gibibytes * GIB);
}

#[test]
fn small_and_unreadable_cards_are_no_room() {
    let small = Card {
        memory: Some(CardMemory {
            total: GIB,
            used: 0,
            free: GIB,
        }),
        ..Card::default()
    };
    assert_eq!(room(&with(vec![small, Card::default()]), 0), None);
}
