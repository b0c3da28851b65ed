//! `batchtop export`: the answers and failures of a job so far.

use std::path::PathBuf;

use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::output_flags::{self, Export};
use crate::base::count;
use crate::report::{Destination, Order, beside, write_results};
use crate::store::FindError;

pub(super) fn run(flags: &Export, context: &mut Context) -> Outcome {
    let name = &flags.one.job;
    let Some(reader) = context.reader()? else {
        return Err(Trouble::from(FindError::None(name.to_string())));
    };
    let job = reader.find(name)?;
    let answers = match &flags.output {
        Some(FileArg::Standard) => Destination::Standard,
        Some(FileArg::Path(path)) => Destination::File(path.clone()),
        None => Destination::File(PathBuf::from(format!("job-{}.results.jsonl", job.id))),
    };
    let errors = flags.errors.clone().or_else(|| match &answers {
        Destination::File(path) => Some(errors_beside(path)),
        Destination::Standard => None,
    });
    let order = match flags.order {
        output_flags::Order::Input => Order::Input,
        output_flags::Order::Finished => Order::Finished,
    };
    let written = write_results(&reader, &job, &answers, errors.as_deref(), order)?;
    if let Destination::File(path) = &answers {
        let text = format!("{} answers in {}", count(written.answers), path.display());
        context.say.note(&text);
    }
    match errors {
        Some(path) if written.errors > 0 => {
            let text = format!("{} failures in {}", count(written.errors), path.display());
            context.say.note(&text);
        }
        None if written.errors > 0 => context.say.note(&format!(
            "{} failures are not written; `--errors FILE` writes them",
            count(written.errors)
        )),
        _ => {}
    }
    if written.left > 0 {
        context
            .say
            .note(&format!("{} requests have no end yet", count(written.left)));
    }
    Ok(End::Done)
}

/// `a.results.jsonl` has its failures in `a.errors.jsonl`.
fn errors_beside(answers: &std::path::Path) -> PathBuf {
    let name = answers
        .file_name()
        .unwrap_or(answers.as_os_str())
        .to_string_lossy();
    match name.strip_suffix(".results.jsonl") {
        Some(stem) => answers.with_file_name(format!("{stem}.errors.jsonl")),
        None => beside(answers, "errors"),
    }
}
