//! Where a report goes, and the writing of it.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::files::standard_output;
use super::{Destination, Fresh, Report, ReportError};
use crate::model::{Format, Job};

/// The file of a report that has no name yet: beside the batch file, or in this folder where the
/// batch came from standard input. `a.jsonl.gz` has its report in `a.report.html`.
pub fn report_path(job: &Job, format: Format, folder: &Path) -> PathBuf {
    if job.source.path == "-" {
        return folder.join(format!("job-{}.report.{format}", job.id));
    }
    super::beside(Path::new(&job.source.path), "report").with_extension(format.word())
}

/// Writes a report in a form.
pub fn write_report(report: &Report, format: Format, to: &Destination) -> Result<(), ReportError> {
    match to {
        Destination::Standard => {
            let mut output = io::BufWriter::new(io::stdout());
            let written = report.write(format, &mut output);
            written
                .and_then(|()| output.flush())
                .map_err(standard_output)
        }
        Destination::File(path) => {
            let mut file = Fresh::create(path)?;
            report
                .write(format, &mut file)
                .map_err(|source| ReportError::File {
                    path: path.display().to_string(),
                    source,
                })?;
            file.finish()
        }
    }
}
