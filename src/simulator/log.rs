//! The witness: what the server saw and what it made of it, whatever the client believes.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::base::Stamp;

use super::stats::Meter;

/// One request as the server saw it. In a log file the last line of a number is the one that
/// holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Counts requests from 1, in the order they arrived.
    pub number: u64,
    /// Milliseconds from the simulator's start to its arrival.
    pub at_ms: u64,
    /// Milliseconds from the simulator's start to its end; `None` while it is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_ms: Option<u64>,
    /// Its arrival by the wall clock.
    pub stamp: Stamp,
    /// What was asked.
    pub route: Route,
    /// The model as the request named it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// What identifies the request: see `Script::marker_prefix`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// The fault that happened to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// The HTTP status, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Milliseconds it waited for its model; more than a few where it was loaded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_ms: Option<u64>,
    /// The slot it was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<usize>,
    /// Prompt tokens truly evaluated, once they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evaluated: Option<u64>,
    /// Prompt tokens truly reused from the slot's prefix cache.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reused: Option<u64>,
    /// Tokens generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated: Option<u64>,
    /// Its body, where the script says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Nothing yet.
    Open,
    /// Its complete answer was handed to the socket.
    Answered,
    /// It was refused with an HTTP status of 400 or more.
    Refused,
    /// Its answer ended with an error in the stream, or something in it was no JSON.
    Failed,
    /// The server ended the answer or the connection before it was complete.
    Cut,
    /// The model runner died while it worked on it.
    Crashed,
    /// The client closed the connection.
    ClientGone,
}

/// What a request asks for, by its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Route {
    /// `/`
    Root,
    /// `/api/version`
    Version,
    /// `/api/tags`
    Tags,
    /// `/api/ps`
    Ps,
    /// `/api/show`
    Show,
    /// `/api/chat`
    Chat,
    /// `/api/generate`
    Generate,
    /// `/api/embed`
    Embed,
    /// `/api/embeddings`
    Embeddings,
    /// `/v1/models`
    OpenaiModels,
    /// `/v1/chat/completions`
    OpenaiChat,
    /// Any other.
    Unknown,
}

impl Route {
    /// Whether a model works on it.
    pub(super) const fn is_inference(self) -> bool {
        matches!(
            self,
            Self::Chat | Self::Generate | Self::Embed | Self::Embeddings | Self::OpenaiChat
        )
    }
}

/// All entries, in memory and, where asked for, in a file.
#[derive(Debug)]
pub(super) struct Journal {
    began: Instant,
    meter: Arc<Meter>,
    pages: Mutex<Pages>,
}

#[derive(Debug)]
struct Pages {
    entries: VecDeque<LogEntry>,
    /// Number of the first entry still held.
    first: u64,
    limit: usize,
    file: Option<File>,
}

impl Journal {
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self {
            began: Instant::now(),
            meter,
            pages: Mutex::new(Pages {
                entries: VecDeque::new(),
                first: 1,
                limit: usize::MAX,
                file: None,
            }),
        }
    }

    /// Keeps so many entries, and appends all to this file.
    pub(super) fn keep(&self, limit: usize, path: Option<&Path>) -> io::Result<()> {
        let open = |path| File::options().create(true).append(true).open(path);
        let file = path.map(open).transpose()?;
        let mut pages = self.pages();
        pages.limit = limit.max(1);
        pages.file = file;
        Ok(())
    }

    pub(super) fn entries(&self) -> Vec<LogEntry> {
        self.pages().entries.iter().cloned().collect()
    }

    /// Opens the entry of a request that has just arrived. Where `closing` is cancelled before
    /// the entry is ended, the server is what cut the request short.
    pub(super) fn open(self: &Arc<Self>, route: Route, closing: CancellationToken) -> Ticket {
        let mut pages = self.pages();
        let number = pages.first + pages.entries.len() as u64;
        pages.entries.push_back(LogEntry {
            number,
            at_ms: self.now(),
            ended_ms: None,
            stamp: Stamp::now(),
            route,
            model: None,
            marker: None,
            fault: None,
            outcome: Outcome::Open,
            status: None,
            load_ms: None,
            slot: None,
            evaluated: None,
            reused: None,
            generated: None,
            body: None,
        });
        if pages.entries.len() > pages.limit {
            pages.entries.pop_front();
            pages.first += 1;
        }
        Ticket {
            journal: Arc::clone(self),
            number,
            closing,
            open: true,
        }
    }

    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn entry(&mut self, number: u64) -> Option<&mut LogEntry> {
        let at = number.checked_sub(self.first)?;
        self.entries.get_mut(usize::try_from(at).ok()?)
    }

    /// Appends the entry to the file. One write a line: what was written stays even if the
    /// process is killed. A full disk must not stop the server.
    fn write(&mut self, number: u64) {
        let Some(mut file) = self.file.take() else {
            return;
        };
        if let Some(mut line) = self
            .entry(number)
            .and_then(|entry| serde_json::to_vec(entry).ok())
        {
            line.push(b'\n');
            let _ = file.write_all(&line);
        }
        self.file = Some(file);
    }
}

