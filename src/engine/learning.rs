//! What answers teach: how many tokens a text has, how fast prompts are read, which context is
//! safe, and how much of the prompts was not read again.
//!
//! Pure, like the board: the driver tells it what happens and stores what it learnt.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::core::{Learned, Sending};
use crate::base::{Moment, Stamp};
use crate::context::{
    Ground, Learnt, Load, ModelShape, Profile, ReuseCause, ReuseMeter, ReuseSigns,
    measured_overhead,
};
use crate::inference::is_same_model;
use crate::intake::Prompt;
use crate::model::{
    Answer, Endpoint, Failure, FailureClass, JobId, LoadOptions, LoadedModel, Parallel, RequestId,
    Tokens,
};

/// What was learnt is stored at least so far apart.
const STORE: Duration = Duration::from_mins(1);
/// Beginnings of prompts that are remembered; with more of them nothing is shared anyway.
const PREFIXES: usize = 10_000;
/// A load that took longer was a load (Ollama 0.33: a warm model answers within 5 ms).
const RELOAD: Duration = Duration::from_millis(500);

/// What is known of a model that was just loaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct About {
    /// Hash of its manifest; nothing is kept of a model without one.
    pub(super) digest: Option<String>,
    /// Whether the server had to load it, so that none of its prompts can be cached.
    pub(super) is_fresh: bool,
    /// Bytes of its files.
    pub(super) weights: Option<u64>,
    /// What memory for its context depends on, where that is known.
    pub(super) shape: Option<ModelShape>,
    /// What the server says of it, now that it is loaded.
    pub(super) loaded: Option<LoadedModel>,
}

impl About {
    fn sliding_window(&self) -> Option<Tokens> {
        self.shape.as_ref()?.sliding_window.map(Tokens)
    }

    /// Bytes that it takes beside weights, keys and values, if the server has so many slots.
    fn overhead(&self, slots: u32) -> Option<u64> {
        let loaded = self.loaded.as_ref()?;
        let load = Load {
            slots,
            ..Load::of(loaded.window?.0)
        };
        measured_overhead(self.shape.as_ref()?, self.weights?, loaded.size?, &load)
    }
}

/// What is learnt in a run.
#[derive(Debug, Default)]
pub(super) struct Learning {
    known: Vec<Profile>,
    card: String,
    model: Option<Loaded>,
    sent: HashMap<RequestId, Sent>,
    jobs: HashMap<JobId, JobReuse>,
    /// Changed, and on a ground that was left meanwhile.
    left: Vec<Profile>,
    stored: Option<Moment>,
}

/// The model that runs.
#[derive(Debug)]
struct Loaded {
    load: LoadOptions,
    about: About,
    /// Beginnings that the server has read since the load.
    prefixes: HashSet<u64>,
    profile: Option<Profile>,
    is_changed: bool,
}

/// A request that is out.
#[derive(Debug, Clone, Copy)]
struct Sent {
    job: JobId,
    lane: u32,
    prompt: Prompt,
    cold: Cold,
}

/// Whether the server can have had the beginning of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cold {
    /// It cannot: nothing was read since the load.
    Certain,
    /// This beginning was not read since the load, but perhaps one that is partly the same.
    Likely,
    /// It can.
    No,
    /// So many beginnings were read that they are not told apart any more.
    Unknown,
}

/// How a job fares.
#[derive(Debug, Default)]
struct JobReuse {
    meter: ReuseMeter,
    /// Tokens, estimated, that the server could have reused.
    shared: Tokens,
    /// Most requests that were out at a time.
    lanes: u32,
    is_told: bool,
}

impl Learning {
    /// With what earlier runs learnt.
    pub(super) fn new(known: Vec<Profile>) -> Self {
        Self {
            known,
            ..Self::default()
        }
    }

    /// The card that the models run on, as profiles name it.
    pub(super) fn card(&mut self, card: String) {
        self.card = card;
    }

    /// Bytes that computing took at an earlier load of this model.
    pub(super) fn overhead(&self, load: &LoadOptions) -> Option<u64> {
        let same = self.known.iter().filter(|it| it.ground.card == self.card);
        same.filter(|it| is_same_model(&it.model, &load.model) && it.learnt.overhead.is_some())
            .max_by_key(|it| (it.ground.num_ctx == load.num_ctx, it.at))
            .and_then(|it| it.learnt.overhead)
    }

    /// So many requests at a time were found to be best.
    pub(super) fn lanes(&mut self, load: &LoadOptions, lanes: u32) {
        let Some(model) = self.model.as_mut().filter(|model| model.load == *load) else {
            return;
        };
        let learnt = model.profile.as_mut().map(|profile| &mut profile.learnt);
        if let Some(learnt) = learnt.filter(|learnt| learnt.lanes != Some(lanes)) {
            learnt.lanes = Some(lanes);
            model.is_changed = true;
        }
    }

