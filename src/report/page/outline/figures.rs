//! What was measured: throughput, times, tokens, cards and scores.

use super::{Block, Section, UNKNOWN, card_ids, known, number, passed, span};
use crate::analysis::Spread;
use crate::base::{bytes, count};
use crate::report::page::chart::{BarChart, LineChart, Points};
use crate::report::page::{Interval, Report};
use crate::store::{CardPoint, JobReadings};

pub(super) fn throughput(report: &Report) -> Section {
    let mut blocks = Vec::new();
    if !report.intervals.is_empty() {
        let line =
            |name: &str, figure: fn(&Interval) -> u64| (name.to_owned(), rates(report, figure));
        let charts = [
            (
                "Requests a second",
                vec![
                    line("answered", |one| one.answered),
                    line("failed", |one| one.failed),
                ],
            ),
            (
                "Tokens a second",
                vec![
                    line("written", |one| one.answer_tokens),
                    line("read", |one| one.prompt_tokens),
                ],
            ),
            (
                "Seconds for an answer, mean",
                vec![(
                    "answers".to_owned(),
                    report
                        .intervals
                        .iter()
                        .map(|one| {
                            (
                                passed(report, one.at),
                                one.mean_wall_ms.map(|millis| millis / 1_000.0),
                            )
                        })
                        .collect(),
                )],
            ),
        ];
        blocks.extend(charts.map(|(title, lines)| chart(report, title, lines)));
    }
    if !report.readings.is_empty() {
        let lanes = over_time(report, |reading| Some(f64::from(reading.lanes)));
        blocks.push(chart(
            report,
            "Requests in flight",
            vec![("lanes".to_owned(), lanes)],
        ));
    }
    Section {
        title: "Throughput",
        blocks,
    }
}

pub(super) fn answers(report: &Report) -> Section {
    let results = &report.results;
    let seconds = |millis: f64| format!("{:.3}", millis / 1_000.0);
    let tokens = |tokens: f64| count(tokens.round() as u64);
    let rows: Vec<_> = [
        (
            "Time of an answer (s)",
            results.wall_ms,
            &seconds as &dyn Fn(f64) -> String,
        ),
        (
            "Time to the first token (s)",
            results.first_token_ms,
            &seconds,
        ),
        ("Tokens of a prompt", results.prompt_tokens, &tokens),
        ("Tokens of an answer", results.answer_tokens, &tokens),
    ]
    .into_iter()
    .map(|(name, spread, shown)| spread_row(name, spread, shown))
    .collect();
    let head = vec!["", "Least", "10 %", "Half", "90 %", "99 %", "Most", "Mean"];
    let mut blocks = Vec::new();
    if results.answers > 0 {
        blocks.push(Block::Table(head, rows));
        let endings = results.finish_reasons.iter();
        let endings: Vec<_> = endings
            .map(|(name, number)| format!("{name} {}", count(*number)))
            .collect();
        let facts = vec![
            ("Endings", endings.join(", ")),
            ("Empty answers", count(results.empty.count)),
            (
                "Refusals, by their first words",
                count(results.refusals.count),
            ),
            (
                "Answers that another one equals",
                count(results.duplicates.answers),
            ),
        ];
        blocks.push(Block::Facts(facts));
    }
    Section {
        title: "Answers",
        blocks,
    }
}

