//! Held to recordings of Ollama 0.33: same status, content type, fields, texts and reasons.

use std::path::{Path, PathBuf};

use batchtop::simulator::{Answers, Length, ModelScript, PromptPath, Script, Simulator};
use rstest::rstest;
use serde::Deserialize;
use serde_json::Value;

use super::shape::shape;
use super::{Answer, client, receive, start};

#[derive(Deserialize)]
struct Exchange {
    name: String,
    request: Sent,
    response: Received,
}

#[derive(Deserialize)]
struct Sent {
    method: String,
    path: String,
    body: Value,
}

#[derive(Deserialize)]
struct Received {
    status: u16,
    content_type: Option<String>,
    body: String,
}

fn recorded(path: &Path) -> Exchange {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn named(name: &str) -> Exchange {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ollama");
    recorded(&folder.join(format!("{name}.json")))
}

/// The server that was recorded: `g3t` on the rendered path, `g3n` on the native one, and `g3`.
fn recorded_server() -> Script {
    let tags: Value = serde_json::from_str(&named("tags").response.body).unwrap();
    let models = tags["models"].as_array().unwrap();
    Script {
        version: "0.33.0-rc2".to_owned(),
        models: models.iter().map(recorded_model).collect(),
        ..Script::default()
    }
}

fn recorded_model(tag: &Value) -> ModelScript {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let native = tag["name"] == "g3n:latest";
    let name = if native {
        "show-native"
    } else {
        "show-rendered"
    };
    let shown: Value = serde_json::from_str(&named(name).response.body).unwrap();
    ModelScript {
        name: text(&tag["name"]),
        path: if native {
            PromptPath::Native
        } else {
            PromptPath::Rendered
        },
        parent: text(&tag["details"]["parent_model"]),
        family: text(&tag["details"]["family"]),
        parameter_size: text(&tag["details"]["parameter_size"]),
        quantization: text(&tag["details"]["quantization_level"]),
        size: tag["size"].as_u64().unwrap(),
        vram_share: 0.0,
        digest: Some(text(&tag["digest"])),
        modified_at: text(&tag["modified_at"]),
        template: Some(text(&shown["template"])),
        context_length: 32_768,
        embedding_length: 640,
        sliding_window: Some(512),
        model_info: shown["model_info"].as_object().unwrap().clone(),
        answers: Some(Answers {
            tokens: Length::Fixed(if native { 23 } else { 60 }),
            ..Answers::default()
        }),
        ..ModelScript::default()
    }
}

/// What had been asked before, where the answer depends on it.
fn before(name: &str) -> &'static [&'static str] {
    match name {
        "ps-rendered" => &["chat-rendered-load"],
        "ps-native" => &["openai-chat-rendered", "chat-native-load"],
        "ps-after" => &["openai-chat-native", "chat-rendered-load"],
        _ => &[],
    }
}

async fn replay(simulator: &Simulator, exchange: &Exchange) -> Answer {
    let Sent { method, path, body } = &exchange.request;
    let mut request = client().request(method.parse().unwrap(), simulator.url() + path);
    if exchange.name == "err-host" {
        request = request.header("host", "batchtop.example");
    }
    let request = match body {
        Value::Null => request,
        Value::String(raw) => request.body(raw.clone()),
        body => request.json(body),
    };
    receive(request).await.unwrap()
}

#[rstest]
#[tokio::test]
async fn the_recorded_exchange_is_repeated(#[files("tests/data/ollama/*.json")] path: PathBuf) {
    let exchange = recorded(&path);
    let simulator = start(recorded_server()).await;
    for name in before(&exchange.name) {
        assert_eq!(replay(&simulator, &named(name)).await.status, 200);
    }
    let answer = replay(&simulator, &exchange).await;
    let expected = &exchange.response;
    assert_eq!(answer.status, expected.status, "{}", answer.text);
    assert_eq!(answer.content_type, expected.content_type);
    let same_text = answer.status >= 400
        || matches!(
            exchange.name.as_str(),
            "root" | "version" | "tags" | "models-openai"
        );
    if same_text {
        assert_eq!(answer.text, expected.body);
        return;
    }
    let (ours, theirs) = (records(&answer.text), records(&expected.body));
    compare(&ours, &theirs);
}

/// The records of a body: lines, events, or the one object.
fn records(body: &str) -> Vec<String> {
    body.lines()
        .map(|line| line.strip_prefix("data: ").unwrap_or(line).to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn compare(ours: &[String], theirs: &[String]) {
    if theirs.last().is_some_and(|last| last == "[DONE]") {
        assert_eq!(ours.last(), theirs.last());
        return compare(&ours[..ours.len() - 1], &theirs[..theirs.len() - 1]);
    }
    // Lines of one kind follow each other: compare from both ends.
    assert!(ours.len() >= theirs.len().min(3), "{ours:?}");
    for (own, their) in ours.iter().zip(theirs).take(2) {
        assert_eq!(shape(own), shape(their));
    }
    for (own, their) in ours.iter().rev().zip(theirs.iter().rev()).take(3) {
        assert_eq!(shape(own), shape(their));
        compare_values(own, their);
    }
}

fn compare_values(own: &str, their: &str) {
    let [own, their]: [Value; 2] = [own, their].map(|text| serde_json::from_str(text).unwrap());
    for path in [
        "/model",
        "/done",
        "/done_reason",
        "/object",
        "/choices/0/finish_reason",
        "/capabilities",
        "/template",
        "/models/0/name",
        "/models/0/context_length",
        "/models/1/name",
        "/models/1/context_length",
    ] {
        assert_eq!(own.pointer(path), their.pointer(path), "{path}");
    }
    if own["done_reason"] == "length" {
        assert_eq!(own["eval_count"], their["eval_count"]);
    }
    for path in ["/prompt_eval_count", "/usage/prompt_tokens"] {
        let (Some(own), Some(their)) = (own.pointer(path), their.pointer(path)) else {
            continue;
        };
        let share = own.as_f64().unwrap() / their.as_f64().unwrap();
        assert!((0.67..1.5).contains(&share), "{path}: {own} for {their}");
    }
}

#[tokio::test]
async fn a_cached_prompt_is_counted_in_full_and_evaluated_in_part() {
    let mut script = recorded_server();
    script
        .models
        .iter_mut()
        .for_each(|model| model.sliding_window = None);
    let simulator = start(script).await;
    let exchange = named("chat-native-once");
    let first = replay(&simulator, &exchange).await.json();
    let second = replay(&simulator, &exchange).await.json();
    assert_eq!(first["prompt_eval_count"], second["prompt_eval_count"]);
    assert_eq!(second["prompt_eval_duration"], 1_000);
    assert_eq!(first["prompt_eval_duration"], 35_000);
}
