//! A script in play: its models ready for use, and how often each fault was met.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::time::Instant;

use super::durations::KeepAlive;
use super::faults::{Action, Fault};
use super::log::Route;
use super::models::{ModelScript, canonical};
use super::script::{Script, ScriptError};

/// A script and what has happened since it began to play.
#[derive(Debug)]
pub(super) struct Edition {
    pub script: Script,
    pub keep_alive: KeepAlive,
    pub began: Instant,
    models: HashMap<String, Arc<ModelScript>>,
    counters: Vec<Counter>,
    marks: bool,
}

#[derive(Debug, Default)]
struct Counter {
    met: AtomicU64,
    happened: AtomicU64,
}

/// What faults look at in a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight<'a> {
    pub route: Route,
    pub model: &'a str,
    /// The last user message, prompt or input.
    pub message: &'a str,
    /// Whether it only loads or unloads.
    pub load_only: bool,
}

impl Edition {
    pub(super) fn new(script: Script) -> Result<Self, ScriptError> {
        script.check()?;
        let models = script
            .models
            .iter()
            .map(|model| (model.full_name(), Arc::new(model.clone())))
            .collect();
        Ok(Self {
            keep_alive: script.keep_alive_parsed().unwrap_or(KeepAlive::Forever),
            began: Instant::now(),
            models,
            counters: script.faults.iter().map(|_| Counter::default()).collect(),
            marks: script
                .faults
                .iter()
                .any(|fault| fault.when.marker.is_some()),
            script,
        })
    }

    /// The model that a request names.
    pub(super) fn model(&self, name: &str) -> Option<Arc<ModelScript>> {
        self.models.get(&canonical(name)?).cloned()
    }

    /// Whether any fault looks at the text of messages.
    pub(super) const fn looks_at_messages(&self) -> bool {
        self.marks
    }

    /// The fault that happens to this request: the first that applies.
    pub(super) fn fault(&self, sight: &Sight<'_>) -> Option<&Action> {
        self.first(sight, |action| *action != Action::OutOfMemoryAtLoad)
    }

    /// The fault that happens to this request because it loads a model.
    pub(super) fn load_fault(&self, sight: &Sight<'_>) -> Option<&Action> {
        self.first(sight, |action| *action == Action::OutOfMemoryAtLoad)
    }

    fn first(&self, sight: &Sight<'_>, of: impl Fn(&Action) -> bool) -> Option<&Action> {
        let mut chosen = None;
        for (fault, counter) in self.script.faults.iter().zip(&self.counters) {
            if !of(&fault.action) || fault.by_clock().is_some() || !self.meets(fault, sight) {
                continue;
            }
            let met = counter.met.fetch_add(1, Ordering::Relaxed) + 1;
            if chosen.is_none() && is_drawn(fault, met) && counter.may_happen(fault) {
                chosen = Some(&fault.action);
            }
        }
        chosen
    }

    fn meets(&self, fault: &Fault, sight: &Sight<'_>) -> bool {
        let when = &fault.when;
        let elapsed = self.began.elapsed().as_millis() as u64;
        let route = match when.endpoint {
            Some(route) => route == sight.route,
            None if fault.action == Action::OutOfMemoryAtLoad => true,
            None => sight.route.is_inference() && !sight.load_only,
        };
        route
            && when.after_ms.is_none_or(|after| elapsed >= after)
            && when.until_ms.is_none_or(|until| elapsed < until)
            && when.model.as_ref().is_none_or(|model| model == sight.model)
            && when
                .marker
                .as_ref()
                .is_none_or(|marker| sight.message.contains(marker.as_str()))
    }
}

impl Counter {
    /// Counts one more time, unless it has happened often enough.
    fn may_happen(&self, fault: &Fault) -> bool {
        let limit = fault.when.times.unwrap_or(u64::MAX);
        self.happened
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |happened| {
                (happened < limit).then_some(happened + 1)
            })
            .is_ok()
    }
}

fn is_drawn(fault: &Fault, met: u64) -> bool {
    let when = &fault.when;
    let chance = |share: f64| (mix(when.seed, met) >> 11) as f64 / ((1_u64 << 53) as f64) < share;
    when.nth.is_none_or(|nth| nth == met)
        && when.every.is_none_or(|every| met.is_multiple_of(every))
        && when.probability.is_none_or(chance)
}

/// A number drawn from two: the output step of `SplitMix64`.
pub(super) const fn mix(seed: u64, step: u64) -> u64 {
    let mut z = seed ^ step.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::faults::When;
    use rstest::rstest;

    const SIGHT: Sight<'static> = Sight {
        route: Route::Chat,
        model: "simulated",
        message: "grade cand-7",
        load_only: false,
    };

    fn happens(when: When, requests: usize) -> Vec<usize> {
        let edition = Edition::new(Script {
            faults: vec![Fault {
                when,
                action: Action::Busy,
            }],
            ..Script::default()
        })
        .unwrap();
        (1..=requests)
            .filter(|_| edition.fault(&SIGHT).is_some())
            .collect()
    }

    #[rstest]
    #[case(When::default(), &[1, 2, 3, 4, 5, 6])]
    #[case(When { nth: Some(3), ..When::default() }, &[3])]
    #[case(When { every: Some(2), ..When::default() }, &[2, 4, 6])]
    #[case(When { times: Some(2), ..When::default() }, &[1, 2])]
    #[case(When { marker: Some("cand-7".to_owned()), times: Some(1), ..When::default() }, &[1])]
    #[case(When { marker: Some("cand-8".to_owned()), ..When::default() }, &[])]
    #[case(When { endpoint: Some(Route::Ps), ..When::default() }, &[])]
    #[case(When { model: Some("other".to_owned()), ..When::default() }, &[])]
    #[case(When { after_ms: Some(1_000_000), ..When::default() }, &[])]
    #[case(When { until_ms: Some(0), ..When::default() }, &[])]
    #[case(When { probability: Some(0.0), ..When::default() }, &[])]
    #[case(When { probability: Some(1.0), ..When::default() }, &[1, 2, 3, 4, 5, 6])]
    #[test]
    fn a_fault_happens_when_it_should(#[case] when: When, #[case] expected: &[usize]) {
        assert_eq!(happens(when, 6), expected);
    }

    #[test]
    fn probability_is_met_and_repeats() {
        let rarely = || When {
            probability: Some(0.1),
            seed: 7,
            ..When::default()
        };
        let first = happens(rarely(), 10_000);
        assert!((800..1200).contains(&first.len()), "{}", first.len());
        assert_eq!(first, happens(rarely(), 10_000));
    }

    #[test]
    fn loading_ahead_is_not_what_faults_are_for() {
        let edition = Edition::new(Script {
            faults: vec![Fault {
                when: When::default(),
                action: Action::Busy,
            }],
            ..Script::default()
        })
        .unwrap();
        let load = Sight {
            load_only: true,
            ..SIGHT
        };
        assert!(edition.fault(&load).is_none());
        assert!(edition.fault(&SIGHT).is_some());
    }
}
