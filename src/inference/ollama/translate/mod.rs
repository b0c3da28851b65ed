//! Turns a request in OpenAI's form into a call of Ollama's own API.
//!
//! The own API is used because only there can one ask for a context window, forbid silent
//! truncation, keep the model loaded and get to know what was measured. Every call says
//! `truncate:false` (an over-long prompt is refused instead of losing its middle), `shift:false`
//! (a full context ends the answer instead of forgetting its beginning), `keep_alive:-1`, and an
//! explicit cap, because Ollama 0.33 takes "no cap" as ten context windows, or as no end at all.
//!
//! Texts and numbers are passed on as they are written in the body, without being decoded.

mod body;
mod message;
mod options;

use serde::Serialize;
use serde_json::value::RawValue;

use self::body::Body;
use self::message::NativeMessage;
use self::options::{LoadChoice, Options};
use super::super::Call;
use crate::model::{Endpoint, Failure, FailureClass, LoadOptions};

/// A call of Ollama's own API.
#[derive(Debug)]
pub(super) struct Native {
    /// Which of its paths.
    pub(super) path: Path,
    /// The JSON to send.
    pub(super) body: String,
    /// What the answer must look like.
    pub(super) expected: Expected,
}

/// The paths that answer requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// `/api/chat`
    Chat,
    /// `/api/generate`
    Generate,
    /// `/api/embed`
    Embed,
}

/// What an answer must look like to be complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// A chat message of at most so many tokens.
    Chat {
        /// The cap.
        cap: u64,
    },
    /// A text of at most so many tokens.
    Completion {
        /// The cap.
        cap: u64,
    },
    /// So many vectors.
    Vectors {
        /// How many inputs were given.
        count: usize,
    },
}

/// The call for a request. What Ollama cannot do is refused here, with the field named.
pub(super) fn native(call: &Call) -> Result<Native, Failure> {
    let body: Body<'_> = serde_json::from_str(&call.body)
        .map_err(|error| refused(format!("the body cannot be read: {error}")))?;
    body.refuse_impossible(call.endpoint)?;
    match call.endpoint {
        Endpoint::Chat => chat(call, body),
        Endpoint::Completions => completion(call, &body),
        Endpoint::Embeddings => embedding(call, &body),
    }
}

/// How long a server keeps a model in memory after the last request: for ever, …
pub(super) const FOR_EVER: i32 = -1;
/// … or for as many seconds as Ollama does when nobody says anything.
pub(super) const USUAL: i32 = 300;

/// The call that loads a model and keeps it: a request without content. It carries the same load
/// options as every request after it.
pub(super) fn warm_up(load: &LoadOptions, keep_alive: i32) -> Result<(Path, String), Failure> {
    let (path, content) = if load.embeddings {
        (Path::Embed, Content::Input(raw("\"\"")?))
    } else {
        (Path::Chat, Content::Messages([]))
    };
    let body = written(&WarmUp {
        model: &load.model,
        content,
        options: LoadChoice::of(load),
        keep_alive,
        shift: (!load.embeddings).then_some(false),
    })?;
    Ok((path, body))
}

#[derive(Serialize)]
struct WarmUp<'a> {
    model: &'a str,
    #[serde(flatten)]
    content: Content<'a>,
    #[serde(skip_serializing_if = "LoadChoice::is_empty")]
    options: LoadChoice,
    keep_alive: i32,
    #[serde(skip_serializing_if = "Option::is_none")]
    shift: Option<bool>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Content<'a> {
    Input(&'a RawValue),
    Messages([(); 0]),
}

#[derive(Serialize)]
struct NativeChat<'a> {
    model: &'a str,
    messages: Vec<NativeMessage<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a RawValue>,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct NativeCompletion<'a> {
    model: &'a str,
    prompt: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    suffix: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw: Option<bool>,
    #[serde(flatten)]
    common: Common<'a>,
}

#[derive(Serialize)]
struct NativeEmbedding<'a> {
    model: &'a str,
    input: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    dimensions: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "LoadChoice::is_empty")]
    options: LoadChoice,
    keep_alive: i32,
    truncate: bool,
}

/// What chat and completion have in common.
#[derive(Serialize)]
struct Common<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    think: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logprobs: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_logprobs: Option<&'a RawValue>,
    options: Options<'a>,
    stream: bool,
    keep_alive: i32,
    truncate: bool,
    shift: bool,
}

impl<'a> Common<'a> {
    /// These options, and what every call says.
    const fn of(options: Options<'a>) -> Self {
        Self {
            format: None,
            think: None,
            logprobs: None,
            top_logprobs: None,
            options,
            stream: true,
            keep_alive: FOR_EVER,
            truncate: false,
            shift: false,
        }
    }
}

fn chat<'a>(call: &'a Call, mut body: Body<'a>) -> Result<Native, Failure> {
    let given = match &call.messages {
        Some(messages) => message::read(messages)?,
        None => body.messages.take().unwrap_or_default(),
    };
    let messages = message::translated(given)?;
    if messages.is_empty() {
        return Err(refused("`messages` is empty"));
    }
    let options = Options::of(call, &body)?;
    let cap = options.num_predict;
    let text = written(&NativeChat {
        model: &call.load.model,
        messages,
        tools: body.tools()?,
        common: Common {
            format: body.format()?,
            think: body.think()?,
            logprobs: body.logprobs,
            top_logprobs: body.top_logprobs,
            ..Common::of(options)
        },
    })?;
    Ok(Native {
        path: Path::Chat,
        body: text,
        expected: Expected::Chat { cap },
    })
}

/// A completion goes on from exactly the text given, so it is `raw`: no chat template comes
/// around it. Only a `suffix` needs the model's template for filling in. Thinking is switched off
/// because Ollama would take a part of the text out as thinking, for which the answer has no place.
fn completion(call: &Call, body: &Body<'_>) -> Result<Native, Failure> {
    let prompt = body.prompt()?;
    let options = Options::of(call, body)?;
    let cap = options.num_predict;
    let text = written(&NativeCompletion {
        model: &call.load.model,
        prompt,
        suffix: body.suffix,
        raw: body.suffix.is_none().then_some(true),
        common: Common {
            format: body.format()?,
            think: Some(raw("false")?),
            ..Common::of(options)
        },
    })?;
    Ok(Native {
        path: Path::Generate,
        body: text,
        expected: Expected::Completion { cap },
    })
}

fn embedding(call: &Call, body: &Body<'_>) -> Result<Native, Failure> {
    let (input, count) = body.input()?;
    let text = written(&NativeEmbedding {
        model: &call.load.model,
        input,
        dimensions: body.dimensions,
        options: LoadChoice::of(&call.load),
        keep_alive: FOR_EVER,
        truncate: false,
    })?;
    Ok(Native {
        path: Path::Embed,
        body: text,
        expected: Expected::Vectors { count },
    })
}

fn written(call: &impl Serialize) -> Result<String, Failure> {
    serde_json::to_string(call)
        .map_err(|error| refused(format!("the body cannot be sent: {error}")))
}

/// Literal JSON.
fn raw(json: &'static str) -> Result<&'static RawValue, Failure> {
    serde_json::from_str(json).map_err(|error| refused(error.to_string()))
}

fn refused(message: impl AsRef<str>) -> Failure {
    let message = super::failure::bounded(message.as_ref());
    Failure::new(FailureClass::Refused, message)
}

#[cfg(test)]
mod tests;
