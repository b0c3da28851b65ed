//! Flags of the commands that lead from a table to a decision.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum, ValueHint};

use super::flags::{FileArg, file, text};
use crate::analysis::Column;
use crate::convert::Encoding;

/// Flags of `convert`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[command(group = clap::ArgGroup::new("asked").required(true).args(["prompt", "prompt_file", "template"]))]
pub struct Convert {
    /// Table (.csv, .tsv, .jsonl, also .gz and .zst); `-` is standard input
    #[arg(value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub file: FileArg,

    /// Where the batch file goes [default: standard output]
    #[arg(short, long, value_name = "FILE", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub output: Option<FileArg>,

    /// Template of the prompt
    #[arg(short, long, value_name = "TEXT", help_heading = REQUESTS)]
    pub prompt: Option<String>,

    /// File with the template of the prompt
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = REQUESTS)]
    pub prompt_file: Option<PathBuf>,

    /// Ready template: `candidates` grades with a rubric and answers with score and reason
    #[arg(long, value_name = "NAME", value_enum, help_heading = REQUESTS)]
    pub template: Option<ReadyTemplate>,

    /// Template of the system prompt
    #[arg(long, value_name = "TEXT", help_heading = REQUESTS)]
    pub system: Option<String>,

    /// File with the template of the system prompt
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "system", help_heading = REQUESTS)]
    pub system_file: Option<PathBuf>,

    /// Column or template that gives the `custom_id` [default: column `custom_id`, `id` or `candidate_id`, else the row's number]
    #[arg(long, value_name = "COLUMN", value_parser = text(), help_heading = REQUESTS)]
    pub id: Option<String>,

    /// Model that the requests name
    #[arg(long, value_name = "MODEL", value_parser = text(), help_heading = REQUESTS)]
    pub model: Option<String>,

    /// Temperature, 0 to 2
    #[arg(long, value_name = "T", value_parser = temperature, help_heading = REQUESTS)]
    pub temperature: Option<Temperature>,

    /// Cap of an answer, in tokens
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = REQUESTS)]
    pub max_tokens: Option<u32>,

    /// File with the JSON schema that answers are held to
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = REQUESTS)]
    pub schema: Option<PathBuf>,

    /// What the table is [default: what its first bytes look like]
    #[arg(long, value_name = "FORMAT", value_enum, help_heading = TABLE)]
    pub format: Option<TableFormat>,

    /// Character between fields [default: of comma, semicolon and tab, what the header has most of]
    #[arg(long, value_name = "CHAR", value_parser = separator, conflicts_with = "format", help_heading = TABLE)]
    pub separator: Option<u8>,

    /// Encoding: utf-8, utf-16le, utf-16be or windows-1252; a byte order mark is believed before it
    #[arg(long, value_name = "NAME", value_parser = encoding(), hide_possible_values = true, help_heading = TABLE)]
    pub encoding: Option<Encoding>,

    /// Leave out rows that are no valid request instead of writing nothing
    #[arg(long, help_heading = TABLE)]
    pub skip_invalid: bool,

    /// Write nothing; show the first N requests, the estimate of tokens and the size of the result
    #[arg(long, value_name = "N", conflicts_with = "output")]
    pub preview: Option<u16>,
}

/// Where scores are looked for, in `analyze` and `compare`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Args)]
pub struct ScoreFlags {
    /// Field that holds the score in answers that are JSON, such as result.score [default: found]
    #[arg(long, value_name = "PATH", value_parser = text())]
    pub score_path: Option<String>,

    /// Regular expression whose first group is the score
    #[arg(long, value_name = "REGEX", value_parser = text(), conflicts_with = "score_path")]
    pub score_pattern: Option<String>,
}

/// Flags of `analyze`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Analyze {
    /// Result files, or one job; `-` is standard input
    #[arg(value_name = "FILE|JOB", required = true, value_parser = file(), value_hint = ValueHint::FilePath)]
    pub results: Vec<FileArg>,

    /// Where scores are.
    #[command(flatten)]
    pub score: ScoreFlags,

    /// Write every result as a row of a CSV file
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub csv: Option<PathBuf>,

    /// Begin that file with a byte order mark, without which Excel misreads umlauts
    #[arg(long, requires = "csv")]
    pub bom: bool,

    /// Columns of that file, with commas between them [default: all]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "csv", value_parser = column(), hide_possible_values = true)]
    pub columns: Vec<Column>,

    /// Batch file that was run: columns of its requests go beside their results
    #[arg(long, value_name = "FILE", requires = "csv", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub requests: Option<FileArg>,

    /// Those columns, with commas between them: prompt, system, or fields of the body such as metadata.team [default: prompt]
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "requests", value_parser = text())]
    pub request_columns: Vec<String>,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `compare`.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct Compare {
    /// Result file or job
    #[arg(value_name = "A", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub first: FileArg,

    /// Result file or job over the same ids
    #[arg(value_name = "B", value_parser = file(), value_hint = ValueHint::FilePath)]
    pub second: FileArg,

    /// Where scores are.
    #[command(flatten)]
    pub score: ScoreFlags,

    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

fn column() -> impl TypedValueParser<Value = Column> {
    PossibleValuesParser::new(Column::ALL.iter().map(|column| column.name()))
        .try_map(|name| Column::from_name(&name).ok_or("no such column"))
}

const REQUESTS: &str = "What the requests say";
const TABLE: &str = "How the table is read";

/// The templates that come with the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReadyTemplate {
    /// Candidates, graded from 0 to 10 with a reason
    Candidates,
}

/// What a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Fields with a comma between them
    Csv,
    /// Fields with a tab between them
    Tsv,
    /// One JSON object on each line
    Jsonl,
}

/// How freely a model chooses, from 0 to 2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Temperature(pub f64);

// It is never NaN.
impl Eq for Temperature {}

fn temperature(text: &str) -> Result<Temperature, &'static str> {
    let number = text
        .parse()
        .ok()
        .filter(|number| (0.0..=2.0).contains(number));
    number
        .map(Temperature)
        .ok_or("a temperature is a number from 0 to 2")
}

fn separator(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        [] | [b'"' | b'\n' | b'\r' | 0x80.., ..] => {
            Err("a separator is one ASCII character, but no quote")
        }
        b"tab" | b"\\t" => Ok(b'\t'),
        [separator] => Ok(*separator),
        _ => Err("a separator is one character; `tab` is the tab"),
    }
}

fn encoding() -> impl TypedValueParser<Value = Encoding> {
    PossibleValuesParser::new(Encoding::ALL.iter().map(|encoding| encoding.name()))
        .try_map(|name| Encoding::from_name(&name).ok_or("no such encoding"))
}
