use super::*;
use crate::engine::core::SendId;
use crate::model::{
    AnswerBody, Attempts, Endpoint, LoadedModel, RELOAD, Timings, TokenNeed, Usage,
};
use crate::store::Unit;

/// The server reads so many tokens a second.
const RATE: f64 = 1_000.0;
const WARM: Duration = Duration::from_millis(3);

fn load() -> LoadOptions {
    LoadOptions {
        model: "m".into(),
        num_ctx: Some(4_096),
        embeddings: false,
    }
}

fn warmed(is_fresh: bool) -> Warmed {
    Warmed {
        digest: Some("d".into()),
        is_fresh,
        ..Warmed::default()
    }
}

fn learning(is_fresh: bool) -> Learning {
    knowing(Vec::new(), is_fresh)
}

fn knowing(known: Vec<Profile>, is_fresh: bool) -> Learning {
    let mut learning = Learning::new(known);
    learning.card("card".to_owned());
    learning.loaded(&load(), &warmed(is_fresh), (Parallel::Auto, Stamp(1)));
    learning
}

fn now(seconds: u64) -> Now {
    Now {
        moment: Moment(Duration::from_secs(seconds)),
        stamp: Stamp(7),
    }
}

/// A request with 4,000 bytes of these instructions, 1,000 tokens.
fn flight(number: i64, instructions: char) -> Flight {
    Flight {
        send: SendId(number as u64),
        lane: 1,
        request: Claimed {
            id: RequestId(number),
            unit: Unit {
                job: JobId(1),
                model: 0,
            },
            custom_id: "c".into(),
            endpoint: Endpoint::Chat,
            body: "{}".into(),
            prompt: Some(Prompt {
                bytes: 4_045,
                lead: 4_002,
                prefix: instructions.into(),
            }),
            attempts: Attempts::default(),
        },
        load: load(),
        nudge: 0,
        free_tries: 0,
        since: Moment::ZERO,
        beside: 1,
    }
}

fn answer(evaluated: u64, load: Duration) -> Answer {
    Answer {
        model: "m".into(),
        body: AnswerBody::Completion { text: "t".into() },
        finish: Finish::Stop,
        usage: Usage {
            prompt: Some(Tokens(1_000)),
            answer: Some(Tokens(10)),
            ..Usage::default()
        },
        timings: Timings {
            load: Some(load),
            prefill: Some(Duration::from_secs_f64(evaluated as f64 / RATE)),
            ..Timings::default()
        },
    }
}

/// One request after the other; gives the tokens that were seen to be reused.
fn ask(learning: &mut Learning, number: i64, instructions: char, evaluated: u64) -> Option<u64> {
    let answer = answered(learning, number, instructions, answer(evaluated, WARM));
    answer.usage.reused.map(|tokens| tokens.0)
}

fn answered(
    learning: &mut Learning,
    number: i64,
    instructions: char,
    mut answer: Answer,
) -> Answer {
    let flight = flight(number, instructions);
    learning.sent(&flight.request, 1, None);
    learning.answered(&flight, &mut answer);
    answer
}

fn refused(learning: &mut Learning, number: i64, (prompt, window): (u64, u64)) {
    let failure = Failure {
        need: Some(TokenNeed {
            prompt: Tokens(prompt),
            window: Tokens(window),
        }),
        ..Failure::new(FailureClass::ContextLength, "too long")
    };
    failed(learning, number, &failure);
}

fn failed(learning: &mut Learning, number: i64, failure: &Failure) {
    let flight = flight(number, 'a');
    learning.sent(&flight.request, 1, None);
    learning.failed(&flight, failure);
}

#[test]
fn the_first_prompt_after_a_load_gives_the_rate() {
    let mut learning = learning(true);
    assert_eq!(ask(&mut learning, 1, 'a', 1_000), Some(0));
    assert_eq!(ask(&mut learning, 2, 'a', 20), Some(980));
    assert_eq!(ask(&mut learning, 3, 'b', 1_000), Some(0));
}

