//! What the engine shows of one answer, of failures of earlier runs and of files on their way in,
//! over the simulated server.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use batchtop::engine::{Admit, AdmitError, Engine, Handle, Options, Parts, Scope, start};
use batchtop::inference::{Ollama, Timeouts};
use batchtop::model::{
    Command, FailureClass, JobId, JobSettings, JobState, Phase, Snapshot, WhichFailures,
};
use batchtop::simulator::{Answers, Length, Script, Simulator};
use batchtop::store::{Reader, Store};
use tokio::time::timeout;

use crate::support::{PATIENCE, batch};

/// A server that speaks slowly enough to be watched.
fn slow() -> Script {
    Script {
        decode_rate: Some(100.0),
        answers: Answers {
            tokens: Length::Fixed(60),
            ..Answers::default()
        },
        ..Script::default()
    }
}

fn engine(data: &Path, url: &str) -> (Handle, Engine) {
    let server = Ollama::new(url.parse().unwrap(), Timeouts::default()).unwrap();
    let options = Options {
        guard: None,
        simulated: true,
        first_byte: PATIENCE,
        idle: PATIENCE,
        sample: PATIENCE,
    };
    start(Parts {
        store: Store::open(data).unwrap(),
        server,
        cards: Box::new(batchtop::gpu::Simulated::default()),
        options,
    })
    .unwrap()
}

fn admit(path: PathBuf, skip_invalid: bool) -> Admit {
    Admit {
        path,
        name: "a.jsonl".into(),
        settings: JobSettings {
            skip_invalid,
            ..JobSettings::default()
        },
        hash: None,
        receipt: None,
    }
}

async fn shown<T>(handle: &Handle, mut look: impl FnMut(&Snapshot) -> Option<T>) -> T {
    let mut snapshots = handle.snapshots();
    let found = async {
        loop {
            if let Some(found) = look(&snapshots.borrow_and_update()) {
                return found;
            }
            snapshots.changed().await.unwrap();
        }
    };
    timeout(PATIENCE, found).await.expect("it is shown in time")
}

async fn close(handle: &Handle, mut engine: Engine) {
    handle.stop(Duration::ZERO).await;
    engine.ended().await.unwrap();
}

#[tokio::test]
async fn an_answer_is_seen_while_it_is_written_and_after_its_end() {
    let simulator = Simulator::start_local(slow()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, batch(1)).unwrap();
    let (handle, engine) = engine(folder.path(), &simulator.url());
    let job = handle.admit(admit(file, false)).await.unwrap().job;
    handle.work(Scope::Everything).await;
    let request = shown(&handle, |all| all.lanes.first().map(|lane| lane.request)).await;
    handle.watch(Some(request));
    let begun = shown(&handle, |all| {
        let watched = all.watched.clone()?;
        let lane = all.lanes.iter().find(|lane| lane.request == request)?;
        let answers = watched.is_open && lane.phase == Phase::Answering;
        (answers && !watched.text.is_empty()).then_some(watched.text)
    })
    .await;
    let whole = shown(&handle, |all| {
        let watched = all.watched.clone()?;
        (!watched.is_open).then_some(watched.text)
    })
    .await;
    assert!(whole.starts_with(&begun), "{begun:?} {whole:?}");
    shown(&handle, |all| {
        (all.jobs.first()?.state == JobState::Done).then_some(())
    })
    .await;
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    let stored = reader.request(job.id, request).unwrap().unwrap();
    let body = serde_json::to_string(&stored.answer).unwrap();
    let said = serde_json::to_string(&whole).unwrap();
    assert!(body.contains(said.trim_matches('"')), "{said} {body}");
    close(&handle, engine).await;
    simulator.shutdown().await;
}

#[tokio::test]
async fn failures_by_class_outlive_the_process_and_go_with_a_retry() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, format!("{}oops\n", batch(2))).unwrap();
    // Nobody listens there: only what is stored is shown.
    let url = "http://127.0.0.1:9";
    let (handle, first) = engine(folder.path(), url);
    handle.admit(admit(file, true)).await.unwrap();
    close(&handle, first).await;
    let (handle, second) = engine(folder.path(), url);
    let failed = |all: &Snapshot| {
        let counts = all.failed.iter().map(|one| (one.class, one.count));
        Some(counts.collect::<Vec<_>>())
    };
    let expected = vec![(FailureClass::InvalidRequest, 1)];
    assert_eq!(shown(&handle, failed).await, expected);
    // Lines that never were requests are not tried again.
    let retry = Command::Retry {
        job: JobId(1),
        which: WhichFailures::All,
    };
    handle.command(retry).await.unwrap();
    assert_eq!(shown(&handle, failed).await, expected);
    handle
        .command(Command::Cancel { job: JobId(1) })
        .await
        .unwrap();
    handle
        .command(Command::Remove { job: JobId(1) })
        .await
        .unwrap();
    assert_eq!(shown(&handle, failed).await, []);
    close(&handle, second).await;
}

#[tokio::test]
async fn a_file_that_is_taken_back_on_its_way_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    std::fs::write(&file, batch(12_000)).unwrap();
    let (handle, engine) = engine(folder.path(), "http://127.0.0.1:9");
    let told = std::sync::Arc::new(AtomicU64::new(0));
    let heard = std::sync::Arc::clone(&told);
    let goes_on = move |progress: batchtop::engine::AdmitProgress| {
        assert!(progress.bytes > 0);
        heard.store(progress.lines, Ordering::Relaxed);
        // Two chunks are on disk or on their way by then.
        progress.lines < 9_000
    };
    let admitted = handle.admit_while(admit(file, false), goes_on).await;
    assert!(matches!(admitted, Err(AdmitError::Stopped)), "{admitted:?}");
    assert_eq!(told.load(Ordering::Relaxed), 9_000);
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(reader.jobs().unwrap(), []);
    close(&handle, engine).await;
}
