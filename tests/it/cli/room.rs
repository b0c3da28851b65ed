//! A disk that is full, in every phase of a run.
//!
//! A limit on the size of files stands for the disk. It is set and lifted from outside at moments
//! that the test knows, so that nothing depends on how many writes fit or how fast they are.

use std::collections::BTreeSet;

use batchtop::model::RequestState;
use batchtop::simulator::{Answers, Length, Script};
use batchtop::store::Reader;

use crate::support::{Finished, Room, Running, Signal, Stage, batch, times, until};

/// Answers that take half a second each: with four lanes, this many take most of a minute.
const REQUESTS: usize = 400;
const ANSWER_TOKENS: u64 = 10;

/// The program, deaf to the signal that comes with a full disk, behind what the shell does first.
fn behind(stage: &Stage, first: &str, arguments: &str) -> Running {
    let mut shell = stage.process("/bin/sh");
    let script = format!("trap '' XFSZ; {first} exec \"$B\" {arguments}");
    shell.args(["-c", &script]).env("B", Stage::binary());
    Running::start(&mut shell, b"")
}

/// The program from its start to its end with files of at most so many blocks of 512 bytes.
fn without_room(stage: &Stage, blocks: u32, arguments: &str) -> Finished {
    behind(stage, &format!("ulimit -f {blocks};"), arguments).ends()
}

/// The requests of the newest job whose answers are stored.
fn stored(stage: &Stage) -> BTreeSet<String> {
    let reader = Reader::open(&stage.data()).unwrap();
    let jobs = reader.map(|reader| reader.jobs().unwrap());
    let Some(job) = jobs.and_then(|jobs| jobs.into_iter().map(|job| job.id.0).max()) else {
        return BTreeSet::new();
    };
    let rows = stage.rows(job).into_iter();
    rows.filter(|(_, (state, _))| *state == RequestState::Done)
        .map(|(id, _)| id)
        .collect()
}

/// A stage whose queue is being worked off slowly, and the process that does it.
fn at_work() -> (Stage, Running) {
    let stage = Stage::with(Script {
        slots: 4,
        decode_rate: Some(20.0),
        answers: Answers {
            tokens: Length::Fixed(ANSWER_TOKENS),
            ..Answers::default()
        },
        marker_prefix: Some("r".to_owned()),
        ..Script::default()
    })
    .set("BATCHTOP_PROGRESS_EVERY", "100ms")
    .set("BATCHTOP_DRAIN", "200ms");
    stage.write("b.jsonl", batch(REQUESTS));
    stage.run("enqueue b.jsonl --parallel 4").with(0);
    let work = behind(&stage, "", "work");
    until("an answer is stored", || {
        (!stored(&stage).is_empty()).then_some(())
    });
    (stage, work)
}

fn instant() -> Script {
    Script {
        marker_prefix: Some("r".to_owned()),
        ..Script::instant()
    }
}

#[test]
fn a_full_disk_is_told_where_the_queue_is_to_be_made() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(3));
    for command in ["run b.jsonl", "enqueue b.jsonl", "work"] {
        let finished = without_room(&stage, 0, command).with(2);
        finished.saying("data").saying("free some room");
    }
    assert!(stage.asked().is_empty());
    stage.run("run b.jsonl").with(0);
}

#[test]
fn a_full_disk_stops_a_file_from_coming_in_and_leaves_nothing_of_it() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(3_000));
    without_room(&stage, 400, "enqueue b.jsonl")
        .with(2)
        .saying("no room is left")
        .saying("free some room");
    stage.run("enqueue b.jsonl").with(0);
    let jobs = stage.run("jobs --json").with(0).out;
    let jobs: serde_json::Value = serde_json::from_str(&jobs).unwrap();
    assert_eq!(jobs.as_array().unwrap().len(), 1, "{jobs}");
    assert_eq!(jobs[0]["total"], 3_000);
}

