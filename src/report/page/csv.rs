//! The time series as CSV: a row for each interval, with what the cards said in it. Numbers and
//! times only, so that nothing in it is outside text; `batchtop analyze --csv` writes the requests.

use std::io;

use super::Report;
use super::outline::card_ids;
use crate::store::CardPoint;

pub(super) fn write(report: &Report, out: &mut impl io::Write) -> io::Result<()> {
    let cards = card_ids(report);
    let mut writer = csv::Writer::from_writer(out);
    let fixed = [
        "at",
        "seconds",
        "answered",
        "failed",
        "prompt_tokens",
        "answer_tokens",
        "mean_wall_ms",
        "p50_wall_ms",
        "p95_wall_ms",
        "lanes",
    ];
    let mut head: Vec<String> = fixed.map(str::to_owned).to_vec();
    for number in 1..=cards.len() {
        let names = ["memory_used", "busy_percent", "celsius", "watts"];
        head.extend(names.map(|name| format!("card{number}_{name}")));
    }
    writer.write_record(&head)?;
    let mut readings = report.readings.iter().peekable();
    for interval in &report.intervals {
        let end = interval
            .at
            .0
            .saturating_add((interval.seconds * 1_000.0) as i64);
        let mut last = None;
        while let Some(next) = readings.next_if(|next| next.at.0 < end) {
            last = (next.at >= interval.at).then_some(next).or(last);
        }
        let mut row = vec![
            interval.at.rfc3339(),
            interval.seconds.to_string(),
            interval.answered.to_string(),
            interval.failed.to_string(),
            interval.prompt_tokens.to_string(),
            interval.answer_tokens.to_string(),
            cell(
                interval
                    .mean_wall_ms
                    .map(|millis| (millis * 10.0).round() / 10.0),
            ),
            cell(interval.p50_wall_ms),
            cell(interval.p95_wall_ms),
            cell(last.map(|last| last.lanes)),
        ];
        for id in &cards {
            let point = last.and_then(|last| last.cards.iter().find(|card| card.id == *id));
            row.extend(cells(point));
        }
        writer.write_record(&row)?;
    }
    writer.flush()
}

fn cells(point: Option<&CardPoint>) -> [String; 4] {
    [
        cell(point.and_then(|point| point.memory_used)),
        cell(point.and_then(|point| point.busy_percent)),
        cell(point.and_then(|point| point.celsius)),
        cell(point.and_then(|point| point.watts)),
    ]
}

/// What is not known is an empty cell.
fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(String::new, |value| value.to_string())
}
