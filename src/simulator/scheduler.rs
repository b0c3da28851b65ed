//! Which models are loaded, and who must wait for one to be: Ollama's scheduler.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, MutexGuard as AsyncMutexGuard, Notify};
use tokio::time::Instant;

use super::durations::KeepAlive;
use super::edition::Edition;
use super::models::{Capability, ModelScript};
use super::options::{LoadTuple, Options};
use super::runner::{Lease, Runner};
use super::stats::Meter;
use super::wire::Refusal;

/// What a request beyond the queue's limit is told. The two spaces are Ollama's.
pub(super) const BUSY: &str = "server busy, please try again.  maximum pending requests exceeded";

/// Families that Ollama 0.33 never runs in parallel, whatever `OLLAMA_NUM_PARALLEL` says.
const ONE_SLOT: [&str; 6] = [
    "mllama",
    "qwen3vl",
    "qwen35",
    "qwen3next",
    "lfm2",
    "nemotron_h",
];

/// The loaded models.
#[derive(Debug)]
pub(super) struct Scheduler {
    loaded: Mutex<Vec<Arc<Runner>>>,
    /// Held by the one request that loads or unloads; the others that need to stand in line.
    turn: AsyncMutex<()>,
    pending: AtomicUsize,
    idle: Notify,
    meter: Arc<Meter>,
}

/// The model that a request needs, and how.
#[derive(Debug, Clone)]
pub(super) struct Need {
    pub model: Arc<ModelScript>,
    pub tuple: LoadTuple,
    /// `None` keeps what the runner has.
    pub keep_alive: Option<KeepAlive>,
    pub default_keep_alive: KeepAlive,
    pub load: Duration,
    pub slots: usize,
    pub max_queue: usize,
    pub max_loaded: usize,
}

impl Need {
    /// What a request without any options needs.
    pub(super) fn of(edition: &Edition, model: &Arc<ModelScript>) -> Self {
        let script = &edition.script;
        Self {
            model: Arc::clone(model),
            tuple: LoadTuple::of(&Options::default(), None, model, script.num_ctx),
            keep_alive: None,
            default_keep_alive: edition.keep_alive,
            load: script.speeds(model).load,
            slots: script.slots,
            max_queue: script.max_queue,
            max_loaded: script.max_loaded,
        }
    }
}

