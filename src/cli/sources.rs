//! Where `analyze` and `compare` get results from: files, with the file of failures beside each,
//! and jobs in the queue.

use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::outcome::Trouble;
use crate::analysis::{Observation, Reading, counted, read_results};
use crate::intake::open;
use crate::model::{Job, JobName};
use crate::store::{FindError, Reader};

/// How a file of answers ends, and how the file of failures beside it does: batchtop's, and those
/// that OpenAI's web page hands out.
const PAIRS: [(&str, &str); 3] = [
    (".results.jsonl", ".errors.jsonl"),
    ("_output.jsonl", "_error.jsonl"),
    ("_output.jsonl", "_errors.jsonl"),
];

/// A source of results.
pub(super) struct Source {
    /// What was named, or what lies beside it.
    pub(super) file: FileArg,
    /// Whether it is there only because of its name.
    is_beside: bool,
}

/// What was read of a source.
#[derive(Debug, Serialize)]
pub(super) struct ReadSource {
    name: String,
    #[serde(flatten)]
    reading: Reading,
}

/// The sources that were named, each with the file of failures of the same name behind it. A file
/// that was named itself does not come twice.
pub(super) fn with_errors(named: &[FileArg]) -> Vec<Source> {
    let real = |path: &Path| path.canonicalize().ok();
    let is_named = |file: &Path| {
        let file = real(file);
        file.is_some() && named.iter().any(|named| real(&path(named)) == file)
    };
    let mut sources = Vec::new();
    for file in named {
        sources.push(Source {
            file: file.clone(),
            is_beside: false,
        });
        if let FileArg::Path(path) = file {
            let beside = errors_beside(path).filter(|errors| !is_named(errors));
            sources.extend(beside.map(|errors| Source {
                file: FileArg::Path(errors),
                is_beside: true,
            }));
        }
    }
    sources
}

/// What a source was called.
pub(super) fn name(file: &FileArg) -> String {
    path(file).display().to_string()
}

/// The file of failures that belongs to a file of answers, where there is one.
fn errors_beside(results: &Path) -> Option<PathBuf> {
    let name = results.file_name()?.to_str()?;
    let (name, packed) = [".gz", ".zst"]
        .iter()
        .find_map(|packed| Some((name.strip_suffix(packed)?, *packed)))
        .unwrap_or((name, ""));
    let names = PAIRS.iter().filter_map(|(answers, errors)| {
        let stem = name.strip_suffix(answers)?;
        Some([format!("{stem}{errors}{packed}"), format!("{stem}{errors}")])
    });
    let mut files = names.flatten().map(|name| results.with_file_name(name));
    files.find(|file| file.is_file())
}

/// Gives every result of a file or a job to `each`. Lines that are no results are reported; a named
/// source without a single result is an error.
pub(super) fn observe(
    source: &Source,
    context: &mut Context,
    mut each: impl FnMut(Observation) -> io::Result<()>,
) -> Result<Option<ReadSource>, Trouble> {
    let file = &source.file;
    let (name, reading) = if let Some((reader, job)) = job(file, context)? {
        (format!("job {}", job.id), of_job(&reader, &job, each)?)
    } else {
        let path = path(file);
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
    match (reading.results, source.is_beside) {
        (0, true) => return Ok(None),
        (0, false) => {
            return Err(Trouble::new(
                format!("`{name}` holds no result"),
                "name a result file, or a job that has begun",
            ));
        }
        (failures, true) => {
            let failures = counted(failures, "failure", "failures");
            let text = format!("counted too: {failures} in {name}");
            context.say.note(&text);
        }
        (_, false) => {}
    }
    Ok(Some(ReadSource { name, reading }))
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

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a.results.jsonl", "a.errors.jsonl")]
    #[case("a.results.jsonl.gz", "a.errors.jsonl.gz")]
    #[case("a.results.jsonl.zst", "a.errors.jsonl")]
    #[case("batch_1_output.jsonl", "batch_1_error.jsonl")]
    fn failures_lie_beside_their_answers(#[case] answers: &str, #[case] errors: &str) {
        let folder = tempfile::tempdir().unwrap();
        let (answers, errors) = (folder.path().join(answers), folder.path().join(errors));
        assert_eq!(errors_beside(&answers), None);
        std::fs::write(&errors, "").unwrap();
        assert_eq!(errors_beside(&answers).as_ref(), Some(&errors));
        assert_eq!(errors_beside(&errors), None);
        let names = |named: &[PathBuf]| -> Vec<FileArg> {
            named.iter().cloned().map(FileArg::Path).collect()
        };
        let found = |named: &[PathBuf]| -> Vec<FileArg> {
            let sources = with_errors(&names(named)).into_iter();
            sources.map(|source| source.file).collect()
        };
        std::fs::write(&answers, "").unwrap();
        let both = [answers.clone(), errors.clone()];
        assert_eq!(found(std::slice::from_ref(&answers)), names(&both));
        assert_eq!(found(&both), names(&both));
    }
}
