//! The owner of the queue is killed while another process waits for its word.

use batchtop::model::RequestState;
use batchtop::simulator::Script;
use rstest::rstest;

use super::points::trial;
use super::{Trial, script};
use crate::support::{Running, Stage, batch, until};

/// An owner of the queue that works on nothing it could finish, and dies at this commit.
fn owner_until(trial: &Trial, point: &str) -> Running {
    trial.stage.play(Script {
        decode_rate: Some(0.1),
        ..script()
    });
    let owner = trial.start_until("work --keep", point);
    until("it owns the queue", || {
        let note = trial.stage.data().join("owner.json");
        note.exists().then_some(())
    });
    owner
}

/// Requests of each job that is in the queue.
fn totals(stage: &Stage) -> Vec<u64> {
    let jobs = stage.run("jobs --json").with(0).out;
    let jobs: serde_json::Value = serde_json::from_str(&jobs).unwrap();
    let jobs = jobs.as_array().unwrap().iter();
    jobs.map(|job| job["total"].as_u64().unwrap()).collect()
}

#[rstest]
fn a_file_that_was_given_to_it_is_in_the_queue_once(
    #[values("before", "after")] side: &str,
    #[values("open", "admit", "close")] kind: &str,
) {
    let trial = Trial::of(3, script());
    trial.stage.run("enqueue b.jsonl").with(0);
    let owner = owner_until(&trial, &format!("{side}:{kind}:1"));
    trial.stage.write("c.jsonl", batch(5));
    trial.stage.write("d.jsonl", batch(7));
    trial
        .stage
        .run("enqueue c.jsonl d.jsonl")
        .with(0)
        .printing("c.jsonl (5 requests)")
        .printing("d.jsonl (7 requests)");
    assert_eq!(owner.ends().code, None, "it was killed");
    assert_eq!(totals(&trial.stage), [3, 5, 7]);
}

#[rstest]
fn what_came_by_standard_input_is_in_the_queue_once(#[values("before", "after")] side: &str) {
    let trial = Trial::of(3, script());
    let owner = owner_until(&trial, &format!("{side}:close:1"));
    trial
        .stage
        .feed("enqueue -", batch(5).as_bytes())
        .with(0)
        .printing("standard input (5 requests)");
    assert_eq!(owner.ends().code, None, "it was killed");
    assert_eq!(totals(&trial.stage), [5]);
}

#[rstest]
fn a_command_that_was_given_to_it_has_its_effect(#[values("before", "after")] side: &str) {
    let mut trial = trial();
    trial.start().ends().with(1);
    let owner = owner_until(&trial, &format!("{side}:retry:1"));
    trial.stage.run("retry 1").with(0);
    assert_eq!(owner.ends().code, None, "it was killed");
    trial.note();
    assert_eq!(trial.rows()["r5"].0, RequestState::Queued);
    trial.stage.play(script());
    trial.start().ends().with(0);
    trial.judge(&[]);
}
