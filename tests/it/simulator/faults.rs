//! Everything that can go wrong, as a client meets it.

use batchtop::simulator::{
    Action, Answers, Capability, Fault, Length, Outcome, Route, Script, Simulator, When,
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;

use super::{ask, chat, get, model, number, send_and_hold, start, try_post, until, with};

const CRASHED: &str = "an error was encountered while running the model: unexpected EOF";

/// The fault happens to the first request and to no other.
fn once(action: Action) -> Script {
    Script {
        faults: vec![Fault {
            when: When {
                nth: Some(1),
                ..When::default()
            },
            action,
        }],
        ..Script::default()
    }
}

fn streamed() -> Value {
    with(ask("Who?"), &json!({"stream": true}))
}

async fn chat_or_nothing(simulator: &Simulator, body: &Value) -> Option<super::Answer> {
    try_post(simulator, "/api/chat", body).await
}

/// The log's word on the first request, and that the second one is answered.
async fn ended(simulator: &Simulator, outcome: Outcome, fault: &str) {
    until("the entry ends", || {
        simulator.log()[0].outcome != Outcome::Open
    })
    .await;
    let entry = &simulator.log()[0];
    assert_eq!(
        (entry.outcome, entry.fault.as_deref()),
        (outcome, Some(fault))
    );
    assert_eq!(chat(simulator, &ask("next")).await.json()["done"], true);
}

#[rstest]
#[case(Action::Refuse, "refuse")]
#[case(Action::Reset, "reset")]
#[tokio::test]
async fn a_connection_ends_without_an_answer(#[case] action: Action, #[case] name: &str) {
    let resets = action == Action::Reset;
    let simulator = start(once(action)).await;
    let mut stream = send_and_hold(&simulator, &ask("x")).await;
    let end = stream.read_to_end(&mut Vec::new()).await;
    assert_eq!(end.is_err(), resets, "{end:?}");
    assert_eq!(end.unwrap_or(0), 0);
    ended(&simulator, Outcome::Cut, name).await;
}

#[rstest]
#[case(
    Action::Busy,
    503,
    "server busy, please try again.  maximum pending requests exceeded"
)]
#[case(Action::Error { status: 500, text: "boom".to_owned() }, 500, "boom")]
#[case(
    Action::OutOfMemoryAtLoad,
    500,
    "llama-server reported out-of-memory during startup: cudaMalloc failed: out of memory"
)]
#[case(Action::OutOfMemoryInRun { after_tokens: 0 }, 500,
    "{\"error\":{\"code\":500,\"message\":\"Compute error.\",\"type\":\"server_error\"}}\ncudaMalloc failed: out of memory")]
#[case(Action::LlamaError { status: 503, kind: "unavailable_error".to_owned(),
    message: "Loading model".to_owned(), log_line: None }, 503,
    r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#)]
#[case(Action::ErrorLine { after_tokens: 0, text: "early".to_owned() }, 500, "early")]
#[tokio::test]
async fn a_request_is_refused(#[case] action: Action, #[case] status: u16, #[case] text: &str) {
    for body in [ask("x"), streamed()] {
        let simulator = start(once(action.clone())).await;
        let answer = chat(&simulator, &body).await;
        assert_eq!((answer.status, answer.error().as_str()), (status, text));
        let name = simulator.log()[0].fault.clone().unwrap();
        ended(&simulator, Outcome::Refused, &name).await;
    }
}

#[tokio::test]
async fn a_model_that_does_not_fit_fails_only_those_who_load_it() {
    let mut script = once(Action::OutOfMemoryAtLoad);
    script.faults[0].when = When::default();
    let simulator = start(Script::default()).await;
    chat(&simulator, &ask("x")).await;
    simulator.replace(script).unwrap();
    assert_eq!(chat(&simulator, &ask("x")).await.status, 200);
    let other = with(
        ask("x"),
        &json!({"messages": [], "options": {"num_ctx": 8192}}),
    );
    assert_eq!(chat(&simulator, &other).await.status, 500);
    assert_eq!(simulator.stats().loads, 1);
}

