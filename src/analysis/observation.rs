//! One line of a result file, whoever wrote it: batchtop, OpenAI's Batch API or vLLM's `run-batch`.

use serde::Deserialize;
use serde_json::Value;

use crate::model::{Answer, AnswerBody, Failure};

/// How one request ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The user's name for it.
    pub custom_id: Option<String>,
    /// How it ended.
    pub ending: Ending,
}

/// With an answer or without.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// With one.
    Answered(Box<Seen>),
    /// Without.
    Failed {
        /// The class of the failure, or what the file calls it.
        class: String,
        /// What happened, in words.
        message: String,
    },
}

/// What is seen of an answer. What the file does not say is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Seen {
    /// The visible text; none for embeddings.
    pub text: Option<String>,
    /// Whether the file itself calls it a refusal.
    pub is_refusal: bool,
    /// `finish_reason`.
    pub finish: Option<String>,
    /// The model that answered.
    pub model: Option<String>,
    /// Tokens of the prompt.
    pub prompt_tokens: Option<u64>,
    /// Tokens of the answer.
    pub answer_tokens: Option<u64>,
    /// Milliseconds from sending to the last byte.
    pub wall_ms: Option<f64>,
    /// Milliseconds from sending to the first token.
    pub first_token_ms: Option<f64>,
}

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
                "if it is the last line, the file was cut off: fetch or export it again"
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

#[derive(Deserialize)]
struct Response {
    status_code: Option<u16>,
    body: Option<Body>,
}

#[derive(Deserialize, Default)]
struct Body {
    model: Option<String>,
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Usage>,
    batchtop: Option<Measured>,
    error: Option<Value>,
    message: Option<String>,
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
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    completion_tokens: Option<u64>,
}

#[derive(Deserialize)]
struct Measured {
    prompt_tokens: Option<u64>,
    answer_tokens: Option<u64>,
    wall_ms: Option<f64>,
    first_token_ms: Option<f64>,
}

impl Observation {
    /// Reads a line of a result file.
    pub fn of_line(line: &[u8]) -> Result<Self, LineError> {
        let line: Line = serde_json::from_slice(line).map_err(|_| kind(line))?;
        let error = line.error.filter(|error| !error.is_null());
        let ending = match (line.response, error) {
            (_, Some(error)) => failed(&error, None),
            (Some(response), None) => answered(response),
            (None, None) if line.url.is_some() => return Err(LineError::Request),
            (None, None) => return Err(LineError::NotAResult),
        };
        Ok(Self {
            custom_id: line.custom_id,
            ending,
        })
    }

    /// The same of an answer in the queue.
    pub fn of_answer(custom_id: Option<String>, answer: &Answer) -> Self {
        // As exact as in a result file, so that both say the same.
        let millis = |length: std::time::Duration| length.as_micros() as f64 / 1_000.0;
        let text = match &answer.body {
            AnswerBody::Chat { content, .. } => Some(content.clone()),
            AnswerBody::Completion { text } => Some(text.clone()),
            AnswerBody::Embeddings { .. } => None,
        };
        let seen = Seen {
            text,
            is_refusal: false,
            finish: Some(answer.finish.openai().to_owned()),
            model: Some(answer.model.clone()),
            prompt_tokens: answer.usage.prompt.map(|tokens| tokens.0),
            answer_tokens: answer.usage.answer.map(|tokens| tokens.0),
            wall_ms: Some(millis(answer.timings.wall)),
            first_token_ms: answer.timings.first_token.map(millis),
        };
        Self {
            custom_id,
            ending: Ending::Answered(Box::new(seen)),
        }
    }

    /// The same of a failure in the queue.
    pub fn of_failure(custom_id: Option<String>, failure: &Failure) -> Self {
        Self {
            custom_id,
            ending: Ending::Failed {
                class: failure.class.name().to_owned(),
                message: failure.message.clone(),
            },
        }
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
    let body = response.body.unwrap_or_default();
    let status = response.status_code.unwrap_or(200);
    if let Some(error) = body.error.filter(|error| !error.is_null()) {
        return failed(&error, Some(status));
    }
    if status >= 300 {
        let error = Value::String(body.message.unwrap_or_default());
        return failed(&error, Some(status));
    }
    let choice = body.choices.into_iter().next();
    let (finish, text, refusal) = match choice {
        Some(choice) => {
            let (content, refusal) = match choice.message {
                Some(message) => (message.content, message.refusal),
                None => (choice.text, None),
            };
            let is_refusal = refusal.is_some();
            let text = content.or(refusal).unwrap_or_default();
            (choice.finish_reason, Some(text), is_refusal)
        }
        None => (None, None, false),
    };
    let usage = body.usage.as_ref();
    let measured = body.batchtop.as_ref();
    Ending::Answered(Box::new(Seen {
        text,
        is_refusal: refusal,
        finish,
        model: body.model,
        prompt_tokens: usage
            .and_then(|usage| usage.prompt_tokens)
            .or(measured.and_then(|measured| measured.prompt_tokens)),
        answer_tokens: usage
            .and_then(|usage| usage.completion_tokens)
            .or(measured.and_then(|measured| measured.answer_tokens)),
        wall_ms: measured.and_then(|measured| measured.wall_ms),
        first_token_ms: measured.and_then(|measured| measured.first_token_ms),
    }))
}

/// A failure in any of its shapes: an object with code and message, or words alone.
fn failed(error: &Value, status: Option<u16>) -> Ending {
    let word = |name: &str| match error.get(name) {
        Some(Value::String(word)) if !word.is_empty() => Some(word.clone()),
        Some(Value::Number(number)) => Some(format!("http_{number}")),
        _ => None,
    };
    let by_status = || status.map(|status| format!("http_{status}"));
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
    fn others_write_the_same(#[case] line: &str, #[case] text: &str, #[case] is_refusal: bool) {
        let seen = seen(line);
        assert_eq!(
            (seen.text.as_deref(), seen.is_refusal),
            (Some(text), is_refusal)
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
