//! How much of the prompts the server did not read again, because it still had their beginning.
//!
//! Ollama 0.33 does not say. But it counts the whole prompt and times only the part that it
//! evaluated, so the time against the rate of prompts that cannot have been cached gives the rest.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::model::{Timings, Tokens, Usage};

/// Requests before anything is said about low reuse.
const ENOUGH: u64 = 10;
/// What an older cold prompt counts against the next one.
const FADING: f64 = 0.9;

/// What one request saved.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Reused {
    /// Tokens of its prompt that were not evaluated again.
    pub tokens: Tokens,
    /// Tokens of its prompt.
    pub prompt: Tokens,
    /// The time that they would have taken; `None` while the cold rate is not known.
    pub saved: Option<Duration>,
    /// Whether the server itself counted them; else they follow from times.
    pub counted: bool,
}

/// The rate at which a server reads prompts of which nothing is cached.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ColdRate {
    tokens: f64,
    seconds: f64,
}

impl ColdRate {
    /// Learns from a prompt that cannot have been cached: the first one after a load, or the
    /// first of its prefix. Figures of nothing are left alone.
    pub fn learn(&mut self, prompt: Tokens, prefill: Duration) {
        if prompt.0 == 0 || prefill.is_zero() {
            return;
        }
        self.tokens = self.tokens * FADING + prompt.0 as f64;
        self.seconds = self.seconds * FADING + prefill.as_secs_f64();
    }

    /// Tokens a second; `None` before the first prompt, and where what was stored is no rate.
    pub fn per_second(&self) -> Option<f64> {
        let rate = self.tokens / self.seconds;
        (self.seconds > 0.0 && rate.is_finite() && rate > 0.0).then_some(rate)
    }

    /// Whether a prompt that took so long can have been cold: a cached part makes it look faster
    /// than the server can read. While nothing is known, it cannot be said.
    pub fn may_be_cold(&self, prompt: Tokens, prefill: Duration) -> Option<bool> {
        const FASTER: f64 = 1.5;
        let seen = prompt.0 as f64 / prefill.as_secs_f64();
        Some(seen <= self.per_second()? * FASTER)
    }
}

/// Measures reuse over the requests of a job.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct ReuseMeter {
    /// The rate that times are compared with.
    pub cold: ColdRate,
    /// Requests of which reuse is known.
    pub judged: u64,
    /// Requests of which it is not, because the rate was not known or the server did not say.
    pub unjudged: u64,
    /// Tokens of the prompts of judged requests.
    pub prompt: Tokens,
    /// Those that were not evaluated again.
    pub reused: Tokens,
    /// The time that they would have taken.
    pub saved: Duration,
    /// Requests that waited for the model to be loaded although it was.
    pub reloads: u64,
}

/// What else is known about the requests when reuse is low.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReuseSigns {
    /// Tokens with which all prompts begin alike.
    pub shared: Tokens,
    /// The model's sliding window, where it has one.
    pub sliding_window: Option<Tokens>,
    /// Requests outstanding at most.
    pub lanes: u32,
    /// Slots of the server, where they are known.
    pub slots: Option<u32>,
}

/// Why prompts that begin alike may be read in full again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "cause", rename_all = "snake_case")]
pub enum ReuseCause {
    /// Ollama 0.33 reuses a prefix of a sliding-window model only beyond its window.
    ShorterThanWindow {
        /// Tokens that the prompts share.
        shared: Tokens,
        /// The model's window.
        window: Tokens,
    },
    /// Somebody else changes how the model is loaded.
    Reloaded {
        /// Requests that waited for it.
        times: u64,
    },
    /// More requests than slots take turns in them.
    MoreLanesThanSlots {
        /// Requests outstanding.
        lanes: u32,
        /// Slots of the server.
        slots: u32,
    },
    /// None of the above: something pushes the prefix out.
    Evicted,
}

impl ReuseMeter {
    /// Learns the rate of reading from a prompt that cannot have been cached: the first one after
    /// a load, or the first of its prefix.
    pub fn learn_cold(&mut self, prompt: Tokens, prefill: Duration) {
        self.cold.learn(prompt, prefill);
    }

    /// Tokens a second that the server reads when nothing is cached.
    pub fn cold_rate(&self) -> Option<f64> {
        self.cold.per_second()
    }

