//! Everything that can go wrong with a request, from the batch file to the result files: each class
//! of failure and each fault of the simulated server, with the final outcome of every request.

use base64::Engine;
use batchtop::model::{Attempts, RequestState};
use batchtop::simulator::{
    Action, Answers, Capability, Fault, Length, ModelScript, PromptPath, Route, Script, When,
};
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Stage, always, batch, chat, chat_with, embedding, marked, once, row, times};

/// Long enough for a slow machine, short enough for a test.
const SHORT_LIMITS: &str = "\
[server]
first_byte_timeout = \"1s\"
idle_timeout = \"1s\"
";

/// What an error line says: class, HTTP status, attempts, and the words.
fn failure(line: &Value) -> (&str, Option<u64>, u64, &str) {
    let response = &line["response"];
    let (error, tried) = if response.is_null() {
        (&line["error"], &line["error"]["batchtop"])
    } else {
        assert!(line["error"].is_null(), "{line}");
        (&response["body"]["error"], &response["body"]["batchtop"])
    };
    (
        error["code"].as_str().expect("a class"),
        response["status_code"].as_u64(),
        tried["attempts"].as_u64().expect("attempts"),
        error["message"].as_str().expect("a message"),
    )
}

fn content(line: &Value) -> &str {
    line["response"]["body"]["choices"][0]["message"]["content"]
        .as_str()
        .unwrap_or_else(|| panic!("no text in {line}"))
}

fn error(status: u16, text: &str) -> Action {
    Action::Error {
        status,
        text: text.to_owned(),
    }
}

fn llama_error(message: &str) -> Action {
    Action::LlamaError {
        status: 500,
        kind: "server_error".to_owned(),
        message: message.to_owned(),
        log_line: None,
    }
}

fn error_line(after_tokens: u64) -> Action {
    Action::ErrorLine {
        after_tokens,
        text: "something broke".to_owned(),
    }
}

fn garbage() -> Action {
    Action::GarbageLine {
        after_tokens: 2,
        text: "<html>a proxy</html>".to_owned(),
    }
}

fn hang(stuck_runner: bool) -> Action {
    Action::HangBeforeFirstByte { stuck_runner }
}

fn endless() -> Action {
    Action::Endless {
        text: "on and ".to_owned(),
        ms: 20,
    }
}

/// The job as `show` tells it.
fn job(stage: &Stage) -> Value {
    serde_json::from_str(&stage.run("show 1 --json").with(0).out).unwrap()
}

#[rstest]
#[case(error(500, "boom"), "server_error", Some(500), 2, "boom")]
#[case(
    llama_error("decode failed"),
    "server_error",
    Some(500),
    2,
    "decode failed"
)]
#[case(error_line(0), "server_error", Some(500), 2, "something broke")]
#[case(error_line(3), "server_error", None, 2, "something broke")]
#[case(error(400, "no such thing"), "refused", Some(400), 1, "no such thing")]
#[case(
    error(403, "ollama cloud is disabled"),
    "refused",
    Some(403),
    1,
    "cloud"
)]
#[case(error(501, "not built in"), "refused", Some(501), 1, "not built in")]
#[case(error(504, "gateway"), "timeout", Some(504), 2, "gateway")]
#[case(Action::EndWithoutDone { after_tokens: 3 }, "stream_cut", None, 2, "without the server saying")]
#[case(Action::ResetMidStream { after_tokens: 3 }, "stream_cut", None, 2, "without the server saying")]
#[case(garbage(), "bad_reply", None, 2, "a proxy")]
#[case(Action::RepeatGuard { newer: false }, "repeat_guard", None, 2, "again and again")]
#[case(Action::RepeatGuard { newer: true }, "repeat_guard", None, 2, "repeat limit reached")]
#[case(hang(false), "timeout", None, 2, "no answer began within 1.0 s")]
#[case(Action::HangMidStream { after_tokens: 3 }, "timeout", None, 2, "stood still for 1.0 s")]
#[case(endless(), "timeout", None, 2, "no complete answer within 2.0 s")]
fn a_fault_that_stays_fails_its_request_and_no_other(
    #[case] action: Action,
    #[case] class: &str,
    #[case] status: Option<u64>,
    #[case] attempts: u64,
    #[case] words: &str,
) {
    let flags = if ends_by_itself(&action) {
        "--retries 1"
    } else {
        "--retries 1 --timeout 2s --config limits.toml"
    };
    let stage = Stage::failing([marked("doomed", action)]);
    stage.write("limits.toml", SHORT_LIMITS);
    let lines = chat("bad", "doomed") + &chat("good", "fine");
    let outcome = stage.work_off(&lines, flags);
    let said = outcome.finished.with(1);
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (1, 1));
    assert_eq!(
        row(&outcome.answers, "good")["response"]["body"]["batchtop"]["attempts"],
        1
    );
    let told = failure(row(&outcome.errors, "bad"));
    assert_eq!((told.0, told.1, told.2), (class, status, attempts));
    assert!(told.3.contains(words), "{}", told.3);
    assert!(said.err.contains("1 of 2 answered, 1 failed"), "{said:?}");
    let job = job(&stage);
    assert_eq!((&job["done"], &job["failed"]), (&json!(1), &json!(1)));
    assert_eq!(job["failures"][0]["class"], class);
}

