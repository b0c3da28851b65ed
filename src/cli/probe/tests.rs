use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rstest::rstest;

use super::*;
use crate::context::{Calibration, ColdRate, Figures};
use crate::inference::{Address, Timeouts};
use crate::simulator::{ModelScript, Script, Simulator};

const MINUTE: Duration = Duration::from_mins(1);
const REACH: Reach = Reach {
    window: 65_536,
    lanes: 1,
};

/// A model of a kilobyte a token and nothing else.
fn script() -> Script {
    Script {
        prefill_rate: Some(1e9),
        models: vec![ModelScript {
            size: 0,
            overhead: 0,
            bytes_per_token: 1_000,
            ..ModelScript::default()
        }],
        ..Script::default()
    }
}

async fn start(script: Script) -> (Simulator, Ollama) {
    let simulator = Simulator::start_local(script).await.unwrap();
    let address: Address = simulator.url().parse().unwrap();
    let server = Ollama::new(address, Timeouts::default()).unwrap();
    (simulator, server)
}

async fn steps(server: &Ollama, reach: Reach, memory: impl AsyncFn() -> Option<f64>) -> Vec<Step> {
    performed(prober(server, memory), reach).await
}

async fn performed<M: AsyncFn() -> Option<f64>>(
    mut prober: Prober<Ollama, M>,
    reach: Reach,
) -> Vec<Step> {
    let mut steps = Vec::new();
    while let Some(trial) = reach.next(&steps) {
        steps.push(prober.perform(trial).await.unwrap());
    }
    steps
}

fn prober<M: AsyncFn() -> Option<f64>>(server: &Ollama, memory: M) -> Prober<Ollama, M> {
    Prober {
        server: server.clone(),
        model: "simulated".to_owned(),
        limits: TimeLimits {
            first_byte: MINUTE,
            idle: MINUTE,
            whole: MINUTE,
        },
        memory,
        memory_limit: Some(95.0),
        shape: None,
        sizes: Vec::new(),
        salt: 7,
        calibration: Calibration::default(),
        cold: ColdRate::default(),
        loaded: None,
        has_card: false,
    }
}

async fn unread() -> Option<f64> {
    None
}

fn found(steps: &[Step]) -> Recommendation {
    Recommendation::of(steps).unwrap_or_else(|| panic!("{steps:?}"))
}

fn stops(steps: &[Step], is_it: fn(&Stop) -> bool) -> bool {
    steps
        .iter()
        .filter_map(|step| step.stop.as_ref())
        .any(is_it)
}

#[rstest]
#[case::refused_at_load(9_000, true)]
#[case::refused_at_load_later(30_000, true)]
#[case::spilled(14_000, false)]
#[case::very_small(2_500, false)]
#[tokio::test]
async fn the_memory_of_the_card_is_found_within_five_per_cent(
    #[case] tokens: u64,
    #[case] refuses_to_spill: bool,
) {
    let script = Script {
        card_memory: Some(tokens * 1_000),
        refuses_to_spill,
        ..script()
    };
    let (simulator, server) = start(script).await;
    let steps = steps(&server, REACH, unread).await;
    let largest = u64::from(found(&steps).largest);
    assert!(largest <= tokens, "{largest} of {tokens}");
    assert!(largest * 100 >= tokens * 95, "{largest} of {tokens}");
    let expected = if refuses_to_spill {
        |stop: &Stop| matches!(stop, Stop::OutOfMemory { .. })
    } else {
        |stop: &Stop| matches!(stop, Stop::Spilled { .. })
    };
    assert!(stops(&steps, expected), "{steps:?}");
    simulator.shutdown().await;
}

#[rstest]
#[case::refused(6_000, false)]
#[case::cut_silently(6_000, true)]
#[case::cut_silently_later(21_000, true)]
#[tokio::test]
async fn a_window_that_is_smaller_than_the_server_says_is_found(
    #[case] truth: u64,
    #[case] cuts_always: bool,
) {
    let script = Script {
        true_window: Some(truth),
        cuts_always,
        ..script()
    };
    let (simulator, server) = start(script).await;
    let steps = steps(&server, REACH, unread).await;
    let largest = u64::from(found(&steps).largest);
    assert!(
        largest.abs_diff(truth) * 100 <= truth * 5,
        "{largest} of {truth}"
    );
    let is_cut = |stop: &Stop| matches!(stop, Stop::CutSilently { .. });
    assert_eq!(stops(&steps, is_cut), cuts_always, "{steps:?}");
    for step in steps.iter().filter(|step| step.is_well()) {
        assert_eq!(step.figures.recalled, Some(true), "{step:?}");
    }
    for step in &steps {
        if let Some(Stop::CutSilently { .. }) = step.stop {
            assert_eq!(step.figures.recalled, Some(false), "{step:?}");
        }
    }
    simulator.shutdown().await;
}