    /// Takes the figures of one answered request.
    pub fn measure(&mut self, usage: &Usage, timings: &Timings) -> Option<Reused> {
        self.reloads += u64::from(timings.is_reloaded());
        let reused = self.judge(usage, timings);
        match &reused {
            Some(reused) => {
                self.judged += 1;
                self.prompt += reused.prompt;
                self.reused += reused.tokens;
                self.saved = self.saved.saturating_add(reused.saved.unwrap_or_default());
            }
            None => self.unjudged += 1,
        }
        reused
    }

    /// The share of all prompt tokens that were not evaluated again, 0 to 1.
    pub fn share(&self) -> Option<f64> {
        (self.prompt.0 > 0).then(|| self.reused.0 as f64 / self.prompt.0 as f64)
    }

    /// Why less than half of what the prompts share was reused; nothing when more was, or when it
    /// is too early to say.
    pub fn causes(&self, signs: &ReuseSigns) -> Vec<ReuseCause> {
        let could = signs.shared.0.saturating_mul(self.judged);
        if self.judged < ENOUGH || self.reused.0.saturating_mul(2) >= could {
            return Vec::new();
        }
        let shared = signs.shared;
        let window = signs.sliding_window.filter(|window| shared <= *window);
        let slots = signs.slots.filter(|slots| signs.lanes > *slots);
        let lanes = signs.lanes;
        let found = [
            window.map(|window| ReuseCause::ShorterThanWindow { shared, window }),
            (self.reloads > 0).then_some(ReuseCause::Reloaded {
                times: self.reloads,
            }),
            slots.map(|slots| ReuseCause::MoreLanesThanSlots { lanes, slots }),
        ];
        let found: Vec<ReuseCause> = found.into_iter().flatten().collect();
        if found.is_empty() {
            return vec![ReuseCause::Evicted];
        }
        found
    }

    fn judge(&self, usage: &Usage, timings: &Timings) -> Option<Reused> {
        let prompt = usage.prompt?;
        let rate = self.cold_rate();
        let saved = |tokens: f64| {
            let seconds = tokens / rate.filter(|rate| *rate > 0.0)?;
            Duration::try_from_secs_f64(seconds).ok()
        };
        if let Some(cached) = usage.cached {
            let tokens = cached.min(prompt);
            return Some(Reused {
                tokens,
                prompt,
                saved: saved(tokens.0 as f64),
                counted: true,
            });
        }
        let evaluated = timings.prefill?.as_secs_f64() * rate?;
        // At least one token is always evaluated (Ollama 0.33).
        let evaluated = evaluated.clamp(1.0, (prompt.0 as f64).max(1.0));
        let tokens = Tokens(prompt.0.saturating_sub(evaluated.round() as u64));
        Some(Reused {
            tokens,
            prompt,
            saved: saved(tokens.0 as f64),
            counted: false,
        })
    }
}

