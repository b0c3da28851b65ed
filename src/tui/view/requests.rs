//! The requests of a job as a table of any length, of which a piece is held.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::base::{count, duration};
use crate::model::{JobView, RequestState, Tokens};
use crate::store::{Filter, RequestLine, Sort};
use crate::tui::action::Action;
use crate::tui::canvas::Canvas;
use crate::tui::hits::{Listed, Target, Window};
use crate::tui::layout::top;
use crate::tui::lists::RequestList;
use crate::tui::pane::clock;
use crate::tui::text::{outside, sentence};
use crate::tui::theme::{Meaning, Theme};
use crate::tui::widget::{Column, cells};

/// Columns of the fixed cells, and the width from which on each is shown.
const STATE: usize = 8;
const TRIES: usize = 6;
const TOKENS: usize = 9;
const TIME: usize = 9;
const CLASS: usize = 23;
const ENDED: usize = 8;
/// Columns that the name of a request keeps before other cells go.
const NAME: usize = 12;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let Some(list) = &canvas.scene.ui.lists.requests else {
        return;
    };
    let jobs = canvas.scene.snapshot.jobs.iter();
    let job = jobs.into_iter().find(|job| job.id == list.job);
    let title = match job {
        Some(job) => format!("Requests of {}", outside(&job.name, 40)),
        None => format!("Requests of job {}", list.job),
    };
    let tally = tally(list, job);
    let detail = match under_way(canvas, list) {
        Some(words) => format!("{words} · {tally}"),
        None => tally,
    };
    let inner = canvas.border(body, &title, &detail, true);
    let (bar, rest) = top(inner, 1);
    let (heads, rows) = top(rest, 1);
    let bar_line = match &list.typing {
        Some(field) => {
            let room = usize::from(bar.width).saturating_sub(3);
            let (text, column) = field.view(room);
            let cursor = Rect {
                x: bar.x + 2 + column as u16,
                width: 1,
                ..bar
            };
            let line = Line::from(vec![
                canvas.span(Meaning::Accent, " /"),
                canvas.span(Meaning::Text, text),
            ]);
            canvas.line(bar, 0, &line);
            let selected = canvas.theme().style(Meaning::Selected);
            canvas.tint(cursor.intersection(bar), selected);
            None
        }
        None => Some(filters(canvas, list, job)),
    };
    if let Some(line) = bar_line {
        canvas.line(bar, 0, &line);
    }
    let widths = Widths::of(usize::from(inner.width));
    draw_heads(canvas, list, heads, &widths);
    draw_rows(canvas, list, rows, &widths);
}

/// The heads of the columns, that which the list is sorted by with an arrow.
fn draw_heads(canvas: &mut Canvas<'_>, list: &RequestList, area: Rect, widths: &Widths) {
    let arrow = if list.is_reversed {
        canvas.theme().sign("▼", "v")
    } else {
        canvas.theme().sign("▲", "^")
    };
    let mut column = 0;
    let mut heads = Vec::new();
    for (sort, word, columns, is_number) in widths.heads() {
        let is_sorted = sort == Some(list.sort);
        let sign = if is_sorted { arrow } else { "" };
        let meaning = if is_sorted {
            Meaning::Accent
        } else {
            Meaning::Dim
        };
        let text = format!("{sign}{word}");
        heads.push(if is_number {
            Column::number(meaning, text, columns)
        } else {
            Column::word(meaning, text, columns)
        });
        if columns == 0 {
            continue;
        }
        let place = Rect {
            x: area.x.saturating_add(column as u16),
            width: columns as u16,
            ..area
        };
        if let Some(sort) = sort {
            canvas
                .hits
                .add(place.intersection(area), Target::Head(sort));
        }
        column += columns + 1;
    }
    let line = cells(canvas.theme(), &heads);
    canvas.line(area, 0, &line);
}

fn draw_rows(canvas: &mut Canvas<'_>, list: &RequestList, area: Rect, widths: &Widths) {
    let lines = list.lines();
    if let Some(text) = nothing(list) {
        let text = sentence(&text, usize::from(area.width).saturating_sub(1));
        let line = Line::from(canvas.span(Meaning::Dim, format!(" {text}")));
        canvas.line(area, 0, &line);
    }
    let of = Listed::Requests;
    let at = list.at();
    let anchor = canvas.scene.ui.anchors.get(&of).copied().unwrap_or(0);
    let window = Window::around(of, at, anchor, lines.len(), usize::from(area.height));
    canvas.hits.add(area, Target::List);
    canvas.hits.window(window);
    let visible = lines
        .iter()
        .enumerate()
        .skip(window.first)
        .take(window.height);
    for (drawn, (row, request)) in visible.enumerate() {
        let is_marked = list.marked.contains(&request.id);
        let text = widths.row(canvas, request, is_marked);
        item(canvas, area, drawn as u16, row, at == Some(row), &text);
    }
}

