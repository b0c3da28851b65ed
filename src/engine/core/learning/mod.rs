//! What is learnt of models, and nowhere else: how many tokens texts have, how fast prompts are read,
//! which windows and contexts are safe, how much of the prompts was not read again.
//!
//! It is told of every sending, answer, refusal and load. What prompts consist of and what a plan says
//! is decided by what it knows; what is worth keeping becomes a [`Profile`] on the disk.

mod loaded;
mod reuse;

use std::collections::HashMap;
use std::time::Duration;

use self::loaded::Loaded;
use self::reuse::{JobReuse, Sent};
use super::tuner::Tuner;
use super::{Core, Effect, Flight, Load, Now, Warmed};
use crate::base::{Moment, Stamp};
use crate::context::{Calibration, Learnt, Profile, ReuseCause, ReuseSigns};
use crate::inference::is_same_model;
use crate::model::{
    Answer, EventKind, Failure, FailureClass, Finish, JobId, LoadOptions, Parallel, Prompt,
    RequestId, Tokens,
};
use crate::store::{Claimed, Write};

/// What was learnt is stored at least so far apart.
const STORE: Duration = Duration::from_mins(1);
/// The window that Ollama 0.33 takes where nobody names one and the cards are small: what is
/// assumed until the server has told.
const ASSUMED: Tokens = Tokens(4_096);

/// What is learnt in a run.
#[derive(Debug, Default)]
pub(super) struct Learning {
    /// What was learnt before, here and in earlier runs.
    known: Vec<Profile>,
    card: String,
    model: Option<Loaded>,
    seen: HashMap<LoadOptions, Seen>,
    sent: HashMap<RequestId, Sent>,
    jobs: HashMap<JobId, JobReuse>,
    /// Changed, and on a ground that was left meanwhile.
    left: Vec<Profile>,
    stored: Option<Moment>,
}

/// What this run has seen of a model as it was loaded.
#[derive(Debug, Default)]
struct Seen {
    window: Option<Tokens>,
    peak: Option<Tokens>,
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

    /// How many tokens texts have for the model that is loaded so.
    pub(super) fn calibration(&self, load: &LoadOptions) -> Calibration {
        self.learnt(load)
            .map(|it| it.calibration)
            .unwrap_or_default()
    }

    /// The largest context to use, where something was seen to fail.
    pub(super) fn usable(&self, load: &LoadOptions) -> Option<Tokens> {
        self.learnt(load)?.limit.usable()
    }

    /// The window of a slot, as the server told it or as it was asked for.
    pub(super) fn told_window(&self, load: &LoadOptions) -> Option<Tokens> {
        let told = self.seen.get(load).and_then(|it| it.window);
        told.or(load.num_ctx.map(|window| Tokens(window.into())))
    }

    /// The same, or what is assumed while nobody has told.
    pub(super) fn window(&self, load: &LoadOptions) -> Tokens {
        self.told_window(load).unwrap_or(ASSUMED)
    }

    /// The largest context that was seen in this run.
    pub(super) fn peak(&self, load: &LoadOptions) -> Option<Tokens> {
        self.seen.get(load)?.peak
    }

    /// Slots that the server was seen to have for this model; only a probe shows them.
    pub(super) fn slots(&self, load: &LoadOptions) -> Option<u32> {
        let shown = self.here(load).filter(|it| it.learnt.slots.is_some());
        shown.max_by_key(|it| it.at)?.learnt.slots
    }

    /// Bytes that computing took at an earlier load of this model.
    pub(super) fn overhead(&self, load: &LoadOptions) -> Option<u64> {
        Profile::overhead(self.here(load), load.num_ctx)
    }

    /// A load has shown how many bytes computing takes.
    pub(super) fn learn_overhead(&mut self, load: &LoadOptions, bytes: u64) {
        self.note(load, |learnt| learnt.overhead.replace(bytes) != Some(bytes));
    }

    /// So many requests at a time were found to be best.
    pub(super) fn learn_lanes(&mut self, load: &LoadOptions, lanes: u32) {
        self.note(load, |learnt| learnt.lanes.replace(lanes) != Some(lanes));
    }

    /// A model was loaded for requests so many at a time. Gives back how many of them earlier runs
    /// found to be best.
    pub(super) fn loaded(
        &mut self,
        load: &LoadOptions,
        warmed: &Warmed,
        (parallel, now): (Parallel, Stamp),
    ) -> Option<u32> {
        self.put_away();
        if let Some(window) = warmed.loaded.as_ref().and_then(|it| it.window) {
            self.tell_window(load, window);
        }
        let place = (self.card.as_str(), parallel);
        let model = Loaded::new(load.clone(), warmed, place, (&self.known, now));
        let lanes = model.profile.learnt.lanes;
        self.model = Some(model);
        lanes
    }

