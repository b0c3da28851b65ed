use rstest::rstest;
use serde_json::json;

use super::*;
use crate::inference::{Address, Timeouts};
use crate::model::{CardMemory, CardProcess};
use crate::simulator::{Script, Simulator};

const GIB: u64 = 1 << 30;

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

async fn facts(simulator: &Simulator, model: &str) -> Result<Facts, Trouble> {
    let address: Address = simulator.url().parse().unwrap();
    let server = Ollama::new(address, Timeouts::default()).unwrap();
    Facts::ask(&server, model).await
}

fn card(free: u64, runner: Option<u64>) -> Card {
    let total = 16 * GIB;
    Card {
        name: "RTX".into(),
        memory: Some(CardMemory {
            total,
            used: total - free,
            free,
        }),
        processes: runner.map(|memory| {
            vec![CardProcess {
                pid: 7,
                name: Some("llama-server".into()),
                memory: Some(memory),
                busy_percent: None,
            }]
        }),
        ..Card::default()
    }
}

fn with(cards: Vec<Card>) -> Readings {
    Readings {
        cards,
        ..Readings::default()
    }
}

fn wish(window: u64, slots: u32) -> Wish {
    Wish {
        window: Some(window),
        slots,
        cache: CacheType::F16,
    }
}

#[tokio::test]
async fn a_plan_names_what_fits_and_what_would() {
    let simulator = Simulator::start_local(script()).await.unwrap();
    let facts = facts(&simulator, "llama3.1:8b").await.unwrap();
    let readings = with(vec![card(16 * GIB, None)]);
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
    let report = report(&facts, &wish(8_192, 1), &cards::elsewhere("gpu:11434"));
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

#[tokio::test]
async fn the_window_comes_from_the_best_source() {
    let mut script = script();
    script.models[0].num_ctx = Some(2_048);
    let simulator = Simulator::start_local(script).await.unwrap();
    let mut facts = facts(&simulator, "llama3.1:8b").await.unwrap();
    let nothing = Wish {
        window: None,
        ..wish(0, 1)
    };
    let readings = with(vec![card(16 * GIB, None)]);
    let from = |facts: &Facts, wish: &Wish| facts.window(wish, &readings);
    assert_eq!(
        from(&facts, &wish(1 << 30, 1)),
        (131_072, WindowFrom::Asked)
    );
    assert_eq!(from(&facts, &nothing), (2_048, WindowFrom::Modelfile));
    facts.num_ctx = None;
    assert_eq!(from(&facts, &nothing), (4_096, WindowFrom::CardMemory));
    let nowhere = facts.window(&nothing, &cards::elsewhere("gpu"));
    assert_eq!(nowhere, (4_096, WindowFrom::Assumed));
    facts.loaded.push(loaded(8 * GIB, 8_192));
    assert_eq!(from(&facts, &nothing), (8_192, WindowFrom::Loaded));
    simulator.shutdown().await;
}

fn loaded(size: u64, window: u64) -> LoadedModel {
    LoadedModel {
        name: "llama3.1:8b".into(),
        digest: String::new(),
        size: Some(size),
        size_vram: Some(size),
        window: Some(crate::model::Tokens(window)),
        expires: None,
    }
}

#[tokio::test]
async fn what_the_loaded_model_takes_corrects_the_plan() {
    let simulator = Simulator::start_local(script()).await.unwrap();
    let mut facts = facts(&simulator, "llama3.1:8b").await.unwrap();
    facts.loaded = vec![loaded(6 * GIB + GIB / 2, 8_192)];
    let readings = with(vec![card(9 * GIB, None)]);
    let plan = report(&facts, &wish(8_192, 1), &readings).plan;
    assert_eq!(plan.needs.overhead, GIB / 2);
    assert!(plan.needs.overhead_measured);
    facts.loaded = vec![loaded(GIB, 8_192)];
    let plan = report(&facts, &wish(8_192, 1), &readings).plan;
    assert!(!plan.needs.overhead_measured);
    simulator.shutdown().await;
}

#[rstest]
#[case::nothing_loaded(card(6 * GIB, None), &[], 6)]
#[case::loaded_models_make_room(card(6 * GIB, None), &[loaded(8 * GIB, 1)], 14)]
#[case::no_more_than_there_is(card(6 * GIB, None), &[loaded(99 * GIB, 1)], 16)]
#[case::the_runner_is_measured(card(6 * GIB, Some(7 * GIB)), &[loaded(8 * GIB, 1)], 13)]
fn models_that_are_loaded_count_as_room(
    #[case] card: Card,
    #[case] loaded: &[LoadedModel],
    #[case] gibibytes: u64,
) {
    let room = room(&with(vec![card]), loaded).unwrap();
    assert_eq!(room.largest_card, gibibytes * GIB);
}

#[test]
fn small_and_unreadable_cards_are_no_room() {
    let small = Card {
        memory: Some(CardMemory {
            total: GIB,
            used: 0,
            free: GIB,
        }),
        ..Card::default()
    };
    assert_eq!(room(&with(vec![small, Card::default()]), &[]), None);
}
