//! `batchtop convert`: a batch file from a table.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::fresh::Output;
use super::outcome::{End, Outcome, Trouble};
use super::table_flags::{Convert, ReadyTemplate, TableFormat};
use crate::base::{bytes, count};
use crate::convert::{
    ConvertError, Converted, Flaw, Form, Preview, Reading, Recipe, RowProblem, Wording, convert,
};
use crate::intake::open;

/// The longest file of a template or schema that is read.
const LONGEST_TEXT: u64 = 16 * 1024 * 1024;
/// Characters of a message that a preview shows.
const SHOWN: usize = 1_500;

pub(super) fn run(flags: &Convert, context: &mut Context) -> Outcome {
    let recipe = Recipe::new(&wording(flags)?).map_err(|flaw| trouble(&flaw))?;
    let reading = reading(flags);
    let input = open(&path(&flags.file))?;
    let (converted, is_kept) = match &flags.output {
        _ if flags.preview.is_some() => (convert(input, &recipe, &reading, &mut io::sink())?, true),
        Some(FileArg::Path(output)) => {
            let mut file = Output::create(output, "-o", &[&flags.file])?;
            let converted = convert(input, &recipe, &reading, &mut file)?;
            let is_kept = is_good(&converted, flags);
            if is_kept {
                file.finish()?;
            }
            (converted, is_kept)
        }
        Some(FileArg::Standard) | None => {
            let mut output = BufWriter::new(io::stdout().lock());
            let converted = convert(input, &recipe, &reading, &mut output)?;
            output.flush().map_err(super::say::SayError::from)?;
            (converted, true)
        }
    };
    if flags.preview.is_some() {
        preview(&converted.previews, context)?;
    }
    tell(&converted, flags, is_kept, context);
    if is_good(&converted, flags) {
        Ok(End::Done)
    } else {
        Err(Trouble::Said)
    }
}

fn is_good(converted: &Converted, flags: &Convert) -> bool {
    let is_complete = converted.bad_rows == 0 || flags.skip_invalid;
    is_complete && !converted.is_cut_short && converted.requests > 0
}

fn wording(flags: &Convert) -> Result<Wording, Trouble> {
    let mut wording = match (&flags.prompt, &flags.prompt_file, flags.template) {
        (Some(prompt), _, _) => Wording::new(prompt.clone()),
        (None, Some(path), _) => Wording::new(text(path)?),
        (None, None, Some(ReadyTemplate::Candidates) | None) => Wording::candidates(),
    };
    if let Some(system) = &flags.system {
        wording.system = Some(system.clone());
    }
    if let Some(path) = &flags.system_file {
        wording.system = Some(text(path)?);
    }
    if let Some(path) = &flags.schema {
        wording.schema = Some(schema(path)?);
    }
    wording.id.clone_from(&flags.id);
    wording.model.clone_from(&flags.model);
    wording.max_tokens = flags.max_tokens.or(wording.max_tokens);
    let temperature = flags.temperature.map(|given| given.0);
    wording.temperature = temperature.or(wording.temperature);
    Ok(wording)
}

fn text(path: &Path) -> Result<String, Trouble> {
    let refused = |why: String| {
        let what = format!("cannot read `{}`: {why}", path.display());
        Trouble::new(what, "name a text file in UTF-8")
    };
    let size = fs::metadata(path).map_err(|error| refused(error.to_string()))?;
    if size.len() > LONGEST_TEXT {
        return Err(refused(format!("it has {}", bytes(size.len()))));
    }
    fs::read_to_string(path).map_err(|error| refused(error.to_string()))
}

/// The schema, and its name: its title, or that of its file.
fn schema(path: &Path) -> Result<(String, String), Trouble> {
    let text = text(path)?;
    let refused = |why: String| {
        let what = format!("`{}` is no JSON schema: {why}", path.display());
        Trouble::new(what, "a schema is one JSON object")
    };
    let schema: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(&text).map_err(|error| refused(error.to_string()))?;
    let title = schema.get("title").and_then(serde_json::Value::as_str);
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    // OpenAI takes letters, digits, `_` and `-` only, 64 at most.
    let is_taken = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let signs = title.unwrap_or(&stem).chars().take(64);
    let name = signs.map(|c| if is_taken(c) { c } else { '_' }).collect();
    Ok((name, text))
}

fn reading(flags: &Convert) -> Reading {
    let form = flags.format.map(|format| match format {
        TableFormat::Csv => Form::Separated(b','),
        TableFormat::Tsv => Form::Separated(b'\t'),
        TableFormat::Jsonl => Form::JsonLines,
    });
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    Reading {
        form: form.or(flags.separator.map(Form::Separated)),
        encoding: flags.encoding,
        workers: workers.min(8),
        previews: usize::from(flags.preview.unwrap_or(0)),
        ..Reading::default()
    }
}

fn preview(previews: &[Preview], context: &mut Context) -> Result<(), Trouble> {
    for preview in previews {
        context.say.line(&format!("── {}", preview.custom_id))?;
        for message in &preview.messages {
            context.say.line(&format!("{}:", message.role))?;
            let short: String = message.content.chars().take(SHOWN).collect();
            for line in short.lines() {
                context.say.line(&format!("  {line}"))?;
            }
            if short.len() < message.content.len() {
                let more = bytes((message.content.len() - short.len()) as u64);
                context.say.line(&format!("  … and {more} more"))?;
            }
        }
    }
    Ok(())
}

fn tell(converted: &Converted, flags: &Convert, is_kept: bool, context: &mut Context) {
    let say = &mut context.say;
    for problem in &converted.problems {
        say.error(&problem.to_string());
        say.hint(&problem.flaw.cure());
    }
    let more = converted.bad_rows - converted.problems.len() as u64;
    if more > 0 {
        say.note(&format!("and {} more problems", count(more)));
    }
    let size = format!(
        "{} requests, {}, about {} tokens of prompts",
        count(converted.requests),
        bytes(converted.bytes),
        count(converted.estimated_tokens.0),
    );
    match &flags.output {
        Some(FileArg::Path(output)) if is_kept => {
            say.note(&format!("{size} in {}", output.display()));
        }
        Some(FileArg::Path(_)) => {
            say.note("nothing was written");
            if converted.requests > 0 && !converted.is_cut_short {
                say.hint("`--skip-invalid` leaves the bad rows out");
            }
        }
        _ => say.note(&size),
    }
    if converted.bad_rows > 0 && flags.skip_invalid {
        say.warning(&format!("{} rows were left out", count(converted.bad_rows)));
    }
}

fn trouble(flaw: &Flaw) -> Trouble {
    Trouble::new(flaw.to_string(), flaw.cure())
}

impl From<ConvertError> for Trouble {
    fn from(error: ConvertError) -> Self {
        match &error {
            ConvertError::Write(source) if source.kind() == io::ErrorKind::BrokenPipe => {
                Self::BrokenPipe
            }
            ConvertError::Header(RowProblem { flaw, .. }) => {
                Self::new(error.to_string(), flaw.cure())
            }
            ConvertError::Read(_) => Self::new(
                error.to_string(),
                "check the file, or name its encoding with `--encoding`",
            ),
            ConvertError::Write(_) => Self::new(error.to_string(), "check the disk it goes to"),
            ConvertError::Empty => Self::new(
                error.to_string(),
                "write a header and one row for each request",
            ),
        }
    }
}