/// Whether the server ends the request. Otherwise the client has to, and only then its patience is
/// short: a machine that stands still for a moment must not end the others.
fn ends_by_itself(action: &Action) -> bool {
    !matches!(
        action,
        Action::HangBeforeFirstByte { .. } | Action::HangMidStream { .. } | Action::Endless { .. }
    )
}

#[rstest]
#[case::busy(Action::Busy, 2, 0, 0)]
#[case::closed(Action::Refuse, 2, 0, 0)]
#[case::reset(Action::Reset, 2, 0, 0)]
#[case::restarted(Action::Restart { version: "0.34.0".to_owned() }, 2, 0, 0)]
#[case::away(Action::Outage { ms: 300 }, 2, 0, 0)]
#[case::error(error(500, "boom"), 2, 1, 0)]
#[case::error_line(error_line(3), 2, 1, 0)]
#[case::cut(Action::EndWithoutDone { after_tokens: 3 }, 2, 1, 0)]
#[case::reset_within(Action::ResetMidStream { after_tokens: 3 }, 2, 1, 0)]
#[case::garbage(garbage(), 2, 1, 0)]
#[case::repeats(Action::RepeatGuard { newer: false }, 2, 1, 0)]
#[case::repeats_newer(Action::RepeatGuard { newer: true }, 2, 1, 0)]
#[case::hangs(hang(false), 2, 1, 0)]
#[case::stuck(hang(true), 2, 1, 0)]
#[case::hangs_within(Action::HangMidStream { after_tokens: 3 }, 2, 1, 0)]
#[case::crashes(Action::RunnerCrash { after_tokens: 0 }, 2, 1, 1)]
#[case::crashes_within(Action::RunnerCrash { after_tokens: 3 }, 2, 1, 1)]
#[case::slow(Action::SlowDrip { ms: 2 }, 1, 0, 0)]
#[case::huge(Action::Huge { bytes: times(1_000_000, 50_000_000) as u64, chunk_bytes: 10_000 }, 1, 0, 0)]
#[case::reloaded(Action::ForeignReload { num_ctx: 512 }, 1, 0, 0)]
fn a_fault_that_passes_costs_an_attempt_and_no_answer(
    #[case] action: Action,
    #[case] sent: u32,
    #[case] counted: u32,
    #[case] crashes: u32,
) {
    let flags = if ends_by_itself(&action) {
        ""
    } else {
        "--config limits.toml"
    };
    let stage = Stage::failing([once(action)]);
    stage.write("limits.toml", SHORT_LIMITS);
    let outcome = stage.work_off(&batch(2), flags);
    outcome.finished.with(0);
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (2, 0));
    let rows = stage.rows(1);
    let attempts = |sent, counted, crashes| Attempts {
        sent,
        counted,
        crashes,
    };
    assert_eq!(
        rows["r1"],
        (RequestState::Done, attempts(sent, counted, crashes))
    );
    assert_eq!(rows["r2"], (RequestState::Done, attempts(1, 0, 0)));
    let told = &row(&outcome.answers, "r1")["response"]["body"]["batchtop"]["attempts"];
    assert_eq!(told, sent);
}

