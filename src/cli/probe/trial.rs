//! One step of a probe: load the model, see where it went, and prove that it reads what is sent.

use std::time::Duration;

use super::prompt::{ANSWER, Needle, body};
use crate::context::{Calibration, ColdRate, Figures, ModelShape, Step, Stop, Trial};
use crate::inference::{Call, Progress, Server, TimeLimits};
use crate::model::{Answer, Endpoint, Failure, FailureClass, LoadOptions, LoadedModel, Tokens};

/// Part of a window that a prompt fills, in per cent: the rest is for the answer and for what
/// estimates are off.
const FILLED: u64 = 98;
/// A prompt of which less was read than this part of the estimate was cut.
const CUT: f64 = 0.9;
/// A prompt shorter than this part of what it should be is sent again, longer.
const SHORT: f64 = 0.95;
/// Tries to fill a window.
const TRIES: u64 = 4;
/// Bytes of the short prompts.
const WARM_UP: u64 = 2_400;

/// Performs steps.
pub(super) struct Prober<S, M> {
    pub(super) server: S,
    pub(super) model: String,
    pub(super) limits: TimeLimits,
    /// How full the fullest card is, in per cent; `None` where that cannot be read.
    pub(super) memory: M,
    /// How full it may be, by the settings of the guard; `None` where nothing is watched.
    pub(super) memory_limit: Option<f64>,
    /// What memory for the context depends on, where that is known.
    pub(super) shape: Option<ModelShape>,
    /// Windows that were loaded, and the bytes of the model each time.
    pub(super) sizes: Vec<(u64, u64)>,
    /// Makes the words of this probe differ from those of another.
    pub(super) salt: u64,
    pub(super) calibration: Calibration,
    pub(super) cold: ColdRate,
    /// What the server says of the model as it was loaded last.
    pub(super) loaded: Option<LoadedModel>,
    /// Whether any of the model was ever on a card: else the processor is all there is.
    pub(super) has_card: bool,
}

impl<S: Server, M: AsyncFn() -> Option<f64>> Prober<S, M> {
    /// Tries it. A failure of the step is its result; an error is what makes going on pointless.
    pub(super) async fn perform(&mut self, trial: Trial) -> Result<Step, Failure> {
        let mut figures = Figures::default();
        let stop = match self.attempt(trial, &mut figures).await {
            Ok(stop) => stop,
            Err(failure) => Some(reason(failure)?),
        };
        Ok(Step {
            trial,
            stop,
            figures,
        })
    }

    async fn attempt(
        &mut self,
        trial: Trial,
        figures: &mut Figures,
    ) -> Result<Option<Stop>, Failure> {
        if let Some(stop) = self.load(trial.window, figures).await? {
            return Ok(Some(stop));
        }
        if self.calibration.prompts() == 0 {
            let bytes = WARM_UP.min(u64::from(trial.window) * 2);
            self.read(trial.window, bytes, 0).await?;
        }
        if trial.lanes == 1 {
            self.fill(trial.window, figures).await
        } else {
            self.together(trial, figures).await
        }
    }

    /// Loads the model with this window and looks where it went.
    async fn load(&mut self, window: u32, figures: &mut Figures) -> Result<Option<Stop>, Failure> {
        let warmth = self.server.warm(&self.options(window)).await?;
        figures.load = Some(warmth.took);
        self.loaded = warmth.loaded;
        let loaded = self.loaded.as_ref();
        figures.size = loaded.and_then(|loaded| loaded.size);
        self.sizes
            .extend(figures.size.map(|size| (window.into(), size)));
        figures.size_vram = loaded.and_then(|loaded| loaded.size_vram);
        let given = loaded.and_then(|loaded| loaded.window);
        if let Some(given) = given.filter(|given| given.0 < window.into()) {
            let window = given.0 as u32;
            return Ok(Some(Stop::Capped { window }));
        }
        let on_card = figures.size_vram.unwrap_or(0);
        self.has_card |= on_card > 0;
        let spilled = figures.size.map_or(0, |size| size.saturating_sub(on_card));
        if self.has_card && figures.size_vram.is_some() && spilled > 0 {
            return Ok(Some(Stop::Spilled { bytes: spilled }));
        }
        let Some(limit) = self.memory_limit else {
            return Ok(None);
        };
        let percent = (self.memory)().await.filter(|percent| *percent >= limit);
        Ok(percent.map(|percent| Stop::MemoryLimit { percent }))
    }

