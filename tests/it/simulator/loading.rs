//! Loading, queueing, slots, and the server's own coming and going.

use std::time::Duration;

use batchtop::simulator::{
    Action, Capability, Fault, LogEntry, ModelScript, Outcome, Route, Script, Simulator, When,
};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{
    ask, chat, client, get, model, number, post, receive, send_and_hold, start, until, with,
};

/// Decodes slowly enough that requests meet: an answer takes about 60 ms.
fn slow() -> Script {
    Script {
        decode_rate: Some(500.0),
        ..Script::default()
    }
}

/// Takes so long that whoever waits for it leaves first.
fn endless() -> Script {
    Script {
        prefill_rate: Some(0.01),
        ..Script::default()
    }
}

/// Sends all at once and gives the answers in the order they arrived here.
async fn all_at_once(simulator: &Simulator, bodies: Vec<Value>) -> Vec<super::Answer> {
    let mut tasks = JoinSet::new();
    for body in bodies {
        let request = client().post(simulator.url() + "/api/chat").json(&body);
        tasks.spawn(async move { receive(request).await.unwrap() });
    }
    tasks.join_all().await
}

async fn loaded(simulator: &Simulator) -> Vec<Value> {
    let answer = get(simulator, "/api/ps").await.json();
    answer["models"].as_array().unwrap().clone()
}

#[tokio::test]
async fn requests_beyond_the_slots_wait() {
    let simulator = start(Script {
        slots: 2,
        ..endless()
    })
    .await;
    let mut held = Vec::new();
    for at in 0..6 {
        held.push(send_and_hold(&simulator, &ask(&format!("q{at}"))).await);
    }
    until("two are in and four wait", || {
        let stats = simulator.stats();
        (stats.in_flight, stats.queued) == (2, 4)
    })
    .await;
    drop(held);
    until("all have left", || {
        simulator.stats().ended(Outcome::ClientGone) == 6
    })
    .await;
    let stats = simulator.stats();
    assert_eq!((stats.in_flight, stats.queued), (0, 0));
    assert_eq!((stats.peak_in_flight, stats.peak_queued), (2, 4));
}

#[tokio::test]
async fn who_waits_is_served_in_turn_and_told_so_in_the_total() {
    let first_hangs = Fault {
        when: When {
            nth: Some(1),
            ..When::default()
        },
        action: Action::HangBeforeFirstByte {
            stuck_runner: false,
        },
    };
    let simulator = start(Script {
        faults: vec![first_hangs],
        ..Script::default()
    })
    .await;
    let held = send_and_hold(&simulator, &ask("first")).await;
    until("the slot is taken", || simulator.stats().in_flight == 1).await;
    let mut tasks = Vec::new();
    for waiting in 1..=3 {
        let request = client().post(simulator.url() + "/api/chat");
        let request = request.json(&ask(&format!("q{waiting}")));
        tasks.push(tokio::spawn(receive(request)));
        until("it waits", || simulator.stats().queued == waiting).await;
    }
    drop(held);
    for task in tasks {
        let answer = task.await.unwrap().unwrap().json();
        let parts: u64 = ["load_duration", "prompt_eval_duration", "eval_duration"]
            .map(|part| number(&answer, part))
            .iter()
            .sum();
        assert!(number(&answer, "total_duration") > parts);
    }
    let log = simulator.log();
    assert!(log.is_sorted_by_key(|entry| entry.ended_ms), "{log:?}");
    assert!(log[1..].iter().all(|entry| entry.reused.is_some()));
}

#[tokio::test]
async fn a_cold_start_refuses_what_the_queue_does_not_hold() {
    let simulator = start(Script {
        max_queue: 2,
        slots: 4,
        load_ms: 600_000,
        ..Script::default()
    })
    .await;
    let mut held = Vec::new();
    for at in 0..3 {
        held.push(send_and_hold(&simulator, &ask(&format!("q{at}"))).await);
    }
    until("two wait", || simulator.stats().queued == 2).await;
    for _ in 0..5 {
        let refused = chat(&simulator, &ask("x")).await;
        let text = "server busy, please try again.  maximum pending requests exceeded";
        assert_eq!((refused.status, refused.error().as_str()), (503, text));
        let expected = Some("application/json; charset=utf-8");
        assert_eq!(refused.content_type.as_deref(), expected);
    }
    assert_eq!(simulator.stats().queued, 2);
}

