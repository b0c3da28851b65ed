//! Queues of any length, and servers for them.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use batchtop::model::{
    Answer, AnswerBody, Failure as Failed, FailureClass, Finish, Timings, Usage,
};
use batchtop::sample::{SampleOptions, request_line};
use batchtop::simulator::{ModelScript, Script, Simulator};
use batchtop::store::Store;
use tokio::runtime::Runtime;

use super::{Failure, now, say};

const MODEL: &str = "gemma3:12b";
/// A long queue: as many requests as the issue speaks of.
pub(crate) const MILLION: u64 = 1_000_000;

/// A folder, and a runtime for servers.
pub(crate) struct Stage<'a> {
    folder: &'a Path,
    pub(crate) runtime: &'a Runtime,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(folder: &'a Path, runtime: &'a Runtime) -> Result<Self, Failure> {
        std::fs::create_dir_all(folder.join("home"))?;
        Ok(Self { folder, runtime })
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.folder.join("home")
    }

    /// A server with one model, which plays the rest of `script`.
    pub(crate) fn server(&self, script: Script) -> Result<Simulator, Failure> {
        let script = Script {
            models: vec![ModelScript {
                name: MODEL.to_owned(),
                ..ModelScript::default()
            }],
            num_ctx: 16_384,
            log_limit: 10,
            ..script
        };
        Ok(self.runtime.block_on(Simulator::start_local(script))?)
    }

    /// A data folder with a batch that waits to be run in so many lanes.
    pub(crate) fn waiting(
        &self,
        name: &str,
        requests: u64,
        lanes: usize,
    ) -> Result<PathBuf, Failure> {
        let options = SampleOptions {
            model: Some(MODEL.to_owned()),
            ..SampleOptions::default()
        };
        let person = |n| request_line(7, n, &options);
        self.enqueued(name, requests, lanes, person)
    }

    /// A data folder with a paused job of so many requests: every second one is done, every
    /// hundredth has failed. It is made once for each size.
    pub(crate) fn half_done(&self, requests: u64) -> Result<PathBuf, Failure> {
        let name = format!("queue-{requests}");
        let data = self.folder.join(&name);
        if data.exists() {
            return Ok(data);
        }
        let started = now();
        let line = |n| {
            format!(
                r#"{{"custom_id":"cand-{n:07}","method":"POST","url":"/v1/chat/completions","body":{{"model":"{MODEL}","messages":[{{"role":"user","content":"Candidate {n}"}}]}}}}"#
            )
        };
        self.enqueued(&name, requests, 4, line)?;
        work_half_off(&data)?;
        let took = started.elapsed().as_secs_f64();
        say(
            "screen: (queue made)",
            &format!("{requests} requests in {took:.1} s"),
        );
        Ok(data)
    }

    fn enqueued(
        &self,
        name: &str,
        requests: u64,
        lanes: usize,
        line: impl Fn(u64) -> String,
    ) -> Result<PathBuf, Failure> {
        let data = self.folder.join(name);
        let batch = self.folder.join(format!("{name}.jsonl"));
        let mut file = BufWriter::new(File::create(&batch)?);
        for n in 0..requests {
            writeln!(file, "{}", line(n))?;
        }
        file.flush()?;
        let status = Command::new(env!("CARGO_BIN_EXE_batchtop"))
            .arg("enqueue")
            .arg(&batch)
            .args(["--parallel", &lanes.to_string(), "--max-tokens", "100"])
            .env("BATCHTOP_DATA_DIR", &data)
            .env("HOME", self.home())
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            return Err(format!("`batchtop enqueue` ended with {status}").into());
        }
        Ok(data)
    }
}

/// Gives a queue the state of a run that is half over, past the program: running a million
/// requests would take too long for a bench.
fn work_half_off(data: &Path) -> Result<(), Failure> {
    let connection = rusqlite::Connection::open(data.join(Store::FILE))?;
    connection.pragma_update(None, "synchronous", "off")?;
    let answer = serde_json::to_string(&Answer {
        model: MODEL.to_owned(),
        body: AnswerBody::Completion {
            text: "The candidate fits.".to_owned(),
        },
        finish: Finish::Stop,
        usage: Usage::default(),
        timings: Timings::default(),
    })?;
    let failed = Failed::new(FailureClass::Timeout, "no token within 2 min");
    let failure = serde_json::to_string(&failed)?;
    connection.execute_batch(
        "BEGIN; UPDATE request SET state = 2, sent = 1 WHERE seq % 2 = 0;
         UPDATE request SET state = 3, sent = 3 WHERE seq % 100 = 99;",
    )?;
    connection.execute(
        "INSERT INTO outcome (request, at, answer, prompt_tokens, answer_tokens, wall_ms)
         SELECT id, 1795262400000 + seq, ?1, 1948, 41, 900 + seq % 700 FROM request WHERE state = 2",
        [answer],
    )?;
    connection.execute(
        "INSERT INTO outcome (request, at, class, pattern, failure)
         SELECT id, 1795262400000 + seq, ?1, ?2, ?3 FROM request WHERE state = 3",
        [failed.class.name(), &failed.pattern(), &failure],
    )?;
    connection.execute_batch(
        "UPDATE job SET state = 'paused', done = (SELECT count(*) FROM request WHERE state = 2),
                failed = (SELECT count(*) FROM request WHERE state = 3); COMMIT;",
    )?;
    Ok(())
}
