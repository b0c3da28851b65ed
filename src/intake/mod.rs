//! Turns the lines of a batch file into requests, or into problems that name line, field and
//! cure.
//!
//! [`open`] gives the bytes (decompressed, hashed on the way), [`Lines`] cuts and judges them one
//! line at a time, and [`read_all`] folds them into a [`Survey`] of what is in the file. There is
//! one way through a line for good and bad ones alike: each level of its JSON is looked at
//! without copying (`json`), every field has a rule (`fields`, `message`, `tools`), and all that
//! is wrong is gathered.

mod body;
mod fields;
mod json;
mod line;
mod lines;
mod message;
mod place;
mod problem;
mod source;
mod split;
mod survey;
mod survey_text;
mod tools;

pub use lines::{InvalidLine, Item, Lines, ReadError, Rules};
pub use message::message_bytes;
pub use problem::{Lead, Problem, ProblemCode, Remarks};
pub use source::{Input, OpenError, SourceSeen, fingerprint, open};
pub use split::{RawLine, Splitter};
pub use survey::{Count, Longest, SharedPrompt, Survey, Surveyor, read_all};

#[cfg(test)]
mod tests;