pub(super) fn context(report: &Report) -> Section {
    let window = report.ran_on.iter().rev().find_map(|told| told.window);
    let longest = report
        .results
        .prompt_tokens
        .map(|spread| count(spread.most as u64));
    let facts = vec![
        (
            "Tokens of prompts not read again",
            known(report.reuse.is_known().then(|| report.reuse.to_string())),
        ),
        (
            "Context window of a slot",
            known(window.map(|tokens| count(tokens.0))),
        ),
        ("Longest prompt answered", known(longest)),
        ("Trims", count(report.trims.count)),
    ];
    let rows: Vec<_> = report
        .trims
        .last
        .iter()
        .rev()
        .map(|(at, trim)| {
            vec![
                at.rfc3339(),
                trim.policy.to_string(),
                trim.reason.to_string(),
                format!("{} → {}", trim.messages_before, trim.messages_after),
                format!(
                    "{} → {}",
                    count(trim.tokens_before.0),
                    count(trim.tokens_after.0)
                ),
            ]
        })
        .collect();
    let mut blocks = vec![Block::Facts(facts)];
    if !rows.is_empty() {
        let head = vec!["When", "Policy", "Why", "Messages", "Tokens, estimated"];
        blocks.push(Block::Note("The last trims, the newest first:".to_owned()));
        blocks.push(Block::Table(head, rows));
    }
    Section {
        title: "Context",
        blocks,
    }
}

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
    let head = vec![
        "Card",
        "Memory",
        "Most of it used",
        "Hottest",
        "Power, mean",
        "Busy, mean",
    ];
    blocks.push(Block::Table(head, rows));
    let charts: [(&str, Figure); 3] = [
        ("Memory used (GB)", |card| {
            card.memory_used.map(|bytes| bytes as f64 / 1e9)
        }),
        ("Temperature (°C)", |card| card.celsius.map(f64::from)),
        ("Power (W)", |card| card.watts),
    ];
    for (title, figure) in charts {
        let lines = ids.iter().map(|id| {
            let points = over_time(report, |reading| of_card(reading, id).and_then(figure));
            (name_of(report, id), points)
        });
        blocks.push(chart(report, title, lines.collect()));
    }
    Section {
        title: "Cards",
        blocks,
    }
}

pub(super) fn scores(report: &Report) -> Section {
    let Some(scores) = &report.results.scores else {
        return Section {
            title: "Scores",
            blocks: Vec::new(),
        };
    };
    let bars = scores.bars.iter().map(|bar| {
        let label = if bar.to > bar.from {
            format!("{}–{}", number(bar.from), number(bar.to))
        } else {
            bar.from.to_string()
        };
        (label, bar.count)
    });
    let head = vec!["", "Least", "10 %", "Half", "90 %", "99 %", "Most", "Mean"];
    let decimal = |score: f64| ((score * 1_000.0).round() / 1_000.0).to_string();
    let blocks = vec![
        Block::Bars(BarChart {
            title: "Answers by score".to_owned(),
            bars: bars.collect(),
        }),
        Block::Table(head, vec![spread_row("Score", scores.spread, &decimal)]),
        Block::Facts(vec![
            ("Answers with an invalid score", count(scores.invalid.count)),
            ("Answers without a score", count(scores.missing.count)),
        ]),
    ];
    Section {
        title: "Scores",
        blocks,
    }
}

fn chart(report: &Report, title: &str, lines: Vec<(String, Points)>) -> Block {
    Block::Lines(LineChart {
        title: title.to_owned(),
        span: span(report),
        lines,
    })
}

/// Rates in the middle of their intervals. One that has hardly begun says nothing yet.
fn rates(report: &Report, figure: fn(&Interval) -> u64) -> Points {
    let longest = report.intervals.first().map_or(0.0, |first| first.seconds);
    let point = |one: &Interval| {
        let middle = passed(report, one.at).saturating_add((one.seconds * 500.0) as i64);
        let rate = one
            .rate(figure(one))
            .filter(|_| one.seconds * 2.0 >= longest);
        (middle, rate)
    };
    report.intervals.iter().map(point).collect()
}

/// Readings with a gap wherever none were taken for more than three times as long as usual.
fn over_time(report: &Report, figure: impl Fn(&JobReadings) -> Option<f64>) -> Points {
    let times: Vec<i64> = report
        .readings
        .iter()
        .map(|reading| passed(report, reading.at))
        .collect();
    let mut steps: Vec<i64> = times
        .windows(2)
        .map(|two| {
            two.iter()
                .rev()
                .copied()
                .reduce(i64::saturating_sub)
                .unwrap_or(0)
        })
        .collect();
    steps.sort_unstable();
    let usual = steps.get(steps.len() / 2).copied().unwrap_or(0);
    let mut points = Points::new();
    for (reading, at) in report.readings.iter().zip(times) {
        let before = points.last().map(|point| point.0);
        if before.is_some_and(|before| at.saturating_sub(before) > usual.saturating_mul(3)) {
            points.push((at, None));
        }
        points.push((at, figure(reading)));
    }
    points
}

fn spread_row(name: &str, spread: Option<Spread>, shown: &dyn Fn(f64) -> String) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    match spread {
        Some(s) => row.extend([s.least, s.p10, s.median, s.p90, s.p99, s.most, s.mean].map(shown)),
        None => row.extend(std::iter::repeat_n(UNKNOWN.to_owned(), 7)),
    }
    row
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
