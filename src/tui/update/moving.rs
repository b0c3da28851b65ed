//! Moving in lists and scrolled texts.

use crate::model::Snapshot;
use crate::tui::action::Action;
use crate::tui::hits::Listed;
use crate::tui::rows::{cursor, rows};
use crate::tui::ui::{Pane, Ui, View};

/// Farther than any list is long.
const FAR: isize = isize::MAX / 2;

/// Moves in the focused pane, or in the text that fills the view.
pub(super) fn act(ui: &mut Ui, action: Action, latest: &Snapshot) {
    let of = match ui.view() {
        View::Main => Listed::Pane(ui.focus),
        _ => Listed::Text,
    };
    let Some(step) = step(ui, of, action) else {
        return;
    };
    match of {
        Listed::Pane(pane) => by(ui, pane, step, latest),
        _ => scroll(ui, step),
    }
}

/// By how many rows an action moves; `None` where it does not move.
pub(super) fn step(ui: &Ui, of: Listed, action: Action) -> Option<isize> {
    let rows_shown = ui
        .hits
        .window_of(of)
        .map_or(1, |window| window.height.max(1)) as isize;
    Some(match action {
        Action::Up => -1,
        Action::Down => 1,
        Action::Top => -FAR,
        Action::Bottom => FAR,
        Action::PageUp => -rows_shown,
        Action::PageDown => rows_shown,
        Action::HalfPageUp => -(rows_shown / 2).max(1),
        Action::HalfPageDown => (rows_shown / 2).max(1),
        _ => return None,
    })
}

/// Moves the cursor of a pane by so many rows.
pub(super) fn by(ui: &mut Ui, pane: Pane, step: isize, latest: &Snapshot) {
    let rows = rows(pane, super::shown(ui, latest));
    let Some(here) = cursor(pane, ui, &rows) else {
        return;
    };
    let there = here.saturating_add_signed(step).min(rows.len() - 1);
    if let Some(row) = rows.get(there) {
        ui.selected.set(pane, *row);
    }
    let of = Listed::Pane(pane);
    if let Some(window) = ui.hits.window_of(of) {
        ui.anchors.insert(of, window.first);
    }
}

/// Scrolls the text that fills the view by so many rows.
pub(super) fn scroll(ui: &mut Ui, step: isize) {
    let Some(window) = ui.hits.window_of(Listed::Text) else {
        return;
    };
    let last = window.length.saturating_sub(window.height);
    let first = window.first.saturating_add_signed(step).min(last);
    // Whoever goes to the end of a text that grows wants to follow it.
    if first == last && matches!(ui.view(), View::Log | View::Answer) {
        ui.anchors.remove(&Listed::Text);
        return;
    }
    ui.anchors.insert(Listed::Text, first);
}
