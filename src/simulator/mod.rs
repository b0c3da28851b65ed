//! Stands in for an Ollama server over real HTTP, faults included.
//!
//! The demo, the tests and the benchmarks use it. It speaks the protocol of Ollama 0.33 as it was
//! recorded and read (`tests/data/ollama` holds recordings that it is held to): slots with prefix
//! caches, a queue, loading and reloading, windows that overflow, and everything that goes wrong
//! in a long night, when a [`Script`] says so. It keeps a log of what it truly saw and did.

mod answers;
mod call;
mod chat;
mod door;
mod durations;
mod edition;
mod embed;
mod faults;
mod generation;
mod listing;
mod log;
mod models;
mod openai;
mod openai_voice;
mod options;
mod order;
mod presets;
mod prompt;
mod router;
mod runner;
mod scheduler;
mod schema;
mod script;
mod server;
mod slots;
mod speaking;
mod stats;
mod timer;
mod tokens;
mod voice;
mod wire;
mod words;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::TcpListener;

use server::Server;

pub use faults::{Action, Fault, When};
pub use log::{LogEntry, Outcome, Route};
pub use models::{Capability, ModelScript, PromptPath};
pub use script::{Answers, Length, Script, ScriptError, Style};
pub use stats::Stats;

/// A running simulated server. Dropping it cuts its connections and ends its tasks.
#[derive(Debug)]
pub struct Simulator {
    server: Arc<Server>,
}

impl Simulator {
    /// Serves on this listener. Fails where the script cannot be played, or its log file not be
    /// opened.
    pub async fn start(listener: TcpListener, script: Script) -> io::Result<Self> {
        let server = Arc::new(Server::new(listener.local_addr()?, script)?);
        server.listen(listener).await;
        server.watch_the_clock();
        Ok(Self { server })
    }

    /// Serves on a free port of the loopback address.
    pub async fn start_local(script: Script) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::start(listener, script).await
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.address
    }

    /// Where it listens, as `http://127.0.0.1:11434`.
    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    /// Every request seen and what became of it, in the order of arrival.
    pub fn log(&self) -> Vec<LogEntry> {
        self.server.journal.entries()
    }

    /// What it has done so far.
    pub fn stats(&self) -> Stats {
        self.server.meter.stats()
    }

    /// Plays another script from now on: the faults begin anew, loaded models stay loaded. Where
    /// it fails the old one goes on.
    pub fn replace(&self, script: Script) -> io::Result<()> {
        self.server.replace(script)
    }

    /// Goes away: cuts every connection and refuses new ones. Loaded models stay loaded.
    pub async fn stop_listening(&self) {
        self.server.close_door().await;
    }

    /// Is there again, at the same address. Fails where that is taken by now.
    pub async fn listen_again(&self) -> io::Result<()> {
        self.server.open_door().await
    }

    /// Ends it and waits until its last task is gone.
    pub async fn shutdown(self) {
        self.server.stop.cancel();
        self.server.close_door().await;
        self.server.tasks.close();
        self.server.tasks.wait().await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.server.stop.cancel();
    }
}
