//! Result files: written beside their final name and renamed when they are complete, so that a
//! reader never sees half of one.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::openai::{Ending, ResultLine, VectorEncoding, write_line};
use crate::model::{Job, JobState};
use crate::store::{Order, Reader, ResultRow, StoreError};

/// Where answers go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    /// Standard output.
    Standard,
    /// A file, replaced when complete.
    File(PathBuf),
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct WrittenResults {
    /// Lines of answers.
    pub answers: u64,
    /// Lines of failures. They were written only if there was somewhere to write them.
    pub errors: u64,
    /// Requests that have no end yet and are in neither file.
    pub left: u64,
}

/// Why results could not be written.
#[derive(Debug, Error)]
pub enum ReportError {
    /// The queue could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file could not be written.
    #[error("cannot write `{path}`: {source}")]
    File {
        /// The file.
        path: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// Whoever read standard output went away.
    #[error("nobody reads standard output any more")]
    BrokenPipe,
}

/// Writes the results of a job so far: answers to one place, failures to another, each request at
/// most once. The file of failures is written only if there are any, and one of an earlier export
/// is removed if there are none.
pub fn write_results(
    reader: &Reader,
    job: &Job,
    answers: &Destination,
    errors: Option<&Path>,
    order: Order,
) -> Result<WrittenResults, ReportError> {
    let mut answers = match answers {
        Destination::Standard => Output::Standard(BufWriter::new(io::stdout())),
        Destination::File(path) => Output::File(Fresh::create(path)?),
    };
    let mut failures = errors.map(Fresh::create).transpose()?;
    let mut written = WrittenResults::default();
    reader.results::<ReportError>(job.id, order, |row| {
        let Some(ending) = ending(&row, job) else {
            written.left += 1;
            return Ok(());
        };
        let line = ResultLine {
            job: job.id,
            request: row.id,
            custom_id: row.custom_id.as_deref(),
            created: row.at.unwrap_or(job.created),
            attempts: row.attempts,
            conversation: row.conversation,
            trims: &row.trims,
            ending,
        };
        if line.ending.is_answer() {
            written.answers += 1;
            answers.line(&line)
        } else {
            written.errors += 1;
            failures.as_mut().map_or(Ok(()), |file| file.line(&line))
        }
    })?;
    answers.finish()?;
    match failures {
        Some(file) if written.errors > 0 => file.finish()?,
        Some(file) => file.discard()?,
        None => {}
    }
    Ok(written)
}

/// The file beside a batch file with this ending in its name: `a.jsonl.zst` becomes
/// `a.results.jsonl`.
pub fn beside(path: &Path, ending: &str) -> PathBuf {
    let name = path
        .file_name()
        .unwrap_or(path.as_os_str())
        .to_string_lossy();
    let name = name
        .strip_suffix(".gz")
        .or_else(|| name.strip_suffix(".zst"))
        .unwrap_or(&name);
    let stem = name.strip_suffix(".jsonl").unwrap_or(name);
    path.with_file_name(format!("{stem}.{ending}.jsonl"))
}

/// How a request ended; those of a cancelled job that never ran have ended, too.
fn ending<'a>(row: &'a ResultRow, job: &Job) -> Option<Ending<'a>> {
    match (&row.answer, &row.failure) {
        (Some(answer), _) => {
            let vectors = row
                .body
                .as_deref()
                .map(VectorEncoding::of)
                .unwrap_or_default();
            Some(Ending::Answered { answer, vectors })
        }
        (None, Some(failure)) => Some(Ending::Failed(failure)),
        (None, None) => (job.state == JobState::Cancelled).then_some(Ending::Cancelled),
    }
}

enum Output {
    Standard(BufWriter<io::Stdout>),
    File(Fresh),
}

impl Output {
    fn line(&mut self, line: &ResultLine<'_>) -> Result<(), ReportError> {
        match self {
            Self::Standard(output) => write_line(line, output).map_err(standard_output),
            Self::File(file) => file.line(line),
        }
    }

    fn finish(self) -> Result<(), ReportError> {
        match self {
            Self::Standard(mut output) => output.flush().map_err(standard_output),
            Self::File(file) => file.finish(),
        }
    }
}

pub(super) fn standard_output(source: io::Error) -> ReportError {
    match source.kind() {
        io::ErrorKind::BrokenPipe => ReportError::BrokenPipe,
        _ => ReportError::File {
            path: "standard output".to_owned(),
            source,
        },
    }
}

/// A file that appears under its name only when it is complete. A device or a pipe is no such
/// file: it is written to and stays what it is.
#[derive(Debug)]
pub struct Fresh {
    file: BufWriter<File>,
    /// Where it grows until it is complete; nothing where it is written in its place.
    partial: Option<PathBuf>,
    path: PathBuf,
}

