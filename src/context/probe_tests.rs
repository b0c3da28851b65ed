use proptest::prelude::*;

use super::*;

const REACH: Reach = Reach {
    window: 131_072,
    lanes: 16,
};

fn step(trial: Trial, stop: Option<Stop>) -> Step {
    Step {
        trial,
        stop,
        figures: Figures::default(),
    }
}

/// Searches on a server with this window and so many slots.
fn search(reach: Reach, window: u32, slots: u32) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(trial) = reach.next(&steps) {
        let stop = if trial.window > window {
            Some(Stop::OutOfMemory {
                message: "no room".to_owned(),
            })
        } else {
            (trial.lanes > slots).then_some(Stop::FewerSlots { slots })
        };
        steps.push(step(trial, stop));
    }
    steps
}

fn windows(steps: &[Step]) -> Vec<u32> {
    let alone = steps.iter().filter(|step| step.trial.lanes == 1);
    alone.map(|step| step.trial.window).collect()
}

#[test]
fn it_doubles_then_bisects() {
    let steps = search(REACH, 20_000, 3);
    assert_eq!(windows(&steps)[..5], [4_096, 8_192, 16_384, 32_768, 24_576]);
    let lanes: Vec<u32> = steps.iter().map(|step| step.trial.lanes).collect();
    assert_eq!(lanes[lanes.len() - 3..], [2, 4, 3]);
    let found = Recommendation::of(&steps).unwrap();
    assert_eq!((found.largest, found.lanes), (19_968, 3));
    assert_eq!(found.window, 17_920);
}

#[test]
fn a_server_that_bears_all_that_was_asked_for_is_not_held_back() {
    let reach = Reach {
        window: 10_000,
        lanes: 3,
    };
    let steps = search(reach, u32::MAX, 64);
    assert_eq!(windows(&steps), [4_096, 8_192, 10_000]);
    let found = Recommendation::of(&steps).unwrap();
    assert_eq!((found.window, found.lanes), (10_000, 3));
}

#[test]
fn a_window_that_the_server_caps_is_its_largest() {
    let mut steps = Vec::new();
    while let Some(trial) = REACH.next(&steps) {
        let window = 6_000;
        let stop = (trial.window > window).then_some(Stop::Capped { window });
        steps.push(step(trial, stop));
    }
    assert_eq!(windows(&steps), [4_096, 8_192, 6_000]);
    assert_eq!(Recommendation::of(&steps).unwrap().window, 6_000);
}

#[test]
fn a_model_that_fits_nowhere_is_given_up() {
    let steps = search(REACH, 0, 1);
    assert!(steps.len() < 10);
    assert_eq!(Recommendation::of(&steps), None);
}

#[test]
fn an_interrupted_search_goes_on_as_if_nothing_had_happened() {
    let whole = search(REACH, 50_000, 5);
    for kept in 0..whole.len() {
        assert_eq!(REACH.next(&whole[..kept]), Some(whole[kept].trial));
    }
    assert_eq!(REACH.next(&whole), None);
}

proptest! {
    #[test]
    fn every_limit_is_found_within_its_tolerance(
        limit in 2_000u32..400_000, slots in 1u32..40, most in 2_000u32..400_000, lanes in 1u32..40,
    ) {
        let reach = Reach { window: most, lanes };
        let steps = search(reach, limit, slots);
        prop_assert!(steps.len() < 40, "{} steps", steps.len());
        let found = Recommendation::of(&steps).unwrap();
        let truth = limit.min(most);
        prop_assert!(found.largest <= truth);
        prop_assert!(f64::from(found.largest) >= f64::from(truth) * 0.96, "{} of {truth}", found.largest);
        prop_assert_eq!(found.lanes, slots.min(lanes));
        prop_assert!(found.window <= found.largest);
    }

    #[test]
    fn whatever_was_stored_the_search_ends(
        seen in proptest::collection::vec((any::<u32>(), any::<u32>(), any::<bool>()), 0..60),
        window: u32, lanes: u32,
    ) {
        let reach = Reach { window, lanes };
        let mut steps: Vec<Step> = seen
            .into_iter()
            .map(|(window, lanes, well)| {
                let stop = (!well).then_some(Stop::Capped { window });
                step(Trial { window, lanes }, stop)
            })
            .collect();
        for _ in 0..MOST_STEPS {
            let Some(trial) = reach.next(&steps) else { break };
            steps.push(step(trial, None));
        }
        prop_assert_eq!(reach.next(&steps), None);
        let _ = Recommendation::of(&steps);
    }
}
