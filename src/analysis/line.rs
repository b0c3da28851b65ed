//! One line of a result file, whoever wrote it: batchtop, OpenAI's Batch API or vLLM's `run-batch`.
//!
//! All three write `custom_id`, `response` and `error`. They differ in where an answer and a
//! failure stand within, and in what they leave out.

use serde::Deserialize;
use serde_json::Value;

use super::observation::{Ending, Observation, Seen};

/// Why a line is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// It is not one JSON object.
    #[error("the line is not one JSON object")]
    NotJson,
    /// It is a request.
    #[error("the line is a request and not a result")]
    Request,
    /// It has neither `response` nor `error`.
    #[error("the line has neither `response` nor `error`")]
    NotAResult,
}

impl LineError {
    /// What to do about it.
    pub const fn cure(self) -> &'static str {
        match self {
            Self::NotJson => {
                "each line is one JSON object; where only the last is none, the file was cut off: fetch or \
                 export it again"
            }
            Self::Request => "name the result file; `batchtop check` looks at batch files",
            Self::NotAResult => "name a result file of batchtop, OpenAI or vLLM",
        }
    }
}

#[derive(Deserialize)]
struct Line {
    custom_id: Option<String>,
    response: Option<Response>,
    error: Option<Value>,
    url: Option<String>,
}

/// What a server answered. vLLM before 0.5.5 wrote the body itself in this place.
#[derive(Deserialize)]
struct Response {
    status_code: Option<u16>,
    body: Option<Body>,
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
}

impl Response {
    fn into_body(self) -> Body {
        self.body.unwrap_or(Body {
            model: self.model,
            choices: self.choices,
            usage: self.usage,
            ..Body::default()
        })
    }
}

#[derive(Deserialize, Default)]
struct Body {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    batchtop: Option<Measured>,
    error: Option<Value>,
    message: Option<Value>,
    /// Of `/v1/responses`, which has this in place of `choices`.
    #[serde(default)]
    output: Value,
    status: Option<Value>,
    incomplete_details: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Message>,
    text: Option<String>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Message {
    content: Option<String>,
    refusal: Option<String>,
    tool_calls: Option<Value>,
}

/// Tokens, by the two names that OpenAI has for each kind.
#[derive(Deserialize)]
struct Usage {
    #[serde(rename = "prompt_tokens")]
    prompt: Option<u64>,
    #[serde(rename = "completion_tokens")]
    completion: Option<u64>,
    #[serde(rename = "input_tokens")]
    input: Option<u64>,
    #[serde(rename = "output_tokens")]
    output: Option<u64>,
}

#[derive(Deserialize)]
struct Measured {
    prompt_tokens: Option<u64>,
    answer_tokens: Option<u64>,
    wall_ms: Option<f64>,
    first_token_ms: Option<f64>,
}

/// What was said, and how it ended.
#[derive(Default)]
struct Said {
    text: Option<String>,
    is_refusal: bool,
    finish: Option<String>,
}

impl Observation {
    /// Reads a line of a result file.
    pub fn of_line(line: &[u8]) -> Result<Self, LineError> {
        let line: Line = serde_json::from_slice(line).map_err(|_| kind(line))?;
        let error = line.error.filter(|error| !error.is_null());
        let ending = match (line.response, error) {
            (response, Some(error)) => {
                let status = response.and_then(|response| response.status_code);
                failed(&error, status)
            }
            (Some(response), None) => answered(response),
            (None, None) if line.url.is_some() => return Err(LineError::Request),
            (None, None) => return Err(LineError::NotAResult),
        };
        Ok(Self {
            custom_id: line.custom_id,
            ending,
        })
    }
}

/// What a line is that does not have the fields of a result.
fn kind(line: &[u8]) -> LineError {
    if serde_json::from_slice::<serde_json::Map<String, Value>>(line).is_ok() {
        LineError::NotAResult
    } else {
        LineError::NotJson
    }
}

fn answered(response: Response) -> Ending {
    let status = response.status_code.unwrap_or(200);
    let mut body = response.into_body();
    if let Some(error) = body.error.take().filter(|error| !error.is_null()) {
        return failed(&error, Some(status));
    }
    if status >= 300 {
        return failed(&body.message.unwrap_or_default(), Some(status));
    }
    let said = match body.choices.into_iter().next() {
        Some(choice) => Said::in_choice(choice),
        None if body.output.is_array() => Said::in_output(&body.output),
        None => Said::default(),
    };
    let ended = || outcome(body.incomplete_details.as_ref(), body.status.as_ref());
    let usage = body.usage.as_ref();
    let measured = body.batchtop.as_ref();
    Ending::Answered(Box::new(Seen {
        finish: said.finish.or_else(ended),
        text: said.text,
        is_refusal: said.is_refusal,
        model: body.model,
        prompt_tokens: usage
            .and_then(|usage| usage.prompt.or(usage.input))
            .or(measured.and_then(|measured| measured.prompt_tokens)),
        answer_tokens: usage
            .and_then(|usage| usage.completion.or(usage.output))
            .or(measured.and_then(|measured| measured.answer_tokens)),
        wall_ms: measured.and_then(|measured| measured.wall_ms),
        first_token_ms: measured.and_then(|measured| measured.first_token_ms),
    }))
}

impl Said {
    /// Of a chat or a completion.
    fn in_choice(choice: Choice) -> Self {
        let finish = choice.finish_reason;
        let Some(message) = choice.message else {
            return Self {
                text: Some(choice.text.unwrap_or_default()),
                is_refusal: false,
                finish,
            };
        };
        let is_refusal = message.refusal.is_some();
        let text = message.content.or(message.refusal).unwrap_or_default();
        // A call of a tool is no empty answer. vLLM writes an empty list where there is none.
        let is_call = message
            .tool_calls
            .as_ref()
            .and_then(Value::as_array)
            .is_some_and(|calls| !calls.is_empty());
        Self {
            text: (!text.is_empty() || !is_call).then_some(text),
            is_refusal,
            finish,
        }
    }

