//! What the engine takes of the time, measured over the simulated server. `cargo bench` prints
//! every figure of `docs/PERFORMANCE.md`; `cargo bench -- NAME` prints those whose name contains it.
//!
//! Server and client share the machine, so each figure is what both manage together.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use batchtop::analysis::{Analyzer, ScoreRule, read_results};
use batchtop::base::{bytes, count};
use batchtop::context::{Budget, Role, Trigger, Turn, fit};
use batchtop::convert::{Reading, Recipe, Wording, convert};
use batchtop::engine::{Admit, Engine, Handle, Options, Parts, Scope, start};
use batchtop::gpu::Simulated;
use batchtop::inference::{Ollama, Timeouts};
use batchtop::intake::{Rules, open, read_all};
use batchtop::model::{JobId, JobSettings, JobState, Parallel, Share, Tokens, TrimPolicy};
use batchtop::sample::{SYSTEM_PROMPT, csv_header, csv_row};
use batchtop::simulator::{Answers, Length, ModelScript, Script, Simulator};
use batchtop::store::Store;

const MODEL: &str = "gemma3:12b";
const BATCH: u64 = 170_000;

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
        reading(folder.path(), &runtime)?;
    }
    if is_wanted("convert") {
        converting(folder.path())?;
    }
    if is_wanted("analyze") {
        analyzing(folder.path())?;
    }
    if is_wanted("engine") {
        for requests in [1_000, 20_000, BATCH] {
            runtime.block_on(engine(folder.path(), requests))?;
        }
    }
    if is_wanted("lanes") {
        runtime.block_on(lanes(folder.path(), 4, Duration::from_millis(50), 2_000))?;
        runtime.block_on(lanes(folder.path(), 64, Duration::from_millis(5), 20_000))?;
    }
    if is_wanted("trim") {
        trim()?;
    }
    if is_wanted("plain") {
        for (slots, requests) in [(1, 4_000), (64, 20_000)] {
            runtime.block_on(plain(folder.path(), slots, requests))?;
        }
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(name: &str, figures: &str) {
    println!("{name:24} {figures}");
}

/// A history of 1,000 messages, trimmed by each policy.
fn trim() -> Result<(), Failure> {
    const TIMES: u32 = 200;
    let turn = |role, at: u64| Turn {
        role,
        tokens: Tokens(20 + at * 37 % 200),
        marked: at.is_multiple_of(50),
    };
    let history = (0..1_000).map(|at| {
        let role = if at % 2 == 0 {
            Role::User
        } else {
            Role::Assistant
        };
        turn(role, at)
    });
    let turns: Vec<Turn> = std::iter::once(turn(Role::System, 0))
        .chain(history)
        .chain([turn(Role::User, 7)])
        .collect();
    let budget = Budget::of(Tokens(32_768), Tokens(512), Share::default(), None);
    for policy in TrimPolicy::ALL {
        let began = now();
        for _ in 0..TIMES {
            let kept = fit(&turns, &budget, policy, Trigger::WhenTooLong)?;
            assert!(kept.is_trimmed());
        }
        let each = began.elapsed() / TIMES;
        say("trim", &format!("{policy}: 1,000 messages in {each:?}"));
    }
    Ok(())
}

/// A batch file whose requests share a system prompt of 8 kB, made once for each size.
fn batch(folder: &Path, requests: u64) -> Result<PathBuf, Failure> {
    let path = folder.join(format!("{requests}.jsonl"));
    if !path.exists() {
        let system = serde_json::Value::from(SYSTEM_PROMPT);
        let mut file = BufWriter::new(File::create(&path)?);
        for n in 0..requests {
            writeln!(
                file,
                r#"{{"custom_id":"cand-{n:06}","method":"POST","url":"/v1/chat/completions","body":{{"model":"{MODEL}","messages":[{{"role":"system","content":{system}}},{{"role":"user","content":"Candidate {n}: twelve years of systems work, two of them abroad."}}]}}}}"#
            )?;
        }
        file.flush()?;
    }
    Ok(path)
}

/// `check` and `enqueue` of the whole batch.
fn reading(folder: &Path, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    let path = batch(folder, BATCH)?;
    let size = path.metadata()?.len();
    let started = now();
    let survey = read_all(open(&path)?, Rules::default(), 100);
    let took = started.elapsed().as_secs_f64();
    let speed = bytes((size as f64 / took) as u64);
    let requests = count(survey.requests);
    say(
        "reading: check",
        &format!(
            "{requests} requests, {} in {took:.2} s, {speed}/s",
            bytes(size)
        ),
    );

    let started = now();
    let data = folder.join("reading");
    runtime.block_on(async {
        let (handle, engine) = open_engine(&data, "http://127.0.0.1:9")?;
        handle.admit(admit(&path, JobSettings::default())).await?;
        close(&handle, engine).await
    })?;
    let took = started.elapsed().as_secs_f64();
    let database = data.join(Store::FILE).metadata()?.len();
    let peak = peak_memory().map_or_else(|| "n/a".to_owned(), bytes);
    let database = bytes(database);
    say(
        "reading: enqueue",
        &format!("{took:.2} s, database {database}, peak memory {peak}"),
    );
    Ok(())
}

/// `convert` of a table of 300,000 candidates, with a template of the kind that people write.
fn converting(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("candidates.csv");
    let mut file = BufWriter::new(File::create(&path)?);
    writeln!(file, "{}", csv_header())?;
    for index in 0..300_000 {
        writeln!(file, "{}", csv_row(1, index))?;
    }
    file.flush()?;
    let size = path.metadata()?.len();
    let recipe = Recipe::new(&Wording::new("Grade {{ name }}: {{ profile }}".to_owned()))?;
    let mut output = BufWriter::new(File::create(folder.join("converted.jsonl"))?);
    let started = now();
    let converted = convert(open(&path)?, &recipe, &Reading::default(), &mut output)?;
    say_speed("convert", converted.requests, size, started);
    Ok(())
}

/// `analyze` of as many answers as the batch has requests, four times over.
fn analyzing(folder: &Path) -> Result<(), Failure> {
    let path = folder.join("results.jsonl");
    let mut file = BufWriter::new(File::create(&path)?);
    for n in 0..4 * BATCH {
        let (score, time) = (n % 11, n % 977);
        writeln!(
            file,
            r#"{{"id":"batch_req_1_{n}","custom_id":"cand-{n:06}","response":{{"status_code":200,"request_id":"req_1_{n}","body":{{"id":"chatcmpl-1_{n}","object":"chat.completion","created":1790000000,"model":"{MODEL}","choices":[{{"index":0,"message":{{"role":"assistant","content":"{{\"score\": {score}, \"reason\": \"Number {n} has rebuilt the rota of a ward and says so with figures; the direction of the study stays open.\"}}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":2100,"completion_tokens":{time},"total_tokens":3000}},"batchtop":{{"attempts":1,"wall_ms":{time}.25,"first_token_ms":12.5,"total_ms":900.1,"prefill_ms":80,"decode_ms":700}}}}}},"error":null}}"#
        )?;
    }
    file.flush()?;
    let size = path.metadata()?.len();
    let mut analyzer = Analyzer::new(ScoreRule::Detect);
    let started = now();
    read_results(open(&path)?, |observation| {
        analyzer.add(&observation);
        Ok(())
    })?;
    let summary = analyzer.finish();
    say_speed("analyze", summary.results, size, started);
    Ok(())
}

fn say_speed(name: &str, lines: u64, size: u64, started: Instant) {
    let took = started.elapsed().as_secs_f64();
    let speed = bytes((size as f64 / took) as u64);
    let (lines, size) = (count(lines), bytes(size));
    let peak = peak_memory().map_or_else(|| "n/a".to_owned(), bytes);
    say(
        name,
        &format!("{lines} lines, {size} in {took:.2} s, {speed}/s, peak memory {peak}"),
    );
}

/// The engine over a server that answers in no time.
async fn engine(folder: &Path, requests: u64) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(64, None)).await?;
    let data = folder.join(format!("engine-{requests}"));
    let seconds = run(folder, &data, &simulator.url(), requests, 64).await?;
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

