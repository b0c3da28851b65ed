//! Flags of the commands that write what came of a job.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};

use super::args::OneJob;
use super::flags::{FileArg, file};
use crate::config::{Layer, Sourced};
use crate::model::{Format, ReportTo};

const REPORT_EXAMPLES: &str = "\
Examples:
  batchtop report 3 -o report.html
  batchtop report candidates --format json";

/// Flags of `export`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Export {
    /// Which job.
    #[command(flatten)]
    pub one: OneJob,

    /// Where the answers go; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub output: Option<FileArg>,

    /// Where failed requests go
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub errors: Option<PathBuf>,

    /// In which order
    #[arg(long, value_enum, default_value_t = Order::Input)]
    pub order: Order,
}

/// The order of answers in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Order {
    /// As the requests stood in the batch file
    Input,
    /// As they came
    Finished,
}

/// Flags of `report`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(after_help = REPORT_EXAMPLES)]
pub struct ReportFlags {
    /// Which job.
    #[command(flatten)]
    pub one: OneJob,

    /// Where it goes [default: standard output]
    #[arg(short, long, value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub output: Option<FileArg>,

    /// In which form: md, html, json or csv [default: what FILE ends with, else md]
    #[arg(long, value_name = "FORM", value_parser = |text: &str| text.parse::<Format>())]
    pub format: Option<Format>,
}

/// What `--report` of `run` and `work` says about settings.
pub(super) fn report_layer(report: Option<ReportTo>) -> Layer {
    Layer {
        report: report.map(Some).map(Sourced::flag),
        ..Layer::default()
    }
}
