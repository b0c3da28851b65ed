//! Folders that cannot be written, and databases of another kind.

use std::path::Path;

use batchtop::model::RequestState;
use batchtop::simulator::Script;

use crate::support::{PATIENCE, Stage, batch, until};

const QUEUE: &str = "data/queue.db";

/// A stage whose queue holds a job that waits.
fn with_a_queue() -> Stage {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(3));
    stage.run("enqueue b.jsonl").with(0);
    stage
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(1));
    stage.write("file", "no folder");
    for command in ["run b.jsonl", "enqueue b.jsonl", "work"] {
        stage
            .run(&format!("{command} --data-dir file/data"))
            .with(2)
            .saying("file/data")
            .saying("--data-dir");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_in_which_nobody_may_write_is_named() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(1));
    // Not even root may make a file there.
    for command in ["run b.jsonl", "enqueue b.jsonl", "work"] {
        stage
            .run(&format!("{command} --data-dir /proc/self"))
            .with(2)
            .saying("`/proc/self/owner.lock`")
            .saying("--data-dir");
    }
    assert!(stage.asked().is_empty());
}

/// Whether this user may write everywhere, as root may, so that permissions keep nobody out.
fn may_write(folder: &Path) -> bool {
    std::fs::write(folder.join("probe"), "").is_ok()
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written_can_still_be_read() {
    use std::os::unix::fs::PermissionsExt;
    let stage = with_a_queue();
    let permit = |mode| {
        std::fs::set_permissions(stage.data(), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    permit(0o500);
    let open_to_all = may_write(&stage.data());
    let jobs = stage.run("jobs");
    let run = stage.run("run b.jsonl");
    permit(0o700);
    jobs.with(0).printing("b.jsonl");
    if !open_to_all {
        run.with(2).saying("hint:").saying("--data-dir");
    }
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let stage = with_a_queue();
    let database = rusqlite::Connection::open(stage.path(QUEUE)).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let before = std::fs::read(stage.path(QUEUE)).unwrap();
    for command in ["jobs", "run b.jsonl", "work", "export 1 -o -", "pause 1"] {
        stage
            .run(command)
            .with(2)
            .saying("format 99")
            .saying("newer batchtop");
    }
    stage.run("doctor").with(2).printing("format 99");
    assert_eq!(std::fs::read(stage.path(QUEUE)).unwrap(), before);
}

#[test]
fn a_damaged_database_is_left_alone() {
    let stage = with_a_queue();
    let mut bytes = std::fs::read(stage.path(QUEUE)).unwrap();
    bytes[..200].fill(b'x');
    stage.write(QUEUE, &bytes);
    for command in ["jobs", "run b.jsonl", "work", "show 1"] {
        stage
            .run(command)
            .with(2)
            .saying("damaged or is no database")
            .saying("backup");
    }
    assert_eq!(std::fs::read(stage.path(QUEUE)).unwrap(), bytes);
}

#[test]
fn a_database_damaged_within_makes_nothing_worse() {
    let stage = with_a_queue();
    let mut bytes = std::fs::read(stage.path(QUEUE)).unwrap();
    let page = 4096;
    bytes[page..page * 2].fill(0xff);
    stage.write(QUEUE, &bytes);
    let finished = stage.run("run b.jsonl");
    assert_eq!(finished.code, Some(2), "{finished:?}");
    assert!(!finished.err.contains("panic"), "{finished:?}");
}

#[test]
fn a_queue_that_was_killed_can_be_read_before_anybody_works_it_again() {
    let stage = Stage::with(Script {
        decode_rate: Some(1.0),
        ..Script::default()
    });
    stage.write("b.jsonl", batch(2));
    let run = stage.start("run b.jsonl");
    until("it works", || (!stage.asked().is_empty()).then_some(()));
    run.kill();
    stage.run("jobs").with(0).printing("b.jsonl");
    stage.run("pause 1").with(0).printing("is paused");
}

/// A stranger who may write and lets nobody else.
fn stranger(stage: &Stage) -> rusqlite::Connection {
    let stranger = rusqlite::Connection::open(stage.path(QUEUE)).unwrap();
    stranger.busy_timeout(PATIENCE).unwrap();
    stranger.execute_batch("BEGIN IMMEDIATE").unwrap();
    stranger
}

#[test]
fn a_database_that_a_stranger_holds_is_told_and_can_still_be_read() {
    let stage = with_a_queue();
    let stranger = stranger(&stage);
    stage.run("jobs").with(0).printing("b.jsonl");
    stage
        .run("work")
        .with(2)
        .saying("another program holds the database")
        .saying("close the other program");
    drop(stranger);
    stage.run("work").with(0);
}

#[test]
fn a_stranger_who_takes_the_database_in_the_run_is_waited_for() {
    let stage = Stage::with(Script {
        decode_rate: Some(20.0),
        ..Script::default()
    })
    .set("BATCHTOP_PROGRESS_EVERY", "100ms");
    stage.write("b.jsonl", batch(100));
    stage.run("enqueue b.jsonl").with(0);
    let work = stage.start("work");
    until("it works", || (!stage.asked().is_empty()).then_some(()));
    let stranger = stranger(&stage);
    work.says("another program holds the database");
    stage.play(Script::instant());
    drop(stranger);
    work.ends().with(0);
    let rows = stage.rows(1);
    assert!(rows.values().all(|(state, _)| *state == RequestState::Done));
    assert_eq!(stage.asked().len(), rows.len(), "nothing was asked twice");
}
