//! An answer from bytes alone: what the client makes of a stream, without a connection.

use std::time::Duration;

use super::LONGEST_LINE;
use super::lines::Lines;
use super::reading::Reading;
use super::translate::Expected;
use crate::inference::Progress;
use crate::model::{Answer, Endpoint, Failure};

/// Reads an answer to `endpoint` from the pieces in which it arrived, as the client does. For
/// tests that have bytes and no server.
///
/// # Errors
/// What the client would say of these bytes.
pub fn read_answer<'a>(
    endpoint: Endpoint,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Answer, Failure> {
    let mut reading = Reading::new(match endpoint {
        Endpoint::Chat => Expected::Chat { cap: u64::MAX },
        Endpoint::Completions => Expected::Completion { cap: u64::MAX },
        Endpoint::Embeddings => Expected::Vectors { count: 1 },
    });
    let mut lines = Lines::new(LONGEST_LINE);
    let silent = Progress::silent();
    for piece in pieces {
        lines.push(piece, |line| reading.line(line, &silent))?;
    }
    lines.finish(|line| reading.line(line, &silent))?;
    reading.finish("", Duration::ZERO, None)
}
