//! How full context windows are: what the prompt of each lane consists of, against the window and
//! the part of it that is used at most.

use std::cmp::Reverse;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::empty;
use crate::base::count;
use crate::model::{ContextView, LaneContext, Mode, ServerState, Tokens};
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, right, sentence};
use crate::tui::theme::Meaning;
use crate::tui::ui::Pane;
use crate::tui::widget::{Piece, stack};

/// Columns of a lane's number.
const LANE: usize = 3;
/// Columns of `898/8,192`.
const FILL: usize = 15;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let view = &canvas.scene.snapshot.context;
    let inner = canvas.pane(area, Pane::Context, view.mode.word());
    if view.lanes.is_empty() && view.peak.is_none() {
        return idle(canvas, inner);
    }
    let columns = usize::from(inner.width).saturating_sub(1);
    let mut lines = vec![Line::from(canvas.span(
        Meaning::Text,
        format!(" {}", sentence(&facts(view), columns)),
    ))];
    let room = usize::from(inner.height).saturating_sub(1);
    if room > view.lanes.len() {
        lines.push(legend(canvas, view.mode));
    }
    let mut shown: Vec<&LaneContext> = view.lanes.iter().collect();
    if room < shown.len() {
        // The fullest are those that matter.
        shown.sort_by_key(|lane| Reverse(lane.total()));
    }
    let is_wordy = usize::from(inner.height) >= lines.len() + 2 * view.lanes.len();
    for lane in shown {
        lines.push(filled(canvas, lane, view, usize::from(inner.width)));
        if is_wordy {
            let text = sentence(&words(lane, view.mode), columns.saturating_sub(LANE));
            let indent = " ".repeat(LANE + 1);
            lines.push(Line::from(canvas.span(Meaning::Dim, indent + &text)));
        }
    }
    canvas.lines(inner, &lines);
}

/// Nothing has been sent: how large the windows of the loaded models are.
fn idle(canvas: &mut Canvas<'_>, inner: Rect) {
    let loaded = &canvas.scene.snapshot.server.loaded;
    if loaded.is_empty() {
        let is_down = matches!(canvas.scene.snapshot.server.state, ServerState::Down { .. });
        let why = if is_down {
            "window n/a: the server does not answer"
        } else {
            "window n/a: no model is loaded"
        };
        return empty(canvas, inner, &[why]);
    }
    let lines: Vec<Line<'static>> = loaded
        .iter()
        .map(|model| {
            let name = outside(&model.name, usize::from(inner.width).saturating_sub(26));
            Line::from(vec![
                canvas.span(Meaning::Dim, " window "),
                canvas.span(Meaning::Accent, known(model.window)),
                canvas.span(Meaning::Dim, format!(" a slot · {name}")),
            ])
        })
        .collect();
    canvas.lines(inner, &lines);
}

fn facts(view: &ContextView) -> String {
    let error = view
        .error
        .map_or("n/a".to_owned(), |error| format!("{:.0} %", error * 100.0));
    format!(
        "safe {} of {} · peak {} · estimates ±{error}",
        known(view.safe),
        known(view.window),
        known(view.peak)
    )
}

fn legend(canvas: &Canvas<'_>, mode: Mode) -> Line<'static> {
    let mut line = Line::from(canvas.span(Meaning::Text, " "));
    for piece in Piece::ALL {
        if piece == Piece::History && mode == Mode::Independent {
            continue;
        }
        let (sign, meaning) = piece.sign(canvas.theme());
        line.push_span(canvas.span(meaning, sign));
        line.push_span(canvas.span(Meaning::Dim, format!(" {} ", piece.word())));
    }
    line
}

/// A lane's number, its gauge and its figures.
fn filled(
    canvas: &Canvas<'_>,
    prompt: &LaneContext,
    view: &ContextView,
    columns: usize,
) -> Line<'static> {
    let total = prompt.total();
    let is_over = view.safe.is_some_and(|safe| total > safe);
    let meaning = if is_over {
        Meaning::Warn
    } else {
        Meaning::Text
    };
    let figures = format!("{}/{}", count(total.0), known(view.window));
    let room = columns.saturating_sub(LANE + FILL + 3);
    let number = right(&prompt.lane.to_string(), LANE);
    let mut line = Line::from(canvas.span(Meaning::Dim, format!("{number} ")));
    for span in stack(canvas.theme(), prompt, (view.window, view.safe), room).spans {
        line.push_span(span);
    }
    let figures = right(&figures, FILL);
    line.push_span(canvas.span(meaning, format!(" {figures}")));
    line
}

fn words(lane: &LaneContext, mode: Mode) -> String {
    let history = match mode {
        Mode::Independent => String::new(),
        Mode::Conversation => format!(" · history {}", count(lane.history.0)),
    };
    format!(
        "system {}{history} · question {} · answer {}",
        count(lane.system.0),
        count(lane.question.0),
        count(lane.answer.0)
    )
}

fn known(tokens: Option<Tokens>) -> String {
    tokens.map_or_else(|| "n/a".to_owned(), |tokens| count(tokens.0))
}
