//! The settings of a job: as a person reads them, and as flags that say them again.

use super::{Block, Section};
use crate::base::{count, duration};
use crate::model::JobSettings;

pub(super) fn settings(settings: &JobSettings) -> Section {
    let facts = all(settings)
        .into_iter()
        .map(|setting| (setting.title, setting.shown));
    Section {
        title: "Settings",
        blocks: vec![Block::Facts(facts.collect())],
    }
}

/// The flags of the settings that differ from those that are built in, with what they take.
pub(super) fn flags(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let usual = all(&JobSettings::default());
    all(settings)
        .into_iter()
        .zip(usual)
        .filter(|(setting, usual)| setting != usual)
        .filter_map(|(setting, _)| Some((setting.flag, setting.value?)))
        .collect()
}

/// A setting of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Setting {
    title: &'static str,
    flag: &'static str,
    shown: String,
    /// What its flag takes; `None` where no flag says it.
    value: Option<String>,
}

/// All of them. The pattern names every field, so that none is forgotten when one is added.
fn all(settings: &JobSettings) -> Vec<Setting> {
    let JobSettings {
        model,
        num_ctx,
        max_tokens,
        limit,
        skip_invalid,
        parallel,
        retries,
        timeout,
        allow_spill,
        mode,
        trim,
        on_overflow,
        trim_interval,
        safe_share,
    } = settings;
    let window = num_ctx.map(u64::from);
    vec![
        model_instead(model.as_deref()),
        perhaps("Context window", "num-ctx", window, "the server's"),
        number("Cap of an answer, tokens", "max-tokens", *max_tokens),
        perhaps("Only the first requests", "limit", *limit, "all"),
        yes("Invalid lines are skipped", "skip-invalid", *skip_invalid),
        word("Lanes", "parallel", parallel.to_string()),
        number("Tries after a failure", "retries", *retries),
        Setting {
            title: "Longest time of an answer",
            flag: "timeout",
            shown: duration(*timeout),
            value: Some(format!("{}ms", timeout.as_millis())),
        },
        yes("May spill to the CPU", "allow-spill", *allow_spill),
        word("Mode", "mode", mode.word()),
        word("What is trimmed first", "trim", trim.word()),
        word("Requests too long alone", "on-overflow", on_overflow.word()),
        number("Requests between trims", "trim-interval", *trim_interval),
        word(
            "Used part of the window",
            "safe-share",
            safe_share.to_string(),
        ),
    ]
}

fn model_instead(model: Option<&str>) -> Setting {
    Setting {
        title: "Model in place of the lines'",
        flag: "model",
        shown: model.unwrap_or("none").to_owned(),
        value: model.map(str::to_owned),
    }
}

fn word(title: &'static str, flag: &'static str, word: impl Into<String>) -> Setting {
    let word = word.into();
    Setting {
        title,
        flag,
        shown: word.clone(),
        value: Some(word),
    }
}

fn yes(title: &'static str, flag: &'static str, is: bool) -> Setting {
    Setting {
        title,
        flag,
        shown: if is { "yes" } else { "no" }.to_owned(),
        value: Some(is.to_string()),
    }
}

fn number(title: &'static str, flag: &'static str, number: u32) -> Setting {
    perhaps(title, flag, Some(u64::from(number)), "")
}

/// A number, or what stands for none.
fn perhaps(
    title: &'static str,
    flag: &'static str,
    number: Option<u64>,
    none: &'static str,
) -> Setting {
    Setting {
        title,
        flag,
        shown: number.map_or_else(|| none.to_owned(), count),
        value: number.map(|number| number.to_string()),
    }
}