#[rstest]
#[case(1)]
#[case(3)]
#[tokio::test]
async fn fewer_slots_than_asked_for_are_found_and_said(#[case] slots: usize) {
    let script = Script {
        slots,
        decode_rate: Some(250.0),
        answers: crate::simulator::Answers {
            tokens: crate::simulator::Length::Fixed(80),
            ..Default::default()
        },
        ..script()
    };
    let (simulator, server) = start(script).await;
    let reach = Reach {
        window: 4_096,
        lanes: 4,
    };
    let steps = steps(&server, reach, unread).await;
    assert_eq!(found(&steps).lanes as usize, slots, "{steps:?}");
    assert!(stops(&steps, |stop| matches!(
        stop,
        Stop::FewerSlots { .. }
    )));
    simulator.shutdown().await;
}

/// 128 KiB a token, as Llama 3.1 8B.
fn llama() -> serde_json::Map<String, serde_json::Value> {
    let info = serde_json::json!({
        "llama.block_count": 32,
        "llama.attention.head_count": 32,
        "llama.attention.head_count_kv": 8,
    });
    info.as_object().unwrap().clone()
}

#[rstest]
#[tokio::test]
async fn slots_of_a_server_that_answers_in_no_time_are_found(#[values(1, 2, 4, 8)] slots: usize) {
    let script = Script {
        slots,
        models: vec![ModelScript {
            model_info: llama(),
            ..ModelScript::default()
        }],
        ..Script::default()
    };
    let (simulator, server) = start(script).await;
    let details = server.show("simulated", false).await.unwrap();
    let prober = Prober {
        shape: ModelShape::of(&details.model_info).ok(),
        ..prober(&server, unread)
    };
    let reach = Reach {
        window: 8_192,
        lanes: 16,
    };
    let steps = performed(prober, reach).await;
    assert_eq!(found(&steps).lanes as usize, slots, "{steps:?}");
    simulator.shutdown().await;
}

#[rstest]
#[case::as_full_as_may_be(Some(95.0), true)]
#[case::the_users_own_limit(Some(70.0), true)]
#[case::not_yet(Some(97.0), false)]
#[case::without_a_guard(None, false)]
#[tokio::test]
async fn a_card_beyond_its_limit_ends_the_raising(#[case] limit: Option<f64>, #[case] ends: bool) {
    let (simulator, server) = start(script()).await;
    let looks = Arc::new(AtomicU32::new(0));
    let seen = Arc::clone(&looks);
    let memory = async move || {
        let full = seen.fetch_add(1, Ordering::Relaxed) >= 2;
        Some(if full { 96.0 } else { 40.0 })
    };
    let prober = Prober {
        memory_limit: limit,
        ..prober(&server, memory)
    };
    let steps = performed(prober, REACH).await;
    let is_limit = |stop: &Stop| matches!(stop, Stop::MemoryLimit { .. });
    assert_eq!(stops(&steps, is_limit), ends);
    let largest = if ends { 8_192 } else { REACH.window };
    assert_eq!(found(&steps).largest, largest);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_model_without_any_card_is_measured_on_the_processor() {
    let mut script = script();
    script.models[0].vram_share = 0.0;
    let (simulator, server) = start(script).await;
    let reach = Reach {
        window: 10_000,
        lanes: 1,
    };
    let steps = steps(&server, reach, unread).await;
    assert_eq!(found(&steps).window, 10_000);
    simulator.shutdown().await;
}

#[tokio::test]
async fn a_server_that_has_gone_ends_the_search() {
    let (simulator, server) = start(script()).await;
    simulator.shutdown().await;
    let mut prober = prober(&server, unread);
    let trial = Trial {
        window: 4_096,
        lanes: 1,
    };
    assert!(prober.perform(trial).await.is_err());
}

#[test]
fn the_table_says_what_was_found() {
    let step = |window, lanes, stop| Step {
        trial: Trial { window, lanes },
        stop,
        figures: Figures {
            size: Some(6_500_000_000),
            size_vram: Some(6_500_000_000),
            load: Some(Duration::from_millis(4_200)),
            read: Some(Tokens(u64::from(window) * 98 / 100)),
            recalled: Some(true),
            prefill: Some(1_240.0),
            decode: Some(41.3),
            at_once: None,
        },
    };
    let cut = Stop::CutSilently {
        sent: Tokens(8_027),
        read: Tokens(2_100),
    };
    let steps = vec![
        step(4_096, 1, None),
        step(8_192, 1, Some(cut)),
        step(4_096, 2, Some(Stop::FewerSlots { slots: 1 })),
    ];
    let report = Report {
        model: "gemma3:12b".to_owned(),
        ground: Ground {
            digest: "d".to_owned(),
            card: "c".to_owned(),
            num_ctx: None,
            slots: 1,
        },
        reach: REACH,
        recommendation: Recommendation::of(&steps),
        steps,
        interrupted: false,
    };
    insta::assert_snapshot!(table::lines(&report).join("\n"));
}
