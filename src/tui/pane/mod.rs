//! The panes: one file each, a function from the scene and an area to cells.
//!
//! A new pane is a file, a variant of [`Pane`], its rows in `rows.rs` if it is a list, and its
//! place in `layout.rs`.

pub(super) mod clock;
pub(super) mod footer;
pub(super) mod header;

mod context;
mod failures;
mod jobs;
mod lanes;
mod progress;
mod throughput;
mod trims;
mod vram;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::canvas::Canvas;
use super::text::{sentence, wrapped};
use super::theme::Meaning;
use super::ui::Pane;

/// Draws a pane.
pub(super) fn draw(canvas: &mut Canvas<'_>, pane: Pane, area: Rect) {
    match pane {
        Pane::Jobs => jobs::draw(canvas, area),
        Pane::Lanes => lanes::draw(canvas, area),
        Pane::Throughput => throughput::draw(canvas, area),
        Pane::Progress => progress::draw(canvas, area),
        Pane::Vram => vram::draw(canvas, area),
        Pane::Context => context::draw(canvas, area),
        Pane::Trims => trims::draw(canvas, area),
        Pane::Failures => failures::draw(canvas, area),
    }
}

/// Sentences about what is not there, instead of an empty pane: as many rows as there is room for.
fn empty(canvas: &mut Canvas<'_>, area: Rect, sentences: &[&str]) {
    let (columns, height) = (usize::from(area.width), usize::from(area.height));
    let columns = columns.saturating_sub(1);
    let lines: Vec<Line<'_>> = sentences
        .iter()
        .flat_map(|text| wrapped(&sentence(text, columns * height), columns))
        .take(height)
        .map(|row| Line::from(canvas.span(Meaning::Dim, format!(" {row}"))))
        .collect();
    canvas.lines(area, &lines);
}
