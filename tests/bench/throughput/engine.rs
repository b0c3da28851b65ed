//! The engine over the simulated server: at full speed, over slots that take their time, and
//! beside the plainest client.

use std::fs::File;
use std::io::{BufRead as _, BufReader, BufWriter, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchtop::base::{bytes, count};
use batchtop::simulator::Simulator;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::batches::{System, batch, run, script, server};
use super::{Failure, now, peak_memory, say};

/// The engine over a server that answers in no time.
pub(crate) async fn engine(folder: &Path, requests: u64) -> Result<(), Failure> {
    let seconds = at_full_speed(folder, "engine", requests).await?;
    let rate = count((requests as f64 / seconds) as u64);
    let peak = peak_memory().map_or_else(|| "n/a".to_owned(), bytes);
    let requests = count(requests);
    say(
        "engine",
        &format!("{requests} requests in {seconds:.3} s, {rate} req/s, peak memory {peak}"),
    );
    Ok(())
}

/// Works off so many requests over 64 slots that answer in no time, and says how many seconds it
/// took.
pub(crate) async fn at_full_speed(
    folder: &Path,
    name: &str,
    requests: u64,
) -> Result<f64, Failure> {
    let simulator = Simulator::start_local(script(64, None)).await?;
    let data = folder.join(format!("{name}-{requests}"));
    let path = batch(folder, requests, System::Long)?;
    let seconds = run(&path, &data, server(&simulator.url())?, 64).await?;
    simulator.shutdown().await;
    Ok(seconds)
}

/// batchtop beside the plainest client that one would write by hand, with as many connections as
/// lanes.
pub(crate) struct BesidePlain {
    pub(crate) slots: usize,
    pub(crate) lanes: usize,
    /// How long an answer takes, if it takes any time.
    pub(crate) latency: Option<Duration>,
    pub(crate) system: System,
}

impl BesidePlain {
    /// As `plain client, 4 slots of 50ms, 4 lanes`.
    pub(crate) fn name(&self) -> String {
        let Self { slots, lanes, .. } = self;
        let latency = self.latency.map(|latency| format!("{latency:?}"));
        let latency = latency.unwrap_or_else(|| "no time".to_owned());
        format!("plain client, {slots} slots of {latency}, {lanes} lanes")
    }

    /// Prints the throughput of both, and how much of slots ÷ latency it is.
    pub(crate) async fn tell(&self, folder: &Path, requests: u64) -> Result<(), Failure> {
        let simulator = Simulator::start_local(script(self.slots, self.latency)).await?;
        let url = simulator.url();
        let path = batch(folder, requests, self.system)?;
        let started = now();
        by_hand(&path, &url, self.lanes).await?;
        let by_hand = requests as f64 / started.elapsed().as_secs_f64();
        let data = folder.join(format!("plain-{}-{}-{requests}", self.slots, self.lanes));
        let seconds = run(&path, &data, server(&url)?, self.lanes as u32).await?;
        simulator.shutdown().await;
        let ours = requests as f64 / seconds;
        let share = 100.0 * ours / by_hand;
        say(
            &self.name(),
            &format!(
                "by hand {by_hand:.1} req/s{}, batchtop {ours:.1} req/s{}: {share:.1} %",
                self.part_of_possible(by_hand),
                self.part_of_possible(ours)
            ),
        );
        Ok(())
    }

    fn part_of_possible(&self, rate: f64) -> String {
        let Some(latency) = self.latency else {
            return String::new();
        };
        let possible = self.slots as f64 / latency.as_secs_f64();
        format!(" ({:.1} % of slots ÷ latency)", 100.0 * rate / possible)
    }
}

/// Works a batch off as a script would: each connection takes the next line, sends it, and adds the
/// answer to a file; no database, nothing is tried again. Gives what each call took.
pub(crate) async fn by_hand(
    batch: &Path,
    server: &str,
    connections: usize,
) -> Result<Vec<Duration>, Failure> {
    let lines = BufReader::new(File::open(batch)?).lines();
    let answers = BufWriter::new(File::create(batch.with_extension("by-hand"))?);
    let files = Arc::new((Mutex::new(lines), Mutex::new(answers)));
    let url = format!("{server}/api/chat");
    let client = reqwest::Client::builder().tls_certs_only([]).build()?;
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (client, url, files) = (client.clone(), url.clone(), Arc::clone(&files));
        workers.spawn(async move {
            let mut times = Vec::new();
            loop {
                let line = files.0.lock().map_err(|_| "a worker has failed")?.next();
                let Some(line) = line.transpose()? else {
                    return Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times);
                };
                let request: Value = serde_json::from_str(&line)?;
                let body = call_of(&request["body"]).to_string();
                let began = now();
                let answer = client.post(&url).body(body).send().await?.bytes().await?;
                times.push(began.elapsed());
                let text = text_of(&answer)?;
                let mut answers = files.1.lock().map_err(|_| "a worker has failed")?;
                writeln!(answers, "{}", json!([request["custom_id"], text]))?;
            }
        });
    }
    let mut times = Vec::new();
    while let Some(worker) = workers.join_next().await {
        times.extend(worker?.map_err(|error| error.to_string())?);
    }
    Ok(times)
}

fn call_of(body: &Value) -> Value {
    json!({"model": body["model"], "messages": body["messages"], "options": {"num_predict": 12}})
}

/// The text of an answer that came in pieces.
fn text_of(answer: &[u8]) -> Result<String, serde_json::Error> {
    let pieces = serde_json::Deserializer::from_slice(answer).into_iter::<Value>();
    let texts = pieces.map(|piece| {
        let text = piece?["message"]["content"].as_str().map(str::to_owned);
        Ok(text.unwrap_or_default())
    });
    texts.collect()
}
