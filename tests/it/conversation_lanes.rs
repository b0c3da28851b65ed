//! Conversations while lanes come and go, requests are tried again, and processes die. That every
//! prompt has the history that the disk has is watched by the world at every sending.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use batchtop::base::Moment;
use batchtop::engine::core::Input;
use batchtop::model::*;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use crate::guard::{guarded, sample};
use crate::world::{World, job, seconds};

const WINDOW: u32 = 2_048;

fn settings(parallel: Parallel) -> JobSettings {
    JobSettings {
        mode: Mode::Conversation,
        parallel,
        num_ctx: Some(WINDOW),
        max_tokens: 64,
        ..JobSettings::default()
    }
}

fn body(number: u64, systems: u64) -> String {
    json!({"messages": [
        {"role": "system", "content": format!("You judge texts of kind {}.", number % systems)},
        {"role": "user", "content": format!("question {number} is short")},
    ]})
    .to_string()
}

fn world(requests: u64, parallel: Parallel) -> World {
    talking(World::new(vec![job(1, requests, settings(parallel))]))
}

fn talking(mut world: World) -> World {
    world.body = Box::new(|number| body(number, 1));
    world.window = Some(WINDOW.into());
    world
}

/// The conversations in which these requests spoke.
fn numbers(world: &World, requests: std::ops::Range<i64>) -> BTreeSet<i64> {
    let ids = requests.map(|number| RequestId(1_000_000 + number));
    let spoke = ids.filter_map(|id| world.talks.get(&id));
    spoke.map(|talk| talk.number).collect()
}

/// Lets the server have so many slots from now on.
fn have_slots(world: &mut World, slots: usize) {
    world.slots = vec![world.now; slots];
}

#[test]
fn more_lanes_begin_conversations_and_fewer_go_on_with_the_oldest() {
    let mut world = world(3_000, Parallel::Auto);
    have_slots(&mut world, 8);
    world.run_until(seconds(10.0));
    let many = numbers(&world, 0..3_000);
    assert!(many.len() >= 8, "{many:?}");
    let sent = world.order.len() as i64;
    // From here on the server is too busy for so many, until the lanes are few.
    have_slots(&mut world, 2);
    world.policy = Box::new(move |number, times| match number as i64 - sent {
        0..40 if times == 1 => Err(FailureClass::Busy),
        _ => Ok(()),
    });
    world.run();
    world.assert_all_ended();
    assert_eq!(world.states(1)[&RequestState::Done], 3_000);
    let few = numbers(&world, 2_900..3_000);
    assert!(few.len() < many.len() / 2, "{few:?} of {many:?}");
    let oldest: BTreeSet<i64> = many.into_iter().take(few.len()).collect();
    assert_eq!(few, oldest, "the longest histories go on");
}

#[test]
fn no_more_conversations_are_held_than_lanes_when_prompts_begin_in_many_ways() {
    let mut world = world(600, Parallel::Fixed(3));
    world.body = Box::new(|number| body(number / 5 % 17 + number % 2, 40));
    world.run();
    world.assert_all_ended();
    let talks = world.talks.values().filter(|talk| !talk.dropped);
    let held: BTreeSet<i64> = talks.map(|talk| talk.number).collect();
    assert!(held.len() <= 3, "{held:?}");
}

#[test]
fn a_conversation_waits_for_its_own_retry_while_the_others_go_on() {
    let mut world = world(60, Parallel::Fixed(3));
    world.policy = Box::new(|number, times| match (number, times) {
        (4, 1..=3) => Err(FailureClass::ServerError),
        _ => Ok(()),
    });
    world.run();
    world.assert_all_ended();
    let own = world.talks[&RequestId(1_000_004)].number;
    let tried: Vec<&Vec<String>> = world
        .prompts
        .iter()
        .filter(|it| it.0 == RequestId(1_000_004))
        .map(|it| &it.1)
        .collect();
    assert_eq!(tried.len(), 4);
    assert!(tried.iter().all(|it| *it == tried[0]), "the same each time");
    let first = world.order.iter().position(|id| id.0 == 1_000_004).unwrap();
    let last = world
        .order
        .iter()
        .rposition(|id| id.0 == 1_000_004)
        .unwrap();
    let between = &world.order[first + 1..last];
    assert!(between.iter().any(|id| id.0 != 1_000_004), "others go on");
    let spoke = between.iter().filter(|id| id.0 != 1_000_004);
    assert!(spoke.clone().all(|id| world.talks[id].number != own));
}

#[test]
fn a_request_that_waits_for_a_retry_when_the_job_is_paused_comes_back_to_its_conversation() {
    let mut world = world(80, Parallel::Fixed(4));
    // Lanes end one after the other, so that the later request speaks in the earlier conversation.
    world.spread = 1.0;
    world.policy = Box::new(|number, times| match (number, times) {
        (7 | 8, 1..=3) => Err(FailureClass::ServerError),
        _ => Ok(()),
    });
    let before = |world: &World| [7, 8].map(|id| numbers(world, id..id + 1));
    let tried =
        |world: &World| [7, 8].map(|id| world.sent.get(&RequestId(1_000_000 + id)).copied());
    while tried(&world) != [Some(1), Some(1)] {
        let soon = world.now + Duration::from_millis(1);
        world.step(Input::Tick);
        world.run_until(soon);
        world.now = soon;
    }
    let places = before(&world);
    assert!(places[0] > places[1], "{places:?}");
    let soon = (world.now + Duration::from_millis(200)).0.as_secs_f64();
    world.command(soon, 1, Command::Pause { job: JobId(1) });
    world.command(soon + 5.0, 2, Command::Resume { job: JobId(1) });
    world.run();
    world.assert_all_ended();
    assert_eq!(before(&world), places);
}

