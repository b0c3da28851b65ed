//! What a person reads of a report: facts, tables and charts in their order, the same for every
//! form. Texts in it may be outside text; whoever writes them escapes them.

mod figures;
mod origin;

use std::time::Duration;

use super::Report;
use super::chart::{BarChart, LineChart, TimeLine};
use crate::base::{Stamp, count, duration, rate, share};
use crate::model::{EventKind, JobState};

/// Rows of a table of failures or events.
const ROWS: usize = 100;
/// What stands where nothing is known.
const UNKNOWN: &str = "n/a";

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Section {
    /// What it is about.
    pub(super) title: &'static str,
    /// What it says.
    pub(super) blocks: Vec<Block>,
}

/// What a section consists of.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Block {
    /// Names with values.
    Facts(Vec<(&'static str, String)>),
    /// A table: its head and its rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// A sentence.
    Note(String),
    /// A command line.
    Command(String),
    /// Lines over time.
    Lines(LineChart),
    /// A histogram.
    Bars(BarChart),
    /// Marks on a time line.
    Marks(TimeLine),
}

/// The title of the whole report.
pub(super) fn title(report: &Report) -> String {
    format!("Job {}: {}", report.job.id, report.job.name)
}

/// All sections that have something to say.
pub(super) fn outline(report: &Report) -> Vec<Section> {
    vec![
        result(report),
        origin::ran(report),
        figures::throughput(report),
        figures::answers(report),
        figures::context(report),
        figures::cards(report),
        cost(report),
        failures(report),
        figures::scores(report),
        events(report),
        origin::settings(report),
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

/// From the start of the job to its end, or until now.
fn took(report: &Report) -> Option<Duration> {
    let job = &report.job;
    if job.finished.is_some() {
        return job.took();
    }
    let millis = u64::try_from(span(report)).ok()?;
    job.started.map(|_| Duration::from_millis(millis))
}

fn result(report: &Report) -> Section {
    let (job, counts) = (&report.job, &report.job.counts);
    let state = match job.state.why() {
        Some(why) => format!("{}: {why}", job.state),
        None => job.state.to_string(),
    };
    let of_all = |part: u64| format!("{} ({})", count(part), share(part, counts.total));
    let mut facts = vec![
        ("State", state),
        ("Requests", count(counts.total)),
        ("Answered", of_all(counts.done)),
        ("of them cut off", count(counts.cut)),
        ("Failed", of_all(counts.failed)),
        ("Without an end yet", of_all(counts.left())),
        ("Started", known(job.started.map(Stamp::rfc3339))),
        ("Finished", known(job.finished.map(Stamp::rfc3339))),
        ("Time from the start", known(took(report).map(duration))),
        ("Tokens read", count(counts.prompt_tokens.0)),
        ("Tokens written", count(counts.answer_tokens.0)),
    ];
    facts.push(("Report written", report.written.rfc3339()));
    let mut blocks = vec![Block::Facts(facts)];
    if let Some(warning) = job.settings.mode.warning() {
        blocks.push(Block::Note(format!("Careful: {warning}.")));
    }
    if !matches!(job.state, JobState::Done | JobState::Cancelled) {
        let text = "The job is not over: these are the figures so far.";
        blocks.push(Block::Note(text.to_owned()));
    }
    Section {
        title: "Result",
        blocks,
    }
}

fn cost(report: &Report) -> Section {
    let bill = &report.bill;
    let money = |amount: Option<f64>| {
        known(amount.map(|amount| crate::base::money(amount, &bill.currency)))
    };
    let energy = report.job.energy.map(|energy| {
        let text = crate::base::energy(energy.joules);
        if energy.is_estimate() {
            text + " (estimate)"
        } else {
            text
        }
    });
    let facts = vec![
        ("Energy of the cards", known(energy)),
        ("What it cost", money(bill.cost)),
        ("The same tokens in a cloud", money(bill.cloud_cost)),
        (
            "Tokens written for each joule",
            known(bill.tokens_per_joule.map(number)),
        ),
    ];
    Section {
        title: "Energy and cost",
        blocks: vec![Block::Facts(facts)],
    }
}

fn failures(report: &Report) -> Section {
    let groups = report.failures.iter().take(ROWS);
    let rows: Vec<_> = groups
        .map(|group| {
            vec![
                group.class.name().to_owned(),
                count(group.count),
                cut(&group.sample),
            ]
        })
        .collect();
    let mut blocks = Vec::new();
    if !rows.is_empty() {
        blocks.push(Block::Table(vec!["Class", "Requests", "One of them"], rows));
    }
    if report.failures.len() > ROWS {
        let more = report.failures.len() - ROWS;
        blocks.push(Block::Note(format!(
            "{more} rarer kinds are left out here."
        )));
    }
    Section {
        title: "Failures",
        blocks,
    }
}

/// The row of an event on the time line.
const fn row_of(kind: EventKind) -> usize {
    match kind {
        EventKind::JobState | EventKind::Setting | EventKind::Retried => 0,
        EventKind::Loading | EventKind::Loaded | EventKind::Reloaded | EventKind::Plan => 1,
        EventKind::ServerDown | EventKind::ServerUp | EventKind::RunnerCrash => 2,
        EventKind::Guard | EventKind::Card => 3,
        _ => 4,
    }
}

fn events(report: &Report) -> Section {
    let events = &report.events;
    let mut rows = ["job", "model", "server", "guard", "other"].map(|name| (name, Vec::new()));
    for event in &events.first {
        if let Some(row) = rows.get_mut(row_of(event.kind)) {
            row.1
                .push((passed(report, event.at).max(0), cut(&event.text)));
        }
    }
    let listed = events.first.iter().take(ROWS);
    let listed: Vec<_> = listed
        .map(|event| {
            vec![
                event.at.rfc3339(),
                event.kind.word().to_owned(),
                cut(&event.text),
            ]
        })
        .collect();
    let mut blocks = Vec::new();
    if !listed.is_empty() {
        let left = events.count.saturating_sub(listed.len() as u64);
        blocks.push(Block::Marks(TimeLine {
            title: "What happened, over the time from the start".to_owned(),
            span: span(report),
            rows: rows.to_vec(),
        }));
        blocks.push(Block::Table(vec!["When", "What", "In words"], listed));
        if left > 0 {
            blocks.push(Block::Note(format!(
                "{} later events are left out here.",
                count(left)
            )));
        }
    }
    Section {
        title: "Events",
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
