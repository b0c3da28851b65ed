//! Keys in the view of one request and in that of failures.

use std::time::Duration;

use super::{confirm_retry, copy, open_requests};
use crate::model::{JobId, RequestState, Snapshot, WhichFailures};
use crate::store::Filter;
use crate::tui::action::Action;
use crate::tui::hits::Listed;
use crate::tui::lists::{FailureRow, Reading, Side};
use crate::tui::msg::Ask;
use crate::tui::query::Query;
use crate::tui::reading::{Piece, RequestText};
use crate::tui::text::outside;
use crate::tui::ui::Ui;
use crate::tui::update::moving::step;

/// How often a request without an end is asked for again.
const OFTEN: Duration = Duration::from_millis(500);
/// Columns of an outside name in a question.
const NAME_COLUMNS: usize = 30;

/// Asks again for a request that has no end yet, once in a while.
pub(super) fn refresh(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let Some(reading) = &mut ui.lists.reading else {
        return Vec::new();
    };
    let is_over = reading
        .text
        .as_ref()
        .is_none_or(|text| matches!(text.line.state, RequestState::Done | RequestState::Failed));
    if is_over || reading.asked.is_some() || latest.now.since(reading.asked_at) < OFTEN {
        return Vec::new();
    }
    let query = Query::Request {
        job: reading.job,
        request: reading.request,
    };
    reading.asked = Some(query.clone());
    reading.asked_at = latest.now;
    vec![Ask::Query(query)]
}

pub(super) fn in_request(ui: &mut Ui, action: Action) -> Option<Vec<Ask>> {
    let side = ui.lists.reading.as_ref()?.side;
    if let Some(rows) = step(ui, Listed::Side(side), action) {
        return Some(scroll_side(ui, rows));
    }
    let reading = ui.lists.reading.as_mut()?;
    Some(match action {
        Action::Left | Action::Right | Action::NextPane | Action::PreviousPane => {
            reading.side = match reading.side {
                Side::Prompt => Side::Answer,
                Side::Answer => Side::Prompt,
            };
            Vec::new()
        }
        Action::Raw => {
            reading.is_raw = !reading.is_raw;
            reading.scrolled = [0, 0];
            Vec::new()
        }
        Action::Retry => {
            let (job, id) = (reading.job, reading.request);
            let name = reading
                .text
                .as_ref()
                .and_then(|text| text.line.custom_id.clone());
            let what = outside(&name.unwrap_or_default(), NAME_COLUMNS);
            confirm_retry(ui, job, WhichFailures::Requests(vec![id]), what, 1)
        }
        Action::Copy => {
            let text = reading.text.as_ref().map(|text| side_text(reading, text));
            copy(ui, text)
        }
        _ => return None,
    })
}

/// What is shown on the side that has the keys, whole.
fn side_text(reading: &Reading, text: &RequestText) -> String {
    let (raw, pieces) = match reading.side {
        Side::Prompt => (&text.raw[0], &text.prompt),
        Side::Answer => (&text.raw[1], &text.answer),
    };
    match (reading.is_raw, pieces.as_slice()) {
        (true, _) => raw.clone(),
        (false, [piece]) => piece.text.clone(),
        (false, pieces) => {
            let said = |piece: &Piece| format!("{}:\n{}", piece.role, piece.text);
            let said: Vec<String> = pieces.iter().map(said).collect();
            said.join("\n\n")
        }
    }
}

pub(super) fn scroll_side(ui: &mut Ui, rows: isize) -> Vec<Ask> {
    let Some(reading) = &mut ui.lists.reading else {
        return Vec::new();
    };
    let Some(window) = ui.hits.window_of(Listed::Side(reading.side)) else {
        return Vec::new();
    };
    let last = window.length.saturating_sub(window.height);
    let first = window.first.saturating_add_signed(rows).min(last);
    if let Some(scrolled) = reading.scrolled.get_mut(reading.side as usize) {
        *scrolled = first;
    }
    Vec::new()
}

pub(super) fn in_failures(ui: &mut Ui, action: Action, latest: &Snapshot) -> Option<Vec<Ask>> {
    if let Some(rows) = step(ui, Listed::Failures, action) {
        return Some(move_failures(ui, rows));
    }
    let list = ui.lists.failures.as_ref()?;
    let (job, rows) = (list.job, list.rows());
    let row = rows.get(list.at(&rows)).cloned();
    Some(match (action, row) {
        (Action::Open, Some(row)) => {
            let filter = Filter {
                class: Some(row.class),
                pattern: row.pattern,
                ..Filter::default()
            };
            open_requests(ui, job, filter, latest)
        }
        (Action::Retry, Some(row)) => retry_group(ui, job, row),
        (Action::Copy, row) => {
            let text = row.map(|row| {
                row.pattern
                    .map_or(row.class.name().to_owned(), |_| row.sample)
            });
            copy(ui, text)
        }
        (Action::Open | Action::Retry, None) => Vec::new(),
        _ => return None,
    })
}

fn retry_group(ui: &mut Ui, job: JobId, row: FailureRow) -> Vec<Ask> {
    let which = match row.pattern {
        Some(pattern) => WhichFailures::Alike(pattern),
        None => WhichFailures::Class(row.class),
    };
    confirm_retry(ui, job, which, row.class.name().to_owned(), row.count)
}

pub(super) fn move_failures(ui: &mut Ui, step: isize) -> Vec<Ask> {
    let Some(list) = &mut ui.lists.failures else {
        return Vec::new();
    };
    let rows = list.rows();
    let there = list.at(&rows).saturating_add_signed(step);
    let there = there.min(rows.len().saturating_sub(1));
    list.cursor = rows.into_iter().nth(there);
    if let Some(window) = ui.hits.window_of(Listed::Failures) {
        ui.anchors.insert(Listed::Failures, window.first);
    }
    Vec::new()
}
