//! The help, written from the key map.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::action::{Action, Group};
use crate::tui::canvas::Canvas;
use crate::tui::text::{left, right};
use crate::tui::theme::Meaning;

/// Columns of the keys of an action.
const KEY_COLUMNS: usize = 22;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let inner = canvas.border(body, "Help", "esc closes", true);
    let lines = lines(canvas);
    canvas.text(inner, &lines, false);
}

fn lines(canvas: &Canvas<'_>) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    for &group in Group::ALL {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        lines.push(Line::from(
            canvas.span(Meaning::Title, format!(" {}", group.title())),
        ));
        for &action in Action::ALL.iter().filter(|action| action.group() == group) {
            lines.push(line(canvas, action));
        }
    }
    lines.push(Line::default());
    lines.push(Line::from(canvas.span(
        Meaning::Dim,
        " Mouse: click selects, the wheel scrolls what is under it, hints can be clicked.",
    )));
    lines
}

fn line(canvas: &Canvas<'_>, action: Action) -> Line<'static> {
    Line::from(vec![
        canvas.span(
            Meaning::Accent,
            right(&canvas.scene.keys.text(action), KEY_COLUMNS),
        ),
        canvas.span(
            Meaning::Text,
            format!("  {}", left(action.description(), 52)),
        ),
        canvas.span(Meaning::Dim, action.name()),
    ])
}