#[tokio::test]
async fn all_who_wait_for_a_load_report_it() {
    let simulator = start(Script {
        slots: 4,
        load_ms: 400,
        ..Script::default()
    })
    .await;
    let first = ask("first");
    let first = chat(&simulator, &first);
    let second = async {
        until("the first is seen", || !simulator.log().is_empty()).await;
        chat(&simulator, &ask("second")).await
    };
    let (first, second) = tokio::join!(first, second);
    assert!(number(&first.json(), "load_duration") >= 400_000_000);
    assert!(simulator.log()[1].load_ms > Some(10));
    let reported = number(&second.json(), "load_duration") / 1_000_000;
    assert!(Some(reported) >= simulator.log()[1].load_ms);
    let warm = chat(&simulator, &ask("x")).await.json();
    assert!((1_000_000..5_000_000).contains(&number(&warm, "load_duration")));
    assert_eq!(simulator.stats().loads, 1);
}

#[tokio::test(start_paused = true)]
async fn hours_pass_in_no_time_when_the_clock_is_the_tests() {
    let simulator = start(Script {
        load_ms: 3_600_000,
        decode_rate: Some(0.01),
        ..Script::default()
    })
    .await;
    let answer = chat(&simulator, &ask("x")).await.json();
    let seconds = |field: &str| number(&answer, field) / 1_000_000_000;
    assert_eq!(seconds("load_duration"), 3_600);
    assert_eq!(seconds("eval_duration"), 3_100);
    assert!(seconds("total_duration") >= 6_700);
}

