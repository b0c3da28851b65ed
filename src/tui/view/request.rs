//! One request: prompt and answer side by side, and what it took.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::requests::{name, state, tokens};
use crate::base::{bytes, duration};
use crate::tui::canvas::Canvas;
use crate::tui::hits::{Listed, Target, Window};
use crate::tui::layout::top;
use crate::tui::lists::{Reading, Side};
use crate::tui::pane::clock;
use crate::tui::reading::{Piece, RequestText};
use crate::tui::text::{outside, sentence, wrapped};
use crate::tui::theme::Meaning;

/// Bytes of a side that are wrapped and shown; a copy takes all.
const LONGEST: usize = 128 << 10;
/// Columns from which on both sides stand side by side.
const BOTH: u16 = 60;
/// Failed attempts that are shown at most.
const ATTEMPTS: usize = 3;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let Some(reading) = &canvas.scene.ui.lists.reading else {
        return;
    };
    let Some(text) = &reading.text else {
        let inner = canvas.border(body, "Request", "", true);
        let why = reading.trouble.as_deref().unwrap_or("reading…");
        let why = sentence(why, usize::from(inner.width).saturating_sub(1));
        let line = Line::from(canvas.span(Meaning::Dim, format!(" {why}")));
        return canvas.line(inner, 0, &line);
    };
    let facts = facts(canvas, text, usize::from(body.width));
    let (head, sides) = top(body, (facts.len() as u16).min(body.height / 2));
    canvas.lines(head, &facts);
    if sides.width < BOTH {
        return side(canvas, reading, text, reading.side, sides);
    }
    let half = sides.width / 2;
    let left = Rect {
        width: half,
        ..sides
    };
    let right = Rect {
        x: sides.x + half,
        width: sides.width - half,
        ..sides
    };
    side(canvas, reading, text, Side::Prompt, left);
    side(canvas, reading, text, Side::Answer, right);
}

/// Name and state, tokens, times, failed attempts: a line each.
fn facts(canvas: &Canvas<'_>, text: &RequestText, columns: usize) -> Vec<Line<'static>> {
    let line = &text.line;
    let (sign, word, meaning) = state(canvas.theme(), line.state);
    let cut = text.finish.filter(|finish| finish.is_cut());
    let cut = cut.map_or("", |_| " · answer cut off");
    let told = format!(
        " line {} · tries {}{cut} · tokens: prompt {}, answer {}",
        crate::base::count(line.line),
        line.attempts.sent,
        tokens(line, line.prompt_tokens),
        tokens(line, line.answer_tokens)
    );
    let mut lines = vec![
        Line::from(vec![
            canvas.span(meaning, format!(" {sign} {word} ")),
            canvas.span(
                Meaning::Title,
                outside(&name(line), columns.saturating_sub(12)),
            ),
        ]),
        Line::from(canvas.span(Meaning::Text, sentence(&told, columns))),
    ];
    if let Some(times) = times(text) {
        lines.push(Line::from(
            canvas.span(Meaning::Dim, sentence(&times, columns)),
        ));
    }
    let first = text.attempts.len().saturating_sub(ATTEMPTS);
    for (number, at, what) in text.attempts.iter().skip(first) {
        let clock = clock::seconds(*at, &canvas.scene.ui.zone);
        let what = sentence(what, columns.saturating_sub(24));
        let told = format!(" attempt {number} at {clock}: {what}");
        lines.push(Line::from(canvas.span(Meaning::Warn, told)));
    }
    lines
}

/// Where the time went; nothing where there is no answer.
fn times(text: &RequestText) -> Option<String> {
    let timings = text.timings?;
    let part = |time: Option<Duration>| time.map_or("n/a".to_owned(), duration);
    Some(format!(
        " {} = queue {} · load {} · prefill {} · answer {}",
        duration(timings.wall),
        part(timings.queued()),
        part(timings.load),
        part(timings.prefill),
        part(timings.decode)
    ))
}

fn side(canvas: &mut Canvas<'_>, reading: &Reading, text: &RequestText, side: Side, area: Rect) {
    let (title, pieces, raw) = match side {
        Side::Prompt => ("Prompt", &text.prompt, &text.raw[0]),
        Side::Answer => ("Answer", &text.answer, &text.raw[1]),
    };
    canvas.hits.add(area, Target::Side(side));
    let detail = if reading.is_raw { "JSON" } else { "" };
    let inner = canvas.border(area, title, detail, reading.side == side);
    let columns = usize::from(inner.width);
    let lines = if reading.is_raw {
        let mut lines = Vec::new();
        put(canvas, &mut lines, raw, columns, &mut LONGEST.clone());
        lines
    } else {
        said(canvas, pieces, columns)
    };
    let height = usize::from(inner.height);
    let first = reading.scrolled.get(side as usize).copied().unwrap_or(0);
    let window = Window::around(Listed::Side(side), None, first, lines.len(), height);
    canvas.hits.window(window);
    canvas.lines(inner, lines.get(window.first..).unwrap_or_default());
}

/// The pieces, each under its role.
fn said(canvas: &Canvas<'_>, pieces: &[Piece], columns: usize) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let mut left = LONGEST;
    for piece in pieces {
        if !lines.is_empty() {
            lines.push(Line::default());
        }
        let role = outside(&piece.role, columns);
        lines.push(Line::from(canvas.span(Meaning::Accent, role)));
        put(canvas, &mut lines, &piece.text, columns, &mut left);
        if left == 0 {
            break;
        }
    }
    if lines.is_empty() {
        lines.push(Line::from(canvas.span(Meaning::Dim, "nothing yet")));
    }
    lines
}

/// Puts a text in lines as long as some of the allowance is left, and says what is left out.
fn put(
    canvas: &Canvas<'_>,
    lines: &mut Vec<Line<'static>>,
    text: &str,
    columns: usize,
    left: &mut usize,
) {
    let end = text.floor_char_boundary(*left);
    let (shown, rest) = text.split_at(end);
    *left -= end;
    let wrapped = wrapped(shown, columns);
    let text = wrapped
        .into_iter()
        .map(|row| Line::from(canvas.span(Meaning::Text, row)));
    lines.extend(text);
    if !rest.is_empty() {
        *left = 0;
        let more = format!("… {} more, which a copy takes", bytes(rest.len() as u64));
        lines.push(Line::from(
            canvas.span(Meaning::Warn, sentence(&more, columns)),
        ));
    }
}
