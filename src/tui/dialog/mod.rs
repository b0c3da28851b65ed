//! Questions: one file each. The last one asked has the keys.
//!
//! A new dialog is a file with a type that draws itself and reacts, and a variant here.

mod chooser;
mod confirm;
mod enqueue;
mod export;
mod palette;
mod picker;

use ratatui::layout::Rect;

pub use chooser::Chooser;
pub use confirm::{Confirm, Question};
pub use enqueue::Enqueue;
pub use export::Export;
pub use palette::Palette;
pub use picker::Picker;

use super::action::Action;
use super::canvas::Canvas;
use super::errand::News;
use super::key::Key;
use super::msg::Ask;

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialog {
    /// Yes or no.
    Confirm(Confirm),
    /// Which file.
    Picker(Picker),
    /// How to run a file.
    Enqueue(Enqueue),
    /// Where to write results.
    Export(Export),
    /// What to do.
    Palette(Palette),
}

/// What a dialog hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// A key, and what it means in dialogs, if anything.
    Key(Key, Option<Action>),
    /// A click on something that means this.
    Click(Action),
    /// A click on a row of its list.
    Choice(usize),
    /// The wheel, by so many rows.
    Wheel(isize),
    /// Pasted text: outside text.
    Paste(&'a str),
}

impl Heard<'_> {
    /// What it means in dialogs, where it means anything.
    pub const fn action(self) -> Option<Action> {
        match self {
            Self::Key(_, action) => action,
            Self::Click(action) => Some(action),
            Self::Choice(_) | Self::Wheel(_) | Self::Paste(_) => None,
        }
    }
}

/// What comes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// The dialog stays.
    Stay,
    /// It stays, and this is to be done.
    Ask(Vec<Ask>),
    /// It closes, and this is to be done.
    Close(Vec<Ask>),
    /// It closes, and the action is taken as if its key had been pressed.
    Do(Action),
    /// Another dialog takes its place, and this is to be done.
    Become(Box<Dialog>, Vec<Ask>),
}

impl Dialog {
    /// Takes a key, a click or a paste.
    pub fn react(&mut self, heard: Heard<'_>) -> Reaction {
        match self {
            Self::Confirm(confirm) => confirm.react(heard),
            Self::Picker(picker) => picker.react(heard),
            Self::Enqueue(enqueue) => enqueue.react(heard),
            Self::Export(export) => export.react(heard),
            Self::Palette(palette) => palette.react(heard),
        }
    }

    /// Takes what came of an errand, and returns what is to be done next.
    pub fn news(&mut self, news: &News) -> Vec<Ask> {
        match self {
            Self::Picker(picker) => picker.news(news),
            Self::Enqueue(enqueue) => enqueue.news(news),
            Self::Confirm(_) | Self::Export(_) | Self::Palette(_) => Vec::new(),
        }
    }

    /// Whether it has nothing left to ask after the news.
    pub fn is_done(&self, news: &News) -> bool {
        matches!(self, Self::Enqueue(enqueue) if enqueue.is_done(news))
    }

    /// Draws it over what is in this area.
    pub fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        match self {
            Self::Confirm(confirm) => confirm.draw(canvas, area),
            Self::Picker(picker) => picker.draw(canvas, area),
            Self::Enqueue(enqueue) => enqueue.draw(canvas, area),
            Self::Export(export) => export.draw(canvas, area),
            Self::Palette(palette) => palette.draw(canvas, area),
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