    /// A model was loaded for us. Gives back what earlier runs have learnt of it.
    pub(super) fn loaded(&mut self, load: LoadOptions, about: About) -> Learned {
        self.put_away();
        let recalled = self.recall(&load, &about);
        self.model = Some(Loaded {
            load,
            about,
            prefixes: HashSet::new(),
            profile: None,
            is_changed: false,
        });
        recalled
    }

    fn recall(&self, load: &LoadOptions, about: &About) -> Learned {
        let digest = about.digest.as_ref();
        let same = || {
            let known = self.known.iter();
            known.filter(move |it| Some(&it.ground.digest) == digest)
        };
        let calibrated = same().max_by_key(|it| it.learnt.calibration.prompts());
        let here = same().filter(|it| it.ground.card == self.card);
        let here = here.filter(|it| it.ground.num_ctx == load.num_ctx);
        let newest = here.max_by_key(|it| it.at);
        Learned {
            calibration: calibrated.map_or_else(Default::default, |it| it.learnt.calibration),
            limit: newest.map_or_else(Default::default, |it| it.learnt.limit),
            lanes: newest.and_then(|it| it.learnt.lanes),
        }
    }

    /// A request is on its way.
    pub(super) fn sent(&mut self, sending: &Sending, now: Stamp) {
        let request = &sending.request;
        let Some(prompt) = Prompt::of(&request.body, request.endpoint) else {
            return;
        };
        self.stand_on(sending.settings.parallel, now);
        let cold = self.cold(&prompt, request.endpoint);
        let sent = Sent {
            job: request.unit.job,
            lane: sending.lane,
            prompt,
            cold,
        };
        self.sent.insert(request.id, sent);
    }

    /// A request was dropped before it came to an end.
    pub(super) fn dropped(&mut self, request: RequestId) {
        self.sent.remove(&request);
    }

    /// An answer came: notes in it what was not read again. Gives the job it is of.
    pub(super) fn answered(&mut self, request: RequestId, answer: &mut Answer) -> Option<JobId> {
        let sent = self.sent.remove(&request)?;
        let model = self.model.as_mut()?;
        model.notice_reload(&sent, answer);
        let learnt = model.learnt()?;
        learn(learnt, &sent, answer);
        let job = self.jobs.entry(sent.job).or_default();
        job.measure(&sent, learnt, answer);
        Some(sent.job)
    }

    /// A request failed.
    pub(super) fn failed(&mut self, request: RequestId, failure: &Failure) {
        let (Some(sent), Some(model)) = (self.sent.remove(&request), &mut self.model) else {
            return;
        };
        let asked = model.load.num_ctx;
        let Some(learnt) = model.learnt() else { return };
        let needed = failure.need.map(|need| need.prompt);
        if let Some(needed) = needed {
            learnt.calibration.learn(sent.prompt.bytes, needed);
        }
        if is_limit(failure, asked) {
            let context = needed.unwrap_or_else(|| learnt.calibration.estimate(sent.prompt.bytes));
            learnt.limit.failed(context);
        }
    }

    /// Why a job's prompts are read in full again although they begin alike; nothing while all
    /// is well.
    pub(super) fn causes(&self, job: JobId) -> Vec<ReuseCause> {
        let (Some(reuse), Some(model)) = (self.jobs.get(&job), &self.model) else {
            return Vec::new();
        };
        let slots = model.profile.as_ref().and_then(|it| it.learnt.slots);
        reuse.meter.causes(&ReuseSigns {
            shared: Tokens(reuse.shared.0 / reuse.meter.judged.max(1)),
            sliding_window: model.about.sliding_window(),
            lanes: reuse.lanes,
            slots,
        })
    }

    /// What there is to say about low reuse of a job, once.
    pub(super) fn news(&mut self, job: JobId) -> Option<String> {
        let causes = self.causes(job);
        let reuse = self.jobs.get_mut(&job)?;
        if causes.is_empty() || reuse.is_told {
            return None;
        }
        reuse.is_told = true;
        let causes: Vec<String> = causes.iter().map(ReuseCause::to_string).collect();
        Some(format!(
            "prompts begin alike but are read in full again; likely because {}",
            causes.join(", or because ")
        ))
    }

    /// What is to be stored now, if it is time; the end is always time.
    pub(super) fn take_due(&mut self, now: Moment, stamp: Stamp, is_end: bool) -> Vec<Profile> {
        let is_due = self.stored.is_none_or(|stored| now.since(stored) >= STORE);
        if !(is_due || is_end) {
            return Vec::new();
        }
        let mut changed = std::mem::take(&mut self.left);
        changed.extend(self.model.as_mut().and_then(Loaded::changed));
        for profile in &mut changed {
            profile.at = stamp;
        }
        if !changed.is_empty() {
            self.stored = Some(now);
        }
        changed
    }

