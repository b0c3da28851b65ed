//! A loaded model: its slots, the requests in it, and the leases that hold it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::durations::KeepAlive;
use super::models::ModelScript;
use super::options::LoadTuple;
use super::scheduler::Scheduler;
use super::slots::Slots;
use super::stats::{Counted, Meter};
use super::tokens::Token;
use super::wire::Refusal;

/// What requests queued behind a dead runner are told. The space at the end is Ollama's.
const GONE: &str = "llama-server process no longer running: unknown ";

/// A loaded model.
#[derive(Debug)]
pub(super) struct Runner {
    /// The model that had it loaded; others that share its weights use it too.
    pub model: Arc<ModelScript>,
    pub tuple: LoadTuple,
    pub slot_count: usize,
    /// Cancelled when the runner dies.
    pub died: CancellationToken,
    seats: Arc<Semaphore>,
    slots: Mutex<Slots>,
    hold: Mutex<Hold>,
}

/// Who holds a runner, and how long it stays when nobody does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hold {
    pub in_use: usize,
    pub keep_alive: KeepAlive,
    /// When it expires, while nobody holds it. `None` is never.
    pub expires: Option<Instant>,
    /// Whether it is about to be unloaded, so that no new request may take it.
    pub draining: bool,
}

impl Runner {
    pub(super) fn new(
        model: Arc<ModelScript>,
        tuple: LoadTuple,
        slot_count: usize,
        keep_alive: KeepAlive,
    ) -> Self {
        Self {
            model,
            tuple,
            slot_count,
            died: CancellationToken::new(),
            seats: Arc::new(Semaphore::new(slot_count)),
            slots: Mutex::new(Slots::new(slot_count)),
            hold: Mutex::new(Hold {
                in_use: 0,
                keep_alive,
                expires: None,
                draining: false,
            }),
        }
    }

    pub(super) fn hold(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everything in it and everything queued for it fails.
    pub(super) fn die(&self) {
        self.died.cancel();
        self.seats.close();
    }

    /// How long it stays if nothing happens; `None` is for ever.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let hold = self.hold();
        match (hold.keep_alive, hold.expires) {
            (KeepAlive::Forever, _) => None,
            (_, Some(expires)) => Some(expires.saturating_duration_since(Instant::now())),
            (KeepAlive::For(length), None) => Some(length),
        }
    }

    fn slots(&self) -> MutexGuard<'_, Slots> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request's claim on a loaded model: it is not unloaded while the lease lives.
#[derive(Debug)]
pub(super) struct Lease {
    pub runner: Arc<Runner>,
    /// How long the request waited for it.
    pub waited: Duration,
    scheduler: Arc<Scheduler>,
}

impl Lease {
    pub(super) const fn new(
        runner: Arc<Runner>,
        waited: Duration,
        scheduler: Arc<Scheduler>,
    ) -> Self {
        Self {
            runner,
            waited,
            scheduler,
        }
    }

    /// Waits in line for one of the slots.
    pub(super) async fn turn(&self) -> Result<Turn, Refusal> {
        let gone = |_| Refusal::new(500, GONE);
        let seats = Arc::clone(&self.runner.seats);
        let permit = if let Ok(permit) = Arc::clone(&seats).try_acquire_owned() {
            permit
        } else {
            let _queued = self.scheduler.meter().queued.enter();
            seats.acquire_owned().await.map_err(gone)?
        };
        Ok(Turn {
            _permit: permit,
            _in_flight: self.scheduler.meter().in_flight.enter(),
        })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.scheduler.release(&self.runner);
    }
}

/// The right to use one slot, whichever.
#[derive(Debug)]
pub(super) struct Turn {
    _permit: OwnedSemaphorePermit,
    _in_flight: Counted,
}

/// A prompt in a slot. Dropping it frees the slot at once.
#[derive(Debug)]
pub(super) struct Seat {
    pub slot: usize,
    /// Tokens of the prompt that were in the slot already.
    pub reused: usize,
    /// What the slot holds once the prompt is evaluated; the answer is appended to it.
    pub prompt: Vec<Token>,
    /// Tokens generated so far.
    pub generated: u64,
    evaluated: bool,
    // The slot is given up before the lease, so that the next request finds it free.
    _turn: Turn,
    pub lease: Lease,
}

impl Seat {
    /// Puts a prompt into the slot that suits it best.
    pub(super) fn take(lease: Lease, turn: Turn, prompt: Vec<Token>) -> Result<Self, Refusal> {
        let window = lease.runner.model.sliding_window.map(|w| w as usize);
        let seating = lease.runner.slots().take(&prompt, window);
        let seating = seating.ok_or_else(|| Refusal::new(500, GONE))?;
        Ok(Self {
            slot: seating.slot,
            reused: seating.reused,
            prompt,
            generated: 0,
            evaluated: false,
            _turn: turn,
            lease,
        })
    }

    /// The prompt has been evaluated.
    pub(super) fn evaluated(&mut self) {
        let meter = self.lease.scheduler.meter();
        Meter::add(&meter.evaluated, (self.prompt.len() - self.reused) as u64);
        Meter::add(&meter.reused, self.reused as u64);
        self.evaluated = true;
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let meter = self.lease.scheduler.meter();
        Meter::add(&meter.generated, self.generated);
        let cached = self.evaluated.then(|| std::mem::take(&mut self.prompt));
        self.lease.runner.slots().give_back(self.slot, cached);
    }
}
