//! What a prompt consists of when it is sent, and what comes of it: the history before it, what is
//! left out to make it fit, and what its end teaches.

use std::sync::Arc;

use super::draft::{Cut, Draft, Measure, Order, SHORTER_TRIES};
use super::sent::{Refused, Sent};
use crate::base::count;
use crate::context::{Budget, Trigger};
use crate::engine::core::{Core, Effect, Flight, Now};
use crate::model::{
    Answer, ContextView, EventKind, Failure, FailureClass, JobId, JobSettings, LaneContext,
    LoadOptions, Overflow, RequestId, Tokens, Trim, TrimPolicy, TrimReason, TrimView,
};
use crate::store::{Claimed, Write};

/// What an estimate was too low by where the refusal gives no figures.
const BLIND_SCALE: f64 = 1.5;
/// Lanes shown at most.
const LANES_SHOWN: usize = 64;

impl Core {
    /// The messages to send instead of those in the request's body: with the history before them,
    /// and without what does not fit. Nothing where the body is sent as it is.
    pub(in crate::engine::core) fn compose(
        &mut self,
        request: &Claimed,
        lane: u32,
        load: &LoadOptions,
        now: Now,
    ) -> Option<Vec<Arc<str>>> {
        self.join(request);
        let prompt = self.prompts.read(request)?;
        let settings = Arc::clone(&self.jobs.get(&request.unit.job)?.settings);
        let order = self.order(request.id, &settings);
        let talk = self.conversations.of(request.id);
        let history = talk.map_or(&[][..], |talk| talk.before(request.id));
        let mut draft = Draft::of(&prompt, history);
        let measure = Measure {
            calibration: self.learning.calibration(load),
            scale: self.prompts.refused(request.id).map_or(1.0, |it| it.scale),
        };
        let budget = self.budget(load, &settings, prompt.cap);
        let is_known = self.learning.told_window(load).is_some() || order.refused > 0;
        let is_watched = talk.is_some() || (settings.on_overflow == Overflow::Trim && is_known);
        if is_watched
            && (!draft.fit_history(measure, &budget, order) || order.refused > 0)
            && draft.history.is_empty()
            && settings.on_overflow == Overflow::Trim
        {
            draft.fit_own(measure, &budget, order);
        }
        let context = LaneContext {
            lane,
            request: request.id,
            system: measure.tokens(prompt.system_bytes()),
            history: measure.tokens(draft.history_bytes()),
            question: measure.tokens(draft.own_bytes()),
            answer: budget.answer,
        };
        let sent = Sent {
            context,
            bytes: prompt.system_bytes() + draft.history_bytes() + draft.own_bytes(),
            own: draft.own.iter().map(|&message| message.clone()).collect(),
            is_compressible: draft.is_compressible(settings.on_overflow),
        };
        let (written, cuts) = (draft.written(), draft.cuts);
        self.prompts.send(request.id, sent);
        for cut in cuts {
            self.trimmed(request, order, cut, now);
        }
        self.interval_over(request.id, order);
        written
    }

    /// Whether the history before a request is to be trimmed, how and why.
    fn order(&self, request: RequestId, settings: &JobSettings) -> Order {
        let order = |policy, trigger, reason| Order {
            policy,
            trigger,
            reason,
            refused: 0,
        };
        if let Some(refused) = self.prompts.refused(request) {
            return Order {
                refused: refused.times,
                ..order(settings.trim, Trigger::Now, TrimReason::Refused)
            };
        }
        let talk = self.conversations.of(request);
        let since = talk.map_or(0, |talk| talk.since_trim);
        if talk.is_some() && self.memory_is_tight() {
            order(TrimPolicy::Aggressive, Trigger::Now, TrimReason::Memory)
        } else if settings.trim_interval > 0 && since >= settings.trim_interval {
            let requests = since;
            order(
                settings.trim,
                Trigger::Now,
                TrimReason::Interval { requests },
            )
        } else {
            order(settings.trim, Trigger::WhenTooLong, TrimReason::Tokens)
        }
    }

    /// The interval counts from here whether or not there was anything to leave out.
    fn interval_over(&mut self, request: RequestId, order: Order) {
        if matches!(order.reason, TrimReason::Interval { .. })
            && let Some(talk) = self.conversations.of_mut(request)
        {
            talk.since_trim = 0;
        }
    }

