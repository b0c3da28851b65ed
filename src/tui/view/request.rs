//! One request: prompt and answer side by side, and what it took.

use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::requests::{name, state, tokens};
use crate::base::{bytes, duration};
use crate::tui::canvas::Canvas;
use crate::tui::hits::{Broken, Form, Listed, Target, TextRow, Window};
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
    if let Some(times) = times(canvas, text) {
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

/// When it ended and where the time went; nothing before there is an end.
fn times(canvas: &Canvas<'_>, text: &RequestText) -> Option<String> {
    let at = text.line.at?;
    let clock = clock::seconds(at, &canvas.scene.ui.zone);
    let ended = format!(" ended at {clock}");
    Some(match spent(text) {
        Some(spent) => format!("{ended} · {spent}"),
        None => ended,
    })
}

/// Where the time of an answer went.
fn spent(text: &RequestText) -> Option<String> {
    let timings = text.timings?;
    let part = |time: Option<Duration>| time.map_or("n/a".to_owned(), duration);
    Some(format!(
        "{} = queue {} · load {} · prefill {} · answer {}",
        duration(timings.wall),
        part(timings.queued()),
        part(timings.load),
        part(timings.prefill),
        part(timings.decode)
    ))
}

fn side(
    canvas: &mut Canvas<'_>,
    reading: &Reading,
    text: &Arc<RequestText>,
    side: Side,
    area: Rect,
) {
    let title = match side {
        Side::Prompt => "Prompt",
        Side::Answer => "Answer",
    };
    canvas.hits.add(area, Target::Side(side));
    let detail = if reading.is_raw { "JSON" } else { "" };
    let inner = canvas.border(area, title, detail, reading.side == side);
    let form = Form {
        side,
        is_raw: reading.is_raw,
        columns: usize::from(inner.width),
    };
    let rows = match live(canvas, reading, text, form) {
        Some(rows) => rows,
        None => kept(canvas, text, form),
    };
    let height = usize::from(inner.height);
    let first = reading.scrolled.get(side as usize).copied().unwrap_or(0);
    let window = Window::around(Listed::Side(side), None, first, rows.len(), height);
    canvas.hits.window(window);
    let shown = rows.iter().skip(window.first).take(height);
    for (drawn, (meaning, row)) in shown.enumerate() {
        let line = Line::from(canvas.span(*meaning, row.as_str()));
        canvas.line(inner, drawn as u16, &line);
    }
}

/// The answer so far of a request that is being answered, where it is watched.
fn live(
    canvas: &Canvas<'_>,
    reading: &Reading,
    text: &RequestText,
    form: Form,
) -> Option<Arc<[TextRow]>> {
    let watched = canvas.scene.snapshot.watched.as_ref()?;
    let is_its = form.side == Side::Answer && watched.request == reading.request;
    if !is_its || !text.answer.is_empty() || form.is_raw {
        return None;
    }
    let piece = Piece {
        role: "so far".to_owned(),
        text: watched.text.clone(),
    };
    Some(said(&[piece], form.columns).into())
}

/// The rows of a side: those of the last picture where nothing has changed, because breaking a
/// long text into rows takes a while.
fn kept(canvas: &mut Canvas<'_>, text: &Arc<RequestText>, form: Form) -> Arc<[TextRow]> {
    let before = canvas.scene.ui.hits.broken(text, form);
    let rows = before.unwrap_or_else(|| broken(text, form).into());
    canvas.hits.keep(Broken {
        of: Arc::clone(text),
        form,
        rows: Arc::clone(&rows),
    });
    rows
}

fn broken(text: &RequestText, form: Form) -> Vec<TextRow> {
    let (pieces, raw) = match form.side {
        Side::Prompt => (&text.prompt, &text.raw[0]),
        Side::Answer => (&text.answer, &text.raw[1]),
    };
    if !form.is_raw {
        return said(pieces, form.columns);
    }
    let mut rows = Vec::new();
    put(&mut rows, raw, form.columns, &mut LONGEST.clone());
    rows
}

/// The pieces, each under its role.
fn said(pieces: &[Piece], columns: usize) -> Vec<TextRow> {
    let mut rows = Vec::new();
    let mut left = LONGEST;
    for piece in pieces {
        if !rows.is_empty() {
            rows.push((Meaning::Text, String::new()));
        }
        rows.push((Meaning::Accent, outside(&piece.role, columns)));
        put(&mut rows, &piece.text, columns, &mut left);
        if left == 0 {
            break;
        }
    }
    if rows.is_empty() {
        rows.push((Meaning::Dim, "nothing yet".to_owned()));
    }
    rows
}

/// Puts a text in rows as long as some of the allowance is left, and says what is left out.
fn put(rows: &mut Vec<TextRow>, text: &str, columns: usize, left: &mut usize) {
    let end = text.floor_char_boundary(*left);
    let (shown, rest) = text.split_at(end);
    *left -= end;
    let wrapped = wrapped(shown, columns).into_iter();
    rows.extend(wrapped.map(|row| (Meaning::Text, row)));
    if !rest.is_empty() {
        *left = 0;
        let more = format!("… {} more, which a copy takes", bytes(rest.len() as u64));
        rows.push((Meaning::Warn, sentence(&more, columns)));
    }
}
