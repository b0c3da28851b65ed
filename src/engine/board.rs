//! What happened, folded into what is shown. Adding to it takes constant time, and a snapshot's
//! size does not depend on the size of the queue.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use super::cards::Cards;
use super::core::{End, Now, Overview, Published};
use super::history::History;
use super::ledger::Ledger;
use super::origin::Origin;
use crate::base::{Moment, Ring, Stamp};
use crate::context::ReuseCause;
use crate::model::{
    Event, EventKind, FailedCount, Failure, FailureClass, HistoryView, Job, JobId, JobState,
    JobView, LoadedModel, RateView, Readings, RequestId, Reuse, ReuseView, ServerView, Snapshot,
};
use crate::stats::{Eta, Latency, Rates};
use crate::store::Write;

/// Events kept for the log.
const EVENTS: usize = 200;
/// Failures kept for a look.
const FAILURES: usize = 50;
/// Kinds of failures shown.
const FAILED: usize = 200;
/// Rates are over this long.
const WINDOW: Duration = Duration::from_mins(1);

/// The board of a run.
#[derive(Debug)]
pub(super) struct Board {
    address: String,
    simulated: bool,
    version: Option<String>,
    loaded: Vec<LoadedModel>,
    answers: Rates,
    prompts: Rates,
    latency: Latency,
    etas: HashMap<JobId, Eta>,
    events: Ring<Event>,
    failures: Ring<(JobId, RequestId, Failure)>,
    failed: HashMap<(JobId, FailureClass), u64>,
    history: History,
    cards: Cards,
    ledger: Ledger,
    reuse: HashMap<JobId, ReuseView>,
    origin: Origin,
}

impl Board {
    pub(super) fn new(address: String, simulated: bool, jobs: &[Job], now: Moment) -> Self {
        Self {
            address,
            simulated,
            version: None,
            loaded: Vec::new(),
            answers: Rates::new(WINDOW, now),
            prompts: Rates::new(WINDOW, now),
            latency: Latency::new(),
            etas: HashMap::new(),
            events: Ring::new(EVENTS),
            failures: Ring::new(FAILURES),
            failed: HashMap::new(),
            history: History::new(now),
            cards: Cards::new(),
            ledger: Ledger::new(jobs),
            reuse: HashMap::new(),
            origin: Origin::new(simulated),
        }
    }

    /// New readings, taken while `seen` was the picture of the run. Returns what is to be told and
    /// what is to be written.
    pub(super) fn read(
        &mut self,
        readings: Arc<Readings>,
        seen: &Snapshot,
        now: Now,
    ) -> (Vec<Event>, Vec<Write>) {
        let mut writes = self.ledger.read(&readings, seen, now);
        writes.extend(self.origin.read(&readings, now));
        let news = self.cards.read(readings, now.moment);
        let events = news.into_iter().map(|text| Event {
            at: now.stamp,
            job: None,
            kind: EventKind::Card,
            text,
        });
        (events.collect(), writes)
    }

    /// The energy that is not on its way to the disk yet.
    pub(super) fn flush(&mut self) -> Vec<Write> {
        self.ledger.flush()
    }

    /// What the jobs saved in earlier processes.
    pub(super) fn saved(&mut self, totals: HashMap<JobId, Reuse>) {
        for (job, total) in totals {
            self.reuse.entry(job).or_default().total = total;
        }
    }

    /// Why a job reuses little; nothing when it does not.
    pub(super) fn causes(&mut self, job: JobId, causes: &[ReuseCause]) {
        let shown = self.reuse.entry(job).or_default();
        let causes = causes.iter().map(|cause| cause.to_string().into());
        shown.causes = causes.collect();
    }

    pub(super) fn event(&mut self, event: Event, now: Moment) {
        self.history.event(event.kind, now);
        self.events.push(event);
    }

    /// Takes in the version of the server. Returns the earlier one, if that was another.
    pub(super) fn version(&mut self, version: &str) -> Option<String> {
        let before = self.version.replace(version.to_owned());
        before.filter(|before| before != version)
    }

    /// This model was loaded for a job. Returns what is to be written.
    pub(super) fn loaded_for(&mut self, job: JobId, model: &LoadedModel, now: Now) -> Write {
        let taken = self.cards.latest();
        let readings = taken.as_ref().map(|taken| taken.readings.as_ref());
        let about = (model, self.version.as_deref());
        self.origin.loaded(job, about, readings, now)
    }

    pub(super) fn loaded(&mut self, models: Vec<LoadedModel>) {
        self.loaded = models;
    }

