//! Conversations in virtual time: what each request is sent with, whatever goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use batchtop::base::Moment;
use batchtop::context::Profile;
use batchtop::engine::core::Input;
use batchtop::model::*;
use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use crate::guard::{guarded, sample};
use crate::world::{World, job, seconds};

const WINDOW: u64 = 2_048;
const CAP: u32 = 64;

fn settings(mode: Mode, parallel: u32) -> JobSettings {
    JobSettings {
        mode,
        parallel: Parallel::Fixed(parallel),
        num_ctx: Some(WINDOW as u32),
        max_tokens: CAP,
        ..JobSettings::default()
    }
}

fn chat() -> JobSettings {
    settings(Mode::Conversation, 1)
}

/// A question of its own length, about one of `systems` texts.
fn body(number: u64, systems: u64) -> String {
    let system = format!("You judge texts of kind {}.", number % systems);
    let question = format!(
        "question {number} is: {}",
        "word ".repeat(number as usize % 23)
    );
    json!({"messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": question},
    ]})
    .to_string()
}

fn world(requests: u64, settings: JobSettings) -> World {
    talking(World::new(vec![job(1, requests, settings)]))
}

fn knowing(known: Vec<Profile>, jobs: Vec<crate::world::JobRow>) -> World {
    talking(World::knowing(known, jobs))
}

fn talking(mut world: World) -> World {
    world.body = Box::new(|number| body(number, 1));
    world.window = Some(WINDOW);
    world
}

/// The numbers of the questions and answers in a prompt, in their order.
fn said(messages: &[String]) -> Vec<(String, u64)> {
    let read = |message: &String| {
        let message: Value = serde_json::from_str(message).ok()?;
        let role = message["role"].as_str()?.to_owned();
        let text = message["content"].as_str()?;
        let number = text.split_whitespace().nth(1)?.parse().ok()?;
        Some((role, number))
    };
    messages.iter().filter_map(read).collect()
}

/// What must hold of every prompt: the system prompt first, whole exchanges in the order of the
/// file, and the request's own question last.
fn assert_sound(world: &World) {
    for (request, messages, _) in &world.prompts {
        let number = (request.0 % 1_000_000) as u64;
        assert!(messages[0].contains("\"system\""), "{}", messages[0]);
        let said = said(&messages[1..]);
        assert_eq!(said.len(), messages.len() - 1);
        let (last, history) = said.split_last().expect("a question");
        assert_eq!(*last, ("user".to_owned(), number));
        for pair in history.chunks(2) {
            assert_eq!(
                (pair[0].0.as_str(), pair[1].0.as_str()),
                ("user", "assistant")
            );
            assert_eq!(pair[0].1, pair[1].1, "an answer follows its question");
        }
        let numbers: Vec<u64> = said.iter().map(|(_, number)| *number).collect();
        assert!(numbers.is_sorted(), "{numbers:?}");
    }
}

#[rstest]
fn a_thousand_requests_are_none_too_long(
    #[values("sliding", "importance", "hybrid", "aggressive")] policy: &str,
    #[values(1, 4)] lanes: u32,
) {
    let policy: TrimPolicy = policy.parse().unwrap();
    let mut world = world(
        1_000,
        JobSettings {
            trim: policy,
            ..settings(Mode::Conversation, lanes)
        },
    );
    world.run();
    world.assert_all_ended();
    assert_eq!(world.refused, 0, "the server never has to refuse");
    assert_eq!(world.states(1)[&RequestState::Done], 1_000);
    assert_sound(&world);
    let safe = WINDOW * 875 / 1_000;
    let peak = world.prompts.iter().map(|(_, _, tokens)| tokens + 10).max();
    assert!(peak.unwrap() <= safe, "{peak:?} of {safe}");
    assert!(peak.unwrap() > safe / 3, "the window is used");
    let view = world.core.overview(world.now).context;
    assert_eq!(view.trimmed, world.trims.len() as u64);
    assert!(view.trims.len() <= 200 && !view.trims.is_empty());
    for trim in &world.trims {
        assert!(trim.messages_after < trim.messages_before, "{trim:?}");
        assert!(trim.tokens_after < trim.tokens_before, "{trim:?}");
        assert_eq!(trim.policy, policy);
    }
    let told = world
        .events
        .iter()
        .filter(|it| it.kind == EventKind::Trimmed);
    assert_eq!(told.count(), world.trims.len());
}