impl Scheduler {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self {
            loaded: Mutex::new(Vec::new()),
            turn: AsyncMutex::new(()),
            pending: AtomicUsize::new(0),
            idle: Notify::new(),
            meter,
        }
    }

    pub(super) const fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    /// Leases the model, loading it first where that is needed. `load_fault` is asked when a load
    /// is about to begin; a text from it fails the load. Dropping the future aborts the load.
    pub(super) async fn acquire(
        self: &Arc<Self>,
        need: &Need,
        load_fault: impl FnOnce() -> Option<String>,
    ) -> Result<Lease, Refusal> {
        let began = Instant::now();
        if let Some(lease) = self.take_loaded(need, began) {
            return Ok(lease);
        }
        let _turn = self.line_up(need.max_queue).await?;
        if let Some(lease) = self.take_loaded(need, began) {
            return Ok(lease);
        }
        while let Some(runner) = self.obstacle(need) {
            self.drain(&runner).await;
            if is_of(&runner, need) {
                Meter::add(&self.meter.reloads, 1);
            }
        }
        if let Some(text) = load_fault() {
            return Err(Refusal::new(500, text));
        }
        self.wait_for_load(need.load).await;
        Ok(self.install(need, began))
    }

    /// Unloads the model as soon as it is idle.
    pub(super) fn unload(&self, model: &ModelScript) {
        let mut loaded = self.loaded();
        let key = model.runner_key();
        if let Some(runner) = loaded.iter().find(|r| r.model.runner_key() == key) {
            runner.hold().keep_alive = KeepAlive::For(Duration::ZERO);
            if runner.hold().in_use == 0 {
                loaded.retain(|r| r.model.runner_key() != key);
            }
        }
    }

    /// The loaded models, those that stay longest first.
    pub(super) fn list(&self) -> Vec<Arc<Runner>> {
        let mut runners = self.loaded().clone();
        runners.sort_by_key(|r| std::cmp::Reverse(r.remaining().unwrap_or(Duration::MAX)));
        runners
    }

    /// The runner dies with all that is in it.
    pub(super) fn crash(&self, runner: &Arc<Runner>) {
        let mut loaded = self.loaded();
        let before = loaded.len();
        loaded.retain(|r| !Arc::ptr_eq(r, runner));
        if loaded.len() < before {
            Meter::add(&self.meter.crashes, 1);
        }
        drop(loaded);
        runner.die();
        self.idle.notify_one();
    }

    /// Every model is unloaded when it is idle, as after a lack of memory in the run.
    pub(super) fn expire_all(&self) {
        let mut loaded = self.loaded();
        for runner in loaded.iter() {
            runner.hold().keep_alive = KeepAlive::For(Duration::ZERO);
        }
        loaded.retain(|runner| runner.hold().in_use > 0);
    }

    /// Every runner is killed: the server itself ends.
    pub(super) fn kill_all(&self) {
        for runner in self.loaded().drain(..) {
            runner.die();
        }
        self.idle.notify_one();
    }

    /// A lease ends.
    pub(super) fn release(&self, runner: &Arc<Runner>) {
        let mut loaded = self.loaded();
        let mut hold = runner.hold();
        hold.in_use = hold.in_use.saturating_sub(1);
        if hold.in_use > 0 {
            return;
        }
        let unload = hold.keep_alive == KeepAlive::For(Duration::ZERO);
        hold.expires = match hold.keep_alive {
            KeepAlive::Forever => None,
            KeepAlive::For(length) => Instant::now().checked_add(length),
        };
        drop(hold);
        if unload {
            loaded.retain(|r| !Arc::ptr_eq(r, runner));
        }
        self.idle.notify_one();
    }

    fn take_loaded(self: &Arc<Self>, need: &Need, began: Instant) -> Option<Lease> {
        let loaded = self.loaded();
        let runner = loaded.iter().find(|runner| is_of(runner, need))?;
        let draining = runner.hold().draining;
        if draining || runner.tuple != need.tuple {
            return None;
        }
        Some(self.lease(runner, need, began))
    }

    fn lease(self: &Arc<Self>, runner: &Arc<Runner>, need: &Need, began: Instant) -> Lease {
        let mut hold = runner.hold();
        hold.in_use += 1;
        hold.expires = None;
        if let Some(keep_alive) = need.keep_alive {
            hold.keep_alive = keep_alive;
        }
        drop(hold);
        Lease::new(Arc::clone(runner), began.elapsed(), Arc::clone(self))
    }

    /// Waits for the right to load. One request may work, `limit` may wait, the rest is refused.
    async fn line_up(&self, limit: usize) -> Result<AsyncMutexGuard<'_, ()>, Refusal> {
        if let Ok(turn) = self.turn.try_lock() {
            return Ok(turn);
        }
        let place = Place::take(&self.pending, limit).ok_or_else(|| Refusal::new(503, BUSY))?;
        let _queued = self.meter.queued.enter();
        let turn = self.turn.lock().await;
        drop(place);
        Ok(turn)
    }

    /// A runner that must go before this model can be loaded: the same model with other options,
    /// or, where the limit is reached, an idle one, of those the one that would expire first.
    fn obstacle(&self, need: &Need) -> Option<Arc<Runner>> {
        let loaded = self.loaded();
        if let Some(runner) = loaded.iter().find(|runner| is_of(runner, need)) {
            return Some(Arc::clone(runner));
        }
        if loaded.len() < need.max_loaded {
            return None;
        }
        loaded
            .iter()
            .min_by_key(|runner| {
                let busy = runner.hold().in_use > 0;
                (busy, runner.remaining().unwrap_or(Duration::MAX))
            })
            .cloned()
    }

    /// Unloads a runner once the requests in it have ended.
    async fn drain(&self, runner: &Arc<Runner>) {
        let draining = Draining::begin(runner);
        while !self.remove_idle(runner) {
            self.idle.notified().await;
        }
        drop(draining);
    }

    /// Whether the runner is gone now.
    fn remove_idle(&self, runner: &Arc<Runner>) -> bool {
        let mut loaded = self.loaded();
        let idle = runner.hold().in_use == 0;
        if idle {
            loaded.retain(|r| !Arc::ptr_eq(r, runner));
        }
        idle || !loaded.iter().any(|r| Arc::ptr_eq(r, runner))
    }

    async fn wait_for_load(&self, length: Duration) {
        if length.is_zero() {
            return;
        }
        let mut loading = Loading {
            meter: &self.meter,
            finished: false,
        };
        tokio::time::sleep(length).await;
        loading.finished = true;
    }

    fn install(self: &Arc<Self>, need: &Need, began: Instant) -> Lease {
        Meter::add(&self.meter.loads, 1);
        let alone = need.model.can(Capability::Embedding)
            || ONE_SLOT
                .iter()
                .any(|family| need.model.family.starts_with(family));
        let runner = Arc::new(Runner::new(
            Arc::clone(&need.model),
            need.tuple.clone(),
            if alone { 1 } else { need.slots },
            need.default_keep_alive,
        ));
        self.loaded().push(Arc::clone(&runner));
        self.lease(&runner, need, began)
    }

    /// The loaded models, without those whose time has come.
    fn loaded(&self) -> MutexGuard<'_, Vec<Arc<Runner>>> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        loaded.retain(|runner| {
            let hold = runner.hold();
            hold.in_use > 0 || hold.expires.is_none_or(|expires| expires > now)
        });
        loaded
    }
}