/// Streams that end too early, each in its own way.
#[rstest]
#[case(Action::EndWithoutDone { after_tokens: 3 }, true, None, Outcome::Cut)]
#[case(Action::ResetMidStream { after_tokens: 3 }, false, None, Outcome::Cut)]
#[case(Action::ErrorLine { after_tokens: 3, text: "ouch".to_owned() }, true, Some("ouch"), Outcome::Failed)]
#[case(Action::RunnerCrash { after_tokens: 3 }, true, Some(CRASHED), Outcome::Crashed)]
#[case(Action::OutOfMemoryInRun { after_tokens: 3 }, true,
    Some("{\"error\":{\"code\":500,\"message\":\"Compute error.\",\"type\":\"server_error\"}}\ncudaMalloc failed: out of memory"),
    Outcome::Failed)]
#[tokio::test]
async fn a_stream_ends_too_early(
    #[case] action: Action,
    #[case] whole: bool,
    #[case] error: Option<&str>,
    #[case] outcome: Outcome,
) {
    for decode_rate in [None, Some(2_000.0)] {
        let simulator = start(Script {
            decode_rate,
            ..once(action.clone())
        })
        .await;
        let answer = chat(&simulator, &streamed()).await;
        assert_eq!((answer.status, answer.whole), (200, whole));
        let lines = answer.lines();
        let (told, last) = (
            lines.len() - usize::from(error.is_some()),
            &lines[lines.len() - 1],
        );
        assert_eq!(told, 3, "{}", answer.text);
        assert!(lines[..3].iter().all(|line| line["done"] == false));
        assert_eq!(last["error"].as_str(), error);
        let name = simulator.log()[0].fault.clone().unwrap();
        ended(&simulator, outcome, &name).await;
    }
}

#[rstest]
#[case(Action::RunnerCrash { after_tokens: 3 }, Some((500, CRASHED)))]
#[case(Action::ErrorLine { after_tokens: 3, text: "ouch".to_owned() }, Some((500, "ouch")))]
#[case(Action::ResetMidStream { after_tokens: 3 }, None)]
#[tokio::test]
async fn a_whole_answer_fails_too(#[case] action: Action, #[case] expected: Option<(u16, &str)>) {
    let simulator = start(once(action)).await;
    let answer = chat_or_nothing(&simulator, &ask("x")).await;
    let got = answer.map(|answer| (answer.status, answer.error()));
    assert_eq!(
        got,
        expected.map(|(status, text)| (status, text.to_owned()))
    );
}

#[tokio::test]
async fn a_whole_answer_can_end_short_of_its_length() {
    let simulator = start(once(Action::EndWithoutDone { after_tokens: 3 })).await;
    let answer = chat(&simulator, &ask("x")).await;
    assert!(
        !answer.whole && answer.text.starts_with("{\"model\""),
        "{answer:?}"
    );
    ended(&simulator, Outcome::Cut, "end_without_done").await;
}

#[tokio::test]
async fn a_fault_beyond_the_end_of_an_answer_does_not_happen() {
    for body in [ask("x"), streamed()] {
        let simulator = start(once(Action::RunnerCrash {
            after_tokens: 1_000,
        }))
        .await;
        let answer = chat(&simulator, &body).await;
        assert_eq!(answer.lines().last().unwrap()["done"], true);
    }
}