#[test]
fn a_request_sees_all_that_was_answered_before_it() {
    let mut world = world(10, chat());
    world.run();
    let lengths: Vec<usize> = world.prompts.iter().map(|it| it.1.len()).collect();
    assert_eq!(lengths, (0..10).map(|n| 2 + 2 * n).collect::<Vec<_>>());
    assert_sound(&world);
}

#[test]
fn each_lane_has_a_conversation_and_each_system_prompt_its_own() {
    let mut world = world(40, settings(Mode::Conversation, 2));
    world.body = Box::new(|number| body(number, 2));
    world.run();
    world.assert_all_ended();
    assert_sound(&world);
    for (request, messages, _) in &world.prompts {
        let kind = (request.0 % 2) as u64;
        assert!(messages[0].contains(&format!("of kind {kind}.")));
        assert!(said(messages).iter().all(|(_, number)| number % 2 == kind));
    }
    let longest = world.prompts.iter().map(|it| it.1.len()).max();
    assert_eq!(
        longest,
        Some(2 + 2 * 19),
        "a lane goes on with its conversation"
    );
}

#[test]
fn independent_requests_never_see_each_other() {
    let mut world = world(50, settings(Mode::Independent, 4));
    world.run();
    world.assert_all_ended();
    assert!(world.prompts.iter().all(|it| it.1.len() == 2));
    assert!(world.trims.is_empty());
    assert_sound(&world);
}

#[test]
fn a_failed_request_leaves_nothing_behind_and_a_retried_one_keeps_its_place() {
    let mut world = world(
        12,
        JobSettings {
            retries: 2,
            ..chat()
        },
    );
    world.policy = Box::new(|number, sent| match (number, sent) {
        (3, _) => Err(FailureClass::Refused),
        (5, 1..=2) => Err(FailureClass::ServerError),
        _ => Ok(()),
    });
    world.run();
    assert_eq!(world.states(1)[&RequestState::Failed], 1);
    assert_sound(&world);
    let order: Vec<i64> = world.order.iter().map(|id| id.0 % 1_000_000).collect();
    assert_eq!(order, [0, 1, 2, 3, 4, 5, 5, 5, 6, 7, 8, 9, 10, 11]);
    let (_, last, _) = world.prompts.last().unwrap();
    let numbers: Vec<u64> = said(last).iter().map(|(_, number)| *number).collect();
    assert_eq!(
        numbers,
        [
            0, 0, 1, 1, 2, 2, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11
        ]
    );
}

#[test]
fn a_failed_request_that_is_retried_sees_what_stands_before_it_in_the_file() {
    let mut world = world(12, chat());
    world.latency = Duration::from_secs(1);
    world.policy = Box::new(|number, sent| match (number, sent) {
        (3, 1) => Err(FailureClass::Refused),
        _ => Ok(()),
    });
    let (job, which) = (JobId(1), WhichFailures::All);
    world.command(12.0, 1, Command::Retry { job, which });
    world.run();
    world.assert_all_ended();
    let (_, again, _) = world
        .prompts
        .iter()
        .rfind(|it| it.0.0 == 1_000_003)
        .unwrap();
    let numbers: Vec<u64> = said(again).iter().map(|(_, number)| *number).collect();
    assert_eq!(numbers, [0, 0, 1, 1, 2, 2, 3]);
    assert_sound(&world);
}

#[test]
fn the_interval_trims_although_everything_fits() {
    let settings = JobSettings {
        trim: TrimPolicy::Aggressive,
        trim_interval: 5,
        ..chat()
    };
    let mut world = world(17, settings);
    world.run();
    let reasons: Vec<_> = world.trims.iter().map(|trim| trim.reason).collect();
    assert_eq!(reasons, [TrimReason::Interval { requests: 5 }; 3]);
    let lengths: Vec<usize> = world.prompts.iter().map(|it| it.1.len()).collect();
    assert_eq!(&lengths[..7], &[2, 4, 6, 8, 10, 4, 6]);
}

