//! Giving requests back to the queue: after a pause, a cancel, a stop, or a change of order.

use std::collections::{BTreeMap, VecDeque};

use super::{Core, Effect, Flight, Unsaved};
use crate::model::{JobId, RequestId};
use crate::store::{Claimed, Record, Write};

impl Core {
    /// Puts everything of the chosen jobs that is not in flight back in the queue.
    pub(super) fn release_idle(&mut self, of: impl Fn(JobId) -> bool) {
        self.release_ready(|request| of(request.unit.job));
        let (out, stay): (BTreeMap<_, _>, _) = std::mem::take(&mut self.waiting)
            .into_iter()
            .partition(|(_, waiting)| of(waiting.request.unit.job));
        self.waiting = stay;
        for waiting in out.into_values() {
            self.release_unsent(waiting.request);
        }
        let (out, stay): (Vec<_>, _) = std::mem::take(&mut self.suspects)
            .into_iter()
            .partition(|suspect| of(suspect.flight.request.unit.job));
        self.suspects = stay;
        for suspect in out {
            self.release(&suspect.flight.request);
        }
    }

    pub(super) fn release_ready(&mut self, which: impl Fn(&Claimed) -> bool) {
        let (out, stay): (VecDeque<_>, _) = std::mem::take(&mut self.ready)
            .into_iter()
            .partition(|r| which(r));
        self.ready = stay;
        for request in out {
            self.release_unsent(request);
        }
    }

    /// Drops the connections of the chosen requests and queues them again.
    pub(super) fn abort(&mut self, which: impl Fn(&Flight) -> bool) {
        let chosen: Vec<RequestId> = self
            .flight
            .values()
            .filter(|f| which(f))
            .map(|f| f.request.id)
            .collect();
        for id in chosen {
            if let Some(flight) = self.flight.remove(&id) {
                self.effects.push(Effect::Abort(id));
                self.release(&flight.request);
            }
        }
    }

    /// Queues a request again whose coming attempt was counted but never made.
    pub(super) fn release_unsent(&mut self, mut request: Claimed) {
        request.attempts.sent = request.attempts.sent.saturating_sub(1);
        self.release(&request);
    }

    pub(super) fn release(&mut self, request: &Claimed) {
        self.step_back(request.id);
        let record = Record::Released {
            request: request.id,
            attempts: request.attempts,
        };
        self.unsaved
            .insert(request.id, Unsaved::Released(request.unit));
        self.effects.push(Effect::Write(Write::Save(record), None));
    }
}
