//! The guard and the plan in the engine's core: what a snapshot says, and what comes of a plan that
//! does not fit. The steps of the guard over time are in `tests/data/scenario`.

use std::time::Duration;

use batchtop::base::Stamp;
use batchtop::context::{ModelFacts, ModelShape};
use batchtop::engine::core::Input;
use batchtop::model::*;
use proptest::prelude::*;
use rstest::rstest;

use crate::world::{World, job, seconds};

const GIB: u64 = 1 << 30;

fn card(percent: u64, celsius: i32) -> Card {
    Card {
        name: "RTX".into(),
        memory: Some(CardMemory {
            total: 16 * GIB,
            used: 16 * GIB * percent / 100,
            free: 16 * GIB * (100 - percent) / 100,
        }),
        celsius: Some(celsius),
        ..Card::default()
    }
}

pub(crate) fn sample(percent: u64, celsius: i32) -> Input {
    let readings = Readings {
        cards: vec![card(percent, celsius)],
        ..Readings::default()
    };
    Input::Readings(readings.into())
}

fn settings(parallel: u32) -> JobSettings {
    JobSettings {
        parallel: Parallel::Fixed(parallel),
        ..JobSettings::default()
    }
}

pub(crate) fn guarded(jobs: Vec<crate::world::JobRow>) -> World {
    World::guarded(jobs, GuardLimits::default(), Stamp(0))
}

/// Llama 3.1 8B of 5 GiB: 128 KiB a token.
fn llama() -> ModelFacts {
    let info = include_str!("../data/models/llama3.1-8b.json");
    let info = serde_json::from_str(info).unwrap();
    ModelFacts {
        model: "m".into(),
        shape: ModelShape::of(&info),
        weights: Some(5 * GIB),
        num_ctx: None,
        own: None,
        held: 0,
        learnt: None,
    }
}

/// A job with so large a window, on a card of 16 GiB, whose model is known.
fn planned(window: u32, change: impl FnOnce(&mut JobSettings)) -> World {
    let mut settings = JobSettings {
        num_ctx: Some(window),
        ..settings(2)
    };
    change(&mut settings);
    let mut world = guarded(vec![job(1, 20, settings)]);
    world.facts.insert("m".into(), llama());
    world.step(sample(0, 50));
    world
}

fn loaded(size: u64, on_cards: u64, window: u64) -> LoadedModel {
    LoadedModel {
        name: "m:latest".into(),
        quantization: None,
        digest: "sha".into(),
        size: Some(size),
        size_vram: Some(on_cards),
        window: Some(Tokens(window)),
        expires: None,
    }
}

fn told(world: &World) -> Vec<&str> {
    let plans = world
        .events
        .iter()
        .filter(|event| event.kind == EventKind::Plan);
    plans.map(|event| event.text.as_str()).collect()
}

#[test]
fn the_picture_says_what_is_held_back_and_why() {
    let mut world = guarded(vec![job(1, 1_000, settings(4))]);
    for second in 0..30 {
        let celsius = if second < 10 { 60 } else { 88 };
        world.at(seconds(f64::from(second)), sample(50, celsius));
    }
    world.run_until(seconds(9.5));
    let free = world.core.overview(world.now);
    assert_eq!(free.guard, Some(GuardView::default()));
    assert_eq!((free.lanes_allowed, free.waiting), (4, None));
    world.run_until(seconds(20.0));
    let paused = world.core.overview(world.now);
    let why = "RTX is at 88 °C: paused from 85 °C, resumed below 75 °C";
    assert_eq!(paused.lanes_allowed, 0);
    assert_eq!(paused.waiting, Some(format!("held back: {why}")));
    let guard = paused.guard.unwrap();
    assert_eq!(guard.level, GuardLevel::Pause);
    assert_eq!(
        guard.holds,
        [GuardHold {
            cause: GuardCause::Heat,
            level: GuardLevel::Pause,
            why: why.into()
        }]
    );
}

#[test]
fn memory_is_tight_from_one_lane_on() {
    let mut world = guarded(vec![job(1, 1_000, settings(4))]);
    for second in 0..80 {
        world.at(seconds(f64::from(second)), sample(91, 50));
    }
    world.run_until(seconds(30.0));
    assert!(!world.core.memory_is_tight());
    world.run_until(seconds(79.0));
    assert!(world.core.memory_is_tight());
}

#[test]
fn without_a_guard_nothing_is_held_back() {
    let mut world = World::new(vec![job(1, 100, settings(2))]);
    for second in 0..30 {
        world.at(seconds(f64::from(second)), sample(99, 99));
    }
    world.run();
    world.assert_all_ended();
    assert_eq!(world.core.guard_view(), None);
    assert!(!world.core.memory_is_tight());
}

#[test]
fn what_surely_does_not_fit_fails_to_start_with_the_figures() {
    let mut world = planned(131_072, |_| {});
    world.run();
    let state = &world.jobs[&JobId(1)].job.state;
    let JobState::FailedToStart { why } = state else {
        panic!("{state}");
    };
    assert!(
        why.contains("does not fit, part would run on the CPU"),
        "{why}"
    );
    assert!(why.contains("would fit: a window of"), "{why}");
    assert!(why.contains("--allow-spill"), "{why}");
    assert!(world.loads.is_empty() && world.sent.is_empty());
    // Whoever resumes it is asked again.
    world.facts.clear();
    let now = world.now.0.as_secs_f64();
    world.command(now + 1.0, 1, Command::Resume { job: JobId(1) });
    world.run();
    world.assert_all_ended();
}