#[tokio::test]
async fn a_load_is_given_up_when_its_client_leaves() {
    let simulator = start(Script {
        load_ms: 600_000,
        ..Script::default()
    })
    .await;
    let held = send_and_hold(&simulator, &ask("x")).await;
    until("the request is seen", || !simulator.log().is_empty()).await;
    assert_eq!(loaded(&simulator).await, [] as [Value; 0]);
    drop(held);
    until("the load is given up", || {
        simulator.stats().aborted_loads == 1
    })
    .await;
    until("the entry ends", || {
        simulator.log()[0].outcome == Outcome::ClientGone
    })
    .await;
    assert_eq!(simulator.stats().loads, 0);
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_slot_at_once() {
    let simulator = start(endless()).await;
    let held = send_and_hold(&simulator, &ask("x")).await;
    until("the slot is taken", || simulator.stats().in_flight == 1).await;
    let waiting = send_and_hold(&simulator, &ask("y")).await;
    until("the other waits", || simulator.stats().queued == 1).await;
    drop(held);
    until("the other has the slot", || simulator.stats().queued == 0).await;
    assert_eq!(simulator.stats().in_flight, 1);
    drop(waiting);
    until("the slot is free", || simulator.stats().in_flight == 0).await;
    assert_eq!(simulator.stats().ended(Outcome::ClientGone), 2);
    assert_eq!(simulator.stats().evaluated, 0);
}

#[tokio::test]
async fn headers_wait_for_the_first_token() {
    let simulator = start(endless()).await;
    let held = send_and_hold(&simulator, &with(ask("x"), &json!({"stream": true}))).await;
    until("the slot is taken", || simulator.stats().in_flight == 1).await;
    let nothing = held.try_read(&mut [0; 16]).unwrap_err();
    assert_eq!(nothing.kind(), std::io::ErrorKind::WouldBlock);
}

#[rstest]
#[case(json!({"options": {"num_ctx": 2048}}), 1)]
#[case(json!({"options": {"num_thread": 2}}), 1)]
#[case(json!({"options": {"num_batch": 256}}), 1)]
#[case(json!({"options": {"num_gpu": 0}}), 1)]
#[case(json!({"options": {"main_gpu": 0}}), 1)]
#[case(json!({"options": {"use_mmap": false}}), 1)]
#[case(json!({"shift": false}), 1)]
#[case(json!({"options": {"num_ctx": 4096}}), 0)]
#[case(json!({"options": {"num_predict": 3, "seed": 1, "stop": ["x"], "num_gpu": -1}}), 0)]
#[case(json!({"format": "json", "keep_alive": "1h", "truncate": false, "logprobs": true}), 0)]
#[tokio::test]
async fn some_options_reload_and_others_do_not(#[case] fields: Value, #[case] reloads: u64) {
    let simulator = start(Script::instant()).await;
    chat(&simulator, &ask("x")).await;
    chat(&simulator, &with(ask("x"), &fields)).await;
    assert_eq!(simulator.stats().reloads, reloads);
    // What was set and is then left out is a change as well; and the caches are lost.
    chat(&simulator, &ask("x")).await;
    assert_eq!(simulator.stats().reloads, 2 * reloads);
    assert_eq!(simulator.log()[2].reused == Some(0), reloads > 0);
}

#[tokio::test]
async fn a_reload_waits_for_what_is_in_flight() {
    let simulator = start(slow()).await;
    let other = with(ask("y"), &json!({"options": {"num_ctx": 2048}}));
    let answers = all_at_once(&simulator, vec![ask("x"), other]).await;
    assert!(answers.iter().all(|answer| answer.json()["done"] == true));
    assert_eq!(simulator.stats().reloads, 1);
    assert_eq!(simulator.stats().peak_in_flight, 1);
}

#[tokio::test]
async fn a_loaded_model_is_listed_until_it_is_unloaded() {
    let simulator = start(Script {
        slots: 2,
        models: model(|model| {
            (model.size, model.overhead, model.bytes_per_token) = (1_000, 50, 2);
        }),
        ..Script::default()
    })
    .await;
    let load = with(
        ask("x"),
        &json!({"messages": [], "options": {"num_ctx": 1024}, "keep_alive": -1}),
    );
    assert_eq!(chat(&simulator, &load).await.json()["done_reason"], "load");
    let listed = &loaded(&simulator).await[0];
    assert_eq!(listed["context_length"], 1024);
    assert_eq!(listed["size"], 1_050 + 2 * 2 * 1024);
    assert_eq!(listed["size"], listed["size_vram"]);
    assert!(listed["expires_at"].as_str().unwrap() > "2300");
    let unload = with(ask("x"), &json!({"messages": [], "keep_alive": 0}));
    assert_eq!(
        chat(&simulator, &unload).await.json()["done_reason"],
        "unload"
    );
    assert!(loaded(&simulator).await.is_empty());
    assert_eq!(
        chat(&simulator, &unload).await.json()["done_reason"],
        "unload"
    );
}

#[tokio::test]
async fn an_idle_model_expires() {
    let simulator = start(Script::instant()).await;
    chat(&simulator, &with(ask("x"), &json!({"keep_alive": "20ms"}))).await;
    let gone = async {
        while !loaded(&simulator).await.is_empty() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap();
    chat(&simulator, &with(ask("x"), &json!({"keep_alive": 0}))).await;
    assert!(loaded(&simulator).await.is_empty());
    assert_eq!(simulator.stats().loads, 2);
}

#[tokio::test]
async fn too_many_models_push_each_other_out() {
    let named = |name: &str| ModelScript {
        name: name.to_owned(),
        ..ModelScript::default()
    };
    let simulator = start(Script {
        models: vec![named("a"), named("b"), named("c")],
        max_loaded: 2,
        ..Script::default()
    })
    .await;
    for (name, keep_alive) in [("a", "10m"), ("b", "5m"), ("c", "1h")] {
        let body = with(ask("x"), &json!({"model": name, "keep_alive": keep_alive}));
        chat(&simulator, &body).await;
    }
    let left: Vec<_> = loaded(&simulator)
        .await
        .iter()
        .map(|m| m["name"].clone())
        .collect();
    assert_eq!(left, ["c:latest", "a:latest"]);
    assert_eq!(simulator.stats().reloads, 0);
}

#[tokio::test]
async fn models_of_one_blob_share_a_runner_under_the_first_name() {
    let alias = |name: &str| ModelScript {
        name: name.to_owned(),
        blob: Some("sha256-1".to_owned()),
        ..ModelScript::default()
    };
    let simulator = start(Script {
        models: vec![alias("first"), alias("second")],
        ..Script::default()
    })
    .await;
    for name in ["first", "second"] {
        chat(&simulator, &with(ask("x"), &json!({ "model": name }))).await;
    }
    assert_eq!(simulator.stats().loads, 1);
    assert_eq!(loaded(&simulator).await[0]["name"], "first:latest");
}

#[rstest]
#[case(vec![Capability::Embedding], "llama", "/api/embed")]
#[case(vec![Capability::Completion], "qwen3next", "/api/chat")]
#[tokio::test]
async fn some_models_never_run_in_parallel(
    #[case] capabilities: Vec<Capability>,
    #[case] family: &str,
    #[case] path: &str,
) {
    let simulator = start(Script {
        slots: 4,
        models: model(|model| {
            model.capabilities = capabilities;
            family.clone_into(&mut model.family);
            (model.size, model.overhead, model.bytes_per_token) = (0, 0, 1);
        }),
        ..Script::default()
    })
    .await;
    post(&simulator, path, &with(ask("x"), &json!({"input": "x"}))).await;
    assert_eq!(loaded(&simulator).await[0]["size"], 4096);
}

#[tokio::test]
async fn the_server_goes_away_and_comes_back() {
    let simulator = start(endless()).await;
    let held = send_and_hold(&simulator, &ask("x")).await;
    until("the slot is taken", || simulator.stats().in_flight == 1).await;
    simulator.stop_listening().await;
    assert!(
        client()
            .get(simulator.url())
            .send()
            .await
            .unwrap_err()
            .is_connect()
    );
    until("the connection is cut", || {
        simulator.log()[0].outcome == Outcome::Cut
    })
    .await;
    drop(held);
    simulator.listen_again().await.unwrap();
    simulator.listen_again().await.unwrap();
    assert_eq!(get(&simulator, "/").await.status, 200);
    let url = simulator.url();
    simulator.shutdown().await;
    assert!(client().get(url).send().await.unwrap_err().is_connect());
}

#[tokio::test]
async fn a_dropped_simulator_is_gone() {
    let simulator = start(Script::default()).await;
    let address = simulator.address();
    drop(simulator);
    let gone = async {
        while tokio::net::TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .unwrap();
}

#[tokio::test]
async fn another_script_takes_over_while_models_stay() {
    let simulator = start(Script::default()).await;
    chat(&simulator, &ask("x")).await;
    let next = Script {
        version: "0.34.0".to_owned(),
        ..Script::default()
    };
    simulator.replace(next).unwrap();
    assert_eq!(
        get(&simulator, "/api/version").await.json()["version"],
        "0.34.0"
    );
    chat(&simulator, &ask("x")).await;
    assert_eq!(simulator.stats().loads, 1);
    let bad = Script {
        slots: 0,
        ..Script::default()
    };
    assert!(simulator.replace(bad).is_err());
}

#[tokio::test]
async fn the_witness_knows_each_request_by_its_marker() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.jsonl");
    let simulator = start(Script {
        marker_prefix: Some("cand-".to_owned()),
        log_file: Some(path.clone()),
        ..Script::default()
    })
    .await;
    chat(&simulator, &ask("Grade cand-0042 from 0 to 10.")).await;
    chat(&simulator, &ask("Grade nobody.")).await;
    get(&simulator, "/api/ps").await;
    let log = simulator.log();
    let markers: Vec<_> = log.iter().map(|e| (e.route, e.marker.as_deref())).collect();
    assert_eq!(
        markers,
        [
            (Route::Chat, Some("cand-0042")),
            (Route::Chat, None),
            (Route::Ps, None)
        ]
    );
    let text = std::fs::read_to_string(path).unwrap();
    let written: Vec<LogEntry> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let story: Vec<_> = written.iter().map(|e| (e.number, e.outcome)).collect();
    let (open, answered) = (Outcome::Open, Outcome::Answered);
    assert_eq!(
        story,
        [
            (1, open),
            (1, answered),
            (2, open),
            (2, answered),
            (3, answered)
        ]
    );
    assert_eq!(written[1], log[0]);
}