#[test]
fn another_version_of_the_server_is_told() {
    let stage = Stage::failing([once(Action::Restart {
        version: "0.34.1".to_owned(),
    })]);
    let before = Script::default().version;
    stage.work_off(&batch(2), "").finished.with(0);
    assert_eq!(
        told(&stage, "is version"),
        [format!("the server is version 0.34.1 now; it was {before}")]
    );
}

#[test]
fn a_reload_by_another_client_is_told_once() {
    let reload = Fault {
        when: When {
            nth: Some(2),
            ..When::default()
        },
        action: Action::ForeignReload { num_ctx: 512 },
    };
    // Shorter loads may be the usual few milliseconds on a machine that is slow.
    let stage = Stage::with(Script {
        load_ms: 700,
        faults: vec![reload],
        ..Script::instant()
    });
    stage.work_off(&batch(4), "").finished.with(0);
    let told = told(&stage, "was loaded again");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("another client"), "{told:?}");
}

/// What the log tells that holds these words.
fn told(stage: &Stage, words: &str) -> Vec<String> {
    let queue = rusqlite::Connection::open(stage.data().join("queue.db")).unwrap();
    let mut found = queue
        .prepare("SELECT text FROM event WHERE instr(text, ?1) ORDER BY id")
        .unwrap();
    let texts = found.query_map([words], |row| row.get(0)).unwrap();
    texts.collect::<Result<_, _>>().unwrap()
}

#[test]
fn a_server_that_is_away_is_waited_for_and_costs_no_attempt() {
    let stage = Stage::new().set("BATCHTOP_PROGRESS_EVERY", "100ms");
    stage.server_goes();
    stage.write("b.jsonl", batch(3));
    let run = stage.start("run b.jsonl");
    run.says("server down for");
    stage.server_returns();
    let outcome = stage.outcome(run.ends().with(0));
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (3, 0));
    assert!(
        stage
            .rows(1)
            .values()
            .all(|(_, attempts)| attempts.sent == 1)
    );
}

#[test]
fn an_outage_in_the_middle_uses_up_no_request() {
    let outage = Fault {
        when: When {
            nth: Some(6),
            ..When::default()
        },
        action: Action::Outage { ms: 500 },
    };
    let stage = Stage::with(Script {
        decode_rate: Some(400.0),
        faults: vec![outage],
        ..Script::instant()
    });
    let outcome = stage.work_off(&batch(20), "--parallel 4 --retries 0");
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    outcome.finished.with(0);
    assert_eq!(outcome.answers.len(), 20);
    let rows = stage.rows(1);
    assert!(rows.values().all(|(_, attempts)| attempts.counted == 0));
    assert!(rows.values().any(|(_, attempts)| attempts.sent == 2));
}

#[test]
fn a_request_that_kills_the_runner_is_set_aside_and_all_its_neighbours_are_answered() {
    let stage = Stage::with(Script {
        slots: 1,
        decode_rate: Some(200.0),
        faults: vec![marked("poison", Action::RunnerCrash { after_tokens: 10 })],
        ..Script::default()
    });
    let lines = chat("bad", "poison") + &batch(8);
    let outcome = stage.work_off(&lines, "--parallel 4");
    outcome.finished.with(1);
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (8, 1));
    let (class, _, attempts, words) = failure(row(&outcome.errors, "bad"));
    assert_eq!((class, attempts), ("runner_crash", 3));
    assert!(words.contains("unexpected EOF"), "{words}");
    let rows = stage.rows(1);
    let neighbours = || rows.iter().filter(|(id, _)| *id != "bad");
    assert_eq!(rows["bad"].1.crashes, 3);
    assert!(neighbours().all(|(_, (_, attempts))| attempts.counted == 0));
    assert!(
        neighbours().any(|(_, (_, attempts))| attempts.sent == 2),
        "somebody stood behind it: {rows:?}"
    );
    assert_eq!(stage.server().stats().crashes, 3);
}

