use serde_json::json;

use super::*;
use crate::context::testing::{GIB, card, wish, with};
use crate::inference::{Address, Timeouts};
use crate::simulator::{Script, Simulator};

/// A server with a Llama 3.1 8B of 5 GiB.
fn script() -> Script {
    let model = json!({
        "name": "llama3.1:8b",
        "family": "llama",
        "size": 5 * GIB,
        "context_length": 131_072,
        "embedding_length": 4_096,
        "model_info": {
            "llama.block_count": 32,
            "llama.attention.head_count": 32,
            "llama.attention.head_count_kv": 8,
        },
    });
    serde_json::from_value(json!({ "models": [model] })).unwrap()
}

async fn facts(simulator: &Simulator, model: &str) -> Result<ModelFacts, Trouble> {
    let address: Address = simulator.url().parse().unwrap();
    let server = Ollama::new(address, Timeouts::default()).unwrap();
    ask_facts(&server, model).await.map_err(no_model)
}

#[tokio::test]
async fn a_plan_names_what_fits_and_what_would() {
    let simulator = Simulator::start_local(script()).await.unwrap();
    let facts = facts(&simulator, "llama3.1:8b").await.unwrap();
    let readings = with(vec![card(16 * GIB)]);
    let fits = report(&facts, &wish(8_192, 4), &readings);
    insta::assert_snapshot!("fits", table::lines(&fits).join("\n"));
    let spills = report(&facts, &wish(65_536, 4), &readings);
    insta::assert_snapshot!("spills", table::lines(&spills).join("\n"));
    simulator.shutdown().await;
}

#[tokio::test]
async fn what_is_not_known_is_said() {
    let mut script = script();
    script.models[0].family = "mamba".into();
    let simulator = Simulator::start_local(script).await.unwrap();
    let facts = facts(&simulator, "llama3.1:8b").await.unwrap();
    let report = report(&facts, &wish(8_192, 1), &Readings::elsewhere("gpu:11434"));
    assert_eq!(report.plan.verdict, Verdict::Unknown);
    assert_eq!(
        report.unknown,
        [
            "how `mamba` keeps context in memory is not known to batchtop",
            "the server is on another machine (gpu:11434): its card cannot be read from here"
        ]
    );
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_model_that_is_not_there_is_an_error_with_a_cure() {
    let simulator = Simulator::start_local(script()).await.unwrap();
    let trouble = facts(&simulator, "nope").await.unwrap_err();
    let Trouble::Wrong(what, Some(hint)) = trouble else {
        panic!("{trouble:?}");
    };
    assert!(what.contains("nope"), "{what}");
    assert!(hint.contains("ollama pull"), "{hint}");
    simulator.shutdown().await;
}
