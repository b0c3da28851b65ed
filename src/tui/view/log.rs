//! The log: what happened, the newest at the end.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::model::{Event, EventKind};
use crate::tui::canvas::Canvas;
use crate::tui::pane::clock;
use crate::tui::text::{left, sentence};
use crate::tui::theme::Meaning;

/// Columns of the word for a kind of event.
const KIND_COLUMNS: usize = 15;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let events = &canvas.scene.snapshot.events;
    let detail = format!("last {}", events.len());
    let inner = canvas.border(body, "Log", &detail, true);
    let lines: Vec<Line<'static>> = if events.is_empty() {
        vec![Line::from(
            canvas.span(Meaning::Dim, "nothing has happened yet"),
        )]
    } else {
        let columns = usize::from(inner.width);
        events
            .iter()
            .map(|event| line(canvas, event, columns))
            .collect()
    };
    canvas.text(inner, &lines, true);
}

fn line(canvas: &Canvas<'_>, event: &Event, columns: usize) -> Line<'static> {
    let time = clock::seconds(event.at, &canvas.scene.ui.zone);
    let kind = left(&event.kind.word().replace('_', " "), KIND_COLUMNS);
    let room = columns.saturating_sub(time.len() + KIND_COLUMNS + 2);
    Line::from(vec![
        canvas.span(Meaning::Dim, time),
        canvas.span(meaning(event.kind), format!(" {kind} ")),
        canvas.span(Meaning::Text, sentence(&event.text, room)),
    ])
}

const fn meaning(kind: EventKind) -> Meaning {
    match kind {
        EventKind::ServerDown
        | EventKind::RunnerCrash
        | EventKind::RequestFailed
        | EventKind::StoreTrouble => Meaning::Bad,
        EventKind::Reloaded
        | EventKind::Retried
        | EventKind::Guard
        | EventKind::Plan
        | EventKind::Trimmed
        | EventKind::LowReuse
        | EventKind::Card => Meaning::Warn,
        EventKind::ServerUp | EventKind::Loaded | EventKind::StoreWell => Meaning::Good,
        EventKind::JobState | EventKind::Setting | EventKind::Lanes | EventKind::Loading => {
            Meaning::Accent
        }
    }
}