    /// Stores a trim and tells it.
    fn trimmed(&mut self, request: &Claimed, order: Order, cut: Cut, now: Now) {
        let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let trim = Trim {
            request: request.id,
            policy: cut.policy,
            reason: order.reason,
            messages_before: small(cut.messages.0),
            messages_after: small(cut.messages.1),
            tokens_before: cut.tokens.0,
            tokens_after: cut.tokens.1,
        };
        if let Some(talk) = self.conversations.of_mut(request.id) {
            talk.drop_exchanges(&cut.dropped);
            talk.since_trim = 0;
        }
        let job = request.unit.job;
        let text = told(request, &trim);
        self.prompts.trim(|number| TrimView {
            number,
            at: now.stamp,
            job,
            custom_id: Arc::clone(&request.custom_id),
            trim: trim.clone(),
        });
        let write = Write::Trim(job, now.stamp, trim, cut.dropped);
        self.effects.push(Effect::Write(write, None));
        self.tell(Some(job), EventKind::Trimmed, text, now);
    }

    /// Adds an answer to its conversation.
    pub(in crate::engine::core) fn remember(&mut self, flight: &Flight, answer: &Answer) {
        let request = flight.request.id;
        let sent = self.prompts.back(request);
        self.prompts.ended(request);
        let talk = self.conversations.leave(request);
        if let Some((sent, talk)) = sent.zip(talk) {
            talk.add(request, sent.own, answer);
        }
    }

    /// Whether a request that failed is to be sent again with a shorter prompt.
    pub(in crate::engine::core) fn is_shortened(
        &mut self,
        flight: &Flight,
        failure: &Failure,
    ) -> bool {
        let request = flight.request.id;
        let Some(sent) = self.prompts.back(request) else {
            return false;
        };
        let before = self.prompts.refused(request);
        let times = before.map_or(0, |it| it.times) + 1;
        let is_too_long = failure.class == FailureClass::ContextLength;
        if !is_too_long || !sent.is_compressible || times > SHORTER_TRIES {
            return false;
        }
        let estimated = self.learning.calibration(&flight.load).careful(sent.bytes);
        let scale = match failure.need {
            Some(need) => need.prompt.0 as f64 / estimated.0.max(1) as f64,
            None => before.map_or(1.0, |it| it.scale) * BLIND_SCALE,
        };
        let scale = scale.max(1.0);
        self.prompts.refuse(request, Refused { times, scale });
        true
    }

    fn budget(&self, load: &LoadOptions, settings: &JobSettings, cap: Option<u64>) -> Budget {
        let cap = Tokens(cap.unwrap_or(u64::from(settings.max_tokens)));
        let (window, share) = (self.learning.window(load), settings.safe_share);
        Budget::of(window, cap, share, self.learning.usable(load))
    }

    /// The context windows of a job, and the last trims of all.
    pub(in crate::engine::core) fn context_view(&self, active: Option<JobId>) -> ContextView {
        let (trims, trimmed) = self.prompts.trims();
        let view = ContextView {
            lanes: self.prompts.lanes(LANES_SHOWN),
            trims,
            trimmed,
            ..ContextView::default()
        };
        let Some(entry) = active.and_then(|job| self.jobs.get(&job)) else {
            return view;
        };
        let mut flying = self.flight.values();
        let flying = flying.find(|it| it.request.unit.job == entry.job.id);
        let load = flying.map(|it| it.load.clone());
        let Some(load) = load.or_else(|| entry.job.load_options(0)) else {
            return view;
        };
        let window = self.learning.told_window(&load);
        let budget = self.budget(&load, &entry.settings, None);
        ContextView {
            mode: entry.settings.mode,
            window,
            safe: window.map(|_| budget.safe()),
            peak: self.learning.peak(&load),
            error: self.learning.calibration(&load).error(),
            ..view
        }
    }
}

fn told(request: &Claimed, trim: &Trim) -> String {
    format!(
        "before `{}`: {} → {} messages, {} → {} tokens ({}: {})",
        request.custom_id,
        count(trim.messages_before.into()),
        count(trim.messages_after.into()),
        count(trim.tokens_before.0),
        count(trim.tokens_after.0),
        trim.policy,
        trim.reason
    )
}
