//! What a request to `/api/chat`, `/api/generate` or `/v1/chat/completions` asks for.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::durations::KeepAlive;
use super::edition::Edition;
use super::models::{Capability, ModelScript, PromptPath, canonical};
use super::options::{LoadTuple, Options};
use super::prompt::Turn;
use super::schema::Format;
use super::voice::Dialect;
use super::wire::Refusal;

/// The body of a request to one of Ollama's own endpoints. `null` is "absent" everywhere and
/// unknown fields are ignored, as Go reads JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Request {
    pub model: Option<String>,
    pub messages: Option<Vec<Message>>,
    pub prompt: Option<String>,
    pub suffix: Option<String>,
    pub system: Option<String>,
    pub template: Option<String>,
    pub context: Option<Vec<i64>>,
    pub raw: Option<bool>,
    pub images: Option<Vec<String>>,
    pub tools: Option<Vec<Value>>,
    pub stream: Option<bool>,
    pub format: Option<Value>,
    pub options: Option<Map<String, Value>>,
    pub keep_alive: Option<Value>,
    pub think: Option<Value>,
    pub truncate: Option<bool>,
    pub shift: Option<bool>,
    pub logprobs: Option<bool>,
    pub top_logprobs: Option<i64>,
}

/// A message of a chat.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message {
    pub role: Option<String>,
    pub content: Option<String>,
    pub thinking: Option<String>,
    pub images: Option<Vec<String>>,
    pub tool_calls: Option<Vec<Value>>,
}

/// A request that has been checked and can be worked on.
#[derive(Debug)]
pub(super) struct Order {
    pub model: Arc<ModelScript>,
    /// The model as the request named it.
    pub spoken: String,
    pub dialect: Dialect,
    pub stream: bool,
    pub options: Options,
    pub tuple: LoadTuple,
    pub keep_alive: Option<KeepAlive>,
    pub truncate: bool,
    pub format: Option<Format>,
    pub think: bool,
    pub tools: Vec<Value>,
    pub logprobs: Option<u32>,
    pub said: Said,
}

/// What the messages of a request say.
#[derive(Debug, Default)]
pub(super) struct Said {
    pub turns: Vec<Turn>,
    /// The last user message.
    pub message: String,
    /// Whether a system message speaks of JSON.
    pub speaks_of_json: bool,
    /// Whether the prompt is the last turn as it stands, without any template.
    pub raw: bool,
}

