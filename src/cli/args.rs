//! The command line: what may be typed. What a command does is not known here.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueHint};

pub use super::learnt_args::{Forget, Plan, Probe, Profile, ProfileAction};

use super::flags::{FileArg, GlobalFlags, GuardFlags, JobFlags, NotifyFlags, class, file, job};
use super::measure_flags::{Bench, Estimate};
use super::output_flags::{Export, ReportFlags, report_layer};
use super::table_flags::{Analyze, Compare, Convert};
use crate::config::{Layer, nearest};
use crate::model::{FailureClass, Format, JobName, ReportTo};

const EXIT_CODES: &str = "\
Exit codes:
    0  all done
    1  finished, but some requests failed
    2  could not run: wrong usage, bad input, no server, no database
  130  interrupted; the same command goes on where it stopped";

const RUN_EXAMPLES: &str = "\
Examples:
  batchtop run candidates.jsonl --model gemma3:12b
  batchtop run candidates.jsonl.zst --parallel 4 --num-ctx 8192 -o answers.jsonl
  generate | batchtop run - -o - > answers.jsonl

Typed again after an interruption, the same command goes on where it stopped.";

const SAMPLE_EXAMPLE: &str = "\
Example:
  batchtop sample 1000 --model gemma3:12b -o candidates.jsonl";

const CONVERT_EXAMPLES: &str = "\
Examples:
  batchtop convert candidates.csv --template candidates --model gemma3:12b -o candidates.jsonl
  batchtop convert people.csv --prompt 'Grade {{ name }}: {{ profile }}' --system-file rubric.txt --preview 3
  batchtop convert old.csv --encoding windows-1252 --prompt-file ask.txt --id number -o old.jsonl