#[rstest]
#[case::allowed(131_072, Some(llama()))]
#[case::fits(8_192, Some(llama()))]
#[case::short_by_the_allowance_only(40_000, Some(llama()))]
#[case::unknown(131_072, Some(ModelFacts { shape: ModelShape::of(&serde_json::Map::new()), ..llama() }))]
#[case::not_told(131_072, None)]
fn everything_else_starts(#[case] window: u32, #[case] facts: Option<ModelFacts>) {
    let mut world = planned(window, |settings| {
        settings.allow_spill = window > 100_000;
        settings.parallel = Parallel::Fixed(2);
    });
    world.facts.clear();
    world
        .facts
        .extend(facts.map(|facts| ("m".to_owned(), facts)));
    world.run();
    world.assert_all_ended();
}

#[test]
fn a_card_that_was_not_read_yet_refuses_nothing() {
    let settings = JobSettings {
        num_ctx: Some(131_072),
        ..settings(4)
    };
    let mut world = guarded(vec![job(1, 20, settings)]);
    world.facts.insert("m".into(), llama());
    world.run();
    world.assert_all_ended();
    let plan = world.core.plan().unwrap();
    assert_eq!(plan.weights, Some(5 * GIB));
    assert!(plan.words[0].contains("cannot be said"), "{plan:?}");
}

/// What the next run will know of the memory that computing takes.
fn overhead_learnt(world: &mut World) -> Option<u64> {
    world.now = world.now + Duration::from_mins(2);
    world.step(Input::Tick);
    world.learnt.last()?.learnt.overhead
}

#[test]
fn what_the_server_reports_corrects_the_plan_and_is_told_once() {
    let mut world = planned(8_192, |_| {});
    world.run_until(seconds(3.1));
    let before = world.core.plan().unwrap().clone();
    assert_eq!((before.window, before.slots), (8_192, 2));
    assert!(!before.overhead_measured);
    // Two slots of 8,192 tokens are 2 GiB beside 5 GiB of weights; the rest is computing.
    for _ in 0..3 {
        world.step(Input::Loaded(vec![loaded(8 * GIB, 8 * GIB, 8_192)]));
    }
    let after = world.core.plan().unwrap().clone();
    assert_eq!((after.overhead, after.overhead_measured), (GIB, true));
    assert_eq!(after.spilled, Some(0));
    assert_eq!(after.words, before.words);
    assert_eq!(overhead_learnt(&mut world), Some(GIB));
    assert_eq!(told(&world), [""; 0]);
    for _ in 0..3 {
        world.step(Input::Loaded(vec![loaded(8 * GIB, 6 * GIB, 4_096)]));
    }
    assert_eq!(
        told(&world),
        [
            "2.1 GB of 8.6 GB of `m` do not fit the card and run on the CPU, which is far slower; \
             a smaller window or fewer slots need less",
            "the server gives `m` a window of 4,096 tokens instead of the 8,192 that were asked \
             for; longer prompts are refused"
        ]
    );
    assert_eq!(world.core.plan().unwrap().spilled, Some(2 * GIB));
}

#[rstest]
#[case::more_on_cards_than_in_all(loaded(8 * GIB, 99 * GIB, 8_192))]
#[case::more_than_the_card_has(loaded(99 * GIB, 99 * GIB, 8_192))]
#[case::nothing_at_all(LoadedModel { size: None, size_vram: None, window: None, ..loaded(0, 0, 0) })]
#[case::zeros(loaded(0, 0, 0))]
#[case::the_largest_numbers(loaded(u64::MAX, u64::MAX, u64::MAX))]
fn nonsense_of_the_server_makes_no_nonsense(#[case] model: LoadedModel) {
    let mut world = planned(8_192, |_| {});
    world.run_until(seconds(3.1));
    world.step(Input::Loaded(vec![model]));
    let plan = world.core.plan().unwrap().clone();
    assert!(!plan.overhead_measured);
    assert!(plan.spilled.is_none_or(|bytes| bytes == 0));
    assert_eq!(told(&world), [""; 0]);
    world.run();
    world.assert_all_ended();
    assert_eq!(overhead_learnt(&mut world), None);
}

#[test]
fn what_others_have_loaded_says_nothing_about_ours() {
    let mut world = planned(8_192, |_| {});
    world.run_until(seconds(3.1));
    let other = LoadedModel {
        name: "other".into(),
        ..loaded(8 * GIB, 0, 1)
    };
    world.step(Input::Loaded(vec![other]));
    assert_eq!(told(&world), [""; 0]);
    assert_eq!(world.core.plan().unwrap().spilled, None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Whatever the cards say and however long they say nothing, no more is sent than the guard
    /// allows (the world watches that), and every request comes to its end once they are calm.
    #[test]
    fn every_request_ends_under_every_guard(
        stretches in proptest::collection::vec((0u64..=94, 40i32..100, 1u64..30, any::<bool>()), 1..12),
    ) {
        let mut world = guarded(vec![job(1, 300, settings(4))]);
        world.latency = Duration::from_millis(500);
        let mut second = 0u32;
        for (percent, celsius, long, is_read) in stretches {
            for _ in 0..long {
                if is_read {
                    world.at(seconds(f64::from(second)), sample(percent, celsius));
                }
                second += 1;
            }
        }
        for _ in 0..400 {
            world.at(seconds(f64::from(second)), sample(20, 40));
            second += 1;
        }
        world.run();
        world.assert_all_ended();
    }
}
