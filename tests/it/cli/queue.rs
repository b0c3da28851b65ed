//! The queue by hand: with a process that owns it, and without one.

use batchtop::model::RequestState;
use batchtop::simulator::{Action, Answers, Length, Script};
use serde_json::Value;

use crate::support::{Running, Stage, batch, chat, json_lines, marked, until};

fn jobs(stage: &Stage) -> Vec<Value> {
    serde_json::from_str(&stage.run("jobs --json").with(0).out).unwrap()
}

fn state(stage: &Stage, job: usize) -> String {
    let jobs = jobs(stage);
    jobs[job - 1]["state"].as_str().unwrap().to_owned()
}

/// A server whose answers take a second each.
fn slow() -> Stage {
    Stage::with(Script {
        slots: 4,
        decode_rate: Some(20.0),
        answers: Answers {
            tokens: Length::Fixed(20),
            ..Answers::default()
        },
        ..Script::default()
    })
}

/// A process that works the queue until it is ended.
fn owner(stage: &Stage) -> Running {
    let owner = stage.start("work --keep");
    until("it owns the queue", || {
        stage.path("data/owner.json").exists().then_some(())
    });
    owner
}

fn enqueue(stage: &Stage, count: usize) {
    stage.write("b.jsonl", batch(count));
    stage
        .run("enqueue b.jsonl")
        .with(0)
        .printing(&format!("b.jsonl ({count} requests)"));
}

#[test]
fn files_wait_in_the_queue_until_it_is_worked() {
    let stage = Stage::new();
    stage.write("a.jsonl", batch(2));
    stage.write("b.jsonl", batch(3));
    stage
        .run("enqueue a.jsonl b.jsonl")
        .with(0)
        .printing("job 1: a.jsonl (2 requests)")
        .printing("job 2: b.jsonl (3 requests)");
    assert!(stage.asked().is_empty());
    assert_eq!([state(&stage, 1), state(&stage, 2)], ["queued", "queued"]);
    stage.run("work").with(0).saying("the queue is empty");
    assert_eq!([state(&stage, 1), state(&stage, 2)], ["done", "done"]);
    assert_eq!(stage.asked().len(), 5);
    stage.run("export a.jsonl -o a.out").with(0);
    stage.run("export 2 -o b.out").with(0);
    assert_eq!(
        [stage.lines("a.out").len(), stage.lines("b.out").len()],
        [2, 3]
    );
}

#[test]
fn the_owner_takes_files_from_others_and_from_standard_input() {
    let stage = Stage::new();
    let owner = owner(&stage);
    enqueue(&stage, 3);
    stage
        .feed("enqueue -", batch(2).as_bytes())
        .with(0)
        .printing("standard input (2 requests)");
    until("all is done", || {
        (jobs(&stage).len() == 2 && [1, 2].iter().all(|&job| state(&stage, job) == "done"))
            .then_some(())
    });
    stage.write("bad.jsonl", "not json\n");
    stage
        .run("enqueue bad.jsonl")
        .with(2)
        .saying("the file has problems")
        .saying("batchtop check");
    assert_eq!(jobs(&stage).len(), 2);
    owner.signal(crate::support::Signal::Interrupt);
    owner.ends().with(130);
}

#[test]
fn a_job_is_paused_resumed_and_cancelled_without_an_owner() {
    let stage = Stage::new();
    enqueue(&stage, 3);
    stage.run("pause 1").with(0).printing("is paused");
    stage.run("pause 1").with(0).printing("paused already");
    stage.run("work").with(0);
    assert!(stage.asked().is_empty());
    stage
        .run("resume b.jsonl")
        .with(0)
        .printing("in the queue again");
    stage
        .run("resume 1")
        .with(0)
        .printing("in the queue already");
    stage.run("cancel b.js").with(0).printing("cancelled");
    stage.run("cancel 1").with(0).printing("cancelled already");
    assert_eq!(state(&stage, 1), "cancelled");
    for command in ["resume 1", "retry 1"] {
        stage
            .run(command)
            .with(2)
            .saying("it is cancelled")
            .saying("hint:");
    }
    stage.run("export 1 -o a.jsonl --errors e.jsonl").with(0);
    assert!(stage.lines("a.jsonl").is_empty());
    let codes = stage.lines("e.jsonl");
    assert_eq!(codes.len(), 3);
    assert!(
        codes
            .iter()
            .all(|line| line["error"]["code"] == "batch_cancelled")
    );
}

