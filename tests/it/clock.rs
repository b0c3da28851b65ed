//! The clock on the wall is set while a run goes on. It decides nothing and measures nothing; only
//! what is told to people follows it. (Hours of the guard are meant by it, see the scenarios.)

use std::time::Duration;

use batchtop::model::{Command, FailureClass, JobId, JobSettings, Parallel};
use proptest::prelude::*;
use rstest::rstest;

use crate::world::{World, job, seconds};

/// Milliseconds.
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// A run in which everything happens that takes time: retries, an outage, a full disk, a pause.
/// The clock is set at these seconds by so many milliseconds.
fn run(jumps: &[(f64, i64)]) -> World {
    let settings = JobSettings {
        parallel: Parallel::Fixed(4),
        ..JobSettings::default()
    };
    let mut world = World::new(vec![job(1, 300, settings.clone()), job(2, 100, settings)]);
    world.latency = Duration::from_millis(500);
    world.spread = 0.8;
    world.policy = Box::new(|number, sent| match (number % 13, sent) {
        (3, 1 | 2) => Err(FailureClass::ServerError),
        (5, 1) => Err(FailureClass::Busy),
        (7, 1) => Err(FailureClass::Timeout),
        _ => Ok(()),
    });
    world.outages.push((seconds(20.0), seconds(400.0)));
    world.trouble(410.0, 430.0);
    world.command(5.0, 1, Command::Pause { job: JobId(1) });
    world.command(440.0, 2, Command::Resume { job: JobId(1) });
    world.jumps = jumps.iter().map(|(at, by)| (seconds(*at), *by)).collect();
    world.run();
    world.assert_all_ended();
    world
}

/// How the clock was set at this time of the run.
fn set_by(jumps: &[(f64, i64)], stamp: i64) -> bool {
    let mut set = 0;
    let mut possible = vec![0];
    for (_, by) in jumps {
        set += by;
        possible.push(set);
    }
    possible.contains(&stamp)
}

/// The same run with another clock on the wall.
fn assert_same(jumps: &[(f64, i64)]) {
    let (still, jumped) = (run(&[]), run(jumps));
    assert_eq!(jumped.now, still.now, "it took as long");
    assert_eq!(jumped.order, still.order);
    assert_eq!(jumped.sent, still.sent);
    assert_eq!(
        format!("{:?}", jumped.ends),
        format!("{:?}", still.ends),
        "and came to the same ends"
    );
    assert_eq!(jumped.events.len(), still.events.len());
    for (there, here) in jumped.events.iter().zip(&still.events) {
        assert_eq!((there.kind, &there.text), (here.kind, &here.text));
        let by = there.at.0 - here.at.0;
        assert!(set_by(jumps, by), "{} is told {by} ms off", there.text);
    }
    let ran = |world: &World| -> Vec<Duration> {
        let overview = world.core.overview(world.now);
        overview.jobs.iter().map(|(_, ran)| *ran).collect()
    };
    assert_eq!(ran(&jumped), ran(&still), "by the stopwatch");
}

#[rstest]
#[case::back(&[(15.0, -HOUR)])]
#[case::forth(&[(15.0, DAY)])]
#[case::back_and_forth(&[(2.0, -HOUR), (30.0, 2 * HOUR), (405.0, -DAY), (420.0, 300 * DAY), (450.0, -DAY)])]
#[case::before_all_time(&[(15.0, i64::MIN / 2)])]
fn a_clock_that_is_set_changes_what_is_told_and_nothing_else(#[case] jumps: &[(f64, i64)]) {
    assert_same(jumps);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn however_a_clock_jumps_the_run_is_the_same(
        jumps in prop::collection::vec((0.0f64..500.0, -400 * DAY..400 * DAY), 1..6),
    ) {
        let mut jumps = jumps;
        jumps.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert_same(&jumps);
    }
}
