//! One line of a result file, whoever wrote it.
//!
//! | writer | name | answer | failure |
//! |---|---|---|---|
//! | batchtop, OpenAI, Azure, Groq, Mistral, vLLM | `custom_id` | `response.body` | `error`, `response.body.error` |
//! | vLLM before 0.5.5, Fireworks | `custom_id` | `response` | `error` |
//! | Anthropic | `custom_id` | `result.message` | `result.error`, `result.type` |
//! | Gemini | `key` | `response` | `error` |
//! | Vertex | none | `response` | `status` |
//! | Amazon Bedrock | `recordId` | `modelOutput` | `error` |
//!
//! A line that is the body of an answer itself is read, too. What is in a body is told in
//! `body.rs`.

mod body;
mod failure;
#[cfg(test)]
mod tests;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use self::body::Body;
use self::failure::failed;
use super::observation::{Ending, Observation};

/// Why a line is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum LineError {
    /// It is not JSON.
    #[error("the line is not one JSON object")]
    NotJson,
    /// It is a list.
    #[error("the line is a JSON list, and each result has a line of its own")]
    List,
    /// It is a request.
    #[error("the line is a request and not a result")]
    Request,
    /// It says how far a batch is.
    #[error("the line is the state of a batch and not a result")]
    Batch,
    /// It has none of the fields that results have.
    #[error("the line has neither `response` nor `error`")]
    NotAResult,
    /// It has them in a form that nobody is known to write.
    #[error("the line has a `response` of a form that is not known")]
    UnknownForm,
}

impl LineError {
    /// What to do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::NotJson => {
                "each line is one JSON object; where only the last is none, the file was cut off: fetch or \
                 export it again"
            }
            Self::List => "`jq -c '.[]' FILE > results.jsonl` writes one result on each line",
            Self::Request => "name the result file; `batchtop check` looks at batch files",
            Self::Batch => "fetch the result file that it names (`output_file_id`, `results_url`)",
            Self::NotAResult | Self::UnknownForm => {
                "results of batchtop, OpenAI, Azure, Groq, Mistral, vLLM, Anthropic, Gemini and Amazon \
                 Bedrock are read"
            }
        }
    }
}

/// The fields around an answer. What is not looked into is passed over unread.
#[derive(Deserialize)]
struct Line<'a> {
    custom_id: Option<Value>,
    key: Option<Value>,
    #[serde(rename = "recordId")]
    record_id: Option<Value>,
    #[serde(borrow)]
    response: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow, rename = "modelOutput")]
    model_output: Option<&'a RawValue>,
    error: Option<Value>,
    status: Option<Value>,
    object: Option<Value>,
    #[serde(rename = "type")]
    kind: Option<Value>,
    url: Option<IgnoredAny>,
    body: Option<IgnoredAny>,
    params: Option<IgnoredAny>,
    request: Option<IgnoredAny>,
    prompt: Option<IgnoredAny>,
    messages: Option<IgnoredAny>,
    #[serde(rename = "modelInput")]
    model_input: Option<IgnoredAny>,
}

/// What a server answered: the body with the status around it, or the body alone.
#[derive(Deserialize)]
struct Response<'a> {
    status_code: Option<Value>,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
}

/// How a request of an Anthropic batch ended.
#[derive(Deserialize)]
struct Ended<'a> {
    #[serde(rename = "type")]
    kind: Option<String>,
    #[serde(borrow)]
    message: Option<&'a RawValue>,
    error: Option<Value>,
}

impl Observation {
    /// Reads a line of a result file.
    pub fn of_line(text: &[u8]) -> Result<Self, LineError> {
        let line: Line<'_> = serde_json::from_slice(text).map_err(|_| kind(text))?;
        let ids = [&line.custom_id, &line.key, &line.record_id];
        let custom_id = ids.into_iter().flatten().find_map(name);
        let ending = line.ending(text)?;
        Ok(Self { custom_id, ending })
    }
}

