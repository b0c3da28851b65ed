//! The batch file that is measured with, and the queue that it goes through.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use batchtop::engine::{Admit, Engine, Handle, Options, Parts, Scope, start};
use batchtop::gpu::Simulated;
use batchtop::inference::{Ollama, Server, Timeouts};
use batchtop::model::{JobId, JobSettings, JobState, Parallel};
use batchtop::sample::SYSTEM_PROMPT;
use batchtop::simulator::{Answers, Length, ModelScript, Script, Style};
use batchtop::store::{Reader, Store};

use super::Failure;

/// The model that every request asks for.
pub(crate) const MODEL: &str = "gemma3:12b";
/// As many requests as batchtop exists for.
pub(crate) const BATCH: u64 = 170_000;

/// What all requests of a batch begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum System {
    /// 8 kB, as long as it is in the batches that batchtop exists for.
    Long,
    /// One sentence: what is measured is not the copying of prompts.
    Short,
}

impl System {
    const fn text(self) -> &'static str {
        match self {
            Self::Long => SYSTEM_PROMPT,
            Self::Short => "You grade candidates from 0 to 10.",
        }
    }
}

/// A batch file, made once for each size.
pub(crate) fn batch(folder: &Path, requests: u64, system: System) -> Result<PathBuf, Failure> {
    let path = folder.join(format!("{requests}-{system:?}.jsonl"));
    if !path.exists() {
        let system = serde_json::Value::from(system.text());
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

/// A server with so many slots. Its answers have two tokens, `latency` apart, or eleven at once.
pub(crate) fn script(slots: usize, latency: Option<Duration>) -> Script {
    let tokens = if latency.is_some() { 2 } else { 11 };
    let rate = latency.map(|latency| 1.0 / latency.as_secs_f64());
    Script {
        slots,
        decode_rate: rate,
        num_ctx: 16_384,
        log_limit: 10,
        answers: Answers {
            tokens: Length::Fixed(tokens),
            style: Style::Prose,
            ..Answers::default()
        },
        models: vec![ModelScript {
            name: MODEL.to_owned(),
            ..ModelScript::default()
        }],
        ..Script::default()
    }
}

/// Runs a batch of so many requests over a server and says how many seconds they took: from the
/// moment when the first was sent to the moment when the last was stored, as the queue notes them.
pub(crate) async fn run<S: Server>(
    path: &Path,
    data: &Path,
    server: S,
    parallel: u32,
) -> Result<f64, Failure> {
    let (handle, engine) = open_engine(data, server)?;
    let settings = JobSettings {
        parallel: Parallel::lanes(parallel),
        max_tokens: 12,
        ..JobSettings::default()
    };
    let job = handle.admit(admit(path, settings)).await?.job.id;
    handle.work(Scope::Everything).await;
    wait_for(&handle, job).await?;
    close(&handle, engine).await?;
    let done = Reader::open(data)?
        .and_then(|reader| reader.job(job).transpose())
        .ok_or("the job is gone")??;
    let (began, ended) = done
        .started
        .zip(done.finished)
        .ok_or("the job has no end")?;
    Ok((ended.0 - began.0) as f64 / 1_000.0)
}

/// The client of a server at this address.
pub(crate) fn server(url: &str) -> Result<Ollama, Failure> {
    Ok(Ollama::new(url.parse()?, Timeouts::default())?)
}

/// An engine over a queue of its own.
pub(crate) fn open_engine<S: Server>(data: &Path, server: S) -> Result<(Handle, Engine), Failure> {
    std::fs::create_dir_all(data)?;
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

/// How the batch enters the queue.
pub(crate) fn admit(path: &Path, settings: JobSettings) -> Admit {
    Admit {
        path: path.to_path_buf(),
        name: "bench".to_owned(),
        settings,
        hash: None,
        receipt: None,
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

/// Ends an engine.
pub(crate) async fn close(handle: &Handle, mut engine: Engine) -> Result<(), Failure> {
    handle.stop(Duration::ZERO).await;
    Ok(engine.ended().await?)
}
