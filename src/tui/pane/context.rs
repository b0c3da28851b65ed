//! How full context windows are. Until that is measured: how large they are.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::empty;
use crate::base::count;
use crate::tui::canvas::Canvas;
use crate::tui::text::outside;
use crate::tui::theme::Meaning;
use crate::tui::ui::Pane;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let inner = canvas.pane(area, Pane::Context, "tokens");
    let loaded = &canvas.scene.snapshot.server.loaded;
    let unknown = "fill n/a: this version does not measure it yet";
    if loaded.is_empty() {
        return empty(canvas, inner, &["window n/a: no model is loaded", unknown]);
    }
    let mut lines: Vec<Line<'static>> = Vec::new();
    for model in loaded {
        let window = model
            .window
            .map_or_else(|| "n/a".to_owned(), |window| count(window.0));
        let name = outside(&model.name, usize::from(inner.width).saturating_sub(26));
        lines.push(Line::from(vec![
            canvas.span(Meaning::Dim, " window "),
            canvas.span(Meaning::Accent, window),
            canvas.span(Meaning::Dim, format!(" a slot · {name}")),
        ]));
    }
    lines.push(Line::from(canvas.span(Meaning::Dim, format!(" {unknown}"))));
    canvas.lines(inner, &lines);
}
