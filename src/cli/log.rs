//! The log file. Nothing is ever logged to the terminal, and nothing secret is logged at all.

use std::fs;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_appender::rolling::{Builder, Rotation};
use tracing_subscriber::EnvFilter;

use super::args::Command;
use super::context::Context;

/// Days of log files that are kept.
const KEPT: usize = 7;

/// Starts logging to a file of today in the log folder; what was logged is written when the guard
/// is dropped. A folder that cannot be written costs the log and nothing else.
pub(super) fn start(context: &Context, command: Option<&Command>) -> Option<WorkerGuard> {
    let folder = &context.paths.logs;
    let works = matches!(
        command,
        Some(Command::Run(_) | Command::Enqueue(_) | Command::Work(_)) | None
    );
    // A command that only looks must not make the data folder.
    if !works && !context.paths.data.is_dir() {
        return None;
    }
    fs::create_dir_all(folder).ok()?;
    let files = Builder::new()
        .rotation(Rotation::DAILY)
        .filename_prefix("batchtop")
        .filename_suffix("log")
        .max_log_files(KEPT)
        .build(folder)
        .ok()?;
    let (writer, guard) = tracing_appender::non_blocking(files);
    let level = context.loaded.settings.log_level.word();
    let filter = EnvFilter::new(format!("warn,batchtop={level}"));
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(false)
        .try_init();
    started.ok().map(|()| guard)
}
