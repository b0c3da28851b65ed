//! Files that commands make of others: whole or not at all, and never over what they are made of.

use std::io::{self, Write};
use std::path::Path;

use super::check::path;
use super::flags::FileArg;
use super::outcome::Trouble;
use crate::report::{Fresh, ReportError};

/// A file that is being written.
pub(super) struct Output {
    file: Fresh,
    flag: &'static str,
}

impl Output {
    /// Begins a file that was named with `flag` and is made of these. Without [`Output::finish`]
    /// nothing is left of it.
    pub(super) fn create(
        output: &Path,
        flag: &'static str,
        made_of: &[&FileArg],
    ) -> Result<Self, Trouble> {
        for input in made_of {
            refuse_same(input, output, flag)?;
        }
        let file = Fresh::create(output).map_err(|error| elsewhere(error, flag))?;
        Ok(Self { file, flag })
    }

    /// Puts it in its place, complete and on the disk.
    pub(super) fn finish(self) -> Result<(), Trouble> {
        let flag = self.flag;
        self.file.finish().map_err(|error| elsewhere(error, flag))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writing over what is read would lose it.
fn refuse_same(input: &FileArg, output: &Path, flag: &str) -> Result<(), Trouble> {
    let real = |path: &Path| path.canonicalize().ok();
    let is_same = real(&path(input)).is_some_and(|input| real(output) == Some(input));
    if is_same {
        let what = format!("`{}` would be written over itself", output.display());
        return Err(Trouble::new(
            what,
            format!("name another file with `{flag}`"),
        ));
    }
    Ok(())
}

fn elsewhere(error: ReportError, flag: &str) -> Trouble {
    match error {
        error @ ReportError::File { .. } => Trouble::new(
            error.to_string(),
            format!("name another file with `{flag}`, or see whether the disk is full"),
        ),
        other => other.into(),
    }
}