#[test]
fn a_model_that_does_not_fit_stops_the_job_before_it_starts() {
    let stage = Stage::failing([always(Action::OutOfMemoryAtLoad)]);
    let outcome = stage.work_off(&batch(3), "");
    let said = outcome.finished.with(2);
    for words in ["failed-to-start", "out of memory", "--num-ctx", "hint:"] {
        assert!(said.err.contains(words), "no `{words}` in {said:?}");
    }
    assert!(outcome.answers.is_empty() && outcome.errors.is_empty());
    assert_eq!(job(&stage)["state"], "failed-to-start");
    let waits = (RequestState::Queued, Attempts::default());
    assert!(stage.rows(1).values().all(|row| *row == waits));
    stage.play(Script::instant());
    let outcome = stage.work_off(&batch(3), "");
    outcome.finished.with(0).saying("going on with job 1");
    assert_eq!(outcome.answers.len(), 3);
}

#[test]
fn want_of_memory_in_the_run_pauses_the_job_and_keeps_its_requests() {
    let mut fault = marked("r2", Action::OutOfMemoryInRun { after_tokens: 2 });
    fault.when.times = Some(1);
    let stage = Stage::failing([fault]);
    let said = stage.work_off(&batch(4), "").finished.with(2);
    for words in [
        "is paused",
        "out of memory",
        "--num-ctx",
        "batchtop resume 1",
    ] {
        assert!(said.err.contains(words), "no `{words}` in {said:?}");
    }
    let states: Vec<_> = stage.rows(1).values().map(|(state, _)| *state).collect();
    let (done, queued) = (RequestState::Done, RequestState::Queued);
    assert_eq!(states, [done, queued, queued, queued]);
    let outcome = stage.work_off(&batch(4), "");
    outcome.finished.with(0).saying("1 of 4 are done");
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (4, 0));
    let asked = stage.asked();
    let sent = |id: &str| {
        let is_it = |marker: &&String| marker.starts_with(&format!("{id} "));
        asked
            .iter()
            .filter_map(|e| e.marker.as_ref())
            .filter(is_it)
            .count()
    };
    assert_eq!(
        [sent("r1"), sent("r2"), sent("r3"), sent("r4")],
        [1, 2, 1, 1]
    );
}

#[rstest]
#[case(PromptPath::Rendered)]
#[case(PromptPath::Native)]
fn a_prompt_that_is_too_long_is_refused_with_its_length(#[case] path: PromptPath) {
    let stage = Stage::with(Script {
        models: vec![ModelScript {
            path,
            ..ModelScript::default()
        }],
        ..Script::instant()
    });
    let lines = chat("long", &"word ".repeat(500)) + &chat("short", "hi");
    let outcome = stage.work_off(&lines, "--num-ctx 256");
    outcome.finished.with(1);
    row(&outcome.answers, "short");
    let long = row(&outcome.errors, "long");
    let (class, status, attempts, words) = failure(long);
    assert_eq!(
        (class, status, attempts),
        ("context_length_exceeded", Some(400), 1)
    );
    let tried = &long["response"]["body"]["batchtop"];
    assert_eq!(tried["window_tokens"], 256);
    let needed = tried["prompt_tokens"].as_u64().unwrap();
    assert!(
        needed > 500 && words.contains(&needed.to_string()),
        "{long}"
    );
}

#[rstest]
#[case::flag("simulated", "--model simulatd", None)]
#[case::lines("simulatd", "", Some("failed-to-start"))]
fn a_model_that_is_missing_stops_everything_before_anything_is_sent(
    #[case] named: &str,
    #[case] flags: &str,
    #[case] state: Option<&str>,
) {
    let stage = Stage::new();
    let lines = chat_with("r1", "hello", &json!({"model": named}));
    let said = stage.work_off(&lines, flags).finished.with(2);
    for words in [
        "`simulatd`",
        "it has simulated:latest",
        "did you mean `simulated",
    ] {
        assert!(said.err.contains(words), "no `{words}` in {said:?}");
    }
    let log = stage.server().log();
    assert!(
        log.iter().all(|entry| matches!(
            entry.route,
            Route::Version | Route::Tags | Route::Ps | Route::Show
        )),
        "{log:?}"
    );
    let jobs: Value = serde_json::from_str(&stage.run("jobs --json").with(0).out).unwrap();
    assert_eq!(jobs[0]["state"].as_str(), state);
}

