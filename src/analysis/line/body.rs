//! The body of an answer, in the forms of the providers: each has fields that the others lack.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::super::observation::{Ending, Seen};
use super::super::said::Said;
use super::failure::{CONTENT_FILTER, NO_ANSWER, failed};
use super::is_error;

/// How an answer ends that the provider held back.
const HELD_BACK: [&str; 9] = [
    "content_filter",
    "content_filtered",
    "guardrail_intervened",
    "safety",
    "recitation",
    "blocklist",
    "prohibited_content",
    "spii",
    "language",
];
/// How something ends that is no answer.
const ENDED_BADLY: [&str; 6] = [
    "failed",
    "cancelled",
    "canceled",
    "error",
    "queued",
    "in_progress",
];

/// All that is read of a body.
#[derive(Deserialize, Default)]
pub(super) struct Body {
    model: Option<Value>,
    error: Option<Value>,
    usage: Option<Value>,
    batchtop: Option<Measured>,
    status: Option<Value>,
    /// OpenAI, for chats and completions.
    choices: Option<Vec<Choice>>,
    /// OpenAI, for `/v1/responses`; Amazon.
    output: Option<Value>,
    incomplete_details: Option<Value>,
    /// Anthropic.
    content: Option<Value>,
    stop_reason: Option<Value>,
    /// Gemini.
    candidates: Option<Vec<Candidate>>,
    #[serde(rename = "promptFeedback")]
    prompt_feedback: Option<Value>,
    #[serde(rename = "usageMetadata")]
    usage_metadata: Option<Value>,
    #[serde(rename = "modelVersion")]
    model_version: Option<Value>,
    /// Amazon.
    #[serde(rename = "stopReason")]
    stop_reason_of_amazon: Option<Value>,
    /// Ollama.
    message: Option<Value>,
    response: Option<Value>,
    done_reason: Option<Value>,
    prompt_eval_count: Option<Value>,
    eval_count: Option<Value>,
    /// Embeddings and scores (OpenAI, vLLM), moderations and rankings, and how others call them.
    data: Option<Vec<IgnoredAny>>,
    results: Option<Vec<IgnoredAny>>,
    embedding: Option<IgnoredAny>,
    embeddings: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Choice {
    message: Option<Value>,
    text: Option<Value>,
    finish_reason: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Candidate {
    content: Option<Value>,
    #[serde(rename = "finishReason")]
    finish_reason: Option<Value>,
}

#[derive(Deserialize)]
struct Measured {
    prompt_tokens: Option<u64>,
    answer_tokens: Option<u64>,
    wall_ms: Option<f64>,
    first_token_ms: Option<f64>,
}

/// What was generated.
enum Generated {
    Said(Said),
    /// Vectors and their like: an answer without words.
    Numbers,
    Nothing,
}

/// An answer that is a text and nothing else.
pub(super) fn of_text(text: &str) -> Ending {
    let body = Body {
        response: Some(Value::from(text)),
        ..Body::default()
    };
    body.ending(None)
}

impl Body {
    /// Whether a line that has nothing around it is an answer.
    pub(super) fn is_one(&self) -> bool {
        let is_message = self.message.as_ref().is_some_and(Value::is_object);
        let is_list = |field: &Option<Value>| field.as_ref().is_some_and(Value::is_array);
        self.choices.is_some()
            || self.candidates.is_some()
            || is_list(&self.output)
            || is_list(&self.content)
            || is_message
    }

    /// How the request ended.
    pub(super) fn ending(mut self, status: Option<u16>) -> Ending {
        if let Some(error) = self.error.take().filter(is_error) {
            return failed(&error, status);
        }
        if let Some(first) = self.choices.iter_mut().flatten().next()
            && let Some(error) = first.error.take().filter(is_error)
        {
            return failed(&error, status);
        }
        let finish = self.finish();
        let said = match self.generated() {
            Generated::Said(said) => Some(said),
            Generated::Numbers => None,
            Generated::Nothing => return self.nothing(finish),
        };
        let is_blank = said.as_ref().is_some_and(Said::is_empty);
        if let Some(finish) = finish.as_deref().filter(|_| is_blank) {
            if HELD_BACK.contains(&finish) {
                return no_answer(
                    CONTENT_FILTER,
                    &format!("the answer was held back: {finish}"),
                );
            }
            if ENDED_BADLY.contains(&finish) {
                return no_answer(NO_ANSWER, &format!("the answer ended with `{finish}`"));
            }
        }
        let measured = self.batchtop.as_ref();
        Ending::Answered(Box::new(Seen {
            is_refusal: said.as_ref().is_some_and(|said| said.is_refusal)
                || finish.as_deref() == Some("refusal"),
            tool_calls: said.as_ref().map_or(0, Said::calls),
            text: said.map(|said| said.answer()),
            finish,
            prompt_tokens: self
                .prompt_tokens()
                .or(measured.and_then(|measured| measured.prompt_tokens)),
            answer_tokens: self
                .answer_tokens()
                .or(measured.and_then(|measured| measured.answer_tokens)),
            wall_ms: measured.and_then(|measured| measured.wall_ms),
            first_token_ms: measured.and_then(|measured| measured.first_token_ms),
            model: word(self.model.as_ref()).or_else(|| word(self.model_version.as_ref())),
        }))
    }

    fn generated(&self) -> Generated {
        let mut said = Said::default();
        if let Some(choice) = self.choices.iter().flatten().next() {
            match &choice.message {
                Some(message) => of_message(&mut said, message),
                None => said.content(choice.text.as_ref().unwrap_or(&Value::Null)),
            }
        } else if let Some(candidate) = self.candidates.iter().flatten().next() {
            let content = candidate.content.as_ref();
            let parts = content.and_then(|content| content.get("parts"));
            said.content(parts.unwrap_or(&Value::Null));
        } else if let Some(Value::Array(items)) = &self.output {
            for item in items {
                of_item(&mut said, item);
            }
            // One that never came to its end and says nothing is none.
            if said.is_empty()
                && word(self.status.as_ref())
                    .is_some_and(|status| ENDED_BADLY.contains(&status.as_str()))
            {
                return Generated::Nothing;
            }
        } else if let Some(Value::Object(output)) = &self.output {
            of_message(&mut said, output.get("message").unwrap_or(&Value::Null));
        } else if let Some(content @ (Value::Array(_) | Value::String(_))) = &self.content {
            said.content(content);
        } else if let Some(message @ Value::Object(_)) = &self.message {
            of_message(&mut said, message);
        } else if let Some(Value::String(text)) = &self.response {
            said.push(text);
        } else {
            let lists = [&self.data, &self.results];
            let has_list = lists.into_iter().flatten().any(|list| !list.is_empty());
            let is_vector = self.embedding.is_some() || self.embeddings.is_some();
            return if has_list || is_vector {
                Generated::Numbers
            } else {
                Generated::Nothing
            };
        }
        Generated::Said(said)
    }

    /// Why there is no answer.
    fn nothing(&self, finish: Option<String>) -> Ending {
        let feedback = self.prompt_feedback.as_ref();
        let blocked = feedback.and_then(|feedback| word(feedback.get("blockReason")));
        match (blocked, finish) {
            (Some(reason), _) => {
                let reason = reason.to_lowercase();
                no_answer(CONTENT_FILTER, &format!("the prompt was blocked: {reason}"))
            }
            (None, Some(finish)) => no_answer(NO_ANSWER, &format!("the response is `{finish}`")),
            (None, None) => no_answer(NO_ANSWER, "the response holds no answer"),
        }
    }

    /// Why the answer ended there, in the word of the provider.
    fn finish(&self) -> Option<String> {
        let choice = self.choices.iter().flatten().next();
        let candidate = self.candidates.iter().flatten().next();
        let incomplete = self.incomplete_details.as_ref();
        let reasons = [
            choice.and_then(|choice| choice.finish_reason.as_ref()),
            self.stop_reason.as_ref(),
            self.done_reason.as_ref(),
            self.stop_reason_of_amazon.as_ref(),
            incomplete.and_then(|details| details.get("reason")),
            self.status.as_ref(),
        ];
        let told = reasons.into_iter().find_map(word);
        // Google writes capitals.
        let of_google = || word(candidate?.finish_reason.as_ref());
        told.or_else(|| of_google().map(|reason| reason.to_lowercase()))
    }

    fn prompt_tokens(&self) -> Option<u64> {
        let count = |name: &str| self.usage.as_ref()?.get(name)?.as_u64();
        let whole = count("prompt_tokens").or_else(|| count("inputTokens"));
        // Anthropic counts apart what it read from a cache or wrote to it.
        let cached = || {
            let cached = count("cache_read_input_tokens").unwrap_or(0);
            cached.saturating_add(count("cache_creation_input_tokens").unwrap_or(0))
        };
        let fresh = || Some(count("input_tokens")?.saturating_add(cached()));
        let of_google = || {
            self.usage_metadata
                .as_ref()?
                .get("promptTokenCount")?
                .as_u64()
        };
        let of_ollama = || self.prompt_eval_count.as_ref()?.as_u64();
        whole.or_else(fresh).or_else(of_google).or_else(of_ollama)
    }

    fn answer_tokens(&self) -> Option<u64> {
        let names = ["completion_tokens", "output_tokens", "outputTokens"];
        let count = |name: &&str| self.usage.as_ref()?.get(name)?.as_u64();
        let of_google = || {
            let count = |name: &str| self.usage_metadata.as_ref()?.get(name)?.as_u64();
            let thoughts = count("thoughtsTokenCount").unwrap_or(0);
            Some(count("candidatesTokenCount")?.saturating_add(thoughts))
        };
        let of_ollama = || self.eval_count.as_ref()?.as_u64();
        let told = names.iter().find_map(count);
        told.or_else(of_google).or_else(of_ollama)
    }
}

/// A message of a chat.
fn of_message(said: &mut Said, message: &Value) {
    let field = |name: &str| message.get(name).unwrap_or(&Value::Null);
    said.content(field("content"));
    if let Some(words) = message.get("refusal").and_then(Value::as_str) {
        // The words stand in place of the content.
        if said.is_empty() {
            said.refuse(words);
        }
        said.is_refusal = true;
    }
    said.tool_calls(field("tool_calls"));
    if let Some(arguments) = field("function_call").get("arguments") {
        said.call(arguments);
    }
}

/// An item of `/v1/responses`: a message or a call; thinking is passed over.
fn of_item(said: &mut Said, item: &Value) {
    match item.get("type").and_then(Value::as_str) {
        Some("message") => said.content(item.get("content").unwrap_or(&Value::Null)),
        Some("function_call") => said.call(item.get("arguments").unwrap_or(&Value::Null)),
        Some("custom_tool_call") => said.call(item.get("input").unwrap_or(&Value::Null)),
        _ => {}
    }
}

fn no_answer(class: &str, message: &str) -> Ending {
    Ending::Failed {
        class: class.to_owned(),
        message: message.to_owned(),
    }
}

fn word(value: Option<&Value>) -> Option<String> {
    let word = value?.as_str()?;
    (!word.is_empty()).then(|| word.to_owned())
}
