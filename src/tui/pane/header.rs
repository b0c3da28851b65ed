//! The first line: whether it works, on what, and how much there is.

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::clock;
use crate::base::{count, duration, share};
use crate::model::{JobState, ServerState, Snapshot};
use crate::tui::canvas::Canvas;
use crate::tui::text::{cut, outside, sentence};
use crate::tui::theme::Meaning;
use crate::tui::ui::{Seat, Stopping};

pub(in crate::tui) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let mut left = vec![canvas.span(Meaning::Title, " batchtop ")];
    left.extend(badges(canvas));
    let (word, sign, meaning) = state(snapshot, canvas.scene.ui.stopping);
    let sign = canvas.theme().sign(sign, "*");
    left.push(canvas.span(meaning, format!(" {sign} {word}")));
    let left = Line::from(left);
    let right = Line::from(vec![
        canvas.span(Meaning::Dim, totals(snapshot)),
        canvas.span(
            Meaning::Text,
            format!("  {} ", clock::elapsed(canvas.scene.now().0)),
        ),
    ]);
    let room = usize::from(area.width).saturating_sub(left.width() + 3);
    // The server is named in full, or the totals make room for it.
    let with_totals = room.saturating_sub(right.width() + 1);
    let server = server(snapshot);
    let is_short = crate::base::width(&server) > with_totals && with_totals < 24;
    let columns = if is_short { room } else { with_totals };
    let mut left = left;
    left.push_span(canvas.span(Meaning::Dim, format!("   {}", sentence(&server, columns))));
    canvas.ends(area, 0, &left, &right);
}

/// All there is room for on a screen that is too small for panes.
pub(in crate::tui) fn one_line(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let (word, sign, meaning) = state(snapshot, canvas.scene.ui.stopping);
    let sign = canvas.theme().sign(sign, "*");
    let (done, total) = sums(snapshot);
    let eta = snapshot
        .jobs
        .iter()
        .find(|job| Some(job.id) == snapshot.active);
    let eta = eta
        .and_then(|job| job.eta)
        .map(|eta| format!("  ETA {}", duration(eta)));
    let text = format!(" {}{}", share(done, total), eta.unwrap_or_default());
    let columns = usize::from(area.width);
    let mark = if snapshot.simulated { "SIMULATED " } else { "" };
    let state = cut(&format!("{mark}{sign} {word}"), columns);
    let rest = cut(&text, columns.saturating_sub(crate::base::width(&state)));
    let line = Line::from(vec![
        canvas.span(meaning, state),
        canvas.span(Meaning::Text, rest),
    ]);
    canvas.line(area, 0, &line);
    if let Some(dialog) = canvas.scene.ui.dialogs.last() {
        dialog.draw(canvas, area);
    }
}

fn badges(canvas: &Canvas<'_>) -> Vec<Span<'static>> {
    let ui = canvas.scene.ui;
    let mut badges = Vec::new();
    if canvas.scene.snapshot.simulated {
        badges.push(canvas.span(Meaning::Mark, " SIMULATED"));
    }
    if ui.frozen.is_some() {
        badges.push(canvas.span(Meaning::Warn, " FROZEN"));
    }
    if let Seat::Watcher { pid, gone } = ui.seat {
        let who = if gone { "has ended" } else { "owns the queue" };
        badges.push(canvas.span(Meaning::Warn, format!(" READ-ONLY: process {pid} {who}")));
    }
    badges
}

/// The state of the run in a word, a sign and a meaning.
fn state(snapshot: &Snapshot, stopping: Stopping) -> (&'static str, &'static str, Meaning) {
    let is = |wanted: fn(&JobState) -> bool| snapshot.jobs.iter().any(|job| wanted(&job.state));
    match (&snapshot.server.state, stopping) {
        (_, Stopping::Draining) => ("stopping", "◌", Meaning::Warn),
        (_, Stopping::Now) => ("stopping now", "◌", Meaning::Warn),
        (ServerState::Down { .. }, _) => ("no server", "✗", Meaning::Bad),
        (ServerState::Loading { .. }, _) => ("loading", "◌", Meaning::Warn),
        _ if snapshot.held => ("paused", "⏸", Meaning::Warn),
        _ if is(|state| matches!(state, JobState::Running | JobState::Finishing)) => {
            ("running", "●", Meaning::Good)
        }
        _ if is(|state| matches!(state, JobState::FailedToStart { .. })) => {
            ("stuck", "✗", Meaning::Bad)
        }
        _ if is(|state| matches!(state, JobState::Paused { .. })) => ("paused", "⏸", Meaning::Warn),
        _ if is(|state| matches!(state, JobState::Queued)) => ("waiting", "○", Meaning::Accent),
        _ if is(|state| matches!(state, JobState::Done)) => ("done", "✓", Meaning::Good),
        _ => ("idle", "○", Meaning::Dim),
    }
}

fn server(snapshot: &Snapshot) -> String {
    let server = &snapshot.server;
    let address = server.address.trim_start_matches("http://");
    let version = server
        .version
        .as_ref()
        .map(|version| format!(" (Ollama {})", outside(version, 16)));
    let model = server
        .loaded
        .first()
        .map(|model| format!("{} @ ", outside(&model.name, 32)));
    format!(
        "{}{address}{}",
        model.unwrap_or_default(),
        version.unwrap_or_default()
    )
}

fn totals(snapshot: &Snapshot) -> String {
    let jobs = snapshot.jobs.len() as u64 + snapshot.jobs_left_out;
    let (_, total) = sums(snapshot);
    let plural = if jobs == 1 { "" } else { "s" };
    format!("{} job{plural} · {} requests", count(jobs), count(total))
}

fn sums(snapshot: &Snapshot) -> (u64, u64) {
    snapshot.jobs.iter().fold((0, 0), |(done, total), job| {
        (
            done + job.counts.total - job.counts.left().min(job.counts.total),
            total + job.counts.total,
        )
    })
}