    /// Fills the window with one prompt and looks whether all of it was read.
    async fn fill(&mut self, window: u32, figures: &mut Figures) -> Result<Option<Stop>, Failure> {
        let room = u64::from(window) * FILLED / 100;
        let target = room.saturating_sub(ANSWER.into()).max(16);
        for attempt in 1..=TRIES {
            let bytes = (target as f64 * self.calibration.bytes_per_token()) as u64;
            let (needle, result) = self.read(window, bytes, attempt).await.map_or_else(
                |failure| (None, Err(failure)),
                |(needle, expected, answer)| (Some(needle), Ok((expected, answer))),
            );
            let (expected, answer) = match result {
                Ok(read) => read,
                Err(failure) if self.is_overfilled(&failure, window, bytes) => continue,
                Err(failure) => return Err(failure),
            };
            note(figures, &answer);
            figures.recalled = needle.map(|needle| needle.is_in(&answer));
            let Some(read) = answer.usage.prompt else {
                return Ok(None);
            };
            if (read.0 as f64) < expected.0 as f64 * CUT {
                return Ok(Some(Stop::CutSilently {
                    sent: expected,
                    read,
                }));
            }
            self.cold
                .learn(read, answer.timings.prefill.unwrap_or_default());
            if read.0 as f64 >= target as f64 * SHORT {
                return Ok(None);
            }
        }
        let message = "the window could not be filled: estimates of tokens do not settle";
        Ok(Some(Stop::Failed {
            message: message.to_owned(),
        }))
    }

    /// Whether a refusal only shows that the prompt was longer than meant.
    fn is_overfilled(&mut self, failure: &Failure, window: u32, bytes: u64) -> bool {
        let Some(need) = failure.need else {
            return false;
        };
        self.calibration.learn(bytes, need.prompt);
        need.prompt.0 >= u64::from(window)
    }

    /// Sends a prompt of so many bytes; gives its word, the tokens that it should have, and the
    /// answer. What was read in full teaches the estimate.
    async fn read(
        &mut self,
        window: u32,
        bytes: u64,
        attempt: u64,
    ) -> Result<(Needle, Tokens, Answer), Failure> {
        let number = self.salt ^ (u64::from(window) << 8) ^ attempt;
        let needle = Needle::new(number, bytes);
        let expected = self.calibration.estimate(needle.text.len() as u64);
        let answer = self.ask(window, &needle.text, ANSWER).await?;
        if let Some(read) = answer.usage.prompt {
            let is_whole = read.0 as f64 >= expected.0 as f64 * CUT;
            if is_whole || self.calibration.prompts() == 0 {
                self.calibration.learn(needle.text.len() as u64, read);
            }
        }
        Ok((needle, expected, answer))
    }

    pub(super) async fn ask(&self, window: u32, text: &str, most: u32) -> Result<Answer, Failure> {
        let call = Call {
            endpoint: Endpoint::Chat,
            body: body(text).into(),
            messages: None,
            load: self.options(window),
            max_tokens: most,
            limits: self.limits,
            nudge: 0,
        };
        self.server.answer(call, Progress::silent()).await
    }

    fn options(&self, window: u32) -> LoadOptions {
        LoadOptions {
            model: self.model.clone(),
            num_ctx: Some(window),
            embeddings: false,
        }
    }
}

fn note(figures: &mut Figures, answer: &Answer) {
    let per_second = |tokens: Option<u64>, time: Option<Duration>| {
        let rate = tokens? as f64 / time?.as_secs_f64();
        rate.is_finite().then_some(rate)
    };
    let (usage, timings) = (&answer.usage, &answer.timings);
    figures.read = usage.prompt;
    figures.prefill = per_second(usage.prompt.map(|it| it.0), timings.prefill);
    let steps = usage.answer.map(|answer| answer.0.saturating_sub(1));
    figures.decode = per_second(steps.filter(|steps| *steps > 0), timings.decode);
}

/// What a failed step says about the limit; the failure itself where it says nothing.
fn reason(failure: Failure) -> Result<Stop, Failure> {
    let message = failure.message.clone();
    match failure.class {
        FailureClass::ServerDown | FailureClass::ModelMissing | FailureClass::Busy => Err(failure),
        FailureClass::OutOfMemory => Ok(Stop::OutOfMemory { message }),
        FailureClass::ContextLength | FailureClass::Refused => Ok(Stop::Refused { message }),
        _ => Ok(Stop::Failed { message }),
    }
}