#[tokio::test]
async fn a_crash_fails_all_in_the_runner_and_all_behind_it() {
    let mut script = once(Action::RunnerCrash { after_tokens: 20 });
    script.slots = 2;
    script.decode_rate = Some(40.0);
    script.faults[0].when = When {
        marker: Some("poison".to_owned()),
        ..When::default()
    };
    let simulator = start(script).await;
    let other = async {
        until("the poison is in", || simulator.stats().in_flight == 1).await;
        chat(&simulator, &with(ask("x"), &json!({"stream": true}))).await
    };
    let queued = async {
        until("both slots are taken", || simulator.stats().in_flight == 2).await;
        chat(&simulator, &ask("y")).await
    };
    let poison = ask("poison");
    let poison = chat(&simulator, &poison);
    let (poison, other, queued) = tokio::join!(poison, other, queued);
    assert_eq!((poison.status, poison.error().as_str()), (500, CRASHED));
    assert_eq!(other.status, 200);
    assert_eq!(other.lines().last().unwrap()["error"], CRASHED);
    assert_eq!(queued.status, 500);
    assert_eq!(
        queued.error(),
        "llama-server process no longer running: unknown "
    );
    assert_eq!(chat(&simulator, &ask("z")).await.status, 200);
    let stats = simulator.stats();
    assert_eq!((stats.crashes, stats.loads, stats.reloads), (1, 2, 0));
    assert_eq!(
        (stats.ended(Outcome::Crashed), stats.ended(Outcome::Refused)),
        (2, 1)
    );
}

#[tokio::test]
async fn lack_of_memory_in_the_run_unloads_everything() {
    let simulator = start(once(Action::OutOfMemoryInRun { after_tokens: 2 })).await;
    chat(&simulator, &ask("x")).await;
    assert_eq!(get(&simulator, "/api/ps").await.json()["models"], json!([]));
}