#[test]
fn a_model_that_is_removed_in_the_run_pauses_the_job() {
    let gone = error(404, "model 'simulated' not found");
    let stage = Stage::failing([marked("r2", gone)]);
    stage
        .work_off(&batch(3), "")
        .finished
        .with(2)
        .saying("is paused: model 'simulated' not found");
    let states: Vec<_> = stage.rows(1).values().map(|(state, _)| *state).collect();
    let (done, queued) = (RequestState::Done, RequestState::Queued);
    assert_eq!(states, [done, queued, queued]);
}

#[test]
fn vectors_of_a_model_that_has_none_stop_the_job() {
    let stage = Stage::new();
    let outcome = stage.work_off(&embedding("e1", &json!({})), "");
    outcome
        .finished
        .with(2)
        .saying("does not support embeddings");
    assert!(outcome.answers.is_empty() && outcome.errors.is_empty());
    assert_eq!(stage.rows(1)["e1"].0, RequestState::Queued);
}

#[test]
fn a_line_that_is_no_request_is_a_failure_where_that_is_wanted() {
    let stage = Stage::new();
    let outcome = stage.work_off(&(batch(1) + "{\"custom_id\":\"odd\"}\n"), "--skip-invalid");
    outcome.finished.with(1);
    row(&outcome.answers, "r1");
    let (class, status, attempts, words) = failure(row(&outcome.errors, "odd"));
    assert_eq!((class, status, attempts), ("invalid_request", None, 0));
    assert!(words.contains("line 2"), "{words}");
}

#[test]
fn a_line_longer_than_memory_should_hold_is_refused() {
    let huge = Action::Huge {
        bytes: 1 << 26,
        chunk_bytes: 1 << 26,
    };
    let stage = Stage::failing([marked("r1", huge)]);
    let outcome = stage.work_off(&batch(2), "--retries 0");
    outcome.finished.with(1);
    row(&outcome.answers, "r2");
    let (class, _, attempts, words) = failure(row(&outcome.errors, "r1"));
    assert_eq!((class, attempts), ("bad_reply", 1), "{words}");
}

#[test]
fn an_answer_that_meets_its_cap_is_told_from_one_that_fills_the_window() {
    let stage = Stage::with(Script {
        answers: Answers {
            tokens: Length::Fixed(400),
            ..Answers::default()
        },
        ..Script::instant()
    });
    let lines = chat_with("capped", "hello", &json!({"max_tokens": 5}))
        + &chat("full", "hello")
        + &chat_with(
            "also-capped",
            "hello",
            &json!({"max_completion_tokens": 100}),
        );
    let outcome = stage.work_off(&lines, "--num-ctx 256 --max-tokens 4000");
    outcome.finished.with(0).saying("3 cut off");
    let cut = |id: &str| {
        let body = &row(&outcome.answers, id)["response"]["body"];
        (
            body["choices"][0]["finish_reason"].clone(),
            body["batchtop"]["cut"].clone(),
        )
    };
    assert_eq!(cut("capped"), (json!("length"), json!("cap")));
    assert_eq!(cut("also-capped"), (json!("length"), json!("cap")));
    assert_eq!(cut("full"), (json!("length"), json!("context")));
    assert_eq!(job(&stage)["cut"], 3);
}

#[test]
fn an_answer_in_full_is_not_marked_as_cut() {
    let outcome = Stage::new().work_off(&batch(1), "");
    let body = &row(&outcome.answers, "r1")["response"]["body"];
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    assert_eq!(body["batchtop"].get("cut"), None);
    let usage = &body["usage"];
    assert_eq!(usage["completion_tokens"], 32);
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(32 + usage["prompt_tokens"].as_u64().unwrap())
    );
}

