//! From a table to a decision: how fast `convert`, `analyze` and `compare` go through a file, and the
//! memory that takes.
//!
//! `cargo bench --bench tables` has files of 100 MB, `cargo test --bench tables -- 4` of 4 MB. Each
//! figure is that of a process of its own, and stands beside that of a quarter of the file: the
//! bench fails where memory grows by more than what is kept of each line.

mod memory;

use std::fs::File;
use std::io::{BufWriter, Write as _, sink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use batchtop::analysis::{Analyzer, Comparer, Observation, ScoreRule, read_results};
use batchtop::base::{bytes, count};
use batchtop::convert::{Reading, Recipe, Wording, convert};
use batchtop::intake::open;
use batchtop::sample::{csv_header, csv_row};
use memory::memory;

/// Megabytes where no number is given.
const USUAL: u64 = 100;
/// Bytes that may be kept of a line: hashes of its id and its text, and where they lie.
const KEPT: u64 = 128;
/// Bytes that the allocator may keep or give back as it likes.
const SLACK: u64 = 16 << 20;
/// The word before the process of one case.
const CASE: &str = "case";

type Failure = Box<dyn std::error::Error>;

/// Writes a file of so many bytes into a folder.
type Writes = fn(&Path, u64) -> Result<PathBuf, Failure>;

/// What is measured: its name, and the file that it reads.
const CASES: [(&str, Writes); 4] = [
    ("convert", table),
    ("convert-records", records),
    ("analyze", results),
    ("compare", results),
];

#[expect(clippy::disallowed_methods, reason = "a bench is a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(line: &str) {
    println!("{line}");
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    if let [word, name, path] = arguments.as_slice()
        && word == CASE
    {
        return one(name, Path::new(path));
    }
    let megabytes = arguments.iter().find_map(|argument| argument.parse().ok());
    let megabytes: u64 = megabytes.unwrap_or(USUAL);
    let mut names = arguments.iter().filter(|name| name.parse::<u64>().is_err());
    let is_any = names.next().is_none();
    let is_wanted = |case: &str| is_any || arguments.iter().any(|name| case.contains(name));
    let folder = tempfile::tempdir()?;
    for (name, made) in CASES.into_iter().filter(|(name, _)| is_wanted(name)) {
        let quarter = Figures::of(name, &made(folder.path(), megabytes * 250_000)?)?;
        quarter.tell(name);
        let whole = Figures::of(name, &made(folder.path(), megabytes * 1_000_000)?)?;
        whole.tell(name);
        whole.is_no_larger_than_lines_say(&quarter)?;
    }
    Ok(())
}

/// What came of one case.
struct Figures {
    lines: u64,
    size: u64,
    seconds: f64,
    peak: u64,
}

impl Figures {
    /// Runs a case over a file in a process of its own.
    fn of(name: &str, path: &Path) -> Result<Self, Failure> {
        let program = std::env::current_exe()?;
        let output = Command::new(program)
            .args([CASE, name])
            .arg(path)
            .output()?;
        let told = String::from_utf8(output.stdout)?;
        let words: Vec<&str> = told.split_whitespace().collect();
        let [lines, seconds, peak] = words.as_slice() else {
            return Err(String::from_utf8_lossy(&output.stderr).into());
        };
        Ok(Self {
            lines: lines.parse()?,
            size: path.metadata()?.len(),
            seconds: seconds.parse()?,
            peak: peak.parse()?,
        })
    }

    fn tell(&self, name: &str) {
        let speed = bytes((self.size as f64 / self.seconds) as u64);
        let (lines, size) = (count(self.lines), bytes(self.size));
        let peak = bytes(self.peak);
        say(&format!(
            "{name:24} {lines} lines, {size} in {:.2} s, {speed}/s, peak memory {peak}",
            self.seconds
        ));
    }

    fn is_no_larger_than_lines_say(&self, quarter: &Self) -> Result<(), Failure> {
        let more = self.lines.saturating_sub(quarter.lines);
        let allowed = quarter.peak + KEPT * more + SLACK;
        if self.peak > allowed {
            let (peak, allowed) = (bytes(self.peak), bytes(allowed));
            return Err(format!("memory grows: {peak} instead of {allowed} at most").into());
        }
        Ok(())
    }
}

