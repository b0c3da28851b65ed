//! Pictures of the views over the queue.

use rstest::rstest;

use crate::base::Stamp;
use crate::model::*;
use crate::store::*;
use crate::tui::lists::*;
use crate::tui::query::{At, Page};
use crate::tui::reading::RequestText;
use crate::tui::testing::{HOSTILE, drawn, hostile_texts, snapshot, text, ui};
use crate::tui::ui::{Ui, View};
use crate::tui::widget::Field;

const SIZES: [(u16, u16); 3] = [(120, 30), (80, 24), (40, 10)];
const VIEWS: [View; 3] = [View::Requests, View::Request, View::Failures];

fn line(seq: i64, state: RequestState, custom_id: &str) -> RequestLine {
    let is_over = matches!(state, RequestState::Done | RequestState::Failed);
    RequestLine {
        id: RequestId(seq + 1),
        seq,
        line: seq as u64 + 1,
        custom_id: Some(custom_id.to_owned()),
        state,
        attempts: Attempts {
            sent: 1,
            counted: 0,
            crashes: 0,
        },
        at: is_over.then_some(Stamp(1_795_262_400_000)),
        class: (state == RequestState::Failed).then_some(FailureClass::Timeout),
        prompt_tokens: is_over.then_some(Tokens(1_948)),
        answer_tokens: (state == RequestState::Done).then_some(Tokens(41)),
        wall_ms: (state == RequestState::Done).then_some(912),
    }
}

fn lines(scene: &str) -> Vec<RequestLine> {
    let (first, many) = match scene {
        "empty" => (0, 0),
        "huge" => (999_600, 400),
        "hostile" => (0, hostile_texts().len() as i64),
        _ => (0, 40),
    };
    (first..first + many)
        .map(|seq| match scene {
            "hostile" => line(seq, RequestState::Failed, hostile_texts()[seq as usize]),
            "failing" => line(seq, RequestState::Failed, &format!("cand-{seq:06}")),
            _ => {
                let state = RequestState::ALL[(seq % 4) as usize];
                line(seq, state, &format!("cand-{seq:06}"))
            }
        })
        .collect()
}

fn requests(scene: &str) -> RequestList {
    let mut filter = Filter::default();
    if scene == "failing" {
        filter.state = Some(RequestState::Failed);
    }
    if scene == "hostile" {
        filter.text = Some(HOSTILE.concat());
        filter.pattern = Some(HOSTILE.concat());
    }
    let mut list = RequestList::new(JobId(1), filter);
    list.jump = Some(if scene == "huge" { At::Last } else { At::First });
    let is_first = scene != "huge";
    list.take(Page {
        lines: lines(scene),
        is_first,
        is_last: true,
        claimed: 4,
    });
    if scene == "busy" {
        list.mark();
        list.select(3);
        list.typing = Some(Field::new("!cand"));
    }
    list
}

fn answer(scene: &str) -> Option<Answer> {
    let content = match scene {
        "busy" => "The candidate fits: five years of Rust, and a good reason to move.".to_owned(),
        "hostile" => hostile_texts().join("\n"),
        "huge" => "word ".repeat(100_000),
        _ => return None,
    };
    let ms = |ms| Some(std::time::Duration::from_millis(ms));
    Some(Answer {
        model: "gemma3:12b".into(),
        body: AnswerBody::Chat {
            content,
            thinking: Some("Let me see.".into()),
            tool_calls: None,
            logprobs: None,
        },
        finish: Finish::Stop,
        usage: Usage::default(),
        timings: Timings {
            wall: std::time::Duration::from_millis(912),
            first_token: None,
            total: ms(900),
            load: ms(12),
            prefill: ms(140),
            decode: ms(700),
            saved: None,
        },
    })
}

