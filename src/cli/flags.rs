//! Flags that several commands share, and what they mean as settings.

use std::convert::Infallible;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::{PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Args, ValueHint};

use crate::config::{Address, Color, Layer, LogLevel, PathFlags, Sourced, limits, parse};
use crate::model::{FailureClass, Hours, JobName, Mode, Overflow, Parallel, Share, TrimPolicy};

/// Flags of every command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct GlobalFlags {
    /// Folder that holds the queue and the logs.
    #[arg(help = "Folder that holds the queue and the logs (BATCHTOP_DATA_DIR)", long, global = true, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = GLOBAL)]
    pub data_dir: Option<PathBuf>,

    /// Settings file.
    #[arg(help = "Settings file (BATCHTOP_CONFIG)", long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = GLOBAL)]
    pub config: Option<PathBuf>,

    /// Ollama server.
    #[arg(help = "Ollama server (BATCHTOP_SERVER, then settings, then OLLAMA_HOST)", long, global = true, value_name = "URL", value_hint = ValueHint::Url, value_parser = address(), help_heading = GLOBAL)]
    pub server: Option<Address>,

    /// When to use colour: auto, always or never
    #[arg(long, global = true, value_name = "WHEN", value_parser = color(), hide_possible_values = true, help_heading = GLOBAL)]
    pub color: Option<Color>,

    /// Write more to the log file; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = GLOBAL)]
    pub verbose: u8,
}

const GLOBAL: &str = "Global options";

impl GlobalFlags {
    /// What they say about paths.
    pub fn paths(&self) -> PathFlags {
        PathFlags {
            data_dir: self.data_dir.clone(),
            config: self.config.clone(),
        }
    }

    /// What they say about settings.
    pub fn layer(&self) -> Layer {
        let log_level = match self.verbose {
            0 => None,
            1 => Some(LogLevel::Debug),
            _ => Some(LogLevel::Trace),
        };
        Layer {
            server: self.server.clone().map(Sourced::flag),
            color: self.color.map(Sourced::flag),
            log_level: log_level.map(Sourced::flag),
            ..Layer::default()
        }
    }
}

/// How the requests of new jobs are run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Job options")]
pub struct JobFlags {
    /// Model to use instead of the one that each line names
    #[arg(long, value_name = "MODEL", value_parser = text())]
    pub model: Option<String>,

    /// Requests outstanding at most, 1 to 4096, or auto: as many as the server works on at once
    #[arg(long, value_name = "N", value_parser = |text: &str| parse::<Parallel>(text, &limits::PARALLEL))]
    pub parallel: Option<Parallel>,

    /// Context window of each slot, in tokens
    #[arg(long, value_name = "N", value_parser = window())]
    pub num_ctx: Option<u32>,

    /// Cap of an answer where the line gives none, in tokens
    #[arg(long, value_name = "N", value_parser = |text: &str| parse::<u32>(text, &limits::MAX_TOKENS))]
    pub max_tokens: Option<u32>,

    /// How long one answer may take, such as 90s, 10m or 1h
    #[arg(long, value_name = "DUR", value_parser = |text: &str| parse::<Duration>(text, &limits::PATIENCE))]
    pub timeout: Option<Duration>,

    /// Tries after the first failure that counts, 0 to 1000
    #[arg(long, value_name = "N", value_parser = |text: &str| parse::<u32>(text, &limits::RETRIES))]
    pub retries: Option<u32>,

    /// Take only the first N requests
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub limit: Option<u64>,

    /// Lines that are no valid request become failures instead of stopping everything
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = |text: &str| parse::<bool>(text, &()))]
    pub skip_invalid: Option<bool>,

    /// Run although part of the model surely does not fit the cards and runs on the CPU
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true",
          value_parser = |text: &str| parse::<bool>(text, &()))]
    pub allow_spill: Option<bool>,

    /// Whether requests with the same system prompt run as one chat, in which each answer can see
    /// earlier requests
    #[arg(long, value_name = "MODE", value_parser = mode())]
    pub mode: Option<Mode>,

    /// What is left out first when a chat grows too long
    #[arg(long, value_name = "POLICY", value_parser = trim_policy())]
    pub trim: Option<TrimPolicy>,

    /// What becomes of a single request that is too long for the window
    #[arg(long, value_name = "WHAT", value_parser = overflow())]
    pub on_overflow: Option<Overflow>,

    /// A chat is trimmed after so many requests at the latest; 0 is never
    #[arg(long, value_name = "N", value_parser = |text: &str| parse::<u32>(text, &limits::TRIM_INTERVAL))]
    pub trim_interval: Option<u32>,

    /// The part of the window that prompt and answer may take, 10 to 100 per cent
    #[arg(long, value_name = "PERCENT", value_parser = |text: &str| parse::<Share>(text, &()))]
    pub safe_share: Option<Share>,
}

/// How card and clock are watched while requests are sent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Guard options")]
pub struct GuardFlags {
    /// Watch neither card nor clock: nothing is held back for heat, memory, power or hours
    #[arg(long)]
    pub no_guard: bool,

