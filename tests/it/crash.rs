//! The plug is pulled twenty times in the middle of a run, and still every request has its one end.

use std::collections::BTreeSet;
use std::time::Duration;

use batchtop::model::{JobState, RequestState};
use batchtop::simulator::{Answers, Length, LogEntry, Script};
use batchtop::store::Reader;

use crate::support::{Rows, Stage, batch, until};

const REQUESTS: usize = 400;
const KILLS: usize = 20;
const COMMAND: &str = "run b.jsonl --parallel 8";

/// What was known when a process was killed.
struct Kill {
    /// Requests that the server had seen.
    seen: usize,
    /// Requests whose answers were on disk.
    stored: BTreeSet<String>,
}

/// Draws the moments, the same ones every time (Knuth's MMIX generator).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

fn stage() -> Stage {
    Stage::with(Script {
        slots: 8,
        decode_rate: Some(1_000.0),
        answers: Answers {
            tokens: Length::Between { min: 4, max: 24 },
            ..Answers::default()
        },
        marker_prefix: Some("r".to_owned()),
        ..Script::default()
    })
}

/// The one job that the queue holds; one that was killed while it was read may lie beside it.
fn job(stage: &Stage) -> Option<i64> {
    let reader = Reader::open(&stage.data()).unwrap()?;
    let jobs = reader.jobs().unwrap().into_iter();
    let mut read = jobs.filter(|job| job.state != JobState::Reading);
    let job = read.next()?;
    assert!(read.next().is_none(), "the same command is the same job");
    Some(job.id.0)
}

/// The requests whose answers are stored.
fn stored(stage: &Stage) -> BTreeSet<String> {
    let rows = job(stage).map_or_else(Rows::new, |job| stage.rows(job));
    rows.into_iter()
        .filter(|(_, (state, _))| *state == RequestState::Done)
        .map(|(id, _)| id)
        .collect()
}

/// Starts the command and kills it at a random moment: after so many more requests, or so many
/// milliseconds after its start, when it reads, opens or has just begun.
fn start_and_kill(stage: &Stage, dice: &mut Dice, number: usize) -> Kill {
    let run = stage.start(COMMAND);
    if number.is_multiple_of(3) {
        // The moment itself is what is drawn; nothing is waited for.
        std::thread::sleep(Duration::from_millis(dice.below(120)));
    } else {
        let enough = stage.asked().len() + 1 + dice.below(30) as usize;
        until("so many more requests", || {
            (stage.asked().len() >= enough).then_some(())
        });
    }
    run.kill();
    Kill {
        seen: stage.asked().len(),
        stored: stored(stage),
    }
}

fn marker(entry: &LogEntry) -> &str {
    entry.marker.as_deref().unwrap_or_default()
}

#[test]
fn nothing_is_lost_or_asked_twice_however_often_the_process_is_killed() {
    let stage = stage();
    stage.write("b.jsonl", batch(REQUESTS));
    let mut dice = Dice(20_261_121);
    let kills: Vec<Kill> = (0..KILLS)
        .map(|number| start_and_kill(&stage, &mut dice, number))
        .collect();
    let outcome = stage.outcome(stage.run(COMMAND).with(0));
    assert!(outcome.errors.is_empty(), "{:?}", outcome.errors);
    let answered: Vec<&str> = outcome
        .answers
        .iter()
        .map(|line| line["custom_id"].as_str().unwrap())
        .collect();
    let expected: Vec<String> = (1..=REQUESTS).map(|number| format!("r{number}")).collect();
    assert_eq!(answered, expected, "each once, in the order of the input");
    assert_eq!(stored(&stage).len(), REQUESTS);
    let log = stage.asked();
    for (number, kill) in kills.iter().enumerate() {
        for entry in &log[kill.seen..] {
            assert!(
                !kill.stored.contains(marker(entry)),
                "{} was stored at kill {number} and asked again",
                marker(entry)
            );
        }
    }
    let before: usize = kills.last().map_or(0, |kill| kill.stored.len());
    assert!(
        (20..REQUESTS).contains(&before),
        "the kills must hit the middle of the run, not {before} of {REQUESTS}"
    );
    let asked: BTreeSet<&str> = log.iter().map(marker).collect();
    assert_eq!(asked.len(), REQUESTS, "the server is the witness");
}

#[test]
fn a_kill_counts_the_attempt_that_it_cut_short() {
    let stage = Stage::with(Script {
        decode_rate: Some(1.0),
        ..Script::default()
    });
    stage.write("b.jsonl", batch(1));
    let run = stage.start("run b.jsonl");
    until("the request is sent", || {
        (stage.asked().len() == 1).then_some(())
    });
    run.kill();
    stage.play(Script::default());
    let outcome = stage.outcome(stage.run("run b.jsonl").with(0));
    assert_eq!(
        outcome.answers[0]["response"]["body"]["batchtop"]["attempts"],
        2
    );
}