/// Draws a row of a list that fills the view.
pub(super) fn item(
    canvas: &mut Canvas<'_>,
    area: Rect,
    drawn: u16,
    row: usize,
    is_selected: bool,
    text: &Line<'_>,
) {
    let place = Rect {
        y: area.y + drawn,
        height: 1,
        ..area
    };
    canvas.line(area, drawn, text);
    if is_selected {
        let selected = canvas.theme().style(Meaning::Selected);
        canvas.tint(place, selected);
    }
    canvas.hits.add(place, Target::Item(row));
}

/// Why no request is listed.
fn nothing(list: &RequestList) -> Option<String> {
    if let Some(trouble) = &list.trouble {
        return Some(trouble.clone());
    }
    match &list.page {
        None => Some("reading…".to_owned()),
        Some(page) if page.lines.is_empty() && list.filter == Filter::default() => {
            Some("the job has no requests".to_owned())
        }
        Some(page) if page.lines.is_empty() => Some("no request is like this".to_owned()),
        Some(_) => None,
    }
}

/// What is looked up in the whole job while what stood there before is shown, and how to stop it.
fn under_way(canvas: &Canvas<'_>, list: &RequestList) -> Option<String> {
    let back = canvas.scene.keys.hint(Action::Back);
    let verb = if list.order_before().is_some() {
        "sorting"
    } else if list.is_searching() {
        "searching"
    } else {
        return None;
    };
    Some(format!("{verb}… {back} stops it"))
}

/// `12 of 170,000`, and the marks.
fn tally(list: &RequestList, job: Option<&JobView>) -> String {
    let total = job.map_or("n/a".to_owned(), |job| count(job.counts.total));
    let matched = match (&list.filter, job) {
        (filter, _) if *filter == Filter::default() => None,
        (filter, Some(job))
            if filter.text.is_none() && filter.class.is_none() && filter.pattern.is_none() =>
        {
            match filter.state {
                Some(RequestState::Done) => Some(count(job.counts.done)),
                Some(RequestState::Failed) => Some(count(job.counts.failed)),
                _ => None,
            }
        }
        _ => Some(list.matched.map_or("…".to_owned(), count)),
    };
    let shown = matched.map_or_else(|| total.clone(), |matched| format!("{matched} of {total}"));
    match list.marked.len() {
        0 => shown,
        marked => format!("{} marked · {shown}", count(marked as u64)),
    }
}

