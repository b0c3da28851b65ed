//! `run`: one batch file from the first line to the last answer.

use std::io::Write;

use batchtop::model::RequestState;
use batchtop::simulator::{Action, Script};
use serde_json::Value;

use crate::support::{Stage, batch, chat, json_lines, marked, row};

fn ids(lines: &[Value]) -> Vec<&str> {
    lines
        .iter()
        .map(|line| line["custom_id"].as_str().unwrap_or("-"))
        .collect()
}

#[test]
fn answers_and_errors_stand_in_the_order_of_the_input() {
    let stage = Stage::failing([marked("bad", refusal())]);
    let lines = batch(2) + &chat("x1", "bad") + &chat("r9", "good") + &chat("x2", "bad");
    let outcome = stage.work_off(&lines, "--parallel 4");
    outcome
        .finished
        .with(1)
        .saying("3 answers in b.results.jsonl")
        .saying("2 failures in b.errors.jsonl")
        .saying("3 of 5 answered, 2 failed");
    assert_eq!(ids(&outcome.answers), ["r1", "r2", "r9"]);
    assert_eq!(ids(&outcome.errors), ["x1", "x2"]);
}

fn refusal() -> Action {
    Action::Error {
        status: 400,
        text: "no".to_owned(),
    }
}

#[test]
fn no_error_file_is_written_where_nothing_failed_and_an_old_one_goes() {
    let stage = Stage::new();
    stage.write("b.errors.jsonl", "of another day");
    let outcome = stage.work_off(&batch(2), "");
    outcome.finished.with(0);
    assert!(!stage.path("b.errors.jsonl").exists());
}

#[test]
fn files_can_be_named() {
    let stage = Stage::failing([marked("bad", refusal())]);
    stage.write("b.jsonl", batch(1) + &chat("x", "bad"));
    stage.run("run b.jsonl -o a.jsonl --errors e.jsonl").with(1);
    assert_eq!(ids(&stage.lines("a.jsonl")), ["r1"]);
    assert_eq!(ids(&stage.lines("e.jsonl")), ["x"]);
    assert!(!stage.path("b.results.jsonl").exists());
}

#[test]
fn answers_alone_go_to_standard_output() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(3));
    let finished = stage.run("run b.jsonl -o -").with(0);
    assert_eq!(ids(&json_lines(&finished.out)), ["r1", "r2", "r3"]);
}

#[test]
fn standard_input_is_a_batch_file() {
    let stage = Stage::new();
    let finished = stage.feed("run - -o -", batch(2).as_bytes()).with(0);
    assert_eq!(ids(&json_lines(&finished.out)), ["r1", "r2"]);
}

#[test]
fn standard_input_goes_on_where_it_stopped() {
    let stage = Stage::failing([marked("r2", out_of_memory())]);
    stage.feed("run - -o -", batch(3).as_bytes()).with(2);
    stage.play(Script::instant());
    let finished = stage.feed("run - -o -", batch(3).as_bytes()).with(0);
    assert_eq!(ids(&json_lines(&finished.out)), ["r1", "r2", "r3"]);
    let asked = stage.asked();
    let first = asked
        .iter()
        .filter(|e| e.marker.as_deref() == Some("r1 is a number"));
    assert_eq!(first.count(), 1);
    assert_eq!(jobs(&stage).len(), 1);
}

fn out_of_memory() -> Action {
    Action::OutOfMemoryInRun { after_tokens: 0 }
}

#[test]
fn standard_input_that_was_done_before_is_not_asked_again() {
    let stage = Stage::new();
    for asked in [2, 2] {
        let finished = stage.feed("run - -o -", batch(2).as_bytes()).with(0);
        assert_eq!(ids(&json_lines(&finished.out)), ["r1", "r2"]);
        assert_eq!(stage.asked().len(), asked);
    }
    stage.feed("run - -o - --new", batch(2).as_bytes()).with(0);
    assert_eq!(stage.asked().len(), 4);
}

fn jobs(stage: &Stage) -> Vec<Value> {
    serde_json::from_str(&stage.run("jobs --json").with(0).out).unwrap()
}

