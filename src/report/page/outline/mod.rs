//! What a person reads of a report: facts, tables and charts in their order, the same for every
//! form. Texts in it may be outside text; whoever writes them escapes them.

mod block;
mod cards;
mod events;
mod figures;
mod origin;
mod result;
mod settings;

pub(super) use block::{Block, Column, Progress, Section, Table, Tile};
pub(super) use result::lead;

use super::Report;
use super::chart::{LineChart, Points, Spans};
use crate::base::{Stamp, count, rate, share};

/// Rows of a table of failures or events.
const ROWS: usize = 100;
/// What stands where nothing is known.
const UNKNOWN: &str = "n/a";
/// Shorter stretches without an end are no standstill.
const SHORTEST_IDLE: f64 = 60.0;
/// So many times as long as nearly every answer takes.
const IDLE_ANSWERS: f64 = 3.0;

/// The title of the whole report.
pub(super) fn title(report: &Report) -> String {
    format!("Job {}: {}", report.job.id, report.job.name)
}

/// All sections that have something to say.
pub(super) fn outline(report: &Report) -> Vec<Section> {
    vec![
        result::result(report),
        origin::ran(report),
        figures::throughput(report),
        figures::answers(report),
        figures::scores(report),
        figures::context(report),
        cards::cards(report),
        result::cost(report),
        failures(report),
        events::events(report),
        settings::settings(&report.job.settings),
        origin::again(report),
    ]
    .into_iter()
    .filter(|section| !section.blocks.is_empty())
    .collect()
}

/// A number with the digits that matter.
pub(super) fn number(value: f64) -> String {
    rate(value)
}

/// The cards of the readings in the order in which they appear.
pub(super) fn card_ids(report: &Report) -> Vec<&str> {
    let mut ids: Vec<&str> = Vec::new();
    for card in report.readings.iter().flat_map(|reading| &reading.cards) {
        // A handful: looking through them costs less than a set.
        if !ids.contains(&card.id.as_str()) {
            ids.push(&card.id);
        }
    }
    ids
}

fn known(text: Option<String>) -> String {
    text.unwrap_or_else(|| UNKNOWN.to_owned())
}

fn start(report: &Report) -> Stamp {
    report.job.started.unwrap_or(report.job.created)
}

/// Milliseconds from the start.
fn passed(report: &Report, at: Stamp) -> i64 {
    at.0.saturating_sub(start(report).0)
}

/// Milliseconds that the report covers.
fn span(report: &Report) -> i64 {
    passed(report, report.until()).max(1)
}

/// Stretches in which nothing ended for much longer than an answer takes: pauses and outages,
/// whatever their cause.
fn idle(report: &Report) -> Spans {
    let answer = report.results.wall_ms.map_or(0.0, |spread| spread.p99);
    let shortest = (SHORTEST_IDLE * 1_000.0).max(IDLE_ANSWERS * answer);
    let is_empty = |one: &super::Interval| one.answered + one.failed == 0;
    let stretches = report
        .intervals
        .chunk_by(|a, b| is_empty(a) == is_empty(b))
        .filter(|stretch| stretch.first().is_some_and(is_empty));
    stretches
        .filter_map(|stretch| {
            let (first, last) = (stretch.first()?, stretch.last()?);
            let end = passed(report, last.at).saturating_add((last.seconds * 1_000.0) as i64);
            Some((passed(report, first.at), end))
        })
        .filter(|(from, until)| until.saturating_sub(*from) as f64 >= shortest)
        .collect()
}

fn chart(report: &Report, title: &str, lines: Vec<(String, Points)>) -> Block {
    Block::Lines(LineChart {
        title: title.to_owned(),
        span: span(report),
        idle: idle(report),
        lines,
    })
}

fn failures(report: &Report) -> Section {
    let groups = report.failures.iter().take(ROWS);
    let rows: Vec<_> = groups
        .map(|group| {
            vec![
                group.class.name().to_owned(),
                count(group.count),
                share(group.count, report.job.counts.total),
                cut(&group.sample),
            ]
        })
        .collect();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        let head = vec![
            Column::Words("Class"),
            Column::Figures("Requests"),
            Column::Figures("Of all"),
            Column::Words("One of them"),
        ];
        blocks.push(Block::Table(Table { head, rows }));
    }
    if report.failures.len() > ROWS {
        let more = report.failures.len() - ROWS;
        blocks.push(Block::Note(format!(
            "{more} rarer kinds are left out here."
        )));
    }
    if !report.attempts.is_empty() {
        let classes = report.attempts.iter();
        let classes: Vec<_> = classes
            .map(|(class, number)| format!("{} {}", class.name(), count(*number)))
            .collect();
        blocks.push(Block::Facts(vec![(
            "Failed attempts, those that were made again included",
            classes.join(", "),
        )]));
    }
    Section {
        title: "Failures",
        blocks,
    }
}

/// Outside text is as long as it likes; what is left out is marked.
fn cut(text: &str) -> String {
    const LONGEST: usize = 300;
    let mut short: String = text.chars().take(LONGEST).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
