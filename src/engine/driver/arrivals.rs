//! What arrives at the driver: commits, ends of tasks, readings of the cards. Each is told to the
//! core.

use std::sync::Arc;

use super::Driver;
use crate::engine::core::{Input, Ticket};
use crate::engine::tasks::Ended;
use crate::inference::Server;
use crate::model::Readings;
use crate::store::Reply;

impl<S: Server> Driver<S> {
    pub(super) fn replied(&mut self, reply: Reply) {
        match reply {
            Reply::Committed(results) => {
                for (ticket, result) in results {
                    match result {
                        Err(error) if ticket.is_none() => self.failed = Some(error),
                        result => {
                            let result = result.map_err(|error| error.to_string());
                            self.step(Input::Written(ticket.map(Ticket), result));
                        }
                    }
                }
            }
            Reply::Trouble(error) => {
                let hint = error
                    .hint()
                    .map(|hint| format!("; {hint}"))
                    .unwrap_or_default();
                self.step(Input::StoreTrouble(format!("{error}{hint}")));
            }
            Reply::Well => self.step(Input::StoreWell),
        }
    }

    pub(super) fn task_ended(&mut self, ended: Ended) {
        match ended {
            Ended::Answer(request, send, result) => {
                self.step(Input::Ended(request, send, result));
            }
            Ended::Warm(load, result) => {
                self.asked_loaded = None;
                self.step(Input::Warmed(load, result));
            }
            Ended::Probe(Ok(version)) => {
                self.board.version(version);
                self.step(Input::Probed(Ok(())));
            }
            Ended::Probe(Err(failure)) => self.step(Input::Probed(Err(failure))),
            Ended::Looked(load, result) => self.step(Input::Looked(load, result)),
            Ended::Loaded(models) => {
                self.step(Input::Loaded(models.clone()));
                self.board.loaded(models);
            }
            Ended::Nothing => {}
        }
    }

    /// A card that is asked every second never falls asleep, so it is asked only for a reason.
    pub(super) fn wants_readings(&self) -> bool {
        self.readings_awaited || self.tasks.is_working() || self.core.waits_for_cards()
    }

    /// The one place where new readings arrive.
    pub(super) fn new_readings(&mut self, readings: Readings) {
        self.readings_awaited = false;
        let readings = Arc::new(readings);
        self.step(Input::Readings(Arc::clone(&readings)));
        let seen = Arc::clone(&self.snapshots.borrow());
        let (events, writes) = self.board.read(readings, &seen, self.now());
        for event in events {
            self.tell(event);
        }
        for write in writes {
            self.note(write);
        }
    }
}
