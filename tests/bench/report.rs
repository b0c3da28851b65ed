//! How long a report on a long job takes in each form. `cargo bench --bench report` prints it;
//! behind `--` comes how many requests the job has, and a folder in which the queue is kept.
//!
//! The queue is that of a night: answers with scores, failures and retries, readings of a card, a
//! pause and an outage. The batch is put in by the real program and given its end in SQL, past the
//! program, because running it would take the night.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use batchtop::base::Stamp;
use batchtop::model::{
    Answer, AnswerBody, CloudPrice, Failure as Failed, FailureClass, Finish, Format, JobId, Price,
    Prices, RanOn, Timings, Tokens, Usage,
};
use batchtop::report::gather;
use batchtop::store::{CardPoint, Reader, Store};

const MODEL: &str = "gemma3:12b";
const REQUESTS: u64 = 170_000;
/// How often each form is written; the shortest time counts.
const TIMES: usize = 5;

type Failure = Box<dyn std::error::Error>;

#[expect(clippy::disallowed_methods, reason = "a bench is a stopwatch")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::print_stdout, reason = "figures are what a bench is for")]
fn say(name: &str, figures: &str) {
    println!("{:24} {figures}", format!("report: {name}"));
}

fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1).filter(|one| !one.starts_with('-'));
    let requests = arguments.next().map_or(Ok(REQUESTS), |text| text.parse())?;
    let temporary = tempfile::tempdir()?;
    let folder = arguments
        .next()
        .map_or(temporary.path().to_path_buf(), PathBuf::from);
    let data = folder.join(format!("report-{requests}"));
    if !data.exists() {
        let started = now();
        enqueue(&folder, &data, requests)?;
        end(&data)?;
        say(
            "queue",
            &format!("{requests} requests, made in {}", told(started.elapsed())),
        );
    }
    let reader = Reader::open(&data)?.ok_or("there is no queue")?;
    let prices = Prices {
        kilowatt_hour: Some("0.30".parse()?),
        cloud: Some(CloudPrice {
            prompt: "0.15".parse()?,
            answer: Price::whole(1),
        }),
        currency: "€".to_owned(),
    };
    let until = Stamp(1_795_300_000_000);
    let look = || gather(&reader, JobId(1), &prices, until);
    say("gathered", &told(shortest(|| look().map(drop))?));
    let report = look()?.ok_or("there is no job")?;
    for format in Format::ALL {
        let time = shortest(|| report.write(format, &mut std::io::sink()))?;
        say(&format!("written as {format}"), &told(time));
        let path = folder.join(format!("report.{format}"));
        let time = shortest(|| command(&data, &path))?;
        let size = std::fs::metadata(&path)?.len() / 1_000;
        say(
            &format!("whole program, {format}"),
            &format!("{}, {size} kB", told(time)),
        );
    }
    Ok(())
}

fn shortest<E>(mut work: impl FnMut() -> Result<(), E>) -> Result<Duration, E> {
    let mut times = Vec::new();
    for _ in 0..TIMES {
        let started = now();
        work()?;
        times.push(started.elapsed());
    }
    Ok(times.into_iter().min().unwrap_or_default())
}

fn told(time: Duration) -> String {
    format!("{:.3} s", time.as_secs_f64())
}

/// `batchtop report 1 -o PATH`.
fn command(data: &Path, path: &Path) -> Result<(), Failure> {
    run(
        data,
        Command::new(env!("CARGO_BIN_EXE_batchtop"))
            .args(["report", "1", "-o"])
            .arg(path),
    )
}

fn run(data: &Path, command: &mut Command) -> Result<(), Failure> {
    let status = command
        .env("BATCHTOP_DATA_DIR", data)
        .env("HOME", data)
        .env("BATCHTOP_ENERGY_PRICE", "0.30")
        .env("BATCHTOP_CLOUD_PROMPT_PRICE", "0.15")
        .env("BATCHTOP_CLOUD_ANSWER_PRICE", "1")
        .stderr(Stdio::null())
        .status()?;
    if !status.success() {
        return Err(format!("batchtop ended with {status}").into());
    }
    Ok(())
}

