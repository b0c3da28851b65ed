//! The savings meter against a server that knows the truth.

use std::path::Path;
use std::time::Duration;

use batchtop::context::ReuseMeter;
use batchtop::engine::{Admit, Engine, Handle, Options, Parts, Scope, start};
use batchtop::inference::{Address, Call, Ollama, Progress, Server, TimeLimits, Timeouts};
use batchtop::model::{Answer, Endpoint, JobId, JobSettings, JobState, JobView, LoadOptions};
use batchtop::simulator::{Script, Simulator};
use batchtop::store::{Reader, Store};
use serde_json::json;

const MINUTE: Duration = Duration::from_mins(1);

fn load() -> LoadOptions {
    LoadOptions {
        model: "simulated".into(),
        num_ctx: Some(16_384),
        embeddings: false,
    }
}

/// Asks with instructions of so many words, which differ from one number to the next.
async fn ask(server: &Ollama, instructions: (usize, usize), question: usize) -> Answer {
    let (words, number) = instructions;
    let system = format!(
        "{number} {}",
        "judge the candidate fairly ".repeat(words / 4)
    );
    let user = format!(
        "candidate {question} {}",
        "has skills ".repeat(question % 7 * 5)
    );
    let call = Call {
        endpoint: Endpoint::Chat,
        body: json!({"messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]})
        .to_string()
        .into(),
        messages: None,
        load: load(),
        max_tokens: 8,
        limits: TimeLimits {
            first_byte: MINUTE,
            idle: MINUTE,
            whole: MINUTE,
        },
        nudge: 0,
    };
    server.answer(call, Progress::silent()).await.unwrap()
}

#[tokio::test]
async fn the_meter_is_within_five_per_cent_of_the_truth() {
    let script = Script {
        prefill_rate: Some(40_000.0),
        ..Script::default()
    };
    let simulator = Simulator::start_local(script).await.unwrap();
    let address: Address = simulator.url().parse().unwrap();
    let server = Ollama::new(address, Timeouts::default()).unwrap();
    server.warm(&load()).await.unwrap();
    let mut meter = ReuseMeter::default();
    // The first of a prefix cannot be cached: from these the rate is learnt.
    for number in 0..3 {
        let answer = ask(&server, (2_000, number), 0).await;
        let (prompt, prefill) = (
            answer.usage.prompt.unwrap(),
            answer.timings.prefill.unwrap(),
        );
        meter.learn_cold(prompt, prefill);
    }
    let before = simulator.log().len();
    for question in 0..24 {
        // Two of three questions share their instructions with the one before.
        let answer = ask(&server, (1_200, question / 3), question).await;
        meter.measure(&answer.usage, &answer.timings);
    }
    let log = simulator.log();
    let truth: u64 = log[before..].iter().filter_map(|entry| entry.reused).sum();
    assert!(truth > 0 && truth < meter.prompt.0);
    let off = meter.reused.0.abs_diff(truth) as f64 / truth as f64;
    assert!(off < 0.05, "{} measured, {truth} true", meter.reused.0);
    assert_eq!((meter.judged, meter.unjudged, meter.reloads), (24, 0, 0));
    simulator.shutdown().await;
}

/// A batch of requests that share three long instructions.
fn batch(requests: usize) -> String {
    let line = |number: usize| {
        let system = format!(
            "{} {}",
            number % 3,
            "judge the candidate fairly ".repeat(300)
        );
        let user = format!(
            "candidate {number} {}",
            "has skills ".repeat(number % 7 * 5)
        );
        let body = json!({"model": "simulated", "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]});
        let url = "/v1/chat/completions";
        json!({"custom_id": format!("c{number}"), "method": "POST", "url": url, "body": body})
            .to_string()
    };
    (0..requests).map(line).collect::<Vec<_>>().join("\n")
}

fn open(folder: &Path, simulator: &Simulator) -> (Handle, Engine) {
    let address: Address = simulator.url().parse().unwrap();
    start(Parts {
        store: Store::open(folder).unwrap(),
        server: Ollama::new(address, Timeouts::default()).unwrap(),
        cards: Box::new(batchtop::gpu::Simulated::default()),
        options: Options {
            guard: None,
            sample: Duration::from_secs(1),
            simulated: true,
            first_byte: MINUTE,
            idle: MINUTE,
        },
    })
    .unwrap()
}

async fn view(handle: &Handle, job: JobId) -> JobView {
    let mut snapshots = handle.snapshots();
    loop {
        let found = {
            let snapshot = snapshots.borrow_and_update();
            let mut jobs = snapshot.jobs.iter();
            jobs.find(|view| view.id == job && view.state == JobState::Done)
                .cloned()
        };
        if let Some(view) = found {
            return view;
        }
        snapshots.changed().await.unwrap();
    }
}

#[tokio::test]
async fn a_job_shows_what_it_saved_within_five_per_cent_and_still_knows_after_a_restart() {
    let script = Script {
        prefill_rate: Some(60_000.0),
        ..Script::default()
    };
    let simulator = Simulator::start_local(script).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("b.jsonl");
    std::fs::write(&path, batch(36)).unwrap();
    let (handle, mut engine) = open(folder.path(), &simulator);
    handle.card("card".to_owned()).await;
    let admit = Admit {
        path,
        name: "b".to_owned(),
        settings: JobSettings {
            num_ctx: Some(16_384),
            max_tokens: 8,
            ..JobSettings::default()
        },
        hash: None,
        receipt: None,
    };
    let job = handle.admit(admit).await.unwrap().job.id;
    handle.work(Scope::Everything).await;
    let shown = view(&handle, job).await.reuse;
    handle.stop(Duration::ZERO).await;
    engine.ended().await.unwrap();
    let truth: u64 = simulator
        .log()
        .iter()
        .filter_map(|entry| entry.reused)
        .sum();
    let measured = shown.total.reused.0;
    assert!(truth > 20_000, "{truth}");
    let off = measured.abs_diff(truth) as f64 / truth as f64;
    assert!(off < 0.05, "{measured} measured, {truth} true");
    let saved = shown.total.saved.as_secs_f64() * 60_000.0 / truth as f64;
    assert!((0.95..1.05).contains(&saved), "{saved}");
    assert_eq!((shown.total.requests, shown.causes.len()), (36, 0));
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(reader.reuse(job).unwrap().reused, shown.total.reused);
    let profiles = reader.profiles().unwrap().all;
    assert_eq!(profiles.len(), 1);
    let learnt = &profiles[0].learnt;
    assert_eq!(profiles[0].ground.card, "card");
    assert_eq!(learnt.calibration.prompts(), 36);
    let cold = learnt.cold.per_second().unwrap();
    assert!((57_000.0..63_000.0).contains(&cold), "{cold}");
    let (handle, mut engine) = open(folder.path(), &simulator);
    assert_eq!(
        view(&handle, job).await.reuse.total.reused,
        shown.total.reused
    );
    handle.stop(Duration::ZERO).await;
    engine.ended().await.unwrap();
    simulator.shutdown().await;
}