#[test]
fn a_job_is_paused_and_resumed_while_another_process_works() {
    let stage = slow();
    enqueue(&stage, 6);
    let owner = owner(&stage);
    until("it works", || (!stage.asked().is_empty()).then_some(()));
    stage.run("pause 1").with(0).printing("is paused");
    until("what was in flight has finished", || {
        let rows = stage.rows(1);
        rows.values()
            .all(|(state, _)| *state != RequestState::Claimed)
            .then_some(())
    });
    let asked = stage.asked().len();
    assert!(asked < 6);
    assert_eq!(state(&stage, 1), "paused");
    stage.run("resume 1").with(0);
    until("more is asked", || {
        (stage.asked().len() > asked).then_some(())
    });
    owner.kill();
}

#[test]
fn a_cancelled_job_lets_go_of_what_is_in_flight() {
    let stage = Stage::with(Script {
        decode_rate: Some(1.0),
        ..Script::default()
    });
    enqueue(&stage, 2);
    let owner = owner(&stage);
    until("it works", || (!stage.asked().is_empty()).then_some(()));
    stage.run("cancel 1").with(0);
    until("the connection is dropped", || {
        (stage.server().stats().in_flight == 0).then_some(())
    });
    assert_eq!(state(&stage, 1), "cancelled");
    owner.kill();
}

#[test]
fn a_run_whose_job_is_cancelled_elsewhere_ends_with_what_there_is() {
    let stage = slow();
    stage.write("b.jsonl", batch(4));
    let run = stage.start("run b.jsonl");
    until("an answer is stored", || {
        let rows = stage.rows(1);
        rows.values()
            .any(|(state, _)| *state == RequestState::Done)
            .then_some(())
    });
    stage.run("cancel 1").with(0);
    let outcome = stage.outcome(run.ends().with(1));
    assert!(!outcome.answers.is_empty());
    assert_eq!(outcome.answers.len() + outcome.errors.len(), 4);
}

#[test]
fn jobs_run_one_after_the_other_and_models_are_not_swapped_back_and_forth() {
    let model = |name: &str| batchtop::simulator::ModelScript {
        name: name.to_owned(),
        ..Default::default()
    };
    let stage = Stage::with(Script {
        models: vec![model("one"), model("two")],
        max_loaded: 1,
        ..Script::instant()
    });
    stage.write("b.jsonl", batch(3));
    for name in ["one", "two", "one", "two"] {
        stage
            .run(&format!("enqueue b.jsonl --model {name}"))
            .with(0);
    }
    stage.run("work").with(0);
    let models: Vec<_> = stage.asked().into_iter().filter_map(|e| e.model).collect();
    let mut order = models.clone();
    order.dedup();
    assert_eq!((models.len(), order.len()), (12, 2), "{models:?}");
}

fn refusal() -> Action {
    Action::Error {
        status: 400,
        text: "no such thing".to_owned(),
    }
}

#[test]
fn a_queue_with_failures_ends_with_1_and_they_can_be_retried() {
    let stage = Stage::failing([marked("r2", refusal())]);
    enqueue(&stage, 3);
    stage.run("work").with(1).saying("1 failed requests");
    stage
        .run("retry 1 --class timeout")
        .with(0)
        .printing("no failed requests of class timeout");
    stage.play(Script::instant());
    let owner = owner(&stage);
    stage
        .run("retry 1")
        .with(0)
        .printing("1 requests are queued again");
    until("it is done", || (state(&stage, 1) == "done").then_some(()));
    stage.run("retry 1").with(0).printing("no failed requests");
    owner.kill();
    assert_eq!(stage.rows(1)["r2"].0, RequestState::Done);
}

#[test]
fn work_tells_of_jobs_that_cannot_go_on() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(1));
    stage.run("enqueue b.jsonl --model nowhere").with(0);
    stage
        .run("work")
        .with(2)
        .saying("failed-to-start")
        .saying("simulated:latest");
}