fn enqueue(folder: &Path, data: &Path, requests: u64) -> Result<(), Failure> {
    std::fs::create_dir_all(folder)?;
    let batch = folder.join("candidates.jsonl");
    let mut file = BufWriter::new(File::create(&batch)?);
    for n in 0..requests {
        writeln!(
            file,
            r#"{{"custom_id":"cand-{n:07}","method":"POST","url":"/v1/chat/completions","body":{{"model":"{MODEL}","messages":[{{"role":"user","content":"Candidate {n}"}}]}}}}"#
        )?;
    }
    file.flush()?;
    run(
        data,
        Command::new(env!("CARGO_BIN_EXE_batchtop"))
            .arg("enqueue")
            .arg(&batch)
            .args(["--num-ctx", "8192"]),
    )
}

/// Gives every request of the queue an end, and the job what a night leaves behind.
fn end(data: &Path) -> Result<(), Failure> {
    let connection = rusqlite::Connection::open(data.join(Store::FILE))?;
    connection.pragma_update(None, "synchronous", "off")?;
    let failure = |class, text: &str| -> Result<[String; 3], Failure> {
        let failed = Failed::new(class, text);
        let json = serde_json::to_string(&failed)?;
        Ok([class.name().to_owned(), failed.pattern(), json])
    };
    connection.execute_batch("BEGIN")?;
    connection.execute_batch(ENDS)?;
    connection.execute(ANSWERS, [serde_json::to_string(&answer())?])?;
    connection.execute(
        FAILURES,
        failure(FailureClass::Timeout, "no token within 2 min")?,
    )?;
    let [_, _, again] = failure(FailureClass::ServerError, "llama runner has terminated")?;
    connection.execute(ATTEMPTS, [again])?;
    connection.execute(READINGS, [serde_json::to_string(&[card()])?])?;
    connection.execute_batch(EVENTS)?;
    connection.execute(
        "INSERT INTO ran_on (job, at, told) VALUES (1, 1795225440000, ?1)",
        [serde_json::to_string(&ran_on())?],
    )?;
    connection.execute_batch(JOB)?;
    connection.execute_batch("COMMIT")?;
    Ok(())
}

fn answer() -> Answer {
    Answer {
        model: MODEL.to_owned(),
        body: AnswerBody::Chat {
            content: String::new(),
            thinking: None,
            tool_calls: None,
            logprobs: None,
        },
        finish: Finish::Stop,
        usage: Usage {
            prompt: Some(Tokens(1_948)),
            cached: None,
            reused: Some(Tokens(1_800)),
            answer: Some(Tokens(61)),
        },
        timings: Timings {
            wall: Duration::from_secs(2),
            first_token: Some(Duration::from_millis(300)),
            total: Some(Duration::from_millis(1_990)),
            load: Some(Duration::from_millis(1)),
            prefill: Some(Duration::from_millis(120)),
            decode: Some(Duration::from_millis(1_500)),
            saved: Some(Duration::from_millis(900)),
        },
    }
}

fn card() -> CardPoint {
    CardPoint {
        id: "GPU-a".to_owned(),
        name: "NVIDIA GeForce RTX 4090".to_owned(),
        memory_used: Some(0),
        memory_total: Some(25_757_220_864),
        busy_percent: Some(97),
        celsius: Some(0),
        watts: Some(0.0),
    }
}

fn ran_on() -> RanOn {
    RanOn {
        model: MODEL.to_owned(),
        digest: Some("f4031aab637d1ffa37b42570452ae0e4fad0314754d17ded67322e4b95836f8a".to_owned()),
        quantization: Some("Q4_K_M".to_owned()),
        window: Some(Tokens(8_192)),
        server_version: Some("0.33.3".to_owned()),
        simulated: false,
        driver: Some("570.86.15".to_owned()),
        cards: vec!["NVIDIA GeForce RTX 4090".to_owned()],
        program: env!("CARGO_PKG_VERSION").to_owned(),
    }
}

/// A request failed where its number has this rest.
const ENDS: &str = "
    UPDATE request SET state = CASE WHEN seq % 200 = 199 THEN 3 ELSE 2 END, sent = 1;";

/// One every 170 ms, but for a pause in the heat and an outage of the server.
const ANSWERS: &str = r#"
    INSERT INTO outcome (request, at, answer, prompt_tokens, answer_tokens, wall_ms)
    SELECT id,
           1795225440000 + seq * 170 + (seq > 60000) * 1200000 + (seq > 110000) * 360000,
           json_set(?1,
               '$.body.chat.content', printf(
                   '{"score": %d, "reason": "Candidate %d has led %d people for %d years, which suits the role of a team lead; the profile says little about planning and about budgets."}',
                   min(10, abs((seq * 7919) % 17 - 4)), seq, seq % 23, seq % 13),
               '$.timings.wall.nanos', (seq * 104729) % 999999999,
               '$.timings.wall.secs', 1 + (seq * 31) % 3 + (seq % 97 = 0) * 9,
               '$.timings.first_token.nanos', 200000000 + (seq * 15485863) % 500000000),
           1948, 61, 1500 + seq % 2000
    FROM request WHERE state = 2"#;