#[test]
fn nothing_is_sent_that_could_not_be_marked_as_sent() {
    let stage = Stage::new().set("BATCHTOP_PROGRESS_EVERY", "100ms");
    stage.write("b.jsonl", batch(3));
    stage.run("enqueue b.jsonl").with(0);
    stage.server_goes();
    let work = behind(&stage, "", "work");
    work.says("server down for");
    work.give_room(Room::None);
    stage.server_returns();
    work.says("no room is left");
    assert!(stage.asked().is_empty());
    work.give_room(Room::Enough);
    work.ends().with(0);
    assert_eq!(stored(&stage).len(), 3);
    assert_eq!(stage.asked().len(), 3);
}

#[test]
fn a_disk_that_is_full_in_the_run_is_waited_for_and_the_run_goes_on_by_itself() {
    let (stage, work) = at_work();
    work.give_room(Room::None);
    work.says("no room is left");
    work.says("free some room");
    assert!(stored(&stage).len() < REQUESTS);
    stage.play(instant());
    work.give_room(Room::Enough);
    work.ends().with(0);
    assert_eq!(stored(&stage).len(), REQUESTS);
    assert_eq!(stage.asked().len(), REQUESTS, "nothing was asked twice");
}

#[test]
fn a_run_can_be_ended_while_the_disk_is_full_and_what_was_stored_is_not_asked_again() {
    let (stage, work) = at_work();
    work.give_room(Room::None);
    work.says("no room is left");
    work.signal(Signal::Interrupt);
    work.ends().with(130);
    let before = stored(&stage);
    assert!((1..REQUESTS).contains(&before.len()), "{}", before.len());
    let seen = stage.asked().len();
    stage.play(instant());
    stage.run("work").with(0);
    assert_eq!(stored(&stage).len(), REQUESTS);
    for entry in stage.asked().split_off(seen) {
        let marker = entry.marker.unwrap_or_default();
        assert!(!before.contains(&marker), "{marker} was stored");
    }
}

/// So much room is enough for a whole run of the batch below, in blocks.
const PLENTY: usize = 1_500;

#[test]
fn wherever_room_ends_nothing_is_lost_and_the_run_goes_on_with_more() {
    let stage = Stage::with(instant())
        .set("BATCHTOP_PROGRESS_EVERY", "100ms")
        .set("BATCHTOP_DRAIN", "200ms");
    stage.write("b.jsonl", batch(REQUESTS));
    let steps = times(8, 100);
    for step in 0..steps {
        let (before, seen) = (stored(&stage), stage.asked().len());
        let room = format!("ulimit -f {};", PLENTY * step / steps);
        let run = behind(&stage, &room, "run b.jsonl --parallel 4");
        let told = [
            "no room is left",
            "the answers are safe in the queue",
            " is done: ",
        ];
        let heard = run.says_one_of(&told);
        // What waits for room waits until it is asked to end. The others are about to end anyway.
        run.signal(Signal::Interrupt);
        let finished = run.ends();
        assert!(!finished.err.contains("panicked"), "{finished:?}");
        for entry in stage.asked().split_off(seen) {
            let marker = entry.marker.unwrap_or_default();
            assert!(!before.contains(&marker), "{marker} was stored; {heard}");
        }
        assert!(before.is_subset(&stored(&stage)), "{heard}");
    }
    let outcome = stage.outcome(stage.run("run b.jsonl --parallel 4").with(0));
    assert_eq!((outcome.answers.len(), outcome.errors.len()), (REQUESTS, 0));
}

#[test]
fn a_full_disk_leaves_no_half_of_a_result_file_and_the_answers_are_still_there() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(200));
    stage.run("run b.jsonl").with(0);
    let answers = stage.read("b.results.jsonl");
    let names = || {
        let entries = std::fs::read_dir(stage.path("")).unwrap();
        let names = entries.map(|entry| entry.unwrap().file_name());
        names.collect::<BTreeSet<_>>()
    };
    let before = names();
    for command in ["run b.jsonl", "export 1 -o new.jsonl"] {
        // Room for the index of the log that a reader needs, and for no answers.
        without_room(&stage, 64, command)
            .with(2)
            .saying("cannot write")
            .saying("the answers are safe in the queue");
    }
    assert_eq!(names(), before);
    assert_eq!(stage.read("b.results.jsonl"), answers);
    stage.run("export 1 -o new.jsonl").with(0);
    assert_eq!(stage.read("new.jsonl"), answers);
}
