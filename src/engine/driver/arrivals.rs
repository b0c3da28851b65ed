//! What arrives at the driver: commits, ends of tasks, readings of the cards. Each is told to the
//! core.

use std::sync::Arc;

use super::Driver;
use crate::base::Stamp;
use crate::engine::core::{Input, Ticket};
use crate::engine::tasks::Ended;
use crate::inference::Server;
use crate::model::{Event, EventKind, LoadedModel, Readings};
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
                let warmed = result.as_ref().ok();
                let loaded = warmed.and_then(|warmed| warmed.loaded.clone());
                self.step(Input::Warmed(load, result));
                if let Some(loaded) = loaded {
                    self.note_origin(&loaded);
                }
            }
            Ended::Probe(Ok(version)) => {
                if let Some(before) = self.board.version(&version) {
                    self.tell_version(&version, &before);
                }
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

    /// Another version may answer otherwise: whoever compares answers later wants to know.
    fn tell_version(&mut self, version: &str, before: &str) {
        self.tell(Event {
            at: Stamp::now(),
            job: None,
            kind: EventKind::ServerUp,
            text: format!("the server is version {version} now; it was {before}"),
        });
    }

    /// A report says what its job ran on, long after the model is gone.
    fn note_origin(&mut self, loaded: &LoadedModel) {
        let now = self.now();
        if let Some(job) = self.core.overview(now.moment).active {
            let write = self.board.loaded_for(job, loaded, now);
            self.note(write);
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
