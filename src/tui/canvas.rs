//! What panes, views and dialogs draw on: the cells, the theme, and the note of what lies where.
//!
//! Nothing drawn here can fall outside the screen, whatever its size.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::symbols::border;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Widget};

use super::hits::{Hits, Listed, Target, Window};
use super::keymap::KeyMap;
use super::rows::{cursor, rows};
use super::theme::{Meaning, Theme};
use super::ui::{Pane, Row, Ui};
use crate::base::{Moment, Stamp, width};
use crate::model::Snapshot;

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The run: the frozen picture where one is.
    pub snapshot: &'a Snapshot,
    /// What the user is looking at.
    pub ui: &'a Ui,
    /// The keys, for hints and help.
    pub keys: &'a KeyMap,
}

impl Scene<'_> {
    /// The time since the engine started: that of the picture, and what has passed since.
    pub fn now(&self) -> Moment {
        self.snapshot.now + self.age()
    }

    /// The same by the wall clock.
    pub fn at(&self) -> Stamp {
        self.snapshot.at.after(self.age())
    }

    fn age(&self) -> std::time::Duration {
        if self.ui.frozen.is_some() {
            std::time::Duration::ZERO
        } else {
            self.ui.age
        }
    }
}

/// Where it is drawn.
#[derive(Debug)]
pub struct Canvas<'a> {
    /// What is drawn.
    pub scene: Scene<'a>,
    /// What lies where so far.
    pub hits: Hits,
    buffer: &'a mut Buffer,
}

const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};

impl<'a> Canvas<'a> {
    /// A canvas over these cells.
    pub fn new(scene: Scene<'a>, buffer: &'a mut Buffer) -> Self {
        Self {
            scene,
            hits: Hits::default(),
            buffer,
        }
    }