    /// Makes sure that what is learnt now is learnt on the present ground.
    fn stand_on(&mut self, parallel: Parallel, now: Stamp) {
        let Some(model) = &self.model else { return };
        let Some(digest) = model.about.digest.clone() else {
            return;
        };
        let ground = Ground {
            digest,
            card: self.card.clone(),
            num_ctx: model.load.num_ctx,
            slots: parallel.fixed().unwrap_or(0),
        };
        if model.profile.as_ref().is_some_and(|it| it.ground == ground) {
            return;
        }
        self.put_away();
        if let Some(model) = &mut self.model {
            let mut profile = Profile::begin(&self.known, ground, &model.load.model, now);
            // The server does not tell its slots; without an idea of them the rest is no overhead.
            let slots = profile.learnt.slots.or(parallel.fixed());
            let overhead = slots.and_then(|slots| model.about.overhead(slots));
            profile.learnt.overhead = overhead.or(profile.learnt.overhead);
            model.profile = Some(profile);
        }
    }

    /// Keeps what was learnt so far at hand for when its ground comes again.
    fn put_away(&mut self) {
        let Some(model) = &mut self.model else { return };
        self.left.extend(model.changed());
        let Some(profile) = model.profile.take() else {
            return;
        };
        self.known.retain(|known| known.ground != profile.ground);
        self.known.push(profile);
    }

    fn cold(&mut self, prompt: &Prompt, endpoint: Endpoint) -> Cold {
        let Some(model) = &mut self.model else {
            return Cold::No;
        };
        if endpoint == Endpoint::Embeddings || model.prefixes.len() >= PREFIXES {
            return Cold::Unknown;
        }
        let is_first = model.prefixes.is_empty();
        if !model.prefixes.insert(prompt.prefix) {
            return Cold::No;
        }
        if is_first && model.about.is_fresh {
            Cold::Certain
        } else {
            Cold::Likely
        }
    }
}

impl JobReuse {
    /// Measures what an answer did not read again, and notes it there.
    fn measure(&mut self, sent: &Sent, learnt: &Learnt, answer: &mut Answer) {
        self.lanes = self.lanes.max(sent.lane);
        self.meter.cold = learnt.cold;
        let Some(reused) = self.meter.measure(&answer.usage, &answer.timings) else {
            return;
        };
        answer.usage.reused = Some(reused.tokens);
        answer.timings.saved = reused.saved;
        if sent.cold == Cold::No {
            let lead = learnt.calibration.estimate(sent.prompt.lead);
            self.shared += lead.min(reused.prompt);
        }
    }
}

/// Whether a failure shows a limit of the card or the server. A prompt that is longer than the
/// window it was sent to shows none: the window was known before.
fn is_limit(failure: &Failure, asked: Option<u32>) -> bool {
    match (failure.class, failure.need, asked) {
        (FailureClass::OutOfMemory, ..) => true,
        (FailureClass::ContextLength, Some(need), Some(asked)) => need.window.0 < asked.into(),
        _ => false,
    }
}

/// Takes in the figures of an answer.
fn learn(learnt: &mut Learnt, sent: &Sent, answer: &Answer) {
    let (usage, timings) = (&answer.usage, &answer.timings);
    let Some(prompt) = usage.prompt else { return };
    learnt.calibration.learn(sent.prompt.bytes, prompt);
    let context = prompt + usage.answer.unwrap_or_default();
    learnt.limit.went_well(context);
    if let (Some(prefill), None) = (timings.prefill, usage.cached)
        && sent.cold.holds(learnt.cold.may_be_cold(prompt, prefill))
    {
        learnt.cold.learn(prompt, prefill);
    }
}

impl Loaded {
    /// What is learnt now, which changes with that.
    fn learnt(&mut self) -> Option<&mut Learnt> {
        let profile = self.profile.as_mut()?;
        self.is_changed = true;
        Some(&mut profile.learnt)
    }

    /// The profile, if it was changed since this was last asked.
    fn changed(&mut self) -> Option<Profile> {
        let profile = self.profile.clone().filter(|_| self.is_changed)?;
        self.is_changed = false;
        Some(profile)
    }

    /// A model that somebody else had loaded again has lost every prefix.
    fn notice_reload(&mut self, sent: &Sent, answer: &Answer) {
        if answer.timings.load.is_some_and(|load| load > RELOAD) {
            self.prefixes.clear();
            self.prefixes.insert(sent.prompt.prefix);
        }
    }
}

impl Cold {
    /// Whether a prompt is taken for a cold one; `plausible` is what its time says.
    const fn holds(self, plausible: Option<bool>) -> bool {
        match self {
            Self::Certain => true,
            Self::Likely => matches!(plausible, Some(true)),
            Self::No | Self::Unknown => false,
        }
    }
}

#[cfg(test)]
#[path = "learning_tests.rs"]
mod tests;
