//! The main view: the panes.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::base::width;
use crate::tui::canvas::Canvas;
use crate::tui::hits::Target;
use crate::tui::layout::{self, Size};
use crate::tui::pane;
use crate::tui::theme::Meaning;
use crate::tui::ui::Pane;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect, size: Size) {
    let ui = canvas.scene.ui;
    let mut body = body;
    if size == Size::Tabs {
        let (bar, rest) = layout::top(body, 1);
        tabs(canvas, bar);
        body = rest;
    }
    for (pane, area) in layout::panes(body, size, ui.focus, ui.enlarged) {
        pane::draw(canvas, pane, area);
    }
}

/// The names of all panes in a line, moved so far that the focused one is in it.
fn tabs(canvas: &mut Canvas<'_>, bar: Rect) {
    let focus = canvas.scene.ui.focus;
    let room = usize::from(bar.width);
    let mut first = 0;
    let here = Pane::ALL
        .iter()
        .position(|pane| *pane == focus)
        .unwrap_or(0);
    let columns = |panes: &[Pane]| {
        panes
            .iter()
            .map(|pane| width(pane.title()) + 2)
            .sum::<usize>()
    };
    while first < here && columns(Pane::ALL.get(first..=here).unwrap_or_default()) > room {
        first += 1;
    }
    let mut column = 0;
    for pane in Pane::ALL.iter().skip(first) {
        let text = format!(" {} ", pane.title());
        let tab = Rect {
            x: bar.x + column,
            width: width(&text) as u16,
            ..bar
        };
        if tab.right() > bar.right() {
            break;
        }
        let meaning = if *pane == focus {
            Meaning::Selected
        } else {
            Meaning::Dim
        };
        let line = Line::from(canvas.span(meaning, text));
        canvas.line(tab, 0, &line);
        canvas.hits.add(tab, Target::Tab(*pane));
        column += tab.width;
    }
}