#[test]
fn progress_can_be_read_by_programs() {
    let stage = Stage::failing([marked("bad", refusal())]);
    stage.write("b.jsonl", batch(3) + &chat("x", "bad"));
    let finished = stage.run("run b.jsonl --json").with(1);
    let lines = json_lines(&finished.out);
    let last = lines.last().expect("a last word");
    assert!(lines.iter().all(|line| line["type"] == "progress"));
    assert_eq!(last["job"]["state"], "done");
    assert_eq!(
        [
            &last["job"]["done"],
            &last["job"]["failed"],
            &last["job"]["left"]
        ],
        [3, 1, 0]
    );
    assert_eq!(last["simulated"], false);
}

#[test]
fn only_the_first_requests_are_taken_where_a_limit_says_so() {
    let stage = Stage::new();
    let outcome = stage.work_off(&batch(5), "--limit 2");
    outcome.finished.with(0);
    assert_eq!(ids(&outcome.answers), ["r1", "r2"]);
    let outcome = stage.work_off(&batch(5), "");
    outcome.finished.with(0);
    assert_eq!(outcome.answers.len(), 5, "the whole file is another job");
}

#[test]
fn bad_lines_stop_everything_unless_they_are_to_be_skipped() {
    let stage = Stage::new();
    let lines = batch(2) + "not json\n" + &chat("r1", "again") + &chat("last", "fine");
    let outcome = stage.work_off(&lines, "");
    let size = batchtop::base::bytes(lines.len() as u64);
    outcome
        .finished
        .with(2)
        .saying(&format!("3 requests in {size}"))
        .saying("line 3")
        .saying("line 4, custom_id: `r1` is already used on line 1")
        .saying("--skip-invalid");
    assert!(
        stage
            .server()
            .log()
            .iter()
            .all(|entry| entry.marker.is_none())
    );
    assert!(jobs(&stage).is_empty(), "nothing is left behind");
    let outcome = stage.work_off(&lines, "--skip-invalid");
    outcome.finished.with(1);
    assert_eq!(ids(&outcome.answers), ["r1", "r2", "last"]);
    let codes: Vec<_> = outcome.errors.iter().map(|e| &e["error"]["code"]).collect();
    assert_eq!(codes, ["invalid_request", "invalid_request"]);
    assert_eq!(ids(&outcome.errors), ["-", "-"]);
    let message = outcome.errors[1]["error"]["message"].as_str().unwrap();
    assert!(message.contains("already used on line 1"), "{message}");
}

#[test]
fn a_file_without_a_request_is_no_batch() {
    let stage = Stage::new();
    for content in ["", "\n\n", "not json\n"] {
        let outcome = stage.work_off(content, "");
        outcome.finished.with(2);
        assert!(jobs(&stage).is_empty());
    }
}

#[test]
fn a_finished_file_is_not_asked_again_unless_it_is_wanted() {
    let stage = Stage::new();
    stage.work_off(&batch(3), "").finished.with(0);
    std::fs::remove_file(stage.path("b.results.jsonl")).unwrap();
    let outcome = stage.work_off(&batch(3), "");
    outcome.finished.with(0).saying("has done this file before");
    assert_eq!((outcome.answers.len(), stage.asked().len()), (3, 3));
    stage.work_off(&batch(3), "--new").finished.with(0);
    assert_eq!((stage.asked().len(), jobs(&stage).len()), (6, 2));
}

#[test]
fn other_options_or_another_content_are_another_job() {
    let stage = Stage::new();
    stage.work_off(&batch(2), "").finished.with(0);
    stage.work_off(&batch(2), "--max-tokens 7").finished.with(0);
    stage.work_off(&batch(3), "").finished.with(0);
    stage.work_off(&batch(3), "--parallel 2").finished.with(0);
    assert_eq!(jobs(&stage).len(), 3, "more lanes ask the same");
}

