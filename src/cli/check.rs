//! `batchtop check`: what is in a batch file, and all that is wrong with it.

use serde::Serialize;

use super::args::Check;
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::profile;
use crate::base::{count, shown};
use crate::context::Calibration;
use crate::intake::{Rules, Survey, open, read_all};
use crate::model::Tokens;

/// Problems that are told in full.
const PROBLEMS_KEPT: usize = 100;

#[derive(Debug, Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    survey: &'a Survey,
    /// What runs of the model have learnt about such texts; `null` where none did.
    calibrated: Option<Calibrated>,
}

/// An estimate by what runs of one model have learnt.
#[derive(Debug, Serialize)]
struct Calibrated {
    model: String,
    estimated_tokens: Tokens,
    bytes_per_token: f64,
    error: Option<f64>,
    #[serde(skip)]
    by: Calibration,
}

pub(super) fn run(flags: &Check, context: &mut Context) -> Outcome {
    let input = open(&path(&flags.file))?;
    let survey = read_all(input, Rules::default(), PROBLEMS_KEPT);
    let calibrated = calibrated(&survey, context);
    if flags.json {
        context.say.json(&Checked {
            survey: &survey,
            calibrated,
        })?;
    } else {
        for line in survey.report().lines() {
            context.say.line(line)?;
        }
        if let Some(calibrated) = calibrated {
            context.say.line(&line(&calibrated))?;
        }
    }
    if survey.is_good() {
        Ok(End::Done)
    } else {
        Err(Trouble::Said)
    }
}

/// The estimate for the one model that runs the file: that of the settings, or else of its lines.
fn calibrated(survey: &Survey, context: &Context) -> Option<Calibrated> {
    let of_lines = match survey.models.as_slice() {
        [only] => Some(only.name.clone()),
        _ => None,
    };
    let model = context.loaded.settings.model.clone().or(of_lines)?;
    let by = profile::calibration(context, &model)?;
    Some(Calibrated {
        model,
        estimated_tokens: by.estimate(survey.prompt_bytes),
        bytes_per_token: by.bytes_per_token(),
        error: by.error(),
        by,
    })
}

fn line(calibrated: &Calibrated) -> String {
    format!(
        "By what runs of {} have shown: about {} tokens of prompts; {}.",
        shown(&calibrated.model),
        count(calibrated.estimated_tokens.0),
        profile::estimates(&calibrated.by)
    )
}

/// The path that intake understands; `-` is standard input.
pub(super) fn path(file: &FileArg) -> std::path::PathBuf {
    match file {
        FileArg::Standard => "-".into(),
        FileArg::Path(path) => path.clone(),
    }
}