    /// A request is on its way with a prompt of so many bytes; nothing where they are those of its
    /// body.
    pub(super) fn sent(&mut self, request: &Claimed, lane: u32, bytes: Option<u64>) {
        let (Some(prompt), Some(model)) = (request.prompt, self.model.as_mut()) else {
            return;
        };
        let sent = Sent {
            job: request.unit.job,
            lane,
            prompt: Prompt {
                bytes: bytes.unwrap_or(prompt.bytes),
                ..prompt
            },
            cold: model.cold(&prompt, request.endpoint),
        };
        self.sent.insert(request.id, sent);
    }

    /// A request was dropped before it came to an end.
    pub(super) fn dropped(&mut self, request: RequestId) {
        self.sent.remove(&request);
    }

    /// An answer came: notes in it what was not read again.
    pub(super) fn answered(&mut self, flight: &Flight, answer: &mut Answer) {
        let Some(sent) = self.sent.remove(&flight.request.id) else {
            return;
        };
        let context = answer.usage.prompt;
        let context = context.map(|prompt| prompt + answer.usage.answer.unwrap_or_default());
        let seen = self.seen.entry(flight.load.clone()).or_default();
        seen.peak = seen.peak.max(context);
        let model = self.model.as_mut().filter(|it| it.load == flight.load);
        let Some(model) = model else { return };
        model.notice_reload(&sent, answer);
        let learnt = model.learnt_mut();
        learn(learnt, &sent, answer);
        let job = self.jobs.entry(sent.job).or_default();
        job.measure(&sent, learnt, answer);
    }

    /// A request failed. A refusal that the window explains teaches the window and the tokens. What
    /// failed within it, or for want of memory, is a limit of the card; and so is a window that is
    /// smaller than the server said, which the next run would not know otherwise.
    pub(super) fn failed(&mut self, flight: &Flight, failure: &Failure) {
        let (load, request) = (&flight.load, flight.request.id);
        let Some(sent) = self.sent.remove(&request) else {
            return;
        };
        let told = self.told_window(load);
        if let Some(need) = failure.need {
            self.tell_window(load, need.window);
        }
        self.note(load, |learnt| match (failure.class, failure.need) {
            (FailureClass::ContextLength, Some(need)) => {
                learnt.calibration.learn(sent.prompt.bytes, need.prompt);
                let is_less = told.is_some_and(|told| need.window < told);
                if is_less && need.window.0 > 0 {
                    learnt.limit.went_well(need.window);
                }
                if is_less || need.prompt < need.window {
                    learnt.limit.failed(need.prompt);
                }
                true
            }
            (FailureClass::OutOfMemory, _) => {
                let context = learnt.calibration.estimate(sent.prompt.bytes);
                learnt.limit.failed(context);
                true
            }
            _ => false,
        });
    }

    /// Why a job's prompts are read in full again although they begin alike; nothing while all
    /// is well.
    fn causes(&self, job: JobId, sliding_window: Option<Tokens>) -> Vec<ReuseCause> {
        let (Some(reuse), Some(model)) = (self.jobs.get(&job), &self.model) else {
            return Vec::new();
        };
        reuse.meter.causes(&ReuseSigns {
            shared: reuse.shared_by_each(),
            sliding_window,
            lanes: reuse.lanes,
            slots: model.profile.learnt.slots,
        })
    }

    /// What is to be stored now, if it is time; the end is always time.
    fn take_due(&mut self, now: Now, is_end: bool) -> Vec<Profile> {
        let is_due = self.stored.is_none_or(|at| now.moment.since(at) >= STORE);
        if !(is_due || is_end) {
            return Vec::new();
        }
        let mut changed = std::mem::take(&mut self.left);
        changed.extend(self.model.as_mut().and_then(Loaded::changed));
        for profile in &mut changed {
            profile.at = now.stamp;
        }
        if !changed.is_empty() {
            self.stored = Some(now.moment);
        }
        changed
    }

    /// Makes sure that what is learnt now is learnt on the present ground.
    fn stand_on(&mut self, parallel: Parallel, now: Stamp) {
        let Some(model) = &self.model else { return };
        let ground = model.ground(&self.card, parallel);
        if model.profile.ground == ground {
            return;
        }
        self.put_away();
        if let Some(model) = &mut self.model {
            model.stand_on(ground, &self.known, now);
        }
    }