fn reading(scene: &str) -> Reading {
    let mut reading = Reading::new(JobId(1), RequestId(1));
    if scene == "empty" {
        return reading;
    }
    let user = match scene {
        "hostile" => hostile_texts().join("\n"),
        "huge" => "日本".repeat(200_000),
        _ => "Should we\ninvite her?".to_owned(),
    };
    let body = serde_json::json!({"model": "m", "messages": [
        {"role": "system", "content": "You judge candidates. Be brief and say why."},
        {"role": if scene == "hostile" { HOSTILE[0] } else { "user" }, "content": user}]});
    let answer = answer(scene);
    let what = if scene == "hostile" {
        HOSTILE.concat()
    } else {
        "no token within 2 min".into()
    };
    let failure = Failure::new(FailureClass::Timeout, what).with_status(504);
    let failed = answer.is_none() || scene == "hostile";
    let state = if failed {
        RequestState::Failed
    } else {
        RequestState::Done
    };
    reading.text = Some(std::sync::Arc::new(RequestText::of(RequestDetail {
        line: line(
            0,
            state,
            if scene == "hostile" {
                HOSTILE[2]
            } else {
                "cand-000000"
            },
        ),
        body: Some(body.to_string()),
        answer,
        failure: failed.then(|| failure.clone()),
        failed_attempts: if failed {
            vec![(1, Stamp(1_795_262_000_000), failure)]
        } else {
            vec![]
        },
    })));
    reading
}

fn failures(scene: &str) -> FailureList {
    let group = |class, pattern: &str, count| FailureGroup {
        class,
        pattern: pattern.into(),
        count,
        sample: pattern.replace('#', "7"),
    };
    let mut list = FailureList::new(JobId(1));
    list.groups = match scene {
        "empty" => None,
        "busy" => Some(Vec::new()),
        "hostile" => Some(
            hostile_texts()
                .iter()
                .map(|text| group(FailureClass::Timeout, text, 1))
                .collect(),
        ),
        "huge" => Some(
            (0..200)
                .map(|n| {
                    group(
                        FailureClass::ALL[n % 9],
                        &format!("pattern {n}"),
                        u64::MAX / 1000,
                    )
                })
                .collect(),
        ),
        _ => Some(vec![
            group(FailureClass::Timeout, "no token within # min", 7),
            group(
                FailureClass::ContextLength,
                "the prompt has # tokens, the window #",
                4,
            ),
            group(FailureClass::Timeout, "no end within # min", 2),
        ]),
    };
    list
}

/// A screen with a view over the queue open.
pub(in crate::tui) fn screen(scene: &str, view: View) -> Ui {
    let mut ui = ui();
    ui.lists = Lists {
        requests: Some(requests(scene)),
        reading: Some(reading(scene)),
        failures: Some(failures(scene)),
    };
    ui.views.push(view);
    ui
}

#[rstest]
fn views_over_the_queue_look_as_they_should(
    #[values("empty", "busy", "failing", "huge", "hostile")] scene: &str,
    #[values(View::Requests, View::Request, View::Failures)] view: View,
) {
    for (columns, rows) in SIZES {
        let (buffer, _) = drawn(&snapshot(scene), &screen(scene, view), columns, rows);
        let name = format!("{view:?}-{scene}-{columns}x{rows}").to_lowercase();
        insta::assert_snapshot!(name, text(&buffer));
    }
}

#[rstest]
fn every_size_draws(
    #[values(View::Requests, View::Request, View::Failures)] view: View,
    #[values("empty", "busy", "failing")] scene: &str,
) {
    let (run, ui) = (snapshot(scene), screen(scene, view));
    let step = if scene == "busy" { 1 } else { 7 };
    for rows in 0..=45 {
        for columns in (0..=130).step_by(step) {
            drawn(&run, &ui, columns, rows);
        }
    }
}

#[test]
fn drawing_twice_is_equal() {
    for view in VIEWS {
        let (run, ui) = (snapshot("busy"), screen("busy", view));
        assert_eq!(drawn(&run, &ui, 100, 30), drawn(&run, &ui, 100, 30));
    }
}