    /// Failures that an earlier process has stored.
    pub(super) fn failed_before(&mut self, failed: FailedCount) {
        self.failed.insert((failed.job, failed.class), failed.count);
    }

    /// The failures of a job are these now: some were put back, or the job is gone.
    pub(super) fn failed_by_class(&mut self, job: JobId, counts: Vec<(FailureClass, u64)>) {
        self.failed.retain(|(of, _), _| *of != job);
        let counts = counts.into_iter();
        self.failed
            .extend(counts.map(|(class, count)| ((job, class), count)));
    }

    /// The end of a request that is on disk.
    pub(super) fn published(&mut self, published: Published, now: Moment) {
        let eta = self
            .etas
            .entry(published.job)
            .or_insert_with(|| Eta::new(now));
        eta.completed(now, 1);
        match published.end {
            End::Answered { usage, timings, .. } => {
                let tokens = usage.answer.unwrap_or_default().0;
                self.answers.add(now, 1, tokens);
                self.history.ended(now, tokens);
                self.prompts.add(now, 1, usage.prompt.unwrap_or_default().0);
                self.latency.add(timings.wall);
                if let Some(one) = Reuse::of(&usage, &timings) {
                    self.reuse.entry(published.job).or_default().total.add(&one);
                }
            }
            End::Failed(failure) => {
                self.answers.add(now, 1, 0);
                self.history.ended(now, 0);
                *self
                    .failed
                    .entry((published.job, failure.class))
                    .or_default() += 1;
                self.failures
                    .push((published.job, published.request, failure));
            }
        }
    }

    /// The picture at `now`.
    pub(super) fn snapshot(&mut self, core: Overview<'_>, now: Moment, at: Stamp) -> Snapshot {
        let holding = core.waiting.is_some();
        let jobs = core.jobs.iter().map(|(job, running_for)| {
            let runs = matches!(job.state, JobState::Running | JobState::Finishing);
            let (eta, eta_p90) = self
                .eta(job.id, runs && !holding, job.counts.left(), now)
                .unzip();
            JobView {
                id: job.id,
                name: job.name.as_str().into(),
                state: job.state.clone(),
                priority: job.priority,
                counts: job.counts,
                parallel: job.settings.parallel,
                eta,
                eta_p90,
                running_for: *running_for,
                energy: self.ledger.energy(job.id),
                reuse: self.reuse.get(&job.id).cloned().unwrap_or_default(),
            }
        });
        let jobs: Arc<[JobView]> = jobs.collect();
        self.history.sample(now, !core.lanes.is_empty());
        Snapshot {
            now,
            at,
            simulated: self.simulated,
            server: ServerView {
                address: self.address.clone(),
                version: self.version.clone(),
                state: core.server,
                loaded: self.loaded.clone(),
            },
            jobs,
            jobs_left_out: core.jobs_left_out,
            active: core.active,
            lanes: core.lanes,
            lanes_allowed: core.lanes_allowed,
            rates: RateView {
                requests: self.answers.events(now),
                answer_tokens: self.answers.amounts(now),
                prompt_tokens: self.prompts.amounts(now),
            },
            latency: self.latency.view(),
            unsaved: core.unsaved,
            held: core.held,
            waiting: core.waiting,
            events: self.events.iter().cloned().collect(),
            failures: self.failures.iter().cloned().collect(),
            failed: self.failed(),
            readings: self.cards.latest(),
            history: HistoryView {
                cards: self.cards.view(now),
                ..self.history.view()
            },
            watched: None,
            guard: core.guard,
            plan: core.plan.cloned(),
            context: core.context,
        }
    }

    fn failed(&self) -> Arc<[FailedCount]> {
        let mut all: Vec<FailedCount> = self
            .failed
            .iter()
            .map(|(&(job, class), &count)| FailedCount { job, class, count })
            .collect();
        all.sort_by_key(|one| (std::cmp::Reverse(one.count), one.job, one.class));
        all.truncate(FAILED);
        all.into()
    }

    /// Time left of a job. Only time in which it really ran counts.
    fn eta(
        &mut self,
        job: JobId,
        runs: bool,
        left: u64,
        now: Moment,
    ) -> Option<(Duration, Duration)> {
        let eta = self.etas.get_mut(&job)?;
        if runs {
            eta.resume(now);
        } else {
            eta.pause(now);
        }
        (runs && left > 0)
            .then(|| eta.interval(now, left))
            .flatten()
    }
}