#[test]
fn tight_memory_leaves_only_the_last_exchange() {
    let mut world = talking(guarded(vec![job(1, 60, chat())]));
    world.latency = Duration::from_secs(5);
    for second in 0..400 {
        world.at(seconds(f64::from(second)), sample(91, 50));
    }
    world.run_until(seconds(80.0));
    let before = (world.prompts.len(), world.trims.len());
    world.run();
    world.assert_all_ended();
    assert!(before.0 > 5 && world.prompts.len() > before.0 + 5);
    assert!(world.prompts[before.0..].iter().all(|it| it.1.len() <= 4));
    assert!(world.trims[before.1..].iter().all(|trim| {
        (trim.policy, trim.reason) == (TrimPolicy::Aggressive, TrimReason::Memory)
    }));
}

#[test]
fn what_the_server_refuses_is_trimmed_harder_and_is_no_failure() {
    // One byte a token: the first estimates are four times too low.
    let mut world = world(
        200,
        JobSettings {
            retries: 0,
            ..chat()
        },
    );
    world.bytes_per_token = 1.0;
    world.body = Box::new(|number| {
        if number < 5 {
            body(0, 1)
        } else {
            body(number, 1).replace("is:", &format!("is: {}", "x".repeat(300)))
        }
    });
    world.run();
    world.assert_all_ended();
    assert_eq!(world.states(1)[&RequestState::Done], 200);
    let mut rows = world.jobs[&JobId(1)].requests.values();
    assert!(rows.all(|row| row.attempts.counted == 0));
}

#[test]
fn a_smaller_window_than_believed_is_learnt_from_one_refusal() {
    let mut world = world(
        100,
        JobSettings {
            num_ctx: Some(65_536),
            ..chat()
        },
    );
    world.window = Some(1_024);
    world.run();
    world.assert_all_ended();
    assert_eq!(world.states(1)[&RequestState::Done], 100);
    assert_eq!(world.refused, 1);
    let refused = world
        .trims
        .iter()
        .filter(|trim| trim.reason == TrimReason::Refused);
    assert_eq!(refused.count(), 1);
    assert_sound(&world);
    let view = world.core.overview(world.now).context;
    assert!(view.peak.is_none() || view.peak < Some(Tokens(1_024)));
}

/// Five exchanges of the caller's own, of which the newest question alone fits easily.
fn long_body(turns: usize, words: usize) -> String {
    let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
    for turn in 0..turns {
        let text = format!("turn {turn} {}", "word ".repeat(words));
        messages.push(json!({"role": "user", "content": text}));
        messages.push(json!({"role": "assistant", "content": format!("turn {turn}")}));
    }
    messages.push(json!({"role": "user", "content": "turn 99 at last"}));
    json!({ "messages": messages }).to_string()
}

#[rstest]
fn a_single_request_that_is_too_long_fails_or_loses_its_own_turns(
    #[values(Mode::Independent, Mode::Conversation)] mode: Mode,
    #[values(Overflow::Fail, Overflow::Trim)] on_overflow: Overflow,
) {
    let settings = JobSettings {
        on_overflow,
        ..settings(mode, 1)
    };
    let mut world = world(3, settings);
    world.body = Box::new(|number| match number {
        1 => long_body(8, 300),
        _ => body(number, 1),
    });
    world.run();
    let ends = &world.ends[&RequestId(1_000_001)];
    match on_overflow {
        Overflow::Fail => {
            let [batchtop::engine::core::End::Failed(failure)] = ends.as_slice() else {
                panic!("{ends:?}");
            };
            let need = failure.need.unwrap();
            assert!(need.prompt > need.window && need.window == Tokens(WINDOW));
            assert_eq!(world.sent[&RequestId(1_000_001)], 1);
        }
        Overflow::Trim => {
            assert!(matches!(
                ends[0],
                batchtop::engine::core::End::Answered { .. }
            ));
            let [trim] = world.trims.as_slice() else {
                panic!("{:?}", world.trims);
            };
            assert_eq!((trim.request.0, trim.messages_before), (1_000_001, 18));
            let (_, sent, _) = world.prompts.iter().find(|it| it.0.0 == 1_000_001).unwrap();
            assert!(sent[0].contains("Be brief."));
            assert!(sent.last().unwrap().contains("turn 99 at last"));
            assert_eq!(sent.len(), trim.messages_after as usize);
        }
    }
    assert_eq!(
        world.states(1)[&RequestState::Done],
        2 + usize::from(on_overflow == Overflow::Trim)
    );
}