fn is_of(runner: &Runner, need: &Need) -> bool {
    Arc::ptr_eq(&runner.model, &need.model) || runner.model.runner_key() == need.model.runner_key()
}

/// A place in the scheduler's queue.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(pending: &'a AtomicUsize, limit: usize) -> Option<Self> {
        pending
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |waiting| {
                (waiting < limit).then_some(waiting + 1)
            })
            .is_ok()
            .then(|| Self(pending))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Keeps new requests off a runner that is to be unloaded. If whoever wanted that leaves, the
/// runner is open again.
struct Draining<'a>(&'a Runner);

impl<'a> Draining<'a> {
    fn begin(runner: &'a Runner) -> Self {
        runner.hold().draining = true;
        Self(runner)
    }
}

impl Drop for Draining<'_> {
    fn drop(&mut self) {
        self.0.hold().draining = false;
    }
}

/// Counts a load that is given up because its client left.
struct Loading<'a> {
    meter: &'a Meter,
    finished: bool,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        if !self.finished {
            Meter::add(&self.meter.aborted_loads, 1);
        }
    }
}

/// Says for as long as it lives that some runner does not react.
#[derive(Debug, Default)]
pub(super) struct Stuck {
    runner: AtomicBool,
    freed: Notify,
}

impl Stuck {
    /// How long Ollama 0.33 pings a runner before it gives up: two pings of 10 s.
    const PINGS: Duration = Duration::from_secs(20);

    pub(super) fn begin(self: &Arc<Self>) -> StuckRunner {
        self.runner.store(true, Ordering::Relaxed);
        StuckRunner(Arc::clone(self))
    }

    /// Blocks as `/api/ps` does while a runner does not react.
    pub(super) async fn wait(&self) {
        let freed = self.freed.notified();
        if self.runner.load(Ordering::Relaxed) {
            let _ = tokio::time::timeout(Self::PINGS, freed).await;
        }
    }
}

/// A runner that does not react.
#[derive(Debug)]
pub(super) struct StuckRunner(Arc<Stuck>);

impl Drop for StuckRunner {
    fn drop(&mut self) {
        self.0.runner.store(false, Ordering::Relaxed);
        self.0.freed.notify_waiters();
    }
}
