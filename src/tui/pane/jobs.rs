//! The jobs of the queue, in the order in which they run.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::empty;
use crate::base::{count, duration, share};
use crate::model::{JobState, JobView, ServerState};
use crate::tui::action::Action;
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, sentence};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::ui::{Pane, Row};
use crate::tui::widget::{Column, cells};

/// Columns of the state and of what is to be said about a job.
const TAIL: usize = 16;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let detail = match snapshot.jobs_left_out {
        0 => count(snapshot.jobs.len() as u64),
        more => format!("{} and {} more", snapshot.jobs.len(), count(more)),
    };
    let inner = canvas.pane(area, Pane::Jobs, &detail);
    if snapshot.jobs.is_empty() {
        return nothing(canvas, inner);
    }
    let widest = snapshot
        .jobs
        .iter()
        .map(|job| count(job.counts.total).len())
        .max();
    let digits = widest.unwrap_or(1);
    canvas.list(inner, Pane::Jobs, |canvas, row, columns| {
        let Row::Job(id) = row else {
            return Line::default();
        };
        let found = canvas.scene.snapshot.jobs.iter().find(|job| job.id == id);
        found.map_or_else(Line::default, |job| {
            line(canvas.theme(), job, columns, digits)
        })
    });
}

/// What to do first, and why no work could be done at present.
fn nothing(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let key = canvas.scene.keys.hint(Action::AddFile);
    let add =
        format!("The queue is empty: `{key}` adds a batch file, `batchtop enqueue FILE` as well.");
    let try_out = "`batchtop sample 100 -o try.jsonl` makes a file to try.";
    let demo = "`batchtop demo` shows it all without a server.";
    let tried = format!("Tried {}.", snapshot.server.address);
    match &snapshot.server.state {
        ServerState::Down { why, .. } => {
            let why = format!("No server: {why}");
            let cure = "`ollama serve` starts one, `--server URL` names another.";
            empty(canvas, area, &[&why, &tried, cure, demo, &add]);
        }
        _ => empty(canvas, area, &[&add, try_out, demo]),
    }
}

fn line(theme: &Theme, job: &JobView, columns: usize, digits: usize) -> Line<'static> {
    let (sign, meaning) = sign(theme, &job.state);
    let done = job.counts.total - job.counts.left().min(job.counts.total);
    let numbers = digits * 2 + 1;
    // What gives way first: the tail, then the counts, then the share.
    let fixed = 2 + 7 + 1;
    let tail = if columns >= fixed + 12 + TAIL {
        TAIL
    } else {
        0
    };
    let numbers_columns = if columns > fixed + 12 + tail + numbers {
        numbers
    } else {
        0
    };
    let taken = fixed
        + if numbers_columns > 0 { numbers + 1 } else { 0 }
        + if tail > 0 { tail + 1 } else { 0 };
    let name_columns = columns.saturating_sub(taken);
    let of_all = format!(
        "{:>digits$}/{:>digits$}",
        count(done),
        count(job.counts.total)
    );
    let (said, said_meaning) = said(job, meaning);
    cells(
        theme,
        &[
            Column::word(meaning, sign, 1),
            Column::word(
                Meaning::Text,
                outside(&job.name, name_columns),
                name_columns,
            ),
            Column::number(Meaning::Dim, of_all, numbers_columns),
            Column::number(Meaning::Text, share(done, job.counts.total), 7),
            Column::word(said_meaning, said, tail),
        ],
    )
}

/// The most important thing about a job: what stopped it, when it is done, what failed.
fn said(job: &JobView, meaning: Meaning) -> (String, Meaning) {
    let failed = job.counts.failed;
    if let Some(why) = job.state.why() {
        return (
            format!("{}: {}", job.state, sentence(why, 2 * TAIL)),
            Meaning::Bad,
        );
    }
    match (&job.state, job.eta) {
        (JobState::Running, Some(eta)) => (format!("ETA {}", duration(eta)), Meaning::Text),
        (JobState::Running, None) => ("running".to_owned(), meaning),
        (JobState::Done | JobState::Cancelled, _) if failed > 0 => {
            (format!("{} failed", count(failed)), Meaning::Bad)
        }
        (state, _) => (state.word().to_owned(), meaning),
    }
}

fn sign<'a>(theme: &Theme, state: &JobState) -> (&'a str, Meaning) {
    let (sign, ascii, meaning) = match state {
        JobState::Reading => ("◌", "~", Meaning::Accent),
        JobState::Queued => ("○", "o", Meaning::Dim),
        JobState::Running | JobState::Finishing => ("▶", ">", Meaning::Good),
        JobState::Paused { .. } => ("⏸", "=", Meaning::Warn),
        JobState::Done => ("✓", "+", Meaning::Good),
        JobState::Cancelled => ("⊘", "x", Meaning::Dim),
        JobState::FailedToStart { .. } => ("✗", "!", Meaning::Bad),
    };
    (theme.sign(sign, ascii), meaning)
}
