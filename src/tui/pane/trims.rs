//! What was left out of prompts to make them fit, the newest first; the one under the cursor in
//! full where there is room.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{clock, empty};
use crate::base::count;
use crate::model::{Mode, Trim, TrimView};
use crate::tui::canvas::Canvas;
use crate::tui::layout::top;
use crate::tui::rows::{cursor, rows};
use crate::tui::text::{outside, sentence};
use crate::tui::theme::Meaning;
use crate::tui::ui::{Pane, Row};
use crate::tui::widget::{Column, cells};

/// Columns of time, policy, messages and tokens.
const TIME: usize = 8;
const POLICY: usize = 10;
const MESSAGES: usize = 11;
const TOKENS: usize = 17;
/// The shortest name that says anything.
const NAME: usize = 6;
/// Rows of a trim in full.
const DETAIL: u16 = 5;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let view = &canvas.scene.snapshot.context;
    let inner = canvas.pane(area, Pane::Trims, &count(view.trimmed));
    if view.trims.is_empty() {
        let nothing = match view.mode {
            Mode::Independent => "none: requests are independent, nothing is left out",
            Mode::Conversation => "none yet: every history has fitted",
        };
        return empty(canvas, inner, &[nothing]);
    }
    let ui = canvas.scene.ui;
    let is_full = ui.enlarged && ui.focus == Pane::Trims && inner.height > DETAIL + 1;
    let list_rows = inner.height - if is_full { DETAIL } else { 0 };
    let (list, detail) = top(inner, list_rows);
    canvas.list(list, Pane::Trims, |canvas, row, columns| {
        found(canvas, row).map_or_else(Line::default, |trim| line(canvas, trim, columns))
    });
    let rows = rows(Pane::Trims, canvas.scene.snapshot);
    let at = cursor(Pane::Trims, ui, &rows).and_then(|at| rows.get(at).copied());
    if let Some(trim) = at.and_then(|row| found(canvas, row)) {
        let lines = in_full(canvas, trim, usize::from(detail.width));
        canvas.lines(detail, &lines);
    }
}

fn found<'a>(canvas: &Canvas<'a>, row: Row) -> Option<&'a TrimView> {
    let mut trims = canvas.scene.snapshot.context.trims.iter();
    trims.find(|trim| Row::Trim(trim.number) == row)
}

fn line(canvas: &Canvas<'_>, view: &TrimView, columns: usize) -> Line<'static> {
    let arrow = canvas.theme().sign("→", ">");
    let rest = columns.saturating_sub(TIME + POLICY + MESSAGES + TOKENS + 4);
    let rest = if rest < NAME { 0 } else { rest };
    cells(
        canvas.theme(),
        &[
            Column::word(
                Meaning::Dim,
                clock::seconds(view.at, &canvas.scene.ui.zone),
                TIME,
            ),
            Column::word(Meaning::Accent, view.trim.policy.word(), POLICY),
            Column::number(Meaning::Text, messages(&view.trim, arrow), MESSAGES),
            Column::number(Meaning::Text, tokens(&view.trim, arrow), TOKENS),
            Column::word(Meaning::Dim, outside(&view.custom_id, rest), rest),
        ],
    )
}

fn in_full(canvas: &Canvas<'_>, view: &TrimView, columns: usize) -> Vec<Line<'static>> {
    let arrow = canvas.theme().sign("→", ">");
    let mut jobs = canvas.scene.snapshot.jobs.iter();
    let job = jobs.find(|job| job.id == view.job);
    let job = job.map_or_else(|| view.job.to_string(), |job| outside(&job.name, 40));
    let trim = &view.trim;
    let said = [
        (Meaning::Dim, canvas.theme().sign("─", "-").repeat(columns)),
        (
            Meaning::Title,
            format!("before {} of {job}", outside(&view.custom_id, 40)),
        ),
        (
            Meaning::Text,
            format!("why: {} (policy {})", trim.reason, trim.policy),
        ),
        (Meaning::Text, format!("{} messages", messages(trim, arrow))),
        (
            Meaning::Text,
            format!("{} tokens, as estimated", tokens(trim, arrow)),
        ),
    ];
    let line = |(meaning, text): (Meaning, String)| {
        Line::from(canvas.span(meaning, sentence(&text, columns)))
    };
    said.into_iter().map(line).collect()
}

fn messages(trim: &Trim, arrow: &str) -> String {
    let (before, after) = (trim.messages_before, trim.messages_after);
    format!("{} {arrow} {}", count(before.into()), count(after.into()))
}

fn tokens(trim: &Trim, arrow: &str) -> String {
    let (before, after) = (trim.tokens_before.0, trim.tokens_after.0);
    format!("{} {arrow} {}", count(before), count(after))
}
