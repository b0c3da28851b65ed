//! A database that a power cut, a bad disk or a wrong clock has left behind.

use std::collections::BTreeSet;

use batchtop::model::RequestState;
use batchtop::simulator::{Answers, Length, Script};
use rstest::rstest;

use crate::support::{Finished, Stage, batch, until};

const QUEUE: &str = "data/queue.db";
const LOG: &str = "data/queue.db-wal";
const PAGE: usize = 4096;
const REQUESTS: usize = 40;

/// A stage whose one job is done, the bytes of its queue, and what an export of it prints.
fn finished() -> (Stage, Vec<u8>, String) {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(REQUESTS));
    stage.run("run b.jsonl --parallel 4").with(0);
    let bytes = std::fs::read(stage.path(QUEUE)).unwrap();
    let answers = stage.run("export 1 -o -").with(0).out;
    (stage, bytes, answers)
}

/// It did what it could, or says what is wrong and what to do; it never panics.
fn is_clear(finished: &Finished) {
    let is_told = finished.err.contains("error:") && finished.err.contains("hint:");
    let has_ended_well = matches!(finished.code, Some(0 | 1));
    assert!(
        (has_ended_well || (finished.code == Some(2) && is_told))
            && !finished.err.contains("panicked"),
        "{finished:?}"
    );
}

/// Tries all that can be done with a queue in this state, and that an export is right or refused.
fn try_everything(stage: &Stage, answers: &str, what: &str) {
    let exported = stage.run("export 1 -o -");
    is_clear(&exported);
    if exported.code == Some(0) {
        assert_eq!(exported.out, answers, "{what} shows in the answers only");
    }
    for command in ["jobs", "work"] {
        is_clear(&stage.run(command));
    }
}

fn without_log(stage: &Stage) {
    for name in [LOG, "data/queue.db-shm"] {
        // Where it is missing, that is what is wanted.
        let _ = std::fs::remove_file(stage.path(name));
    }
}

#[test]
fn a_damaged_page_is_told_and_the_answers_are_right_or_refused() {
    let (stage, bytes, answers) = finished();
    for page in 0..bytes.len() / PAGE {
        let mut damaged = bytes.clone();
        damaged[page * PAGE..(page + 1) * PAGE].fill(0xff);
        without_log(&stage);
        stage.write(QUEUE, &damaged);
        try_everything(&stage, &answers, &format!("page {page}"));
    }
    without_log(&stage);
    stage.write(QUEUE, &bytes);
    assert_eq!(stage.run("export 1 -o -").with(0).out, answers);
}

#[test]
fn a_file_that_was_cut_off_is_told_and_the_answers_are_right_or_refused() {
    let (stage, bytes, answers) = finished();
    for eighth in 1..8 {
        let length = bytes.len() * eighth / 8;
        for length in [length, length / PAGE * PAGE] {
            without_log(&stage);
            stage.write(QUEUE, &bytes[..length]);
            try_everything(&stage, &answers, &format!("a cut at {length}"));
        }
    }
}

/// A stage whose process was killed in the middle of its work, with its log left behind.
fn killed() -> (Stage, BTreeSet<String>) {
    let stage = Stage::with(Script {
        slots: 4,
        decode_rate: Some(200.0),
        answers: Answers {
            tokens: Length::Fixed(4),
            ..Answers::default()
        },
        marker_prefix: Some("r".to_owned()),
        ..Script::default()
    });
    stage.write("b.jsonl", batch(200));
    let run = stage.start("run b.jsonl --parallel 4");
    until("some are stored", || {
        (stage.data().join("owner.json").exists() && stored(&stage).len() > 8).then_some(())
    });
    run.kill();
    let stored = stored(&stage);
    stage.play(Script {
        marker_prefix: Some("r".to_owned()),
        ..Script::instant()
    });
    (stage, stored)
}

fn stored(stage: &Stage) -> BTreeSet<String> {
    let rows = stage.rows(1).into_iter();
    rows.filter(|(_, (state, _))| *state == RequestState::Done)
        .map(|(id, _)| id)
        .collect()
}

#[test]
fn a_log_that_was_left_behind_is_read_also_without_its_index() {
    let (stage, stored) = killed();
    assert!(stage.path(LOG).metadata().unwrap().len() > 0);
    std::fs::remove_file(stage.path("data/queue.db-shm")).unwrap();
    let seen = stage.asked().len();
    let outcome = stage.outcome(stage.run("run b.jsonl --parallel 4").with(0));
    assert_eq!(outcome.answers.len(), 200);
    for entry in stage.asked().split_off(seen) {
        let marker = entry.marker.unwrap_or_default();
        assert!(!stored.contains(&marker), "{marker} was stored");
    }
}

/// What was not yet on disk when the power went may be lost; the rest is a queue that goes on.
#[rstest]
#[case(3, 4)]
#[case(1, 2)]
#[case(1, 5)]
fn a_log_that_was_cut_off_loses_its_end_and_nothing_else(
    #[case] part: usize,
    #[case] parts: usize,
) {
    let (stage, before) = killed();
    let log = std::fs::read(stage.path(LOG)).unwrap();
    without_log(&stage);
    stage.write(LOG, &log[..log.len() * part / parts]);
    assert!(stored(&stage).is_subset(&before));
    let outcome = stage.outcome(stage.run("run b.jsonl --parallel 4").with(0));
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (200, 0));
}

#[test]
fn a_clock_that_was_set_back_stops_nothing() {
    let (stage, before) = killed();
    let database = rusqlite::Connection::open(stage.path(QUEUE)).unwrap();
    let year = 365 * 24 * 3600 * 1000_i64;
    database
        .execute_batch(&format!(
            "UPDATE job SET created = created + {year}, started = started + {year};
             UPDATE outcome SET at = at + {year};
             UPDATE event SET at = at + {year};"
        ))
        .unwrap();
    drop(database);
    let outcome = stage.outcome(stage.run("run b.jsonl --parallel 4").with(0));
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (200, 0));
    // How long it took, nobody knows.
    outcome.finished.saying("200 of 200 answered, 0 failed;");
    assert!(before.is_subset(&stored(&stage)));
    for command in [
        "jobs",
        "show 1",
        "jobs --json",
        "export 1 --order finished -o -",
    ] {
        stage.run(command).with(0);
    }
}