impl Line<'_> {
    fn ending(&self, text: &[u8]) -> Result<Ending, LineError> {
        if let Some(error) = self.error.as_ref().filter(|error| is_error(error)) {
            let response = self.response.map(response).transpose()?;
            let status = response.and_then(|response| status(&response));
            return Ok(failed(error, status));
        }
        if let Some(found) = self.response {
            return self.of_response(found);
        }
        if let Some(found) = self.result {
            return of_result(found);
        }
        if let Some(found) = self.model_output {
            return of_body(found, None);
        }
        let word =
            |field: &Option<Value>| field.as_ref().and_then(Value::as_str).map(str::to_owned);
        match (word(&self.object).as_deref(), word(&self.kind).as_deref()) {
            (Some("batch"), _) | (_, Some("message_batch")) => return Err(LineError::Batch),
            _ => {}
        }
        let asked = [
            &self.url,
            &self.body,
            &self.params,
            &self.request,
            &self.prompt,
            &self.messages,
            &self.model_input,
        ];
        if asked.into_iter().any(Option::is_some) {
            return Err(LineError::Request);
        }
        let body: Body = serde_json::from_slice(text).map_err(|_| LineError::NotAResult)?;
        if body.is_one() {
            return Ok(body.ending(None));
        }
        Err(LineError::NotAResult)
    }

    fn of_response(&self, found: &RawValue) -> Result<Ending, LineError> {
        // Ollama's `/api/generate` has its text in this place.
        if let Ok(text) = serde_json::from_str::<String>(found.get()) {
            return Ok(body::of_text(&text));
        }
        let response = response(found)?;
        let body = match (response.body, &response.status_code) {
            (Some(body), _) => body,
            (None, Some(_)) => RawValue::NULL,
            (None, None) => found,
        };
        let ending = of_body(body, status(&response))?;
        // Vertex tells beside an empty answer why it is empty.
        let why = self.status.as_ref().and_then(Value::as_str);
        match (&ending, why.filter(|why| !why.is_empty())) {
            (Ending::Failed { class, .. }, Some(why)) if class == failure::NO_ANSWER => {
                Ok(failed(&Value::from(why), None))
            }
            _ => Ok(ending),
        }
    }
}

fn response(found: &RawValue) -> Result<Response<'_>, LineError> {
    if !found.get().starts_with('{') {
        return Err(LineError::UnknownForm);
    }
    serde_json::from_str(found.get()).map_err(|_| LineError::UnknownForm)
}

/// The status, which some write as a text.
fn status(response: &Response<'_>) -> Option<u16> {
    match response.status_code.as_ref()? {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn of_body(found: &RawValue, status: Option<u16>) -> Result<Ending, LineError> {
    // Some write the body as a text that holds it.
    let text = serde_json::from_str::<String>(found.get());
    let text = text.as_deref().unwrap_or(found.get());
    if status.is_some_and(|status| status >= 300) {
        let error = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        return Ok(failed(&error, status));
    }
    match serde_json::from_str::<Option<Body>>(text) {
        Ok(body) => Ok(body.unwrap_or_default().ending(status)),
        Err(_) => Err(LineError::UnknownForm),
    }
}

/// What Anthropic writes.
fn of_result(found: &RawValue) -> Result<Ending, LineError> {
    let ended: Ended<'_> = serde_json::from_str(found.get()).map_err(|_| LineError::UnknownForm)?;
    if let Some(message) = ended.message {
        return of_body(message, None);
    }
    match (ended.error, ended.kind) {
        (Some(error), _) => Ok(failed(&error, None)),
        (None, Some(kind)) => Ok(Ending::Failed {
            message: format!("the request ended as `{kind}`"),
            class: kind,
        }),
        (None, None) => Err(LineError::UnknownForm),
    }
}

/// Whether there is an error in the place of one: some write an empty one where there is none.
fn is_error(error: &Value) -> bool {
    match error {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(fields) => fields.values().any(|field| !field.is_null()),
        _ => true,
    }
}

/// A name, which some write as a number.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(name) => Some(name.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// What a line is that cannot be read as a result.
fn kind(line: &[u8]) -> LineError {
    match serde_json::from_slice::<Value>(line) {
        Ok(Value::Object(_)) => LineError::UnknownForm,
        Ok(Value::Array(_)) => LineError::List,
        _ => LineError::NotJson,
    }
}
