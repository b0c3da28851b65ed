//! Bytes on the wire: JSON as Go writes it, and replies as hyper wants them.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{CONTENT_TYPE, HeaderValue, SERVER};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::json;
use serde_json::ser::Formatter;

use super::log::{Outcome, Ticket};

/// What Ollama's own handlers say of JSON.
pub(super) const JSON: &str = "application/json; charset=utf-8";
/// What OpenAI handlers, and errors of a runner in a stream, say of it.
pub(super) const PLAIN_JSON: &str = "application/json";
/// Text of the router.
pub(super) const TEXT: &str = "text/plain";

/// A reply on its way.
pub(super) type Reply = Response<Payload>;

/// The script has the connection cut here.
#[derive(Debug, thiserror::Error)]
#[error("the script cuts the connection here")]
pub(super) struct Cut;

/// A request refused with a status and an error text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: u16,
    pub text: String,
    /// Whether it came from the runner of a streaming request, which shows in the content type.
    pub in_stream: bool,
}

impl Refusal {
    pub(super) fn new(status: u16, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
            in_stream: false,
        }
    }

    /// An error of llama-server: its whole JSON stands in the error text.
    pub(super) fn nested(status: u16, kind: &str, message: &str) -> Self {
        let inner = NestedError {
            code: status,
            message,
            kind,
            n_prompt_tokens: None,
            n_ctx: None,
        };
        Self::new(status, inner.text())
    }

    /// The prompt does not fit in the slot.
    pub(super) fn exceeds(prompt: u64, window: u64) -> Self {
        let message = format!(
            "request ({prompt} tokens) exceeds the available context size ({window} tokens), try increasing it"
        );
        let inner = NestedError {
            code: 400,
            message: &message,
            kind: "exceed_context_size_error",
            n_prompt_tokens: Some(prompt),
            n_ctx: Some(window),
        };
        Self::new(400, inner.text())
    }

    /// The body that Ollama's own endpoints answer with.
    pub(super) fn native_body(&self) -> Vec<u8> {
        to_json(&json!({ "error": self.text }))
    }

    /// The body that OpenAI endpoints answer with.
    pub(super) fn openai_body(&self) -> Vec<u8> {
        let kind = match self.status {
            400 => "invalid_request_error",
            404 => "not_found_error",
            _ => "api_error",
        };
        let mut body = to_json(&OpenAiError {
            error: OpenAiErrorBody {
                message: &self.text,
                kind,
                param: None,
                code: None,
            },
        });
        body.push(b'\n');
        body
    }
}

#[derive(Serialize)]
struct NestedError<'a> {
    code: u16,
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_prompt_tokens: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n_ctx: Option<u64>,
}

impl NestedError<'_> {
    /// As llama-server writes it, without Go's escapes.
    fn text(&self) -> String {
        let inner = serde_json::to_string(self).unwrap_or_default();
        format!("{{\"error\":{inner}}}")
    }
}

#[derive(Serialize)]
struct OpenAiError<'a> {
    error: OpenAiErrorBody<'a>,
}

#[derive(Serialize)]
struct OpenAiErrorBody<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

/// A value as Go's encoder writes it.
pub(super) fn to_json<T: Serialize>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(256);
    write_json(&mut out, value);
    out
}

/// Appends a value as Go's encoder writes it.
pub(super) fn write_json<T: Serialize>(out: &mut Vec<u8>, value: &T) {
    // Writing to memory does not fail, and no value here has keys that are no strings.
    let _ = value.serialize(&mut serde_json::Serializer::with_formatter(out, GoEscapes));
}

/// Go escapes what HTML could trip over: `<`, `>`, `&`, and two line ends of JavaScript.
struct GoEscapes;

impl Formatter for GoEscapes {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        let special = |c: char| matches!(c, '<' | '>' | '&' | '\u{2028}' | '\u{2029}');
        let mut rest = fragment;
        while let Some(at) = rest.find(special) {
            let (plain, from) = rest.split_at(at);
            writer.write_all(plain.as_bytes())?;
            let mut chars = from.chars();
            let escaped = chars.next().map_or(0, u32::from);
            write!(writer, "\\u{escaped:04x}")?;
            rest = chars.as_str();
        }
        writer.write_all(rest.as_bytes())
    }
}

