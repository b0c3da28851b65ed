//! The queue on disk: one SQLite file, one writer, many readers.
//!
//! [`Store`] writes and is not clonable; the engine gives it to the one writing thread
//! ([`Writer`]), which commits in groups and answers only after the commit. [`Reader`] opens the
//! file read-only and is cheap. Who may write is decided by an operating-system lock
//! ([`Ownership`]). What is absent on purpose: any decision about what runs next beyond the order
//! of claims, and any knowledge of servers.

mod account;
mod admit;
mod claim;
mod conversation;
mod error;
mod failed;
mod jobs;
mod kill_point;
mod lock;
mod measurement;
mod page;
mod profile;
mod reader;
mod readings;
mod row;
mod save;
mod schema;
mod sort;
mod totals;
mod walk;
mod write;
mod writer;

pub use account::{EndedRequest, Events};
pub use admit::{Admission, Chunk, Invalid, NewJob};
pub use claim::{Claimed, Unit};
pub use conversation::{Recalled, RecalledExchange, Trims};
pub use error::StoreError;
pub use kill_point::{KillPoint, NoKillPoint};
pub use lock::{Owner, Ownership};
pub use page::{Anchor, Filter, RequestDetail, RequestLine};
pub use profile::Profiles;
pub use reader::{FailureGroup, FindError, Order, Reader, ResultRow};
pub use readings::{CardPoint, JobReadings};
pub use save::Record;
pub use schema::Store;
pub use sort::Sort;
pub use write::{Write, Written};
pub use writer::{Reply, Writer};

#[cfg(test)]
mod tests;
