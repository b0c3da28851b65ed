//! Where to write the results of a job.

use std::path::PathBuf;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::chooser::{Chooser, Did};
use super::picker::{expand, unquoted};
use super::{Heard, Reaction};
use crate::model::JobId;
use crate::tui::canvas::Canvas;
use crate::tui::errand::Errand;
use crate::tui::layout;
use crate::tui::msg::Ask;
use crate::tui::text::outside;
use crate::tui::theme::Meaning;
use crate::tui::ui::Start;

/// Columns and rows where there is room.
const SIZE: (u16, u16) = (76, 7);

/// The question where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    job: JobId,
    name: String,
    start: Start,
    typed: Chooser,
}

impl Export {
    /// Where to write the results of this job; its name is outside text.
    pub fn new(job: JobId, name: &str, start: &Start) -> Self {
        Self {
            job,
            name: name.to_owned(),
            start: start.clone(),
            typed: Chooser::default(),
        }
    }

    pub(super) fn react(&mut self, heard: Heard<'_>) -> Reaction {
        match heard {
            Heard::Key(key, _) => match self.typed.key(key, 1) {
                Did::Taken => Reaction::Close(vec![self.ask()]),
                Did::Left => Reaction::Close(Vec::new()),
                Did::Moved | Did::Typed | Did::Nothing => Reaction::Stay,
            },
            Heard::Paste(text) => {
                self.typed.paste(unquoted(text));
                Reaction::Stay
            }
            Heard::Click(_) | Heard::Choice(_) | Heard::Wheel(_) => Reaction::Stay,
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let inner = canvas.dialog(area, "Export", SIZE);
        let columns = usize::from(inner.width).saturating_sub(2);
        let title = format!("Answers and failures of job {}, ", self.job);
        let name = outside(&self.name, columns.saturating_sub(title.len()));
        let line = Line::from(canvas.span(Meaning::Text, format!(" {title}{name}")));
        canvas.line(inner, 0, &line);
        let (_, field) = layout::top(inner, inner.height.min(2));
        self.typed
            .draw_filter(canvas, field, "empty: beside the batch file");
        let row = inner.height.saturating_sub(1);
        let hints = Line::from(canvas.span(Meaning::Dim, " enter writes, esc leaves"));
        canvas.line(inner, row, &hints);
    }

    fn ask(&self) -> Ask {
        let typed = self.typed.filter.text();
        let to: Option<PathBuf> =
            (!typed.trim().is_empty()).then(|| expand(typed.trim(), &self.start));
        Ask::Errand(Errand::Export { job: self.job, to })
    }
}