const FAILURES: &str = "
    INSERT INTO outcome (request, at, class, pattern, failure)
    SELECT id,
           1795225440000 + seq * 170 + (seq > 60000) * 1200000 + (seq > 110000) * 360000,
           ?1, ?2, ?3
    FROM request WHERE state = 3";

const ATTEMPTS: &str = "
    INSERT INTO attempt (request, number, at, failure)
    SELECT id, 1, 1795225440000 + seq * 170, ?1 FROM request WHERE seq % 100 = 99";

const READINGS: &str = "
    WITH RECURSIVE step (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM step WHERE n < 3999),
         moment (n, at) AS (SELECT n, n * 7610 FROM step)
    INSERT INTO reading (job, at, lanes, server_size, server_size_vram, requests_per_second,
                         answer_tokens_per_second, cards)
    SELECT 1, 1795225440000 + at, CASE WHEN n < 40 THEN 1 + n / 10 ELSE 6 + (n % 7 = 0) END,
           11059744000, 11059744000, 5.9, 359.0,
           json_set(?1,
               '$[0].memory_used', 11900000000 + at * 20 + (n * 7919) % 90000000,
               '$[0].celsius', CASE WHEN at BETWEEN 10200000 AND 11400000 THEN 52 ELSE 70 END
                   + (n * 31) % 5 + (at > 9000000 AND at < 10200000) * 12,
               '$[0].watts', CASE WHEN at BETWEEN 10200000 AND 11400000 THEN 62.0 ELSE 318.0 END
                   + (n * 104729) % 37)
    FROM moment WHERE at NOT BETWEEN 20300000 AND 20500000";

const EVENTS: &str = "
    INSERT INTO event (job, at, kind, text) VALUES
        (1, 1795225440000, 'job_state', '`candidates.jsonl` is running'),
        (NULL, 1795225440010, 'loading', 'loading gemma3:12b'),
        (NULL, 1795225447000, 'loaded', 'gemma3:12b was loaded in 7.0 s'),
        (1, 1795225560000, 'lanes', '4 lanes: throughput rose by 31 %'),
        (1, 1795225740000, 'lanes', '6 lanes: requests queue beyond'),
        (NULL, 1795235640000, 'guard', 'paused: what is in flight finishes, nothing new is sent; the card has 86 °C'),
        (NULL, 1795236840000, 'guard', 'nothing is held back any more; the card has 55 °C'),
        (NULL, 1795245340000, 'server_down', 'the server does not answer: connection refused'),
        (NULL, 1795245700000, 'server_up', 'the server answers again after 6 min 00 s'),
        (NULL, 1795245701000, 'loading', 'loading gemma3:12b'),
        (NULL, 1795245709000, 'loaded', 'gemma3:12b was loaded in 8.0 s'),
        (NULL, 1795250000000, 'reloaded', 'gemma3:12b was loaded again: somebody else used the server'),
        (1, 1795255900000, 'job_state', '`candidates.jsonl` is done');
    INSERT INTO event (job, at, kind, text)
        SELECT 1, 1795225440000 + seq * 170, 'request_failed', 'timeout' FROM request WHERE state = 3;";

const JOB: &str = "
    INSERT INTO failed_class (job, class, count)
        SELECT 1, 'timeout', count(*) FROM request WHERE state = 3;
    INSERT INTO reuse (job, requests, prompt_tokens, reused_tokens, saved_us)
        SELECT 1, count(*), count(*) * 1948, count(*) * 1800, count(*) * 900000 FROM request WHERE state = 2;
    UPDATE event SET at = 1795225435000 WHERE text LIKE '%is queued';
    UPDATE job SET state = 'done', created = 1795225435000, started = 1795225440000, finished = 1795255900000,
        done = (SELECT count(*) FROM request WHERE state = 2),
        failed = (SELECT count(*) FROM request WHERE state = 3),
        prompt_tokens = (SELECT sum(prompt_tokens) FROM outcome),
        answer_tokens = (SELECT sum(answer_tokens) FROM outcome),
        joules = 9100000.0, joules_estimated = 0.0, readings = 4000;
    ANALYZE;";
