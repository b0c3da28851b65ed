//! Scripts that come with the program.

use serde_json::{Map, Value, json};

use super::faults::{Action, Fault, When};
use super::models::{Capability, ModelScript};
use super::script::{Answers, Length, Script, Style};

impl Script {
    /// A server that answers in no time and never fails.
    pub fn instant() -> Self {
        Self {
            slots: 4,
            ..Self::default()
        }
    }

    /// A pleasant server to watch: a 12B model with four slots, about 40 tokens a second each,
    /// and now and then something that goes wrong.
    pub fn demo() -> Self {
        Self {
            models: vec![gemma(), embedder()],
            slots: 4,
            load_ms: 2_000,
            prefill_rate: Some(1_600.0),
            decode_rate: Some(40.0),
            answers: Answers {
                tokens: Length::Between { min: 24, max: 90 },
                style: Style::Auto,
                ..Answers::default()
            },
            faults: demo_faults(),
            ..Self::default()
        }
    }
}

fn gemma() -> ModelScript {
    ModelScript {
        name: "gemma3:12b".to_owned(),
        family: "gemma3".to_owned(),
        parameter_size: "12.2B".to_owned(),
        size: 8_149_190_253,
        overhead: 1_400_000_000,
        bytes_per_token: 65_536,
        capabilities: vec![Capability::Completion, Capability::Vision],
        context_length: 131_072,
        embedding_length: 3840,
        sliding_window: Some(1024),
        model_info: object(json!({
            "gemma3.attention.head_count": 16,
            "gemma3.attention.head_count_kv": 8,
            "gemma3.attention.key_length": 256,
            "gemma3.attention.value_length": 256,
            "gemma3.block_count": 48,
            "general.parameter_count": 12_187_325_040_u64,
        })),
        ..ModelScript::default()
    }
}

fn embedder() -> ModelScript {
    ModelScript {
        name: "nomic-embed-text:latest".to_owned(),
        family: "nomic-bert".to_owned(),
        parameter_size: "137M".to_owned(),
        quantization: "F16".to_owned(),
        size: 274_302_450,
        overhead: 100_000_000,
        bytes_per_token: 0,
        capabilities: vec![Capability::Embedding],
        context_length: 2048,
        embedding_length: 768,
        load_ms: Some(400),
        ..ModelScript::default()
    }
}

fn demo_faults() -> Vec<Fault> {
    let rarely = |probability: f64, seed: u64, action: Action| Fault {
        when: When {
            probability: Some(probability),
            seed,
            ..When::default()
        },
        action,
    };
    vec![
        rarely(0.01, 1, Action::Busy),
        rarely(0.008, 2, Action::EndWithoutDone { after_tokens: 9 }),
        rarely(0.004, 3, Action::ResetMidStream { after_tokens: 5 }),
        rarely(0.002, 4, Action::RunnerCrash { after_tokens: 12 }),
        rarely(0.006, 5, too_long()),
    ]
}

/// The one fault of the demo that no second try mends, so that there is a failure to look at.
fn too_long() -> Action {
    Action::LlamaError {
        status: 400,
        kind: "exceed_context_size_error".to_owned(),
        message: "request (5120 tokens) exceeds the available context size (4096 tokens), try \
                  increasing it"
            .to_owned(),
        log_line: None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scripts_that_come_with_the_program_can_be_played() {
        Script::demo().check().unwrap();
        Script::instant().check().unwrap();
        Script::default().check().unwrap();
    }
}
