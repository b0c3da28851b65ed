//! Memory of the graphics card. Until readings exist: what the server reports about its models.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::empty;
use crate::model::LoadedModel;
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, right};
use crate::tui::theme::Meaning;
use crate::tui::ui::Pane;
use crate::tui::widget::gauge;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let inner = canvas.pane(area, Pane::Vram, "as the server reports");
    let loaded = &canvas.scene.snapshot.server.loaded;
    let unknown = "card n/a: this version reads no sensors yet";
    if loaded.is_empty() {
        return empty(canvas, inner, &["no model in the server's memory", unknown]);
    }
    let mut lines = Vec::new();
    for model in loaded {
        lines.extend(of_model(canvas, model, usize::from(inner.width)));
    }
    lines.push(Line::from(canvas.span(Meaning::Dim, format!(" {unknown}"))));
    canvas.lines(inner, &lines);
}

/// A model's name and sizes, and how much of it is on cards.
fn of_model(canvas: &Canvas<'_>, model: &LoadedModel, columns: usize) -> [Line<'static>; 2] {
    let size = right(&gib(model.size), 9);
    let name = outside(&model.name, columns.saturating_sub(20));
    let part = model.size.zip(model.size_vram).filter(|(all, _)| *all > 0);
    let part = part.map(|(all, on_cards)| on_cards as f64 / all as f64);
    let (words, meaning) = match part {
        Some(part) if part >= 0.999 => ("all on the card".to_owned(), Meaning::Good),
        Some(part) => (format!("{:.0} % on the card", part * 100.0), Meaning::Warn),
        None => ("share on the card n/a".to_owned(), Meaning::Dim),
    };
    let bar_columns = columns.saturating_sub(words.len() + 12);
    let mut second = gauge(canvas.theme(), part, bar_columns, Meaning::Bar);
    second.spans.insert(0, canvas.span(Meaning::Text, " "));
    second.push_span(canvas.span(Meaning::Text, format!("{size} ")));
    second.push_span(canvas.span(meaning, words));
    [
        Line::from(canvas.span(Meaning::Text, format!(" {name}"))),
        second,
    ]
}

fn gib(bytes: Option<u64>) -> String {
    bytes.map_or_else(
        || "n/a".to_owned(),
        |bytes| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64),
    )
}
