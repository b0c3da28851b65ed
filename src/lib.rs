//! batchtop runs batch files of prompts on one Ollama server and loses none of them.
//!
//! The modules stand on floors; a module imports lower floors only, and
//! `tests/it/floors.rs` holds the code to the table in `docs/ARCHITECTURE.md`.
//!
//! | floor | modules |
//! |--:|---|
//! | 0 | [`base`]: text, units, time stamps |
//! | 1 | [`model`]: the nouns as plain data |
//! | 2 | [`intake`], [`sample`], [`stats`], [`config`], [`context`]: files, figures, settings and windows |
//! | 3 | [`store`], [`inference`], [`simulator`], [`gpu`], [`convert`], [`analysis`]: SQLite, the servers, the cards, tables and results |
//! | 4 | [`engine`], [`report`]: running requests and writing results |
//! | 5 | [`control`], [`notify`], [`tui`]: other processes, news, and the screen |
//! | 6 | [`cli`]: flags, commands, exit codes |

pub mod analysis;
pub mod base;
pub mod cli;
pub mod config;
pub mod context;
pub mod control;
pub mod convert;
pub mod engine;
pub mod gpu;
pub mod inference;
pub mod intake;
pub mod model;
pub mod notify;
pub mod report;
pub mod sample;
pub mod simulator;
pub mod stats;
pub mod store;
pub mod tui;
