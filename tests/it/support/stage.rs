//! A simulated server, a folder of its own, and the program between them.

use std::path::{Path, PathBuf};
use std::process::Command;

use batchtop::simulator::{Action, Fault, LogEntry, Route, Script, Simulator, When};
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::{Finished, Running, json_lines, rows};

/// Where a test plays.
pub(crate) struct Stage {
    // Dropped in this order: the server lives on the runtime.
    server: Simulator,
    runtime: Runtime,
    folder: TempDir,
    settings: Vec<(String, String)>,
}

/// What the answers and errors of a run are.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) finished: Finished,
    pub(crate) answers: Vec<Value>,
    pub(crate) errors: Vec<Value>,
}

impl Stage {
    /// With a server that plays `script`.
    pub(crate) fn with(script: Script) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let server = runtime.block_on(Simulator::start_local(script)).unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self {
            server,
            runtime,
            folder,
            settings: Vec::new(),
        }
    }

    /// With a server that answers at once and never fails.
    pub(crate) fn new() -> Self {
        Self::with(Script::instant())
    }

    /// With a server to which these things happen.
    pub(crate) fn failing(faults: impl Into<Vec<Fault>>) -> Self {
        Self::with(Script {
            faults: faults.into(),
            ..Script::instant()
        })
    }

    /// Sets an environment variable for every process from now on.
    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its server.
    pub(crate) const fn server(&self) -> &Simulator {
        &self.server
    }

    /// Cuts every connection of the server and refuses new ones.
    pub(crate) fn server_goes(&self) {
        self.runtime.block_on(self.server.stop_listening());
    }

    /// Has the server listen again.
    pub(crate) fn server_returns(&self) {
        self.runtime.block_on(self.server.listen_again()).unwrap();
    }

    /// Has the server play another script.
    pub(crate) fn play(&self, script: Script) {
        self.server.replace(script).unwrap();
    }

    /// What the server was asked to answer, without polls and loads.
    pub(crate) fn asked(&self) -> Vec<LogEntry> {
        let log = self.server.log().into_iter();
        log.filter(|entry| {
            matches!(entry.route, Route::Chat | Route::Generate | Route::Embed)
                && entry.marker.is_some()
        })
        .collect()
    }

    /// Has the server load a model with this window, as another client would.
    pub(crate) fn load(&self, model: &str, window: u64) {
        let body = serde_json::json!({"model": model, "options": {"num_ctx": window}});
        let url = format!("{}/api/generate", self.server.url());
        self.ask(reqwest::Client::new().post(url).body(body.to_string()));
    }

    /// The models in the server's memory, as it lists them.
    pub(crate) fn loaded(&self) -> Vec<Value> {
        let url = format!("{}/api/ps", self.server.url());
        let listed = self.ask(reqwest::Client::new().get(url));
        listed["models"].as_array().unwrap().clone()
    }

    fn ask(&self, request: reqwest::RequestBuilder) -> Value {
        self.runtime.block_on(async {
            let answer = request.send().await.unwrap();
            serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default()
        })
    }

    /// A path in the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Reads a file of the folder.
    #[track_caller]
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.path(name);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The lines of a result file; none where there is no such file.
    pub(crate) fn lines(&self, name: &str) -> Vec<Value> {
        if !self.path(name).exists() {
            return Vec::new();
        }
        json_lines(&self.read(name))
    }

    /// The data folder.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("data")
    }

    /// Where the requests of a job stand in the queue.
    pub(crate) fn rows(&self, job: i64) -> super::Rows {
        rows(&self.data(), job)
    }

    /// A process with nothing of the environment of the tests: `program` in this folder.
    pub(crate) fn process(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new(program.as_ref());
        command
            .env_clear()
            .env("HOME", self.folder.path())
            .env("TMPDIR", self.folder.path())
            .env("PATH", "/usr/bin:/bin")
            .env("BATCHTOP_DATA_DIR", self.data())
            .env("BATCHTOP_SERVER", self.server.url())
            // One after the other, so that what happens to which request is certain.
            .env("BATCHTOP_PARALLEL", "1")
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .current_dir(self.folder.path());
        command
    }

    /// The program with these arguments, not started.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = self.process(Self::binary());
        command.args(arguments.split_whitespace());
        command
    }

    /// Where the program is.
    pub(crate) fn binary() -> &'static Path {
        Path::new(env!("CARGO_BIN_EXE_batchtop"))
    }

    /// Starts the program.
    pub(crate) fn start(&self, arguments: &str) -> Running {
        Running::start(&mut self.command(arguments), b"")
    }

    /// Runs the program to its end.
    #[track_caller]
    pub(crate) fn run(&self, arguments: &str) -> Finished {
        self.start(arguments).ends()
    }

    /// Runs the program to its end with something on standard input.
    #[track_caller]
    pub(crate) fn feed(&self, arguments: &str, input: &[u8]) -> Finished {
        Running::start(&mut self.command(arguments), input).ends()
    }

    /// Runs a batch file to its end and reads both result files.
    #[track_caller]
    pub(crate) fn work_off(&self, content: &str, flags: &str) -> Outcome {
        self.write("b.jsonl", content);
        let finished = self.run(&format!("run b.jsonl {flags}"));
        self.outcome(finished)
    }

    /// What `run b.jsonl` has left behind.
    pub(crate) fn outcome(&self, finished: Finished) -> Outcome {
        Outcome {
            finished,
            answers: self.lines("b.results.jsonl"),
            errors: self.lines("b.errors.jsonl"),
        }
    }
}

/// This happens to every request.
pub(crate) fn always(action: Action) -> Fault {
    Fault {
        when: When::default(),
        action,
    }
}

/// This happens to the first request and to no other.
pub(crate) fn once(action: Action) -> Fault {
    Fault {
        when: When {
            nth: Some(1),
            ..When::default()
        },
        action,
    }
}

/// This happens to every request whose text holds `marker`.
pub(crate) fn marked(marker: &str, action: Action) -> Fault {
    Fault {
        when: When {
            marker: Some(marker.to_owned()),
            ..When::default()
        },
        action,
    }
}
