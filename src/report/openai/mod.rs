//! Lines of result files in the form of OpenAI's Batch API. Pure: a stored outcome goes in, one
//! line of JSON comes out.
//!
//! `docs/FORMATS.md` describes the lines field by field.

mod body;
mod measured;

use std::io;

use serde::{Deserialize, Serialize};

use self::body::Body;
use crate::base::Stamp;
use crate::model::{
    Answer, Attempts, Failure, FailureClass, JobId, RequestId, TokenNeed, Tokens, Trim,
};

/// All that a line of a result file says.
#[derive(Debug, Clone, Copy)]
pub struct ResultLine<'a> {
    /// The job.
    pub job: JobId,
    /// The request.
    pub request: RequestId,
    /// The user's name for it; nothing where the line was too broken to have one.
    pub custom_id: Option<&'a str>,
    /// When it reached its end.
    pub created: Stamp,
    /// How often it was tried.
    pub attempts: Attempts,
    /// The conversation in which it spoke, so that its answer could see earlier requests.
    pub conversation: Option<i64>,
    /// What was left out of its prompt, oldest first.
    pub trims: &'a [Trim],
    /// How it ended.
    pub ending: Ending<'a>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy)]
pub enum Ending<'a> {
    /// With an answer.
    Answered {
        /// The answer.
        answer: &'a Answer,
        /// How vectors are to be written.
        vectors: VectorEncoding,
    },
    /// With its final failure.
    Failed(&'a Failure),
    /// Not at all: its job was cancelled.
    Cancelled,
}

impl Ending<'_> {
    /// Whether the line belongs to the file of answers rather than to that of errors.
    pub const fn is_answer(&self) -> bool {
        matches!(self, Self::Answered { .. })
    }
}

/// How an embedding's vector is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VectorEncoding {
    /// A list of numbers, each exactly as the server wrote it.
    #[default]
    Float,
    /// Base64 of 32-bit floats, least significant byte first.
    Base64,
}

impl VectorEncoding {
    /// What the body of a request asks for with `encoding_format`; numbers where it does not say.
    pub fn of(body: &str) -> Self {
        #[derive(Deserialize)]
        struct Asked {
            encoding_format: Option<VectorEncoding>,
        }
        let asked: Option<Asked> = serde_json::from_str(body).ok();
        asked
            .and_then(|asked| asked.encoding_format)
            .unwrap_or_default()
    }
}

/// Writes one line, its end included. Nothing in it can hold another end of a line.
///
/// # Errors
/// Those of `out`.
pub fn write_line(line: &ResultLine<'_>, out: &mut impl io::Write) -> io::Result<()> {
    let number = format!("{}_{}", line.job, line.request.0);
    let request_id = format!("req_{number}");
    let (response, error) = match line.ending {
        Ending::Answered { answer, vectors } => {
            let body = Content::Answer(Box::new(Body::of(line, answer, vectors, &number)));
            (Some(Response::new(200, &request_id, body)), None)
        }
        Ending::Failed(failure) => match failure.status.filter(|status| *status >= 300) {
            Some(status) => {
                let body = Content::Error(ErrorBody::of(line, failure, status));
                (Some(Response::new(status, &request_id, body)), None)
            }
            None => (None, Some(LineError::of(line, failure))),
        },
        Ending::Cancelled => (None, Some(LineError::cancelled(line))),
    };
    let written = Line {
        id: format!("batch_req_{number}"),
        custom_id: line.custom_id,
        response,
        error,
    };
    serde_json::to_writer(&mut *out, &written)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Line<'a> {
    id: String,
    custom_id: Option<&'a str>,
    response: Option<Response<'a>>,
    error: Option<LineError<'a>>,
}

#[derive(Serialize)]
struct Response<'a> {
    status_code: u16,
    request_id: &'a str,
    body: Content<'a>,
}

impl<'a> Response<'a> {
    const fn new(status_code: u16, request_id: &'a str, body: Content<'a>) -> Self {
        Self {
            status_code,
            request_id,
            body,
        }
    }
}

#[derive(Serialize)]
#[serde(untagged)]
enum Content<'a> {
    Answer(Box<Body<'a>>),
    Error(ErrorBody<'a>),
}

/// The body of an error that the server gave.
#[derive(Serialize)]
struct ErrorBody<'a> {
    error: ApiError<'a>,
    batchtop: Tried,
}

#[derive(Serialize)]
struct ApiError<'a> {
    message: &'a str,
    r#type: &'static str,
    param: Option<&'static str>,
    code: &'static str,
}

/// How often it was tried, and for prompts that do not fit: what was needed.
#[derive(Serialize)]
struct Tried {
    attempts: u32,
    #[serde(skip_serializing_if = "is_zero")]
    crashes: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt_tokens: Option<Tokens>,
    #[serde(skip_serializing_if = "Option::is_none")]
    window_tokens: Option<Tokens>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Tried {
    fn of(line: &ResultLine<'_>, need: Option<TokenNeed>) -> Self {
        Self {
            attempts: line.attempts.sent,
            crashes: line.attempts.crashes,
            prompt_tokens: need.map(|need| need.prompt),
            window_tokens: need.map(|need| need.window),
        }
    }
}

impl<'a> ErrorBody<'a> {
    fn of(line: &ResultLine<'_>, failure: &'a Failure, status: u16) -> Self {
        Self {
            error: ApiError {
                message: &failure.message,
                r#type: error_type(status),
                param: (failure.class == FailureClass::ContextLength).then_some("messages"),
                code: failure.class.name(),
            },
            batchtop: Tried::of(line, failure.need),
        }
    }
}

const fn error_type(status: u16) -> &'static str {
    match status {
        429 => "rate_limit_exceeded",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

/// Why there is no answer of the server at all.
#[derive(Serialize)]
struct LineError<'a> {
    code: &'static str,
    message: &'a str,
    batchtop: Tried,
}

impl<'a> LineError<'a> {
    fn of(line: &ResultLine<'_>, failure: &'a Failure) -> Self {
        Self {
            code: failure.class.name(),
            message: &failure.message,
            batchtop: Tried::of(line, failure.need),
        }
    }

    fn cancelled(line: &ResultLine<'_>) -> Self {
        Self {
            code: "batch_cancelled",
            message: "This request was not executed because the batch was cancelled.",
            batchtop: Tried::of(line, None),
        }
    }
}

#[cfg(test)]
mod tests;
