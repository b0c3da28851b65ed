//! The savings meter against a server that knows the truth.

use std::time::Duration;

use batchtop::context::ReuseMeter;
use batchtop::inference::{Address, Call, Ollama, Progress, Server, TimeLimits, Timeouts};
use batchtop::model::{Answer, Endpoint, LoadOptions};
use batchtop::simulator::{Script, Simulator};
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
        .to_string(),
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