    /// The theme.
    pub const fn theme(&self) -> &'a Theme {
        &self.scene.ui.theme
    }

    /// A piece of text that means this.
    pub fn span(&self, meaning: Meaning, text: impl Into<String>) -> Span<'static> {
        Span::styled(text.into(), self.theme().style(meaning))
    }

    /// Draws a line in a row of an area, from 0, cut at the area's end.
    pub fn line(&mut self, area: Rect, row: u16, line: &Line<'_>) {
        let row = Rect {
            y: area.y.saturating_add(row),
            height: 1,
            ..area
        };
        let row = row.intersection(area).intersection(self.buffer.area);
        if !row.is_empty() {
            self.buffer.set_line(row.x, row.y, line, row.width);
        }
    }

    /// Draws lines from the top of an area.
    pub fn lines(&mut self, area: Rect, lines: &[Line<'_>]) {
        for (row, line) in lines.iter().enumerate().take(usize::from(area.height)) {
            self.line(area, row as u16, line);
        }
    }

    /// Draws a line with something at its right end, which goes first when there is no room.
    pub fn ends(&mut self, area: Rect, row: u16, left: &Line<'_>, right: &Line<'_>) {
        let columns = right.width().min(usize::from(u16::MAX)) as u16;
        self.line(area, row, left);
        if left.width() + right.width() < usize::from(area.width) {
            let at = Rect {
                x: area.right() - columns,
                width: columns,
                ..area
            };
            self.line(at, row, right);
        }
    }

    /// Gives an area a style over what is drawn there.
    pub fn tint(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buffer.area);
        self.buffer.set_style(area, style);
    }

    /// Draws the border of a pane with its title and a detail at the right, and returns the area
    /// within.
    pub fn pane(&mut self, area: Rect, pane: Pane, detail: &str) -> Rect {
        self.hits.add(area, Target::Pane(pane));
        let is_focused = self.scene.ui.focus == pane && self.scene.ui.dialogs.is_empty();
        self.border(area, pane.title(), detail, is_focused)
    }

    /// Draws a border with a title and a detail at the right, and returns the area within.
    pub fn border(&mut self, area: Rect, title: &str, detail: &str, is_focused: bool) -> Rect {
        let area = area.intersection(self.buffer.area);
        let meaning = if is_focused {
            Meaning::Focus
        } else {
            Meaning::Border
        };
        let set = if self.theme().ascii {
            ASCII_BORDER
        } else {
            border::ROUNDED
        };
        let style = self.theme().style(meaning);
        let block = Block::bordered().border_set(set).border_style(style);
        let inner = block.inner(area);
        block.render(area, self.buffer);
        let room = Rect {
            x: area.x + area.width.min(2),
            width: area.width.saturating_sub(4),
            height: area.height.min(1),
            y: area.y,
        };
        let title_meaning = if is_focused {
            Meaning::Focus
        } else {
            Meaning::Title
        };
        let left = Line::from(self.span(title_meaning, format!(" {title} ")));
        let right = if detail.is_empty() {
            Line::default()
        } else {
            Line::from(self.span(Meaning::Dim, format!(" {detail} ")))
        };
        self.ends(room, 0, &left, &right);
        inner
    }

    /// Clears the middle of an area for a dialog of this size, or what of it fits, draws its
    /// border and returns the area within. Nothing under it can be hit any more.
    pub fn dialog(&mut self, area: Rect, title: &str, (columns, rows): (u16, u16)) -> Rect {
        let width = columns.min(area.width);
        let height = rows.min(area.height);
        let box_area = Rect {
            x: area.x + (area.width - width) / 2,
            y: area.y + (area.height - height) / 2,
            width,
            height,
        }
        .intersection(self.buffer.area);
        self.hits.add(area, Target::Nothing);
        Clear.render(box_area, self.buffer);
        self.border(box_area, title, "", true)
    }

    /// Draws the rows of a list pane, the one under the cursor marked, as many as fit. `line`
    /// makes the line of a row for a width.
    pub fn list(
        &mut self,
        area: Rect,
        pane: Pane,
        line: impl Fn(&Self, Row, usize) -> Line<'static>,
    ) {
        let rows = rows(pane, self.scene.snapshot);
        let at = cursor(pane, self.scene.ui, &rows);
        let of = Listed::Pane(pane);
        let anchor = self.scene.ui.anchors.get(&of).copied().unwrap_or(0);
        let window = Window::around(of, at, anchor, rows.len(), usize::from(area.height));
        self.hits.window(window);
        let visible = rows
            .iter()
            .enumerate()
            .skip(window.first)
            .take(window.height);
        for (drawn, (place, row)) in visible.enumerate() {
            let mut text = line(self, *row, usize::from(area.width));
            let row_area = Rect {
                y: area.y + drawn as u16,
                height: 1,
                ..area
            };
            let is_marked = at == Some(place) && self.scene.ui.focus == pane;
            if is_marked {
                let missing = usize::from(area.width).saturating_sub(text.width());
                text.push_span(" ".repeat(missing));
            }
            self.line(area, drawn as u16, &text);
            if is_marked {
                let selected = self.theme().style(Meaning::Selected);
                self.tint(row_area, selected);
            }
            self.hits.add(row_area, Target::Row(pane, *row));
        }
    }

    /// Draws a text that is scrolled as a whole. Without an anchor it shows its beginning, or its
    /// end where `follows` says so.
    pub fn text(&mut self, area: Rect, lines: &[Line<'_>], follows: bool) {
        let height = usize::from(area.height);
        let last = lines.len().saturating_sub(height);
        let anchor = self.scene.ui.anchors.get(&Listed::Text).copied();
        let anchor = anchor.unwrap_or(if follows { last } else { 0 });
        let window = Window::around(Listed::Text, None, anchor, lines.len(), height);
        self.hits.add(area, Target::Text);
        self.hits.window(window);
        self.lines(area, lines.get(window.first..).unwrap_or_default());
    }

    /// Draws a hint that can be clicked, and returns how many columns it took; nothing where it
    /// does not fit.
    pub fn hint(
        &mut self,
        area: Rect,
        column: u16,
        action: super::action::Action,
        words: &str,
    ) -> u16 {
        let key = self.scene.keys.hint(action);
        let columns = (width(&key) + 1 + width(words)) as u16;
        if key.is_empty() || column + columns > area.width {
            return 0;
        }
        let place = Rect {
            x: area.x + column,
            width: columns,
            height: area.height.min(1),
            ..area
        };
        let line = Line::from(vec![
            self.span(Meaning::Accent, key),
            self.span(Meaning::Dim, format!(" {words}")),
        ]);
        self.line(place, 0, &line);
        self.hits.add(place, Target::Action(action));
        columns + 2
    }
}
