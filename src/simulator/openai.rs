//! Requests to `/v1/chat/completions`, in the words of `/api/chat`.

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::order::{Message, Request, parse};
use super::voice::Dialect;
use super::wire::Refusal;

/// What Ollama 0.33 honours of OpenAI's chat requests. The context window, `keep_alive` and
/// `truncate` cannot be set here, and `max_completion_tokens` is ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct OpenAiRequest {
    model: Option<String>,
    messages: Option<Vec<OpenAiMessage>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    max_tokens: Option<i64>,
    seed: Option<i64>,
    stop: Option<Value>,
    response_format: Option<Value>,
    tools: Option<Vec<Value>>,
    reasoning_effort: Option<String>,
    logprobs: Option<bool>,
    top_logprobs: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OpenAiMessage {
    role: Option<String>,
    content: Option<Value>,
    tool_calls: Option<Vec<Value>>,
}

impl OpenAiRequest {
    pub(super) fn parse(body: &[u8]) -> Result<Self, Refusal> {
        parse(body)
    }

    /// The same as a request to `/api/chat`.
    pub(super) fn into_native(self) -> Result<(Request, Dialect), Refusal> {
        let messages = self.messages.unwrap_or_default();
        if messages.is_empty() {
            return Err(Refusal::new(400, "[] is too short - 'messages'"));
        }
        let messages: Vec<Vec<Message>> = messages
            .into_iter()
            .map(OpenAiMessage::into_native)
            .collect::<Result<_, _>>()?;
        let usage = self.stream_options.and_then(|wish| wish.include_usage);
        let request = Request {
            model: self.model,
            messages: Some(messages.into_iter().flatten().collect()),
            stream: Some(self.stream.unwrap_or(false)),
            options: Some(options(self.max_tokens, self.seed, self.stop)),
            format: self.response_format.as_ref().and_then(format),
            think: self.reasoning_effort.as_deref().map(think),
            tools: self.tools,
            logprobs: self.logprobs,
            top_logprobs: self.top_logprobs,
            ..Request::default()
        };
        let usage = usage.unwrap_or(false);
        Ok((request, Dialect::OpenAi { usage }))
    }
}

impl OpenAiMessage {
    /// Content in parts becomes a message for each part.
    fn into_native(self) -> Result<Vec<Message>, Refusal> {
        let calls = self.tool_calls.filter(|calls| !calls.is_empty());
        let with = |content: &str| Message {
            role: self.role.clone(),
            content: Some(content.to_owned()),
            tool_calls: calls.clone(),
            ..Message::default()
        };
        match self.content.unwrap_or_default() {
            Value::String(text) => Ok(vec![with(&text)]),
            Value::Array(parts) => Ok(parts.iter().map(|part| with(part_text(part))).collect()),
            Value::Null if calls.is_some() => Ok(vec![with("")]),
            Value::Null => Err(Refusal::new(400, "invalid message content type: <nil>")),
            other => Err(Refusal::new(
                400,
                format!("invalid message content type: {other}"),
            )),
        }
    }
}

fn part_text(part: &Value) -> &str {
    part.get("text").and_then(Value::as_str).unwrap_or_default()
}

fn options(max_tokens: Option<i64>, seed: Option<i64>, stop: Option<Value>) -> Map<String, Value> {
    let stop = stop.map(|stop| match stop {
        Value::String(text) => json!([text]),
        other => other,
    });
    let all = [
        ("num_predict", max_tokens.map(Value::from)),
        ("seed", seed.map(Value::from)),
        ("stop", stop),
    ];
    all.into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

fn format(wish: &Value) -> Option<Value> {
    match wish.get("type")?.as_str()? {
        "json_object" => Some(json!("json")),
        "json_schema" => wish.pointer("/json_schema/schema").cloned(),
        _ => None,
    }
}

fn think(effort: &str) -> Value {
    match effort {
        "none" => json!(false),
        "minimal" => json!("low"),
        "xhigh" | "ultra" => json!("max"),
        other => json!(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn native(body: &Value) -> Result<Request, String> {
        OpenAiRequest::parse(body.to_string().as_bytes())
            .and_then(OpenAiRequest::into_native)
            .map(|(request, _)| request)
            .map_err(|refusal| refusal.text)
    }

    #[test]
    fn requests_are_translated() {
        let request = native(&json!({
            "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            "max_tokens": 5, "max_completion_tokens": 9, "stop": "x",
            "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
            "reasoning_effort": "minimal",
        }))
        .unwrap();
        assert_eq!(request.messages.unwrap().len(), 2);
        assert_eq!(
            Value::from(request.options.unwrap()),
            json!({"num_predict": 5, "stop": ["x"]})
        );
        assert_eq!(request.format, Some(json!({"type": "object"})));
        assert_eq!(request.think, Some(json!("low")));
        assert_eq!(request.stream, Some(false));
    }

    #[rstest]
    #[case(json!({"messages": []}), "[] is too short - 'messages'")]
    #[case(json!({"messages": [{"role": "user", "content": null}]}), "invalid message content type: <nil>")]
    fn bad_messages_are_refused(#[case] body: Value, #[case] text: &str) {
        assert_eq!(native(&body).unwrap_err(), text);
    }
}