/// What is left of slots ÷ latency when answers take `latency`.
async fn lanes(
    folder: &Path,
    slots: usize,
    latency: Duration,
    requests: u64,
) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(slots, Some(latency))).await?;
    let data = folder.join(format!("lanes-{slots}"));
    let seconds = run(folder, &data, &simulator.url(), requests, slots as u32).await?;
    simulator.shutdown().await;
    let ideal = slots as f64 / latency.as_secs_f64();
    let rate = requests as f64 / seconds;
    let share = 100.0 * rate / ideal;
    let millis = latency.as_millis();
    say(
        "lanes",
        &format!("{slots} slots × {millis} ms: {rate:.1} req/s, {share:.1} % of {ideal:.0}"),
    );
    Ok(())
}

/// The same requests through the plainest client one would write by hand: as many connections as
/// slots, answers thrown away.
async fn plain(folder: &Path, slots: usize, requests: u64) -> Result<(), Failure> {
    let simulator = Simulator::start_local(script(slots, None)).await?;
    let url = format!("{}/api/chat", simulator.url());
    let next = Arc::new(AtomicU64::new(0));
    let client = reqwest::Client::builder().tls_certs_only([]).build()?;
    let started = now();
    let mut workers = tokio::task::JoinSet::new();
    for _ in 0..slots {
        let (client, url, next) = (client.clone(), url.clone(), Arc::clone(&next));
        workers.spawn(async move {
            while next.fetch_add(1, Ordering::Relaxed) < requests {
                let body = plain_body();
                if let Ok(answer) = client.post(&url).body(body).send().await {
                    drop(answer.bytes().await);
                }
            }
        });
    }
    while workers.join_next().await.is_some() {}
    let by_hand = requests as f64 / started.elapsed().as_secs_f64();
    let data = folder.join(format!("plain-{slots}"));
    let seconds = run(folder, &data, &simulator.url(), requests, slots as u32).await?;
    simulator.shutdown().await;
    let ours = requests as f64 / seconds;
    let share = 100.0 * ours / by_hand;
    say(
        "plain client",
        &format!(
            "{slots} lanes: by hand {by_hand:.0} req/s, batchtop {ours:.0} req/s ({share:.0} %)"
        ),
    );
    Ok(())
}

