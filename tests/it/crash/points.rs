//! Killed at each kind of commit, before and after it.

use batchtop::simulator::{Action, Script};
use rstest::rstest;
use serde_json::Value;

use super::{COMMAND, Trial, script};
use crate::support::{Signal, marked, times};

/// Requests of a trial; few, so that every kind of commit is there and little else.
const REQUESTS: usize = 24;
/// The request that fails however often it is tried.
const FAILED: &str = "r5";

/// Every kind of commit happens here: one request fails twice, another once.
pub(super) fn trial() -> Trial {
    let boom = |marker: &str, times: Option<u64>| {
        let action = Action::Error {
            status: 500,
            text: "boom".to_owned(),
        };
        let mut fault = marked(marker, action);
        fault.when.times = times;
        fault
    };
    let faults = vec![boom("r5 is", None), boom("r9 is", Some(1))];
    Trial::of(REQUESTS, Script { faults, ..script() })
}

#[rstest]
fn a_process_that_dies_at_a_commit_loses_nothing(
    #[values("before", "after")] side: &str,
    #[values(
        "migrate", "recover", "open", "admit", "close", "claim", "answer", "failure", "again",
        "state", "log"
    )]
    kind: &str,
) {
    let mut trial = trial();
    let point = format!("{side}:{kind}:1");
    let died = trial.start_until(COMMAND, &point).ends();
    assert_eq!(died.code, None, "{point} is not passed: {died:?}");
    trial.note();
    trial.start().ends().with(1);
    trial.judge(&[FAILED]);
}

#[rstest]
fn a_process_that_dies_one_commit_later_each_time_comes_to_its_end(
    #[values("before", "after")] side: &str,
) {
    let mut trial = trial();
    let mut points = 1..;
    let ended = loop {
        let point = format!("{side}:commit:{}", points.next().unwrap());
        let finished = trial.start_until(COMMAND, &point).ends();
        if finished.code.is_some() {
            break finished;
        }
        trial.note();
    };
    ended.with(1);
    assert!(trial.ends.len() > 5, "{} deaths", trial.ends.len());
    trial.judge(&[FAILED]);
}

/// Each commit of a whole run in a trial of its own. In the short form the first few.
#[rstest]
fn a_process_may_die_at_any_commit(#[values("before", "after")] side: &str) {
    for number in 1..=times(4, 1_000) {
        let mut trial = trial();
        let point = format!("{side}:commit:{number}");
        let finished = trial.start_until(COMMAND, &point).ends();
        if finished.code.is_some() {
            finished.with(1);
            trial.judge(&[FAILED]);
            break;
        }
        trial.note();
        trial.start().ends().with(1);
        trial.judge(&[FAILED]);
    }
}

#[rstest]
fn what_is_given_back_at_the_end_is_not_lost_by_dying_then(
    #[values("before", "after")] side: &str,
) {
    let mut trial = Trial::of(
        REQUESTS,
        Script {
            decode_rate: Some(0.1),
            ..script()
        },
    );
    let run = trial.start_until(COMMAND, &format!("{side}:release:1"));
    trial.progress(1);
    run.signal(Signal::Interrupt);
    run.says("may finish within");
    run.signal(Signal::Interrupt);
    assert_eq!(run.ends().code, None);
    trial.note();
    trial.stage.play(script());
    trial.start().ends().with(0);
    trial.judge(&[]);
}

#[rstest]
fn a_command_that_dies_can_be_given_again(#[values("before", "after")] side: &str) {
    let mut trial = trial();
    trial.start().ends().with(1);
    trial.stage.play(script());
    let died = trial.start_until("retry 1", &format!("{side}:retry:1"));
    assert_eq!(died.ends().code, None);
    trial.note();
    trial.stage.run("retry 1");
    trial.start().ends().with(0);
    trial.judge(&[]);
    let died = trial.start_until("remove 1 --yes", &format!("{side}:remove:1"));
    assert_eq!(died.ends().code, None);
    trial.stage.run("remove 1 --yes");
    assert!(trial.rows().is_empty());
}

#[test]
fn jobs_and_show_tell_what_a_killed_process_has_stored() {
    let mut trial = trial();
    let died = trial.start_until(COMMAND, "after:answer:3").ends();
    assert_eq!(died.code, None);
    trial.note();
    let done = trial.stored().len();
    let jobs = trial.stage.run("jobs --json").with(0).out;
    let jobs: Value = serde_json::from_str(&jobs).unwrap();
    assert_eq!(jobs[0]["done"], done);
    // It cannot have said that it runs no more.
    trial.stage.run("jobs").with(0).printing(" queued ");
    let answered = format!("answered   {done} (");
    let shown = trial.stage.run("show 1").with(0).printing(&answered);
    shown.printing("state      queued");
    trial.start().ends().with(1);
    trial
        .stage
        .run("show 1")
        .with(0)
        .printing("state      done");
    trial.judge(&[FAILED]);
}

#[test]
fn a_point_that_does_not_exist_is_refused() {
    let trial = trial();
    let finished = trial.start_until(COMMAND, "some day").ends();
    finished.with(2).saying("`some day` is no point to end at");
}
