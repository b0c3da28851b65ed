//! The failures of a job: each class, and under it the groups whose messages are alike.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::requests::item;
use crate::base::count;
use crate::tui::canvas::Canvas;
use crate::tui::hits::{Listed, Target, Window};
use crate::tui::lists::{FailureList, FailureRow};
use crate::tui::text::{outside, sentence};
use crate::tui::theme::Meaning;
use crate::tui::widget::{Column, cells};

/// Columns of a count.
const COUNT: usize = 11;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let Some(list) = &canvas.scene.ui.lists.failures else {
        return;
    };
    let job = canvas
        .scene
        .snapshot
        .jobs
        .iter()
        .find(|job| job.id == list.job);
    let title = match job {
        Some(job) => format!("Failures of {}", outside(&job.name, 40)),
        None => format!("Failures of job {}", list.job),
    };
    let rows = list.rows();
    let all = rows.iter().filter(|row| row.pattern.is_none());
    let all: u64 = all.map(|row| row.count).sum();
    let inner = canvas.border(body, &title, &count(all), true);
    if rows.is_empty() {
        let text = sentence(nothing(list), usize::from(inner.width).saturating_sub(1));
        let line = Line::from(canvas.span(Meaning::Dim, format!(" {text}")));
        canvas.line(inner, 0, &line);
    }
    let (of, at) = (Listed::Failures, list.at(&rows));
    let anchor = canvas.scene.ui.anchors.get(&of).copied().unwrap_or(0);
    let window = Window::around(of, Some(at), anchor, rows.len(), usize::from(inner.height));
    canvas.hits.add(inner, Target::List);
    canvas.hits.window(window);
    let visible = rows
        .iter()
        .enumerate()
        .skip(window.first)
        .take(window.height);
    for (drawn, (place, row)) in visible.enumerate() {
        let text = line(canvas, row, usize::from(inner.width));
        item(canvas, inner, drawn as u16, place, place == at, &text);
    }
}

fn nothing(list: &FailureList) -> &str {
    match (&list.trouble, &list.groups) {
        (Some(trouble), _) => trouble,
        (None, None) => "reading…",
        (None, Some(_)) => "nothing has failed",
    }
}

fn line(canvas: &Canvas<'_>, row: &FailureRow, columns: usize) -> Line<'static> {
    let rest = columns.saturating_sub(COUNT + 1);
    let (number, words) = if row.pattern.is_some() {
        let sample = sentence(&row.sample, rest.saturating_sub(2));
        let words = Column::word(Meaning::Text, format!("  {sample}"), rest);
        (Meaning::Dim, words)
    } else {
        let words = Column::word(Meaning::Title, row.class.name(), rest);
        (Meaning::Bad, words)
    };
    cells(
        canvas.theme(),
        &[Column::number(number, count(row.count), COUNT), words],
    )
}
