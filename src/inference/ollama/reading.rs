//! Puts an answer together from the lines that the server sends.
//!
//! Only a line with `done:true` completes an answer. Ollama 0.33 also ends streams without it: when
//! the server is shut down, when its runner dies, and when its repeat guard stops a model that
//! says the same again and again.

use std::time::Duration;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::super::{Heard, Progress};
use super::failure;
use super::translate::Expected;
use super::wire::{Line, OpenAiFunction, OpenAiLogProbs, OpenAiToolCall, Text, ToolCall};
use crate::base::{elide, shown};
use crate::model::{Answer, AnswerBody, Failure, FailureClass, Finish, Timings, Tokens, Usage};

/// An answer on its way.
#[derive(Debug)]
pub(super) struct Reading {
    expected: Expected,
    text: String,
    thinking: String,
    tool_calls: Vec<Box<RawValue>>,
    logprobs: Vec<Box<RawValue>>,
    vectors: Vec<Box<RawValue>>,
    end: Option<End>,
}

/// What the last line said.
#[derive(Debug)]
struct End {
    model: Option<String>,
    reason: Option<String>,
    usage: Usage,
    timings: Timings,
}

impl Reading {
    /// Nothing read yet.
    pub(super) const fn new(expected: Expected) -> Self {
        Self {
            expected,
            text: String::new(),
            thinking: String::new(),
            tool_calls: Vec::new(),
            logprobs: Vec::new(),
            vectors: Vec::new(),
            end: None,
        }
    }

    /// Whether the answer is complete.
    pub(super) const fn is_complete(&self) -> bool {
        self.end.is_some()
    }

    /// Takes one line. What comes after the end is not looked at.
    pub(super) fn line(&mut self, bytes: &[u8], progress: &Progress) -> Result<(), Failure> {
        if self.is_complete() {
            return Ok(());
        }
        let mut line: Line<'_> = serde_json::from_slice(bytes).map_err(|_| unreadable(bytes))?;
        if let Some(error) = line.error {
            return Err(failure::of_stream(error));
        }
        self.take_text(&line, progress);
        let message = line.message.take();
        for call in message.and_then(|m| m.tool_calls).unwrap_or_default() {
            self.take_tool_call(&call)?;
        }
        for token in line.logprobs.take().unwrap_or_default() {
            self.logprobs.push(kept(&token)?);
        }
        if let Expected::Vectors { count } = self.expected {
            self.take_vectors(line.embeddings.take(), count)?;
            line.done = true;
        }
        if line.done {
            self.end = Some(End::of(line));
        }
        Ok(())
    }

    /// The answer, if it is complete. `asked` is the model's name where the server gives none.
    pub(super) fn finish(
        self,
        asked: &str,
        wall: Duration,
        first_token: Option<Duration>,
    ) -> Result<Answer, Failure> {
        let Some(end) = &self.end else {
            return Err(self.cut());
        };
        let finish = self.how(end)?;
        let usage = end.usage;
        let timings = Timings {
            wall,
            first_token,
            ..end.timings
        };
        let model = end.model.clone().unwrap_or_else(|| asked.to_owned());
        Ok(Answer {
            model,
            body: self.body()?,
            finish,
            usage,
            timings,
        })
    }

    /// What a stream that ended too early means.
    pub(super) fn cut(&self) -> Failure {
        if repeats(&self.text) || repeats(&self.thinking) {
            return Failure::new(
                FailureClass::RepeatGuard,
                "the server ended the answer because it said the same again and again",
            );
        }
        Failure::new(
            FailureClass::StreamCut,
            "the answer ended without the server saying that it was complete",
        )
    }

    fn take_text(&mut self, line: &Line<'_>, progress: &Progress) {
        let message = line.message.as_ref();
        let thinking = message.and_then(|message| message.thinking.as_ref());
        let content = message.and_then(|message| message.content.as_ref());
        for (piece, kept, thinking) in [
            (thinking, &mut self.thinking, true),
            (content.or(line.response.as_ref()), &mut self.text, false),
        ] {
            let Some(Text(text)) = piece.filter(|piece| !piece.0.is_empty()) else {
                continue;
            };
            kept.push_str(text);
            progress.tell(Heard::Chunk { text, thinking });
        }
    }

