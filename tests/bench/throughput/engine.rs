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

use super::batches::{batch, run, script, server};
use super::{Failure, now, peak_memory, say};

/// The engine over a server that answers in no time.
pub(crate) async fn engine(folder: &Path, requests: u64) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(64, None)).await?;
    let data = folder.join(format!("engine-{requests}"));
    let seconds = run(folder, &data, server(&simulator.url())?, requests, 64).await?;
    simulator.shutdown().await;
    let rate = count((requests as f64 / seconds) as u64);
    let peak = peak_memory().map_or_else(|| "n/a".to_owned(), bytes);
    let requests = count(requests);
    say(
        "engine",
        &format!("{requests} requests in {seconds:.2} s, {rate} req/s, peak memory {peak}"),
    );
    Ok(())
}

/// So many slots whose answers take `latency`, or no time: batchtop beside the plainest client that
/// one would write by hand, with as many connections as slots. What is left of slots ÷ latency is told
/// of both, because the timer of the server is coarse.
pub(crate) async fn beside_plain(
    folder: &Path,
    (slots, latency): (usize, Option<Duration>),
    requests: u64,
) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(slots, latency)).await?;
    let url = simulator.url();
    let started = now();
    by_hand(&batch(folder, requests)?, &url, slots).await?;
    let by_hand = requests as f64 / started.elapsed().as_secs_f64();
    let data = folder.join(format!("plain-{slots}-{requests}"));
    let seconds = run(folder, &data, server(&url)?, requests, slots as u32).await?;
    simulator.shutdown().await;
    let ours = requests as f64 / seconds;
    let share = 100.0 * ours / by_hand;
    let part = |rate: f64| {
        let possible = latency.map(|latency| slots as f64 / latency.as_secs_f64());
        possible.map_or_else(String::new, |possible| {
            format!(" ({:.1} % of slots ÷ latency)", 100.0 * rate / possible)
        })
    };
    let length = latency.map_or_else(|| "no time".to_owned(), |latency| format!("{latency:?}"));
    say(
        "plain client",
        &format!(
            "{slots} slots × {length}: by hand {by_hand:.1} req/s{}, batchtop {ours:.1} req/s{}: {share:.1} %",
            part(by_hand),
            part(ours)
        ),
    );
    Ok(())
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