#[test]
fn a_model_that_was_loaded_before_may_have_the_first_prompt_cached() {
    let mut learning = learning(false);
    assert_eq!(ask(&mut learning, 1, 'a', 20), None);
    assert_eq!(ask(&mut learning, 2, 'a', 20), None);
}

#[test]
fn what_an_earlier_run_learnt_helps_from_the_first_answer_on() {
    let mut before = learning(true);
    ask(&mut before, 1, 'a', 1_000);
    let known = before.take_due(now(0), true);
    assert_eq!((known.len(), known[0].at), (1, Stamp(7)));
    assert_eq!(known[0].ground.card, "card");
    assert_eq!(known[0].learnt.limit.largest_safe, Some(Tokens(1_010)));
    let mut learning = knowing(known, false);
    assert_eq!(learning.calibration(&load()).prompts(), 1);
    assert_eq!(ask(&mut learning, 1, 'a', 20), Some(980));
    assert_eq!(ask(&mut learning, 2, 'b', 20), Some(980));
}

#[test]
fn it_is_stored_now_and_then_and_only_when_something_is_new() {
    let mut learning = learning(true);
    assert!(learning.take_due(now(1), true).is_empty());
    ask(&mut learning, 1, 'a', 1_000);
    assert_eq!(learning.take_due(now(2), false).len(), 1);
    ask(&mut learning, 2, 'a', 10);
    assert!(learning.take_due(now(30), false).is_empty());
    assert_eq!(learning.take_due(now(62), false).len(), 1);
    assert!(learning.take_due(now(200), true).is_empty());
    // What was learnt on a ground that is left is not lost.
    ask(&mut learning, 3, 'a', 10);
    learning.loaded(&load(), &warmed(true), (Parallel::Auto, Stamp(1)));
    assert_eq!(learning.take_due(now(201), true).len(), 1);
    assert_eq!(learning.calibration(&load()).prompts(), 3);
}

#[test]
fn another_number_of_lanes_is_another_ground_with_the_same_tokens() {
    let mut learning = learning(true);
    ask(&mut learning, 1, 'a', 1_000);
    learning.stand_on(Parallel::Fixed(4), Stamp(2));
    ask(&mut learning, 2, 'a', 20);
    assert_eq!(learning.calibration(&load()).prompts(), 2);
    let stored = learning.take_due(now(0), true);
    let slots: Vec<u32> = stored.iter().map(|it| it.ground.slots).collect();
    assert_eq!(slots, [0, 4]);
}

#[test]
fn of_a_model_without_a_digest_much_is_learnt_and_nothing_is_kept() {
    let mut learning = Learning::default();
    learning.loaded(&load(), &Warmed::default(), (Parallel::Auto, Stamp(1)));
    ask(&mut learning, 1, 'a', 1_000);
    learning.stand_on(Parallel::Fixed(4), Stamp(2));
    assert_eq!(learning.calibration(&load()).prompts(), 1);
    assert!(learning.take_due(now(0), true).is_empty());
}

#[test]
fn a_prompt_counts_with_what_was_sent_and_not_with_its_body() {
    let mut learning = learning(true);
    let flight = flight(1, 'a');
    // In a conversation, the history before it is sent with it.
    learning.sent(&flight.request, 1, Some(8_000));
    let mut long = answer(1_000, WARM);
    long.usage.prompt = Some(Tokens(2_000));
    learning.answered(&flight, &mut long);
    let bytes_per_token = learning.calibration(&load()).bytes_per_token();
    assert!((bytes_per_token - 4.0).abs() < 1e-9, "{bytes_per_token}");
}

fn causes(learning: &Learning) -> Vec<ReuseCause> {
    learning.causes(JobId(1), None)
}

#[test]
fn low_reuse_has_a_cause() {
    let mut learning = learning(true);
    for number in 0..40 {
        ask(&mut learning, number, 'a', 1_000);
    }
    assert_eq!(causes(&learning), [ReuseCause::Evicted]);
}

