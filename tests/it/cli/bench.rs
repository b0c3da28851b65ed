//! `bench` and `estimate`: figures that are kept, compared and believed.

use batchtop::simulator::{Action, Fault, Script, When};
use serde_json::Value;

use crate::support::{Signal, Stage, always};

const BENCH: &str = "bench --model simulated --warm-up 2 --json";

fn measured(stage: &Stage, flags: &str) -> Vec<Value> {
    let finished = stage.run(&format!("{BENCH} {flags}")).with(0);
    let told: Value = serde_json::from_str(&finished.out).unwrap();
    told.as_array().unwrap().clone()
}

#[test]
fn every_combination_is_measured() {
    let stage = Stage::new();
    let told = measured(&stage, "--sizes 3,6 --parallel 1,auto");
    let cases: Vec<_> = told
        .iter()
        .map(|one| (one["parallel"].clone(), one["requests"].clone()))
        .collect();
    let auto = Value::from("auto");
    let expected = [
        (1.into(), 3.into()),
        (1.into(), 6.into()),
        (auto.clone(), 3.into()),
        (auto, 6.into()),
    ];
    assert_eq!(cases, expected);
    for one in &told {
        assert_eq!(one["model"], "simulated");
        assert_eq!(one["simulated"], true);
        assert!(one["prompt_tokens"].as_u64().unwrap() > 0);
        assert!(one["p95_ms"].as_f64().unwrap() >= one["p50_ms"].as_f64().unwrap());
        assert_eq!(one["before"], Value::Null);
    }
    // Two warm-ups, and nothing of all this in the user's queue.
    assert_eq!(stage.asked().len(), 2 * (2 + 3 + 6));
    stage.run("jobs").with(0).saying("the queue is empty");
}

#[test]
fn simulated_figures_are_kept_only_when_asked_and_never_believed_unasked() {
    let stage = Stage::new();
    stage.run("sample 9 --model simulated -o b.jsonl").with(0);
    stage
        .run("bench --model simulated --sizes 3")
        .with(0)
        .saying("SIMULATED: the figures are those of the simulated server and not kept")
        .printing("SIMULATED, simulated:")
        .printing("first");
    stage
        .run("estimate b.jsonl")
        .with(2)
        .saying("there is no measurement of `simulated` to base an estimate on")
        .saying("hint: `batchtop bench --model simulated` makes one");
    let first = measured(&stage, "--sizes 3 --keep-simulated");
    let again = measured(&stage, "--sizes 3,4");
    assert_eq!(again[0]["before"]["measured_at"], first[0]["measured_at"]);
    assert!(again[0]["change_percent"].is_f64());
    assert_eq!(again[1]["before"], Value::Null);
    stage.run("estimate b.jsonl").with(2);
    let finished = stage.run("estimate b.jsonl --simulated --json").with(0);
    let told: Value = serde_json::from_str(&finished.out).unwrap();
    assert_eq!(
        (&told["requests"], &told["model"]),
        (&9.into(), &"simulated".into())
    );
    let seconds = &told["forecasts"][0]["seconds"];
    assert!(seconds["low"].as_f64() < seconds["high"].as_f64(), "{told}");
    assert_eq!(told["forecasts"][0]["measured_requests"], 3);
    stage
        .run("estimate b.jsonl --simulated --answer-tokens 30")
        .with(0)
        .printing("SIMULATED: 9 requests")
        .printing("answers have 30 tokens in the mean, as told");
}

#[test]
fn an_estimate_says_what_it_lacks() {
    let stage = Stage::new();
    stage.write("empty.jsonl", "");
    stage
        .run("estimate empty.jsonl")
        .with(2)
        .saying("the file holds no valid request");
    stage.write(
        "vector.jsonl",
        crate::support::embedding("a", &serde_json::json!({})),
    );
    stage
        .run("estimate vector.jsonl")
        .with(2)
        .saying("the file asks for embeddings");
    let two = crate::support::chat_with("a", "x", &serde_json::json!({"model": "other"}));
    stage.write("two.jsonl", crate::support::chat("b", "y") + &two);
    stage
        .run("estimate two.jsonl")
        .with(2)
        .saying("the file names 2 models")
        .saying("hint: `--model MODEL` says which one to go by");
}

#[test]
fn a_server_that_is_used_otherwise_or_lacks_the_model_is_not_measured() {
    let stage = Stage::new();
    stage
        .run("bench --model nonesuch --sizes 3")
        .with(2)
        .saying("nonesuch");
    stage
        .run("bench --sizes 3")
        .with(2)
        .saying("no model is named");
    let worker = stage.start("work --keep");
    crate::support::until("an owner", || {
        stage.path("data/owner.json").exists().then_some(())
    });
    stage
        .run("bench --model simulated --sizes 3")
        .with(2)
        .saying("works the queue");
    worker.signal(Signal::Interrupt);
    worker.ends();
}

#[test]
fn what_was_measured_before_an_interruption_is_kept() {
    // One of the second measurement is never answered.
    let silent = Fault {
        when: When {
            nth: Some(7),
            ..When::default()
        },
        action: Action::HangBeforeFirstByte {
            stuck_runner: false,
        },
    };
    let stage = Stage::failing([silent]).set("BATCHTOP_DRAIN", "0s");
    let bench = stage.start("bench --model simulated --sizes 3,9 --warm-up 0 --keep-simulated");
    bench.says("measuring 9 requests");
    bench.signal(Signal::Interrupt);
    bench
        .ends()
        .with(130)
        .saying("interrupted; 1 measurements were finished");
    stage.play(Script::instant());
    let again = measured(&stage, "--sizes 3");
    assert_ne!(again[0]["before"], Value::Null);
    let left = std::fs::read_dir(stage.path("")).unwrap();
    let left = left.filter(|entry| {
        let name = entry.as_ref().unwrap().file_name();
        name.to_string_lossy().starts_with("batchtop-")
    });
    assert_eq!(left.count(), 0, "a temporary folder was left behind");
}

#[test]
fn failures_are_told() {
    let refusal = Action::Error {
        status: 400,
        text: "no".into(),
    };
    let stage = Stage::with(Script {
        faults: vec![always(refusal)],
        ..Script::instant()
    });
    stage
        .run("bench --model simulated --sizes 3 --warm-up 0")
        .with(1)
        .saying("3 requests failed");
}
