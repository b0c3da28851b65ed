//! What fills the screen: one file a view, between the header and the footer.
//!
//! Drawing is a function of its arguments: no clock, no I/O, no lock, and no size at which it
//! fails.

mod analysis;
mod answer;
mod failures;
mod help;
mod log;
mod main;
mod request;
mod requests;
mod settings;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Scene};
use super::hits::Hits;
use super::layout::{Size, parts};
use super::pane;
use super::ui::View;
use crate::base::ascii_columns;

/// Draws the scene in the area, and returns what lies where. A theme in ASCII leaves nothing else,
/// wherever a text comes from.
pub fn view(scene: Scene<'_>, area: Rect, buffer: &mut Buffer) -> Hits {
    let hits = drawn(scene, area, buffer);
    if scene.ui.theme.ascii {
        for cell in &mut buffer.content {
            if !cell.symbol().is_ascii() {
                let plain = ascii_columns(cell.symbol()).into_owned();
                cell.set_symbol(&plain);
            }
        }
    }
    hits
}

fn drawn(scene: Scene<'_>, area: Rect, buffer: &mut Buffer) -> Hits {
    let mut canvas = Canvas::new(scene, buffer);
    let size = Size::of(area);
    if size == Size::Line {
        pane::header::one_line(&mut canvas, area);
        return canvas.hits;
    }
    let parts = parts(area);
    pane::header::draw(&mut canvas, parts.header);
    match scene.ui.view() {
        View::Main => main::draw(&mut canvas, parts.body, size),
        View::Requests => requests::draw(&mut canvas, parts.body),
        View::Answer => {
            main::draw(&mut canvas, parts.body, size);
            answer::draw(&mut canvas, parts.body);
        }
        View::Request => request::draw(&mut canvas, parts.body),
        View::Failures => failures::draw(&mut canvas, parts.body),
        View::Analysis => analysis::draw(&mut canvas, parts.body),
        View::Log => log::draw(&mut canvas, parts.body),
        View::Help => help::draw(&mut canvas, parts.body),
        View::Settings => settings::draw(&mut canvas, parts.body),
    }
    pane::footer::draw(&mut canvas, parts.footer);
    if let Some(dialog) = scene.ui.dialogs.last() {
        dialog.draw(&mut canvas, area);
    }
    canvas.hits
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod hostile_tests;

#[cfg(test)]
pub(super) mod lists_tests;