/// Now, as `created_at` has it.
pub(super) fn created_at() -> String {
    jiff::Timestamp::now().to_string()
}

/// A reply with a body of known length. The ticket ends when the body is handed over.
pub(super) fn reply(status: u16, content_type: &str, body: Vec<u8>, mut ticket: Ticket) -> Reply {
    let outcome = if status < 400 {
        Outcome::Answered
    } else {
        Outcome::Refused
    };
    ticket.note(|entry| entry.status = Some(status));
    if body.is_empty() {
        ticket.end(outcome);
    }
    let whole = Whole {
        body: body.into(),
        ticket,
        outcome,
    };
    respond(status, content_type, Payload(Kind::Whole(Some(whole))))
}

/// A reply whose body comes in pieces; they end the ticket themselves. `promised` is the length
/// that the headers name, for answers that are cut short of it.
pub(super) fn reply_in_pieces(
    status: u16,
    content_type: &str,
    promised: Option<u64>,
    pieces: impl Stream<Item = Result<Bytes, Cut>> + Send + 'static,
) -> Reply {
    let pieces = Box::pin(pieces);
    respond(
        status,
        content_type,
        Payload(Kind::Pieces { pieces, promised }),
    )
}

/// What the simulated server calls itself; `inference::ollama` knows it by this name.
const SIMULATOR_NAME: &str = "batchtop-simulator";

fn respond(status: u16, content_type: &str, payload: Payload) -> Reply {
    let mut response = Response::new(payload);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if !content_type.is_empty()
        && let Ok(value) = HeaderValue::from_str(content_type)
    {
        response.headers_mut().insert(CONTENT_TYPE, value);
    }
    // Ollama sends no such header: by this one, nobody takes the simulated server for a real one.
    let name = HeaderValue::from_static(SIMULATOR_NAME);
    response.headers_mut().insert(SERVER, name);
    response
}

/// The body of a reply.
pub(super) struct Payload(Kind);

enum Kind {
    Whole(Option<Whole>),
    Pieces {
        pieces: Pin<Box<dyn Stream<Item = Result<Bytes, Cut>> + Send>>,
        promised: Option<u64>,
    },
}

struct Whole {
    body: Bytes,
    ticket: Ticket,
    outcome: Outcome,
}

impl Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut self.0 {
            Kind::Whole(whole) => Poll::Ready(whole.take().map(|mut whole| {
                whole.ticket.end(whole.outcome);
                Ok(Frame::data(whole.body))
            })),
            Kind::Pieces { pieces, .. } => pieces
                .as_mut()
                .poll_next(context)
                .map(|piece| piece.map(|piece| piece.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(whole) => whole.as_ref().is_none_or(|whole| whole.body.is_empty()),
            Kind::Pieces { .. } => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(whole) => {
                SizeHint::with_exact(whole.as_ref().map_or(0, |whole| whole.body.len() as u64))
            }
            Kind::Pieces { promised, .. } => {
                promised.map_or_else(SizeHint::default, SizeHint::with_exact)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_escaped_as_go_does() {
        let text = to_json(&json!({"t": "<b> & \u{2028}\"ä\n"}));
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "{\"t\":\"\\u003cb\\u003e \\u0026 \\u2028\\\"ä\\n\"}"
        );
    }

    #[test]
    fn an_overflow_is_encoded_twice() {
        let body = String::from_utf8(Refusal::exceeds(3026, 1024).native_body()).unwrap();
        assert_eq!(
            body,
            r#"{"error":"{\"error\":{\"code\":400,\"message\":\"request (3026 tokens) exceeds the available context size (1024 tokens), try increasing it\",\"type\":\"exceed_context_size_error\",\"n_prompt_tokens\":3026,\"n_ctx\":1024}}"}"#
        );
    }
}
