//! One card in lines.

use ratatui::text::Line;

use super::Pen;
use super::models::{gib, split};
use crate::base::{count, width};
use crate::model::{Card, CardMemory, CardProcess, CardState};
use crate::tui::canvas::Canvas;
use crate::tui::text::{left, outside, right, sentence};
use crate::tui::theme::Meaning;
use crate::tui::widget::marked_gauge;

/// Processes of a card shown at most.
const PROCESSES: usize = 6;
/// Columns of a card's name where there are several.
const NAME: usize = 20;
const BETWEEN: &str = " · ";

/// How full its memory is and how hot it is; or why that is not known.
pub(super) fn gauge_line(
    canvas: &Canvas<'_>,
    pen: &Pen,
    card: &Card,
    columns: usize,
) -> Line<'static> {
    if let Some((text, meaning)) = unreadable(card) {
        let text = sentence(&text, columns.saturating_sub(2));
        return Line::from(pen.span(canvas, meaning, format!(" {text}")));
    }
    let limits = &canvas.scene.ui.limits;
    let filled = card.memory.as_ref().map(CardMemory::filled_percent);
    let meaning = match filled {
        Some(filled) if filled >= limits.memory_pause => Meaning::Bad,
        Some(filled) if filled >= limits.memory_ease => Meaning::Warn,
        _ => Meaning::Bar,
    };
    let figures = format!(
        "{}  {}",
        memory(card),
        right(&percent(filled.map(f64::round)), 5)
    );
    let (heat, heat_meaning) = heat(canvas, card);
    let bar = columns.saturating_sub(width(&figures) + width(&heat) + 5);
    let marks = [limits.memory_ease / 100.0, limits.memory_pause / 100.0];
    let full = if pen.is_old() { Meaning::Dim } else { meaning };
    let part = filled.map(|filled| filled / 100.0);
    let mut line = marked_gauge(canvas.theme(), (part, full), bar, &marks);
    line.spans.insert(0, canvas.span(Meaning::Text, " "));
    let text = if meaning == Meaning::Bar {
        Meaning::Text
    } else {
        meaning
    };
    line.push_span(pen.span(canvas, text, format!(" {figures}")));
    line.push_span(pen.span(canvas, heat_meaning, format!("  {heat}")));
    line
}

/// The other figures of a card that answers, and what slows it down.
pub(super) fn figures(
    canvas: &Canvas<'_>,
    pen: &Pen,
    card: &Card,
    columns: usize,
) -> Option<Line<'static>> {
    if unreadable(card).is_some() {
        return None;
    }
    let slowed = slowed(card);
    let parts = [
        Some(power(card)),
        Some(format!(
            "{} busy",
            percent(card.busy_percent.map(f64::from))
        )),
    ];
    let mut parts: Vec<String> = parts.into_iter().flatten().collect();
    // What slows it down goes before what its memory is used for.
    if let Some(slowed) = &slowed {
        parts.push(slowed.clone());
    }
    parts.extend(split(card, canvas.scene.snapshot));
    let meaning = if slowed.is_some() {
        Meaning::Warn
    } else {
        Meaning::Text
    };
    let text = sentence(&parts.join(BETWEEN), columns.saturating_sub(2));
    Some(Line::from(pen.span(canvas, meaning, format!(" {text}"))))
}

/// A card in one row, where there are several.
pub(super) fn row(canvas: &Canvas<'_>, pen: &Pen, card: &Card, columns: usize) -> Line<'static> {
    let name = left(&outside(&card.name, NAME), NAME);
    let mut line = Line::from(pen.span(canvas, Meaning::Accent, format!(" {name}")));
    let room = columns.saturating_sub(NAME + 1);
    line.spans.extend(gauge_line(canvas, pen, card, room).spans);
    line
}

/// Everything about a card.
pub(super) fn block(
    canvas: &Canvas<'_>,
    pen: &Pen,
    card: &Card,
    columns: usize,
) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(2);
    let line = |meaning, text: &str| {
        Line::from(pen.span(canvas, meaning, format!(" {}", sentence(text, room))))
    };
    let mut lines = vec![
        line(Meaning::Title, &outside(&card.name, room)),
        gauge_line(canvas, pen, card, columns),
    ];
    if unreadable(card).is_some() {
        return lines;
    }
    let split = split(card, canvas.scene.snapshot);
    lines.extend(split.map(|split| line(Meaning::Text, &split)));
    let clock = |mhz: Option<u32>| {
        mhz.map_or_else(
            || "n/a".to_owned(),
            |mhz| format!("{} MHz", count(mhz.into())),
        )
    };
    let figures = [
        power(card),
        format!("{} busy", percent(card.busy_percent.map(f64::from))),
        format!("cores {}", clock(card.core_mhz)),
        format!("memory {}", clock(card.memory_mhz)),
    ];
    lines.push(line(Meaning::Text, &figures.join(BETWEEN)));
    lines.extend(slowed(card).map(|slowed| line(Meaning::Warn, &slowed)));
    let missing = card.missing.iter();
    lines.extend(missing.map(|it| {
        let text = format!("{} n/a: {}", it.what, it.why);
        line(Meaning::Dim, &text)
    }));
    lines.extend(processes(card).map(|(text, meaning)| line(meaning, &text)));
    lines
}