#[test]
fn what_was_learnt_is_kept_and_the_next_run_begins_with_it() {
    let mut first = world(300, chat());
    first.bytes_per_token = 3.0;
    first.run();
    first.step(Input::Stop(Duration::ZERO));
    let learnt = first.learnt.last().unwrap().learnt.clone();
    assert!((learnt.calibration.error().unwrap()) < 0.1);
    assert!(learnt.limit.largest_safe > Some(Tokens(1_000)));
    // How far the estimate of the first prompt is off, in per cent.
    let error = |known: Vec<Profile>| {
        let mut world = knowing(known, vec![job(1, 300, chat())]);
        world.bytes_per_token = 3.0;
        world.latency = Duration::from_secs(5);
        world.run_until(seconds(4.0));
        let real = world.prompts.last().unwrap().2;
        let lane = world.core.overview(world.now).context.lanes[0];
        (lane.total().0 - lane.answer.0).abs_diff(real) * 100 / real
    };
    let (fresh, kept) = (error(Vec::new()), error(first.learnt));
    assert!(fresh > 20 && kept * 2 < fresh, "{fresh} % and {kept} %");
}

#[test]
fn the_lanes_show_what_their_prompts_consist_of() {
    let mut world = world(100, settings(Mode::Conversation, 2));
    world.latency = Duration::from_secs(1);
    world.run_until(seconds(20.5));
    let view = world.core.overview(world.now).context;
    assert_eq!(
        (view.mode, view.window),
        (Mode::Conversation, Some(Tokens(WINDOW)))
    );
    assert_eq!(view.safe, Some(Tokens(WINDOW * 875 / 1_000)));
    let lanes: Vec<u32> = view.lanes.iter().map(|lane| lane.lane).collect();
    assert_eq!(lanes, [1, 2]);
    for lane in &view.lanes {
        assert!(lane.system.0 > 0 && lane.history.0 > 0 && lane.question.0 > 0);
        assert_eq!(lane.answer, Tokens(CAP.into()));
        assert!(Some(lane.total()) <= view.safe);
    }
    assert!(view.peak > Some(Tokens(0)) && view.peak <= view.safe);
    assert!(view.error.is_some());
}

#[test]
fn a_pause_lets_go_and_a_resume_goes_on_with_the_same_history() {
    let mut world = world(20, settings(Mode::Conversation, 2));
    world.latency = Duration::from_secs(1);
    world.command(6.0, 1, Command::Pause { job: JobId(1) });
    world.command(20.0, 2, Command::Resume { job: JobId(1) });
    world.at(seconds(40.0), Input::Tick);
    world.run();
    world.assert_all_ended();
    assert_sound(&world);
    let longest = world.prompts.iter().map(|it| it.1.len()).max().unwrap();
    assert!(longest >= 18, "{longest}");
}

fn any_class() -> impl Strategy<Value = FailureClass> {
    proptest::sample::select(
        &[
            FailureClass::ServerError,
            FailureClass::Busy,
            FailureClass::Timeout,
            FailureClass::RunnerCrash,
            FailureClass::ContextLength,
            FailureClass::Refused,
        ][..],
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_fails_prompts_stay_sound_and_every_request_ends(
        faults in proptest::collection::btree_map(0u64..120, (1u32..4, any_class()), 0..30),
        (lanes, systems) in (1u32..5, 1u64..4),
        policy in proptest::sample::select(&TrimPolicy::ALL[..]),
        on_overflow in proptest::sample::select(&Overflow::ALL[..]),
        (interval, bytes_per_token) in (0u32..20, 1.0f64..6.0),
        outage in proptest::option::of((1.0f64..20.0, 1.0f64..20.0)),
    ) {
        let settings = JobSettings {
            trim: policy,
            on_overflow,
            trim_interval: interval,
            ..settings(Mode::Conversation, lanes)
        };
        let mut world = world(120, settings);
        world.bytes_per_token = bytes_per_token;
        world.body = Box::new(move |number| body(number, systems));
        world.spread = 1.0;
        world.outages = outage.map(|(at, long)| (seconds(at), seconds(at + long))).into_iter().collect();
        let faults: BTreeMap<u64, (u32, FailureClass)> = faults;
        world.policy = Box::new(move |number, sent| match faults.get(&number) {
            Some((times, class)) if sent <= *times => Err(*class),
            _ => Ok(()),
        });
        world.run_until(Moment(Duration::from_hours(50)));
        world.assert_all_ended();
        assert_sound(&world);
    }
}
