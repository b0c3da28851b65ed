//! The plan of what is loaded: made before the load, corrected by what the server reports after
//! it.

use super::{Core, Effect, Load, Now};
use crate::base::{bytes, count};
use crate::context::{CacheType, ModelFacts, Outlook, Wish};
use crate::inference::is_same_model;
use crate::model::{
    EventKind, Failure, JobId, JobState, LoadOptions, LoadedModel, PlanView, Readings,
};

/// A plan and what it was made from.
#[derive(Debug)]
pub(super) struct Planned {
    options: LoadOptions,
    facts: Box<ModelFacts>,
    wish: Wish,
    /// Whether the slots were given or found; else one is assumed and nothing can be learnt.
    slots_known: bool,
    view: PlanView,
    /// What was told of the present load, so that it is told once.
    told: Told,
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    spilled: bool,
    window: Option<u64>,
}

impl Core {
    /// The plan of the model that is loaded or being loaded, corrected by what the server reports.
    pub fn plan(&self) -> Option<&PlanView> {
        self.planned.as_ref().map(|planned| &planned.view)
    }

    /// The sliding window of the model that is loaded, in tokens, where it has one.
    pub(super) fn sliding_window(&self) -> Option<u64> {
        let planned = self.planned.as_ref()?;
        planned.facts.shape.as_ref().ok()?.sliding_window
    }

    /// Whether the server must be asked about a model before it is loaded.
    pub(super) fn is_planned(&self, options: &LoadOptions) -> bool {
        let planned = self.planned.as_ref();
        planned.is_some_and(|planned| planned.options == *options)
    }

    /// The server has told about the model that is to be loaded, or not: then it is loaded without
    /// a plan, and loading says what is wrong.
    pub(super) fn looked(
        &mut self,
        options: &LoadOptions,
        result: Result<Box<ModelFacts>, Failure>,
        now: Now,
    ) {
        if !matches!(&self.load, Load::Warming { options: asked, .. } if asked == options) {
            return;
        }
        self.planned = None;
        if let Ok(mut facts) = result {
            facts.learnt = self.learning.overhead(options);
            let jobs: Vec<JobId> = self.jobs_that_want(options).collect();
            let outlook = self.make_plan(options, facts, &jobs);
            if self.refuses_to_spill() && outlook.surely_spills() {
                self.refuse(&jobs, &outlook, now);
            }
        }
        if self.jobs_that_want(options).next().is_none() {
            self.load = Load::None;
            return;
        }
        self.warm(options.clone());
    }

    pub(super) fn warm(&mut self, options: LoadOptions) {
        let first = self.jobs_that_want(&options).next();
        let job = first.and_then(|id| self.job(id));
        let needed = job.map(|job| job.models.clone()).unwrap_or_default();
        self.effects.push(Effect::Warm(options, needed));
    }

    fn make_plan(
        &mut self,
        options: &LoadOptions,
        facts: Box<ModelFacts>,
        jobs: &[JobId],
    ) -> Outlook {
        let lanes = jobs.iter().filter_map(|id| self.job(*id));
        let lanes = lanes.filter_map(|job| job.settings.parallel.fixed()).max();
        let found = || self.tuners.get(options)?.found();
        let slots = self.learning.slots(options).or(lanes).or_else(found);
        let wish = Wish {
            window: options.num_ctx.map(u64::from),
            slots: slots.unwrap_or(1).max(1),
            cache: CacheType::default(),
        };
        let outlook = facts.outlook(&wish, &self.readings());
        self.planned = Some(Planned {
            options: options.clone(),
            view: view(&outlook),
            facts,
            wish,
            slots_known: slots.is_some(),
            told: Told::default(),
        });
        outlook
    }

