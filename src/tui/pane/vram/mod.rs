//! Memory, heat and power of the cards, and what the server says about its models.
//!
//! In its place among the others the pane gives a card a few lines; enlarged it shows everything
//! that was read. Readings that are old are dimmed and say how old they are.

mod card;
mod models;

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::throughput::{points, window_text};
use crate::base::duration;
use crate::model::{Card, CardHistory, HostMemory, TakenReadings};
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, sentence};
use crate::tui::theme::Meaning;
use crate::tui::ui::Pane;
use crate::tui::widget::{Plot, curve_columns, graph, resample, spark};

/// Readings older than this are old: cards are read every second.
const OLD: Duration = Duration::from_secs(3);
/// A pane with so many rows shows everything.
const LARGE: u16 = 12;
/// A pane with fewer columns has no room for a name beside an age.
const NARROW: usize = 56;
/// A graph with fewer rows says nothing.
const LEAST_GRAPH: usize = 4;
/// A graph with more rows says no more.
const MOST_GRAPH: usize = 12;

pub(super) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    let Some(taken) = &canvas.scene.snapshot.readings else {
        let inner = canvas.pane(area, Pane::Vram, "as the server reports");
        return without_cards(canvas, inner, "not read yet");
    };
    let pen = Pen {
        age: canvas.scene.now().since(taken.at),
    };
    let inner = canvas.pane(area, Pane::Vram, &pen.detail(taken, area.width));
    if taken.readings.cards.is_empty() {
        let why = taken.readings.absent.as_deref();
        return without_cards(canvas, inner, why.unwrap_or("none is there"));
    }
    if inner.height >= LARGE {
        large(canvas, inner, &pen, taken);
    } else {
        small(canvas, inner, &pen, taken);
    }
}

/// How readings are drawn.
struct Pen {
    age: Duration,
}

impl Pen {
    fn is_old(&self) -> bool {
        self.age >= OLD
    }

    /// What is old means nothing but that.
    fn span(
        &self,
        canvas: &Canvas<'_>,
        meaning: Meaning,
        text: impl Into<String>,
    ) -> Span<'static> {
        let meaning = if self.is_old() { Meaning::Dim } else { meaning };
        canvas.span(meaning, text)
    }

    /// Which cards, and how old the readings are.
    fn detail(&self, taken: &TakenReadings, columns: u16) -> String {
        let cards = &taken.readings.cards;
        let room = usize::from(columns).saturating_sub(30);
        let what = match cards.as_slice() {
            [] => "as the server reports".to_owned(),
            [card] => outside(&card.name, room),
            cards => format!("{} cards", cards.len()),
        };
        if !self.is_old() {
            return what;
        }
        let age = Duration::from_secs(self.age.as_secs());
        let old = format!("read {} ago", duration(age));
        // How old they are goes before whose they are.
        if usize::from(columns) < NARROW {
            return old;
        }
        format!("{what} · {old}")
    }
}

fn without_cards(canvas: &mut Canvas<'_>, inner: Rect, why: &str) {
    let columns = usize::from(inner.width);
    let mut lines = models::lines(canvas, columns, usize::from(inner.height));
    let text = sentence(&format!("card n/a: {why}"), columns.saturating_sub(2));
    lines.push(Line::from(canvas.span(Meaning::Dim, format!(" {text}"))));
    if let Some(taken) = &canvas.scene.snapshot.readings {
        lines.extend(host(canvas, &taken.readings.host));
    }
    canvas.lines(inner, &lines);
}

/// A few lines for one card, or one line each for several.
fn small(canvas: &mut Canvas<'_>, inner: Rect, pen: &Pen, taken: &TakenReadings) {
    let (columns, rows) = (usize::from(inner.width), usize::from(inner.height));
    let cards = &taken.readings.cards;
    let mut lines = Vec::new();
    if let [card] = cards.as_slice() {
        lines.push(card::gauge_line(canvas, pen, card, columns));
        lines.extend(card::figures(canvas, pen, card, columns));
        if rows > lines.len() + 1 {
            lines.extend(curve(canvas, card, columns));
        }
    } else {
        lines.extend(few_rows(canvas, pen, cards, (columns, rows)));
    }
    let room = rows.saturating_sub(lines.len());
    lines.extend(models::lines(canvas, columns, room));
    canvas.lines(inner, &lines);
}