#[test]
fn prompts_that_do_not_begin_alike_are_no_reason_to_complain() {
    let mut learning = learning(true);
    for number in 0..40 {
        let instructions = char::from(b'a' + (number % 20) as u8);
        let evaluated = if number < 20 { 1_000 } else { 30 };
        ask(&mut learning, number, instructions, evaluated);
        assert!(causes(&learning).is_empty());
    }
}

#[test]
fn reloads_by_another_client_are_a_cause() {
    let mut learning = learning(true);
    for number in 0..30 {
        let load = if number % 2 == 1 { RELOAD * 2 } else { WARM };
        answered(&mut learning, number, 'a', answer(1_000, load));
    }
    assert_eq!(causes(&learning), [ReuseCause::Reloaded { times: 15 }]);
}

#[test]
fn a_refusal_teaches_the_window_and_the_tokens() {
    let mut learning = learning(true);
    assert_eq!(learning.window(&load()), Tokens(4_096));
    refused(&mut learning, 1, (5_000, 4_096));
    assert_eq!(learning.usable(&load()), None, "the window explains it");
    assert_eq!(learning.calibration(&load()).prompts(), 1);
    refused(&mut learning, 2, (5_000, 2_048));
    assert_eq!(learning.window(&load()), Tokens(2_048));
    // The next run is told 4,096 again.
    assert_eq!(learning.usable(&load()), Some(Tokens(1_843)));
}

#[test]
fn what_fails_within_the_window_is_a_limit_of_the_card() {
    let mut learning = learning(true);
    refused(&mut learning, 1, (4_000, 4_096));
    assert_eq!(learning.usable(&load()), Some(Tokens(1_800)));
    let slow = Failure::new(FailureClass::Timeout, "slow");
    failed(&mut learning, 2, &slow);
    assert_eq!(learning.usable(&load()), Some(Tokens(1_800)));
    let stored = learning.take_due(now(0), true).remove(0);
    assert_eq!(stored.learnt.limit.smallest_failed, Some(Tokens(4_000)));
}

#[test]
fn want_of_memory_is_a_limit_of_the_card() {
    let mut learning = learning(true);
    let out = Failure::new(FailureClass::OutOfMemory, "no room");
    failed(&mut learning, 1, &out);
    // A prompt of about 1,000 tokens by the first estimate.
    let usable = learning.usable(&load()).unwrap();
    assert!((440..=480).contains(&usable.0), "{usable:?}");
}

#[test]
fn the_window_is_the_one_that_the_server_tells_at_the_load() {
    let mut learning = Learning::default();
    let load = LoadOptions {
        num_ctx: None,
        ..load()
    };
    assert_eq!(learning.told_window(&load), None);
    assert_eq!(learning.window(&load), ASSUMED);
    let loaded = LoadedModel {
        name: "m".into(),
        digest: "d".into(),
        quantization: None,
        size: None,
        size_vram: None,
        window: Some(Tokens(32_768)),
        expires: None,
    };
    let warmed = Warmed {
        loaded: Some(loaded),
        ..warmed(true)
    };
    learning.loaded(&load, &warmed, (Parallel::Auto, Stamp(1)));
    assert_eq!(learning.window(&load), Tokens(32_768));
}

#[test]
fn what_computing_takes_is_told_to_the_next_plan() {
    let mut learning = learning(true);
    assert_eq!(learning.overhead(&load()), None);
    learning.learn_overhead(&load(), 700);
    let other = LoadOptions {
        num_ctx: Some(9_999),
        ..load()
    };
    assert_eq!(learning.overhead(&other), Some(700));
    assert_eq!(
        learning.take_due(now(0), true)[0].learnt.overhead,
        Some(700)
    );
    learning.learn_overhead(&load(), 700);
    assert!(learning.take_due(now(0), true).is_empty());
}
