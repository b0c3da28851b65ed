//! The bodies of answers, in OpenAI's order of fields.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::measured::Measured;
use super::{ResultLine, VectorEncoding};
use crate::model::{Answer, AnswerBody, Tokens};

/// The body of an answer, by endpoint.
#[derive(Serialize)]
pub(super) struct Body<'a>(Shape<'a>);

#[derive(Serialize)]
#[serde(untagged)]
enum Shape<'a> {
    Chat(Generated<'a, ChatChoice<'a>>),
    Completion(Generated<'a, TextChoice<'a>>),
    Embeddings(Embeddings<'a>),
}

impl<'a> Body<'a> {
    /// The body of this answer. `number` makes its id differ from every other of the database.
    pub(super) fn of(
        line: &ResultLine<'a>,
        answer: &'a Answer,
        vectors: VectorEncoding,
        number: &str,
    ) -> Self {
        let finish_reason = answer.finish.openai();
        Self(match &answer.body {
            AnswerBody::Chat {
                content,
                thinking,
                tool_calls,
                logprobs,
            } => {
                let choice = ChatChoice {
                    index: 0,
                    message: Message {
                        role: "assistant",
                        // OpenAI has no text, rather than an empty one, beside a call of a tool.
                        content: Some(content.as_str())
                            .filter(|text| tool_calls.is_none() || !text.is_empty()),
                        refusal: None,
                        reasoning: thinking.as_deref(),
                        tool_calls: tool_calls.as_deref().map(OneLine),
                    },
                    logprobs: logprobs.as_deref().map(OneLine),
                    finish_reason,
                };
                let (id, object) = (format!("chatcmpl-{number}"), "chat.completion");
                Shape::Chat(Generated::of(line, answer, id, object, choice))
            }
            AnswerBody::Completion { text } => {
                let choice = TextChoice {
                    text,
                    index: 0,
                    logprobs: None,
                    finish_reason,
                };
                let (id, object) = (format!("cmpl-{number}"), "text_completion");
                Shape::Completion(Generated::of(line, answer, id, object, choice))
            }
            AnswerBody::Embeddings { vectors: list } => {
                Shape::Embeddings(Embeddings::of(line, answer, list, vectors))
            }
        })
    }
}

/// A generated text in OpenAI's form.
#[derive(Serialize)]
struct Generated<'a, C> {
    id: String,
    object: &'static str,
    created: i64,
    model: &'a str,
    choices: [C; 1],
    usage: Option<Usage>,
    batchtop: Measured<'a>,
}

impl<'a, C> Generated<'a, C> {
    fn of(
        line: &ResultLine<'a>,
        answer: &'a Answer,
        id: String,
        object: &'static str,
        choice: C,
    ) -> Self {
        Self {
            id,
            object,
            created: line.created.seconds(),
            model: &answer.model,
            choices: [choice],
            usage: Usage::of(answer),
            batchtop: Measured::of(line, answer),
        }
    }
}

#[derive(Serialize)]
struct ChatChoice<'a> {
    index: u32,
    message: Message<'a>,
    logprobs: Option<OneLine<'a>>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<OneLine<'a>>,
}

#[derive(Serialize)]
struct TextChoice<'a> {
    text: &'a str,
    index: u32,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

/// Tokens as OpenAI counts them. Its numbers may not be missing, so where the server left one out
/// the whole is `null`, and what is known stands in `batchtop`.
#[derive(Serialize)]
struct Usage {
    prompt_tokens: Tokens,
    completion_tokens: Tokens,
    total_tokens: Tokens,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Serialize)]
struct PromptDetails {
    cached_tokens: Tokens,
}

impl Usage {
    fn of(answer: &Answer) -> Option<Self> {
        let (prompt, completion) = (answer.usage.prompt?, answer.usage.answer?);
        Some(Self {
            prompt_tokens: prompt,
            completion_tokens: completion,
            total_tokens: prompt + completion,
            prompt_tokens_details: answer
                .usage
                .cached
                .map(|cached_tokens| PromptDetails { cached_tokens }),
        })
    }
}

#[derive(Serialize)]
struct Embeddings<'a> {
    object: &'static str,
    data: Vec<Embedding<'a>>,
    model: &'a str,
    usage: Option<EmbeddingUsage>,
    batchtop: Measured<'a>,
}

impl<'a> Embeddings<'a> {
    fn of(
        line: &ResultLine<'a>,
        answer: &'a Answer,
        vectors: &'a [Box<RawValue>],
        encoding: VectorEncoding,
    ) -> Self {
        let one = |(index, vector)| Embedding {
            object: "embedding",
            index,
            vector: Vector::of(vector, encoding),
        };
        Self {
            object: "list",
            data: vectors
                .iter()
                .map(AsRef::as_ref)
                .enumerate()
                .map(one)
                .collect(),
            model: &answer.model,
            usage: answer.usage.prompt.map(|prompt| EmbeddingUsage {
                prompt_tokens: prompt,
                total_tokens: prompt,
            }),
            batchtop: Measured::of(line, answer),
        }
    }
}

#[derive(Serialize)]
struct EmbeddingUsage {
    prompt_tokens: Tokens,
    total_tokens: Tokens,
}

#[derive(Serialize)]
struct Embedding<'a> {
    object: &'static str,
    index: usize,
    #[serde(rename = "embedding")]
    vector: Vector<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector<'a> {
    Numbers(OneLine<'a>),
    Base64(String),
}

impl<'a> Vector<'a> {
    fn of(numbers: &'a RawValue, encoding: VectorEncoding) -> Self {
        let as_numbers = || Self::Numbers(OneLine(numbers));
        if encoding == VectorEncoding::Float {
            return as_numbers();
        }
        // A vector whose numbers cannot be read stays as the server wrote it: nothing is lost.
        serde_json::from_str::<Vec<f32>>(numbers.get()).map_or_else(
            |_| as_numbers(),
            |floats| {
                let bytes: Vec<u8> = floats.into_iter().flat_map(f32::to_le_bytes).collect();
                Self::Base64(STANDARD.encode(bytes))
            },
        )
    }
}

/// JSON from the server, with the line ends between its values made spaces.
#[derive(Clone, Copy)]
struct OneLine<'a>(&'a RawValue);

impl Serialize for OneLine<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if memchr::memchr2(b'\n', b'\r', self.0.get().as_bytes()).is_none() {
            return self.0.serialize(serializer);
        }
        let flat = self.0.get().replace(['\n', '\r'], " ");
        let flat = RawValue::from_string(flat).map_err(serde::ser::Error::custom)?;
        flat.serialize(serializer)
    }
}
