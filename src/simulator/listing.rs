//! What the server has and is: `/api/tags`, `/api/ps`, `/api/show`, `/api/version`, `/v1/models`.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::models::{Capability, ModelScript, canonical};
use super::order::parse;
use super::runner::Runner;
use super::wire::{Cut, JSON, PLAIN_JSON, Refusal, Reply, to_json};

#[derive(Serialize)]
struct Models<T> {
    models: Vec<T>,
}

#[derive(Serialize)]
struct Tag<'a> {
    name: String,
    model: String,
    modified_at: &'a str,
    size: u64,
    digest: String,
    details: Details<'a>,
    capabilities: &'a [Capability],
}

#[derive(Serialize)]
struct Loaded<'a> {
    name: String,
    model: String,
    size: u64,
    digest: String,
    details: Details<'a>,
    expires_at: String,
    size_vram: u64,
    context_length: u64,
}

#[derive(Serialize)]
struct Details<'a> {
    parent_model: &'a str,
    format: &'static str,
    family: &'a str,
    families: [&'a str; 1],
    parameter_size: &'a str,
    quantization_level: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    context_length: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding_length: Option<u64>,
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    license: &'a str,
    modelfile: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    parameters: String,
    template: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    system: &'a str,
    details: Details<'a>,
    model_info: Value,
    tensors: [Tensor; 1],
    capabilities: &'a [Capability],
    modified_at: &'a str,
}

/// One of the hundreds that a true model lists.
#[derive(Serialize)]
struct Tensor {
    name: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    shape: [u64; 1],
}

#[derive(Serialize)]
struct OpenAiList {
    object: &'static str,
    /// `null` rather than empty (Ollama 0.33).
    data: Option<Vec<OpenAiModel>>,
}

#[derive(Serialize)]
struct OpenAiModel {
    id: String,
    object: &'static str,
    created: i64,
    owned_by: &'static str,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ShowRequest {
    model: Option<String>,
    name: Option<String>,
}

pub(super) fn version(call: Call) -> Reply {
    let body = to_json(&json!({ "version": call.server.version() }));
    call.reply(200, JSON, body)
}

pub(super) fn tags(call: Call) -> Reply {
    let models = call.edition.script.models.iter().map(tag).collect();
    let body = to_json(&Models { models });
    call.reply(200, JSON, body)
}

pub(super) async fn ps(call: Call) -> Reply {
    call.server.stuck.wait().await;
    let runners = call.server.scheduler.list();
    let card = call.edition.script.card_memory;
    let models = runners.iter().map(|runner| loaded(runner, card)).collect();
    let body = to_json(&Models { models });
    call.reply(200, JSON, body)
}

pub(super) async fn show(mut call: Call, body: &[u8]) -> Result<Reply, Cut> {
    let request: ShowRequest = match parse(body) {
        Ok(request) => request,
        Err(refusal) => return Ok(call.refuse(&refusal)),
    };
    let name = request.model.or(request.name).unwrap_or_default();
    call.look(&name, "", false);
    if let Err(halt) = call.early().await {
        return call.halt(halt);
    }
    let Some(model) = call.edition.model(&name) else {
        let full = canonical(&name).unwrap_or(name);
        let text = format!("model '{full}' not found");
        return Ok(call.refuse(&Refusal::new(404, text)));
    };
    let body = to_json(&shown(&model));
    Ok(call.reply(200, JSON, body))
}

pub(super) fn openai_models(call: Call) -> Reply {
    let models: Vec<_> = call
        .edition
        .script
        .models
        .iter()
        .map(|model| OpenAiModel {
            id: model.full_name(),
            object: "model",
            created: modified(model),
            owned_by: "library",
        })
        .collect();
    let list = OpenAiList {
        object: "list",
        data: Some(models).filter(|models| !models.is_empty()),
    };
    let mut body = to_json(&list);
    body.push(b'\n');
    call.reply(200, PLAIN_JSON, body)
}

fn tag(model: &ModelScript) -> Tag<'_> {
    Tag {
        name: model.full_name(),
        model: model.full_name(),
        modified_at: &model.modified_at,
        size: model.size,
        digest: model.digest(),
        details: Details {
            context_length: Some(model.context_length),
            embedding_length: Some(model.embedding_length),
            ..details(model)
        },
        capabilities: &model.capabilities,
    }
}

/// The name is that of the model which had the weights loaded, whoever uses them now.
fn loaded(runner: &Runner, card: Option<u64>) -> Loaded<'_> {
    let model = &*runner.model;
    let num_ctx = runner.tuple.num_ctx;
    let (size, size_vram) = model.loaded_size(num_ctx, runner.slot_count, card);
    Loaded {
        name: model.full_name(),
        model: model.full_name(),
        size,
        digest: model.digest(),
        details: details(model),
        expires_at: expiry(runner),
        size_vram,
        context_length: num_ctx,
    }
}

/// An infinite stay is Go's longest duration, which ends 292 years from now.
fn expiry(runner: &Runner) -> String {
    let forever = Duration::from_nanos(i64::MAX as u64);
    let remaining = runner.remaining().unwrap_or(forever);
    let now = jiff::Timestamp::now();
    now.checked_add(remaining.min(forever))
        .unwrap_or(now)
        .to_string()
}

fn shown(model: &ModelScript) -> Shown<'_> {
    let name = model.full_name();
    let template = model.template();
    let parameter = |num_ctx: u64| format!("{:<30} {num_ctx}", "num_ctx");
    Shown {
        license: &model.license,
        modelfile: format!(
            "# Modelfile generated by \"ollama show\"\n# To build a new Modelfile based on this, replace FROM with:\n# FROM {name}\n\nFROM {name}\nTEMPLATE \"\"\"{template}\"\"\"\n"
        ),
        parameters: model.num_ctx.map(parameter).unwrap_or_default(),
        template,
        system: &model.system,
        details: details(model),
        model_info: model.full_model_info(),
        tensors: [Tensor {
            name: "output_norm.weight",
            kind: "F32",
            shape: [model.embedding_length],
        }],
        capabilities: &model.capabilities,
        modified_at: &model.modified_at,
    }
}

fn details(model: &ModelScript) -> Details<'_> {
    Details {
        parent_model: &model.parent,
        format: "gguf",
        family: &model.family,
        families: [&model.family],
        parameter_size: &model.parameter_size,
        quantization_level: &model.quantization,
        context_length: None,
        embedding_length: None,
    }
}

fn modified(model: &ModelScript) -> i64 {
    let time: Result<jiff::Timestamp, _> = model.modified_at.parse();
    time.map_or(0, jiff::Timestamp::as_second)
}
