//! The answer of a request while it is written, over the main view.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::base::{bytes, count};
use crate::model::{LaneView, Phase, RequestId, WatchedAnswer};
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, sentence, wrapped};
use crate::tui::theme::Meaning;

/// Columns and rows of the screen that stay free around it.
const MARGIN: (u16, u16) = (8, 4);

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let Some((_, request)) = canvas.scene.ui.watched else {
        return;
    };
    let snapshot = canvas.scene.snapshot;
    let lane = snapshot.lanes.iter().find(|lane| lane.request == request);
    let watched = snapshot
        .watched
        .as_ref()
        .filter(|watched| watched.request == request);
    let size = (
        body.width.saturating_sub(MARGIN.0).max(body.width.min(60)),
        body.height
            .saturating_sub(MARGIN.1)
            .max(body.height.min(16)),
    );
    let inner = canvas.dialog(body, "Answer", size);
    let columns = usize::from(inner.width);
    let (words, meaning) = standing(canvas, request, lane, watched);
    let name = lane.map_or_else(
        || format!("request {}", request.0),
        |lane| outside(&lane.custom_id, columns.saturating_sub(words.len() + 4)),
    );
    let head = Line::from(vec![
        canvas.span(Meaning::Title, format!(" {name}  ")),
        canvas.span(meaning, sentence(&words, columns.saturating_sub(2))),
    ]);
    canvas.line(inner, 0, &head);
    let (_, text) = crate::tui::layout::top(inner, inner.height.min(1));
    let lines = lines(canvas, watched, columns.saturating_sub(1));
    canvas.text(text, &lines, true);
}

/// What the request does, in words that claim nothing which is not known.
fn standing(
    canvas: &Canvas<'_>,
    request: RequestId,
    lane: Option<&LaneView>,
    watched: Option<&WatchedAnswer>,
) -> (String, Meaning) {
    let other = canvas.scene.snapshot.watched.as_ref();
    if let Some(other) = other.filter(|other| other.request != request && other.is_open)
        && lane.is_some()
    {
        let other = other.request.0;
        let text = format!("another screen watches request {other}");
        return (text, Meaning::Warn);
    }
    let keys = canvas.scene.keys;
    let open = keys.hint(crate::tui::action::Action::Open);
    let next = keys.hint(crate::tui::action::Action::NextPane);
    match lane.map(|lane| (lane.phase, lane.chunks)) {
        Some((Phase::Answering, chunks)) => {
            let is_thinking = watched.is_some_and(|watched| watched.is_thinking);
            let verb = if is_thinking { "thinking" } else { "answering" };
            (format!("{verb}, {} tok", count(chunks)), Meaning::Good)
        }
        Some((Phase::BackingOff, _)) => ("waits to be tried again".to_owned(), Meaning::Warn),
        Some((Phase::Reading, _)) => ("the server reads its prompt".to_owned(), Meaning::Accent),
        Some((Phase::Waiting, _)) => ("sent, no token yet".to_owned(), Meaning::Accent),
        None => {
            let text = format!("has ended: {open} opens it, {next} watches the next one");
            (text, Meaning::Accent)
        }
    }
}

fn lines(
    canvas: &Canvas<'_>,
    watched: Option<&WatchedAnswer>,
    columns: usize,
) -> Vec<Line<'static>> {
    let Some(watched) = watched else {
        return Vec::new();
    };
    let mut lines = Vec::new();
    if watched.dropped > 0 {
        let text = format!(" … {} before this", bytes(watched.dropped));
        lines.push(Line::from(
            canvas.span(Meaning::Dim, sentence(&text, columns)),
        ));
    }
    let rows = wrapped(&watched.text, columns).into_iter();
    lines.extend(rows.map(|row| Line::from(canvas.span(Meaning::Text, format!(" {row}")))));
    lines
}
