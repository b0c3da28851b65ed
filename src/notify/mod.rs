//! Tells people who are not looking: that a job is done or has stopped, that the queue has come to
//! its end, that something is wrong and does not pass.
//!
//! ```text
//! Snapshot ─► watch (pure: what is worth telling, once) ─► Notice ─┬─► Alert ─► the face's terminal
//!                                                                  └─► desktop, webhook, e-mail
//! ```
//!
//! Everything happens beside the run: news are read from snapshots, each way takes notices from a
//! bounded queue of which the newest stay, and what cannot be told in time is a line in the log.

mod delivery;
mod desktop;
mod mail;
mod notice;
mod notifier;
mod watch;
mod ways;
mod webhook;

#[cfg(test)]
mod watch_tests;

pub use delivery::{Failed, Patience};
pub use notice::{Notice, NoticeJob, NoticeKind};
pub use notifier::Notifier;
pub use watch::{Rules, Sight, Watch};
pub use ways::{Trial, Ways, WaysError, Went};
