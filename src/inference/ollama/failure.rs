//! What an error of the server means: its words and its status become a [`FailureClass`].
//!
//! Ollama 0.33 puts the whole JSON error of its model runner into its own error as text, sometimes
//! with a line of the runner's log behind it; both layers are taken off here. The statuses alone do
//! not tell enough: a wrong option is a 500, and so is a runner that was killed.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Failure, FailureClass, TokenNeed, Tokens};

/// The longest message kept, in characters.
const LONGEST: usize = 2_000;

/// What an answer with an error status means.
pub(super) fn of_answer(status: u16, body: &[u8]) -> Failure {
    let text = String::from_utf8_lossy(body);
    let told = Told::from_body(&text);
    let class = class_of_status(status, &told);
    Failure {
        class,
        message: bounded(&message(status, &told)),
        status: Some(status),
        need: told.need,
    }
}

/// What an error in the middle of a stream means. It comes after a status of 200, so there is no
/// status that says anything.
pub(super) fn of_stream(error: &RawValue) -> Failure {
    let told = Told::from_error(error);
    Failure {
        class: class_of_text(&told).unwrap_or(FailureClass::ServerError),
        message: bounded(&told.message),
        status: None,
        need: told.need,
    }
}

/// The first [`LONGEST`] characters.
pub(super) fn bounded(message: &str) -> String {
    match message.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", message.get(..end).unwrap_or_default()),
        None => message.to_owned(),
    }
}

/// An error with its layers taken off.
#[derive(Debug, Default)]
struct Told {
    message: String,
    kind: Option<String>,
    need: Option<TokenNeed>,
    /// Whether it came in the form in which Ollama gives errors.
    is_ollama: bool,
}

#[derive(Deserialize)]
struct Outer<'a> {
    #[serde(borrow)]
    error: &'a RawValue,
}

#[derive(Deserialize)]
struct Inner {
    message: String,
    #[serde(rename = "type")]
    kind: Option<String>,
    n_prompt_tokens: Option<u64>,
    n_ctx: Option<u64>,
}

impl Told {
    fn from_body(text: &str) -> Self {
        match serde_json::from_str::<Outer<'_>>(text) {
            Ok(outer) => Self::from_error(outer.error),
            Err(_) => Self {
                message: text.trim().to_owned(),
                ..Self::default()
            },
        }
    }

    fn from_error(error: &RawValue) -> Self {
        let mut told = Self {
            is_ollama: true,
            ..Self::default()
        };
        if let Ok(text) = serde_json::from_str::<String>(error.get()) {
            told.peel(&text);
        } else if let Ok(inner) = serde_json::from_str::<Inner>(error.get()) {
            told.take(inner);
        } else {
            error.get().clone_into(&mut told.message);
        }
        told
    }

    /// Takes an error apart that may be the runner's JSON, with text behind it.
    fn peel(&mut self, text: &str) {
        let mut layers = serde_json::Deserializer::from_str(text).into_iter::<Outer<'_>>();
        let inner = match layers.next() {
            Some(Ok(outer)) => serde_json::from_str::<Inner>(outer.error.get()).ok(),
            _ => None,
        };
        let Some(inner) = inner else {
            text.trim().clone_into(&mut self.message);
            return;
        };
        let behind = text.get(layers.byte_offset()..).unwrap_or_default().trim();
        self.take(inner);
        if !behind.is_empty() {
            self.message.push_str("; ");
            self.message.push_str(behind);
        }
    }

    fn take(&mut self, inner: Inner) {
        self.message = inner.message;
        self.kind = inner.kind;
        self.need = inner
            .n_prompt_tokens
            .zip(inner.n_ctx)
            .map(|(prompt, window)| TokenNeed {
                prompt: Tokens(prompt),
                window: Tokens(window),
            });
    }
}

fn message(status: u16, told: &Told) -> String {
    match (status, told.message.as_str()) {
        (403, "") => "the server refused the request without a word: Ollama does so when it does \
                      not know the name by which it is called; use its IP address"
            .to_owned(),
        (_, "") => format!("the server answered HTTP {status} without a message"),
        (_, text) if told.is_ollama => text.to_owned(),
        (_, text) => format!("the server answered HTTP {status}, not in Ollama's words: {text}"),
    }
}