    fn take_tool_call(&mut self, call: &ToolCall<'_>) -> Result<(), Failure> {
        let id = call.id.clone().filter(|id| !id.is_empty());
        let call = kept(&OpenAiToolCall {
            id: id.unwrap_or_else(|| format!("call_batchtop_{}", self.tool_calls.len())),
            r#type: "function",
            function: OpenAiFunction {
                name: &call.function.name,
                arguments: call.function.arguments.map_or("{}", RawValue::get),
            },
        })?;
        self.tool_calls.push(call);
        Ok(())
    }

    fn take_vectors(
        &mut self,
        vectors: Option<Vec<&RawValue>>,
        wanted: usize,
    ) -> Result<(), Failure> {
        let vectors = vectors.unwrap_or_default();
        if vectors.len() != wanted {
            return Err(bad_reply(format!(
                "the server gave {} vectors for {wanted} inputs",
                vectors.len()
            )));
        }
        if !vectors.iter().all(|vector| is_vector(vector.get())) {
            return Err(bad_reply(
                "the server gave a vector that is no list of numbers",
            ));
        }
        self.vectors = vectors.into_iter().map(ToOwned::to_owned).collect();
        Ok(())
    }

    fn how(&self, end: &End) -> Result<Finish, Failure> {
        match (self.expected, end.reason.as_deref()) {
            (Expected::Vectors { .. }, _) => Ok(Finish::Stop),
            (_, Some("load" | "unload")) => Err(Failure::new(
                FailureClass::Refused,
                "the server took the request for an empty one and generated nothing",
            )),
            (Expected::Chat { cap } | Expected::Completion { cap }, Some("length")) => {
                Ok(cut_by(cap, end.usage.answer))
            }
            _ if !self.tool_calls.is_empty() => Ok(Finish::ToolCalls),
            _ => Ok(Finish::Stop),
        }
    }

    fn body(self) -> Result<AnswerBody, Failure> {
        let tool_calls = match self.tool_calls.as_slice() {
            [] => None,
            calls => Some(kept(&calls)?),
        };
        let logprobs = match self.logprobs.as_slice() {
            [] => None,
            content => Some(kept(&OpenAiLogProbs {
                content,
                refusal: None,
            })?),
        };
        Ok(match self.expected {
            Expected::Chat { .. } => AnswerBody::Chat {
                content: self.text,
                thinking: Some(self.thinking).filter(|text| !text.is_empty()),
                tool_calls,
                logprobs,
            },
            Expected::Completion { .. } => AnswerBody::Completion { text: self.text },
            Expected::Vectors { .. } => AnswerBody::Embeddings {
                vectors: self.vectors,
            },
        })
    }
}

impl End {
    fn of(line: Line<'_>) -> Self {
        Self {
            model: line.model.map(|model| model.0.into_owned()),
            reason: line.done_reason,
            usage: Usage {
                prompt: line.prompt_eval_count.map(Tokens),
                cached: line.prompt_eval_cached_count.map(Tokens),
                answer: line.eval_count.map(Tokens),
                ..Usage::default()
            },
            timings: Timings {
                total: line.total_duration.map(Duration::from_nanos),
                load: line.load_duration.map(Duration::from_nanos),
                prefill: line.prompt_eval_duration.map(Duration::from_nanos),
                decode: line.eval_duration.map(Duration::from_nanos),
                ..Timings::default()
            },
        }
    }
}

/// Whether this is the answer to a request that only loads a model.
pub(super) fn check_loaded(body: &[u8]) -> Result<(), Failure> {
    let line: Line<'_> = serde_json::from_slice(body).map_err(|_| unreadable(body))?;
    match line.error {
        Some(error) => Err(failure::of_stream(error)),
        None if line.done || line.embeddings.is_some() => Ok(()),
        None => Err(unreadable(body)),
    }
}

/// Which limit cut an answer. Every call names its cap and forbids context shift, so an answer that
/// is shorter than its cap met the end of the window. The window itself is not compared: a server
/// lowers a `num_ctx` that the model cannot have without saying so here.
fn cut_by(cap: u64, answer: Option<Tokens>) -> Finish {
    match answer {
        Some(Tokens(answer)) if answer < cap => Finish::ContextFull,
        _ => Finish::Cap,
    }
}