/// The open entry of one request. Dropped before it is ended, it says who left.
#[derive(Debug)]
pub(super) struct Ticket {
    journal: Arc<Journal>,
    number: u64,
    closing: CancellationToken,
    open: bool,
}

impl Ticket {
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Adds what is known now.
    pub(super) fn note(&self, change: impl FnOnce(&mut LogEntry)) {
        if let Some(entry) = self.journal.pages().entry(self.number) {
            change(entry);
        }
    }

    /// Writes the entry to the file although it is still open: the request was seen.
    pub(super) fn seen(&self) {
        self.journal.pages().write(self.number);
    }

    /// Ends the entry. The first end holds.
    pub(super) fn end(&mut self, outcome: Outcome) {
        if !std::mem::take(&mut self.open) {
            return;
        }
        let ended = self.journal.now();
        let mut pages = self.journal.pages();
        if let Some(entry) = pages.entry(self.number) {
            entry.outcome = outcome;
            entry.ended_ms = Some(ended);
        }
        pages.write(self.number);
        drop(pages);
        self.journal.meter.ended(outcome);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.end(if self.closing.is_cancelled() {
            Outcome::Cut
        } else {
            Outcome::ClientGone
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal() -> Arc<Journal> {
        Arc::new(Journal::new(Arc::new(Meter::default())))
    }

    #[tokio::test]
    async fn an_entry_ends_once() {
        let journal = journal();
        let mut ticket = journal.open(Route::Chat, CancellationToken::new());
        ticket.note(|entry| entry.model = Some("m".to_owned()));
        ticket.end(Outcome::Answered);
        drop(ticket);
        let entries = journal.entries();
        assert_eq!(entries[0].outcome, Outcome::Answered);
        assert_eq!(entries[0].model.as_deref(), Some("m"));
    }

    #[tokio::test]
    async fn who_left_is_told_apart() {
        let journal = journal();
        drop(journal.open(Route::Chat, CancellationToken::new()));
        let closing = CancellationToken::new();
        let ticket = journal.open(Route::Chat, closing.clone());
        closing.cancel();
        drop(ticket);
        let outcomes: Vec<_> = journal.entries().iter().map(|e| e.outcome).collect();
        assert_eq!(outcomes, [Outcome::ClientGone, Outcome::Cut]);
    }

    #[tokio::test]
    async fn only_the_newest_entries_are_kept() {
        let journal = journal();
        journal.keep(2, None).unwrap();
        let mut tickets: Vec<_> = (0..4)
            .map(|_| journal.open(Route::Ps, CancellationToken::new()))
            .collect();
        tickets[0].end(Outcome::Answered);
        tickets[3].end(Outcome::Answered);
        let entries = journal.entries();
        assert_eq!(entries.iter().map(|e| e.number).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(entries[1].outcome, Outcome::Answered);
    }

    #[tokio::test]
    async fn the_file_has_a_line_for_the_arrival_and_one_for_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let journal = journal();
        journal.keep(10, Some(&path)).unwrap();
        let mut ticket = journal.open(Route::Generate, CancellationToken::new());
        ticket.seen();
        ticket.end(Outcome::Refused);
        let lines: Vec<LogEntry> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        let outcomes: Vec<_> = lines.iter().map(|entry| entry.outcome).collect();
        assert_eq!(outcomes, [Outcome::Open, Outcome::Refused]);
    }
}
