//! What `--parallel auto` finds over real HTTP: the real program works off the same batch on
//! simulated servers with different numbers of slots, with fixed numbers of lanes and with none
//! given. The lanes that were found, after how many answers, and the share of the best fixed
//! setting are printed.
//!
//! `cargo bench --bench lanes` takes 2,000 requests, `cargo bench --bench lanes -- 400` another
//! number.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use batchtop::simulator::{Answers, Length, Script, Simulator};
use batchtop::store::Reader;
use rusqlite::{Connection, OpenFlags};

/// Requests where no number is given.
const REQUESTS: u64 = 2_000;
/// The slots of the servers, one after the other.
const SLOTS: [u32; 4] = [1, 2, 4, 8];
/// Tokens of an answer at least; the JSON that is asked for takes some more, so that it is about
/// 16.
const TOKENS: u64 = 11;
/// From one token to the next: an answer takes about 30 ms, which is long against what client and
/// server need for themselves on a machine that they share.
const STEP: Duration = Duration::from_millis(2);

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(figures: &str) {
    println!("{figures}");
}

fn main() -> Result<(), Failure> {
    let number = std::env::args().find_map(|argument| argument.parse().ok());
    let requests: u64 = number.unwrap_or(REQUESTS);
    let runtime = tokio::runtime::Runtime::new()?;
    say(&format!(
        "lanes: {requests} requests, answers of about 16 tokens, {} ms apart",
        STEP.as_millis()
    ));
    for slots in SLOTS {
        let server = runtime.block_on(Simulator::start_local(script(slots)))?;
        let trial = Trial {
            folder: tempfile::tempdir()?,
            url: server.url(),
            requests,
        };
        trial.tell(slots)?;
        runtime.block_on(server.shutdown());
    }
    Ok(())
}

fn script(slots: u32) -> Script {
    Script {
        slots: slots as usize,
        decode_rate: Some(1.0 / STEP.as_secs_f64()),
        num_ctx: 16_384,
        log_limit: 10,
        answers: Answers {
            tokens: Length::Fixed(TOKENS),
            ..Answers::default()
        },
        ..Script::default()
    }
}

/// A server and a batch for it.
struct Trial {
    folder: tempfile::TempDir,
    url: String,
    requests: u64,
}

/// A batch that was worked off.
struct Worked {
    /// Requests a second, from the first load to the last stored answer.
    rate: f64,
    data: PathBuf,
}

impl Trial {
    /// Prints how the server's slots are used by fixed numbers of lanes and by the found one.
    fn tell(&self, slots: u32) -> Result<(), Failure> {
        let (prompts, batch) = (self.requests.to_string(), "b.jsonl");
        self.run(
            &["sample", &prompts, "--model", "simulated", "-o", batch],
            "",
        )?;
        let mut best = (0, 0.0);
        for lanes in [slots, slots + 1, 2 * slots] {
            let worked = self.work_off(&lanes.to_string())?;
            if worked.rate > best.1 {
                best = (lanes, worked.rate);
            }
        }
        let (lanes, fixed) = best;
        let auto = self.work_off("auto")?;
        let share = 100.0 * auto.rate / fixed;
        say(&format!(
            "{slots} slots: best fixed {lanes} lanes, {fixed:.1} req/s; auto {:.1} req/s \
             ({share:.1} %), {}",
            auto.rate,
            found(&auto.data)?
        ));
        Ok(())
    }

    /// Works the batch off in a queue of its own, which has learnt nothing yet.
    fn work_off(&self, parallel: &str) -> Result<Worked, Failure> {
        let data = self.folder.path().join(format!("data-{parallel}"));
        self.run(&["run", "b.jsonl", "--new"], parallel)?;
        let reader = Reader::open(&data)?.ok_or("there is no queue")?;
        let jobs = reader.jobs()?;
        let took = jobs.first().and_then(batchtop::model::Job::took);
        let seconds = took.ok_or("the job has not ended")?.as_secs_f64();
        Ok(Worked {
            rate: self.requests as f64 / seconds,
            data,
        })
    }

    fn run(&self, arguments: &[&str], parallel: &str) -> Result<(), Failure> {
        let data = self.folder.path().join(format!("data-{parallel}"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_batchtop"));
        command
            .args(arguments)
            .current_dir(&self.folder)
            .env("BATCHTOP_DATA_DIR", data)
            .env("BATCHTOP_SERVER", &self.url)
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        if !parallel.is_empty() {
            command.env("BATCHTOP_PARALLEL", parallel);
        }
        let status = command.status()?;
        if status.success() {
            return Ok(());
        }
        Err(format!("`{}` ended with {status}", arguments.join(" ")).into())
    }
}

/// What the log tells of the search for the number of lanes.
fn found(data: &Path) -> Result<String, Failure> {
    let path = data.join(batchtop::store::Store::FILE);
    let queue = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut told = queue.prepare(
        "SELECT text, (SELECT count(*) FROM outcome WHERE outcome.at <= event.at)
         FROM event WHERE kind = 'lanes' ORDER BY event.id",
    )?;
    let steps = told.query_map([], |row| {
        let (text, answers): (String, i64) = (row.get(0)?, row.get(1)?);
        let lanes = text.split(' ').next().unwrap_or_default();
        Ok(format!("{lanes} after {answers} answers"))
    })?;
    let steps: Vec<String> = steps.collect::<Result<_, _>>()?;
    Ok(match steps.as_slice() {
        [] => "no number was found".to_owned(),
        steps => format!("found {}", steps.join(", then ")),
    })
}