#[rstest]
#[case(Action::HangBeforeFirstByte { stuck_runner: false }, false)]
#[case(Action::HangMidStream { after_tokens: 3 }, true)]
#[tokio::test]
async fn a_hang_lasts_until_the_client_leaves(#[case] action: Action, #[case] speaks: bool) {
    let name = simulator_name(&action);
    let simulator = start(once(action)).await;
    let mut held = send_and_hold(&simulator, &streamed()).await;
    until("the slot is taken", || simulator.stats().in_flight == 1).await;
    if speaks {
        let mut text = String::new();
        while text.matches("\"done\":false").count() < 3 {
            let mut buffer = [0; 1024];
            let read = held.read(&mut buffer).await.unwrap();
            text.push_str(&String::from_utf8_lossy(&buffer[..read]));
        }
    }
    let nothing = held.try_read(&mut [0; 16]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
    drop(held);
    until("the slot is free", || simulator.stats().in_flight == 0).await;
    ended(&simulator, Outcome::ClientGone, &name).await;
    assert_eq!(simulator.stats().loads, 1);
}

fn simulator_name(action: &Action) -> String {
    let written = serde_json::to_value(action).unwrap();
    written.as_object().unwrap().keys().next().unwrap().clone()
}

#[tokio::test]
async fn a_stuck_runner_blocks_the_list_and_is_killed_in_the_end() {
    let simulator = start(once(Action::HangBeforeFirstByte { stuck_runner: true })).await;
    let held = send_and_hold(&simulator, &ask("x")).await;
    until("the slot is taken", || simulator.stats().in_flight == 1).await;
    let leaves = async {
        until("the list is asked for", || simulator.log().len() == 2).await;
        assert_eq!(simulator.log()[1].outcome, Outcome::Open);
        drop(held);
    };
    let (listed, ()) = tokio::join!(get(&simulator, "/api/ps"), leaves);
    assert_eq!(listed.json()["models"], json!([]));
    assert_eq!(simulator.stats().crashes, 1);
    ended(&simulator, Outcome::ClientGone, "hang_before_first_byte").await;
}

#[tokio::test]
async fn a_garbage_line_stands_among_the_others() {
    let garbage = Action::GarbageLine {
        after_tokens: 2,
        text: "<html>proxy</html>".to_owned(),
    };
    let simulator = start(once(garbage.clone())).await;
    let answer = chat(&simulator, &streamed()).await;
    let lines: Vec<_> = answer.text.lines().collect();
    assert_eq!(lines[2], "<html>proxy</html>");
    assert!(lines.last().unwrap().contains("\"done\":true"));
    ended(&simulator, Outcome::Failed, "garbage_line").await;
    let simulator = start(once(garbage)).await;
    assert_eq!(chat(&simulator, &ask("x")).await.text, "<html>proxy</html>");
    ended(&simulator, Outcome::Failed, "garbage_line").await;
}

#[tokio::test]
async fn the_repeat_guard_ends_an_answer_without_a_word() {
    let guard = |newer: bool| once(Action::RepeatGuard { newer });
    let simulator = start(guard(false)).await;
    let lines = chat(&simulator, &streamed()).await.lines();
    assert_eq!(lines.len(), 34);
    assert!(
        lines[3..]
            .iter()
            .all(|line| line["message"]["content"] == " 0")
    );
    assert!(lines.iter().all(|line| line["done"] == false));
    ended(&simulator, Outcome::Cut, "repeat_guard").await;
    let simulator = start(guard(false)).await;
    let whole = chat(&simulator, &ask("x")).await;
    assert_eq!((whole.status, &whole.json()["done"]), (200, &json!(false)));
    assert_eq!(whole.json().get("eval_count"), None);
    let simulator = start(guard(true)).await;
    let whole = chat(&simulator, &ask("x")).await;
    assert_eq!(
        whole.error(),
        "prediction aborted, token repeat limit reached"
    );
    let simulator = start(guard(true)).await;
    let lines = chat(&simulator, &streamed()).await.lines();
    assert_eq!(lines.last().unwrap()["error"], whole.error());
}

#[tokio::test]
async fn openai_streams_lose_their_errors() {
    let simulator = start(once(Action::ErrorLine {
        after_tokens: 2,
        text: "ouch".to_owned(),
    }))
    .await;
    let answer = try_post(&simulator, "/v1/chat/completions", &streamed())
        .await
        .unwrap();
    let last = answer.text.trim_end().lines().last().unwrap();
    assert!(
        last.contains("\"model\":\"\"") && last.contains("\"content\":\"\""),
        "{last}"
    );
    assert!(!answer.text.contains("ouch") && !answer.text.contains("[DONE]"));
    let guard = Action::RepeatGuard { newer: false };
    let simulator = start(once(guard)).await;
    let answer = try_post(&simulator, "/v1/chat/completions", &ask("x"))
        .await
        .unwrap()
        .json();
    assert_eq!(answer["choices"][0]["finish_reason"], Value::Null);
    assert_eq!(answer["usage"]["total_tokens"], 0);
}

#[rstest]
#[case(false)]
#[case(true)]
#[tokio::test]
async fn an_answer_can_be_huge(#[case] stream: bool) {
    let simulator = start(once(Action::Huge {
        bytes: 3_000_001,
        chunk_bytes: 65_536,
    }))
    .await;
    let body = with(
        ask("x"),
        &json!({"stream": stream, "options": {"num_predict": 5}}),
    );
    let answer = chat(&simulator, &body).await;
    assert_eq!(answer.content().len(), 3_000_001);
    assert_eq!(answer.lines().last().unwrap()["done"], true);
}

#[tokio::test]
async fn an_answer_can_be_without_end() {
    let simulator = start(once(Action::Endless {
        text: "\n".to_owned(),
        ms: 0,
    }))
    .await;
    let mut held = send_and_hold(&simulator, &streamed()).await;
    let mut read = 0;
    while read < 1_000_000 {
        read += held.read(&mut [0; 8_192]).await.unwrap();
    }
    drop(held);
    until("the slot is free", || simulator.stats().in_flight == 0).await;
    ended(&simulator, Outcome::ClientGone, "endless").await;
}

#[tokio::test]
async fn a_slow_answer_takes_its_time() {
    let simulator = start(Script {
        answers: Answers {
            tokens: Length::Fixed(6),
            ..Answers::default()
        },
        ..once(Action::SlowDrip { ms: 5 })
    })
    .await;
    let slow = chat(&simulator, &streamed()).await.lines().pop().unwrap();
    assert!(number(&slow, "eval_duration") >= 25_000_000);
    let usual = chat(&simulator, &streamed()).await.lines().pop().unwrap();
    assert_eq!(number(&usual, "eval_duration"), 5_000);
}

#[tokio::test]
async fn another_client_has_the_model_reloaded() {
    let mut script = once(Action::ForeignReload { num_ctx: 16_384 });
    script.faults[0].when.nth = Some(2);
    script.load_ms = 30;
    let simulator = start(script).await;
    for _ in 0..3 {
        chat(&simulator, &ask("x")).await;
    }
    let loads: Vec<_> = simulator
        .log()
        .iter()
        .map(|e| e.load_ms >= Some(30))
        .collect();
    assert_eq!(loads, [true, true, false]);
    assert_eq!(simulator.stats().reloads, 2);
}

#[tokio::test]
async fn the_server_is_restarted_with_another_version() {
    let restart = Action::Restart {
        version: "0.34.1".to_owned(),
    };
    let simulator = start(once(restart)).await;
    chat(&simulator, &with(ask("x"), &json!({"messages": []}))).await;
    assert!(chat_or_nothing(&simulator, &ask("x")).await.is_none());
    until("it listens again", || {
        std::net::TcpStream::connect(simulator.address()).is_ok()
    })
    .await;
    assert_eq!(
        get(&simulator, "/api/version").await.json()["version"],
        "0.34.1"
    );
    assert_eq!(get(&simulator, "/api/ps").await.json()["models"], json!([]));
}

#[tokio::test]
async fn an_outage_cuts_refuses_and_ends() {
    let simulator = start(Script {
        prefill_rate: Some(0.01),
        ..once(Action::Outage { ms: 700 })
    })
    .await;
    let held = async {
        let other = with(ask("x"), &json!({"messages": []}));
        chat_or_nothing(&simulator, &other).await
    };
    assert_eq!(held.await.unwrap().status, 200);
    assert!(chat_or_nothing(&simulator, &ask("x")).await.is_none());
    assert!(std::net::TcpStream::connect(simulator.address()).is_err());
    until("it is back", || {
        std::net::TcpStream::connect(simulator.address()).is_ok()
    })
    .await;
    assert_eq!(get(&simulator, "/api/ps").await.json()["models"], json!([]));
    assert_eq!(simulator.log()[1].outcome, Outcome::Cut);
}

#[tokio::test]
async fn an_outage_comes_by_the_clock_without_any_request() {
    let simulator = start(Script {
        faults: vec![Fault {
            when: When {
                after_ms: Some(20),
                ..When::default()
            },
            action: Action::Outage { ms: 600_000 },
        }],
        ..Script::default()
    })
    .await;
    let gone = || std::net::TcpStream::connect(simulator.address()).is_err();
    until("it is gone", gone).await;
    simulator.listen_again().await.unwrap();
    assert_eq!(chat(&simulator, &ask("x")).await.status, 200);
}

#[rstest]
#[case(Action::RunnerCrash { after_tokens: 5 }, Some(CRASHED))]
#[case(Action::ErrorLine { after_tokens: 5, text: "ouch".to_owned() }, Some("ouch"))]
#[case(Action::EndWithoutDone { after_tokens: 5 }, None)]
#[case(Action::ResetMidStream { after_tokens: 5 }, None)]
#[tokio::test]
async fn embeddings_fail_at_once(#[case] action: Action, #[case] error: Option<&str>) {
    let simulator = start(Script {
        models: model(|model| model.capabilities = vec![Capability::Embedding]),
        ..once(action)
    })
    .await;
    let body = json!({"model": "simulated", "input": "x"});
    let answer = try_post(&simulator, "/api/embed", &body).await;
    assert_eq!(answer.map(|a| a.error()).as_deref(), error);
    let answer = try_post(&simulator, "/api/embed", &body).await;
    assert_eq!(answer.unwrap().status, 200);
}

#[tokio::test]
async fn polls_go_wrong_only_where_a_fault_names_them() {
    let mut script = once(Action::Busy);
    script.faults[0].when = When {
        endpoint: Some(Route::Ps),
        times: Some(1),
        ..When::default()
    };
    let simulator = start(script).await;
    assert_eq!(get(&simulator, "/api/version").await.status, 200);
    assert_eq!(chat(&simulator, &ask("x")).await.status, 200);
    assert_eq!(get(&simulator, "/api/ps").await.status, 503);
    assert_eq!(get(&simulator, "/api/ps").await.status, 200);
}
