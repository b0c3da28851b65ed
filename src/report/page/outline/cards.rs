//! What the cards said while a job ran: memory, heat, power and energy.

use super::{Block, Column, Section, Table, card_ids, chart, known, passed};
use crate::base::bytes;
use crate::report::page::Report;
use crate::report::page::chart::Points;
use crate::store::{CardPoint, JobReadings};

/// One figure of what a card said.
type Figure = fn(&CardPoint) -> Option<f64>;

pub(super) fn cards(report: &Report) -> Section {
    let ids = card_ids(report);
    let mut blocks = Vec::new();
    if ids.is_empty() {
        blocks.push(Block::Note(
            "No card could be read while it ran.".to_owned(),
        ));
        return Section {
            title: "Cards",
            blocks,
        };
    }
    let rows = ids.iter().map(|id| card_row(report, id)).collect();
    let mut head = vec![Column::Words("Card")];
    let figures = [
        "Memory",
        "Most of it used",
        "Hottest",
        "Power, mean",
        "Busy, mean",
    ];
    head.extend(figures.map(Column::Figures));
    blocks.push(Block::Table(Table { head, rows }));
    let charts: [(&str, Figure); 4] = [
        ("Memory used (GB)", |card| {
            card.memory_used.map(|bytes| bytes as f64 / 1e9)
        }),
        ("Temperature (°C)", |card| card.celsius.map(f64::from)),
        ("Power (W)", |card| card.watts),
        ("Busy (%)", |card| card.busy_percent.map(f64::from)),
    ];
    for (title, figure) in charts {
        let lines = ids.iter().map(|id| {
            let points = over_time(report, |reading| of_card(reading, id).and_then(figure));
            (name_of(report, id), points)
        });
        blocks.push(chart(report, title, lines.collect()));
    }
    let lines = ids
        .iter()
        .map(|id| (name_of(report, id), energy(report, id)));
    blocks.push(chart(
        report,
        "Energy so far, by the power read (Wh)",
        lines.collect(),
    ));
    Section {
        title: "Cards",
        blocks,
    }
}

/// Readings with a gap wherever none were taken for more than three times as long as usual.
pub(super) fn over_time(report: &Report, figure: impl Fn(&JobReadings) -> Option<f64>) -> Points {
    let longest = longest_step(report);
    let mut points = Points::new();
    for reading in &report.readings {
        let at = passed(report, reading.at);
        let before = points.last().map(|point| point.0);
        if before.is_some_and(|before| at.saturating_sub(before) > longest) {
            points.push((at, None));
        }
        points.push((at, figure(reading)));
    }
    points
}

/// Two readings that are further apart have a gap between them, in milliseconds.
fn longest_step(report: &Report) -> i64 {
    let step = |two: &[JobReadings]| match two {
        [first, second] => second.at.0.saturating_sub(first.at.0),
        _ => 0,
    };
    let mut steps: Vec<i64> = report.readings.windows(2).map(step).collect();
    steps.sort_unstable();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(0);
    usual.saturating_mul(3)
}

/// The energy that a card has used: its power between two readings, and nothing across gaps. What
/// a job used in all is counted by the engine, and more exactly.
fn energy(report: &Report, id: &str) -> Points {
    const MILLISECONDS_AN_HOUR: f64 = 3_600_000.0;
    let longest = longest_step(report);
    let (mut sum, mut before) = (0.0, None::<(i64, f64)>);
    let mut points = Points::new();
    for reading in &report.readings {
        let at = passed(report, reading.at);
        let watts = of_card(reading, id).and_then(|card| card.watts);
        if let (Some((then, less)), Some(watts)) = (before, watts)
            && (0..=longest).contains(&at.saturating_sub(then))
        {
            sum += f64::midpoint(less, watts) * (at - then) as f64 / MILLISECONDS_AN_HOUR;
        }
        before = watts.map(|watts| (at, watts)).or(before);
        points.push((at, before.map(|_| sum)));
    }
    points
}

fn of_card<'a>(reading: &'a JobReadings, id: &str) -> Option<&'a CardPoint> {
    reading.cards.iter().find(|card| card.id == id)
}

fn name_of(report: &Report, id: &str) -> String {
    let mut points = report
        .readings
        .iter()
        .filter_map(|reading| of_card(reading, id));
    points
        .next()
        .map_or_else(|| id.to_owned(), |card| card.name.clone())
}

fn card_row(report: &Report, id: &str) -> Vec<String> {
    let points = || {
        report
            .readings
            .iter()
            .filter_map(|reading| of_card(reading, id))
    };
    let mean = |figure: fn(&CardPoint) -> Option<f64>| {
        let (sum, count) = points()
            .filter_map(figure)
            .fold((0.0, 0_u32), |(sum, count), value| (sum + value, count + 1));
        (count > 0).then(|| sum / f64::from(count))
    };
    let total = points().filter_map(|card| card.memory_total).max();
    let used = points().filter_map(|card| card.memory_used).max();
    let celsius = points().filter_map(|card| card.celsius).max();
    vec![
        name_of(report, id),
        known(total.map(bytes)),
        known(used.map(bytes)),
        known(celsius.map(|celsius| format!("{celsius} °C"))),
        known(mean(|card| card.watts).map(|watts| format!("{watts:.0} W"))),
        known(
            mean(|card| card.busy_percent.map(f64::from)).map(|percent| format!("{percent:.0} %")),
        ),
    ]
}
