//! Rates now and over time, with marks where something happened.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::base::{duration, rate};
use crate::model::{EventKind, HistoryView, SeriesView};
use crate::tui::canvas::{Canvas, Scene};
use crate::tui::layout::side;
use crate::tui::text::right;
use crate::tui::theme::{Meaning, Theme};
use crate::tui::ui::{Pane, TimeWindow};
use crate::tui::widget::{Plot, curve_columns, graph, resample};

/// Columns of the figures beside the graph.
const FIGURES: u16 = 21;
/// A graph narrower than this says nothing.
const LEAST_GRAPH: u16 = 16;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let inner = canvas.pane(area, Pane::Throughput, canvas.scene.ui.window.word());
    let figures = figures(canvas);
    if inner.width < FIGURES + LEAST_GRAPH {
        // The graph goes below the figures, or is left out.
        let rows = figures.len() as u16 + 1;
        canvas.lines(inner, &figures);
        if inner.height > rows + 3 {
            let below = Rect {
                y: inner.y + rows,
                height: inner.height - rows,
                ..inner
            };
            curve(canvas, below);
        }
        return;
    }
    let (left, rest) = side(inner, FIGURES);
    canvas.lines(left, &figures);
    curve(canvas, rest);
}

fn figures(canvas: &Canvas<'_>) -> Vec<Line<'static>> {
    let snapshot = canvas.scene.snapshot;
    let figure = |value: Option<f64>, unit: &str, meaning| {
        let text = value.map_or_else(|| "n/a".to_owned(), rate);
        Line::from(vec![
            canvas.span(meaning, right(&text, 8)),
            canvas.span(Meaning::Dim, format!(" {unit}")),
        ])
    };
    let latency = |name: &str, time: Option<Duration>| {
        let text = time.map_or_else(|| "n/a".to_owned(), duration);
        Line::from(vec![
            canvas.span(Meaning::Dim, right(name, 8)),
            canvas.span(Meaning::Text, format!(" {}", right(&text, 11))),
        ])
    };
    let latencies = snapshot.latency;
    vec![
        figure(snapshot.rates.requests, "req/s", Meaning::Accent),
        figure(snapshot.rates.answer_tokens, "tok/s out", Meaning::Text),
        figure(snapshot.rates.prompt_tokens, "tok/s in", Meaning::Text),
        latency("p50", latencies.map(|view| view.p50)),
        latency("p95", latencies.map(|view| view.p95)),
        latency("p99", latencies.map(|view| view.p99)),
    ]
}

fn curve(canvas: &mut Canvas<'_>, area: Rect) {
    let columns = usize::from(area.width);
    let plot = plot(canvas.scene, curve_columns(columns) * 2, canvas.theme());
    let lines = graph(canvas.theme(), &plot, columns, usize::from(area.height));
    canvas.lines(area, &lines);
}

fn plot(scene: Scene<'_>, slots: usize, theme: &Theme) -> Plot {
    let history = &scene.snapshot.history;
    let window = scene.ui.window;
    let (points, span) = points(&history.requests, window, scene.snapshot.now.0);
    Plot {
        points: resample(&points, slots),
        marks: marks(history, scene, span, theme),
        span: window_text(window, span),
        limits: Vec::new(),
    }
}

/// The points of the window, filled up with gaps at its beginning, and how long it is.
pub(super) fn points(
    series: &SeriesView,
    window: TimeWindow,
    now: Duration,
) -> (Vec<Option<f32>>, Duration) {
    let (all, step, span) = match window {
        TimeWindow::Minute => (
            &series.recent,
            Duration::from_secs(1),
            Duration::from_mins(1),
        ),
        TimeWindow::TenMinutes => (
            &series.recent,
            Duration::from_secs(1),
            Duration::from_mins(10),
        ),
        TimeWindow::Hour => (&series.whole, series.whole_step, Duration::from_hours(1)),
        TimeWindow::Whole => (
            &series.whole,
            series.whole_step,
            now.max(Duration::from_secs(1)),
        ),
    };
    let step = step.as_secs().max(1);
    let wanted = span.as_secs().div_ceil(step).clamp(1, 3600) as usize;
    let mut kept: Vec<Option<f32>> = all.iter().copied().rev().take(wanted).collect();
    // The coarse series ends with its last point; what has passed since is a gap.
    if matches!(window, TimeWindow::Hour | TimeWindow::Whole) {
        let passed = (now.as_secs() / step + 1).saturating_sub(all.len() as u64) as usize;
        kept.splice(0..0, std::iter::repeat_n(None, passed.min(wanted)));
    }
    kept.resize(wanted, None);
    kept.reverse();
    (kept, span)
}

fn marks(
    history: &HistoryView,
    scene: Scene<'_>,
    span: Duration,
    theme: &Theme,
) -> Vec<(f64, &'static str)> {
    let now = scene.snapshot.now;
    let place = |at| 1.0 - now.since(at).as_secs_f64() / span.as_secs_f64();
    let shown = history
        .marks
        .iter()
        .map(|mark| (place(mark.at), sign(mark.kind, theme)));
    shown.filter(|(place, _)| *place >= 0.0).collect()
}

const fn sign(kind: EventKind, theme: &Theme) -> &'static str {
    match kind {
        EventKind::JobState => theme.sign("▴", "^"),
        EventKind::Setting | EventKind::Lanes => theme.sign("◆", "*"),
        EventKind::ServerDown | EventKind::StoreTrouble | EventKind::RunnerCrash => {
            theme.sign("✗", "x")
        }
        EventKind::Guard => theme.sign("‖", "="),
        EventKind::ServerUp | EventKind::StoreWell => theme.sign("✓", "v"),
        _ => theme.sign("↻", "r"),
    }
}

/// The length of the window in words.
pub(super) fn window_text(window: TimeWindow, span: Duration) -> String {
    match window {
        TimeWindow::Whole => duration(Duration::from_secs(span.as_secs())),
        window => window.word().to_owned(),
    }
}