fn class_of_status(status: u16, told: &Told) -> FailureClass {
    if is_context_length(told) {
        return FailureClass::ContextLength;
    }
    match status {
        404 if told.is_ollama => FailureClass::ModelMissing,
        429 | 503 => FailureClass::Busy,
        // A gateway in front says so when nothing answers behind it.
        502 if !told.is_ollama => FailureClass::ServerDown,
        504 => FailureClass::Timeout,
        // 499 is Ollama's "the client went away", which it cannot have told us in earnest.
        499 => FailureClass::ServerError,
        // No Ollama: another program, or another path.
        404 | 405 => FailureClass::BadReply,
        400..=498 | 501 => FailureClass::Refused,
        500..=599 => class_of_text(told).unwrap_or(FailureClass::ServerError),
        _ => FailureClass::BadReply,
    }
}

fn is_context_length(told: &Told) -> bool {
    const TEXTS: [&str; 4] = [
        "the prompt is longer than the context length",
        "the input length exceeds the context length",
        "input length exceeds maximum context length",
        "exceeds the available context size",
    ];
    told.kind.as_deref() == Some("exceed_context_size_error")
        || TEXTS.iter().any(|text| told.message.contains(text))
}

/// The class that the words alone give away. The first match counts: a runner that died for want
/// of memory is out of memory first.
fn class_of_text(told: &Told) -> Option<FailureClass> {
    if is_context_length(told) {
        return Some(FailureClass::ContextLength);
    }
    let text = told.message.to_ascii_lowercase();
    TEXTS
        .iter()
        .find(|(part, _)| text.contains(part))
        .map(|(_, class)| *class)
}

