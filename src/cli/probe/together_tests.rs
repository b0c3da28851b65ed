//! Servers of clockwork: so many slots, each token in its time, in a time that only moves when all
//! wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rstest::rstest;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::*;
use crate::context::testing::llama;
use crate::context::{Calibration, ColdRate, ModelShape, Reach, Recommendation, Step};
use crate::inference::{Call, InstalledModel, ModelDetails, Progress, TimeLimits, Warmth};
use crate::model::{AnswerBody, Finish, LoadOptions, LoadedModel, Timings, Usage};

const MINUTE: Duration = Duration::from_mins(1);
/// Bytes of keys and values of a token.
const TOKEN: u64 = 131_072;
const WEIGHTS: u64 = 4 << 30;

#[derive(Clone)]
struct Clockwork {
    slots: u32,
    free: Arc<Semaphore>,
    /// The time of a token.
    step: Duration,
    /// How late the first answer of each of the first rounds begins to be worked on.
    held_up: Option<Duration>,
    asked: Arc<AtomicU32>,
}

impl Clockwork {
    fn new(slots: u32, step: Duration) -> Self {
        Self {
            slots,
            free: Arc::new(Semaphore::new(slots as usize)),
            step,
            held_up: None,
            asked: Arc::default(),
        }
    }
}

impl Server for Clockwork {
    async fn answer(&self, call: Call, _: Progress) -> Result<Answer, Failure> {
        let sent = Instant::now();
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        if let Some(late) = self.held_up.filter(|_| number == 4) {
            sleep(late).await;
        }
        let slot = self.free.acquire().await;
        let decode = self.step * call.max_tokens;
        if !decode.is_zero() {
            sleep(decode).await;
        }
        drop(slot);
        Ok(Answer {
            model: call.load.model,
            body: AnswerBody::Completion { text: "one".into() },
            finish: Finish::Stop,
            usage: Usage {
                prompt: Some(Tokens(call.body.len() as u64 / 4)),
                answer: Some(Tokens(call.max_tokens.into())),
                ..Usage::default()
            },
            timings: Timings {
                total: Some(sent.elapsed()),
                load: Some(Duration::ZERO),
                prefill: Some(Duration::ZERO),
                decode: Some(decode),
                ..Timings::default()
            },
        })
    }

    async fn warm(&self, load: &LoadOptions) -> Result<Warmth, Failure> {
        let window = u64::from(load.num_ctx.unwrap_or_default());
        let size = WEIGHTS + window * u64::from(self.slots) * TOKEN;
        Ok(Warmth {
            took: Duration::ZERO,
            loaded: Some(LoadedModel {
                name: load.model.clone(),
                digest: String::new(),
                quantization: None,
                size: Some(size),
                size_vram: Some(size),
                window: Some(Tokens(window)),
                expires: None,
            }),
        })
    }

    async fn release(&self, _: &LoadOptions) -> Result<(), Failure> {
        Ok(())
    }

    async fn version(&self) -> Result<String, Failure> {
        Ok(String::new())
    }

    async fn installed(&self) -> Result<Vec<InstalledModel>, Failure> {
        Ok(Vec::new())
    }

    async fn loaded(&self) -> Result<Vec<LoadedModel>, Failure> {
        Ok(Vec::new())
    }

    async fn show(&self, _: &str, _: bool) -> Result<ModelDetails, Failure> {
        Ok(ModelDetails::default())
    }

    fn address(&self) -> String {
        String::new()
    }
}

fn shape() -> ModelShape {
    ModelShape::of(&llama()).unwrap()
}

async fn steps(server: Clockwork, shape: Option<ModelShape>) -> Vec<Step> {
    let reach = Reach {
        window: 8_192,
        lanes: 16,
    };
    let mut prober = Prober {
        server,
        model: "m".to_owned(),
        limits: TimeLimits {
            first_byte: MINUTE * 60,
            idle: MINUTE * 60,
            whole: MINUTE * 60,
        },
        memory: async || None,
        memory_limit: None,
        shape,
        sizes: Vec::new(),
        salt: 7,
        calibration: Calibration::default(),
        cold: ColdRate::default(),
        loaded: None,
        has_card: false,
    };
    let mut steps = Vec::new();
    while let Some(trial) = reach.next(&steps) {
        steps.push(prober.perform(trial).await.unwrap());
    }
    steps
}

fn lanes(steps: &[Step]) -> u32 {
    Recommendation::of(steps).unwrap().lanes
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn slots_show_by_answers_that_meet(
    #[values(1, 2, 3, 4, 8)] slots: u32,
    #[values(100, 10_000, 5_000_000)] micros: u64,
) {
    let step = Duration::from_micros(micros);
    let steps = steps(Clockwork::new(slots, step), None).await;
    assert_eq!(lanes(&steps), slots, "{steps:?}");
}

#[rstest]
#[tokio::test(start_paused = true)]
async fn where_answers_take_no_time_slots_show_by_the_memory_that_they_take(
    #[values(1, 2, 4, 8)] slots: u32,
) {
    let steps = steps(Clockwork::new(slots, Duration::ZERO), Some(shape())).await;
    assert_eq!(lanes(&steps), slots, "{steps:?}");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_seen_is_said_and_not_recommended() {
    let steps = steps(Clockwork::new(4, Duration::ZERO), None).await;
    assert_eq!(lanes(&steps), 1);
    let last = steps.last().unwrap();
    assert_eq!(
        (&last.stop, last.figures.at_once),
        (&Some(Stop::Unseen), None)
    );
}

#[tokio::test(start_paused = true)]
async fn one_that_was_held_up_once_does_not_cost_a_slot() {
    let server = Clockwork {
        held_up: Some(MINUTE),
        ..Clockwork::new(2, Duration::from_millis(10))
    };
    assert_eq!(lanes(&steps(server, None).await), 2);
}
