//! Ctrl-C and its relatives.

use batchtop::model::RequestState;
use batchtop::simulator::{Answers, Length, Outcome, Script};
use rstest::rstest;

use crate::support::{Running, Signal, Stage, batch, until};

/// A server with a token in so many milliseconds, ten for each answer.
fn paced(ms: u32) -> Stage {
    Stage::with(Script {
        slots: 2,
        decode_rate: Some(1_000.0 / f64::from(ms)),
        answers: Answers {
            tokens: Length::Fixed(10),
            ..Answers::default()
        },
        ..Script::default()
    })
}

fn under_way(stage: &Stage, requests: usize) -> Running {
    stage.write("b.jsonl", batch(requests));
    let run = stage.start("run b.jsonl --parallel 2");
    until("two are under way", || {
        (stage.asked().len() >= 2).then_some(())
    });
    run
}

#[rstest]
#[case(Signal::Interrupt)]
#[case(Signal::Terminate)]
#[case(Signal::HangUp)]
fn the_first_signal_lets_what_is_in_flight_finish(#[case] signal: Signal) {
    let stage = paced(50);
    let run = under_way(&stage, 20);
    run.signal(signal);
    run.ends()
        .with(130)
        .saying("may finish within 10.0 s")
        .saying("everything that was answered is stored")
        .saying("the same command goes on where it stopped");
    let rows = stage.rows(1);
    let done = rows
        .values()
        .filter(|(s, _)| *s == RequestState::Done)
        .count();
    assert_eq!(done, stage.asked().len(), "all that was asked was stored");
    assert!(
        stage
            .asked()
            .iter()
            .all(|entry| entry.outcome == Outcome::Answered)
    );
    stage.play(Script::instant());
    let outcome = stage.outcome(stage.run("run b.jsonl --parallel 2"));
    outcome.finished.with(0).saying("going on with job 1");
    assert_eq!(outcome.answers.len(), 20);
    assert_eq!(stage.asked().len(), 20, "nothing was asked twice");
}

#[test]
fn the_second_signal_ends_at_once_and_queues_again_what_was_in_flight() {
    let stage = paced(60_000);
    let run = under_way(&stage, 3);
    run.signal(Signal::Interrupt);
    run.says("may finish within");
    run.signal(Signal::Interrupt);
    run.ends().with(130).saying("queued again");
    let rows = stage.rows(1);
    assert!(
        rows.values()
            .all(|(state, _)| *state == RequestState::Queued)
    );
    stage.play(Script::instant());
    let outcome = stage.outcome(stage.run("run b.jsonl --parallel 2").with(0));
    assert_eq!(outcome.answers.len(), 3);
}

#[test]
fn a_drain_that_is_over_ends_too() {
    let stage = paced(60_000).set("BATCHTOP_DRAIN", "200ms");
    let run = under_way(&stage, 3);
    run.signal(Signal::Interrupt);
    run.ends().with(130);
    let rows = stage.rows(1);
    assert!(
        rows.values()
            .all(|(state, _)| *state == RequestState::Queued)
    );
}

#[test]
fn a_wait_for_a_server_can_be_interrupted() {
    let stage = Stage::new().set("BATCHTOP_PROGRESS_EVERY", "100ms");
    stage.server_goes();
    stage.write("b.jsonl", batch(2));
    let run = stage.start("run b.jsonl");
    run.says("server down for");
    run.signal(Signal::Interrupt);
    run.ends().with(130);
    assert_eq!(stage.rows(1)["r1"].1.sent, 0);
}

#[test]
fn a_model_that_loads_can_be_interrupted() {
    let stage = Stage::with(Script {
        load_ms: 600_000,
        ..Script::default()
    })
    .set("BATCHTOP_PROGRESS_EVERY", "100ms");
    stage.write("b.jsonl", batch(2));
    let run = stage.start("run b.jsonl");
    run.says("loading simulated");
    run.signal(Signal::Interrupt);
    run.ends().with(130);
}

#[test]
fn a_queue_at_work_can_be_interrupted() {
    let stage = paced(50);
    stage.write("b.jsonl", batch(20));
    stage.run("enqueue b.jsonl").with(0);
    let work = stage.start("work");
    until("it works", || (!stage.asked().is_empty()).then_some(()));
    work.signal(Signal::Terminate);
    work.ends()
        .with(130)
        .saying("`batchtop work` goes on where it stopped");
}

#[test]
fn a_demo_can_be_interrupted_and_leaves_nothing_behind() {
    let stage = Stage::new();
    let demo = stage.start("demo --headless");
    demo.says("SIMULATED server at");
    demo.signal(Signal::Interrupt);
    demo.ends().with(130);
    let left: Vec<_> = std::fs::read_dir(stage.path("")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}