Templates are those of Jinja: a column is {{ name }}, or {{ row[\"Full name\"] }} where the name has
spaces; {{ row_number }} counts the rows.";

const ANALYZE_EXAMPLES: &str = "\
Examples:
  batchtop analyze candidates.results.jsonl candidates.errors.jsonl --csv scores.csv
  batchtop analyze 3 --score-path grade.total --json";

const BENCH_EXAMPLE: &str = "\
Example:
  batchtop bench --model gemma3:12b --sizes 100,1000 --parallel 1,4,auto";

const PLAN_EXAMPLE: &str = "\
Example:
  batchtop plan --model gemma3:12b --num-ctx 8192 --parallel 4";

/// Runs batch files of prompts on an Ollama server and loses none of them
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "batchtop", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Arguments {
    /// Flags of every command.
    #[command(flatten)]
    pub global: GlobalFlags,

    /// Batch files that the screen asks about at its start
    #[arg(value_name = "FILE", value_parser = file_to_ask_about)]
    pub files: Vec<PathBuf>,

    /// What to do; nothing stands for the screen.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Put one batch file in the queue and work it off
    #[command(after_help = RUN_EXAMPLES)]
    Run(Run),
    /// Read a batch file and say what is in it and all that is wrong with it
    Check(Check),
    /// Put batch files in the queue and return
    Enqueue(Enqueue),
    /// Work the queue off; ends when it is empty
    Work(Work),
    /// List the jobs in the queue
    Jobs(Jobs),
    /// Show one job in full
    Show(Show),
    /// Send nothing new of a job; what is in flight finishes
    Pause(OneJob),
    /// Go on with a paused job
    Resume(OneJob),
    /// End a job for good; answers already stored are kept
    Cancel(OneJob),
    /// Put the failed requests of a job back in the queue
    Retry(Retry),
    /// Forget a finished or cancelled job and its data
    Remove(Remove),
    /// Write the answers and failures of a job so far
    Export(Export),
    /// Write what ran, how it went and what it cost, also in the middle of a run
    Report(ReportFlags),
    /// Say whether a model fits the card with a window and a number of slots
    #[command(after_help = PLAN_EXAMPLE)]
    Plan(Plan),
    /// Find out how large a window and how many requests at once a model bears here
    Probe(Probe),
    /// Show or forget what runs have learnt about models
    Profile(Profile),
    /// Say what is well with server, models, data folder and settings, and what is not
    Doctor(Doctor),
    /// Run a generated batch on a built-in simulated server
    Demo(Demo),
    /// Generate a batch file of candidates that share one system prompt
    #[command(after_help = SAMPLE_EXAMPLE)]
    Sample(Sample),
    /// Make a batch file of a table: CSV, TSV or JSON lines
    #[command(after_help = CONVERT_EXAMPLES)]
    Convert(Convert),
    /// Say what is in results: success, tokens, times and scores
    #[command(after_help = ANALYZE_EXAMPLES)]
    Analyze(Analyze),
    /// Hold two runs of the same requests against each other
    Compare(Compare),
    /// Measure a server with sample requests and keep the figures
    #[command(after_help = BENCH_EXAMPLE)]
    Bench(Bench),
    /// Say how long a batch file will take, from what was measured
    Estimate(Estimate),
    /// Start the simulated server alone
    Simulate(Simulate),
    /// Try the ways in which the end of a run and trouble are told
    Notify {
        /// What to do with them.
        #[command(subcommand)]
        action: NotifyAction,
    },
    /// Show, create or check the settings
    Config {
        /// What to do with them.
        #[command(subcommand)]
        action: ConfigAction,
    },
    /// Print completions for a shell
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// Flags of `run`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Run {
    /// Batch file (.jsonl, also .gz and .zst); `-` is standard input
    #[arg(value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub file: FileArg,

    /// Where the answers go [default: FILE with .results.jsonl]; `-` is standard output
    #[arg(short, long, value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub output: Option<FileArg>,

    /// Where failed requests go, if there are any [default: FILE with .errors.jsonl]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub errors: Option<PathBuf>,

    /// Write a report at the end: md, html, json or csv beside the batch file, or a file so named
    #[arg(long, value_name = "FILE|FORM", value_parser = |text: &str| text.parse::<ReportTo>())]
    pub report: Option<ReportTo>,

    /// Start anew instead of going on with an unfinished job of the same file and options
    #[arg(long)]
    pub new: bool,

    /// Print progress as JSON lines on standard output
    #[arg(long)]
    pub json: bool,

    /// How its requests are run.
    #[command(flatten)]
    pub job: JobFlags,

    /// What is watched meanwhile.
    #[command(flatten)]
    pub guard: GuardFlags,

    /// Whether the end is told.
    #[command(flatten)]
    pub notify: NotifyFlags,
}

/// Flags of `check`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Check {
    /// Batch file; `-` is standard input
    #[arg(value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub file: FileArg,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `enqueue`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Enqueue {
    /// Batch files; `-` is standard input
    #[arg(value_name = "FILE", required = true, value_parser = file(), value_hint = ValueHint::FilePath)]
    pub files: Vec<FileArg>,

    /// How their requests are run.
    #[command(flatten)]
    pub job: JobFlags,
}

/// Flags of `work`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Work {
    /// Wait for more when the queue is empty
    #[arg(long)]
    pub keep: bool,

    /// Write a report on each job that has ended, beside its batch file: md, html, json or csv
    #[arg(long, value_name = "FORM", value_parser = |text: &str| text.parse::<Format>())]
    pub report: Option<Format>,

    /// Print progress as JSON lines on standard output
    #[arg(long)]
    pub json: bool,

    /// What is watched meanwhile.
    #[command(flatten)]
    pub guard: GuardFlags,

    /// Whether the end is told.
    #[command(flatten)]
    pub notify: NotifyFlags,
}

/// Flags of `jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Jobs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `show`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Show {
    /// Which job.
    #[command(flatten)]
    pub one: OneJob,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// One job.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct OneJob {
    /// Number of the job, or an unambiguous part of its name
    #[arg(value_name = "JOB", value_parser = job())]
    pub job: JobName,
}

/// Flags of `retry`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Retry {
    /// Which job.
    #[command(flatten)]
    pub one: OneJob,

    /// Only failures of this class
    #[arg(long, value_name = "CLASS", value_parser = class())]
    pub class: Option<FailureClass>,
}

