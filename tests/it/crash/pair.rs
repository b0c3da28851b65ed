//! Two processes that want the same queue at the same moment.

use super::{Trial, script};
use crate::support::{Dice, Finished, batch, seed, times};

/// One of two that started at the same moment: it did the work, or it says why not.
fn did_its_part(finished: Finished, refusals: &[&str]) -> bool {
    if finished.code == Some(0) {
        return true;
    }
    let finished = finished.with(2).saying("hint:");
    let is_told = refusals.iter().any(|why| finished.err.contains(why));
    assert!(is_told, "none of {refusals:?} in {finished:?}");
    false
}

#[test]
fn two_that_start_at_once_never_both_work_and_never_ask_twice() {
    let rounds = times(6, 30);
    let mut trial = Trial::of(rounds * 40, script());
    let mut dice = Dice::new(seed(1_905));
    for _ in 0..rounds {
        let both = [trial.start(), trial.start()];
        trial.progress(1 + dice.below(20));
        for one in both {
            one.kill();
        }
        trial.note();
    }
    let both = [trial.start(), trial.start()];
    let ended = both.map(|one| did_its_part(one.ends(), &["works the queue"]));
    assert!(ended.contains(&true));
    trial.judge(&[]);
}

#[test]
fn a_file_that_is_enqueued_at_once_with_another_is_there_when_it_is_said_to_be() {
    let trial = Trial::of(3, script());
    trial.stage.write("c.jsonl", batch(5));
    let both = ["enqueue b.jsonl", "enqueue c.jsonl"].map(|it| trial.stage.start(it));
    // A crowded machine may take so long over the end of one that the other one gives up.
    let ended = both.map(|one| did_its_part(one.ends(), &["works the queue"]));
    assert!(ended.contains(&true));
    let jobs = trial.reader().unwrap().jobs().unwrap();
    let there: Vec<u64> = jobs.iter().map(|job| job.counts.total).collect();
    for (total, went_well) in [3, 5].into_iter().zip(ended) {
        assert!(!went_well || there.contains(&total), "{there:?}");
    }
}
