//! Reading, converting and analyzing files.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use batchtop::analysis::{Analyzer, ScoreRule, read_results};
use batchtop::base::{bytes, count};
use batchtop::convert::{Reading, Recipe, Wording, convert};
use batchtop::intake::{Rules, open, read_all};
use batchtop::model::JobSettings;
use batchtop::sample::{csv_header, csv_row};
use batchtop::store::Store;

use super::batches::{BATCH, MODEL, admit, batch, close, open_engine, server};
use super::{Failure, now, peak_memory, say};

/// `check` and `enqueue` of the whole batch.
pub(crate) fn reading(folder: &Path, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
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
        let (handle, engine) = open_engine(&data, server("http://127.0.0.1:9")?)?;
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
pub(crate) fn converting(folder: &Path) -> Result<(), Failure> {
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
pub(crate) fn analyzing(folder: &Path) -> Result<(), Failure> {
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