/// Flags of `remove`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Remove {
    /// Which job.
    #[command(flatten)]
    pub one: OneJob,

    /// Do not ask
    #[arg(short, long)]
    pub yes: bool,
}

/// Flags of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Doctor {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `demo`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Demo {
    /// Without the screen
    #[arg(long)]
    pub headless: bool,

    /// Requests to generate
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=MOST_GENERATED))]
    pub requests: u64,

    /// The same number gives the same batch
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Keep queue and results in this folder [default: a temporary one, removed at the end]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub keep: Option<PathBuf>,
}

/// Flags of `sample`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Sample {
    /// Requests to generate
    #[arg(value_name = "N", value_parser = clap::value_parser!(u64).range(1..=MOST_GENERATED))]
    pub count: u64,

    /// Where they go [default: standard output]
    #[arg(short, long, value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub output: Option<FileArg>,

    /// Write the candidates as CSV instead of requests
    #[arg(long)]
    pub csv: bool,

    /// The same number gives the same file
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// Model that the requests name
    #[arg(long, value_name = "MODEL", conflicts_with = "csv")]
    pub model: Option<String>,
}

const MOST_GENERATED: u64 = 10_000_000;

/// Flags of `simulate`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Simulate {
    /// Address to listen at; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:11435")]
    pub listen: SocketAddr,

    /// Faults and models, as docs/FORMATS.md describes them
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub script: Option<PathBuf>,

    /// Write every request that arrives to this file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub log: Option<PathBuf>,
}

/// What to do with the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum ConfigAction {
    /// Print where the settings file is
    Path,
    /// Write a commented settings file with every default
    Init,
    /// Print the settings in force and where each came from
    Print,
    /// Say all that is wrong with the settings
    Check,
}

/// What to do with notifications.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Subcommand)]
pub enum NotifyAction {
    /// Send a test by every way that is switched on, and say how each went
    Test,
}

impl Arguments {
    /// Reads what was typed, the program's name first.
    ///
    /// # Errors
    /// What is wrong with it, and also help and version, which clap hands back as errors.
    pub fn of<I, T>(typed: I) -> Result<Self, clap::Error>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let arguments = Self::try_parse_from(typed)?;
        match arguments.conflict() {
            Some(why) => Err(Self::command().error(ErrorKind::ArgumentConflict, why)),
            None => Ok(arguments),
        }
    }

    /// What the flags say about settings.
    pub fn layer(&self) -> Layer {
        let job = match &self.command {
            Some(Command::Run(run)) => {
                let watched = run.guard.layer().over(run.notify.layer());
                let report = report_layer(run.report.clone());
                run.job.layer().over(watched).over(report)
            }
            Some(Command::Work(work)) => {
                let report = report_layer(work.report.map(ReportTo::Beside));
                work.guard.layer().over(work.notify.layer()).over(report)
            }
            Some(Command::Enqueue(enqueue)) => enqueue.job.layer(),
            _ => Layer::default(),
        };
        job.over(self.global.layer())
    }

    fn conflict(&self) -> Option<&'static str> {
        let standard = Some(&FileArg::Standard);
        match &self.command {
            Some(Command::Run(run)) if run.json && run.output.as_ref() == standard => {
                Some("`--json` and `-o -` would both write to standard output; give `-o` a file")
            }
            Some(Command::Enqueue(enqueue))
                if enqueue
                    .files
                    .iter()
                    .filter(|&file| file == &FileArg::Standard)
                    .count()
                    > 1 =>
            {
                Some("standard input (`-`) can be read only once")
            }
            _ => None,
        }
    }
}

/// A batch file for the screen. A word that is neither a file nor looks like one is a command
/// with a mistake in it.
fn file_to_ask_about(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    if text.contains(['.', '/', '\\']) || path.exists() {
        return Ok(path);
    }
    let program = <Arguments as CommandFactory>::command();
    let names = program.get_subcommands().map(clap::Command::get_name);
    let near = nearest(text, names)
        .map(|name| format!("; a similar subcommand exists: '{name}'"))
        .unwrap_or_default();
    Err(format!("neither a command nor a batch file{near}"))
}

#[cfg(test)]
#[path = "args_tests.rs"]
mod tests;
