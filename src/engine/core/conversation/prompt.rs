//! The prompt of a chat request, taken apart as far as trimming needs it: who speaks, how much,
//! and the messages themselves, unread.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::context::{Role, is_marked};
use crate::intake::message_bytes;
use crate::model::{Answer, AnswerBody, Endpoint};

/// A prompt.
#[derive(Debug)]
pub(super) struct Prompt {
    /// The system messages at the beginning.
    pub(super) system: Vec<Message>,
    /// Every other message: the caller's own turns.
    pub(super) own: Vec<Message>,
    /// The tools as JSON, which the model reads, too; empty where there are none.
    tools: String,
    /// The cap of the answer, where the body gives one.
    pub(super) cap: Option<u64>,
}

/// Stands for the tools and system messages that a prompt begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Beginning([u8; 16]);

/// A message.
#[derive(Debug, Clone)]
pub(super) struct Message {
    /// As JSON in OpenAI's form.
    pub(super) json: Arc<str>,
    /// Who speaks.
    pub(super) role: Role,
    /// Bytes of it that are read as text, as [`message_bytes`] counts them.
    pub(super) bytes: u64,
    /// Whether it asks to be kept.
    pub(super) is_marked: bool,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    messages: Vec<&'a RawValue>,
    tools: Option<&'a RawValue>,
    max_completion_tokens: Option<f64>,
    max_tokens: Option<f64>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    role: Cow<'a, str>,
}

#[derive(Serialize)]
struct Answered<'a> {
    role: &'static str,
    content: &'a str,
}

impl Prompt {
    /// The prompt of a request; `None` where it is no chat, or cannot be read: inference will say
    /// what is wrong with it. Messages that are `known` are not read again: in a batch they are the
    /// long ones.
    pub(super) fn of(endpoint: Endpoint, body: &str, known: &[Message]) -> Option<Self> {
        if endpoint != Endpoint::Chat {
            return None;
        }
        let body: Body<'_> = serde_json::from_str(body).ok()?;
        let message = |raw: &&RawValue| {
            let met = known.iter().find(|it| *it.json == *raw.get());
            met.cloned().or_else(|| Message::of(raw))
        };
        let mut system: Vec<Message> = body.messages.iter().map(message).collect::<Option<_>>()?;
        let leading = system.iter().take_while(|it| it.role == Role::System);
        let own = system.split_off(leading.count());
        if own.is_empty() {
            return None;
        }
        let tools = body.tools.map_or("", RawValue::get);
        let tools = if tools == "[]" { "" } else { tools };
        let cap = body.max_completion_tokens.or(body.max_tokens);
        Some(Self {
            tools: tools.to_owned(),
            cap: cap.map(|cap| cap as u64),
            system,
            own,
        })
    }

    /// Bytes of what it begins with.
    pub(super) fn system_bytes(&self) -> u64 {
        self.tools.len() as u64 + bytes(&self.system)
    }

    /// What it begins with: equal for prompts with the same tools and system messages.
    pub(super) fn beginning(&self) -> Beginning {
        Beginning::of(&self.tools, &self.system)
    }
}

impl Beginning {
    fn of(tools: &str, system: &[Message]) -> Self {
        let mut hasher = blake3::Hasher::new();
        for text in system.iter().map(|it| it.json.as_ref()).chain([tools]) {
            // The length goes first, so that two texts never look like one.
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        }
        let mut key = [0; 16];
        hasher.finalize_xof().fill(&mut key);
        Self(key)
    }
}

impl Message {
    fn of(raw: &RawValue) -> Option<Self> {
        let frame: Frame<'_> = serde_json::from_str(raw.get()).ok()?;
        let role = match frame.role.as_ref() {
            "system" | "developer" => Role::System,
            "assistant" => Role::Assistant,
            "tool" | "function" => Role::Tool,
            _ => Role::User,
        };
        let json = raw.get();
        Some(Self {
            role,
            bytes: message_bytes(json),
            // Few messages have a bracket at all, and looking for one is fast.
            is_marked: json.contains('[') && is_marked(json),
            json: json.into(),
        })
    }

