//! What was measured: throughput, times, tokens and scores.

use super::cards::over_time;
use super::{Block, Column, Section, Table, UNKNOWN, chart, idle, known, number, passed};
use crate::analysis::Spread;
use crate::base::{count, duration, short};
use crate::report::page::chart::{Bar, BarChart, Points};
use crate::report::page::{Interval, Report};

pub(super) fn throughput(report: &Report) -> Section {
    let mut blocks = Vec::new();
    if !report.intervals.is_empty() {
        blocks.extend(charts(report));
    }
    if !report.readings.is_empty() {
        let in_flight = over_time(report, |reading| Some(f64::from(reading.lanes)));
        let line = ("lanes".to_owned(), in_flight);
        blocks.push(chart(report, "Requests in flight", vec![line]));
    }
    if !idle(report).is_empty() {
        let text =
            "Where it is shaded, nothing ended: the job, the guard or the server stood still.";
        blocks.push(Block::Note(text.to_owned()));
    }
    Section {
        title: "Throughput",
        blocks,
    }
}

fn charts(report: &Report) -> Vec<Block> {
    let rate = |name: &str, figure: fn(&Interval) -> u64| (name.to_owned(), rates(report, figure));
    let time = |name: &str, figure: fn(&Interval) -> Option<f64>| {
        let point = |one: &Interval| {
            let seconds = figure(one).map(|millis| millis / 1_000.0);
            (middle(report, one), seconds)
        };
        let points = report.intervals.iter().map(point);
        (name.to_owned(), points.collect())
    };
    let charts = [
        (
            "Requests ended (% of all)",
            vec![("ended".to_owned(), ended(report))],
        ),
        (
            "Requests a second",
            vec![
                rate("answered", |one| one.answered),
                rate("failed", |one| one.failed),
            ],
        ),
        (
            "Tokens written a second",
            vec![rate("written", |one| one.answer_tokens)],
        ),
        (
            "Tokens of prompts a second",
            vec![rate("of prompts", |one| one.prompt_tokens)],
        ),
        (
            "Time of an answer (s)",
            vec![
                time("half are faster", |one| one.p50_wall_ms),
                time("95 % are faster", |one| one.p95_wall_ms),
            ],
        ),
    ];
    charts
        .into_iter()
        .map(|(title, lines)| chart(report, title, lines))
        .collect()
}

/// How much of the job had ended at the end of each interval.
fn ended(report: &Report) -> Points {
    let total = report.job.counts.total.max(1) as f64;
    let mut sum = 0;
    let mut points = vec![(0, Some(0.0))];
    points.extend(report.intervals.iter().map(|one| {
        sum += one.answered + one.failed;
        let end = passed(report, one.at).saturating_add((one.seconds * 1_000.0) as i64);
        (end, Some(sum as f64 * 100.0 / total))
    }));
    points
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
    let mut blocks = Vec::new();
    if results.answers > 0 {
        blocks.push(spreads(rows));
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
    let reuse = &report.reuse;
    let window = report.ran_on.iter().rev().find_map(|told| told.window);
    let longest = report
        .results
        .prompt_tokens
        .map(|spread| count(spread.most as u64));
    let facts = vec![
        (
            "Tokens of prompts not read again",
            known(reuse.share().map(|part| {
                let tokens = short(reuse.reused.0);
                format!(
                    "{tokens} ({:.1} % of {})",
                    part * 100.0,
                    short(reuse.prompt.0)
                )
            })),
        ),
        (
            "Reading them would have taken",
            known((!reuse.saved.is_zero()).then(|| duration(reuse.saved))),
        ),
        (
            "Context window of a slot",
            known(window.map(|tokens| count(tokens.0))),
        ),
        ("Longest prompt answered", known(longest)),
        ("Trims", count(report.trims.count)),
    ];
    let mut blocks = vec![Block::Facts(facts)];
    if !report.trims.last.is_empty() {
        blocks.push(Block::Note("The last trims, the newest first:".to_owned()));
        blocks.push(trims(report));
    }
    Section {
        title: "Context",
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
        Bar {
            label,
            count: bar.count,
        }
    });
    let decimal = |score: f64| ((score * 1_000.0).round() / 1_000.0).to_string();
    let mut facts = vec![("Found in", scores.places())];
    facts.extend(scores.scale_warning().map(|text| ("Scales differ", text)));
    facts.extend([
        ("Answers with an invalid score", count(scores.invalid.count)),
        ("Answers without a score", count(scores.missing.count)),
    ]);
    let blocks = vec![
        Block::Bars(BarChart {
            title: "Answers by score".to_owned(),
            bars: bars.collect(),
        }),
        spreads(vec![spread_row("Score", scores.spread, &decimal)]),
        Block::Facts(facts),
    ];
    Section {
        title: "Scores",
        blocks,
    }
}

/// Rates in the middle of their intervals. One that has hardly begun says nothing yet.
fn rates(report: &Report, figure: fn(&Interval) -> u64) -> Points {
    let longest = report.intervals.first().map_or(0.0, |first| first.seconds);
    let point = |one: &Interval| {
        let rate = one
            .rate(figure(one))
            .filter(|_| one.seconds * 2.0 >= longest);
        (middle(report, one), rate)
    };
    report.intervals.iter().map(point).collect()
}

fn middle(report: &Report, one: &Interval) -> i64 {
    passed(report, one.at).saturating_add((one.seconds * 500.0) as i64)
}

fn trims(report: &Report) -> Block {
    let rows = report.trims.last.iter().rev().map(|(at, trim)| {
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
    });
    let head = vec![
        Column::Words("When"),
        Column::Words("Policy"),
        Column::Words("Why"),
        Column::Figures("Messages"),
        Column::Figures("Tokens, estimated"),
    ];
    Block::Table(Table {
        head,
        rows: rows.collect(),
    })
}

/// A table of spreads, by the rows of [`spread_row`].
fn spreads(rows: Vec<Vec<String>>) -> Block {
    let figures = ["Least", "10 %", "Half", "90 %", "99 %", "Most", "Mean"];
    let mut head = vec![Column::Words("")];
    head.extend(figures.map(Column::Figures));
    Block::Table(Table { head, rows })
}

fn spread_row(name: &str, spread: Option<Spread>, shown: &dyn Fn(f64) -> String) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    match spread {
        Some(s) => row.extend([s.least, s.p10, s.median, s.p90, s.p99, s.most, s.mean].map(shown)),
        None => row.extend(std::iter::repeat_n(UNKNOWN.to_owned(), 7)),
    }
    row
}