    /// A job that surely does not fit fails to start, unless it may spill.
    fn refuse(&mut self, jobs: &[JobId], outlook: &Outlook, now: Now) {
        let may_spill = |id: JobId| self.job(id).is_some_and(|job| job.settings.allow_spill);
        let refused: Vec<JobId> = jobs.iter().copied().filter(|id| !may_spill(*id)).collect();
        if !refused.is_empty() {
            // Whoever resumes it later has perhaps made room: it is looked at again.
            self.planned = None;
        }
        for id in refused {
            let why = outlook.refusal();
            self.set_state(id, JobState::FailedToStart { why }, now);
            self.release_idle(|job| job == id);
        }
    }

    /// The server has told what it holds in memory.
    pub(super) fn heard_loaded(&mut self, models: &[LoadedModel], now: Now) {
        let Load::Ready { options } = &self.load else {
            return;
        };
        let own = models
            .iter()
            .find(|it| is_same_model(&it.name, &options.model));
        let (Some(own), true) = (own.cloned(), self.is_planned(options)) else {
            return;
        };
        let options = options.clone();
        let readings = self.readings();
        let Some(planned) = &mut self.planned else {
            return;
        };
        let told = planned.correct(own, &readings);
        if let Some(bytes) = planned.measured(&readings) {
            self.learning.learn_overhead(&options, bytes);
        }
        for text in told {
            self.tell(None, EventKind::Plan, text, now);
        }
    }
}

impl Planned {
    /// Takes over what the server reports; returns what is worth telling.
    fn correct(&mut self, own: LoadedModel, readings: &Readings) -> Vec<String> {
        let spilled = spilled(&own);
        let window = own
            .window
            .map(|window| window.0)
            .filter(|window| *window > 0);
        self.facts.own = Some(own);
        // What the server has loaded, not what was asked of it, is what takes memory.
        let wish = Wish {
            window: window.or(self.wish.window),
            ..self.wish
        };
        let words = std::mem::take(&mut self.view.words);
        self.view = PlanView {
            spilled,
            words,
            ..view(&self.facts.outlook(&wish, readings))
        };
        self.news(spilled, window)
    }

    /// Bytes that computing takes, as the load has shown. Without an idea of the server's slots the
    /// rest of its memory is no such thing.
    fn measured(&self, readings: &Readings) -> Option<u64> {
        let is_known = self.slots_known;
        is_known.then(|| self.facts.overhead(&self.wish, readings))?
    }

    fn news(&mut self, spilled: Option<u64>, window: Option<u64>) -> Vec<String> {
        let mut news = Vec::new();
        let model = &self.options.model;
        let is_spilled = spilled.is_some_and(|bytes| bytes > 0);
        if is_spilled && !self.told.spilled {
            let all = self.facts.own.as_ref().and_then(|own| own.size);
            news.push(format!(
                "{} of {} of `{model}` do not fit the card and run on the CPU, which is far slower; \
                 a smaller window or fewer slots need less",
                bytes(spilled.unwrap_or_default()),
                bytes(all.unwrap_or_default())
            ));
        }
        let asked = self.options.num_ctx.map(u64::from);
        let short = window.zip(asked).filter(|(window, asked)| window < asked);
        if let Some((window, asked)) = short.filter(|(window, _)| self.told.window != Some(*window))
        {
            news.push(format!(
                "the server gives `{model}` a window of {} tokens instead of the {} that were asked \
                 for; longer prompts are refused",
                count(window),
                count(asked)
            ));
        }
        self.told = Told {
            spilled: is_spilled,
            window: short.map(|(window, _)| window),
        };
        news
    }
}

/// Bytes that are not on a card. A server that reports more on cards than there is in all has
/// nothing beside them.
fn spilled(own: &LoadedModel) -> Option<u64> {
    Some(own.size?.saturating_sub(own.size_vram?))
}

fn view(outlook: &Outlook) -> PlanView {
    let plan = &outlook.plan;
    PlanView {
        model: outlook.model.clone(),
        window: plan.load.window,
        slots: plan.load.slots,
        weights: plan.needs.weights,
        cache: plan.needs.cache,
        overhead: plan.needs.overhead,
        overhead_measured: plan.needs.overhead_measured,
        spilled: None,
        words: outlook.sentences(),
    }
}
