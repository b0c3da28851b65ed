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
    use crate::intake::message_bytes;
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
        assert_eq!((one.bytes, one.lead), (7 + 20 + 7 + 20, 7));
        assert_eq!(one.prefix, chat("judge", "the second").prefix);
        assert_ne!(one.prefix, chat("rate", "first").prefix);
    }

    #[test]
    fn a_prompt_is_the_sum_of_its_messages() {
        let picture = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let messages = [
            serde_json::json!({"role": "system", "content": "judge \"fairly\""}),
            serde_json::json!({"role": "user", "content": [
                {"type": "text", "text": "whose face is this?"},
                {"type": "image_url", "image_url": {"url": picture}},
            ]}),
            serde_json::json!({"role": "assistant", "content": null, "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]}),
        ];
        let body = serde_json::json!({"messages": messages}).to_string();
        let each = messages.iter().map(|it| message_bytes(&it.to_string()));
        let prompt = Prompt::of(&body, Endpoint::Chat).unwrap();
        assert_eq!(prompt.bytes, each.sum::<u64>());
        // Ollama counts a picture as 768 tokens, whatever its size.
        assert!((3_000..3_400).contains(&prompt.bytes), "{}", prompt.bytes);
        assert_eq!(message_bytes("no message"), 0);
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
