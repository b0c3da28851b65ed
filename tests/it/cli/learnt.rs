//! What runs and probes learn: shown, used, kept and forgotten.

use batchtop::simulator::{Action, Answers, Length, ModelScript, Route, Script};
use serde_json::{Value, json};

use crate::support::{Signal, Stage, batch, json_lines, marked};

const GIB: u64 = 1 << 30;

/// A server that bears a window of 12,000 tokens, in two slots.
fn script() -> Script {
    Script {
        slots: 2,
        prefill_rate: Some(1e8),
        decode_rate: Some(400.0),
        answers: Answers {
            tokens: Length::Fixed(80),
            ..Answers::default()
        },
        card_memory: Some(5 * GIB + 12_000 * 2 * 131_072),
        refuses_to_spill: true,
        models: vec![ModelScript {
            size: 4 * GIB,
            overhead: GIB,
            model_info: model_info(),
            ..ModelScript::default()
        }],
        ..Script::default()
    }
}

/// 128 KiB a token, as Llama 3.1 8B.
fn model_info() -> serde_json::Map<String, Value> {
    let info = json!({
        "llama.block_count": 32,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
    });
    info.as_object().unwrap().clone()
}

const PROBE: &str = "probe --model simulated --num-ctx-max 16384 --parallel-max 3";

#[test]
fn a_probe_finds_the_limits_keeps_them_and_others_use_them() {
    let stage = Stage::with(script());
    stage
        .run("profile")
        .with(0)
        .saying("nothing was learnt yet");
    let report = stage.run(&format!("{PROBE} --json")).with(0).out;
    let report = &json_lines(&report)[0];
    let found = &report["recommendation"];
    let largest = found["largest_num_ctx"].as_u64().unwrap();
    assert!((11_400..=12_000).contains(&largest), "{report}");
    assert_eq!(found["lanes"], 2);
    let loads = || {
        let log = stage.server().log();
        log.iter()
            .filter(|entry| entry.route == Route::Chat)
            .count()
    };
    let asked = loads();
    // Nothing is left to try, so the same command only tells what is known.
    let again = stage.run(PROBE).with(0).saying("stored steps");
    assert_eq!(loads(), asked + 1);
    let advice = format!("--num-ctx {} --parallel 2", found["num_ctx"]);
    again
        .printing(&advice)
        .printing("the server works on 2 at once");
    stage.run("profile").with(0).printing(&advice);
    stage.run("doctor").printing("models known: 1");
    let plan = stage.run("plan --model simulated --num-ctx 4096 --parallel 2 --json");
    let plan: Value = serde_json::from_str(plan.with(0).out.trim()).unwrap();
    assert_eq!(plan["compute_is_measured"], true, "{plan}");
    stage.write("b.jsonl", batch(3));
    stage
        .run("run b.jsonl --model simulated")
        .with(0)
        .saying(&format!("the probe of `simulated` recommends {advice}"));
    stage
        .run("profile forget nobody")
        .with(2)
        .saying("nothing was learnt");
    stage
        .run("profile forget simulated")
        .with(0)
        .printing("forgotten");
    stage.run("profile show simulated").with(2);
}

#[test]
fn a_probe_puts_back_what_was_loaded() {
    let stage = Stage::with(script());
    stage.load("simulated", 2_048);
    stage.run(PROBE).with(0);
    let loaded = stage.loaded();
    assert_eq!(loaded.len(), 1);
    assert_eq!(loaded[0]["context_length"], 2_048);
}

#[test]
fn an_interrupted_probe_keeps_its_steps_and_goes_on() {
    // A line of filler that only the prompts of larger windows are long enough for.
    let hang = marked(
        "\n300: the",
        Action::HangBeforeFirstByte {
            stuck_runner: false,
        },
    );
    let stage = Stage::with(Script {
        faults: vec![hang],
        ..script()
    });
    let running = stage.start(PROBE);
    running.says("trying a window of 8,192");
    running.signal(Signal::Interrupt);
    let finished = running.ends().with(130);
    let finished = finished.saying("every finished step is stored");
    assert!(finished.out.contains("4,096"), "{finished:?}");
    stage.play(script());
    let finished = stage.run(PROBE).with(0).saying("stored steps: 1");
    assert!(
        !finished.err.contains("trying a window of 4,096"),
        "{finished:?}"
    );
    let anew = stage.run(&format!("{PROBE} --again")).with(0);
    assert!(anew.err.contains("trying a window of 4,096"), "{anew:?}");
}

#[test]
fn a_run_teaches_the_estimate_of_check_and_shows_its_savings() {
    let stage = Stage::with(Script {
        prefill_rate: Some(100_000.0),
        ..Script::instant()
    });
    stage.write("b.jsonl", batch(12));
    let before = stage.run("check b.jsonl --json").with(0).out;
    let before: Value = serde_json::from_str(before.trim()).unwrap();
    assert_eq!(before["calibrated"], Value::Null);
    stage.run("run b.jsonl").with(0).saying("prefix reuse ");
    stage.run("show 1").with(0).printing("reuse      ");
    let shown: Value = serde_json::from_str(stage.run("show 1 --json").out.trim()).unwrap();
    assert_eq!(shown["reuse"]["requests"], 12, "{shown}");
    let after = stage.run("check b.jsonl").with(0);
    after
        .printing("By what runs of ")
        .printing("from 12 prompts");
}

#[test]
fn a_rotten_profile_is_passed_over_with_a_word() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(2));
    stage.run("run b.jsonl").with(0);
    let database = rusqlite::Connection::open(stage.data().join("queue.db")).unwrap();
    database
        .execute("UPDATE profile SET learnt = '{'", [])
        .unwrap();
    drop(database);
    stage
        .run("profile")
        .with(0)
        .saying("cannot be read and are passed over");
    stage
        .run("doctor")
        .printing("cannot be read and are passed over");
    stage.run("run b.jsonl --new").with(0);
    stage.run("profile forget --all").with(0);
}