/// Why a card shows nothing, if it does not.
fn unreadable(card: &Card) -> Option<(String, Meaning)> {
    match &card.state {
        CardState::Awake => None,
        CardState::Asleep => {
            let text = "asleep: it is not woken to be read";
            Some((text.to_owned(), Meaning::Dim))
        }
        CardState::Lost { why } => Some((format!("lost: {why}"), Meaning::Bad)),
    }
}

fn memory(card: &Card) -> String {
    card.memory.map_or_else(
        || "memory n/a".to_owned(),
        |memory| {
            let taken = memory.total.saturating_sub(memory.free);
            format!("{} / {} GiB", right(&gib(taken), 4), gib(memory.total))
        },
    )
}

fn percent(percent: Option<f64>) -> String {
    percent.map_or_else(|| "n/a".to_owned(), |percent| format!("{percent:.0} %"))
}

fn heat(canvas: &Canvas<'_>, card: &Card) -> (String, Meaning) {
    let limits = &canvas.scene.ui.limits;
    let text = card
        .celsius
        .map_or_else(|| " n/a °C".to_owned(), |celsius| format!("{celsius:3} °C"));
    let meaning = match card.celsius {
        Some(celsius) if celsius >= limits.heat_pause => Meaning::Bad,
        Some(celsius) if celsius >= limits.heat_resume => Meaning::Warn,
        Some(_) => Meaning::Text,
        None => Meaning::Dim,
    };
    (text, meaning)
}

fn power(card: &Card) -> String {
    match (card.watts, card.watts_limit) {
        (Some(watts), Some(limit)) => format!("{watts:.0}/{limit:.0} W"),
        (Some(watts), None) => format!("{watts:.0} W"),
        (None, _) => "power n/a".to_owned(),
    }
}

fn slowed(card: &Card) -> Option<String> {
    let causes = card.throttled.iter().flatten();
    let causes: Vec<&str> = causes.map(|cause| cause.words()).collect();
    (!causes.is_empty()).then(|| format!("slowed: {}", causes.join(", ")))
}

/// Who uses the card: what runs models first, then who holds most.
fn processes(card: &Card) -> impl Iterator<Item = (String, Meaning)> {
    let mut all: Vec<&CardProcess> = card.processes.iter().flatten().collect();
    all.sort_by_key(|process| {
        let is_runner = process.is_runner() == Some(true);
        (!is_runner, std::cmp::Reverse(process.memory), process.pid)
    });
    let more = all.len().saturating_sub(PROCESSES);
    let rest = (more > 0).then(|| (format!("{:>7}  and {more} more", ""), Meaning::Dim));
    let shown: Vec<(String, Meaning)> = all.into_iter().take(PROCESSES).map(process).collect();
    shown.into_iter().chain(rest)
}

fn process(process: &CardProcess) -> (String, Meaning) {
    let name = process.name.as_deref().unwrap_or("name n/a");
    let memory = process
        .memory
        .map_or_else(|| "n/a".to_owned(), |memory| format!("{} GiB", gib(memory)));
    let is_runner = process.is_runner() == Some(true);
    let busy = process.busy_percent.map(|busy| format!("  {busy} %"));
    let text = format!(
        "{:>7}  {}{}  {}{}",
        process.pid,
        right(&memory, 9),
        busy.unwrap_or_default(),
        outside(name, 48),
        if is_runner { "  runs models" } else { "" }
    );
    let meaning = if is_runner {
        Meaning::Accent
    } else {
        Meaning::Dim
    };
    (text, meaning)
}