#[test]
fn a_job_is_removed_when_it_is_over_and_with_a_yes() {
    let stage = Stage::new();
    enqueue(&stage, 2);
    stage
        .run("remove 1 --yes")
        .with(2)
        .saying("batchtop cancel");
    stage.run("work").with(0);
    stage.run("remove 1").with(2).saying("--yes");
    stage.run("remove 1 --yes").with(0).printing("removed");
    assert!(jobs(&stage).is_empty());
    stage.run("jobs").with(0).saying("the queue is empty");
    for command in ["show 1", "export 1", "pause 1", "retry 1", "remove 1 --yes"] {
        stage
            .run(command)
            .with(2)
            .saying("`1`")
            .saying("batchtop jobs");
    }
}

#[test]
fn a_job_is_named_by_its_number_or_an_unambiguous_part_of_its_name() {
    let stage = Stage::new();
    stage.write("monday.jsonl", batch(1));
    stage.write("tuesday.jsonl", batch(1));
    stage.run("enqueue monday.jsonl tuesday.jsonl").with(0);
    stage.run("show tues").with(0).printing("tuesday.jsonl");
    stage
        .run("show day")
        .with(2)
        .saying("1 (monday.jsonl), 2 (tuesday.jsonl)")
        .saying("use the number");
    stage.run("show sunday").with(2).saying("`sunday`");
}

#[test]
fn one_job_is_shown_in_full() {
    let stage = Stage::failing([marked("r2", refusal())]);
    stage.write("b.jsonl", batch(3));
    stage.run("run b.jsonl --max-tokens 5").with(1);
    let shown = stage.run("show 1").with(0);
    for words in [
        "job        1 b.jsonl",
        "state      done",
        "answered   2 (66.7 %), 2 of them cut off",
        "failed     1",
        "10 written",
        "cap 5",
        "1 × refused: no such thing",
    ] {
        assert!(shown.out.contains(words), "no `{words}` in {shown:?}");
    }
    let json: Value = serde_json::from_str(&stage.run("show 1 --json").with(0).out).unwrap();
    assert_eq!(json["failures"][0]["sample"], "no such thing");
    let table = stage.run("jobs").with(0);
    assert_eq!(table.out.lines().count(), 2);
    assert!(table.out.contains("100.0 %"), "{table:?}");
}

#[test]
fn results_can_be_exported_at_any_time_and_in_either_order() {
    let stage = Stage::failing([marked("late", Action::SlowDrip { ms: 20 })]);
    let lines = chat("r1", "late") + &batch(3).replace("r1", "r0");
    stage.write("b.jsonl", lines);
    stage.run("enqueue b.jsonl --parallel 4").with(0);
    stage
        .run("export 1 -o early.jsonl")
        .with(0)
        .saying("4 requests have no end yet");
    assert!(stage.lines("early.jsonl").is_empty());
    stage.run("work").with(0);
    let ids = |arguments: &str| -> Vec<String> {
        let lines = json_lines(&stage.run(arguments).with(0).out);
        let ids = lines.iter().map(|line| line["custom_id"].as_str().unwrap());
        ids.map(str::to_owned).collect()
    };
    assert_eq!(ids("export 1 -o -"), ["r1", "r0", "r2", "r3"]);
    let finished = ids("export 1 -o - --order finished");
    assert_eq!(
        finished.last().map(String::as_str),
        Some("r1"),
        "{finished:?}"
    );
    stage.run("export 1").with(0).saying("job-1.results.jsonl");
    assert_eq!(stage.lines("job-1.results.jsonl").len(), 4);
}

#[test]
fn failures_are_exported_beside_the_answers() {
    let stage = Stage::failing([marked("r2", refusal())]);
    enqueue(&stage, 2);
    stage.run("work").with(1);
    stage.run("export 1 -o x.results.jsonl").with(0);
    assert_eq!(stage.lines("x.errors.jsonl").len(), 1);
    stage
        .run("export 1 -o -")
        .with(0)
        .saying("1 failures are not written");
}
