//! What happened while a job ran, on a time line and in words.

use std::collections::HashMap;
use std::time::Duration;

use super::{Block, Column, ROWS, Section, Table, cut, idle, passed, span};
use crate::base::{count, duration};
use crate::model::{Event, EventKind};
use crate::report::page::Report;
use crate::report::page::chart::{Mark, Row, TimeLine};

/// The rows of the time line.
const NAMES: [&str; 6] = ["job", "model", "server", "guard", "other", "idle"];

pub(super) fn events(report: &Report) -> Section {
    let events = &report.events;
    let mut blocks = Vec::new();
    if !events.first.is_empty() {
        blocks.push(Block::Marks(time_line(report)));
        let rows: Vec<_> = events
            .first
            .iter()
            .take(ROWS)
            .map(|it| row(report, it))
            .collect();
        let left = events.count.saturating_sub(rows.len() as u64);
        let head = vec![
            Column::Words("When"),
            Column::Figures("After"),
            Column::Words("What"),
            Column::Words("In words"),
        ];
        blocks.push(Block::Table(Table { head, rows }));
        if left > 0 {
            let text = format!("{} later events are left out here.", count(left));
            blocks.push(Block::Note(text));
        }
    }
    Section {
        title: "Events",
        blocks,
    }
}

fn row(report: &Report, event: &Event) -> Vec<String> {
    let after = u64::try_from(passed(report, event.at)).ok();
    vec![
        event.at.rfc3339(),
        after.map_or_else(
            || "before".to_owned(),
            |millis| duration(Duration::from_millis(millis)),
        ),
        event.kind.word().replace('_', " "),
        cut(&event.text),
    ]
}

fn time_line(report: &Report) -> TimeLine {
    let mut rows = NAMES.map(|name| Row {
        name,
        marks: Vec::new(),
    });
    let mut open: HashMap<EventKind, usize> = HashMap::new();
    for event in &report.events.first {
        let at = passed(report, event.at).max(0);
        let Some(row) = rows.get_mut(row_of(event.kind)) else {
            continue;
        };
        let began = began_by(event.kind).and_then(|kind| open.remove(&kind));
        if let Some(mark) = began.and_then(|place| row.marks.get_mut(place)) {
            mark.until = Some(at);
            mark.text = format!("{}; {}", mark.text, cut(&event.text));
            continue;
        }
        open.insert(event.kind, row.marks.len());
        row.marks.push(Mark {
            at,
            until: None,
            text: cut(&event.text),
        });
    }
    if let Some(row) = rows.last_mut() {
        row.marks = idle_marks(report);
    }
    TimeLine {
        title: "What happened, over the time from the start".to_owned(),
        span: span(report),
        idle: idle(report),
        rows: rows
            .into_iter()
            .filter(|row| !row.marks.is_empty())
            .collect(),
    }
}

fn idle_marks(report: &Report) -> Vec<Mark> {
    let mark = |(from, until): (i64, i64)| {
        let length = u64::try_from(until.saturating_sub(from)).unwrap_or(0);
        let length = duration(Duration::from_millis(length));
        Mark {
            at: from,
            until: Some(until),
            text: format!("nothing ended for {length}"),
        }
    };
    idle(report).into_iter().map(mark).collect()
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

/// The kind of event that began what this one ends.
const fn began_by(kind: EventKind) -> Option<EventKind> {
    match kind {
        EventKind::Loaded => Some(EventKind::Loading),
        EventKind::ServerUp => Some(EventKind::ServerDown),
        EventKind::StoreWell => Some(EventKind::StoreTrouble),
        _ => None,
    }
}
