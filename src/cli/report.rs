//! `batchtop report`: what ran, how it went and what it cost, also in the middle of a run.

use std::path::{Path, PathBuf};

use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::output_flags::ReportFlags;
use crate::base::Stamp;
use crate::model::{Format, Job, ReportTo};
use crate::report::{Destination, gather, report_path, write_report};
use crate::store::{FindError, Reader, StoreError};

pub(super) fn run(flags: &ReportFlags, context: &mut Context) -> Outcome {
    let name = &flags.one.job;
    let Some(reader) = context.reader()? else {
        return Err(Trouble::from(FindError::None(name.to_string())));
    };
    let job = reader.find(name)?;
    let to = match &flags.output {
        Some(FileArg::Path(path)) => Destination::File(path.clone()),
        Some(FileArg::Standard) | None => Destination::Standard,
    };
    let named = match &to {
        Destination::File(path) => Some((path, Format::of_path(path))),
        Destination::Standard => None,
    };
    let format = match (flags.format, named) {
        (Some(format), _) | (None, Some((_, Some(format)))) => format,
        (None, None) => Format::Markdown,
        (None, Some((path, None))) => {
            return Err(Trouble::new(
                format!(
                    "the ending of `{}` names no form of a report",
                    path.display()
                ),
                "end it with .md, .html, .json or .csv, or add `--format`",
            ));
        }
    };
    write(&reader, &job, (format, &to), context)?;
    Ok(End::Done)
}

/// Writes the report of a run that has ended, where one is asked for.
pub(super) fn at_the_end(
    reader: &Reader,
    job: &Job,
    asked: Option<&ReportTo>,
    context: &mut Context,
) -> Result<(), Trouble> {
    let Some(asked) = asked else {
        return Ok(());
    };
    let (format, path) = match asked {
        ReportTo::Beside(format) => (*format, report_path(job, *format, Path::new(""))),
        ReportTo::File(format, path) => (*format, PathBuf::from(path)),
    };
    write(reader, job, (format, &Destination::File(path)), context)
}

fn write(
    reader: &Reader,
    job: &Job,
    (format, to): (Format, &Destination),
    context: &mut Context,
) -> Result<(), Trouble> {
    let prices = context.loaded.settings.prices();
    let report =
        gather(reader, job.id, &prices, Stamp::now())?.ok_or(StoreError::NoJob(job.id.0))?;
    write_report(&report, format, to)?;
    if let Destination::File(path) = to {
        context
            .say
            .note(&format!("the report is in {}", path.display()));
    }
    Ok(())
}
