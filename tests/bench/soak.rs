//! A whole night in one go: the real program takes a batch through `check`, `enqueue`, `work` and
//! `export` while one request in a hundred meets a fault. Time, peak memory and file sizes are
//! printed, and the memory of `work` as it went.
//!
//! `cargo bench --bench soak -- 170000` is the long form, `cargo test --bench soak -- 2000` the
//! short one with a program that is not optimized. It fails where answers and errors are not
//! requests, or where memory grows with the batch.

mod memory;

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use batchtop::base::{bytes, count};
use batchtop::simulator::{Action, Answers, Fault, Length, Script, Simulator, When};
use memory::memory;

/// Requests where no number is given.
const SHORT: u64 = 2_000;
/// Between two looks at a process.
const GLANCE: Duration = Duration::from_millis(50);
/// The memory of the second half of a run may be above that of the first by this share …
const GROWTH: f64 = 1.2;
/// … and this many bytes, which the allocator may keep or give back as it likes.
const SLACK: u64 = 8 << 20;

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "a bench is a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(name: &str, figures: &str) {
    println!("{name:24} {figures}");
}

fn main() -> Result<(), Failure> {
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let requests: u64 = number.unwrap_or(SHORT);
    let runtime = tokio::runtime::Runtime::new()?;
    let server = runtime.block_on(Simulator::start_local(script()))?;
    let folder = tempfile::tempdir()?;
    let soak = Soak {
        folder: folder.path().to_path_buf(),
        url: server.url(),
    };
    soak.run(&format!("sample {requests} --model simulated -o b.jsonl"))?;
    say(
        "soak",
        &format!("{} requests, {}", count(requests), soak.sizes(&["b.jsonl"])),
    );
    soak.run("check b.jsonl")?.tell("soak: check", "");
    let enqueued = soak.run("enqueue b.jsonl --parallel 64")?;
    enqueued.tell("soak: enqueue", &soak.sizes(&["data/queue.db"]));
    let worked = soak.run("work")?;
    let sizes = soak.sizes(&["data/queue.db", "data/queue.db-wal"]);
    worked.tell("soak: work", &sizes);
    soak.run("export 1 -o answers.jsonl --errors errors.jsonl")?
        .tell(
            "soak: export",
            &soak.sizes(&["answers.jsonl", "errors.jsonl"]),
        );
    runtime.block_on(server.shutdown());
    let ended = soak.lines("answers.jsonl")? + soak.lines("errors.jsonl")?;
    if ended != requests {
        return Err(format!("{ended} of {requests} requests have an end").into());
    }
    worked.is_flat()
}

/// A server that answers in no time and fails one request in a hundred, in eight ways.
fn script() -> Script {
    let error = Action::Error {
        status: 500,
        text: "boom".to_owned(),
    };
    let line = Action::ErrorLine {
        after_tokens: 3,
        text: "something broke".to_owned(),
    };
    let garbage = Action::GarbageLine {
        after_tokens: 3,
        text: "<html>a proxy</html>".to_owned(),
    };
    let actions = [
        Action::Refuse,
        Action::Reset,
        Action::Busy,
        error,
        line,
        garbage,
        Action::EndWithoutDone { after_tokens: 3 },
        Action::ResetMidStream { after_tokens: 3 },
    ];
    let share = 0.01 / actions.len() as f64;
    let faults = actions.into_iter().zip(1..).map(|(action, seed)| Fault {
        when: When {
            probability: Some(share),
            seed,
            ..When::default()
        },
        action,
    });
    Script {
        slots: 64,
        num_ctx: 16_384,
        log_limit: 10,
        answers: Answers {
            tokens: Length::Fixed(12),
            ..Answers::default()
        },
        faults: faults.collect(),
        ..Script::default()
    }
}

/// Where it happens.
struct Soak {
    folder: PathBuf,
    url: String,
}

/// A command that has ended well.
struct Ended {
    seconds: f64,
    /// The most memory that it ever held, where the system tells.
    peak: Option<u64>,
    /// The memory that it held, from the first glance to the last.
    samples: Vec<u64>,
}

impl Soak {
    /// Runs the program to its end and looks at its memory meanwhile.
    fn run(&self, arguments: &str) -> Result<Ended, Failure> {
        let started = now();
        let mut process = Command::new(env!("CARGO_BIN_EXE_batchtop"))
            .args(arguments.split_whitespace())
            .current_dir(&self.folder)
            .env("BATCHTOP_DATA_DIR", self.folder.join("data"))
            .env("BATCHTOP_SERVER", &self.url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(self.folder.join("said"))?)
            .spawn()?;
        let (mut peak, mut samples) = (None, Vec::new());
        let status = loop {
            if let Some(status) = process.try_wait()? {
                break status;
            }
            let number = process.id().to_string();
            peak = memory(&number, "VmHWM:").or(peak);
            samples.extend(memory(&number, "VmRSS:"));
            std::thread::sleep(GLANCE);
        };
        let seconds = started.elapsed().as_secs_f64();
        if !matches!(status.code(), Some(0 | 1)) {
            let said = std::fs::read_to_string(self.folder.join("said"))?;
            return Err(format!("`{arguments}` ended with {status}: {said}").into());
        }
        Ok(Ended {
            seconds,
            peak,
            samples,
        })
    }

    fn sizes(&self, names: &[&str]) -> String {
        let size = |name: &&str| {
            let length = self.folder.join(name).metadata().ok()?.len();
            Some(format!("{name} {}", bytes(length)))
        };
        names.iter().filter_map(size).collect::<Vec<_>>().join(", ")
    }

    fn lines(&self, name: &str) -> Result<u64, Failure> {
        let path: &Path = &self.folder.join(name);
        if !path.exists() {
            return Ok(0);
        }
        Ok(BufReader::new(File::open(path)?).split(b'\n').count() as u64)
    }
}

impl Ended {
    fn tell(&self, name: &str, sizes: &str) {
        let peak = self.peak.map_or_else(|| "n/a".to_owned(), bytes);
        let gap = if sizes.is_empty() { "" } else { ", " };
        say(
            name,
            &format!("{:.1} s, peak memory {peak}{gap}{sizes}", self.seconds),
        );
    }

    /// Prints the memory at ten points of the run; an error where the second half holds more than
    /// the first.
    fn is_flat(&self) -> Result<(), Failure> {
        let steady = self
            .samples
            .get(self.samples.len() / 5..)
            .unwrap_or_default();
        if steady.len() < 10 {
            say("soak: memory", "too short a run to say");
            return Ok(());
        }
        let points = steady.chunks(steady.len().div_ceil(10));
        let points: Vec<String> = points
            .filter_map(<[u64]>::first)
            .map(|&m| bytes(m))
            .collect();
        say("soak: memory", &points.join(", "));
        let (first, second) = steady.split_at(steady.len() / 2);
        let most = |half: &[u64]| half.iter().copied().max().unwrap_or_default();
        let (first, second) = (most(first), most(second));
        if second as f64 > first as f64 * GROWTH + SLACK as f64 {
            let (first, second) = (bytes(first), bytes(second));
            return Err(format!("memory grew from {first} to {second}").into());
        }
        Ok(())
    }
}
