//! What the store says: only from here on is anything true for others.

use super::{Core, Effect, End, Now, Published, Scope, Ticket, Unsaved};
use crate::model::{CommandError, EventKind, JobId, RequestId, Tokens};
use crate::store::{Claimed, Unit, Written};

impl Core {
    pub(super) fn written(
        &mut self,
        ticket: Option<Ticket>,
        result: Result<Written, String>,
        now: Now,
    ) {
        match result {
            Ok(Written::Claimed {
                unit,
                requests,
                exhausted,
            }) => {
                self.claimed(unit, requests, exhausted);
            }
            Ok(Written::Recalled {
                unit,
                conversations,
                highest,
            }) => self.recalled(unit, conversations, highest),
            Ok(Written::Saved { request, .. }) => self.saved(request, now),
            Ok(written) => self.reply_to(ticket, Ok(written), now),
            Err(why) => self.reply_to(ticket, Err(why), now),
        }
    }

    fn claimed(&mut self, unit: Unit, requests: Vec<Claimed>, exhausted: bool) {
        if self.claiming == Some(unit) {
            self.claiming = None;
        }
        let Some(entry) = self.jobs.get_mut(&unit.job) else {
            return;
        };
        if exhausted {
            entry.exhausted.insert(unit.model);
        } else if self.ready.is_empty() {
            // The lanes ran dry before the disk was done.
            self.ahead = (self.ahead * 2).min(super::AHEAD_LIMIT);
        }
        // The model may have been changed, or the job stopped, while the disk was busy.
        let fits = self.load.options() == entry.load(unit).as_ref();
        let unwanted = !fits || self.stop.is_some() || !self.is_runnable(unit.job);
        self.expect(&requests);
        for request in requests {
            if unwanted {
                self.release_unsent(request);
            } else {
                self.ready.push_back(request);
            }
        }
    }

    fn saved(&mut self, request: RequestId, now: Now) {
        match self.unsaved.remove(&request) {
            Some(Unsaved::End(published)) => self.publish(published, now),
            Some(Unsaved::Again) => {
                if let Some(waiting) = self.waiting.get_mut(&request) {
                    waiting.stored = true;
                }
            }
            Some(Unsaved::Released(unit)) => {
                if let Some(entry) = self.jobs.get_mut(&unit.job) {
                    entry.exhausted.remove(&unit.model);
                }
            }
            None => {}
        }
    }

    fn publish(&mut self, published: Published, now: Now) {
        self.add_to_counts(published.job, &published.end);
        if let End::Failed(failure) = &published.end {
            let (job, text) = (published.job, failure.to_string());
            self.tell(Some(job), EventKind::RequestFailed, text, now);
        }
        self.effects.push(Effect::Publish(published));
    }

    fn add_to_counts(&mut self, job: JobId, end: &End) {
        let Some(entry) = self.jobs.get_mut(&job) else {
            return;
        };
        let counts = &mut entry.job.counts;
        match end {
            End::Answered { usage, cut, .. } => {
                counts.done += 1;
                counts.cut += u64::from(*cut);
                counts.prompt_tokens += usage.prompt.unwrap_or(Tokens(0));
                counts.answer_tokens += usage.answer.unwrap_or(Tokens(0));
            }
            End::Failed(_) => counts.failed += 1,
        }
    }

    pub(super) fn store_trouble(&mut self, why: String, now: Now) {
        self.tell(None, EventKind::StoreTrouble, why.clone(), now);
        // Nobody who asks for something in passing wants to wait for a disk.
        if self.scope == Scope::Nothing {
            for ticket in std::mem::take(&mut self.commands).into_keys() {
                let error = CommandError {
                    message: why.clone(),
                    hint: None,
                };
                self.effects.push(Effect::Reply(ticket, Err(error)));
            }
        }
        self.store_trouble = Some(why);
    }

    pub(super) fn store_well(&mut self, now: Now) {
        self.store_trouble = None;
        self.tell(
            None,
            EventKind::StoreWell,
            "the database can be written again".into(),
            now,
        );
    }
}
