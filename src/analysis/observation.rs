//! How one request ended, whoever tells it.

use super::said::Said;
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
    /// The answer: the visible text without the model's thinking, then the arguments of the tools
    /// that it calls. None for embeddings and their like.
    pub text: Option<String>,
    /// How many tools it calls.
    pub tool_calls: u32,
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

impl Observation {
    /// The end of a request in the queue; none where it has not come to one.
    pub fn of_end(
        custom_id: Option<String>,
        answer: Option<&Answer>,
        failure: Option<&Failure>,
    ) -> Option<Self> {
        match (answer, failure) {
            (Some(answer), _) => Some(Self::of_answer(custom_id, answer)),
            (None, Some(failure)) => Some(Self::of_failure(custom_id, failure)),
            (None, None) => None,
        }
    }

    /// An answer in the queue, seen as that of a result file.
    pub fn of_answer(custom_id: Option<String>, answer: &Answer) -> Self {
        // As exact as in a result file, so that both say the same.
        let millis = |length: std::time::Duration| length.as_micros() as f64 / 1_000.0;
        let said = match &answer.body {
            AnswerBody::Chat {
                content,
                tool_calls,
                ..
            } => {
                let mut said = Said::of_text(content);
                if let Some(calls) = tool_calls {
                    let calls = serde_json::from_str(calls.get());
                    said.tool_calls(&calls.expect("a raw value is JSON"));
                }
                Some(said)
            }
            AnswerBody::Completion { text } => Some(Said::of_text(text)),
            AnswerBody::Embeddings { .. } => None,
        };
        let seen = Seen {
            text: said.as_ref().map(Said::answer),
            tool_calls: said.as_ref().map_or(0, Said::calls),
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

    /// A failure in the queue, seen as that of a result file.
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
