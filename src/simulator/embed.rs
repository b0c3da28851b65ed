//! `/api/embed` and the older `/api/embeddings`.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::call::{Call, Halt};
use super::durations::KeepAlive;
use super::edition::mix;
use super::faults::Action;
use super::generation::{CRASHED, fail_before_first_token, pause};
use super::models::{Capability, ModelScript, canonical};
use super::options::{LoadTuple, Options};
use super::order::parse;
use super::runner::{Lease, Seat};
use super::tokens::{self, BEGIN, END_OF_TURN, Token};
use super::wire::{Cut, JSON, Refusal, Reply, to_json};

#[derive(Deserialize, Default)]
#[serde(default)]
struct Request {
    model: Option<String>,
    input: Option<Value>,
    prompt: Option<String>,
    truncate: Option<bool>,
    dimensions: Option<usize>,
    options: Option<Map<String, Value>>,
    keep_alive: Option<Value>,
}

#[derive(Serialize)]
struct Embedded<'a> {
    model: &'a str,
    embeddings: Vec<Vec<f32>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    load_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_eval_count: Option<u64>,
}

/// Vectors and what they took.
struct Work {
    vectors: Vec<Vec<f32>>,
    load: Duration,
    total: Duration,
    tokens: u64,
}

/// Answers `/api/embed`.
pub(super) async fn embed(call: Call, body: &[u8]) -> Result<Reply, Cut> {
    let request: Request = match parse(body) {
        Ok(request) => request,
        Err(refusal) => return Ok(call.refuse(&refusal)),
    };
    let inputs = inputs(request.input.as_ref());
    answer(call, &request, inputs, |model, work| {
        to_json(&Embedded {
            model,
            embeddings: work.vectors,
            total_duration: Some(work.total.as_nanos() as u64),
            load_duration: Some(work.load.as_nanos() as u64),
            prompt_eval_count: Some(work.tokens).filter(|&tokens| tokens > 0),
        })
    })
    .await
}

/// Answers `/api/embeddings`.
pub(super) async fn embeddings(call: Call, body: &[u8]) -> Result<Reply, Cut> {
    let request: Request = match parse(body) {
        Ok(request) => request,
        Err(refusal) => return Ok(call.refuse(&refusal)),
    };
    let inputs = Ok(request.prompt.clone().into_iter().collect());
    answer(call, &request, inputs, |_, work| {
        let vector = work.vectors.into_iter().next().unwrap_or_default();
        to_json(&json!({ "embedding": vector }))
    })
    .await
}

async fn answer(
    mut call: Call,
    request: &Request,
    inputs: Result<Vec<String>, Refusal>,
    write: impl FnOnce(&str, Work) -> Vec<u8>,
) -> Result<Reply, Cut> {
    let model = request.model.clone().unwrap_or_default();
    let last = inputs.as_ref().ok().and_then(|inputs| inputs.last());
    let load_only = last.is_none();
    call.look(&model, last.map_or("", String::as_str), load_only);
    call.fault = call.fault.take().map(Action::at_once);
    match work(&call, request, inputs).await {
        Ok(done) => {
            let body = write(&model, done);
            Ok(call.reply(200, JSON, body))
        }
        Err(halt) => call.halt(halt),
    }
}

async fn work(
    call: &Call,
    request: &Request,
    inputs: Result<Vec<String>, Refusal>,
) -> Result<Work, Halt> {
    let arrived = Instant::now();
    call.early().await?;
    let inputs = inputs?;
    let keep_alive = match &request.keep_alive {
        Some(value) => KeepAlive::parse(value).map_err(|text| Refusal::new(400, text))?,
        None => None,
    };
    let model = find_model(call, request.model.as_deref().unwrap_or_default())?;
    let options = Options::parse(&request.options.clone().unwrap_or_default())?;
    let tuple = LoadTuple::of(&options, None, &model, call.edition.script.num_ctx);
    let lease = call.lease(&model, &tuple, keep_alive).await?;
    let load = lease.waited + Duration::from_millis(1);
    let truncate = request.truncate.unwrap_or(true);
    let prompts: Vec<Vec<Token>> = inputs
        .iter()
        .map(|input| fitted(input, &tuple, truncate))
        .collect::<Result<_, _>>()?;
    let tokens = evaluate(call, &model, lease, prompts.concat()).await?;
    let dimensions = request.dimensions.unwrap_or(usize::MAX);
    let vector = |input: &String| vector(input, &model, dimensions);
    Ok(Work {
        vectors: inputs.iter().map(vector).collect(),
        load,
        total: arrived.elapsed().max(load),
        tokens,
    })
}

