//! Chat messages: roles, content parts, images and tool calls.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::refused;
use crate::model::Failure;

/// Text that is borrowed from the body where it has no escapes.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A message as OpenAI has it.
#[derive(Debug, Deserialize)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    role: Text<'a>,
    content: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<Text<'a>>,
    tool_calls: Option<Vec<ToolCall<'a>>>,
    #[serde(borrow)]
    tool_call_id: Option<Text<'a>>,
    refusal: Option<&'a RawValue>,
    /// Thinking that came with an earlier answer: Ollama's own name, and that of other servers.
    #[serde(alias = "reasoning_content")]
    reasoning: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ToolCall<'a> {
    #[serde(borrow)]
    id: Option<Text<'a>>,
    #[serde(borrow)]
    function: CalledFunction<'a>,
}

#[derive(Debug, Deserialize)]
struct CalledFunction<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    arguments: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Part<'a> {
    #[serde(rename = "type", borrow)]
    kind: Text<'a>,
    text: Option<&'a RawValue>,
    refusal: Option<&'a RawValue>,
    image_url: Option<&'a RawValue>,
    #[serde(borrow)]
    input_audio: Option<Audio<'a>>,
}

#[derive(Debug, Deserialize)]
struct ImageUrl<'a> {
    #[serde(borrow)]
    url: Text<'a>,
}

#[derive(Debug, Deserialize)]
struct Audio<'a> {
    #[serde(borrow)]
    data: Text<'a>,
    #[serde(borrow)]
    format: Option<Text<'a>>,
}

/// A message as Ollama has it.
#[derive(Debug, Serialize)]
pub(super) struct NativeMessage<'a> {
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<Cow<'a, RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thinking: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    images: Vec<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<NativeToolCall<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_name: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_call_id: Option<Cow<'a, str>>,
}

#[derive(Debug, Serialize)]
struct NativeToolCall<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<Cow<'a, str>>,
    function: NativeFunction<'a>,
}

#[derive(Debug, Serialize)]
struct NativeFunction<'a> {
    name: Cow<'a, str>,
    arguments: Cow<'a, RawValue>,
}

/// Messages that stand on their own.
pub(super) fn read(messages: &[Arc<str>]) -> Result<Vec<Message<'_>>, Failure> {
    let read = messages.iter().map(|json| {
        serde_json::from_str(json)
            .map_err(|error| refused(format!("a message cannot be read: {error}")))
    });
    read.collect()
}

/// The messages in Ollama's form, in their order.
pub(super) fn translated(messages: Vec<Message<'_>>) -> Result<Vec<NativeMessage<'_>>, Failure> {
    let mut called = Called::default();
    let mut native = Vec::with_capacity(messages.len());
    for (at, message) in messages.into_iter().enumerate() {
        native.push(one(message, &mut called, at)?);
    }
    Ok(native)
}

/// The functions called so far, by the id of the call. Ollama's templates want the function's name
/// with its result; OpenAI's messages give only the id.
#[derive(Default)]
struct Called<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Called<'a> {
    fn name(&self, id: &str) -> Option<Cow<'a, str>> {
        let known = self.0.iter().rev().find(|(known, _)| known == id)?;
        Some(known.1.clone())
    }
}

fn one<'a>(
    message: Message<'a>,
    called: &mut Called<'a>,
    at: usize,
) -> Result<NativeMessage<'a>, Failure> {
    let role = role(&message.role.0, at)?;
    let (content, images) = content(message.content.or(message.refusal), at)?;
    let tool_calls = tool_calls(message.tool_calls.unwrap_or_default(), at)?;
    for call in &tool_calls {
        if let Some(id) = &call.id {
            called.0.push((id.clone(), call.function.name.clone()));
        }
    }
    let id = message.tool_call_id.map(|id| id.0);
    let tool_name = match role {
        "tool" => message
            .name
            .map(|name| name.0)
            .or_else(|| called.name(id.as_deref()?)),
        _ => None,
    };
    Ok(NativeMessage {
        role,
        content,
        thinking: message.reasoning.filter(|text| inside(text).is_some()),
        images,
        tool_calls,
        tool_name,
        tool_call_id: id,
    })
}

/// Ollama takes any word as a role and most templates render what they do not know as nonsense, so
/// `developer` becomes `system` and what is not OpenAI's is refused.
fn role(given: &str, at: usize) -> Result<&'static str, Failure> {
    match given {
        "system" | "developer" => Ok("system"),
        "user" => Ok("user"),
        "assistant" => Ok("assistant"),
        "tool" | "function" => Ok("tool"),
        other => Err(refused(format!(
            "`messages[{at}].role` is `{}`: use system, developer, user, assistant or tool",
            other.chars().take(40).collect::<String>()
        ))),
    }
}

type Content<'a> = (Option<Cow<'a, RawValue>>, Vec<Cow<'a, str>>);

