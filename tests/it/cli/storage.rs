//! Folders that cannot be written, databases of another kind, a disk without room.

use std::path::Path;

use batchtop::model::RequestState;
use batchtop::simulator::Script;

use crate::support::{Running, Signal, Stage, batch, until};

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

/// The program with files of at most so many blocks of 512 bytes, as on a disk that is full.
fn without_room(stage: &Stage, blocks: u32, arguments: &str) -> Running {
    let mut shell = stage.process("/bin/sh");
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$B\" {arguments}");
    shell.args(["-c", &script]).env("B", Stage::binary());
    Running::start(&mut shell, b"")
}

#[test]
fn a_full_disk_stops_a_file_from_coming_in_and_leaves_nothing_of_it() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(3_000));
    without_room(&stage, 400, "enqueue b.jsonl")
        .ends()
        .with(2)
        .saying("no room is left")
        .saying("free some room");
    stage.run("enqueue b.jsonl").with(0);
    let jobs = stage.run("jobs --json").with(0).out;
    let jobs: serde_json::Value = serde_json::from_str(&jobs).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 1, "{jobs}");
    assert_eq!(jobs[0]["counts"]["total"], 3_000);
}

#[test]
fn a_disk_that_is_full_in_the_run_is_waited_for_and_loses_nothing() {
    let stage = Stage::with(Script::instant())
        .set("BATCHTOP_PROGRESS_EVERY", "100ms")
        .set("BATCHTOP_DRAIN", "200ms");
    stage.write("b.jsonl", batch(300));
    stage.run("enqueue b.jsonl --parallel 4").with(0);
    let work = without_room(&stage, 160, "work");
    work.says("no room is left");
    work.signal(Signal::Interrupt);
    work.ends().with(130);
    let stored: Vec<String> = stage
        .rows(1)
        .into_iter()
        .filter(|(_, (state, _))| *state == RequestState::Done)
        .map(|(id, _)| id)
        .collect();
    assert!(
        (1..300).contains(&stored.len()),
        "{} are stored",
        stored.len()
    );
    let seen = stage.asked().len();
    stage.run("work").with(0);
    let rows = stage.rows(1);
    assert_eq!(rows.len(), 300);
    assert!(rows.values().all(|(state, _)| *state == RequestState::Done));
    let again = stage.asked().split_off(seen);
    for id in &stored {
        let is_it = |entry: &&batchtop::simulator::LogEntry| {
            entry.marker.as_deref() == Some(&format!("{id} is a number"))
        };
        assert_eq!(again.iter().filter(is_it).count(), 0, "{id} was stored");
    }
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