#[test]
fn a_finished_file_needs_neither_server_nor_queue_to_be_written_again() {
    let stage = Stage::new();
    stage.work_off(&batch(2), "").finished.with(0);
    let owner = stage.start("work --keep");
    crate::support::until("it owns the queue", || {
        stage.path("data/owner.json").exists().then_some(())
    });
    stage.server_goes();
    stage.run("run b.jsonl -o again.jsonl").with(0);
    assert_eq!(stage.lines("again.jsonl").len(), 2);
    owner.kill();
}

#[test]
fn compressed_files_are_read_by_their_content() {
    let stage = Stage::new();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(batch(2).as_bytes()).unwrap();
    stage.write("a.jsonl.gz", gzip.finish().unwrap());
    stage.write(
        "b.jsonl.zst",
        zstd::encode_all(batch(3).as_bytes(), 1).unwrap(),
    );
    for (file, results, count) in [
        ("a.jsonl.gz", "a.results.jsonl", 2),
        ("b.jsonl.zst", "b.results.jsonl", 3),
    ] {
        stage.run(&format!("run {file}")).with(0);
        assert_eq!(stage.lines(results).len(), count);
    }
}

#[test]
fn a_second_run_says_who_works_and_stops() {
    let stage = Stage::with(Script {
        decode_rate: Some(1.0),
        ..Script::default()
    });
    stage.write("b.jsonl", batch(2));
    let first = stage.start("run b.jsonl");
    crate::support::until("it works", || (!stage.asked().is_empty()).then_some(()));
    for command in ["run b.jsonl", "work"] {
        stage
            .run(command)
            .with(2)
            .saying(&format!("process {} works the queue", first.id()))
            .saying("hint:");
    }
    first.kill();
    assert_eq!(
        stage.rows(1)["r1"].0,
        RequestState::Claimed,
        "the first goes on"
    );
}

#[test]
fn failures_are_asked_again_by_retry_and_the_same_command() {
    let stage = Stage::failing([marked("r2", refusal()), marked("r3", broken())]);
    let outcome = stage.work_off(&batch(4), "--retries 0");
    outcome.finished.with(1).saying("batchtop retry 1");
    assert_eq!(outcome.errors.len(), 2);
    stage
        .run("retry 1 --class refused")
        .with(0)
        .printing("1 requests are queued again");
    stage.play(Script::instant());
    let outcome = stage.work_off(&batch(4), "--retries 0");
    outcome.finished.with(1);
    assert_eq!(ids(&outcome.answers), ["r1", "r2", "r4"]);
    assert_eq!(ids(&outcome.errors), ["r3"]);
    stage.run("retry b.jsonl").with(0);
    let outcome = stage.work_off(&batch(4), "--retries 0");
    outcome.finished.with(0);
    assert_eq!(outcome.answers.len(), 4);
    assert!(!stage.path("b.errors.jsonl").exists());
    let attempts = &row(&outcome.answers, "r3")["response"]["body"]["batchtop"]["attempts"];
    assert_eq!(attempts, 2);
}

fn broken() -> Action {
    Action::Error {
        status: 500,
        text: "boom".to_owned(),
    }
}

#[test]
fn results_that_cannot_be_written_are_safe_in_the_queue() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(2));
    stage
        .run("run b.jsonl -o no/such/folder.jsonl")
        .with(2)
        .saying("no/such/folder.jsonl")
        .saying("batchtop export");
    stage.run("export 1 -o out.jsonl").with(0);
    assert_eq!(stage.lines("out.jsonl").len(), 2);
}

#[test]
fn files_that_are_no_batch_files_are_named() {
    let stage = Stage::new();
    std::fs::create_dir(stage.path("folder")).unwrap();
    for (file, words) in [("missing.jsonl", "missing.jsonl"), ("folder", "folder")] {
        stage
            .run(&format!("run {file}"))
            .with(2)
            .saying("error:")
            .saying(words);
    }
}

#[test]
fn a_machine_without_certificates_speaks_to_its_own_server() {
    let stage = Stage::new()
        .set("SSL_CERT_FILE", "/nonexistent")
        .set("SSL_CERT_DIR", "/nonexistent");
    let outcome = stage.work_off(&batch(1), "");
    outcome.finished.with(0);
    assert_eq!(outcome.answers.len(), 1);
}
