//! The engine owns a run: what to send, when to try again, what to store and to publish.
//!
//! [`core`] decides and is pure; the driver performs what it decides; the board turns what
//! happened into snapshots. Every face holds a [`Handle`] and nothing else.

pub mod core;

mod admit;
mod board;
mod cards;
mod driver;
mod facts;
mod handle;
mod history;
mod ledger;
mod origin;
mod phases;
mod retry;
mod sampling;
mod tail;
mod tasks;

pub use core::Scope;

pub use admit::{Admit, AdmitError, AdmitProgress, Admitted};
pub use driver::{Engine, EngineError, Options, Parts, start};
pub use facts::ask_facts;
pub use handle::Handle;
pub use tasks::check_installed;
