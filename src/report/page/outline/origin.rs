//! Where the answers come from: file, model and server, and the command that asks again.

use std::fmt::Write as _;

use super::settings::flags;
use super::{Block, Column, Section, Table, known};
use crate::base::{bytes, count};
use crate::model::RanOn;
use crate::report::page::Report;

pub(super) fn ran(report: &Report) -> Section {
    let (job, source) = (&report.job, &report.job.source);
    let path = match source.path.as_str() {
        "-" => "standard input".to_owned(),
        path => path.to_owned(),
    };
    let endpoint = job.endpoint.map(|endpoint| endpoint.url().to_owned());
    let mut facts = vec![
        ("File", path),
        ("Size", bytes(source.bytes)),
        ("blake3 of the file", source.hash.clone()),
        ("Endpoint", known(endpoint)),
        ("Models that it names", job.models.join(", ")),
        ("Put in the queue", job.created.rfc3339()),
    ];
    let mut rest = None;
    match report.ran_on.as_slice() {
        [] => {
            let text = "What it ran on is not known: no model was loaded for it yet, or by an earlier version.";
            rest = Some(Block::Note(text.to_owned()));
        }
        [told] => facts.extend(TITLES.into_iter().zip(cells(told))),
        several => {
            rest = Some(Block::Table(Table {
                head: TITLES.map(Column::Words).to_vec(),
                rows: several.iter().map(|told| cells(told).to_vec()).collect(),
            }));
        }
    }
    let mut blocks = vec![Block::Facts(facts)];
    blocks.extend(rest);
    Section {
        title: "What ran",
        blocks,
    }
}

/// What is told of the ground on which it ran.
const TITLES: [&str; 8] = [
    "Model",
    "Digest of the model",
    "Quantisation",
    "Window",
    "Server",
    "Driver",
    "Cards",
    "batchtop",
];

fn cells(told: &RanOn) -> [String; 8] {
    let cards = (!told.cards.is_empty()).then(|| told.cards.join(", "));
    let server = told.server_version.clone();
    [
        told.model.clone(),
        known(told.digest.clone()),
        known(told.quantization.clone()),
        known(told.window.map(|tokens| count(tokens.0))),
        if told.simulated {
            format!("SIMULATED, not a real one ({})", known(server))
        } else {
            known(server)
        },
        known(told.driver.clone()),
        known(cards),
        told.program.clone(),
    ]
}

pub(super) fn again(report: &Report) -> Section {
    let job = &report.job;
    let mut command = format!("batchtop run {} --new", quoted(&job.source.path));
    for (flag, value) in flags(&job.settings) {
        let _ = write!(command, " --{flag}={}", quoted(&value));
    }
    if job.source.path == "-" {
        command.push_str(" < FILE");
    }
    let note = "The same content, by its blake3, and the same model, by its digest, give the same requests:";
    Section {
        title: "Run it again",
        blocks: vec![Block::Note(note.to_owned()), Block::Command(command)],
    }
}

/// A word of a POSIX shell that means itself.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-:%+=@,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}
