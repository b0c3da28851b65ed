//! The screen: draws the snapshot and turns keys into commands.
//!
//! ```text
//! terminal event ─► input ─► Msg ─┐
//! snapshot changed ───────────────┴─► update(&mut Ui, Msg, …) -> Vec<Ask>  ─► handle, terminal
//! then, if anything changed: view(Scene, Rect, &mut Buffer) -> Hits        ─► screen
//! ```
//!
//! Lists come from the queue a piece at a time: `update` asks a `Query`, `desk` answers it beside
//! the loop with `Msg::Found`.
//!
//! `update` and `view` are pure; `run` holds the loop, `screen` and `input` alone know the
//! terminal library. What may be done is the closed set `action::Action`; panes, views and dialogs are
//! one file each.

pub mod action;
pub mod keymap;
pub mod theme;

pub mod analyzed;
pub mod canvas;
pub mod desk;
pub mod dialog;
pub mod errand;
pub mod hits;
mod input;
pub mod key;
pub mod layout;
pub mod lists;
pub mod msg;
mod pace;
mod pane;
pub mod place;
pub mod query;
pub mod reading;
pub mod rows;
mod run;
mod screen;
pub mod text;
pub mod ui;
pub mod update;
pub mod view;
pub mod widget;

#[cfg(test)]
mod pictures;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod testing_cards;
#[cfg(test)]
mod testing_context;
#[cfg(test)]
mod testing_queue;

pub use errand::Desk;
pub use run::{Left, Look, Run, ScreenError, run};
pub use screen::Screen;
pub use ui::Start;
