//! Flags of the commands that measure a server and foretell a run.

use clap::{Args, ValueHint};

use super::flags::{FileArg, file, text, window};
use crate::config::{limits, parse};
use crate::model::Parallel;

/// Flags of `bench`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Bench {
    /// Requests of each measurement, with commas between them
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', default_value = "100,1000,10000", value_parser = clap::value_parser!(u64).range(1..=MOST_REQUESTS))]
    pub sizes: Vec<u64>,

    /// Models, with commas between them [default: the one of the settings]
    #[arg(long, value_name = "MODELS", value_delimiter = ',', value_parser = text())]
    pub model: Vec<String>,

    /// Requests outstanding at most, with commas between them, such as 1,4,auto [default: that of the settings]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = |text: &str| parse::<Parallel>(text, &limits::PARALLEL))]
    pub parallel: Vec<Parallel>,

    /// Context windows of each slot in tokens, with commas between them [default: that of the settings]
    #[arg(long, value_name = "NUMBERS", value_delimiter = ',', value_parser = window())]
    pub num_ctx: Vec<u32>,

    /// Requests that are sent before each series and not measured
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u64).range(0..=MOST_REQUESTS))]
    pub warm_up: u64,

    /// Keep figures of the simulated server, too, marked as such
    #[arg(long)]
    pub keep_simulated: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

const MOST_REQUESTS: u64 = 1_000_000;

/// Flags of `estimate`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Estimate {
    /// Batch file; `-` is standard input
    #[arg(value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub file: FileArg,

    /// Model that it will run on [default: the one of the settings, or that its lines name]
    #[arg(long, value_name = "MODEL", value_parser = text())]
    pub model: Option<String>,

    /// Tokens that an answer will have in the mean [default: as many as those measured]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub answer_tokens: Option<u32>,

    /// Go by figures of the simulated server (`bench --keep-simulated`)
    #[arg(long)]
    pub simulated: bool,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
