//! The process ends before its time, over and over, and still every request has its one end.
//!
//! The simulated server is the witness: it lives in the process of the test and outlives every
//! process that is killed. All moments are drawn by what has happened, none by the clock.
//! `BATCHTOP_LONG=1` has more of them (`docs/TESTING.md`).

mod asked;
mod pair;
mod points;
mod random;
mod signals;

use std::collections::{BTreeMap, BTreeSet};

use batchtop::model::{JobState, RequestState};
use batchtop::simulator::{Answers, Length, LogEntry, Outcome, Script};
use batchtop::store::Reader;

use crate::support::{Rows, Running, Stage, batch, until};

const COMMAND: &str = "run b.jsonl --parallel 8 --retries 1";

/// Answers of some milliseconds, as `faults` permit.
fn script() -> Script {
    Script {
        slots: 8,
        decode_rate: Some(1_000.0),
        answers: Answers {
            tokens: Length::Between { min: 4, max: 24 },
            ..Answers::default()
        },
        marker_prefix: Some("r".to_owned()),
        ..Script::default()
    }
}

/// A stage with a batch of so many requests, and what is known of it.
struct Trial {
    stage: Stage,
    requests: usize,
    ends: Vec<End>,
}

/// What was known when a process had ended before its time.
struct End {
    /// Requests that the server had seen.
    asked: usize,
    /// Requests whose answers were on disk.
    stored: BTreeSet<String>,
}

impl Trial {
    fn of(requests: usize, script: Script) -> Self {
        let stage = Stage::with(script);
        stage.write("b.jsonl", batch(requests));
        Self {
            stage,
            requests,
            ends: Vec::new(),
        }
    }

    fn start(&self) -> Running {
        self.stage.start(COMMAND)
    }

    /// Starts a process that ends at this commit.
    fn start_until(&self, arguments: &str, point: &str) -> Running {
        let mut command = self.stage.command(arguments);
        Running::start(command.env("BATCHTOP_KILL_AT", point), b"")
    }

    /// Waits until the server has been asked so many more requests.
    fn progress(&self, more: usize) {
        let enough = self.stage.asked().len() + more;
        until("so many more requests", || {
            (self.stage.asked().len() >= enough).then_some(())
        });
    }

    /// The one job of the queue; one that was killed while it was read may lie beside it.
    fn rows(&self) -> Rows {
        let Some(reader) = self.reader() else {
            return Rows::new();
        };
        let jobs = reader.jobs().unwrap().into_iter();
        let mut read = jobs.filter(|job| job.state != JobState::Reading);
        let job = read.next();
        assert!(read.next().is_none(), "the same command is the same job");
        job.map_or_else(Rows::new, |job| self.stage.rows(job.id.0))
    }

    fn reader(&self) -> Option<Reader> {
        let is_there = self.stage.data().join("queue.db").exists();
        is_there.then(|| Reader::open(&self.stage.data()).unwrap())?
    }

    fn stored(&self) -> BTreeSet<String> {
        let rows = self.rows().into_iter();
        rows.filter(|(_, (state, _))| *state == RequestState::Done)
            .map(|(id, _)| id)
            .collect()
    }

    /// The requests that the server has answered.
    fn answered(&self) -> BTreeSet<String> {
        let log = self.stage.asked().into_iter();
        log.filter(|entry| entry.outcome == Outcome::Answered)
            .map(|entry| marker(&entry).to_owned())
            .collect()
    }

    /// Notes what is known now that a process has ended. Nothing is stored that was not answered.
    fn note(&mut self) {
        let end = End {
            stored: self.stored(),
            asked: self.stage.asked().len(),
        };
        let answered = self.answered();
        let invented: Vec<_> = end.stored.difference(&answered).collect();
        assert!(invented.is_empty(), "nobody answered {invented:?}");
        self.ends.push(end);
    }

    /// Judges the result files after the last process: each request stands in one of them, and no
    /// request was asked again whose answer was stored.
    fn judge(&self, failed: &[&str]) {
        let names = |file: &str| -> Vec<String> {
            let lines = self.stage.lines(file).into_iter();
            lines
                .map(|line| line["custom_id"].as_str().unwrap().to_owned())
                .collect()
        };
        let all = (1..=self.requests).map(|number| format!("r{number}"));
        let expected: Vec<String> = all.filter(|id| !failed.contains(&id.as_str())).collect();
        assert_eq!(
            names("b.results.jsonl"),
            expected,
            "each once, in the order of the input"
        );
        assert_eq!(names("b.errors.jsonl"), failed);
        let log = self.stage.asked();
        for (number, end) in self.ends.iter().enumerate() {
            for entry in &log[end.asked..] {
                assert!(
                    !end.stored.contains(marker(entry)),
                    "{} was stored at end {number} and asked again",
                    marker(entry)
                );
            }
        }
        self.judge_attempts(&log);
    }

    /// An attempt is counted on disk before it is made.
    fn judge_attempts(&self, log: &[LogEntry]) {
        let mut asked: BTreeMap<&str, u32> = BTreeMap::new();
        for entry in log {
            *asked.entry(marker(entry)).or_default() += 1;
        }
        let rows = self.rows();
        assert_eq!(asked.len(), rows.len(), "the server is the witness");
        for (id, (_, attempts)) in rows {
            let seen = asked.get(id.as_str()).copied().unwrap_or_default();
            assert!(
                (1..=attempts.sent).contains(&seen),
                "{id} was asked {seen} times and counted {}",
                attempts.sent
            );
        }
    }
}

fn marker(entry: &LogEntry) -> &str {
    entry.marker.as_deref().unwrap_or_default()
}