#[test]
fn answers_keep_to_the_form_that_is_asked_for() {
    let schema = json!({"type": "object", "properties": {
        "score": {"type": "integer"}, "reason": {"type": "string"}
    }, "required": ["score", "reason"]});
    let by_schema = json!({"response_format": {
        "type": "json_schema", "json_schema": {"name": "grade", "schema": schema}
    }});
    let as_object = json!({"response_format": {"type": "json_object"}});
    let lines =
        chat_with("schema", "grade", &by_schema) + &chat_with("object", "grade", &as_object);
    let outcome = Stage::new().work_off(&lines, "");
    outcome.finished.with(0);
    let value =
        |id: &str| -> Value { serde_json::from_str(content(row(&outcome.answers, id))).unwrap() };
    let graded = value("schema");
    assert!(
        graded["score"].is_i64() && graded["reason"].is_string(),
        "{graded}"
    );
    assert!(value("object").is_object());
}

#[test]
fn probabilities_come_along_where_they_are_asked_for() {
    let lines = chat_with("p", "hello", &json!({"logprobs": true, "top_logprobs": 2}))
        + &chat("plain", "hello");
    let outcome = Stage::new().work_off(&lines, "");
    outcome.finished.with(0);
    let choice = |id: &str| &row(&outcome.answers, id)["response"]["body"]["choices"][0];
    let tokens = choice("p")["logprobs"]["content"].as_array().unwrap();
    assert!(tokens.len() > 20, "{tokens:?}");
    for token in tokens {
        assert!(
            token["token"].is_string() && token["logprob"].is_number(),
            "{token}"
        );
        assert_eq!(token["top_logprobs"].as_array().unwrap().len(), 2);
    }
    assert!(choice("plain")["logprobs"].is_null());
}

fn able(capabilities: &[Capability]) -> Stage {
    Stage::with(Script {
        models: vec![ModelScript {
            capabilities: capabilities.to_vec(),
            embedding_length: 8,
            ..ModelScript::default()
        }],
        ..Script::instant()
    })
}

fn tools() -> Value {
    json!({"tools": [{"type": "function", "function": {
        "name": "look_up", "parameters": {"type": "object", "properties": {"name": {"type": "string"}}}
    }}]})
}

#[test]
fn tools_are_called() {
    let stage = able(&[Capability::Completion, Capability::Tools]);
    let lines =
        chat_with("calls", "use the tool", &tools()) + &chat_with("speaks", "say hello", &tools());
    let outcome = stage.work_off(&lines, "");
    outcome.finished.with(0);
    let choice = |id: &str| &row(&outcome.answers, id)["response"]["body"]["choices"][0];
    let called = choice("calls");
    assert_eq!(called["finish_reason"], "tool_calls");
    let function = &called["message"]["tool_calls"][0]["function"];
    assert_eq!(function["name"], "look_up");
    let arguments: Value = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
    assert!(arguments.is_object());
    assert!(called["message"]["content"].is_null());
    assert_eq!(choice("speaks")["finish_reason"], "stop");
}

#[test]
fn tools_that_the_model_cannot_call_are_refused_and_not_tried_again() {
    let outcome = Stage::new().work_off(&chat_with("t", "use the tool", &tools()), "");
    outcome.finished.with(1);
    let (class, status, attempts, words) = failure(row(&outcome.errors, "t"));
    assert_eq!((class, status, attempts), ("refused", Some(400), 1));
    assert!(words.contains("does not support tools"), "{words}");
}

#[test]
fn thinking_stands_apart_from_the_answer() {
    let stage = able(&[Capability::Completion, Capability::Thinking]);
    let effort = |level: &str| json!({"reasoning_effort": level});
    let lines =
        chat_with("deep", "hello", &effort("high")) + &chat_with("quick", "hello", &effort("none"));
    let outcome = stage.work_off(&lines, "");
    outcome.finished.with(0);
    let message =
        |id: &str| &row(&outcome.answers, id)["response"]["body"]["choices"][0]["message"];
    let thought = message("deep")["reasoning"].as_str().unwrap();
    assert!(
        !thought.is_empty()
            && !message("deep")["content"]
                .as_str()
                .unwrap()
                .contains(thought)
    );
    assert_eq!(message("quick").get("reasoning"), None);
}