/// Whether the end of a text is one piece, at most as long as a token, again and again, or nothing
/// but white space. Ollama 0.33 stops after more than 30 equal chunks.
fn repeats(text: &str) -> bool {
    const TIMES: usize = 30;
    const LONGEST_TOKEN: usize = 64;
    let bytes = text.as_bytes();
    let repeats_after = |period: usize| {
        let start = bytes.len().checked_sub(period * TIMES)?;
        let tail = bytes.get(start..)?;
        Some(tail.get(period..)? == tail.get(..tail.len() - period)?)
    };
    text.len() - text.trim_end().len() >= TIMES
        || (1..=LONGEST_TOKEN).any(|period| repeats_after(period) == Some(true))
}

/// Whether valid JSON is a list of numbers.
fn is_vector(json: &str) -> bool {
    let numbers = json
        .strip_prefix('[')
        .and_then(|json| json.strip_suffix(']'));
    numbers.is_some_and(|numbers| {
        numbers.bytes().all(|byte| {
            matches!(
                byte,
                b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E' | b',' | b' '
            )
        })
    })
}

fn kept(value: &impl Serialize) -> Result<Box<RawValue>, Failure> {
    to_raw_value(value).map_err(|error| bad_reply(error.to_string()))
}

fn unreadable(bytes: &[u8]) -> Failure {
    let start = bytes.get(..bytes.len().min(400)).unwrap_or_default();
    let start = shown(&String::from_utf8_lossy(start));
    bad_reply(format!(
        "the server's answer cannot be read: `{}`",
        elide(&start, 120)
    ))
}

