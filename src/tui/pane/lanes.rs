//! What is outstanding: one row a lane.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{clock, empty};
use crate::base::{duration, rate};
use crate::model::{LaneView, Phase, ServerState};
use crate::tui::canvas::Canvas;
use crate::tui::text::outside;
use crate::tui::theme::Meaning;
use crate::tui::ui::{Pane, Row};
use crate::tui::widget::{Column, cells};

/// Columns of everything beside the name: lane, phase, tokens, rate, time and spaces.
const FIXED: usize = 3 + 1 + PHASE + 1 + 8 + 1 + 10 + 1 + 8 + 1;
/// Columns of what it does.
const PHASE: usize = 12;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let busy = snapshot
        .lanes
        .iter()
        .filter(|lane| lane.phase != Phase::BackingOff)
        .count();
    let detail = format!("{busy} of {}", snapshot.lanes_allowed);
    let inner = canvas.pane(area, Pane::Lanes, &detail);
    if snapshot.lanes.is_empty() {
        let why = snapshot
            .waiting
            .as_deref()
            .unwrap_or("nothing is outstanding");
        return empty(canvas, inner, &[why]);
    }
    canvas.list(inner, Pane::Lanes, |canvas, row, columns| {
        let Row::Request(request) = row else {
            return Line::default();
        };
        let found = canvas
            .scene
            .snapshot
            .lanes
            .iter()
            .find(|lane| lane.request == request);
        found.map_or_else(Line::default, |lane| line(canvas, lane, columns))
    });
}

fn line(canvas: &Canvas<'_>, lane: &LaneView, columns: usize) -> Line<'static> {
    let is_wide = columns >= FIXED + 8;
    let fixed = if is_wide { FIXED } else { 3 + 1 + PHASE + 1 };
    let name = columns.saturating_sub(fixed);
    let now = canvas.scene.now();
    let (phase, meaning) = phase(canvas, lane);
    let (time, tokens, speed) = if lane.phase == Phase::BackingOff {
        (lane.since.since(now), String::new(), String::new())
    } else {
        (
            now.since(lane.since),
            tokens(lane),
            speed(lane, now.since(lane.since)),
        )
    };
    let number = if lane.lane == 0 {
        String::new()
    } else {
        lane.lane.to_string()
    };
    let wide = |columns| if is_wide { columns } else { 0 };
    cells(
        canvas.theme(),
        &[
            Column::number(Meaning::Dim, number, 3),
            Column::word(Meaning::Text, outside(&lane.custom_id, name), name),
            Column::word(meaning, phase, PHASE),
            Column::number(Meaning::Text, tokens, wide(8)),
            Column::number(Meaning::Accent, speed, wide(10)),
            Column::number(Meaning::Dim, short(time), wide(8)),
        ],
    )
}

fn phase(canvas: &Canvas<'_>, lane: &LaneView) -> (String, Meaning) {
    let server = &canvas.scene.snapshot.server.state;
    let try_number = if lane.attempt > 1 {
        format!(" #{}", lane.attempt)
    } else {
        String::new()
    };
    let (word, meaning) = match (lane.phase, server) {
        (Phase::Waiting, ServerState::Loading { .. }) => ("loading", Meaning::Warn),
        (Phase::Waiting, _) => ("waiting", Meaning::Dim),
        (Phase::Reading, _) => ("reading", Meaning::Accent),
        (Phase::Answering, _) => ("answering", Meaning::Good),
        (Phase::BackingOff, _) => ("retry in", Meaning::Warn),
    };
    (format!("{word}{try_number}"), meaning)
}

/// `0.8 s` below a minute, `00:12:05` from there on.
fn short(time: Duration) -> String {
    if time < Duration::from_mins(1) {
        duration(time)
    } else {
        clock::elapsed(time)
    }
}

/// About one token each: nothing before the first one has come.
fn tokens(lane: &LaneView) -> String {
    if lane.chunks == 0 {
        String::new()
    } else {
        format!("{} tok", lane.chunks)
    }
}

/// Tokens a second since it was sent, reading included; told once it means anything.
fn speed(lane: &LaneView, time: Duration) -> String {
    if lane.chunks < 2 || time < Duration::from_millis(500) {
        return String::new();
    }
    format!("{} tok/s", rate(lane.chunks as f64 / time.as_secs_f64()))
}