impl Fresh {
    /// Begins a file beside `path`. Without [`Fresh::finish`] nothing is left of it.
    pub fn create(path: &Path) -> Result<Self, ReportError> {
        if is_special(path) {
            let file = File::options().write(true).open(path);
            return Ok(Self {
                file: BufWriter::new(file.map_err(|source| unwritable(path, source))?),
                partial: None,
                path: path.to_path_buf(),
            });
        }
        let mut name = path.file_name().unwrap_or(path.as_os_str()).to_os_string();
        name.push(format!(".{}.part", std::process::id()));
        let partial = path.with_file_name(name);
        remove_abandoned(path);
        let file = create_locked(&partial).map_err(|source| unwritable(path, source))?;
        Ok(Self {
            file: BufWriter::new(file),
            partial: Some(partial),
            path: path.to_path_buf(),
        })
    }

    fn line(&mut self, line: &ResultLine<'_>) -> Result<(), ReportError> {
        write_line(line, &mut self.file).map_err(|source| unwritable(&self.path, source))
    }

    /// Puts it in its place, complete and on the disk.
    pub fn finish(mut self) -> Result<(), ReportError> {
        self.file
            .flush()
            .and_then(|()| match &self.partial {
                Some(partial) => {
                    self.file.get_ref().sync_all()?;
                    fs::rename(partial, &self.path)
                }
                None => Ok(()),
            })
            .map_err(|source| unwritable(&self.path, source))
    }

    /// There is nothing to keep: neither this file nor one of an earlier export.
    fn discard(self) -> Result<(), ReportError> {
        if self.partial.is_none() {
            return Ok(());
        }
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(unwritable(&self.path, error))
            }
            _ => Ok(()),
        }
    }
}

impl Write for Fresh {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Fresh {
    fn drop(&mut self) {
        // After `finish` nothing is left under this name.
        if let Some(partial) = &self.partial {
            let _ = fs::remove_file(partial);
        }
    }
}

/// Whether there is something that is neither file nor folder, such as `/dev/null`.
fn is_special(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir())
}

/// Makes a file that others can see to be in use: it stays locked as long as it is open, and a
/// process that is killed lets go of it.
fn create_locked(partial: &Path) -> io::Result<File> {
    loop {
        let file = File::create(partial)?;
        file.lock()?;
        // Somebody may have tidied it away between the two.
        if fs::exists(partial)? {
            return Ok(file);
        }
    }
}

/// Removes what killed processes left of this file. What cannot be removed does no harm, so that
/// errors are no reason to write nothing.
fn remove_abandoned(path: &Path) {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.flatten() {
        let partial = entry.path();
        if !is_part_of(path, &partial) {
            continue;
        }
        let Ok(file) = File::options().write(true).open(&partial) else {
            continue;
        };
        if file.try_lock().is_ok() {
            let _ = fs::remove_file(&partial);
        }
    }
}

/// Whether a file is named `NAME.PROCESS.part`.
fn is_part_of(path: &Path, partial: &Path) -> bool {
    let name = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let (Some(name), Some(partial)) = (name(path), name(partial)) else {
        return false;
    };
    let process = partial
        .strip_prefix(&name)
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(".part"));
    process.is_some_and(|process| {
        !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn unwritable(path: &Path, source: io::Error) -> ReportError {
    ReportError::File {
        path: path.display().to_string(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("a.jsonl", "a.results.jsonl")]
    #[case("in/a.jsonl.zst", "in/a.results.jsonl")]
    #[case("a.jsonl.gz", "a.results.jsonl")]
    #[case("prompts.txt", "prompts.txt.results.jsonl")]
    fn results_lie_beside_their_file(#[case] file: &str, #[case] results: &str) {
        assert_eq!(beside(Path::new(file), "results"), Path::new(results));
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_written_to_and_stays() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = folder.path().join("a.jsonl");
        std::os::unix::fs::symlink("/dev/null", &nowhere).unwrap();
        let mut file = Fresh::create(&nowhere).unwrap();
        file.write_all(b"gone").unwrap();
        file.finish().unwrap();
        Fresh::create(&nowhere).and_then(Fresh::discard).unwrap();
        assert!(nowhere.is_symlink() && is_special(&nowhere));
        assert_eq!(fs::read(&nowhere).unwrap(), b"");
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_what_is_being_written_stays() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let names = [
            "a.results.jsonl.4711.part",
            "a.results.jsonl.4712.part",
            "a.results.jsonl.x.part",
            "b.results.jsonl.4711.part",
        ];
        for name in names {
            fs::write(at(name), "half").unwrap();
        }
        let alive = File::options().write(true).open(at(names[1])).unwrap();
        alive.lock().unwrap();
        Fresh::create(&at("a.results.jsonl"))
            .and_then(Fresh::finish)
            .unwrap();
        let left: Vec<bool> = names.iter().map(|name| at(name).exists()).collect();
        assert_eq!(left, [false, true, true, true]);
        assert!(at("a.results.jsonl").exists());
    }
}
