//! Conversations with the real program, proven by what the server was sent.

use std::collections::BTreeMap;

use batchtop::model::{AnswerBody, JobId, JobState};
use batchtop::simulator::{Action, Answers, Length, LogEntry, Outcome, Script, Style};
use batchtop::store::{Order, Reader, StoreError};
use serde_json::{Value, json};

use crate::support::{Stage, batch, chat, chat_with, marked, until};

fn script() -> Script {
    Script {
        marker_prefix: Some("r".to_owned()),
        log_bodies: true,
        answers: Answers {
            tokens: Length::Between { min: 4, max: 24 },
            style: Style::Prose,
            ..Answers::default()
        },
        ..Script::instant()
    }
}

/// Who says what in the prompt of a request.
fn messages(entry: &LogEntry) -> Vec<(String, String)> {
    let body: Value = serde_json::from_str(entry.body.as_ref().unwrap()).unwrap();
    let all = body["messages"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    all.map(|message| (text(&message["role"]), text(&message["content"])))
        .collect()
}

/// A request that was answered.
#[derive(Debug)]
struct Told {
    id: i64,
    conversation: Option<i64>,
    answer: String,
}

/// The stored answers of the first job, by the names of their requests.
fn stored(stage: &Stage) -> BTreeMap<String, Told> {
    let reader = Reader::open(&stage.data()).unwrap().unwrap();
    let mut all = BTreeMap::new();
    let read = reader.results::<StoreError>(JobId(1), Order::Input, |row| {
        if let Some(AnswerBody::Chat { content, .. }) = row.answer.map(|answer| answer.body) {
            let told = Told {
                id: row.id.0,
                conversation: row.conversation,
                answer: content,
            };
            all.insert(row.custom_id.unwrap(), told);
        }
        Ok(())
    });
    read.unwrap();
    all
}

/// What a request was to be sent with: all that was answered before it in its conversation.
fn expected(all: &BTreeMap<String, Told>, name: &str) -> Vec<(String, String)> {
    let own = &all[name];
    let mut before: Vec<(&String, &Told)> = all
        .iter()
        .filter(|(_, told)| told.conversation == own.conversation && told.id < own.id)
        .collect();
    before.sort_by_key(|(_, told)| told.id);
    let question = |name: &str| ("user".to_owned(), format!("{name} is a number"));
    let history = before.into_iter().flat_map(|(name, told)| {
        [
            question(name),
            ("assistant".to_owned(), told.answer.clone()),
        ]
    });
    history.chain([question(name)]).collect()
}

#[test]
fn a_thousand_requests_stay_below_the_safe_limit_of_a_server_that_refuses() {
    let stage = Stage::with(Script {
        log_bodies: false,
        ..script()
    });
    let flags = "--mode conversation --parallel 1 --num-ctx 1024 --max-tokens 32 --trim hybrid";
    let outcome = stage.work_off(&batch(1_000), flags);
    assert_eq!(outcome.answers.len(), 1_000);
    assert!(outcome.errors.is_empty());
    let asked = stage.asked();
    assert!(asked.iter().all(|entry| entry.outcome == Outcome::Answered));
    let context = |entry: &LogEntry| {
        [entry.evaluated, entry.reused, entry.generated].map(Option::unwrap_or_default)
    };
    let peak = asked
        .iter()
        .map(|entry| context(entry).iter().sum::<u64>())
        .max()
        .unwrap();
    assert!((448..=896).contains(&peak), "{peak} of 896");
    let finished = outcome.finished.with(0);
    assert!(
        finished
            .err
            .contains("each answer can see earlier requests")
    );
    let marked = |line: &&Value| !line["response"]["body"]["batchtop"]["trims"].is_null();
    let trimmed = outcome.answers.iter().filter(marked).count();
    assert!((20..300).contains(&trimmed), "{trimmed}");
    let shown = stage.run("show 1").with(0).out;
    assert!(
        shown.contains("mode       conversation: in conversation mode each"),
        "{shown}"
    );
    assert!(shown.contains(&format!("trims      {trimmed}")), "{shown}");
    assert!(
        shown.contains("too long for the safe part of the window"),
        "{shown}"
    );
}

#[test]
fn a_killed_conversation_goes_on_with_what_was_stored() {
    let stage = Stage::with(Script {
        decode_rate: Some(400.0),
        ..script()
    });
    stage.write("b.jsonl", batch(60));
    let command = "run b.jsonl --mode conversation --parallel 2 --num-ctx 32768 --max-tokens 32";
    let mut seen = 0;
    for enough in [15, 35] {
        let run = stage.start(command);
        until("so many requests", || {
            (stage.asked().len() >= enough).then_some(())
        });
        run.kill();
        seen = stage.asked().len();
    }
    let before = stored(&stage);
    assert!((10..50).contains(&before.len()), "{}", before.len());
    stage.run(command).with(0);
    let all = stored(&stage);
    assert_eq!(all.len(), 60);
    let asked = stage.asked();
    assert!(asked.len() > seen);
    for entry in &asked[seen..] {
        let name = entry.marker.as_ref().unwrap();
        assert!(!before.contains_key(name), "{name} was stored");
        let sent = messages(entry);
        assert_eq!(sent[0].0, "system");
        assert_eq!(sent[1..], expected(&all, name), "{name}");
    }
    let rebuilt = messages(&asked[seen]).len();
    assert!(
        rebuilt > 10,
        "the history is there from the first request on: {rebuilt}"
    );
}

#[test]
fn independent_requests_are_sent_alone() {
    let stage = Stage::with(script());
    let outcome = stage.work_off(&batch(40), "--parallel 4");
    outcome.finished.with(0);
    let asked = stage.asked();
    assert_eq!(asked.len(), 40);
    for entry in &asked {
        let name = entry.marker.as_ref().unwrap();
        let question = ("user".to_owned(), format!("{name} is a number"));
        assert_eq!(messages(entry)[1..], [question]);
    }
}

#[test]
fn a_failed_request_leaves_no_half_exchange_and_a_retried_one_sees_what_was_before_it() {
    let stage = Stage::with(Script {
        faults: vec![marked(
            "r3 ",
            Action::Error {
                status: 400,
                text: "no".to_owned(),
            },
        )],
        ..script()
    });
    let outcome = stage.work_off(
        &batch(6),
        "--mode conversation --parallel 1 --num-ctx 8192 --max-tokens 32",
    );
    outcome.finished.with(1);
    for entry in stage.asked() {
        let is_own = entry.marker.as_deref() == Some("r3");
        let texts = messages(&entry);
        assert_eq!(
            texts.iter().any(|(_, text)| text.starts_with("r3 ")),
            is_own
        );
    }
    stage.play(script());
    stage.run("retry 1").with(0);
    let seen = stage.asked().len();
    stage.run("work").with(0);
    let all = stored(&stage);
    let asked = stage.asked();
    let [again] = &asked[seen..] else {
        panic!("{} requests", asked.len() - seen);
    };
    assert_eq!(messages(again)[1..], expected(&all, "r3"));
}

#[test]
fn tools_and_schemas_work_within_a_conversation() {
    let tool = json!({"tools": [{"type": "function", "function": {"name": "tool", "parameters": {
        "type": "object", "properties": {}}}}]});
    let format = json!({"response_format": {"type": "json_object"}});
    let lines = [
        chat("r1", "r1 is a number"),
        chat_with("r2", "r2 asks for a tool", &tool),
        chat_with("r3", "r3 wants an object", &format),
        chat("r4", "r4 is a number"),
    ];
    let mut script = script();
    script.models[0]
        .capabilities
        .push(batchtop::simulator::Capability::Tools);
    let stage = Stage::with(script);
    let outcome = stage.work_off(
        &lines.concat(),
        "--mode conversation --parallel 1 --num-ctx 8192",
    );
    assert_eq!(outcome.answers.len(), 4, "{:?}", outcome.errors);
    let content = |at: usize| {
        let choice = &outcome.answers[at]["response"]["body"]["choices"][0];
        (
            choice["finish_reason"].clone(),
            choice["message"]["content"].clone(),
        )
    };
    assert_eq!(content(1).0, "tool_calls");
    let object = content(2).1;
    assert!(
        serde_json::from_str::<Value>(object.as_str().unwrap())
            .unwrap()
            .is_object()
    );
    let asked = stage.asked();
    let last = asked
        .iter()
        .find(|it| it.marker.as_deref() == Some("r4"))
        .unwrap();
    let roles: Vec<String> = messages(last).into_iter().map(|(role, _)| role).collect();
    assert_eq!(
        roles,
        ["system", "user", "assistant", "user", "assistant", "user"]
    );
}

#[test]
fn a_refused_prompt_is_shortened_and_asked_again() {
    // Digits have a token each: the first estimate is far too low.
    let digits = |name: &str| format!("{name} {}", "1 2 3 4 5 6 7 8 9 ".repeat(16));
    let lines: String = (1..=30)
        .map(|n| chat(&format!("r{n}"), &digits(&format!("r{n}"))))
        .collect();
    let stage = Stage::with(script());
    let flags = "--mode conversation --parallel 1 --num-ctx 1024 --max-tokens 32 --retries 0";
    let outcome = stage.work_off(&lines, flags);
    outcome.finished.with(0);
    assert_eq!(outcome.answers.len(), 30);
    let job = Reader::open(&stage.data())
        .unwrap()
        .unwrap()
        .job(JobId(1))
        .unwrap()
        .unwrap();
    assert_eq!(job.state, JobState::Done);
}

#[test]
fn a_single_request_that_is_too_long_loses_its_own_turns_where_that_is_wanted() {
    let turns: Vec<Value> = (0..40)
        .flat_map(|n| {
            let text = format!("turn {n} {}", "several words ".repeat(12));
            [
                json!({"role": "user", "content": text}),
                json!({"role": "assistant", "content": "yes"}),
            ]
        })
        .chain([json!({"role": "user", "content": "r1 at last"})])
        .collect();
    let line = chat_with("r1", "", &json!({ "messages": turns }));
    let failed = Stage::with(script()).work_off(&line, "--num-ctx 512 --max-tokens 32");
    failed.finished.with(1);
    let told = &failed.errors[0]["response"]["body"]["batchtop"];
    assert!(told["prompt_tokens"].as_u64() > Some(512), "{told}");
    assert_eq!(told["window_tokens"], 512);
    let stage = Stage::with(script());
    let outcome = stage.work_off(&line, "--num-ctx 512 --max-tokens 32 --on-overflow trim");
    let trims = &outcome.answers[0]["response"]["body"]["batchtop"]["trims"];
    assert_eq!(trims[0]["policy"], "sliding");
    assert_eq!(trims[0]["messages_before"], 81);
    let asked = stage.asked();
    let sent = messages(asked.last().unwrap());
    assert_eq!(
        sent.len() as u64,
        trims[0]["messages_after"].as_u64().unwrap()
    );
    assert_eq!(sent.last().unwrap().1, "r1 at last");
}
