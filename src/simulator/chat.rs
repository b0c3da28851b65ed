//! `/api/chat`, `/api/generate` and `/v1/chat/completions`: from a body to an order.

use serde_json::Value;

use super::call::{Call, Halt};
use super::durations::KeepAlive;
use super::generation;
use super::models::PromptPath;
use super::openai::OpenAiRequest;
use super::order::{Message, Order, Request, Said};
use super::prompt::{self, IMAGE_TOKENS, Turn};
use super::tokens::{self, Familiar};
use super::voice::{Dialect, Voice};
use super::wire::{Cut, JSON, Refusal, Reply};

/// Answers `/api/chat`.
pub(super) async fn chat(call: Call, body: &[u8]) -> Result<Reply, Cut> {
    match Request::parse(body) {
        Ok(request) => answer(call, request, Dialect::Chat).await,
        Err(refusal) => Ok(call.refuse(&refusal)),
    }
}

/// Answers `/api/generate`.
pub(super) async fn generate(call: Call, body: &[u8]) -> Result<Reply, Cut> {
    match Request::parse(body) {
        Ok(request) => answer(call, request, Dialect::Generate).await,
        Err(refusal) => Ok(call.refuse(&refusal)),
    }
}

/// Answers `/v1/chat/completions`, which has the same machinery below.
pub(super) async fn openai(call: Call, body: &[u8]) -> Result<Reply, Cut> {
    match OpenAiRequest::parse(body).and_then(OpenAiRequest::into_native) {
        Ok((request, dialect)) => answer(call, request, dialect).await,
        Err(refusal) => Ok(call.refuse(&refusal)),
    }
}

async fn answer(mut call: Call, request: Request, dialect: Dialect) -> Result<Reply, Cut> {
    let load_only = match dialect {
        Dialect::Chat => request.messages.as_ref().is_none_or(Vec::is_empty),
        Dialect::Generate => request.prompt.as_ref().is_none_or(String::is_empty),
        Dialect::OpenAi { .. } => false,
    };
    let model = request.model.clone().unwrap_or_default();
    call.look(&model, request.last_message(), load_only);
    if let Err(halt) = call.early().await {
        return call.halt(halt);
    }
    let order = match order(&call, request, dialect) {
        Ok(order) => order,
        Err(refusal) => return Ok(call.refuse(&refusal)),
    };
    if load_only {
        return load(call, &order).await;
    }
    generation::answer(call, order).await
}

fn order(call: &Call, mut request: Request, dialect: Dialect) -> Result<Order, Refusal> {
    if dialect == Dialect::Generate {
        request.messages = Some(as_messages(&mut request)?);
    }
    let raw = request.raw.unwrap_or(false);
    let mut order = request.resolve(&call.edition, dialect)?;
    let messages = request.messages.unwrap_or_default();
    order.said = Said {
        turns: turns(&order, &messages, &call.server.familiar),
        message: last_user(&messages),
        speaks_of_json: messages
            .iter()
            .filter(|message| message.is_from("system"))
            .any(|message| content(message).contains("JSON")),
        raw,
    };
    Ok(order)
}

/// The prompt of `/api/generate` in the form of a chat.
fn as_messages(request: &mut Request) -> Result<Vec<Message>, Refusal> {
    let given = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
    let templated = given(&request.system)
        || given(&request.template)
        || request.context.as_ref().is_some_and(|c| !c.is_empty());
    if request.raw == Some(true) && templated {
        return Err(Refusal::new(
            400,
            "raw mode does not support template, system, or context",
        ));
    }
    let from = |role: &str, content: Option<String>| Message {
        role: Some(role.to_owned()),
        content,
        ..Message::default()
    };
    let mut messages = Vec::new();
    if given(&request.system) {
        messages.push(from("system", request.system.take()));
    }
    messages.push(Message {
        images: request.images.clone(),
        ..from("user", request.prompt.clone())
    });
    Ok(messages)
}

fn last_user(messages: &[Message]) -> String {
    let user = messages
        .iter()
        .rev()
        .find(|message| message.is_from("user"));
    user.or(messages.last())
        .map(|message| content(message).to_owned())
        .unwrap_or_default()
}

/// The messages in tokens, the Modelfile's system text before them where they bring none.
fn turns(order: &Order, messages: &[Message], familiar: &Familiar) -> Vec<Turn> {
    let system = &order.model.system;
    let own_system = messages
        .first()
        .is_some_and(|first| first.is_from("system"));
    let default =
        (!system.is_empty() && !own_system).then(|| Turn::new("system", familiar.encode(system)));
    let mut turns: Vec<Turn> = default
        .into_iter()
        .chain(messages.iter().map(|message| turn(message, familiar)))
        .collect();
    if !order.tools.is_empty()
        && let Some(first) = turns.first_mut()
    {
        let tools = Value::Array(order.tools.clone()).to_string();
        first.content.splice(0..0, tokens::encode(&tools));
    }
    if order.model.path == PromptPath::Rendered {
        turns = prompt::merge(turns);
    }
    turns
}

fn turn(message: &Message, familiar: &Familiar) -> Turn {
    let role = message.role.as_deref().unwrap_or("user");
    let mut turn = Turn::new(role, familiar.encode(content(message)));
    if let Some(thinking) = &message.thinking {
        tokens::encode_into(thinking, &mut turn.content);
    }
    for call in message.tool_calls.iter().flatten() {
        tokens::encode_into(&call.to_string(), &mut turn.content);
    }
    for image in message.images.iter().flatten() {
        let token = tokens::token(image);
        turn.content
            .extend(std::iter::repeat_n(token, IMAGE_TOKENS));
    }
    turn
}

fn content(message: &Message) -> &str {
    message.content.as_deref().unwrap_or_default()
}

/// Loads the model ahead, or unloads it. The answer is plain JSON even to a streaming request.
async fn load(call: Call, order: &Order) -> Result<Reply, Cut> {
    let unloads = order.keep_alive == Some(KeepAlive::For(std::time::Duration::ZERO));
    if unloads {
        call.server.scheduler.unload(&order.model);
    } else if let Err(halt) = hold_briefly(&call, order).await {
        return call.halt(halt);
    }
    let voice = Voice {
        dialect: order.dialect,
        model: order.spoken.clone(),
        logprobs: None,
        number: call.ticket.number(),
        begun: false,
    };
    let body = voice.loaded(if unloads { "unload" } else { "load" });
    Ok(call.reply(200, JSON, body))
}

async fn hold_briefly(call: &Call, order: &Order) -> Result<(), Halt> {
    let lease = call.lease(&order.model, &order.tuple, order.keep_alive);
    lease.await.map(drop)
}
