//! Where the answers come from: file, model, server, settings, and the command that asks again.

use std::fmt::Write as _;

use super::{Block, Section, known};
use crate::base::{bytes, count, duration};
use crate::model::{JobSettings, RanOn};
use crate::report::page::Report;

pub(super) fn ran(report: &Report) -> Section {
    let (job, source) = (&report.job, &report.job.source);
    let facts = vec![
        ("File", source.path.clone()),
        ("Size", bytes(source.bytes)),
        ("blake3 of the file", source.hash.clone()),
        (
            "Endpoint",
            known(job.endpoint.map(|endpoint| endpoint.url().to_owned())),
        ),
        ("Models that it names", job.models.join(", ")),
        ("Put in the queue", job.created.rfc3339()),
    ];
    let mut blocks = vec![Block::Facts(facts)];
    if report.ran_on.is_empty() {
        let text = "What it ran on is not known: no model was loaded for it yet, or by an earlier version.";
        blocks.push(Block::Note(text.to_owned()));
    } else {
        let head = vec![
            "Model",
            "Digest",
            "Quantisation",
            "Window",
            "Server",
            "Driver",
            "Cards",
            "batchtop",
        ];
        let rows = report.ran_on.iter().map(row).collect();
        blocks.push(Block::Table(head, rows));
    }
    Section {
        title: "What ran",
        blocks,
    }
}

fn row(told: &RanOn) -> Vec<String> {
    let cards = (!told.cards.is_empty()).then(|| told.cards.join(", "));
    vec![
        told.model.clone(),
        known(told.digest.clone()),
        known(told.quantization.clone()),
        known(told.window.map(|tokens| count(tokens.0))),
        known(told.server_version.clone()),
        known(told.driver.clone()),
        known(cards),
        told.program.clone(),
    ]
}

pub(super) fn settings(report: &Report) -> Section {
    let settings = &report.job.settings;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let facts = vec![
        (
            "Model in place of the lines'",
            settings.model.clone().unwrap_or_else(|| "none".into()),
        ),
        (
            "Context window",
            settings
                .num_ctx
                .map_or_else(|| "the server's".into(), |it| count(it.into())),
        ),
        (
            "Cap of an answer, tokens",
            count(settings.max_tokens.into()),
        ),
        (
            "Only the first requests",
            settings.limit.map_or_else(|| "all".into(), count),
        ),
        ("Invalid lines are skipped", yes(settings.skip_invalid)),
        ("Lanes", settings.parallel.to_string()),
        ("Tries after a failure", settings.retries.to_string()),
        ("Longest time of an answer", duration(settings.timeout)),
        ("May spill to the CPU", yes(settings.allow_spill)),
        ("Mode", settings.mode.word().into()),
        ("What is trimmed first", settings.trim.word().into()),
        (
            "Single requests that are too long",
            settings.on_overflow.word().into(),
        ),
        (
            "Requests between two trims, at most",
            settings.trim_interval.to_string(),
        ),
        (
            "Part of the window that is used",
            settings.safe_share.to_string(),
        ),
    ];
    Section {
        title: "Settings",
        blocks: vec![Block::Facts(facts)],
    }
}

pub(super) fn again(report: &Report) -> Section {
    let job = &report.job;
    let mut command = format!("batchtop run {} --new", quoted(&job.source.path));
    for (name, value) in flags(&job.settings) {
        let _ = write!(command, " --{name}={}", quoted(&value));
    }
    let note = "The same content, by its blake3, and the same model, by its digest, give the same requests:";
    Section {
        title: "Run it again",
        blocks: vec![Block::Note(note.to_owned()), Block::Command(command)],
    }
}

/// The settings that differ from those that are built in.
fn flags(settings: &JobSettings) -> Vec<(&'static str, String)> {
    let usual = JobSettings::default();
    let mut flags = Vec::new();
    let mut add = |name, value: Option<String>, usual: Option<String>| {
        if value != usual {
            flags.extend(value.map(|value| (name, value)));
        }
    };
    let all = |settings: &JobSettings| {
        [
            ("model", settings.model.clone()),
            ("num-ctx", settings.num_ctx.map(|it| it.to_string())),
            ("max-tokens", Some(settings.max_tokens.to_string())),
            ("limit", settings.limit.map(|it| it.to_string())),
            ("skip-invalid", Some(settings.skip_invalid.to_string())),
            ("parallel", Some(settings.parallel.to_string())),
            ("retries", Some(settings.retries.to_string())),
            (
                "timeout",
                Some(format!("{}ms", settings.timeout.as_millis())),
            ),
            ("allow-spill", Some(settings.allow_spill.to_string())),
            ("mode", Some(settings.mode.word().to_owned())),
            ("trim", Some(settings.trim.word().to_owned())),
            ("on-overflow", Some(settings.on_overflow.word().to_owned())),
            ("trim-interval", Some(settings.trim_interval.to_string())),
            ("safe-share", Some(settings.safe_share.to_string())),
        ]
    };
    for ((name, value), (_, usual)) in all(settings).into_iter().zip(all(&usual)) {
        add(name, value, usual);
    }
    flags
}

/// A word of a POSIX shell that means itself.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:%+=@,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
