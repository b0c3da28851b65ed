//! Killed at random moments.

use batchtop::simulator::Script;

use super::{COMMAND, Trial, script};
use crate::support::{Dice, Stage, batch, seed, times, until};

#[test]
fn nothing_is_lost_or_asked_twice_however_often_the_process_is_killed() {
    let kills = times(20, 100);
    let mut trial = Trial::of(kills * 20, script());
    let mut dice = Dice::new(seed(20_261_121));
    for number in 0..kills {
        if number % 4 == 0 {
            // While it opens, reads or has just begun, when the server sees nothing of it.
            let point = format!("before:commit:{}", 1 + dice.below(12));
            assert_eq!(trial.start_until(COMMAND, &point).ends().code, None);
        } else {
            let run = trial.start();
            trial.progress(1 + dice.below(20));
            run.kill();
        }
        trial.note();
    }
    let before = trial.ends.last().unwrap().stored.len();
    assert!(
        (kills..trial.requests).contains(&before),
        "the kills must hit the middle of the run, not {before} of {}",
        trial.requests
    );
    trial.start().ends().with(0);
    trial.judge(&[]);
}

#[test]
fn a_kill_while_results_are_written_leaves_no_half_of_a_file() {
    let mut trial = Trial::of(3_000, Script::instant());
    trial.stage.play(Script {
        slots: 8,
        marker_prefix: Some("r".to_owned()),
        ..Script::instant()
    });
    let partial = || {
        let names = std::fs::read_dir(trial.stage.path("")).unwrap();
        names
            .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
            .any(|name| name.contains(".part"))
    };
    let results = trial.stage.path("b.results.jsonl");
    let run = loop {
        let run = trial.start();
        let is_caught = until("results are being written", || {
            let seen = (partial(), results.exists());
            (seen.0 || seen.1).then_some(seen.0)
        });
        if is_caught {
            break run;
        }
        // Nobody looked while it wrote them: it is to write them once more.
        run.ends().with(0);
        std::fs::remove_file(&results).unwrap();
    };
    run.kill();
    trial.note();
    let lines = trial.stage.lines("b.results.jsonl").len();
    assert!(lines == 0 || lines == trial.requests, "{lines} lines");
    trial.start().ends().with(0);
    trial.judge(&[]);
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
