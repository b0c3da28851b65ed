//! `batchtop analyze`: what is in results.

use std::io;
use std::path::Path;

use regex::RegexBuilder;
use serde::Serialize;

use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::fresh::Output;
use super::outcome::{End, Outcome, Trouble};
use super::sources::{self, ReadSource, Source};
use super::table_flags::{Analyze, ScoreFlags};
use crate::analysis::{
    Analyzer, Column, Export, RequestColumn, Requests, ScoreRule, Summary, counted,
};
use crate::intake::open;

/// Bytes that a compiled pattern may take; an endless one is refused.
const LARGEST_PATTERN: usize = 1 << 20;

pub(super) fn run(flags: &Analyze, context: &mut Context) -> Outcome {
    let mut analyzer = Analyzer::new(rule(&flags.score)?);
    let sources = sources::with_errors(&flags.results);
    let mut export = flags
        .csv
        .as_ref()
        .map(|path| export(path, &sources, flags))
        .transpose()?;
    let mut files = Vec::new();
    for source in &sources {
        files.extend(sources::observe(source, context, |observation| {
            let added = analyzer.add(&observation);
            export
                .as_mut()
                .map_or(Ok(()), |export| export.add(&observation, &added))
        })?);
    }
    let summary = analyzer.finish();
    if let (Some(export), Some(path)) = (export, &flags.csv) {
        refuse_empty_columns(&export, flags)?;
        let finished = export.finish();
        let (file, requests) = finished.map_err(|error| unwritable(path, &error))?;
        file.finish()?;
        tell_joined(requests.as_ref(), context);
        context
            .say
            .note(&format!("the results are in {}", path.display()));
    }
    let whose = flags.results.iter().map(sources::name);
    let whose = whose.collect::<Vec<_>>().join(", ");
    warn(&whose, &summary, &flags.score, context);
    if flags.json {
        context.say.json(&Report { summary, files })?;
    } else {
        for line in summary.report().lines() {
            context.say.line(line)?;
        }
    }
    Ok(End::Done)
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    summary: Summary,
    files: Vec<ReadSource>,
}

/// Warns of what makes the figures less than they look. `whose` names the results.
pub(super) fn warn(whose: &str, summary: &Summary, flags: &ScoreFlags, context: &mut Context) {
    let again = &summary.duplicate_ids;
    if let Some(first) = again.first.first() {
        let text = format!(
            "{whose}: {} the `custom_id` of an earlier one, first `{first}`; joins by id may be wrong",
            counted(again.count, "result repeats", "results repeat")
        );
        context.say.warning(&text);
        context.say.hint(
            "give each request of a batch, and of the parts of one that was split, an id of its own",
        );
    }
    if summary.scores.is_some() || summary.texts == 0 {
        return;
    }
    if let Some(path) = &flags.score_path {
        let text = format!("{whose}: no answer has a field `{path}` (`--score-path`)");
        context.say.warning(&text);
    } else if flags.score_pattern.is_some() {
        let text = format!("{whose}: `--score-pattern` matches no answer");
        context.say.warning(&text);
    }
}

fn export(path: &Path, sources: &[Source], flags: &Analyze) -> Result<Export<Output>, Trouble> {
    let columns = if flags.columns.is_empty() {
        Column::ALL.to_vec()
    } else {
        flags.columns.clone()
    };
    let files = sources.iter().map(|source| &source.file);
    let made_of: Vec<_> = files.chain(&flags.requests).collect();
    let file = Output::create(path, "--csv", &made_of)?;
    let requests = flags
        .requests
        .as_ref()
        .map(|file| requests(file, flags))
        .transpose()?;
    Export::new(file, columns, requests, flags.bom).map_err(|error| unwritable(path, &error))
}

/// A column that was asked for and in which no answer has anything is a mistake.
fn refuse_empty_columns(export: &Export<Output>, flags: &Analyze) -> Result<(), Trouble> {
    if flags.columns.is_empty() {
        return Ok(());
    }
    let Some(column) = export.empty_columns().next() else {
        return Ok(());
    };
    let hint = match column {
        Column::Score => "`--score-path FIELD` or `--score-pattern REGEX` say where scores are",
        _ => "leave it out of `--columns`",
    };
    let what = format!("no answer has anything in the column `{}`", column.name());
    Err(Trouble::new(what, hint))
}

/// What the requests said, as far as it was asked for.
fn requests(file: &FileArg, flags: &Analyze) -> Result<Requests, Trouble> {
    let path = path(file);
    let columns = if flags.request_columns.is_empty() {
        vec![RequestColumn::Prompt]
    } else {
        let names = flags.request_columns.iter();
        names.map(|name| RequestColumn::from_name(name)).collect()
    };
    let requests = Requests::read(open(&path)?, columns).map_err(|error| {
        let what = format!("cannot read `{}` to its end: {error}", path.display());
        Trouble::new(what, "name the batch file that was run")
    })?;
    if requests.is_empty() {
        return Err(Trouble::new(
            format!("`{}` holds no request", path.display()),
            "name the batch file that was run",
        ));
    }
    let empty = requests.empty_columns().next();
    if let Some(column) = empty.filter(|_| !flags.request_columns.is_empty()) {
        let name = column.name();
        let name = name.trim_start_matches("request.");
        return Err(Trouble::new(
            format!(
                "no request in `{}` has `{name}` (`--request-columns`)",
                path.display()
            ),
            "name `prompt`, `system`, or a field of the body such as `metadata.team`",
        ));
    }
    Ok(requests)
}

/// Reports what the join left over on both sides.
fn tell_joined(requests: Option<&Requests>, context: &mut Context) {
    let Some(requests) = requests else { return };
    if let Some((number, first)) = requests.duplicates() {
        let text = format!(
            "{} the `custom_id` of an earlier one in the batch file, first `{first}`; requests of \
             one id are joined in their order, which may be wrong",
            counted(number, "request repeats", "requests repeat")
        );
        context.say.warning(&text);
    }
    let (unknown, missing) = (requests.unknown(), requests.without_result());
    if unknown > 0 {
        let results = counted(unknown, "result belongs", "results belong");
        let text = format!("{results} to no request of the batch file");
        context.say.warning(&text);
    }
    if missing > 0 {
        let requests = counted(
            missing,
            "request of the batch file has",
            "requests of the batch file have",
        );
        context.say.note(&format!("{requests} no result"));
    }
}

fn unwritable(path: &Path, error: &io::Error) -> Trouble {
    let what = format!("cannot write `{}`: {error}", path.display());
    Trouble::new(what, "name another file with `--csv`")
}

/// Where scores are looked for.
pub(super) fn rule(flags: &ScoreFlags) -> Result<ScoreRule, Trouble> {
    match (&flags.score_path, &flags.score_pattern) {
        (Some(path), _) => Ok(ScoreRule::path(path)),
        (None, Some(pattern)) => RegexBuilder::new(pattern)
            .size_limit(LARGEST_PATTERN)
            .build()
            .map(ScoreRule::Pattern)
            .map_err(|error| {
                let why = error.to_string().replace('\n', " ");
                let what = format!("`--score-pattern` is no regular expression: {why}");
                Trouble::new(what, "for instance `--score-pattern 'grade: (\\d+)'`")
            }),
        (None, None) => Ok(ScoreRule::Detect),
    }
}