fn plain_body() -> String {
    let system = serde_json::Value::from(SYSTEM_PROMPT);
    format!(
        r#"{{"model":"{MODEL}","messages":[{{"role":"system","content":{system}}},{{"role":"user","content":"Ada"}}],"options":{{"num_predict":12}}}}"#
    )
}

/// A server with so many slots, whose answers take `latency`, or no time.
fn script(slots: usize, latency: Option<Duration>) -> Script {
    let tokens = 11;
    let rate = latency.map(|latency| (tokens - 1) as f64 / latency.as_secs_f64());
    Script {
        slots,
        decode_rate: rate,
        num_ctx: 16_384,
        log_limit: 10,
        answers: Answers {
            tokens: Length::Fixed(tokens),
            ..Answers::default()
        },
        models: vec![ModelScript {
            name: MODEL.to_owned(),
            ..ModelScript::default()
        }],
        ..Script::default()
    }
}

/// Seconds from the first request to the last stored answer.
async fn run(
    folder: &Path,
    data: &Path,
    url: &str,
    requests: u64,
    parallel: u32,
) -> Result<f64, Failure> {
    let path = batch(folder, requests)?;
    let (handle, engine) = open_engine(data, url)?;
    let settings = JobSettings {
        parallel: Parallel::lanes(parallel),
        max_tokens: 12,
        ..JobSettings::default()
    };
    let job = handle.admit(admit(&path, settings)).await?.job.id;
    let started = now();
    handle.work(Scope::Everything).await;
    wait_for(&handle, job).await?;
    let seconds = started.elapsed().as_secs_f64();
    close(&handle, engine).await?;
    Ok(seconds)
}

fn open_engine(data: &Path, url: &str) -> Result<(Handle, Engine), Failure> {
    std::fs::create_dir_all(data)?;
    let server = Ollama::new(url.parse()?, Timeouts::default())?;
    let options = Options {
        simulated: true,
        first_byte: Duration::from_mins(1),
        idle: Duration::from_mins(1),
        guard: None,
        sample: Duration::from_secs(1),
    };
    Ok(start(Parts {
        store: Store::open(data)?,
        server,
        cards: Box::new(Simulated::default()),
        options,
    })?)
}

fn admit(path: &Path, settings: JobSettings) -> Admit {
    Admit {
        path: path.to_path_buf(),
        name: "bench".to_owned(),
        settings,
        hash: None,
    }
}

async fn wait_for(handle: &Handle, job: JobId) -> Result<(), Failure> {
    let mut snapshots = handle.snapshots();
    loop {
        let done = {
            let snapshot = snapshots.borrow_and_update();
            let found = snapshot.jobs.iter().find(|view| view.id == job);
            found.is_some_and(|view| view.state == JobState::Done)
        };
        if done {
            return Ok(());
        }
        snapshots.changed().await?;
    }
}

async fn close(handle: &Handle, mut engine: Engine) -> Result<(), Failure> {
    handle.stop(Duration::ZERO).await;
    Ok(engine.ended().await?)
}

/// The most memory that this process ever held, where the system tells.
fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