impl fmt::Display for ReuseCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ShorterThanWindow { shared, window } => write!(
                f,
                "the model has a sliding window of {} tokens, and a shared beginning of {} is shorter: such are read in full each time",
                window.0, shared.0
            ),
            Self::Reloaded { times } => write!(
                f,
                "the model was loaded again {times} times: another program asks for it with other load options, or for another model"
            ),
            Self::MoreLanesThanSlots { lanes, slots } => write!(
                f,
                "{lanes} requests at a time take turns in {slots} slots of the server"
            ),
            Self::Evicted => f.write_str("something else pushes the prefix out of the server's cache: another program, or too little memory for its cache"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    fn usage(prompt: u64, cached: Option<u64>) -> Usage {
        Usage {
            prompt: Some(Tokens(prompt)),
            cached: cached.map(Tokens),
            ..Usage::default()
        }
    }

    fn prefill(seconds: f64) -> Timings {
        Timings {
            prefill: Some(Duration::from_secs_f64(seconds)),
            load: Some(Duration::from_millis(2)),
            ..Timings::default()
        }
    }

    /// A meter that knows a server of 1,000 tokens a second.
    fn meter() -> ReuseMeter {
        let mut meter = ReuseMeter::default();
        meter.learn_cold(Tokens(2_000), Duration::from_secs(2));
        meter
    }

    #[test]
    fn the_recorded_case_is_measured() {
        // Ollama 0.33: 2,149 tokens "in" 67 ms when only 7 were evaluated, at some 104 a second.
        let mut meter = ReuseMeter::default();
        meter.learn_cold(Tokens(2_146), Duration::from_secs_f64(20.6));
        let reused = meter.measure(&usage(2_149, None), &prefill(0.067)).unwrap();
        assert_eq!(reused.tokens, Tokens(2_142));
        assert!((reused.saved.unwrap().as_secs_f64() - 20.56).abs() < 0.1);
    }

    #[test]
    fn what_the_server_counts_itself_is_believed() {
        let mut meter = ReuseMeter::default();
        let reused = meter
            .measure(&usage(1_000, Some(900)), &prefill(9.0))
            .unwrap();
        assert_eq!((reused.tokens, reused.counted), (Tokens(900), true));
        assert_eq!(reused.saved, None);
        let more = meter.measure(&usage(10, Some(99)), &prefill(1.0)).unwrap();
        assert_eq!(more.tokens, Tokens(10));
    }

    #[test]
    fn without_a_rate_or_a_time_nothing_is_said() {
        let mut fresh = ReuseMeter::default();
        assert_eq!(fresh.measure(&usage(1_000, None), &prefill(0.1)), None);
        assert_eq!((fresh.judged, fresh.unjudged), (0, 1));
        assert_eq!(fresh.share(), None);
        let mut meter = meter();
        let untimed = Timings::default();
        assert_eq!(meter.measure(&usage(1_000, None), &untimed), None);
        assert_eq!(meter.measure(&Usage::default(), &prefill(1.0)), None);
    }

    fn low(requests: u64, load: Duration) -> ReuseMeter {
        let mut meter = meter();
        for _ in 0..requests {
            let timings = Timings {
                load: Some(load),
                ..prefill(0.5)
            };
            meter.measure(&usage(500, None), &timings);
        }
        meter
    }

    const WARM: Duration = Duration::from_millis(3);

    #[rstest]
    #[case(low(20, WARM), Some(512), 1, &["sliding window of 512"])]
    #[case(low(20, Duration::from_secs(2)), None, 1, &["loaded again 20 times"])]
    #[case(low(20, WARM), Some(256), 8, &["8 requests at a time"])]
    #[case(low(20, WARM), None, 1, &["pushes the prefix out"])]
    #[case(low(5, WARM), None, 1, &[])]
    fn low_reuse_has_a_likely_cause(
        #[case] meter: ReuseMeter,
        #[case] sliding: Option<u64>,
        #[case] lanes: u32,
        #[case] expected: &[&str],
    ) {
        let causes = meter.causes(&ReuseSigns {
            shared: Tokens(400),
            sliding_window: sliding.map(Tokens),
            lanes,
            slots: Some(4),
        });
        assert_eq!(causes.len(), expected.len(), "{causes:?}");
        for (cause, words) in causes.iter().zip(expected) {
            assert!(cause.to_string().contains(words), "{cause}");
        }
    }

    #[test]
    fn a_prompt_that_was_read_too_fast_was_not_cold() {
        let mut cold = ColdRate::default();
        let second = Duration::from_secs(1);
        assert_eq!(cold.may_be_cold(Tokens(1_000), second), None);
        cold.learn(Tokens(1_000), second);
        assert_eq!(cold.may_be_cold(Tokens(1_200), second), Some(true));
        assert_eq!(cold.may_be_cold(Tokens(9_000), second), Some(false));
        let stored: ColdRate = serde_json::from_str(r#"{"tokens":-5,"seconds":1e308}"#).unwrap();
        assert_eq!(stored.per_second(), None);
    }

    #[test]
    fn good_reuse_has_no_cause_to_name() {
        let mut meter = meter();
        for _ in 0..20 {
            meter.measure(&usage(500, None), &prefill(0.02));
        }
        assert!((meter.share().unwrap() - 0.96).abs() < 0.001);
        let signs = ReuseSigns {
            shared: Tokens(400),
            ..ReuseSigns::default()
        };
        assert!(meter.causes(&signs).is_empty());
    }

    proptest! {
        #[test]
        fn no_more_is_reused_than_there_is(
            requests in proptest::collection::vec((any::<u32>(), proptest::option::of(any::<u64>()), 0.0f64..1e6), 0..50),
        ) {
            let mut meter = meter();
            for (prompt, cached, seconds) in requests {
                meter.measure(&usage(prompt.into(), cached), &prefill(seconds));
                prop_assert!(meter.reused <= meter.prompt);
            }
            prop_assert!(meter.share().is_none_or(|share| (0.0..=1.0).contains(&share)));
        }
    }
}