/// Texts of Ollama 0.33 and of its runner, and those of 0.29 and before that are still met. In
/// lower case.
const TEXTS: [(&str, FailureClass); 27] = [
    ("token repeat limit reached", FailureClass::RepeatGuard),
    ("must be of type", FailureClass::Refused),
    ("invalid format:", FailureClass::Refused),
    ("does not support", FailureClass::Refused),
    ("out of memory", FailureClass::OutOfMemory),
    ("out-of-memory", FailureClass::OutOfMemory),
    ("out of device memory", FailureClass::OutOfMemory),
    ("failed to allocate", FailureClass::OutOfMemory),
    ("allocation failed", FailureClass::OutOfMemory),
    ("not enough memory", FailureClass::OutOfMemory),
    ("insufficient memory", FailureClass::OutOfMemory),
    ("cudamalloc failed", FailureClass::OutOfMemory),
    ("hipmalloc failed", FailureClass::OutOfMemory),
    ("erroroutofmemory", FailureClass::OutOfMemory),
    ("erroroutofdevicememory", FailureClass::OutOfMemory),
    ("requires more system memory", FailureClass::OutOfMemory),
    ("server busy", FailureClass::Busy),
    ("llm busy", FailureClass::Busy),
    ("no slots available", FailureClass::Busy),
    ("no longer running", FailureClass::RunnerGone),
    ("unexpected eof", FailureClass::RunnerCrash),
    ("has unexpectedly stopped", FailureClass::RunnerCrash),
    ("process has terminated", FailureClass::RunnerCrash),
    ("connection reset by peer", FailureClass::RunnerCrash),
    ("forcibly closed", FailureClass::RunnerCrash),
    (
        "an error was encountered while running the model",
        FailureClass::RunnerCrash,
    ),
    ("server is shutting down", FailureClass::ServerDown),
];

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn failed(status: u16, error: &str) -> Failure {
        of_answer(
            status,
            serde_json::json!({ "error": error }).to_string().as_bytes(),
        )
    }

    #[rstest]
    // The table of the errors that Ollama 0.33 gives by itself.
    #[case(400, "missing request body", FailureClass::Refused)]
    #[case(400, "unexpected EOF", FailureClass::Refused)]
    #[case(400, "model is required", FailureClass::Refused)]
    #[case(400, "invalid model name", FailureClass::Refused)]
    #[case(404, "model '' not found", FailureClass::ModelMissing)]
    #[case(404, "model 'nope' not found", FailureClass::ModelMissing)]
    #[case(
        404,
        "model \"nope\" not found, try pulling it first",
        FailureClass::ModelMissing
    )]
    #[case(
        400,
        "registry.ollama.ai/library/g3t:latest does not support tools",
        FailureClass::Refused
    )]
    #[case(400, "\"bert\" does not support chat", FailureClass::Refused)]
    #[case(400, "\"g3t\" does not support thinking", FailureClass::Refused)]
    #[case(
        500,
        "option \"num_ctx\" must be of type integer",
        FailureClass::Refused
    )]
    #[case(400, "time: invalid duration \"abc\"", FailureClass::Refused)]
    #[case(
        500,
        "invalid format: \"\\\"xml\\\"\"; expected \"json\" or a valid JSON Schema object",
        FailureClass::Refused
    )]
    #[case(
        501,
        "This server does not support embeddings. Start it with `--embeddings`",
        FailureClass::Refused
    )]
    #[case(
        503,
        "server busy, please try again.  maximum pending requests exceeded",
        FailureClass::Busy
    )]
    #[case(499, "request canceled", FailureClass::ServerError)]
    #[case(401, "unauthorized", FailureClass::Refused)]
    #[case(403, "ollama cloud is disabled", FailureClass::Refused)]
    #[case(502, "upstream failed", FailureClass::ServerError)]
    #[case(
        400,
        "the prompt is longer than the context length currently available to the model; shorten the prompt",
        FailureClass::ContextLength
    )]
    #[case(
        400,
        "the input length exceeds the context length",
        FailureClass::ContextLength
    )]
    // The runner.
    #[case(
        500,
        "an error was encountered while running the model: unexpected EOF",
        FailureClass::RunnerCrash
    )]
    #[case(
        500,
        "an error was encountered while running the model: GGML_ASSERT(x) failed",
        FailureClass::RunnerCrash
    )]
    #[case(
        500,
        "llama-server process no longer running: unknown ",
        FailureClass::RunnerGone
    )]
    #[case(
        500,
        "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error, check ollama server logs for details",
        FailureClass::RunnerCrash
    )]
    #[case(
        500,
        "llama-server process has terminated: signal: killed",
        FailureClass::RunnerCrash
    )]
    #[case(
        500,
        "llama-server reported out-of-memory during startup: x",
        FailureClass::OutOfMemory
    )]
    #[case(
        500,
        "llama-server process has terminated: exit status 1: cudaMalloc failed: out of memory",
        FailureClass::OutOfMemory
    )]
    #[case(
        500,
        "llama-server process no longer running: unknown vk::ErrorOutOfDeviceMemory",
        FailureClass::OutOfMemory
    )]
    #[case(
        500,
        "timed out waiting for llama-server to start - ",
        FailureClass::ServerError
    )]
    #[case(
        500,
        "error starting llama-server: llama-server binary not found (checked: /x)",
        FailureClass::ServerError
    )]
    #[case(
        500,
        "prediction aborted, token repeat limit reached",
        FailureClass::RepeatGuard
    )]
    // Ollama 0.29 and before.
    #[case(
        500,
        "llama runner process no longer running: -1",
        FailureClass::RunnerGone
    )]
    #[case(
        500,
        "llama runner process has terminated: exit status 2",
        FailureClass::RunnerCrash
    )]
    #[case(
        500,
        "model requires more system memory (9.1 GiB) than is available (4.0 GiB)",
        FailureClass::OutOfMemory
    )]
    #[case(
        500,
        "unexpected server status: llm busy - no slots available",
        FailureClass::Busy
    )]
    // A request may speak of memory without the server being out of it.
    #[case(
        400,
        "failed to parse schema near `out of memory`",
        FailureClass::Refused
    )]
    fn ollamas_errors(#[case] status: u16, #[case] text: &str, #[case] class: FailureClass) {
        let failure = failed(status, text);
        assert_eq!(failure.class, class);
        assert_eq!(failure.message, text.trim());
        assert_eq!(failure.status, Some(status));
    }

    #[test]
    fn a_double_encoded_error_is_decoded() {
        let inner = r#"{"error":{"code":400,"message":"request (3499 tokens) exceeds the available context size (512 tokens), try increasing it","type":"exceed_context_size_error","n_prompt_tokens":3499,"n_ctx":512}}"#;
        let failure = failed(400, inner);
        assert_eq!(failure.class, FailureClass::ContextLength);
        assert_eq!(
            failure.message,
            "request (3499 tokens) exceeds the available context size (512 tokens), try increasing it"
        );
        let need = failure.need.unwrap();
        assert_eq!((need.prompt, need.window), (Tokens(3499), Tokens(512)));
    }

    #[test]
    fn text_behind_the_inner_error_is_kept_and_counts() {
        let inner = "{\"error\":{\"code\":500,\"message\":\"decode failed\",\"type\":\"server_error\"}}\nggml_cuda: out of memory";
        let failure = failed(500, inner);
        assert_eq!(failure.message, "decode failed; ggml_cuda: out of memory");
        assert_eq!(failure.class, FailureClass::OutOfMemory);
    }

    #[test]
    fn an_error_in_a_stream_is_decoded_too() {
        let inner = r#"{"error":{"message":"too long","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}"#;
        let error = RawValue::from_string(serde_json::json!(inner).to_string()).unwrap();
        let failure = of_stream(&error);
        assert_eq!(failure.class, FailureClass::ContextLength);
        assert_eq!(
            (failure.message.as_str(), failure.status),
            ("too long", None)
        );
        assert!(failure.need.is_some());
    }

    #[rstest]
    #[case("invalid_request_error", 400, FailureClass::Refused)]
    #[case("server_error", 500, FailureClass::ServerError)]
    #[case("not_supported_error", 501, FailureClass::Refused)]
    #[case("unavailable_error", 503, FailureClass::Busy)]
    fn errors_of_the_runner(#[case] kind: &str, #[case] status: u16, #[case] class: FailureClass) {
        let inner = serde_json::json!({"error": {"code": status, "message": "m", "type": kind}});
        let failure = failed(status, &inner.to_string());
        assert_eq!((failure.class, failure.message.as_str()), (class, "m"));
    }

    #[rstest]
    #[case(404, "404 page not found", FailureClass::BadReply)]
    #[case(405, "405 method not allowed", FailureClass::BadReply)]
    #[case(403, "", FailureClass::Refused)]
    #[case(301, "", FailureClass::BadReply)]
    #[case(429, "slow down", FailureClass::Busy)]
    #[case(502, "<html>bad gateway</html>", FailureClass::ServerDown)]
    #[case(503, "<html>busy</html>", FailureClass::Busy)]
    #[case(504, "", FailureClass::Timeout)]
    #[case(500, "\u{fffd}", FailureClass::ServerError)]
    #[case(500, "{\"error\":7}", FailureClass::ServerError)]
    fn answers_of_something_else(
        #[case] status: u16,
        #[case] body: &str,
        #[case] class: FailureClass,
    ) {
        let failure = of_answer(status, body.as_bytes());
        assert_eq!(failure.class, class);
        assert!(!failure.message.is_empty());
    }

    #[test]
    fn an_error_in_openais_form_is_read_too() {
        let body = br#"{"error":{"message":"model 'nope' not found","type":"not_found_error","param":null,"code":null}}"#;
        let failure = of_answer(404, body);
        assert_eq!(failure.class, FailureClass::ModelMissing);
        assert_eq!(failure.message, "model 'nope' not found");
    }

    #[test]
    fn a_long_message_is_cut() {
        let failure = failed(500, &"ä".repeat(10_000));
        assert_eq!(failure.message.chars().count(), LONGEST + 1);
    }

    proptest::proptest! {
        #[test]
        fn any_body_becomes_a_failure(status in 300u16..700, body: Vec<u8>) {
            let failure = of_answer(status, &body);
            proptest::prop_assert!(!failure.message.is_empty());
        }

        #[test]
        fn any_error_text_becomes_a_failure(text in "\\PC*|[{}\":,a-z0-9\\[\\]]*") {
            let failure = failed(500, &text);
            proptest::prop_assert_eq!(failure.status, Some(500));
        }
    }
}
