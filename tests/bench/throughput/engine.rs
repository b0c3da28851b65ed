//! The engine over the simulated server: at full speed, over slots that take their time, and
//! beside the plainest client.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use batchtop::base::{bytes, count};
use batchtop::sample::SYSTEM_PROMPT;
use batchtop::simulator::Simulator;

use tokio::task::JoinSet;

use super::batches::{MODEL, run, script, server};
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
/// one would write by hand, with as many connections as slots, which throws the answers away. What is
/// left of slots ÷ latency is told of both, because the timer of the server is coarse.
pub(crate) async fn beside_plain(
    folder: &Path,
    (slots, latency): (usize, Option<Duration>),
    requests: u64,
) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(slots, latency)).await?;
    let url = simulator.url();
    let started = now();
    by_hand(&url, slots, requests).await?;
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

/// Sends so many requests as the plainest client would. Gives what each call took.
pub(crate) async fn by_hand(
    server: &str,
    connections: usize,
    requests: u64,
) -> Result<Vec<Duration>, Failure> {
    let url = format!("{server}/api/chat");
    let next = Arc::new(AtomicU64::new(0));
    let client = reqwest::Client::builder().tls_certs_only([]).build()?;
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        workers.spawn(async move {
            let mut times = Vec::new();
            while next.fetch_add(1, Ordering::Relaxed) < requests {
                let began = now();
                if let Ok(answer) = client.post(&url).body(plain_body()).send().await {
                    drop(answer.bytes().await);
                }
                times.push(began.elapsed());
            }
            times
        });
    }
    let mut times = Vec::new();
    while let Some(worker) = workers.join_next().await {
        times.extend(worker?);
    }
    Ok(times)
}

fn plain_body() -> String {
    let system = serde_json::Value::from(SYSTEM_PROMPT);
    format!(
        r#"{{"model":"{MODEL}","messages":[{{"role":"system","content":{system}}},{{"role":"user","content":"Ada"}}],"options":{{"num_predict":12}}}}"#
    )
}
