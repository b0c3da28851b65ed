//! Every action by its name, with its key: type a part of it, and Enter does it.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::chooser::{Chooser, Did};
use super::{Heard, Reaction};
use crate::tui::action::{Action, Place};
use crate::tui::canvas::Canvas;
use crate::tui::layout;
use crate::tui::text::{cut, left, right};
use crate::tui::theme::Meaning;

/// Columns and rows where there is room.
const SIZE: (u16, u16) = (84, 22);
/// Columns of a key.
const KEY_COLUMNS: usize = 10;
/// Columns of a name.
const NAME_COLUMNS: usize = 16;

/// The palette.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Palette {
    chooser: Chooser,
}

impl Palette {
    pub(super) fn react(&mut self, heard: Heard<'_>) -> Reaction {
        let actions = self.actions();
        match heard {
            Heard::Key(key, _) => match self.chooser.key(key, actions.len()) {
                Did::Taken => take(&actions, self.chooser.at),
                Did::Left => Reaction::Close(Vec::new()),
                Did::Moved | Did::Typed | Did::Nothing => Reaction::Stay,
            },
            Heard::Paste(text) => {
                self.chooser.paste(text);
                Reaction::Stay
            }
            Heard::Wheel(rows) => {
                self.chooser.wheel(rows, actions.len());
                Reaction::Stay
            }
            Heard::Choice(row) => take(&actions, row),
            Heard::Click(_) => Reaction::Stay,
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let inner = canvas.dialog(area, "Commands", SIZE);
        let (top, rest) = layout::top(inner, 1);
        self.chooser
            .draw_filter(canvas, top, "type what you want to do");
        let actions = self.actions();
        let columns = usize::from(rest.width);
        self.chooser
            .draw_rows(canvas, rest, actions.len(), |canvas, row| {
                let Some(action) = actions.get(row) else {
                    return Line::default();
                };
                let key = right(&canvas.scene.keys.hint(*action), KEY_COLUMNS);
                let room = columns.saturating_sub(KEY_COLUMNS + NAME_COLUMNS + 4);
                Line::from(vec![
                    canvas.span(Meaning::Accent, key),
                    canvas.span(
                        Meaning::Text,
                        format!("  {}", left(action.name(), NAME_COLUMNS)),
                    ),
                    canvas.span(
                        Meaning::Dim,
                        format!("  {}", left(&cut(action.description(), room), room)),
                    ),
                ])
            });
    }

    /// The actions that fit what was typed: those whose name fits come first.
    fn actions(&self) -> Vec<Action> {
        let mut actions: Vec<Action> = Action::ALL
            .iter()
            .copied()
            .filter(|action| !matches!(action.place(), Place::Dialog))
            .filter(|action| *action != Action::Palette)
            .filter(|action| {
                let both = format!("{} {}", action.name(), action.description());
                self.chooser.takes(&both)
            })
            .collect();
        actions.sort_by_key(|action| !self.chooser.takes(action.name()));
        actions
    }
}

fn take(actions: &[Action], row: usize) -> Reaction {
    actions
        .get(row)
        .map_or(Reaction::Stay, |action| Reaction::Do(*action))
}