    /// Of a response: the parts of its messages, without what the model thought.
    fn in_output(output: &Value) -> Self {
        let mut said = Self::default();
        let messages = output.as_array().into_iter().flatten();
        let parts = messages
            .filter(|item| item.get("type").and_then(Value::as_str) == Some("message"))
            .filter_map(|item| item.get("content")?.as_array())
            .flatten();
        for part in parts {
            let refusal = part.get("refusal").and_then(Value::as_str);
            said.is_refusal |= refusal.is_some();
            if let Some(text) = part.get("text").and_then(Value::as_str).or(refusal) {
                said.text.get_or_insert_default().push_str(text);
            }
        }
        said
    }
}

/// How a response ended: why it is incomplete, or else its status.
fn outcome(incomplete: Option<&Value>, status: Option<&Value>) -> Option<String> {
    let why = incomplete.and_then(|details| details.get("reason"));
    let word = why.or(status)?.as_str()?;
    Some(word.to_owned())
}

/// A failure in any of its shapes: an object with code and message, one within another (vLLM), or
/// words alone.
fn failed(error: &Value, status: Option<u16>) -> Ending {
    let error = error
        .get("error")
        .filter(|inner| inner.is_object())
        .unwrap_or(error);
    let word = |name: &str| match error.get(name) {
        Some(Value::String(word)) if !word.is_empty() => Some(word.clone()),
        Some(Value::Number(number)) => Some(format!("http_{number}")),
        _ => None,
    };
    let by_status = || {
        let status = status.filter(|status| *status >= 300)?;
        Some(format!("http_{status}"))
    };
    let class = word("code").or_else(|| word("type")).or_else(by_status);
    let message = word("message").or_else(|| error.as_str().map(str::to_owned));
    Ending::Failed {
        class: class.unwrap_or_else(|| "unknown".to_owned()),
        message: message.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn seen(line: &str) -> Seen {
        match Observation::of_line(line.as_bytes()).unwrap().ending {
            Ending::Answered(seen) => *seen,
            Ending::Failed { class, .. } => panic!("{class}"),
        }
    }

    #[test]
    fn an_answer_of_batchtop_tells_its_times() {
        let seen = seen(
            r#"{"id":"b","custom_id":"c","response":{"status_code":200,"request_id":"r","body":{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":null,"batchtop":{"attempts":1,"prompt_tokens":7,"wall_ms":12.5}}},"error":null}"#,
        );
        assert_eq!(
            (seen.text.as_deref(), seen.prompt_tokens, seen.wall_ms),
            (Some("hi"), Some(7), Some(12.5))
        );
        assert_eq!((seen.answer_tokens, seen.first_token_ms), (None, None));
    }

    #[rstest]
    #[case::openai(r#"{"id":"batch_req_1","custom_id":"a","response":{"status_code":200,"request_id":"q","body":{"model":"gpt","choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}},"error":null}"#, "No.", true)]
    #[case::vllm(r#"{"id":"vllm-1","custom_id":"a","response":{"status_code":200,"request_id":"vllm-batch-2","body":{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":null,"content":"8/10","tool_calls":[]},"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":1,"total_tokens":2,"completion_tokens":1}}},"error":null}"#, "8/10", false)]
    #[case::completion(
        r#"{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"text":"t"}]}}}"#,
        "t",
        false
    )]
    #[case::vllm_before_0_5_5(r#"{"id":"vllm-1","custom_id":"a","response":{"id":"cmpl-2","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"total_tokens":2,"completion_tokens":1}},"error":null}"#, "hi", false)]
    #[case::response(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"completed","output":[{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"8","annotations":[]},{"type":"output_text","text":"/10"}]}]}}}"#, "8/10", false)]
    #[case::refused_response(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","output":[{"type":"message","content":[{"type":"refusal","refusal":"No."}]}]}}}"#, "No.", true)]
    #[case::no_tools(r#"{"custom_id":"a","response":{"body":{"choices":[{"message":{"content":"","tool_calls":[]}}]}}}"#, "", false)]
    fn others_write_the_same(#[case] line: &str, #[case] text: &str, #[case] is_refusal: bool) {
        let seen = seen(line);
        assert_eq!(
            (seen.text.as_deref(), seen.is_refusal),
            (Some(text), is_refusal)
        );
    }