    /// Keeps what was learnt so far at hand for when its ground comes again.
    fn put_away(&mut self) {
        let Some(model) = &mut self.model else { return };
        self.left.extend(model.changed());
        let profile = model.profile.clone();
        self.known.retain(|known| known.ground != profile.ground);
        self.known.push(profile);
    }

    fn tell_window(&mut self, load: &LoadOptions, window: Tokens) {
        if window.0 > 0 {
            self.seen.entry(load.clone()).or_default().window = Some(window);
        }
    }

    /// Changes what is learnt of the model that is loaded so; `change` says whether it did.
    fn note(&mut self, load: &LoadOptions, change: impl FnOnce(&mut Learnt) -> bool) {
        if let Some(model) = self.model.as_mut().filter(|it| it.load == *load) {
            model.note(change);
        }
    }

    fn learnt(&self, load: &LoadOptions) -> Option<&Learnt> {
        let model = self.model.as_ref().filter(|it| it.load == *load)?;
        Some(&model.profile.learnt)
    }

    /// What was learnt of a model on the present card, by its name.
    fn here(&self, load: &LoadOptions) -> impl Iterator<Item = &Profile> {
        let present = self.model.as_ref().map(|it| &it.profile);
        let all = self.known.iter().chain(present);
        let here = all.filter(|it| it.ground.card == self.card);
        here.filter(|it| is_same_model(&it.model, &load.model))
    }
}

/// Takes in the figures of an answer.
fn learn(learnt: &mut Learnt, sent: &Sent, answer: &Answer) {
    let (usage, timings) = (&answer.usage, &answer.timings);
    let Some(prompt) = usage.prompt else { return };
    learnt.calibration.learn(sent.prompt.bytes, prompt);
    // An answer that filled the window says where it ends, not what is safe.
    if answer.finish != Finish::ContextFull {
        let context = prompt + usage.answer.unwrap_or_default();
        learnt.limit.went_well(context);
    }
    if let (Some(prefill), None) = (timings.prefill, usage.cached)
        && sent.cold.holds(learnt.cold.may_be_cold(prompt, prefill))
    {
        learnt.cold.learn(prompt, prefill);
    }
}

impl Core {
    /// The same core, knowing what earlier runs have learnt.
    #[must_use]
    pub fn knowing(mut self, profiles: Vec<Profile>) -> Self {
        self.learning = Learning::new(profiles);
        self
    }

    /// Why a job's prompts are read in full again although they begin alike; nothing while all
    /// is well.
    pub fn reuse_causes(&self, job: JobId) -> Vec<ReuseCause> {
        let sliding_window = self.sliding_window().map(Tokens);
        self.learning.causes(job, sliding_window)
    }

    /// A request goes out in a lane: from now on its end teaches something.
    pub(super) fn learn_from_sending(&mut self, request: &Claimed, lane: u32) {
        let bytes = self.prompts.bytes(request.id);
        self.learning.sent(request, lane, bytes);
    }

    /// Sees to it that what is learnt of requests so many at a time is kept as such.
    pub(super) fn learn_with(&mut self, parallel: Parallel, now: Now) {
        self.learning.stand_on(parallel, now.stamp);
    }

    /// Tells once why a job reuses little.
    pub(super) fn tell_low_reuse(&mut self, job: JobId, now: Now) {
        let causes = self.reuse_causes(job);
        let reuse = self.learning.jobs.get_mut(&job);
        let Some(reuse) = reuse.filter(|it| !causes.is_empty() && !it.is_told) else {
            return;
        };
        reuse.is_told = true;
        let causes: Vec<String> = causes.iter().map(ReuseCause::to_string).collect();
        let text = format!(
            "prompts begin alike but are read in full again; likely because {}",
            causes.join(", or because ")
        );
        self.tell(Some(job), EventKind::LowReuse, text, now);
    }

    /// Stores what was learnt, when it is time.
    pub(super) fn keep_learnt(&mut self, now: Now, is_end: bool) {
        // After every input: nothing is copied here.
        if let Load::Ready { options } = &self.load
            && let Some(lanes) = self.tuners.get(options).and_then(Tuner::found)
        {
            self.learning.learn_lanes(options, lanes);
        }
        for profile in self.learning.take_due(now, is_end) {
            let write = Write::Learn(Box::new(profile));
            self.effects.push(Effect::Write(write, None));
        }
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
