//! What a simulated server has done so far, in numbers.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::log::Outcome;

/// The numbers of a simulated server since its start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Requests that have ended, by what became of them.
    pub requests: BTreeMap<Outcome, u64>,
    /// Times a model was loaded, reloads included.
    pub loads: u64,
    /// Loads that were needed because a request came with other options.
    pub reloads: u64,
    /// Loads that ended because the client that needed them left.
    pub aborted_loads: u64,
    /// Times a runner died.
    pub crashes: u64,
    /// Prompt tokens truly evaluated.
    pub evaluated: u64,
    /// Prompt tokens truly reused from prefix caches.
    pub reused: u64,
    /// Tokens generated.
    pub generated: u64,
    /// Requests that hold a slot now.
    pub in_flight: u64,
    /// Most requests that held a slot at once.
    pub peak_in_flight: u64,
    /// Requests that wait for a slot or for a model now.
    pub queued: u64,
    /// Most requests that waited at once.
    pub peak_queued: u64,
}

impl Stats {
    /// Requests that ended so.
    pub fn ended(&self, outcome: Outcome) -> u64 {
        self.requests.get(&outcome).copied().unwrap_or_default()
    }
}

/// Counts while the server runs.
#[derive(Debug, Default)]
pub(super) struct Meter {
    pub loads: AtomicU64,
    pub reloads: AtomicU64,
    pub aborted_loads: AtomicU64,
    pub crashes: AtomicU64,
    pub evaluated: AtomicU64,
    pub reused: AtomicU64,
    pub generated: AtomicU64,
    pub in_flight: Arc<Gauge>,
    pub queued: Arc<Gauge>,
    requests: Mutex<BTreeMap<Outcome, u64>>,
}

/// How many there are now and how many there were at most.
#[derive(Debug, Default)]
pub(super) struct Gauge {
    now: AtomicU64,
    peak: AtomicU64,
}

/// Counts as one in a gauge for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(Arc<Gauge>);

impl Gauge {
    pub(super) fn enter(self: &Arc<Self>) -> Counted {
        let now = self.now.fetch_add(1, Ordering::Relaxed) + 1;
        self.peak.fetch_max(now, Ordering::Relaxed);
        Counted(Arc::clone(self))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Meter {
    /// Adds to one of the counters.
    pub(super) fn add(counter: &AtomicU64, number: u64) {
        counter.fetch_add(number, Ordering::Relaxed);
    }

    pub(super) fn ended(&self, outcome: Outcome) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        *requests.entry(outcome).or_default() += 1;
    }

    pub(super) fn stats(&self) -> Stats {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        Stats {
            requests: requests.clone(),
            loads: read(&self.loads),
            reloads: read(&self.reloads),
            aborted_loads: read(&self.aborted_loads),
            crashes: read(&self.crashes),
            evaluated: read(&self.evaluated),
            reused: read(&self.reused),
            generated: read(&self.generated),
            in_flight: read(&self.in_flight.now),
            peak_in_flight: read(&self.in_flight.peak),
            queued: read(&self.queued.now),
            peak_queued: read(&self.queued.peak),
        }
    }
}
