//! What programs read of a probe: stable names, a unit in each.

use serde::Serialize;

use crate::context::{Ground, Probed, Reach, Recommendation, Step, Stop};

/// On what a probe ran, or a profile was learnt.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct GroundJson<'a> {
    digest: &'a str,
    card: &'a str,
    num_ctx: Option<u32>,
    slots: Option<u32>,
}

impl<'a> GroundJson<'a> {
    pub(in crate::cli) fn new(ground: &'a Ground) -> Self {
        Self {
            digest: &ground.digest,
            card: &ground.card,
            num_ctx: ground.num_ctx,
            slots: (ground.slots > 0).then_some(ground.slots),
        }
    }
}

/// How far a search goes.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ReachJson {
    num_ctx: u32,
    lanes: u32,
}

impl ReachJson {
    pub(in crate::cli) const fn new(reach: Reach) -> Self {
        Self {
            num_ctx: reach.window,
            lanes: reach.lanes,
        }
    }
}

/// What the steps recommend.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct RecommendationJson {
    largest_num_ctx: u32,
    num_ctx: u32,
    lanes: u32,
}

impl RecommendationJson {
    pub(in crate::cli) const fn new(found: Recommendation) -> Self {
        Self {
            largest_num_ctx: found.largest,
            num_ctx: found.window,
            lanes: found.lanes,
        }
    }
}

/// What was tried and how it went.
#[derive(Debug, Default, Serialize)]
pub(in crate::cli) struct StepJson<'a> {
    num_ctx: u32,
    lanes: u32,
    failure: Option<&'static str>,
    message: Option<&'a str>,
    cpu_bytes: Option<u64>,
    memory_percent: Option<f64>,
    given_num_ctx: Option<u32>,
    sent_tokens: Option<u64>,
    read_tokens: Option<u64>,
    found_slots: Option<u32>,
    model_bytes: Option<u64>,
    model_on_cards_bytes: Option<u64>,
    load_seconds: Option<f64>,
    prompt_tokens: Option<u64>,
    recalled: Option<bool>,
    prompt_tokens_per_second: Option<f64>,
    answer_tokens_per_second: Option<f64>,
    at_once: Option<u32>,
}

impl<'a> StepJson<'a> {
    pub(in crate::cli) fn new(step: &'a Step) -> Self {
        let figures = &step.figures;
        let mut json = Self {
            num_ctx: step.trial.window,
            lanes: step.trial.lanes,
            model_bytes: figures.size,
            model_on_cards_bytes: figures.size_vram,
            load_seconds: figures.load.map(|load| load.as_secs_f64()),
            prompt_tokens: figures.read.map(|tokens| tokens.0),
            recalled: figures.recalled,
            prompt_tokens_per_second: figures.prefill,
            answer_tokens_per_second: figures.decode,
            at_once: figures.at_once,
            ..Self::default()
        };
        if let Some(stop) = &step.stop {
            json.stopped(stop);
        }
        json
    }

    fn stopped(&mut self, stop: &'a Stop) {
        let failure = match stop {
            Stop::OutOfMemory { message } => {
                self.message = Some(message);
                "out_of_memory"
            }
            Stop::Refused { message } => {
                self.message = Some(message);
                "refused"
            }
            Stop::Failed { message } => {
                self.message = Some(message);
                "failed"
            }
            Stop::Spilled { bytes } => {
                self.cpu_bytes = Some(*bytes);
                "spilled"
            }
            Stop::MemoryLimit { percent } => {
                self.memory_percent = Some(*percent);
                "memory_limit"
            }
            Stop::Capped { window } => {
                self.given_num_ctx = Some(*window);
                "capped"
            }
            Stop::CutSilently { sent, read } => {
                (self.sent_tokens, self.read_tokens) = (Some(sent.0), Some(read.0));
                "cut_silently"
            }
            Stop::FewerSlots { slots } => {
                self.found_slots = Some(*slots);
                "fewer_slots"
            }
            Stop::Unseen => "unseen",
        };
        self.failure = Some(failure);
    }
}

/// A probe as a profile keeps it.
#[derive(Debug, Serialize)]
pub(in crate::cli) struct ProbedJson<'a> {
    reach: ReachJson,
    steps: Vec<StepJson<'a>>,
}

impl<'a> ProbedJson<'a> {
    pub(in crate::cli) fn new(probed: &'a Probed) -> Self {
        Self {
            reach: ReachJson::new(probed.reach),
            steps: probed.steps.iter().map(StepJson::new).collect(),
        }
    }
}
