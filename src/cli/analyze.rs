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
use super::table_flags::{Analyze, ScoreFlags};
use crate::analysis::{
    Analyzer, Column, Export, Observation, Reading, RequestColumn, Requests, ScoreRule, Summary,
    read_results,
};
use crate::base::count;
use crate::intake::open;
use crate::model::{Job, JobName};
use crate::store::{FindError, Reader};

/// Bytes that a compiled pattern may take; an endless one is refused.
const LARGEST_PATTERN: usize = 1 << 20;

pub(super) fn run(flags: &Analyze, context: &mut Context) -> Outcome {
    let mut analyzer = Analyzer::new(rule(&flags.score)?);
    let mut export = flags
        .csv
        .as_ref()
        .map(|path| export(path, flags))
        .transpose()?;
    let mut reading = Vec::new();
    for source in &flags.results {
        let found = observe(source, context, |observation| {
            let score = analyzer.add(&observation).map(|found| found.1);
            export
                .as_mut()
                .map_or(Ok(()), |export| export.add(&observation, score))
        })?;
        reading.push(found);
    }
    if let (Some(export), Some(path)) = (export, &flags.csv) {
        let finished = export.finish();
        let (file, requests) = finished.map_err(|error| unwritable(path, &error))?;
        file.finish()?;
        tell_joined(requests.as_ref(), context);
        context
            .say
            .note(&format!("the results are in {}", path.display()));
    }
    tell(flags, analyzer.finish(), &reading, context)
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    summary: Summary,
    files: &'a [Reading],
}

fn tell(flags: &Analyze, summary: Summary, reading: &[Reading], context: &mut Context) -> Outcome {
    if flags.json {
        let told = Told {
            summary,
            files: reading,
        };
        context.say.json(&told)?;
    } else {
        for line in summary.report().lines() {
            context.say.line(line)?;
        }
    }
    Ok(End::Done)
}

fn export(path: &Path, flags: &Analyze) -> Result<Export<Output>, Trouble> {
    let columns = if flags.columns.is_empty() {
        Column::ALL.to_vec()
    } else {
        flags.columns.clone()
    };
    let made_of: Vec<_> = flags.results.iter().chain(&flags.requests).collect();
    let file = Output::create(path, "--csv", &made_of)?;
    let requests = flags
        .requests
        .as_ref()
        .map(|file| requests(file, flags))
        .transpose()?;
    Export::new(file, columns, requests).map_err(|error| unwritable(path, &error))
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
    Ok(requests)
}

/// Says what the join left over on both sides.
fn tell_joined(requests: Option<&Requests>, context: &mut Context) {
    let Some(requests) = requests else { return };
    let (unknown, missing) = (requests.unknown(), requests.without_result());
    if unknown > 0 {
        let text = format!(
            "{} results belong to no request of the batch file",
            count(unknown)
        );
        context.say.warning(&text);
    }
    if missing > 0 {
        let text = format!(
            "{} requests of the batch file have no result",
            count(missing)
        );
        context.say.note(&text);
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

/// Gives every result of a file or a job to `each`. Lines that are no results are said; a source
/// without a single result is an error.
pub(super) fn observe(
    source: &FileArg,
    context: &mut Context,
    mut each: impl FnMut(Observation) -> io::Result<()>,
) -> Result<Reading, Trouble> {
    let (name, reading) = if let Some((reader, job)) = job(source, context)? {
        (format!("job {}", job.id), of_job(&reader, &job, each)?)
    } else {
        let path = path(source);
        let reading = read_results(open(&path)?, &mut each).map_err(|error| {
            let what = format!("cannot read `{}` to its end: {error}", path.display());
            Trouble::new(
                what,
                "fetch or export it again, or see whether the disk is full",
            )
        })?;
        (path.display().to_string(), reading)
    };
    for (what, cure) in reading.problems() {
        context.say.warning(&format!("{name}: {what}"));
        context.say.hint(cure);
    }
    if reading.results == 0 {
        return Err(Trouble::new(
            format!("`{name}` holds no result"),
            "name a result file of batchtop, OpenAI or vLLM, or a job that has begun",
        ));
    }
    Ok(reading)
}

/// The job that is meant, where no file has this name.
fn job(source: &FileArg, context: &Context) -> Result<Option<(Reader, Job)>, Trouble> {
    let FileArg::Path(path) = source else {
        return Ok(None);
    };
    let name = path.to_string_lossy();
    if path.exists() || name.contains(['/', '\\']) {
        return Ok(None);
    }
    let Some(reader) = context.reader()? else {
        return Ok(None);
    };
    let Ok(job_name) = name.parse::<JobName>();
    match reader.find(&job_name) {
        Ok(job) => Ok(Some((reader, job))),
        // What looks like a file is missed as a file.
        Err(FindError::None(_)) if name.contains('.') => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn of_job(
    reader: &Reader,
    job: &Job,
    mut each: impl FnMut(Observation) -> io::Result<()>,
) -> Result<Reading, Trouble> {
    let mut reading = Reading::default();
    reader.ended::<Trouble>(job.id, |ended| {
        let (answer, failure) = (ended.answer.as_ref(), ended.failure.as_ref());
        let Some(observation) = Observation::of_end(ended.custom_id, answer, failure) else {
            return Ok(());
        };
        reading.results += 1;
        each(observation).map_err(|error| {
            let what = format!("cannot write the results of job {}: {error}", job.id);
            Trouble::new(what, "see whether the disk is full")
        })
    })?;
    Ok(reading)
}