    #[test]
    fn a_response_tells_tokens_and_why_it_is_incomplete() {
        let seen = seen(
            r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"gpt","output":[],"usage":{"input_tokens":7,"output_tokens":16,"total_tokens":23}}}}"#,
        );
        assert_eq!(
            (seen.prompt_tokens, seen.answer_tokens),
            (Some(7), Some(16))
        );
        assert_eq!(seen.finish.as_deref(), Some("max_output_tokens"));
        assert_eq!(seen.text, None);
    }

    #[test]
    fn a_call_of_a_tool_is_no_empty_answer() {
        let seen = seen(
            r#"{"custom_id":"a","response":{"body":{"choices":[{"message":{"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"grade","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}}}"#,
        );
        assert_eq!(
            (seen.text, seen.finish.as_deref()),
            (None, Some("tool_calls"))
        );
    }

    #[rstest]
    #[case(
        r#"{"custom_id":"a","response":null,"error":{"code":"timeout","message":"late"}}"#,
        "timeout",
        "late"
    )]
    #[case(r#"{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}}},"error":null}"#, "context_length_exceeded", "long")]
    #[case(
        r#"{"custom_id":"a","response":{"status_code":500,"body":null},"error":null}"#,
        "http_500",
        ""
    )]
    #[case(r#"{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"bad","type":"BadRequestError","param":null,"code":400}}}}"#, "http_400", "bad")]
    #[case(r#"{"custom_id":null,"error":"lost"}"#, "unknown", "lost")]
    #[case::vllm_in_words(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"vllm-batch-1","body":null},"error":"bad"}"#, "http_400", "bad")]
    #[case::vllm(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"vllm-batch-1","body":null},"error":{"error":{"message":"long","type":"BadRequestError","param":null,"code":400}}}"#, "http_400", "long")]
    #[case::vllm_before_0_10(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"vllm-batch-1","body":null},"error":{"object":"error","message":"long","type":"BadRequestError","param":null,"code":400}}"#, "http_400", "long")]
    #[case::response(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"failed","error":{"code":"server_error","message":"down"},"output":[]}}}"#, "server_error", "down")]
    fn failures_have_a_class(#[case] line: &str, #[case] class: &str, #[case] message: &str) {
        let found = Observation::of_line(line.as_bytes()).unwrap().ending;
        let expected = Ending::Failed {
            class: class.to_owned(),
            message: message.to_owned(),
        };
        assert_eq!(found, expected);
    }

    #[rstest]
    #[case(
        r#"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{}}"#,
        LineError::Request
    )]
    #[case("{}", LineError::NotAResult)]
    #[case(r#"{"response":7}"#, LineError::NotAResult)]
    #[case(r#"{"custom_id":"a","respo"#, LineError::NotJson)]
    #[case("[]", LineError::NotJson)]
    fn what_is_no_result_is_told_apart(#[case] line: &str, #[case] expected: LineError) {
        assert_eq!(Observation::of_line(line.as_bytes()), Err(expected));
    }
}
