//! What the engine takes of the time, measured over the simulated server. `cargo bench` prints
//! every figure of `docs/PERFORMANCE.md`; `cargo bench -- NAME` prints those whose name contains it.
//!
//! Server and client share the machine, so each figure is what both manage together.

mod batches;
mod engine;
mod files;
#[path = "../memory.rs"]
mod memory;
mod own_time;
mod trim;
mod watched;

use std::time::{Duration, Instant};

use batches::{BATCH, System};
use engine::BesidePlain;

/// The program's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What may go wrong in a bench.
type Failure = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "a bench is a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> Result<(), Failure> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|a| !a.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|w| name.contains(w));
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    if is_wanted("reading") {
        files::reading(folder.path(), &runtime)?;
    }
    if is_wanted("engine") {
        // What a process does for the first time is slow, and would count against the shortest run.
        runtime.block_on(engine::at_full_speed(folder.path(), "warm-up", 1_000))?;
        for requests in [1_000, 20_000, BATCH] {
            runtime.block_on(engine::engine(folder.path(), requests))?;
        }
    }
    if is_wanted("own time") {
        runtime.block_on(own_time::own_time(folder.path()))?;
    }
    if is_wanted("trim") {
        trim::trim()?;
    }
    let millis = |count| Some(Duration::from_millis(count));
    for (slots, lanes, latency, system, requests) in [
        (1, 1, millis(50), System::Long, 400),
        (4, 4, millis(50), System::Long, 2_000),
        (64, 64, millis(5), System::Short, 60_000),
        (64, 96, millis(5), System::Short, 60_000),
        (1, 1, None, System::Long, 4_000),
        (64, 64, None, System::Long, 40_000),
    ] {
        let beside = BesidePlain {
            slots,
            lanes,
            latency,
            system,
        };
        if is_wanted(&beside.name()) {
            runtime.block_on(beside.tell(folder.path(), requests))?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(name: &str, figures: &str) {
    println!("{name:46} {figures}");
}

/// The most memory that this process ever held, where the system tells.
fn peak_memory() -> Option<u64> {
    memory::memory("self", "VmHWM:")
}
