//! Readings of the cards through the engine: what becomes of them, and that a driver that blocks,
//! fails or lies hurts nothing.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use batchtop::engine::{Admit, Engine, Handle, Options, Parts, Scope, start};
use batchtop::gpu::{Absent, Sampler, Scripted, Simulated};
use batchtop::inference::{Ollama, Timeouts};
use batchtop::model::*;
use batchtop::simulator::{Answers, Length, Script, Simulator};
use batchtop::store::{Reader, Store};
use tempfile::TempDir;
use tokio::time::timeout;

use crate::support::{PATIENCE, batch};

/// A queue over a server that takes its time, so that cards are read while it answers.
struct Bench {
    server: Simulator,
    folder: TempDir,
}

struct Run {
    handle: Handle,
    engine: Engine,
}

impl Bench {
    async fn new() -> Self {
        let script = Script {
            decode_rate: Some(200.0),
            answers: Answers {
                tokens: Length::Fixed(10),
                ..Answers::default()
            },
            ..Script::instant()
        };
        Self {
            server: Simulator::start_local(script).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
        }
    }

    fn data(&self) -> &Path {
        self.folder.path()
    }

    fn start(&self, cards: impl Sampler) -> Run {
        let server = Ollama::new(self.server.url().parse().unwrap(), Timeouts::default());
        let (handle, engine) = start(Parts {
            store: Store::open(self.data()).unwrap(),
            server: server.unwrap(),
            cards: Box::new(cards),
            options: Options {
                guard: None,
                simulated: true,
                first_byte: PATIENCE,
                idle: PATIENCE,
                sample: Duration::from_millis(10),
            },
        })
        .unwrap();
        Run { handle, engine }
    }

    fn job(&self) -> Job {
        let reader = Reader::open(self.data()).unwrap().unwrap();
        reader.jobs().unwrap().remove(0)
    }
}

impl Run {
    async fn admit(&self, bench: &Bench, requests: usize) {
        let path = bench.data().join("b.jsonl");
        std::fs::write(&path, batch(requests)).unwrap();
        let admit = Admit {
            path,
            name: "b".to_owned(),
            settings: JobSettings::default(),
            hash: None,
            receipt: None,
        };
        self.handle.admit(admit).await.unwrap();
        self.handle.work(Scope::Everything).await;
    }

    async fn until(&self, what: impl FnMut(&Arc<Snapshot>) -> bool) -> Arc<Snapshot> {
        let mut snapshots = self.handle.snapshots();
        let seen = timeout(PATIENCE, snapshots.wait_for(what)).await;
        Arc::clone(&seen.expect("in time").unwrap())
    }

    async fn done(&self) -> Arc<Snapshot> {
        self.until(|seen| seen.jobs.iter().any(|job| job.state == JobState::Done))
            .await
    }

    async fn end(mut self) {
        self.handle.stop(Duration::ZERO).await;
        let ended = timeout(PATIENCE, self.engine.ended()).await;
        ended.expect("in time").unwrap();
    }
}

fn energy(seen: &Snapshot) -> Option<Energy> {
    seen.jobs.first().and_then(|job| job.energy)
}

