//! One request in the server's hands, from its arrival to its reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::durations::KeepAlive;
use super::edition::{Edition, Sight};
use super::faults::Action;
use super::log::{Outcome, Route, Ticket};
use super::models::ModelScript;
use super::options::LoadTuple;
use super::runner::Lease;
use super::scheduler::{BUSY, Need};
use super::server::Server;
use super::wire::{Cut, JSON, PLAIN_JSON, Refusal, Reply, reply};

/// Most characters that the log keeps of a message or a name.
const KEPT: usize = 80;

/// What llama-server reports when a model does not fit.
const OUT_OF_MEMORY_AT_LOAD: &str =
    "llama-server reported out-of-memory during startup: cudaMalloc failed: out of memory";

/// A request and all that is needed to answer it.
#[derive(Debug)]
pub(super) struct Call {
    pub server: Arc<Server>,
    pub edition: Arc<Edition>,
    pub ticket: Ticket,
    pub route: Route,
    pub fault: Option<Action>,
    /// Set to have the connection reset instead of closed.
    pub reset: Arc<AtomicBool>,
    model: String,
    message: String,
    load_only: bool,
}

/// Why a request gets no answer.
#[derive(Debug)]
pub(super) enum Halt {
    /// It is refused.
    Refused(Refusal),
    /// The runner died while it worked on it.
    Crashed(Refusal),
    /// The connection is closed, or reset.
    HangUp { reset: bool },
}

impl From<Refusal> for Halt {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl Call {
    pub(super) fn new(
        server: Arc<Server>,
        ticket: Ticket,
        route: Route,
        reset: Arc<AtomicBool>,
    ) -> Self {
        let edition = server.edition();
        Self {
            server,
            edition,
            ticket,
            route,
            fault: None,
            reset,
            model: String::new(),
            message: String::new(),
            load_only: false,
        }
    }

    /// Looks at what is asked: notes it in the log and draws the fault that happens to it.
    pub(super) fn look(&mut self, model: &str, message: &str, load_only: bool) {
        if self.edition.looks_at_messages() {
            message.clone_into(&mut self.message);
        }
        model.clone_into(&mut self.model);
        self.load_only = load_only;
        let fault = self.edition.fault(&self.sight()).cloned();
        let marker = self.marker(message);
        self.ticket.note(|entry| {
            let model: String = model.chars().take(KEPT).collect();
            entry.model = Some(model).filter(|model| !model.is_empty());
            entry.marker = marker;
            entry.fault = fault.as_ref().map(|fault| fault.name().to_owned());
        });
        if self.route.is_inference() {
            self.ticket.seen();
        }
        self.fault = fault;
    }

    /// What happens to the request before anything else does.
    pub(super) async fn early(&self) -> Result<(), Halt> {
        match &self.fault {
            Some(Action::Refuse) => Err(Halt::HangUp { reset: false }),
            Some(Action::Reset) => Err(Halt::HangUp { reset: true }),
            Some(Action::Busy) => Err(Refusal::new(503, BUSY).into()),
            Some(Action::Error { status, text }) => Err(Refusal::new(*status, text).into()),
            Some(server_wide @ (Action::Outage { .. } | Action::Restart { .. })) => {
                self.server.strike(server_wide).await;
                Err(Halt::HangUp { reset: false })
            }
            _ => Ok(()),
        }
    }

    /// Leases the model this request needs.
    pub(super) async fn lease(
        &self,
        model: &Arc<ModelScript>,
        tuple: &LoadTuple,
        keep_alive: Option<KeepAlive>,
    ) -> Result<Lease, Halt> {
        let scheduler = &self.server.scheduler;
        let need = self.need(model, tuple.clone(), keep_alive);
        if let Some(Action::ForeignReload { num_ctx }) = self.fault {
            let foreign = Need {
                tuple: tuple.clone().with_num_ctx(num_ctx),
                keep_alive: None,
                ..need.clone()
            };
            drop(scheduler.acquire(&foreign, || None).await?);
        }
        let lease = scheduler.acquire(&need, || self.load_fault(&need)).await?;
        let waited = lease.waited.as_millis() as u64;
        self.ticket.note(|entry| entry.load_ms = Some(waited));
        Ok(lease)
    }

    /// What the scheduler has to know of a model.
    pub(super) fn need(
        &self,
        model: &Arc<ModelScript>,
        tuple: LoadTuple,
        keep_alive: Option<KeepAlive>,
    ) -> Need {
        Need {
            model: Arc::clone(model),
            tuple,
            keep_alive,
            ..Need::of(&self.edition, model)
        }
    }

    /// A reply with this body.
    pub(super) fn reply(self, status: u16, content_type: &str, body: Vec<u8>) -> Reply {
        reply(status, content_type, body, self.ticket)
    }

    /// A refusal in the words of the endpoint.
    pub(super) fn refuse(self, refusal: &Refusal) -> Reply {
        if matches!(self.route, Route::OpenaiChat | Route::OpenaiModels) {
            let body = refusal.openai_body();
            return self.reply(refusal.status, PLAIN_JSON, body);
        }
        let content_type = if refusal.in_stream { PLAIN_JSON } else { JSON };
        self.reply(refusal.status, content_type, refusal.native_body())
    }

    /// Ends the request without an answer.
    pub(super) fn halt(mut self, halt: Halt) -> Result<Reply, Cut> {
        match halt {
            Halt::Refused(refusal) => Ok(self.refuse(&refusal)),
            Halt::Crashed(refusal) => {
                self.ticket
                    .note(|entry| entry.status = Some(refusal.status));
                self.ticket.end(Outcome::Crashed);
                Ok(self.refuse(&refusal))
            }
            Halt::HangUp { reset } => Err(self.hang_up(reset)),
        }
    }

    /// Closes or resets the connection.
    pub(super) fn hang_up(&mut self, reset: bool) -> Cut {
        self.reset.store(reset, Ordering::Relaxed);
        self.ticket.end(Outcome::Cut);
        Cut
    }

    fn sight(&self) -> Sight<'_> {
        Sight {
            route: self.route,
            model: &self.model,
            message: &self.message,
            load_only: self.load_only,
        }
    }

    /// Why the model cannot be loaded, if it cannot.
    fn load_fault(&self, need: &Need) -> Option<String> {
        let script = &self.edition.script;
        if let Some(card) = script.card_memory.filter(|_| script.refuses_to_spill) {
            let (size, _) = need.model.loaded_size(need.tuple.num_ctx, need.slots, None);
            if size > card {
                return Some(OUT_OF_MEMORY_AT_LOAD.to_owned());
            }
        }
        let fault = self.edition.load_fault(&self.sight())?;
        self.ticket
            .note(|entry| entry.fault = Some(fault.name().to_owned()));
        Some(OUT_OF_MEMORY_AT_LOAD.to_owned())
    }

    fn marker(&self, message: &str) -> Option<String> {
        let marker = match &self.edition.script.marker_prefix {
            Some(prefix) => message
                .find(prefix.as_str())
                .and_then(|at| message.get(at..))
                .and_then(|from| from.split(char::is_whitespace).next())?,
            None => message,
        };
        let marker: String = marker.chars().take(KEPT).collect();
        Some(marker).filter(|marker| !marker.is_empty())
    }
}