/// The states with their counts, the one that is listed marked, and what else is filtered by.
fn filters(canvas: &Canvas<'_>, list: &RequestList, job: Option<&JobView>) -> Line<'static> {
    let counts = job.map(|job| &job.counts);
    let claimed = list.page.as_ref().map_or(0, |page| page.claimed);
    let tabs = [
        (None, "all", counts.map(|counts| counts.total)),
        (
            Some(RequestState::Queued),
            "queued",
            counts.map(|counts| counts.left().saturating_sub(claimed)),
        ),
        (Some(RequestState::Claimed), "claimed", Some(claimed)),
        (
            Some(RequestState::Done),
            "done",
            counts.map(|counts| counts.done),
        ),
        (
            Some(RequestState::Failed),
            "failed",
            counts.map(|counts| counts.failed),
        ),
    ];
    let mut line = Line::default();
    let filter = &list.filter;
    let mut special = Vec::new();
    if let Some(text) = &filter.text {
        let sign = if filter.inverse { "!" } else { "" };
        special.push(format!("/{sign}{}", outside(text, 20)));
    }
    if let Some(class) = filter.class {
        special.push(format!("class {class}"));
    }
    if let Some(pattern) = &filter.pattern {
        special.push(format!("like “{}”", outside(pattern, 40)));
    }
    for text in special {
        line.push_span(canvas.span(Meaning::Accent, format!(" {text} ")));
    }
    for (state, word, number) in tabs {
        let number = number.map(|number| format!(" {}", count(number)));
        let text = format!(" {word}{} ", number.unwrap_or_default());
        let is_listed = filter.state == state && filter.class.is_none();
        let meaning = if is_listed {
            Meaning::Selected
        } else {
            Meaning::Dim
        };
        line.push_span(canvas.span(meaning, text));
    }
    line
}

/// Columns of each cell for a width; 0 where there is no room.
struct Widths {
    name: usize,
    tries: usize,
    tokens: usize,
    time: usize,
    class: usize,
    ended: usize,
}

impl Widths {
    fn of(columns: usize) -> Self {
        let mut rest = columns.saturating_sub(2 + 2 + STATE + 1 + NAME);
        let mut fits = |columns: usize, times: usize| {
            let all = (columns + 1) * times;
            if rest >= all {
                rest -= all;
                columns
            } else {
                0
            }
        };
        let time = fits(TIME, 1);
        let tokens = fits(TOKENS, 2);
        let tries = fits(TRIES, 1);
        let class = fits(CLASS, 1);
        let ended = fits(ENDED, 1);
        let name = if columns > 2 + 2 + STATE + 1 + NAME {
            NAME + rest
        } else {
            columns.saturating_sub(4 + STATE + 1)
        };
        Self {
            name,
            tries,
            tokens,
            time,
            class,
            ended,
        }
    }

    /// What each column is sorted by, its word, its columns, and whether it holds numbers.
    fn heads(&self) -> [(Option<Sort>, &'static str, usize, bool); 10] {
        [
            (None, "", 1, false),
            (Some(Sort::Place), "", 1, false),
            (Some(Sort::State), "state", STATE, false),
            (Some(Sort::Name), "request", self.name, false),
            (Some(Sort::Tries), "tries", self.tries, true),
            (Some(Sort::Prompt), "prompt", self.tokens, true),
            (Some(Sort::Answer), "answer", self.tokens, true),
            (Some(Sort::Time), "time", self.time, true),
            (Some(Sort::Finished), "ended", self.ended, true),
            (None, "failure", self.class, false),
        ]
    }

    fn row(&self, canvas: &Canvas<'_>, line: &RequestLine, is_marked: bool) -> Line<'static> {
        let theme = canvas.theme();
        let (sign, word, meaning) = state(theme, line.state);
        let mark = if is_marked {
            theme.sign("●", "*")
        } else {
            ""
        };
        let name = name(line);
        let ended = line.at.map(|at| clock::seconds(at, &canvas.scene.ui.zone));
        cells(
            theme,
            &[
                Column::word(Meaning::Mark, mark, 1),
                Column::word(meaning, sign, 1),
                Column::word(meaning, word, STATE),
                Column::word(Meaning::Text, outside(&name, self.name), self.name),
                Column::number(Meaning::Dim, line.attempts.sent.to_string(), self.tries),
                Column::number(Meaning::Text, tokens(line, line.prompt_tokens), self.tokens),
                Column::number(Meaning::Text, tokens(line, line.answer_tokens), self.tokens),
                Column::number(Meaning::Text, time(line), self.time),
                Column::number(Meaning::Dim, ended.unwrap_or_default(), self.ended),
                Column::word(
                    Meaning::Bad,
                    line.class.map_or("", |class| class.name()),
                    self.class,
                ),
            ],
        )
    }
}

/// The user's name for a request, or the line that has none.
pub(super) fn name(line: &RequestLine) -> String {
    line.custom_id
        .clone()
        .unwrap_or_else(|| format!("line {}", count(line.line)))
}

/// Sign and word of a state.
pub(super) fn state(theme: &Theme, state: RequestState) -> (&str, &'static str, Meaning) {
    match state {
        RequestState::Queued => (theme.sign("○", "o"), "queued", Meaning::Dim),
        RequestState::Claimed => (theme.sign("▶", ">"), "claimed", Meaning::Accent),
        RequestState::Done => (theme.sign("✓", "+"), "done", Meaning::Good),
        RequestState::Failed => (theme.sign("✗", "!"), "failed", Meaning::Bad),
    }
}

/// Tokens as a cell: unknown where there is an end and no count, nothing before.
pub(super) fn tokens(line: &RequestLine, tokens: Option<Tokens>) -> String {
    tokens.map_or_else(|| unknown(line), |tokens| count(tokens.0))
}

fn time(line: &RequestLine) -> String {
    let time = line.wall_ms.map(Duration::from_millis);
    time.map_or_else(|| unknown(line), duration)
}

fn unknown(line: &RequestLine) -> String {
    let is_over = matches!(line.state, RequestState::Done | RequestState::Failed);
    if is_over { "n/a" } else { "–" }.to_owned()
}
