//! A probe in words.

use super::Report;
use crate::base::{bytes, count, duration, rate, width};
use crate::context::{Recommendation, Step, Stop};

const HEAD: [&str; 8] = [
    "window", "at once", "size", "on cards", "load", "read", "reads/s", "writes/s",
];

/// The table of all steps and what they recommend.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines = vec![row(&HEAD.map(str::to_owned), "result")];
    lines.extend(report.steps.iter().map(line));
    lines.push(String::new());
    lines.extend(remarks(&report.steps));
    lines.push(match report.recommendation {
        Some(found) => recommended(&report.model, found),
        None => "no window went well: a smaller model or a stronger quantisation would".to_owned(),
    });
    lines
}

/// A step in a line of the table.
pub(super) fn line(step: &Step) -> String {
    let figures = &step.figures;
    let unknown = || "n/a".to_owned();
    let cells = [
        count(step.trial.window.into()),
        step.trial.lanes.to_string(),
        figures.size.map_or_else(unknown, bytes),
        figures.size_vram.map_or_else(unknown, bytes),
        figures.load.map_or_else(unknown, duration),
        figures.read.map_or_else(unknown, |read| count(read.0)),
        figures.prefill.map_or_else(unknown, rate),
        figures.decode.map_or_else(unknown, rate),
    ];
    let result = match (&step.stop, figures.recalled) {
        (Some(why), _) => why.to_string(),
        (None, Some(true)) => "well, and its first words were recalled".to_owned(),
        (None, Some(false)) => "well, by the server's count".to_owned(),
        (None, None) => "well".to_owned(),
    };
    row(&cells, &result)
}

fn row(cells: &[String; 8], result: &str) -> String {
    const COLUMN: usize = 10;
    let cells = cells.iter().map(|cell| {
        let space = " ".repeat(COLUMN.saturating_sub(width(cell)));
        format!("{space}{cell}")
    });
    format!(
        "{}  {}",
        cells.collect::<String>(),
        crate::base::shown(result)
    )
}

/// What one should know about this server.
fn remarks(steps: &[Step]) -> Vec<String> {
    let cut = steps
        .iter()
        .any(|step| matches!(step.stop, Some(Stop::CutSilently { .. })));
    let cut = cut.then(|| {
        "this server cuts prompts silently that are too long for it: never use a larger window"
            .to_owned()
    });
    let slots = steps.iter().find_map(|step| match step.stop {
        Some(Stop::FewerSlots { slots }) => Some(slots),
        _ => None,
    });
    let slots = slots.map(|slots| {
        format!(
            "the server works on {slots} at once; `OLLAMA_NUM_PARALLEL` of the server sets that"
        )
    });
    cut.into_iter().chain(slots).collect()
}

fn recommended(model: &str, found: Recommendation) -> String {
    let why = if found.window < found.largest {
        format!("90 % of the {} that went well", count(found.largest.into()))
    } else {
        "nothing larger was refused".to_owned()
    };
    format!(
        "recommended: --model {} --num-ctx {} --parallel {} ({why})",
        crate::base::shown(model),
        found.window,
        found.lanes
    )
}
