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
use super::watched::Watched;
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

/// What is left of slots ÷ latency when answers take `latency`. The timer of the server is coarse,
/// so that it takes somewhat longer: what is left of its own time is told beside it.
pub(crate) async fn lanes(
    folder: &Path,
    slots: usize,
    latency: Duration,
    requests: u64,
) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(slots, Some(latency))).await?;
    let watched = Watched::over(server(&simulator.url())?);
    let data = folder.join(format!("lanes-{slots}"));
    let seconds = run(folder, &data, watched.clone(), requests, slots as u32).await?;
    simulator.shutdown().await;
    let calls = watched.taken();
    let took = calls.iter().map(|call| call.server).sum::<Duration>() / calls.len().max(1) as u32;
    let rate = requests as f64 / seconds;
    let share = |latency: Duration| 100.0 * rate * latency.as_secs_f64() / slots as f64;
    say(
        "lanes",
        &format!(
            "{slots} slots × {latency:?}: {rate:.1} req/s, {:.1} % of slots ÷ latency; the server took {took:.2?}: {:.1} % of that",
            share(latency),
            share(took)
        ),
    );
    Ok(())
}

/// The same requests through the plainest client one would write by hand: as many connections as
/// slots, answers thrown away.
pub(crate) async fn plain(
    folder: &Path,
    (slots, latency): (usize, Option<Duration>),
    requests: u64,
) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(slots, latency)).await?;
    let by_hand = requests as f64 / by_hand(&simulator.url(), slots, requests).await?;
    let data = folder.join(format!("plain-{slots}-{requests}"));
    let server = server(&simulator.url())?;
    let seconds = run(folder, &data, server, requests, slots as u32).await?;
    simulator.shutdown().await;
    let ours = requests as f64 / seconds;
    let share = 100.0 * ours / by_hand;
    say(
        "plain client",
        &format!(
            "{slots} lanes: by hand {by_hand:.1} req/s, batchtop {ours:.1} req/s ({share:.1} %)"
        ),
    );
    Ok(())
}

/// Seconds that the plainest client takes.
async fn by_hand(server: &str, connections: usize, requests: u64) -> Result<f64, Failure> {
    let url = format!("{server}/api/chat");
    let next = Arc::new(AtomicU64::new(0));
    let client = reqwest::Client::builder().tls_certs_only([]).build()?;
    let started = now();
    let mut workers = JoinSet::new();
    for _ in 0..connections {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        workers.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < requests {
                if let Ok(answer) = client.post(&url).body(plain_body()).send().await {
                    drop(answer.bytes().await);
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
    Ok(started.elapsed().as_secs_f64())
}

fn plain_body() -> String {
    let system = serde_json::Value::from(SYSTEM_PROMPT);
    format!(
        r#"{{"model":"{MODEL}","messages":[{{"role":"system","content":{system}}},{{"role":"user","content":"Ada"}}],"options":{{"num_predict":12}}}}"#
    )
}
