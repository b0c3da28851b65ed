//! What arrives at the driver: commits, ends of tasks, readings of the cards. Each is told to the
//! core, and to those who learn from it.

use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use crate::base::Stamp;
use crate::context::ModelFacts;
use crate::engine::core::{Input, Ticket};
use crate::engine::learning::About;
use crate::engine::tasks::Ended;
use crate::inference::Server;
use crate::model::{Answer, Event, EventKind, Failure, LoadOptions, Readings, RequestId};
use crate::store::{Reply, Write};

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
            Ended::Answer(request, send, mut result) => {
                self.learn(request, &mut result);
                self.step(Input::Ended(request, send, result));
            }
            Ended::Warm(load, result) => {
                self.asked_loaded = None;
                self.warmed(load, result);
            }
            Ended::Probe(Ok(version)) => {
                if let Some(before) = self.board.version(&version) {
                    self.tell_version(&version, &before);
                }
                self.step(Input::Probed(Ok(())));
            }
            Ended::Probe(Err(failure)) => self.step(Input::Probed(Err(failure))),
            Ended::Looked(load, result) => self.looked(load, result),
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

    /// A plan is made with what earlier loads have shown, and learning needs the model's shape.
    fn looked(&mut self, load: LoadOptions, mut result: Result<Box<ModelFacts>, Failure>) {
        if let Ok(facts) = &mut result {
            facts.learnt = self.learning.overhead(&load);
            let shape = facts.shape.as_ref().ok().cloned();
            self.shape = shape.map(|shape| (load.clone(), shape));
        }
        self.step(Input::Looked(load, result));
    }

    /// What the server says of a model that it has just loaded, and what earlier runs have learnt
    /// of it, is known before anything is sent.
    fn warmed(&mut self, load: LoadOptions, result: Result<(Duration, Box<About>), Failure>) {
        let result = result.map(|(took, mut about)| {
            let shape = self.shape.as_ref().filter(|(of, _)| *of == load);
            about.shape = shape.map(|(_, shape)| shape.clone());
            let loaded = about.loaded.clone();
            if let Some(window) = loaded.as_ref().and_then(|it| it.window) {
                self.step(Input::Window(load.clone(), window));
            }
            let recalled = self.learning.loaded(load.clone(), *about);
            self.core.recall_learned(&load, recalled);
            (took, loaded)
        });
        let (took, loaded) = result.map_or_else(
            |failure| (Err(failure), None),
            |(took, loaded)| (Ok(took), loaded),
        );
        self.step(Input::Warmed(load, took));
        if let Some(loaded) = loaded {
            let now = self.now();
            if let Some(job) = self.core.overview(now.moment).active {
                let write = self.board.loaded_for(job, &loaded, now);
                self.note(write);
            }
            self.step(Input::Loaded(vec![loaded]));
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

    /// Learns from the end of a request before it is stored.
    fn learn(&mut self, request: RequestId, result: &mut Result<Box<Answer>, Failure>) {
        let job = match result {
            Ok(answer) => self.learning.answered(request, answer),
            Err(failure) => {
                self.learning.failed(request, failure);
                None
            }
        };
        let news = job.and_then(|job| Some((job, self.learning.news(job)?)));
        if let Some((job, text)) = news {
            self.tell(Event {
                at: Stamp::now(),
                job: Some(job),
                kind: EventKind::LowReuse,
                text,
            });
        }
    }

    pub(super) fn store_learnt(&mut self, is_end: bool) {
        if let Some((load, lanes)) = self.core.lanes_found() {
            self.learning.lanes(load, lanes);
        }
        let now = self.now();
        for profile in self.learning.take_due(now.moment, now.stamp, is_end) {
            self.write(Write::Learn(Box::new(profile)), None);
        }
    }
}
