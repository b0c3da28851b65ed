//! Pictures of the views over the queue.

use rstest::rstest;

use crate::analysis::{Analyzer, Ending, Observation, ScoreRule, Seen, Summary};
use crate::base::{Moment, Stamp};
use crate::model::*;
use crate::store::*;
use crate::tui::analyzed::Analyzed;
use crate::tui::lists::*;
use crate::tui::query::{At, Page};
use crate::tui::reading::RequestText;
use crate::tui::testing::{HOSTILE, drawn, hostile_texts, snapshot, text, ui};
use crate::tui::theme::{Depth, Theme};
use crate::tui::ui::{Ui, View};
use crate::tui::widget::Field;

const SIZES: [(u16, u16); 3] = [(120, 30), (80, 24), (40, 10)];
const VIEWS: [View; 4] = [
    View::Requests,
    View::Request,
    View::Failures,
    View::Analysis,
];

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

/// The end of a request: every tenth has failed, the others give a score, most of them.
fn end(scene: &str, number: u64) -> Observation {
    let hostile = HOSTILE[number as usize % HOSTILE.len()];
    let is_hostile = scene == "hostile";
    let id = if is_hostile {
        hostile.to_owned()
    } else {
        format!("cand-{number:06}")
    };
    let text = match (scene, number % 50) {
        ("huge", _) => format!(
            "A text without any number in it, {}",
            "x".repeat(number as usize)
        ),
        ("hostile", _) => format!("{hostile} {}/10", number % 11),
        (_, 3) => String::new(),
        (_, 7) => "I cannot help with that.".to_owned(),
        (_, 9) => "{\"score\": \"high\"}".to_owned(),
        (_, place) => format!(
            "{{\"score\": {}, \"reason\": \"r{place}\"}}",
            number * number % 11
        ),
    };
    let ending = if number % 10 == 8 {
        Ending::Failed {
            class: if is_hostile { hostile } else { "timeout" }.to_owned(),
            message: if is_hostile {
                hostile
            } else {
                "no token within 2 min"
            }
            .to_owned(),
        }
    } else {
        Ending::Answered(Box::new(Seen {
            text: Some(text),
            tool_calls: 0,
            is_refusal: false,
            finish: Some(
                if number.is_multiple_of(9) {
                    "length"
                } else {
                    "stop"
                }
                .to_owned(),
            ),
            model: Some(if is_hostile { hostile } else { "gemma3:12b" }.to_owned()),
            prompt_tokens: Some(1_900 + number),
            answer_tokens: Some(if scene == "huge" {
                number << 40
            } else {
                40 + number % 7
            }),
            wall_ms: Some(912.5 + number as f64),
            first_token_ms: Some(140.0),
        }))
    };
    Observation {
        custom_id: Some(id),
        ending,
    }
}

fn summary(scene: &str) -> Summary {
    let mut analyzer = Analyzer::new(ScoreRule::Detect);
    for number in 0..400 {
        analyzer.add(&end(scene, number));
    }
    analyzer.finish()
}

/// An analysis: under way, done, done again, in trouble.
fn analysis(scene: &str) -> Analyzed {
    let mut held = Analyzed::new(JobId(1));
    held.read((0, 0), Moment::ZERO);
    match scene {
        "empty" => held.goes_on(41_000),
        "failing" => held.ends(Err("the database is locked".into()), Moment::ZERO),
        _ => held.ends(Ok(Box::new(summary(scene))), Moment::ZERO),
    }
    if scene == "huge" {
        held.read((1, 0), Moment::ZERO);
        held.goes_on(7_000_000);
    }
    held
}

/// A screen with a view over the queue open.
pub(in crate::tui) fn screen(scene: &str, view: View) -> Ui {
    let mut ui = ui();
    ui.lists = Lists {
        requests: Some(requests(scene)),
        reading: Some(reading(scene)),
        failures: Some(failures(scene)),
        analysis: Some(analysis(scene)),
    };
    ui.views.push(view);
    ui
}

#[rstest]
fn views_over_the_queue_look_as_they_should(
    #[values("empty", "busy", "failing", "huge", "hostile")] scene: &str,
    #[values(View::Requests, View::Request, View::Failures, View::Analysis)] view: View,
) {
    for (columns, rows) in SIZES {
        let (buffer, _) = drawn(&snapshot(scene), &screen(scene, view), columns, rows);
        let name = format!("{view:?}-{scene}-{columns}x{rows}").to_lowercase();
        insta::assert_snapshot!(name, text(&buffer));
    }
}

#[test]
fn an_analysis_is_drawn_in_ascii_without_colour() {
    for (columns, rows) in SIZES {
        let mut ui = screen("busy", View::Analysis);
        ui.theme = Theme::built_in("mono", Depth::None, true).unwrap();
        let (buffer, _) = drawn(&snapshot("busy"), &ui, columns, rows);
        let drawn = text(&buffer);
        let is_drawing = |c: char| matches!(c, '\u{2500}'..='\u{28ff}');
        assert!(!drawn.chars().any(is_drawing), "{drawn}");
        insta::assert_snapshot!(format!("analysis-ascii-{columns}x{rows}"), drawn);
    }
}

#[test]
fn a_job_without_an_end_has_nothing_to_analyze() {
    let mut ui = screen("busy", View::Analysis);
    let mut held = Analyzed::new(JobId(2));
    held.read((0, 0), Moment::ZERO);
    held.ends(Ok(Box::default()), Moment::ZERO);
    ui.lists.analysis = Some(held);
    let (buffer, _) = drawn(&snapshot("busy"), &ui, 80, 24);
    let drawn = text(&buffer);
    assert!(
        drawn.contains("no request of this job has come to an end yet"),
        "{drawn}"
    );
}

#[rstest]
fn every_size_draws(
    #[values(View::Requests, View::Request, View::Failures, View::Analysis)] view: View,
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