fn bad_reply(message: impl Into<String>) -> Failure {
    Failure::new(FailureClass::BadReply, message)
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;
    use rstest::rstest;
    use std::sync::{Arc, Mutex};

    const CHAT: Expected = Expected::Chat { cap: 12 };

    fn read(expected: Expected, stream: &[u8]) -> Result<Answer, Failure> {
        let mut reading = Reading::new(expected);
        let mut lines = Lines::new(1 << 20);
        let silent = Progress::silent();
        lines.push(stream, |line| reading.line(line, &silent))?;
        lines.finish(|line| reading.line(line, &silent))?;
        reading.finish("asked", Duration::from_millis(7), None)
    }

    fn recorded(name: &str) -> String {
        let path = format!(
            "{}/tests/data/ollama/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let exchange: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        exchange["response"]["body"].as_str().unwrap().to_owned()
    }

    fn chat_text(answer: &Answer) -> &str {
        match &answer.body {
            AnswerBody::Chat { content, .. } => content,
            other => panic!("{other:?}"),
        }
    }

    #[rstest]
    #[case("chat-rendered-stream")]
    #[case("chat-native-stream")]
    #[case("chat-rendered-once")]
    #[case("chat-native-stream-cached")]
    fn recorded_answers_are_read(#[case] name: &str) {
        let answer = read(CHAT, recorded(name).as_bytes()).unwrap();
        assert_eq!(
            chat_text(&answer),
            "You grade people from 0 to 10. mendatang"
        );
        assert_eq!(answer.usage.prompt, Some(Tokens(35)));
        assert_eq!(answer.usage.answer, Some(Tokens(12)));
        assert_eq!(answer.usage.cached, None);
        assert_eq!(answer.finish, Finish::Cap);
        assert!(answer.timings.queued().is_some());
        assert_eq!(answer.timings.wall, Duration::from_millis(7));
    }

    #[test]
    fn a_recorded_completion_is_read() {
        let stream = recorded("generate-once");
        let answer = read(Expected::Completion { cap: 12 }, stream.as_bytes()).unwrap();
        let AnswerBody::Completion { text } = answer.body else {
            panic!("{answer:?}");
        };
        assert!(text.starts_with("One two three"));
    }

    #[test]
    fn recorded_token_probabilities_get_openais_form() {
        let answer = read(
            Expected::Chat { cap: 3 },
            recorded("chat-native-logprobs").as_bytes(),
        );
        let AnswerBody::Chat { logprobs, .. } = answer.unwrap().body else {
            panic!("no chat");
        };
        let logprobs = logprobs.unwrap();
        assert!(logprobs.get().starts_with(
            r#"{"content":[{"token":"You","logprob":-1.3828397989273071,"bytes":[89,111,117],"top_logprobs":[{"#
        ));
        assert!(logprobs.get().ends_with(r#""refusal":null}"#));
    }

    #[test]
    fn a_recorded_load_is_no_answer() {
        let failure = read(CHAT, recorded("chat-native-load").as_bytes()).unwrap_err();
        assert_eq!(failure.class, FailureClass::Refused);
    }

    #[test]
    fn figures_that_are_left_out_are_unknown() {
        let line = br#"{"message":{"content":"x"},"done":true,"done_reason":"stop"}"#;
        let answer = read(CHAT, line).unwrap();
        assert_eq!(answer.usage, Usage::default());
        assert_eq!(answer.timings.total, None);
        assert_eq!(answer.model, "asked");
    }

    #[test]
    fn cached_tokens_are_read_should_a_server_tell_them() {
        let line = br#"{"done":true,"prompt_eval_count":9,"prompt_eval_cached_count":8}"#;
        assert_eq!(read(CHAT, line).unwrap().usage.cached, Some(Tokens(8)));
    }

    #[rstest]
    #[case(r#""done_reason":"stop","eval_count":12"#, Finish::Stop)]
    #[case(r#""done_reason":"length","eval_count":12"#, Finish::Cap)]
    #[case(r#""done_reason":"length","eval_count":11"#, Finish::ContextFull)]
    #[case(r#""done_reason":"length""#, Finish::Cap)]
    #[case(r#""eval_count":3"#, Finish::Stop)]
    fn ends_are_told_apart(#[case] fields: &str, #[case] finish: Finish) {
        let line = format!(r#"{{"done":true,{fields}}}"#);
        assert_eq!(read(CHAT, line.as_bytes()).unwrap().finish, finish);
    }

    #[test]
    fn tool_calls_get_openais_form() {
        let stream = concat!(
            r#"{"message":{"content":"","tool_calls":[{"id":"call_1","function":{"index":0,"name":"f","arguments":{"a":1.0,"b":"ä"}}}]},"done":false}"#,
            "\n",
            r#"{"message":{"content":"","tool_calls":[{"function":{"name":"g"}}]},"done":false}"#,
            "\n",
            r#"{"message":{"content":""},"done":true,"done_reason":"stop"}"#,
        );
        let answer = read(CHAT, stream.as_bytes()).unwrap();
        assert_eq!(answer.finish, Finish::ToolCalls);
        let AnswerBody::Chat { tool_calls, .. } = answer.body else {
            panic!("no chat");
        };
        assert_eq!(
            tool_calls.unwrap().get(),
            r#"[{"id":"call_1","type":"function","function":{"name":"f","arguments":"{\"a\":1.0,\"b\":\"ä\"}"}},{"id":"call_batchtop_1","type":"function","function":{"name":"g","arguments":"{}"}}]"#
        );
    }

    #[test]
    fn thinking_is_kept_apart_and_both_are_heard() {
        let stream = concat!(
            "{\"message\":{\"content\":\"\",\"thinking\":\"hm \"}}\n",
            "{\"message\":{\"content\":\"\",\"thinking\":\"hm\"}}\n",
            "{\"message\":{\"content\":\"a\\u003cb\"}}\n",
            "{\"message\":{\"content\":\"\"},\"done\":true}\n",
        );
        let heard = Arc::new(Mutex::new(Vec::new()));
        let ears = Arc::clone(&heard);
        let progress = Progress::new(move |piece| {
            if let Heard::Chunk { text, thinking } = piece {
                ears.lock().unwrap().push((text.to_owned(), thinking));
            }
        });
        let mut reading = Reading::new(CHAT);
        for line in stream.lines() {
            reading.line(line.as_bytes(), &progress).unwrap();
        }
        let answer = reading.finish("m", Duration::ZERO, None).unwrap();
        let AnswerBody::Chat {
            content, thinking, ..
        } = answer.body
        else {
            panic!("no chat");
        };
        assert_eq!(
            (content.as_str(), thinking.as_deref()),
            ("a<b", Some("hm hm"))
        );
        let said = [("hm ", true), ("hm", true), ("a<b", false)];
        assert_eq!(*heard.lock().unwrap(), said.map(|(t, k)| (t.to_owned(), k)));
    }

    #[rstest]
    #[case("", FailureClass::StreamCut)]
    #[case(
        "{\"message\":{\"content\":\"half\"},\"done\":false}\n",
        FailureClass::StreamCut
    )]
    #[case("{\"message\":{\"content\":\"half", FailureClass::BadReply)]
    #[case("<html>\n", FailureClass::BadReply)]
    #[case("7\n", FailureClass::BadReply)]
    #[case("{\"done\":true}x\n", FailureClass::BadReply)]
    #[case(
        "{\"error\":\"an error was encountered while running the model: unexpected EOF\"}\n",
        FailureClass::RunnerCrash
    )]
    #[case("{\"error\":\"no idea\"}\n", FailureClass::ServerError)]
    #[case("{\"done\":true,\"error\":\"no idea\"}\n", FailureClass::ServerError)]
    fn what_is_not_complete_is_a_failure(#[case] stream: &str, #[case] class: FailureClass) {
        let failure = read(CHAT, stream.as_bytes()).unwrap_err();
        assert_eq!(failure.class, class);
        assert_eq!(failure.status, None);
    }

    #[test]
    fn bytes_that_are_no_text_are_a_failure() {
        let failure = read(
            CHAT,
            b"{\"message\":{\"content\":\"\xff\"},\"done\":true}\n",
        )
        .unwrap_err();
        assert_eq!(failure.class, FailureClass::BadReply);
    }

    #[rstest]
    #[case("0", 31)]
    #[case("\\n", 31)]
    #[case(" ,0", 31)]
    #[case("🦀", 40)]
    fn the_repeat_guard_is_recognised(#[case] token: &str, #[case] times: usize) {
        let chunk = format!("{{\"message\":{{\"content\":\"{token}\"}},\"done\":false}}\n");
        let stream = format!(
            "{{\"message\":{{\"content\":\"a\"}}}}\n{}",
            chunk.repeat(times)
        );
        let failure = read(CHAT, stream.as_bytes()).unwrap_err();
        assert_eq!(failure.class, FailureClass::RepeatGuard);

        let whole = format!(
            "{{\"message\":{{\"content\":\"a {}\"}},\"done\":false}}",
            token.repeat(times)
        );
        let failure = read(CHAT, whole.as_bytes()).unwrap_err();
        assert_eq!(failure.class, FailureClass::RepeatGuard);
    }

    #[rstest]
    #[case(r#"{"embeddings":[[1,-2.5e-3],[0]],"prompt_eval_count":4}"#, Ok(2))]
    #[case(r#"{"embeddings":[[1]]}"#, Err(FailureClass::BadReply))]
    #[case(r#"{"embeddings":[[1],["a"]]}"#, Err(FailureClass::BadReply))]
    #[case(r#"{"embeddings":[[1],null]}"#, Err(FailureClass::BadReply))]
    #[case(r#"{"embeddings":[[1],[[2]]]}"#, Err(FailureClass::BadReply))]
    #[case("{}", Err(FailureClass::BadReply))]
    #[case(r#"{"embeddings":[[1],"#, Err(FailureClass::BadReply))]
    fn vectors_are_counted_and_kept(
        #[case] body: &str,
        #[case] expected: Result<usize, FailureClass>,
    ) {
        let answer = read(Expected::Vectors { count: 2 }, body.as_bytes());
        let count = answer.map_err(|failure| failure.class).map(|answer| {
            let AnswerBody::Embeddings { vectors } = answer.body else {
                panic!("no vectors");
            };
            assert_eq!(vectors[0].get(), "[1,-2.5e-3]");
            vectors.len()
        });
        assert_eq!(count, expected);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_an_answer_without_done(stream: Vec<u8>) {
            proptest::prop_assert!(read(CHAT, &stream).is_err());
        }

        #[test]
        fn no_mix_of_lines_makes_an_answer_without_done(
            picks in proptest::collection::vec(0usize..8, 0..40),
            cut in 0usize..400,
        ) {
            const LINES: [&str; 8] = [
                r#"{"message":{"content":"0"},"done":false}"#,
                r#"{"done":true,"done_reason":"stop"}"#,
                r#"{"response":"x","done":false}"#,
                r#"{"error":"boom"}"#,
                r#"{"done":null}"#,
                r"garbage",
                "",
                r#"{"message":{"content":"0","tool_calls":[{"function":{"name":"f"}}]}}"#,
            ];
            let stream = picks.iter().map(|&pick| LINES[pick]).collect::<Vec<_>>().join("\n");
            let stream = &stream.as_bytes()[..stream.len().saturating_sub(cut)];
            let done = String::from_utf8_lossy(stream).contains(LINES[1]);
            let answer = read(CHAT, stream);
            proptest::prop_assert!(answer.is_err() || done);
        }
    }
}