#[test]
fn thinking_that_the_model_cannot_do_is_refused() {
    let lines = chat_with("deep", "hello", &json!({"reasoning_effort": "high"}));
    let outcome = Stage::new().work_off(&lines, "");
    outcome.finished.with(1);
    assert_eq!(failure(row(&outcome.errors, "deep")).0, "refused");
}

#[test]
fn vectors_come_as_numbers_or_as_base64() {
    let stage = able(&[Capability::Embedding]);
    let lines = embedding("numbers", &json!({}))
        + &embedding("bytes", &json!({"encoding_format": "base64"}))
        + &embedding("several", &json!({"input": ["one", "two", "three"]}))
        + &embedding("few", &json!({"dimensions": 3}));
    let outcome = stage.work_off(&lines, "");
    outcome.finished.with(0);
    let vectors = |id: &str| {
        let body = &row(&outcome.answers, id)["response"]["body"];
        assert_eq!(body["object"], "list");
        let data = body["data"].as_array().unwrap().iter();
        data.map(|one| one["embedding"].clone()).collect::<Vec<_>>()
    };
    let numbers: Vec<f32> = serde_json::from_value(vectors("numbers")[0].clone()).unwrap();
    assert_eq!(numbers.len(), 8);
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(vectors("bytes")[0].as_str().unwrap())
        .unwrap();
    let decoded: Vec<f32> = bytes
        .chunks(4)
        .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
        .collect();
    assert_eq!(decoded, numbers);
    assert_eq!(vectors("several").len(), 3);
    assert_eq!(vectors("few")[0].as_array().unwrap().len(), 3);
}

#[test]
fn a_text_to_embed_that_is_too_long_is_refused() {
    let stage = able(&[Capability::Embedding]);
    let lines =
        embedding("long", &json!({"input": "word ".repeat(500)})) + &embedding("short", &json!({}));
    let outcome = stage.work_off(&lines, "--num-ctx 256");
    outcome.finished.with(1);
    row(&outcome.answers, "short");
    let (class, status, attempts, _) = failure(row(&outcome.errors, "long"));
    assert_eq!(
        (class, status, attempts),
        ("context_length_exceeded", Some(400), 1)
    );
}

#[test]
fn completions_go_on_from_their_prompt() {
    let line = json!({"custom_id": "c", "method": "POST", "url": "/v1/completions",
        "body": {"model": "simulated", "prompt": "Once upon a time", "max_tokens": 9}});
    let stage = Stage::new();
    let outcome = stage.work_off(&format!("{line}\n"), "");
    outcome.finished.with(0);
    let body = &row(&outcome.answers, "c")["response"]["body"];
    assert_eq!(body["object"], "text_completion");
    assert!(!body["choices"][0]["text"].as_str().unwrap().is_empty());
    assert_eq!(body["choices"][0]["finish_reason"], "length");
    assert!(
        stage
            .asked()
            .iter()
            .all(|entry| entry.route == Route::Generate)
    );
}

#[test]
fn a_load_that_takes_its_time_is_waited_for() {
    let stage = Stage::with(Script {
        load_ms: 2_500,
        ..Script::instant()
    });
    stage.write("limits.toml", SHORT_LIMITS);
    let outcome = stage.work_off(&batch(2), "--config limits.toml");
    outcome.finished.with(0);
    assert_eq!(outcome.answers.len(), 2);
    assert_eq!(stage.server().stats().loads, 1);
}

#[test]
fn a_request_that_never_ends_is_given_up_and_its_slot_is_free_again() {
    let stage = Stage::with(Script {
        slots: 1,
        faults: vec![marked("r1", endless())],
        ..Script::default()
    });
    let outcome = stage.work_off(&batch(3), "--retries 0 --timeout 3s");
    outcome.finished.with(1);
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (2, 1));
}
