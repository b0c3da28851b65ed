//! What failed for good since the start, by job and kind, the most frequent first.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::empty;
use crate::base::count;
use crate::model::{FailedCount, Snapshot};
use crate::tui::canvas::Canvas;
use crate::tui::text::sentence;
use crate::tui::theme::Meaning;
use crate::tui::ui::{Pane, Row};
use crate::tui::widget::{Column, cells};

/// Columns of the name of a kind.
const CLASS_COLUMNS: usize = 23;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let all: u64 = snapshot.jobs.iter().map(|job| job.counts.failed).sum();
    let inner = canvas.pane(area, Pane::Failures, &count(all));
    if snapshot.failed.is_empty() {
        let earlier = format!("none since the start; {} before", count(all));
        let text = if all == 0 { "none" } else { &earlier };
        return empty(canvas, inner, &[text]);
    }
    canvas.list(inner, Pane::Failures, |canvas, row, columns| {
        let found = canvas.scene.snapshot.failed.iter();
        let mut found = found.filter(|one| Row::Failure(one.job, one.class) == row);
        found
            .next()
            .map_or_else(Line::default, |one| line(canvas, one, columns))
    });
}

fn line(canvas: &Canvas<'_>, failed: &FailedCount, columns: usize) -> Line<'static> {
    let rest = columns.saturating_sub(8 + 1 + CLASS_COLUMNS + 1);
    let last = last_words(canvas.scene.snapshot, failed);
    cells(
        canvas.theme(),
        &[
            Column::number(Meaning::Bad, count(failed.count), 8),
            Column::word(Meaning::Text, failed.class.name(), CLASS_COLUMNS),
            Column::word(Meaning::Dim, sentence(last, rest), rest),
        ],
    )
}

/// What the last failure of this kind said.
fn last_words<'a>(snapshot: &'a Snapshot, failed: &FailedCount) -> &'a str {
    let mut same = snapshot
        .failures
        .iter()
        .rev()
        .filter(|(job, _, failure)| *job == failed.job && failure.class == failed.class);
    same.next()
        .map_or("", |(_, _, failure)| failure.message.as_str())
}
