//! A list to choose from by typing: what was typed, and the row under the cursor.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::canvas::Canvas;
use crate::tui::hits::{Listed, Target, Window};
use crate::tui::key::{Code, Key};
use crate::tui::theme::Meaning;
use crate::tui::widget::Field;

/// Rows that a page has.
const PAGE: isize = 10;
/// Farther than any list is long.
const FAR: isize = isize::MAX / 2;

/// The list's cursor and filter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Chooser {
    /// What was typed.
    pub filter: Field,
    /// The row under the cursor, from 0.
    pub at: usize,
}

/// What a key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Did {
    /// The cursor moved.
    Moved,
    /// What is typed changed; the cursor is on the first row.
    Typed,
    /// The row under the cursor is taken.
    Taken,
    /// Nothing is taken, and the dialog closes.
    Left,
    /// Nothing.
    Nothing,
}

impl Chooser {
    /// Takes a key over a list of this many rows.
    pub(super) fn key(&mut self, key: Key, rows: usize) -> Did {
        let step = match key.code {
            Code::Named("esc") => return Did::Left,
            Code::Char('c') if key.ctrl => return Did::Left,
            Code::Named("enter") => return Did::Taken,
            Code::Named("up") => -1,
            Code::Named("tab") if key.shift => -1,
            Code::Named("down" | "tab") => 1,
            Code::Named("pgup") => -PAGE,
            Code::Named("pgdn") => PAGE,
            Code::Named("home") if key.ctrl => -FAR,
            Code::Named("end") if key.ctrl => FAR,
            _ => return self.typed(key),
        };
        let there = self.at.saturating_add_signed(step);
        self.at = there.min(rows.saturating_sub(1));
        Did::Moved
    }

    /// Moves the cursor by so many rows in a list of this many.
    pub(super) fn wheel(&mut self, by: isize, rows: usize) {
        let there = self.at.saturating_add_signed(by);
        self.at = there.min(rows.saturating_sub(1));
    }

    /// Puts pasted text in.
    pub(super) fn paste(&mut self, text: &str) {
        self.filter.insert(text.trim());
        self.at = 0;
    }

    /// Whether a text holds every word that was typed, in capitals or not.
    pub(super) fn takes(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let typed = self.filter.text().to_lowercase();
        typed.split_whitespace().all(|word| text.contains(word))
    }

    /// Draws what is typed, with a cursor.
    pub(super) fn draw_filter(&self, canvas: &mut Canvas<'_>, area: Rect, hint: &str) {
        let sign = canvas.theme().sign("›", ">");
        let columns = usize::from(area.width).saturating_sub(4);
        let (text, cursor) = self.filter.view(columns);
        let mut spans = vec![canvas.span(Meaning::Accent, format!(" {sign} "))];
        if text.is_empty() {
            spans.push(canvas.span(Meaning::Dim, format!(" {hint}")));
        } else {
            spans.push(canvas.span(Meaning::Text, text));
        }
        canvas.line(area, 0, &Line::from(spans));
        let place = Rect::new(area.x + 3 + cursor as u16, area.y, 1, 1);
        let selected = canvas.theme().style(Meaning::Selected);
        canvas.tint(place.intersection(area), selected);
    }

    /// Draws the rows around the cursor; `line` makes the line of one.
    pub(super) fn draw_rows(
        &self,
        canvas: &mut Canvas<'_>,
        area: Rect,
        rows: usize,
        line: impl Fn(&Canvas<'_>, usize) -> Line<'static>,
    ) {
        let height = usize::from(area.height);
        let anchor = self.at.saturating_sub(height / 2);
        let window = Window::around(Listed::Text, Some(self.at), anchor, rows, height);
        for (drawn, row) in (window.first..rows).take(height).enumerate() {
            let place = Rect {
                y: area.y + drawn as u16,
                height: 1,
                ..area
            };
            let text = line(canvas, row);
            canvas.line(place, 0, &text);
            if row == self.at {
                let selected = canvas.theme().style(Meaning::Selected);
                canvas.tint(place, selected);
            }
            canvas.hits.add(place, Target::Choice(row));
        }
    }

    fn typed(&mut self, key: Key) -> Did {
        if !self.filter.key(key) {
            return Did::Nothing;
        }
        self.at = 0;
        Did::Typed
    }
}
