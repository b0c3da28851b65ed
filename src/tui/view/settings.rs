//! The settings in force with their origins, and the switches that act at once.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::action::Action;
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, right, sentence};
use crate::tui::theme::Meaning;

/// Columns of the key of a switch.
const KEY_COLUMNS: usize = 6;
/// Columns of the name of the user's own theme.
const NAME_COLUMNS: usize = 30;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let inner = canvas.border(body, "Settings", "esc closes", true);
    let columns = usize::from(inner.width).saturating_sub(2);
    let mut lines = switches(canvas);
    lines.push(Line::default());
    for text in &canvas.scene.ui.start.shown {
        let (value, origin) = text.rsplit_once("  # ").unwrap_or((text, ""));
        let value = sentence(value, columns);
        let meaning = if value.starts_with('[') {
            Meaning::Title
        } else {
            Meaning::Text
        };
        let room = columns.saturating_sub(crate::base::width(&value) + 2);
        let origin = sentence(origin, room);
        lines.push(Line::from(vec![
            canvas.span(meaning, format!(" {value}")),
            canvas.span(Meaning::Dim, format!("  {origin}")),
        ]));
    }
    canvas.text(inner, &lines, false);
}

fn switches(canvas: &Canvas<'_>) -> Vec<Line<'static>> {
    let ui = canvas.scene.ui;
    let on = |is_on: bool| if is_on { "on" } else { "off" };
    let rows = [
        (
            Action::Theme,
            format!("theme: {}", outside(&ui.theme.name, NAME_COLUMNS)),
        ),
        (Action::Ascii, format!("ASCII: {}", on(ui.theme.ascii))),
        (Action::Mouse, format!("mouse: {}", on(ui.mouse))),
    ];
    let row = |(action, words): (Action, String)| {
        let key = right(&canvas.scene.keys.hint(action), KEY_COLUMNS);
        Line::from(vec![
            canvas.span(Meaning::Accent, key),
            canvas.span(Meaning::Text, format!("  {words}")),
        ])
    };
    rows.into_iter().map(row).collect()
}