/// The texts to embed: one, or a list of them. An empty one only loads the model.
fn inputs(input: Option<&Value>) -> Result<Vec<String>, Refusal> {
    let invalid = || Refusal::new(400, "invalid input type");
    match input {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![text.clone()]),
        Some(Value::Array(items)) => items
            .iter()
            .map(|item| item.as_str().map(str::to_owned).ok_or_else(invalid))
            .collect(),
        Some(_) => Err(invalid()),
    }
}

fn find_model(call: &Call, name: &str) -> Result<Arc<ModelScript>, Refusal> {
    if !name.is_empty() && canonical(name).is_none() {
        return Err(Refusal::new(400, "invalid model name"));
    }
    let model = call.edition.model(name).ok_or_else(|| {
        let text = format!("model {name:?} not found, try pulling it first");
        Refusal::new(404, text)
    })?;
    if !model.can(Capability::Embedding) {
        let text = "This server does not support embeddings. Start it with `--embeddings`";
        return Err(Refusal::new(501, text));
    }
    Ok(model)
}

fn fitted(input: &str, tuple: &LoadTuple, truncate: bool) -> Result<Vec<Token>, Refusal> {
    let mut prompt = vec![BEGIN];
    tokens::encode_into(input, &mut prompt);
    let room = tuple.num_ctx as usize - 1;
    if prompt.len() > room {
        if !truncate {
            let text = "the input length exceeds the context length";
            return Err(Refusal::new(400, text));
        }
        prompt.truncate(room);
    }
    prompt.push(END_OF_TURN);
    Ok(prompt)
}

/// Evaluates all inputs one after the other in one slot. Nothing of an embedding is cached.
async fn evaluate(
    call: &Call,
    model: &ModelScript,
    lease: Lease,
    prompt: Vec<Token>,
) -> Result<u64, Halt> {
    let tokens = prompt.len() as u64;
    let time = call.edition.script.speeds(model).prefill_time(prompt.len());
    let turn = lease.turn().await?;
    let mut seat = Seat::take(lease, turn, prompt)?;
    fail_before_first_token(call, &seat.lease.runner).await?;
    let due = Instant::now() + time.min(Duration::from_secs(1 << 30));
    if pause(call, due, time, &seat.lease.runner).await.is_err() {
        return Err(Halt::Crashed(Refusal::new(500, CRASHED)));
    }
    seat.reused = 0;
    seat.evaluated();
    let slot = seat.slot;
    call.ticket.note(|entry| {
        entry.slot = Some(slot);
        entry.evaluated = Some(tokens);
        entry.reused = Some(0);
    });
    Ok(tokens)
}

/// A vector of length one that depends on the text alone.
fn vector(input: &str, model: &ModelScript, dimensions: usize) -> Vec<f32> {
    let seed = tokens::encode(input)
        .iter()
        .fold(1_u64, |seed, &token| mix(seed, u64::from(token)));
    let length = dimensions.min(model.embedding_length as usize);
    let raw: Vec<f32> = (1..=length as u64)
        .map(|at| (mix(seed, at) >> 40) as f32 / (1_u64 << 23) as f32 - 1.0)
        .collect();
    let norm = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.iter()
        .map(|x| x / norm.max(f32::MIN_POSITIVE))
        .collect()
}