/// Runs a case over a file, and tells lines, seconds and peak memory.
fn one(name: &str, path: &Path) -> Result<(), Failure> {
    let started = now();
    let lines = match name {
        "convert" | "convert-records" => {
            let wording = Wording::new("Grade {{ name }}: {{ profile }}".to_owned());
            let recipe = Recipe::new(&wording)?;
            convert(open(path)?, &recipe, &Reading::default(), &mut sink())?.requests
        }
        "analyze" => {
            let mut analyzer = Analyzer::new(ScoreRule::Detect);
            each(path, |seen| {
                analyzer.add(seen);
            })?;
            analyzer.finish().results
        }
        _ => {
            let mut comparer = Comparer::new(&ScoreRule::Detect);
            each(path, |seen| comparer.first(seen))?;
            each(path, |seen| comparer.second(seen))?;
            comparer.finish().both
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    say(&format!(
        "{lines} {seconds} {}",
        memory("self", "VmHWM:").unwrap_or(0)
    ));
    Ok(())
}

fn each(path: &Path, mut take: impl FnMut(&Observation)) -> Result<(), Failure> {
    read_results(open(path)?, |observation| {
        take(&observation);
        Ok(())
    })?;
    Ok(())
}

/// A table of candidates of this size.
fn table(folder: &Path, size: u64) -> Result<PathBuf, Failure> {
    written(&folder.join("candidates.csv"), size, csv_header(), |n| {
        csv_row(1, n)
    })
}

/// The same as records.
fn records(folder: &Path, size: u64) -> Result<PathBuf, Failure> {
    let columns: Vec<&str> = csv_header().trim_end().split(',').collect();
    written(&folder.join("candidates.jsonl"), size, "", |n| {
        let row = csv_row(1, n);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .from_reader(row.as_bytes());
        let row = reader.records().next().and_then(Result::ok);
        let fields = row.iter().flatten().map(serde_json::Value::from);
        let names = columns.iter().map(|name| (*name).to_owned());
        let record: serde_json::Map<_, _> = names.zip(fields).collect();
        serde_json::Value::Object(record).to_string()
    })
}

/// Results of this size: every answer is a score with a reason of its own.
fn results(folder: &Path, size: u64) -> Result<PathBuf, Failure> {
    written(&folder.join("results.jsonl"), size, "", |n| {
        let (score, time) = (n % 11, n % 977);
        format!(
            r#"{{"id":"batch_req_1_{n}","custom_id":"cand-{n:06}","response":{{"status_code":200,"request_id":"req_1_{n}","body":{{"id":"chatcmpl-1_{n}","object":"chat.completion","created":1790000000,"model":"gemma3:12b","choices":[{{"index":0,"message":{{"role":"assistant","content":"{{\"score\": {score}, \"reason\": \"Number {n} has rebuilt the rota of a ward and says so with figures; the direction of the study stays open.\"}}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":2100,"completion_tokens":{time},"total_tokens":3000}},"batchtop":{{"attempts":1,"wall_ms":{time}.25,"first_token_ms":12.5,"total_ms":900.1,"prefill_ms":80,"decode_ms":700}}}}}},"error":null}}"#
        )
    })
}

/// Writes lines until a file has this size.
fn written(
    path: &Path,
    size: u64,
    head: &str,
    line: impl Fn(u64) -> String,
) -> Result<PathBuf, Failure> {
    let mut file = BufWriter::new(File::create(path)?);
    let mut length = 0;
    if !head.is_empty() {
        writeln!(file, "{}", head.trim_end())?;
    }
    for n in 0.. {
        let line = line(n);
        let line = line.trim_end();
        writeln!(file, "{line}")?;
        length += line.len() as u64 + 1;
        if length >= size {
            break;
        }
    }
    file.flush()?;
    Ok(path.to_path_buf())
}
