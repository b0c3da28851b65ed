//! What reading the cards takes: one sample of one card against a stand-in for NVIDIA's library,
//! and of whatever this machine has. `cargo bench -- readings` prints the figures.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use batchtop::gpu::{Places, Sampler, detect};

const SAMPLES: u32 = 200;
const SCRIPT: &str = "driver 570.86.15\ncount 1\n0.name NVIDIA GeForce RTX 4090\n0.uuid GPU-a\n\
0.bus 00000000:01:00.0\n0.total 25757220864\n0.used 21474836480\n0.free 3758096384\n0.load 97\n\
0.temperature 71\n0.power 402500\n0.limit 450000\n0.energy 9000000123\n0.core 2520\n\
0.memory_clock 10501\n0.throttle 36\n0.processes 4242:20401094656\n\
process.4242 /usr/lib/ollama/llama-server\n";

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "a bench is a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

fn main() -> Result<(), Failure> {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if !wanted.is_empty()
        && !wanted
            .iter()
            .any(|wanted| "readings".contains(wanted.as_str()))
    {
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let library = folder.path().join("libfake.so");
    if compiled(&library) {
        std::fs::write(folder.path().join("libfake.so.txt"), SCRIPT)?;
        let places = Places {
            nvml: vec![library],
            drm: folder.path().join("drm"),
            ..Places::default()
        };
        measure("stand-in", &places);
    } else {
        say("readings: stand-in", "no C compiler");
    }
    measure("this machine", &Places::default());
    Ok(())
}

fn compiled(library: &Path) -> bool {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nvml/fake.c");
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(library)
        .arg(source)
        .arg("-ldl")
        .status();
    compiler.is_ok_and(|status| status.success())
}

/// The time of a sample, and the part of a core that one a second takes.
fn measure(name: &str, places: &Places) {
    let started = now();
    let mut cards = detect(places);
    let first = cards.sample();
    let opened = started.elapsed();
    let (started, busy_before) = (now(), processor_time());
    for _ in 0..SAMPLES {
        cards.sample();
    }
    let each = started.elapsed() / SAMPLES;
    let busy = processor_time().zip(busy_before).map(|(after, before)| {
        let share = (after.saturating_sub(before) / SAMPLES).as_secs_f64() * 100.0;
        format!(", {share:.3} % of a core at one a second")
    });
    let count = first.cards.len();
    let absent = first.absent.map(|why| format!(" ({why})"));
    say(
        &format!("readings: {name}"),
        &format!(
            "{count} cards{}, opened in {:.1} ms, a sample takes {:.3} ms{}",
            absent.unwrap_or_default(),
            opened.as_secs_f64() * 1e3,
            each.as_secs_f64() * 1e3,
            busy.unwrap_or_default()
        ),
    );
}

/// Time that this thread has computed, where the kernel tells.
fn processor_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    let nanoseconds = text.split_whitespace().next()?.parse().ok()?;
    Some(Duration::from_nanos(nanoseconds))
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(name: &str, figures: &str) {
    println!("{name:24} {figures}");
}