    /// An answer as a message of the history; `None` where nothing can follow it. Calls of tools
    /// are left out: nobody will tell what came of them, and a call without its result is refused
    /// by strict templates. Thinking is left out as every chat leaves it out.
    pub(super) fn answer(answer: &Answer) -> Option<Self> {
        let AnswerBody::Chat {
            content,
            tool_calls: None,
            ..
        } = &answer.body
        else {
            return None;
        };
        let role = "assistant";
        let json = serde_json::to_string(&Answered { role, content }).ok()?;
        Some(Self {
            role: Role::Assistant,
            bytes: message_bytes(&json),
            is_marked: is_marked(content),
            json: json.into(),
        })
    }
}

/// Bytes of all messages.
pub(super) fn bytes(messages: &[Message]) -> u64 {
    messages.iter().map(|message| message.bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Finish, Timings, Usage};
    use serde_json::json;

    fn prompt(messages: &serde_json::Value) -> Prompt {
        let body = json!({"messages": messages, "max_tokens": 7}).to_string();
        Prompt::of(Endpoint::Chat, &body, &[]).unwrap()
    }

    #[test]
    fn a_prompt_is_its_beginning_and_the_callers_turns() {
        let system = json!({"role": "developer", "content": "Be brief."});
        let ask = |text: &str| json!({"role": "user", "content": text});
        let one = prompt(&json!([system, ask("one"), system]));
        let two = prompt(&json!([system, ask("two [keep]")]));
        let other = prompt(&json!([ask("one")]));
        assert_eq!((one.system.len(), one.own.len(), one.cap), (1, 2, Some(7)));
        assert_eq!(one.beginning(), two.beginning());
        assert_ne!(one.beginning(), other.beginning());
        assert!(two.own[0].is_marked && !one.own[0].is_marked);
    }

    #[test]
    fn a_message_that_is_known_is_taken_as_it_was_read() {
        let system = json!({"role": "system", "content": "Be [keep] brief."});
        let ask = |text: &str| json!({"role": "user", "content": text});
        let before = prompt(&json!([system, ask("one")]));
        let body = json!({"messages": [system, ask("two")]}).to_string();
        let read = |known| Prompt::of(Endpoint::Chat, &body, known).unwrap();
        let (fresh, known) = (read(&[]), read(&before.system));
        assert_eq!(format!("{fresh:?}"), format!("{known:?}"));
        assert!(Arc::ptr_eq(&known.system[0].json, &before.system[0].json));
    }

    #[test]
    fn a_picture_counts_as_the_server_counts_it() {
        let url = format!("data:image/png;base64,{}", "A".repeat(100_000));
        let part = json!({"type": "image_url", "image_url": {"url": url}});
        let seen = prompt(&json!([{"role": "user", "content": [part]}]));
        assert!(
            (3_000..3_300).contains(&seen.own[0].bytes),
            "{:?}",
            seen.own[0].bytes
        );
    }

    #[test]
    fn what_is_no_chat_has_no_prompt() {
        assert!(Prompt::of(Endpoint::Embeddings, r#"{"input":"x"}"#, &[]).is_none());
        for body in [
            "",
            "{}",
            r#"{"messages":[]}"#,
            r#"{"messages":[{"role":1}]}"#,
        ] {
            assert!(Prompt::of(Endpoint::Chat, body, &[]).is_none(), "{body}");
        }
        let system = r#"{"messages":[{"role":"system","content":"x"}]}"#;
        assert!(Prompt::of(Endpoint::Chat, system, &[]).is_none());
    }

    #[test]
    fn an_answer_that_calls_a_tool_is_no_turn_of_a_history() {
        let answer = |tool_calls| Answer {
            model: "m".into(),
            body: AnswerBody::Chat {
                content: "yes \"so\"".into(),
                thinking: Some("hm".into()),
                tool_calls,
                logprobs: None,
            },
            finish: Finish::Stop,
            usage: Usage::default(),
            timings: Timings::default(),
        };
        let said = Message::answer(&answer(None)).unwrap();
        assert_eq!(
            &*said.json,
            r#"{"role":"assistant","content":"yes \"so\""}"#
        );
        let calls = RawValue::from_string("[]".into()).ok();
        assert!(Message::answer(&answer(calls)).is_none());
    }
}
