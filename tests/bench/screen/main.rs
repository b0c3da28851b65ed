//! What the screen takes of the time, of the processor and of memory. `cargo bench --bench screen`
//! prints every figure; behind `--` comes a part of the names of those that are wanted.
//!
//! Figures of whole processes come from the real binary in a pseudo-terminal, figures of single
//! frames from drawing in this process. Everything shares the machine: the simulated server, the
//! terminal's other end and the program.

mod frames;
#[path = "../memory.rs"]
mod memory;
mod processes;
mod queue;
mod terminal;

use std::time::{Duration, Instant};

/// What may go wrong in a bench.
type Failure = Box<dyn std::error::Error>;
/// Measures something and says it.
type Figure = fn(&queue::Stage<'_>) -> Result<(), Failure>;

#[expect(clippy::disallowed_methods, reason = "a bench is a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(name: &str, figures: &str) {
    println!("{name:28} {figures}");
}

/// Times of something that was done often.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    /// The time that so many of a hundred do not exceed.
    fn percentile(&mut self, percent: usize) -> Duration {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        self.0
            .get(last * percent / 100)
            .copied()
            .unwrap_or_default()
    }

    /// Median, 99th percentile and longest, in milliseconds.
    fn told(&mut self) -> String {
        let [half, most, all] = [50, 99, 100].map(|percent| milliseconds(self.percentile(percent)));
        format!("p50 {half}, p99 {most}, longest {all} ms")
    }
}

fn milliseconds(time: Duration) -> String {
    format!("{:.2}", time.as_secs_f64() * 1_000.0)
}

fn main() -> Result<(), Failure> {
    let arguments = std::env::args().skip(1);
    let wanted: Vec<String> = arguments.filter(|one| !one.starts_with('-')).collect();
    let is_wanted = |name: &str| {
        let whole = format!("screen: {name}");
        wanted.is_empty() || wanted.iter().any(|part| whole.contains(part.as_str()))
    };
    let runtime = tokio::runtime::Runtime::new()?;
    let folder = tempfile::tempdir()?;
    let stage = queue::Stage::new(folder.path(), &runtime)?;
    let figures: [(&str, Figure); 8] = [
        ("first picture", processes::first_picture),
        ("keys while it runs", processes::keys),
        ("frames", frames::sizes),
        ("list", frames::list),
        ("sorting", frames::sorting),
        ("text filter", frames::text_filter),
        ("processor", processes::processor),
        ("memory", processes::memory),
    ];
    for (name, figure) in figures {
        if is_wanted(name) {
            figure(&stage)?;
        }
    }
    Ok(())
}