fn told(seen: &Snapshot) -> Vec<&str> {
    let events = seen.events.iter();
    events
        .filter(|event| event.kind == EventKind::Card)
        .map(|event| event.text.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn energy_and_readings_are_kept_with_the_job_and_grow_across_restarts() {
    let bench = Bench::new().await;
    let run = bench.start(Simulated::default());
    run.admit(&bench, 400).await;
    let seen = run.until(|seen| energy(seen).is_some()).await;
    assert!(!seen.history.cards.is_empty());
    run.end().await;
    let first = bench.job().energy.expect("it was measured");
    assert!(first.joules >= energy(&seen).unwrap().joules);
    assert!(!first.is_estimate());
    let reader = Reader::open(bench.data()).unwrap().unwrap();
    let kept = reader.readings(bench.job().id).unwrap();
    assert_eq!(kept[0].cards[0].name, "SIMULATED RTX 4080");

    let run = bench.start(Simulated::default());
    run.handle.work(Scope::Everything).await;
    let more = |seen: &Arc<Snapshot>| energy(seen).is_some_and(|it| it.joules > first.joules);
    run.until(more).await;
    run.end().await;
    assert!(bench.job().energy.unwrap().joules > first.joules);
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn power_alone_is_an_estimate_and_nothing_at_all_is_unknown() {
    let bench = Bench::new().await;
    let card = |watts| Card {
        id: "GPU-1".to_owned(),
        watts,
        ..Card::default()
    };
    let readings = |watts| Readings {
        cards: vec![card(watts)],
        ..Readings::default()
    };
    let run = bench.start(Scripted::new([readings(None)]));
    run.admit(&bench, 400).await;
    let read = |seen: &Arc<Snapshot>| seen.readings.is_some() && !seen.lanes.is_empty();
    run.until(read).await;
    run.end().await;
    assert_eq!(bench.job().energy, None);
    let run = bench.start(Scripted::new([readings(Some(100.0))]));
    run.handle.work(Scope::Everything).await;
    run.until(|seen| energy(seen).is_some()).await;
    run.end().await;
    assert!(bench.job().energy.unwrap().is_estimate());
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_or_lost_is_told_once() {
    let bench = Bench::new().await;
    let lost = Readings {
        cards: vec![Card {
            id: "GPU-1".to_owned(),
            name: "RTX".to_owned(),
            state: CardState::Lost {
                why: "fell off the bus".to_owned(),
            },
            ..Card::default()
        }],
        news: vec!["RTX is lost: fell off the bus".to_owned()],
        ..Readings::default()
    };
    let run = bench.start(Scripted::new([lost]));
    run.admit(&bench, 30).await;
    let seen = run.done().await;
    assert_eq!(told(&seen), ["RTX is lost: fell off the bus"]);
    run.end().await;
    let absent = Absent {
        why: "no driver".to_owned(),
        proc: "/nowhere".into(),
    };
    let run = bench.start(absent);
    run.admit(&bench, 30).await;
    let seen = run.until(|seen| !told(seen).is_empty()).await;
    assert_eq!(told(&seen), ["no card can be read: no driver"]);
    run.end().await;
    bench.server.shutdown().await;
}

#[derive(Debug)]
struct Broken;

impl Sampler for Broken {
    fn sample(&mut self) -> Readings {
        panic!("the driver is broken, as this test wants it")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_fails_costs_no_answer() {
    let bench = Bench::new().await;
    let run = bench.start(Broken);
    run.admit(&bench, 5).await;
    let seen = run.done().await;
    assert_eq!(seen.jobs[0].counts.done, 5);
    let seen = run.until(|seen| !told(seen).is_empty()).await;
    assert!(told(&seen)[0].contains("unforeseen"), "{:?}", told(&seen));
    run.end().await;
    bench.server.shutdown().await;
}

/// Blocks until the test lets it go.
#[derive(Debug)]
struct Blocked {
    asked: SyncSender<()>,
    go: Receiver<()>,
}

impl Sampler for Blocked {
    fn sample(&mut self) -> Readings {
        let _ = self.asked.try_send(());
        let _ = self.go.recv();
        Readings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_driver_that_hangs_holds_up_neither_the_run_nor_its_end() {
    let bench = Bench::new().await;
    let (asked_in, asked) = sync_channel(1);
    let (go, go_out) = sync_channel(1);
    let run = bench.start(Blocked {
        asked: asked_in,
        go: go_out,
    });
    run.admit(&bench, 5).await;
    let seen = run.done().await;
    assert_eq!(seen.jobs[0].counts.done, 5);
    assert_eq!(seen.readings, None);
    run.end().await;
    asked.recv().unwrap();
    drop(go);
    bench.server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cards_are_read_for_somebody_who_looks_although_nothing_runs() {
    let bench = Bench::new().await;
    let run = bench.start(Simulated::default());
    assert_eq!(run.handle.snapshots().borrow().readings, None);
    run.handle.look();
    let seen = run.until(|seen| seen.readings.is_some()).await;
    assert_eq!(energy(&seen), None);
    run.end().await;
    bench.server.shutdown().await;
}
