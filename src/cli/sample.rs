//! `batchtop sample`: a batch of generated candidates that share one system prompt.

use std::io::{self, BufWriter, Write};

use super::args::Sample;
use super::context::Context;
use super::flags::FileArg;
use super::fresh::Output;
use super::outcome::{End, Outcome, Trouble};
use super::say::SayError;
use crate::sample::{SampleOptions, csv_header, csv_row, request_line};

pub(super) fn run(flags: &Sample, context: &mut Context) -> Outcome {
    match &flags.output {
        Some(FileArg::Path(path)) => {
            let mut file = Output::create(path, "-o", &[])?;
            write(flags, &mut file).map_err(|error| {
                let what = format!("cannot write `{}`: {error}", path.display());
                Trouble::new(what, "see whether the disk is full")
            })?;
            file.finish()?;
            context
                .say
                .note(&format!("{} candidates in {}", flags.count, path.display()));
        }
        Some(FileArg::Standard) | None => {
            let mut output = BufWriter::new(io::stdout().lock());
            write(flags, &mut output)
                .and_then(|()| output.flush())
                .map_err(SayError::from)?;
        }
    }
    Ok(End::Done)
}

/// Writes the batch, or the candidates as CSV.
fn write(flags: &Sample, output: &mut impl Write) -> io::Result<()> {
    if flags.csv {
        writeln!(output, "{}", csv_header().trim_end())?;
        return (0..flags.count)
            .try_for_each(|index| writeln!(output, "{}", csv_row(flags.seed, index).trim_end()));
    }
    let options = SampleOptions {
        model: flags.model.clone(),
        ..SampleOptions::default()
    };
    (0..flags.count)
        .try_for_each(|index| writeln!(output, "{}", request_line(flags.seed, index, &options)))
}
