//! How long the prompt of a request is and what it begins with, read from its body alone.

use serde_json::value::RawValue;

use super::body;
use super::place::Place;
use super::problem::Findings;
use crate::model::Endpoint;

/// The prompt of a request that is in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Prompt {
    /// Bytes of JSON that the model reads as text, as [`Remarks`](super::Remarks) counts them.
    pub bytes: u64,
    /// Those of them that are tools and system messages at the beginning.
    pub lead: u64,
    /// Hash of what the model reads first: equal for requests whose prompts begin alike.
    pub prefix: u64,
}

impl Prompt {
    /// Reads the body of a request; `None` where it is no JSON.
    pub fn of(body: &str, endpoint: Endpoint) -> Option<Self> {
        let raw: &RawValue = serde_json::from_str(body).ok()?;
        let mut findings = Findings::new(0);
        let read = body::read(&mut findings, &Place::Line, raw, Some(endpoint), true);
        Some(Self {
            bytes: findings.remarks.prompt_bytes,
            lead: read.lead().map_or(0, |lead| lead.bytes),
            prefix: read.prefix(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn chat(system: &str, user: &str) -> Prompt {
        let body = serde_json::json!({"model": "m", "messages": [
            {"role": "system", "content": system},
            {"role": "user", "content": user},
        ]});
        Prompt::of(&body.to_string(), Endpoint::Chat).unwrap()
    }

    #[test]
    fn prompts_with_the_same_instructions_begin_alike() {
        let one = chat("judge", "first");
        assert_eq!((one.bytes, one.lead), (7 + 7, 7));
        assert_eq!(one.prefix, chat("judge", "the second").prefix);
        assert_ne!(one.prefix, chat("rate", "first").prefix);
    }

    #[rstest]
    #[case("", Endpoint::Chat)]
    #[case("{", Endpoint::Chat)]
    fn what_is_no_json_has_no_prompt(#[case] body: &str, #[case] endpoint: Endpoint) {
        assert_eq!(Prompt::of(body, endpoint), None);
    }

    #[rstest]
    #[case("[]", Endpoint::Chat)]
    #[case("7", Endpoint::Completions)]
    #[case(r#"{"messages":3}"#, Endpoint::Chat)]
    #[case(r#"{"input":null}"#, Endpoint::Embeddings)]
    fn a_body_that_is_no_request_has_no_text(#[case] body: &str, #[case] endpoint: Endpoint) {
        assert!(Prompt::of(body, endpoint).is_none_or(|prompt| prompt.lead == 0));
    }
}