    /// Hours in which requests are sent, such as 22:00-07:00
    #[arg(long, value_name = "HOURS", conflicts_with = "no_guard", value_parser = |text: &str| parse::<Hours>(text, &()))]
    pub hours: Option<Hours>,
}

impl GuardFlags {
    /// What they say about settings.
    pub fn layer(&self) -> Layer {
        Layer {
            guard: self.no_guard.then(|| Sourced::flag(false)),
            hours: self.hours.map(Some).map(Sourced::flag),
            ..Layer::default()
        }
    }
}

/// Whether the end is told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
#[command(next_help_heading = "Notification options")]
pub struct NotifyFlags {
    /// Ring at the end, and use every way of `notify` that is switched on, however short the run
    #[arg(long)]
    pub notify: bool,
}

impl NotifyFlags {
    /// What they say about settings.
    pub fn layer(&self) -> Layer {
        Layer {
            notify_after: self.notify.then(|| Sourced::flag(Duration::ZERO)),
            notify_bell: self.notify.then(|| Sourced::flag(true)),
            ..Layer::default()
        }
    }
}

impl JobFlags {
    /// What they say about settings. The limit is not among them: it belongs to these files only.
    pub fn layer(&self) -> Layer {
        Layer {
            model: self.model.clone().map(Some).map(Sourced::flag),
            parallel: self.parallel.map(Sourced::flag),
            num_ctx: self.num_ctx.map(Some).map(Sourced::flag),
            max_tokens: self.max_tokens.map(Sourced::flag),
            timeout: self.timeout.map(Sourced::flag),
            retries: self.retries.map(Sourced::flag),
            skip_invalid: self.skip_invalid.map(Sourced::flag),
            allow_spill: self.allow_spill.map(Sourced::flag),
            mode: self.mode.map(Sourced::flag),
            trim: self.trim.map(Sourced::flag),
            on_overflow: self.on_overflow.map(Sourced::flag),
            trim_interval: self.trim_interval.map(Sourced::flag),
            safe_share: self.safe_share.map(Sourced::flag),
            ..Layer::default()
        }
    }
}

/// A file, or `-` for standard input or output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileArg {
    /// `-`
    Standard,
    /// Anything else.
    Path(PathBuf),
}

impl From<OsString> for FileArg {
    fn from(given: OsString) -> Self {
        if given == "-" {
            Self::Standard
        } else {
            Self::Path(given.into())
        }
    }
}

/// Reads a [`FileArg`].
pub(super) fn file() -> impl TypedValueParser<Value = FileArg> {
    clap::builder::OsStringValueParser::new().try_map(|given| {
        if given.is_empty() {
            return Err("a file needs a name; `-` is standard input or output");
        }
        Ok(FileArg::from(given))
    })
}

/// Reads the name of a job.
pub(super) fn job() -> ValueParser {
    ValueParser::new(|text: &str| {
        parse::<String>(text, &()).map(|name| {
            name.parse::<JobName>()
                .unwrap_or_else(|never: Infallible| match never {})
        })
    })
}

/// Reads the name of a class of failures.
pub(super) fn class() -> impl TypedValueParser<Value = FailureClass> {
    PossibleValuesParser::new(FailureClass::ALL.iter().map(|class| class.name()))
        .try_map(|name| FailureClass::from_name(&name).ok_or("no such class"))
}

fn mode() -> impl TypedValueParser<Value = Mode> {
    PossibleValuesParser::new(Mode::ALL.map(Mode::word)).try_map(|word| parse::<Mode>(&word, &()))
}

fn trim_policy() -> impl TypedValueParser<Value = TrimPolicy> {
    PossibleValuesParser::new(TrimPolicy::ALL.map(TrimPolicy::word))
        .try_map(|word| parse::<TrimPolicy>(&word, &()))
}

fn overflow() -> impl TypedValueParser<Value = Overflow> {
    PossibleValuesParser::new(Overflow::ALL.map(Overflow::word))
        .try_map(|word| parse::<Overflow>(&word, &()))
}

fn color() -> impl TypedValueParser<Value = Color> {
    PossibleValuesParser::new(Color::ALL.iter().map(|color| color.word()))
        .try_map(|word| Color::from_word(&word).ok_or("no such choice"))
}

/// Reads a text that is not empty.
pub(super) fn text() -> ValueParser {
    ValueParser::new(|text: &str| parse::<String>(text, &()))
}

/// Reads a number of slots.
pub(super) fn slots() -> ValueParser {
    ValueParser::new(|text: &str| parse::<u32>(text, &limits::PARALLEL))
}

/// Reads a context window.
pub(super) fn window() -> ValueParser {
    ValueParser::new(|text: &str| parse::<u32>(text, &limits::NUM_CTX))
}

fn address() -> ValueParser {
    ValueParser::new(|text: &str| parse::<Address>(text, &()))
}