#[rstest]
fn after_a_crash_every_request_goes_on_in_its_own_conversation(
    #[values(1, 4)] lanes: u32,
    #[values(3.62, 5.01, 7.77)] at: f64,
) {
    let mut world = world(400, Parallel::Fixed(lanes));
    world.spread = 1.0;
    world.run_until(seconds(at));
    let sent = world.prompts.len();
    let unended: BTreeMap<RequestId, i64> = world
        .talks
        .iter()
        .filter(|(id, _)| !world.ends.contains_key(id) && !world.is_answered(**id))
        .map(|(id, talk)| (*id, talk.number))
        .collect();
    assert_eq!(unended.len(), lanes as usize);
    let prompt = |world: &World, id: RequestId, from: usize| {
        let found = world.prompts[from..].iter().find(|it| it.0 == id);
        found.expect("it was sent").1.clone()
    };
    world.crash();
    world.run();
    world.assert_all_ended();
    for (id, number) in unended {
        assert_eq!(world.talks[&id].number, number, "{id:?}");
        assert_eq!(prompt(&world, id, sent), prompt(&world, id, 0), "{id:?}");
    }
    assert_eq!(numbers(&world, 0..400).len(), lanes as usize);
}

#[test]
fn conversations_of_lanes_that_are_yet_to_be_found_again_are_recalled() {
    let mut world = world(2_000, Parallel::Auto);
    have_slots(&mut world, 8);
    world.run_until(seconds(12.0));
    let before = numbers(&world, 0..2_000);
    assert!(before.len() >= 8);
    world.learnt.clear();
    world.crash();
    have_slots(&mut world, 8);
    world.run();
    world.assert_all_ended();
    // The search for lanes begins at four again, and finds eight.
    let last = numbers(&world, 1_900..2_000);
    assert!(last.len() >= 8 && last.is_subset(&before), "{last:?}");
}

#[test]
fn what_the_guard_holds_back_at_a_start_costs_no_history() {
    let settings = settings(Parallel::Fixed(4));
    let mut world = talking(guarded(vec![job(1, 3_000, settings)]));
    world.run_until(seconds(6.0));
    let before = numbers(&world, 0..3_000);
    assert_eq!(before.len(), 4);
    world.crash();
    // The memory gets tight while the model is loaded, and stays so for a while.
    world.load_time = Duration::from_secs(20);
    let start = world.now;
    for second in 0..200 {
        let percent = if second < 30 { 91 } else { 40 };
        world.at(start + Duration::from_secs(second), sample(percent, 50));
    }
    world.run();
    world.assert_all_ended();
    assert_eq!(numbers(&world, 0..3_000), before);
}

fn any_class() -> impl Strategy<Value = FailureClass> {
    proptest::sample::select(
        &[
            FailureClass::ServerError,
            FailureClass::Busy,
            FailureClass::RunnerCrash,
            FailureClass::Refused,
        ][..],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever becomes of lanes, tries and processes, every prompt has the history that the disk
    /// has (the world watches that), and every request comes to its end.
    #[test]
    fn histories_are_those_of_the_disk(
        faults in proptest::collection::btree_map(0u64..200, (1u32..3, any_class()), 0..20),
        lanes in proptest::option::of(1u32..6),
        systems in 1u64..5,
        slots in proptest::collection::vec(1usize..12, 1..4),
        crashes in proptest::collection::vec(1.0f64..8.0, 0..3),
        filled in proptest::collection::vec(80u64..97, 0..40),
        window in 600u32..4_000,
    ) {
        let parallel = lanes.map_or(Parallel::Auto, Parallel::Fixed);
        let settings = JobSettings {
            num_ctx: Some(window),
            ..settings(parallel)
        };
        let mut world = guarded(vec![job(1, 200, settings)]);
        world.body = Box::new(move |number| body(number, systems));
        world.window = Some(window.into());
        world.spread = 1.0;
        let faults: BTreeMap<u64, (u32, FailureClass)> = faults;
        world.policy = Box::new(move |number, sent| match faults.get(&number) {
            Some((times, class)) if sent <= *times => Err(*class),
            _ => Ok(()),
        });
        let mut slots = slots.into_iter().cycle();
        for long in crashes.into_iter().chain([0.0]) {
            have_slots(&mut world, slots.next().unwrap());
            for (second, percent) in filled.iter().enumerate() {
                let at = world.now + Duration::from_secs(second as u64);
                world.at(at, sample(*percent, 50));
            }
            if long > 0.0 {
                let until = world.now + Duration::from_secs_f64(long);
                world.run_until(until);
                world.crash();
            }
        }
        world.run_until(Moment(Duration::from_hours(50)));
        world.assert_all_ended();
    }
}
