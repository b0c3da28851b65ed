//! The plan and the guard as a person meets them. No test needs a card, or minds one.

use batchtop::base::Stamp;
use batchtop::model::RequestState;
use batchtop::simulator::{Action, Fault, ModelScript, Route, Script, When};
use rusqlite::Connection;

use crate::support::{Signal, Stage, batch};

/// A server whose model `simulated` is a Llama of 5 GB, trained for 8,192 tokens.
fn llama(change: impl FnOnce(&mut ModelScript)) -> Stage {
    let mut model: ModelScript = serde_json::from_value(serde_json::json!({
        "name": "simulated",
        "family": "llama",
        "size": 5_000_000_000_u64,
        "context_length": 8_192,
        "embedding_length": 4_096,
        "model_info": {
            "llama.block_count": 32,
            "llama.attention.head_count": 32,
            "llama.attention.head_count_kv": 8,
        },
    }))
    .unwrap();
    change(&mut model);
    Stage::with(Script {
        models: vec![model],
        ..Script::instant()
    })
}

/// What the queue remembers of such events.
fn events(stage: &Stage, kind: &str) -> Vec<String> {
    let database = Connection::open(stage.data().join("queue.db")).unwrap();
    let mut query = database
        .prepare("SELECT text FROM event WHERE kind = ?1 ORDER BY id")
        .unwrap();
    let rows = query.query_map([kind], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn a_run_says_what_the_model_takes_before_it_starts() {
    let stage = llama(|_| {});
    let outcome = stage.work_off(&batch(2), "--num-ctx 4096 --parallel 2 --allow-spill");
    outcome
        .finished
        .with(0)
        .saying("simulated: ")
        .saying("weights 5.0 GB + context 1.1 GB (2 × 4,096 tokens) + computing 805 MB = 6.9 GB");
}

#[test]
fn what_batchtop_does_not_know_is_said_and_nothing_is_guessed() {
    let stage = llama(|model| model.family = "mamba".into());
    stage
        .work_off(&batch(1), "")
        .finished
        .with(0)
        .saying("whether it fits cannot be said: how `mamba` keeps context in memory is not known");
    // Nobody can change that: once a day is enough.
    let again = stage.work_off(&batch(1), "--new").finished.with(0);
    assert!(!again.err.contains("cannot be said"), "{again:?}");
}

#[test]
fn a_server_without_the_question_is_run_without_a_plan() {
    let stage = Stage::failing([Fault {
        when: When {
            endpoint: Some(Route::Show),
            ..When::default()
        },
        action: Action::Busy,
    }]);
    stage.work_off(&batch(3), "").finished.with(0);
}

#[test]
fn a_part_on_the_processor_and_a_smaller_window_are_events() {
    let stage = llama(|model| model.vram_share = 0.5);
    stage
        .work_off(&batch(1), "--num-ctx 16384 --allow-spill")
        .finished
        .with(0);
    let told = events(&stage, "plan");
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(
        told[0].contains("of `simulated` do not fit the card and run on the CPU"),
        "{told:?}"
    );
    assert_eq!(
        told[1],
        "the server gives `simulated` a window of 8,192 tokens instead of the 16,384 that were \
         asked for; longer prompts are refused"
    );
}

#[test]
fn outside_its_hours_a_run_waits_and_says_so() {
    let stage = Stage::new()
        .set("TZ", "UTC")
        .set("BATCHTOP_PROGRESS_EVERY", "100ms");
    stage.write("b.jsonl", batch(2));
    let hour = Stamp::now().seconds() / 3_600 % 24;
    let hours = format!("{:02}:00-{:02}:00", (hour + 3) % 24, (hour + 4) % 24);
    let run = stage.start(&format!("run b.jsonl --hours {hours}"));
    run.says(&format!("held back: work may be done {hours}"));
    run.signal(Signal::Interrupt);
    run.ends().with(130);
    assert!(stage.asked().is_empty());
    assert!(
        stage
            .rows(1)
            .values()
            .all(|(state, _)| *state == RequestState::Queued)
    );
    stage.run("run b.jsonl --no-guard").with(0);
    assert_eq!(stage.asked().len(), 2);
}

#[test]
fn limits_that_contradict_each_other_are_told_with_a_cure() {
    let stage = Stage::new().set("BATCHTOP_HEAT_RESUME", "90");
    stage
        .run("config check")
        .with(2)
        .saying("guard.heat_resume: `90` °C is not below guard.heat_pause (`85` °C)")
        .saying("set guard.heat_resume lower or guard.heat_pause higher");
    let stage = Stage::new();
    stage
        .run("work --hours night")
        .with(2)
        .saying("such as `22:00-07:00`");
}
