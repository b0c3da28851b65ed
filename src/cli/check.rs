//! `batchtop check`: what is in a batch file, and all that is wrong with it.

use super::args::Check;
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use crate::intake::{Rules, open, read_all};

/// Problems that are told in full.
const PROBLEMS_KEPT: usize = 100;

pub(super) fn run(flags: &Check, context: &mut Context) -> Outcome {
    let input = open(&path(&flags.file))?;
    let survey = read_all(input, Rules::default(), PROBLEMS_KEPT);
    if flags.json {
        context.say.json(&survey)?;
    } else {
        for line in survey.report().lines() {
            context.say.line(line)?;
        }
    }
    if survey.is_good() {
        Ok(End::Done)
    } else {
        Err(Trouble::Said)
    }
}

/// The path that intake understands; `-` is standard input.
pub(super) fn path(file: &FileArg) -> std::path::PathBuf {
    match file {
        FileArg::Standard => "-".into(),
        FileArg::Path(path) => path.clone(),
    }
}