impl Request {
    /// Reads a body. The texts are those of Go's decoder where they are known.
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        parse(body)
    }

    /// The message by which the log and the faults know the request.
    pub(super) fn last_message(&self) -> &str {
        let said = self.messages.as_ref().and_then(|messages| {
            let users = messages
                .iter()
                .rev()
                .find(|message| message.is_from("user"));
            users.or(messages.last())
        });
        said.and_then(|message| message.content.as_deref())
            .or(self.prompt.as_deref())
            .unwrap_or_default()
    }

    /// Checks everything in the order Ollama does and looks up the model.
    pub(super) fn resolve(
        &mut self,
        edition: &Edition,
        dialect: Dialect,
    ) -> Result<Order, Refusal> {
        let keep_alive = match &self.keep_alive {
            Some(value) => KeepAlive::parse(value).map_err(|text| Refusal::new(400, text))?,
            None => None,
        };
        let top = self.top_logprobs.unwrap_or(0);
        let top = u32::try_from(top).ok().filter(|&top| top <= 20);
        let top = top.ok_or_else(|| Refusal::new(400, "top_logprobs must be between 0 and 20"))?;
        let spoken = self.model.take().unwrap_or_default();
        let model = find_model(edition, &spoken, dialect)?;
        let native = model.path == PromptPath::Native && dialect != Dialect::Generate;
        let think = self.thinks(&model, &spoken)?;
        self.check_abilities(&model, &spoken, dialect)?;
        let options = Options::parse(&self.options.take().unwrap_or_default())?;
        let format = Format::parse(&self.format.take().unwrap_or_default(), native)?;
        Ok(Order {
            tuple: LoadTuple::of(&options, self.shift, &model, edition.script.num_ctx),
            stream: self.stream.unwrap_or(true),
            truncate: self.truncate.unwrap_or(true),
            logprobs: self.logprobs.unwrap_or(false).then_some(top),
            tools: self.tools.take().unwrap_or_default(),
            said: Said::default(),
            model,
            spoken,
            dialect,
            options,
            keep_alive,
            format,
            think,
        })
    }

    fn thinks(&self, model: &ModelScript, spoken: &str) -> Result<bool, Refusal> {
        let able = model.can(Capability::Thinking);
        let wish = match &self.think {
            None | Some(Value::Null) => return Ok(able),
            Some(Value::Bool(wish)) => *wish,
            Some(Value::String(level))
                if matches!(level.as_str(), "low" | "medium" | "high" | "max") =>
            {
                true
            }
            Some(other) => {
                return Err(Refusal::new(
                    400,
                    format!(
                        "invalid think value: {other} (must be \"high\", \"medium\", \"low\", true, or false)"
                    ),
                ));
            }
        };
        if wish && !able {
            return Err(lacks_plainly(spoken, "thinking"));
        }
        Ok(wish)
    }

    fn check_abilities(
        &self,
        model: &ModelScript,
        spoken: &str,
        dialect: Dialect,
    ) -> Result<(), Refusal> {
        if !model.can(Capability::Completion) {
            let what = if dialect == Dialect::Generate {
                "generate"
            } else {
                "chat"
            };
            return Err(lacks_plainly(spoken, what));
        }
        let offers_tools = self.tools.as_ref().is_some_and(|tools| !tools.is_empty());
        if offers_tools && !model.can(Capability::Tools) {
            return Err(lacks(model, "tools"));
        }
        let inserts = self.suffix.as_ref().is_some_and(|text| !text.is_empty());
        if inserts && !model.can(Capability::Insert) {
            return Err(lacks(model, "insert"));
        }
        if self.has_images() && !model.can(Capability::Vision) {
            let text = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj";
            return Err(Refusal::nested(400, "invalid_request_error", text));
        }
        Ok(())
    }

    fn has_images(&self) -> bool {
        let some = |images: &Option<Vec<String>>| images.as_ref().is_some_and(|i| !i.is_empty());
        let in_messages = self.messages.iter().flatten();
        some(&self.images) || in_messages.into_iter().any(|message| some(&message.images))
    }
}

impl Message {
    pub(super) fn is_from(&self, role: &str) -> bool {
        self.role
            .as_ref()
            .is_some_and(|own| own.eq_ignore_ascii_case(role))
    }
}

/// Reads JSON as Go would, or answers as Go would.
pub(super) fn parse<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, Refusal> {
    if body.is_empty() {
        return Err(Refusal::new(400, "missing request body"));
    }
    serde_json::from_slice(body).map_err(|error| {
        let text = if error.is_eof() {
            "unexpected EOF".to_owned()
        } else if error.is_data() {
            format!("json: cannot unmarshal: {error}")
        } else {
            format!("invalid character: {error}")
        };
        Refusal::new(400, text)
    })
}

fn find_model(
    edition: &Edition,
    spoken: &str,
    dialect: Dialect,
) -> Result<Arc<ModelScript>, Refusal> {
    if spoken.is_empty() && dialect != Dialect::Generate {
        return Err(Refusal::new(400, "model is required"));
    }
    if !spoken.is_empty() && canonical(spoken).is_none() {
        return Err(Refusal::new(400, "invalid model name"));
    }
    edition
        .model(spoken)
        .ok_or_else(|| Refusal::new(404, format!("model '{spoken}' not found")))
}

fn lacks_plainly(spoken: &str, what: &str) -> Refusal {
    Refusal::new(400, format!("{spoken:?} does not support {what}"))
}

fn lacks(model: &ModelScript, what: &str) -> Refusal {
    let name = model.full_name();
    Refusal::new(
        400,
        format!("registry.ollama.ai/library/{name} does not support {what}"),
    )
}