fn content(given: Option<&RawValue>, at: usize) -> Result<Content<'_>, Failure> {
    let Some(given) = given else {
        return Ok((None, Vec::new()));
    };
    if given.get().starts_with('"') {
        return Ok((Some(Cow::Borrowed(given)), Vec::new()));
    }
    let parts: Vec<Part<'_>> = serde_json::from_str(given.get()).map_err(|error| {
        refused(format!(
            "`messages[{at}].content` is neither a text nor a list of parts: {error}"
        ))
    })?;
    joined(parts, at)
}

/// Parts of text become one text with blank lines between them, which is what Ollama's own
/// OpenAI endpoint makes of them; images and sound go beside it.
fn joined(parts: Vec<Part<'_>>, at: usize) -> Result<Content<'_>, Failure> {
    let mut text = String::from('"');
    let mut images = Vec::new();
    for (index, part) in parts.into_iter().enumerate() {
        let wrong = |what: &str| refused(format!("`messages[{at}].content[{index}]` {what}"));
        match part.kind.0.as_ref() {
            "text" | "refusal" => {
                let piece = part.text.or(part.refusal).and_then(inside);
                let piece = piece.ok_or_else(|| wrong("has no `text`"))?;
                if text.len() > 1 {
                    text.push_str("\\n\\n");
                }
                text.push_str(piece);
            }
            "image_url" => {
                let url = part.image_url.and_then(image_url);
                let url = url.ok_or_else(|| wrong("has no `image_url.url`"))?;
                images.push(image(url).map_err(wrong)?);
            }
            "input_audio" => {
                let audio = part
                    .input_audio
                    .ok_or_else(|| wrong("has no `input_audio`"))?;
                images.push(sound(audio).map_err(wrong)?);
            }
            _ => return Err(wrong("is of a type that Ollama does not take")),
        }
    }
    text.push('"');
    let text = RawValue::from_string(text).map_err(|error| refused(error.to_string()))?;
    Ok((Some(Cow::Owned(text)), images))
}

/// What stands between the quotes of a JSON string, escapes and all.
fn inside(raw: &RawValue) -> Option<&str> {
    raw.get().strip_prefix('"')?.strip_suffix('"')
}

/// OpenAI has an object with `url`; some programs write the URL itself.
fn image_url(given: &RawValue) -> Option<Cow<'_, str>> {
    let object = serde_json::from_str::<ImageUrl<'_>>(given.get()).map(|image| image.url.0);
    object
        .or_else(|_| serde_json::from_str::<Text<'_>>(given.get()).map(|text| text.0))
        .ok()
}

/// The base64 text of a `data:` URI. Ollama takes images in no other form.
fn image(url: Cow<'_, str>) -> Result<Cow<'_, str>, &'static str> {
    const KINDS: [&str; 4] = ["image/jpeg", "image/jpg", "image/png", "image/webp"];
    const WRONG: &str = "is no image that Ollama takes: write it as \
                         `data:image/png;base64,…` (png, jpeg or webp)";
    let (head, _) = url.split_once(',').ok_or(WRONG)?;
    let kind = head
        .get(..5)
        .filter(|scheme| scheme.eq_ignore_ascii_case("data:"))
        .and_then(|_| head.get(5..))
        .and_then(|rest| rest.strip_suffix(";base64"))
        .ok_or(WRONG)?;
    if !KINDS.iter().any(|known| known.eq_ignore_ascii_case(kind)) {
        return Err(WRONG);
    }
    let start = head.len() + 1;
    Ok(match url {
        Cow::Borrowed(url) => Cow::Borrowed(url.get(start..).unwrap_or_default()),
        Cow::Owned(url) => Cow::Owned(url.get(start..).unwrap_or_default().to_owned()),
    })
}

/// Sound travels in the list of images.
fn sound(audio: Audio<'_>) -> Result<Cow<'_, str>, &'static str> {
    match audio.format.as_ref().map(|format| format.0.as_ref()) {
        None | Some("wav" | "mp3") => Ok(audio.data.0),
        Some(_) => Err("is sound that Ollama does not take: use wav or mp3"),
    }
}

fn tool_calls(calls: Vec<ToolCall<'_>>, at: usize) -> Result<Vec<NativeToolCall<'_>>, Failure> {
    let mut native = Vec::with_capacity(calls.len());
    for (index, call) in calls.into_iter().enumerate() {
        let arguments = arguments(call.function.arguments).ok_or_else(|| {
            refused(format!(
                "`messages[{at}].tool_calls[{index}].function.arguments` is no JSON object"
            ))
        })?;
        native.push(NativeToolCall {
            id: call.id.map(|id| id.0),
            function: NativeFunction {
                name: call.function.name.0,
                arguments,
            },
        });
    }
    Ok(native)
}

/// OpenAI writes the arguments as JSON inside a string, Ollama as an object.
fn arguments(given: Option<&RawValue>) -> Option<Cow<'_, RawValue>> {
    let written = match given.map(RawValue::get) {
        Some(object) if object.starts_with('{') => return given.map(Cow::Borrowed),
        Some(text) => serde_json::from_str::<String>(text).ok()?,
        None => String::new(),
    };
    let object = match written.trim() {
        "" => "{}",
        object => object,
    };
    let object = RawValue::from_string(object.to_owned()).ok()?;
    object.get().starts_with('{').then_some(Cow::Owned(object))
}
