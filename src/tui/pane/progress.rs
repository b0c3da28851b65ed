//! How far the job that runs is, and until when it will run.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{clock, empty};
use crate::base::{count, duration, share, short, width};
use crate::model::{Bill, JobState, JobView, Snapshot};
use crate::tui::canvas::Canvas;
use crate::tui::rows::chosen_job;
use crate::tui::text::{outside, sentence};
use crate::tui::theme::Meaning;
use crate::tui::ui::Pane;
use crate::tui::widget::gauge;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let snapshot = canvas.scene.snapshot;
    let Some(job) = subject(canvas) else {
        let inner = canvas.pane(area, Pane::Progress, "");
        return empty(canvas, inner, &["no job yet"]);
    };
    let name = outside(&job.name, usize::from(area.width).saturating_sub(20));
    let inner = canvas.pane(area, Pane::Progress, &name);
    let done = job.counts.total - job.counts.left().min(job.counts.total);
    let columns = usize::from(inner.width);
    let part = (job.counts.total > 0).then(|| done as f64 / job.counts.total as f64);
    let shared = share(done, job.counts.total);
    let bar_columns = columns.saturating_sub(shared.len().max(7) + 1);
    let mut bar = gauge(canvas.theme(), part, bar_columns, Meaning::Bar);
    bar.push_span(canvas.span(Meaning::Accent, format!(" {shared:>7}")));
    let mut lines = vec![bar];
    let room = columns.saturating_sub(11);
    let pair = |name: &str, value: String, meaning| {
        Line::from(vec![
            canvas.span(Meaning::Dim, format!("{name:>9}  ")),
            canvas.span(meaning, sentence(whole_parts(&value, room), room)),
        ])
    };
    lines.push(pair("requests", requests(job, done), Meaning::Text));
    let (when, meaning) = ready(canvas, job, snapshot);
    lines.push(pair("ready", when, meaning));
    if let Some(eta) = job.eta {
        let left = format!("{} at this pace", duration(eta));
        lines.push(pair("left", left, Meaning::Text));
    }
    lines.push(pair("tokens", tokens(job, room), Meaning::Text));
    let bill = Bill::of(job.energy, &job.counts, &canvas.scene.ui.start.prices);
    if !bill.parts().is_empty() {
        lines.push(pair("energy", bill.parts().join(" · "), Meaning::Text));
    }
    let reuse = &job.reuse;
    if reuse.total.is_known() {
        lines.push(pair("reuse", reuse.total.brief(), Meaning::Text));
    }
    for cause in reuse.causes.iter() {
        lines.push(pair("low reuse", cause.to_string(), Meaning::Warn));
    }
    let ran = format!("{} in this session", duration(job.running_for));
    lines.push(pair("ran", ran, Meaning::Text));
    if let Some(waiting) = &snapshot.waiting {
        lines.push(pair("waiting", waiting.clone(), Meaning::Warn));
    }
    if snapshot.unsaved > 0 {
        let text = format!(
            "{} answers on their way to the disk",
            count(snapshot.unsaved)
        );
        lines.push(pair("unsaved", text, Meaning::Warn));
    }
    canvas.lines(inner, &lines);
}

/// As many parts of a value as there is room for, from the first: a part that is cut off may say
/// something else.
fn whole_parts(value: &str, columns: usize) -> &str {
    let mut kept = value;
    while width(kept) > columns {
        let Some(end) = kept.rfind(" · ").max(kept.rfind(" (P")) else {
            break;
        };
        kept = kept.get(..end).unwrap_or_default();
    }
    kept
}

/// The job that runs, or else the chosen one.
fn subject<'a>(canvas: &Canvas<'a>) -> Option<&'a JobView> {
    let snapshot = canvas.scene.snapshot;
    let active = snapshot
        .jobs
        .iter()
        .find(|job| Some(job.id) == snapshot.active);
    active.or_else(|| chosen_job(canvas.scene.ui, snapshot))
}

fn requests(job: &JobView, done: u64) -> String {
    let counts = &job.counts;
    let mut parts = vec![format!("{}/{}", count(done), count(counts.total))];
    if counts.failed > 0 {
        parts.push(format!("{} failed", count(counts.failed)));
    }
    if counts.cut > 0 {
        parts.push(format!("{} cut off", count(counts.cut)));
    }
    parts.join(" · ")
}

/// When it will be done: an interval, by the clock; honest where that is not known.
fn ready(canvas: &Canvas<'_>, job: &JobView, snapshot: &Snapshot) -> (String, Meaning) {
    let zone = &canvas.scene.ui.zone;
    match (&job.state, job.eta) {
        (state, _) if state.is_over() => (state.word().to_owned(), Meaning::Good),
        (JobState::Running | JobState::Finishing, Some(eta)) => {
            let late = job.eta_p90.unwrap_or(eta);
            let now = snapshot.at;
            let when = clock::interval(now.after(eta), now.after(late), zone);
            (format!("{when} (P50–P90)"), Meaning::Accent)
        }
        (JobState::Running | JobState::Finishing, None) if snapshot.waiting.is_none() => {
            ("measuring…".to_owned(), Meaning::Dim)
        }
        (state, _) => (
            state
                .why()
                .map_or_else(|| format!("n/a while {state}"), str::to_owned),
            Meaning::Warn,
        ),
    }
}

/// To the last token where there is room.
fn tokens(job: &JobView, columns: usize) -> String {
    let (read, written) = (job.counts.prompt_tokens.0, job.counts.answer_tokens.0);
    let exact = format!("{} in · {} out", count(read), count(written));
    if width(&exact) <= columns {
        return exact;
    }
    format!("{} in · {} out", short(read), short(written))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::whole_parts;

    #[rstest]
    #[case(
        "96.8 % · 79.9 M tokens · 7 h saved",
        40,
        "96.8 % · 79.9 M tokens · 7 h saved"
    )]
    #[case("96.8 % · 79.9 M tokens · 7 h saved", 30, "96.8 % · 79.9 M tokens")]
    #[case("Sat 21 Nov 11:22–11:58 (P50–P90)", 27, "Sat 21 Nov 11:22–11:58")]
    #[case("one long word", 3, "one long word")]
    fn parts_are_whole_or_not_there(
        #[case] value: &str,
        #[case] columns: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(whole_parts(value, columns), expected);
    }
}
