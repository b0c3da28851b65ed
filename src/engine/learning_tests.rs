use std::sync::Arc;

use super::*;
use crate::engine::core::SendId;
use crate::model::{AnswerBody, Attempts, Finish, JobSettings, Timings, TokenNeed, Usage};
use crate::store::{Claimed, Unit};

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

fn about(is_fresh: bool) -> About {
    About {
        digest: Some("d".into()),
        is_fresh,
        ..About::default()
    }
}

fn learning(is_fresh: bool) -> Learning {
    let mut learning = Learning::default();
    learning.card("card".to_owned());
    learning.loaded(load(), about(is_fresh));
    learning
}

/// A request with 4,000 bytes of these instructions, 1,000 tokens.
fn sending(number: i64, instructions: char) -> Sending {
    let system = String::from(instructions).repeat(4_000);
    let body = serde_json::json!({"messages": [
        {"role": "system", "content": system},
        {"role": "user", "content": "x"},
    ]});
    Sending {
        messages: None,
        id: SendId(number as u64),
        lane: 1,
        request: Claimed {
            id: RequestId(number),
            unit: Unit {
                job: JobId(1),
                model: 0,
            },
            custom_id: "c".into(),
            endpoint: Endpoint::Chat,
            body: body.to_string().into(),
            attempts: Attempts::default(),
        },
        load: load(),
        settings: Arc::new(JobSettings::default()),
        nudge: 0,
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
    learning.sent(&sending(number, instructions), Stamp(1));
    let mut answer = answer(evaluated, WARM);
    learning.answered(RequestId(number), &mut answer);
    answer.usage.reused.map(|tokens| tokens.0)
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
    let known = before.take_due(Moment::ZERO, Stamp(7), true);
    assert_eq!((known.len(), known[0].at), (1, Stamp(7)));
    assert_eq!(known[0].ground.card, "card");
    assert_eq!(known[0].learnt.limit.largest_safe, Some(Tokens(1_010)));
    let mut learning = Learning::new(known);
    learning.card("card".to_owned());
    learning.loaded(load(), about(false));
    assert_eq!(ask(&mut learning, 1, 'a', 20), Some(980));
    assert_eq!(ask(&mut learning, 2, 'b', 20), Some(980));
}

#[test]
fn it_is_stored_now_and_then_and_only_when_something_is_new() {
    let mut learning = learning(true);
    let at = |seconds: u64| Moment(Duration::from_secs(seconds));
    assert!(learning.take_due(at(1), Stamp(1), true).is_empty());
    ask(&mut learning, 1, 'a', 1_000);
    assert_eq!(learning.take_due(at(2), Stamp(1), false).len(), 1);
    ask(&mut learning, 2, 'a', 10);
    assert!(learning.take_due(at(30), Stamp(1), false).is_empty());
    assert_eq!(learning.take_due(at(62), Stamp(1), false).len(), 1);
    assert!(learning.take_due(at(200), Stamp(1), true).is_empty());
    // What was learnt on a ground that is left is not lost.
    ask(&mut learning, 3, 'a', 10);
    learning.loaded(load(), about(true));
    assert_eq!(learning.take_due(at(201), Stamp(1), true).len(), 1);
}

#[test]
fn low_reuse_is_told_once_with_its_cause() {
    let mut learning = learning(true);
    let news: Vec<String> = (0..40)
        .filter_map(|number| {
            ask(&mut learning, number, 'a', 1_000);
            learning.news(JobId(1))
        })
        .collect();
    assert_eq!(news.len(), 1);
    assert!(news[0].contains("pushes the prefix out"), "{news:?}");
    assert_eq!(learning.causes(JobId(1)), [ReuseCause::Evicted]);
}

#[test]
fn prompts_that_do_not_begin_alike_are_no_reason_to_complain() {
    let mut learning = learning(true);
    for number in 0..40 {
        let instructions = char::from(b'a' + (number % 20) as u8);
        let first = number < 20;
        ask(
            &mut learning,
            number,
            instructions,
            if first { 1_000 } else { 30 },
        );
        assert_eq!(learning.news(JobId(1)), None);
    }
}

#[test]
fn reloads_by_another_client_are_a_cause() {
    let mut learning = learning(true);
    for number in 0..30 {
        learning.sent(&sending(number, 'a'), Stamp(1));
        let load = if number % 2 == 1 { RELOAD * 2 } else { WARM };
        learning.answered(RequestId(number), &mut answer(1_000, load));
    }
    assert_eq!(
        learning.causes(JobId(1)),
        [ReuseCause::Reloaded { times: 15 }]
    );
}

#[test]
fn refusals_teach_the_limit_and_the_tokens() {
    let mut learning = learning(true);
    let mut failure = Failure::new(FailureClass::ContextLength, "too long");
    for (number, window) in [(1, 4_096), (2, 3_000)] {
        failure.need = Some(TokenNeed {
            prompt: Tokens(4_999 + number),
            window: Tokens(window),
        });
        learning.sent(&sending(number as i64, 'a'), Stamp(1));
        learning.failed(RequestId(number as i64), &failure);
    }
    // Only the second window is smaller than what was asked for.
    let stored = learning.take_due(Moment::ZERO, Stamp(1), true).remove(0);
    assert_eq!(stored.learnt.limit.smallest_failed, Some(Tokens(5_001)));
    assert_eq!(stored.learnt.calibration.prompts(), 2);
    learning.sent(&sending(3, 'a'), Stamp(1));
    learning.failed(RequestId(3), &Failure::new(FailureClass::Timeout, "slow"));
    learning.dropped(RequestId(3));
    let limit = learning.take_due(Moment::ZERO, Stamp(1), true).remove(0);
    assert_eq!(limit.learnt.limit, stored.learnt.limit);
}