/// A row for each card; where there is no room for all, the last row says how many are left out.
fn few_rows(
    canvas: &Canvas<'_>,
    pen: &Pen,
    cards: &[Card],
    (columns, rows): (usize, usize),
) -> Vec<Line<'static>> {
    let fits = if cards.len() <= rows {
        cards.len()
    } else {
        rows.saturating_sub(1)
    };
    let shown = cards.iter().take(fits);
    let mut lines: Vec<_> = shown
        .map(|card| card::row(canvas, pen, card, columns))
        .collect();
    if fits < cards.len() {
        let text = format!(" and {} more", cards.len() - fits);
        lines.push(Line::from(canvas.span(Meaning::Dim, text)));
    }
    lines
}

/// Everything about the cards, then the models and the machine, then graphs in what room is left.
fn large(canvas: &mut Canvas<'_>, inner: Rect, pen: &Pen, taken: &TakenReadings) {
    let (columns, rows) = (usize::from(inner.width), usize::from(inner.height));
    let cards = &taken.readings.cards;
    let last: Vec<Line<'static>> = models::lines(canvas, columns, 4)
        .into_iter()
        .chain(host(canvas, &taken.readings.host))
        .collect();
    let blocks: Vec<Vec<Line<'static>>> = cards
        .iter()
        .map(|card| card::block(canvas, pen, card, columns))
        .collect();
    let needed: usize = blocks.iter().map(Vec::len).sum::<usize>() + last.len();
    let room = rows.saturating_sub(needed) / cards.len().max(1);
    let mut lines = Vec::new();
    if needed > rows {
        lines.extend(few_rows(
            canvas,
            pen,
            cards,
            (columns, rows - last.len().min(rows)),
        ));
    } else {
        for (card, block) in cards.iter().zip(blocks) {
            lines.extend(block);
            if room >= LEAST_GRAPH {
                lines.extend(plot(canvas, card, columns, room.min(MOST_GRAPH)));
            }
        }
    }
    lines.extend(last);
    canvas.lines(inner, &lines);
}

fn history<'a>(canvas: &Canvas<'a>, card: &Card) -> Option<&'a CardHistory> {
    let cards = &canvas.scene.snapshot.history.cards;
    cards.iter().find(|history| *history.id == *card.id)
}

/// How full its memory was, in one line.
fn curve(canvas: &Canvas<'_>, card: &Card, columns: usize) -> Option<Line<'static>> {
    let scene = canvas.scene;
    let history = history(canvas, card)?;
    let (known, span) = points(&history.memory, scene.ui.window, scene.snapshot.now.0);
    let label = format!(" {}", window_text(scene.ui.window, span));
    let columns = columns.saturating_sub(label.len() + 2);
    let known = resample(&known, columns);
    Some(Line::from(vec![
        canvas.span(
            Meaning::Bar,
            format!(" {}", spark(canvas.theme(), &known, 100.0)),
        ),
        canvas.span(Meaning::Dim, label),
    ]))
}

/// How full its memory was over time, with the limits.
fn plot(canvas: &Canvas<'_>, card: &Card, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let scene = canvas.scene;
    let Some(history) = history(canvas, card) else {
        return Vec::new();
    };
    let (known, span) = points(&history.memory, scene.ui.window, scene.snapshot.now.0);
    let limits = &scene.ui.limits;
    let plot = Plot {
        points: resample(&known, curve_columns(columns) * 2),
        marks: Vec::new(),
        span: format!("{} memory %", window_text(scene.ui.window, span)),
        limits: vec![limits.memory_ease as f32, limits.memory_pause as f32],
    };
    graph(canvas.theme(), &plot, columns, rows)
}

/// Memory of the machine and of this program.
fn host(canvas: &Canvas<'_>, host: &HostMemory) -> Option<Line<'static>> {
    let machine = host.available.zip(host.total).map(|(free, total)| {
        let (free, total) = (models::gib(free), models::gib(total));
        format!("machine {free} of {total} GiB free")
    });
    let own = host.own.map(|own| format!("batchtop {} MiB", own >> 20));
    let known: Vec<String> = machine.into_iter().chain(own).collect();
    let line = |text: String| Line::from(canvas.span(Meaning::Dim, format!(" {text}")));
    (!known.is_empty()).then(|| line(known.join(" · ")))
}

#[cfg(test)]
mod tests;
