//! The picture of the enqueue dialog.

use std::time::Duration;

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::setting::Setting;
use super::{Enqueue, State};
use crate::base::{count, duration, rate, share};
use crate::engine::AdmitProgress;
use crate::tui::action::Action;
use crate::tui::canvas::Canvas;
use crate::tui::errand::Found;
use crate::tui::hits::Target;
use crate::tui::layout;
use crate::tui::text::{left, outside, sentence, wrapped};
use crate::tui::theme::Meaning;

/// Columns and rows where there is room.
const SIZE: (u16, u16) = (84, 24);
/// Columns of a setting's label.
const LABEL_COLUMNS: usize = 13;
/// Rows that everything beside settings and remarks takes.
const FRAME: u16 = 4;
/// The longest time that is estimated.
const LONGEST: f64 = 3.2e9;

impl Enqueue {
    pub(in crate::tui::dialog) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let inner = canvas.dialog(area, "Enqueue", SIZE);
        let columns = usize::from(inner.width).saturating_sub(2);
        let path = outside(&self.path.display().to_string(), columns);
        let line = Line::from(canvas.span(Meaning::Title, format!(" {path}")));
        canvas.line(inner, 0, &line);
        let (meaning, said) = self.said();
        let line = Line::from(canvas.span(meaning, format!(" {}", sentence(&said, columns))));
        canvas.line(inner, 1, &line);
        let (_, rest) = layout::top(inner, inner.height.min(2));
        let (body, buttons) = layout::top(rest, rest.height.saturating_sub(FRAME - 2));
        let (settings, remarks) = layout::top(body, body.height.min(Setting::ALL.len() as u16));
        self.draw_settings(canvas, settings);
        self.draw_remarks(canvas, remarks);
        self.draw_buttons(canvas, buttons);
    }

    fn said(&self) -> (Meaning, String) {
        match &self.state {
            State::Reading(lines) => (
                Meaning::Dim,
                format!("reading the file: {} lines so far …", count(*lines)),
            ),
            State::Unreadable(why) => (Meaning::Bad, why.clone()),
            State::Admitting(found, progress) => (Meaning::Accent, admitting(found, *progress)),
            State::Found(found) => summary(found),
        }
    }

    fn draw_settings(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let height = usize::from(area.height);
        let first = (self.at + 1).saturating_sub(height);
        let columns = usize::from(area.width).saturating_sub(LABEL_COLUMNS + 6);
        let shown = Setting::ALL.iter().enumerate().skip(first).take(height);
        for (drawn, (place, setting)) in shown.enumerate() {
            let is_here = place == self.at;
            let value = outside(&setting.value(&self.settings), columns);
            let value = if is_here {
                let (less, more) = (canvas.theme().sign("◂", "<"), canvas.theme().sign("▸", ">"));
                format!("{less} {value} {more}")
            } else {
                format!("  {value}")
            };
            let meaning = if is_here {
                Meaning::Selected
            } else {
                Meaning::Text
            };
            let label = left(setting.label(), LABEL_COLUMNS);
            let line = Line::from(vec![
                canvas.span(Meaning::Dim, format!(" {label}")),
                canvas.span(meaning, value),
            ]);
            let row = Rect {
                y: area.y + drawn as u16,
                height: 1,
                ..area
            };
            canvas.line(row, 0, &line);
            canvas.hits.add(row, Target::Choice(place));
        }
    }

    fn draw_remarks(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (State::Found(found) | State::Admitting(found, _)) = &self.state else {
            return;
        };
        let columns = usize::from(area.width).saturating_sub(2);
        let estimate = estimate(canvas, found);
        let problems = found.problems.iter().map(|text| (Meaning::Warn, text));
        let remarks = found.remarks.iter().map(|text| (Meaning::Dim, text));
        let estimate = estimate.iter().map(|text| (Meaning::Text, text));
        let plan = self.known_fit();
        let plan = plan.into_iter().flat_map(|planned| {
            let meaning = if planned.spills {
                Meaning::Bad
            } else {
                Meaning::Text
            };
            planned.lines.iter().map(move |text| (meaning, text))
        });
        let warning = self.settings.mode.warning().map(str::to_owned);
        let warning = warning.iter().map(|text| (Meaning::Warn, text));
        let lines: Vec<Line<'_>> = warning
            .chain(plan)
            .chain(estimate)
            .chain(problems)
            .chain(remarks)
            .skip(self.scrolled)
            .flat_map(|(meaning, text)| {
                let rows = wrapped(text, columns).into_iter();
                rows.map(move |row| (meaning, row))
            })
            .take(usize::from(area.height))
            .map(|(meaning, row)| Line::from(canvas.span(meaning, format!(" {row}"))))
            .collect();
        canvas.lines(area, &lines);
    }

    fn draw_buttons(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let columns = usize::from(area.width).saturating_sub(2);
        if let Some(why) = &self.refusal {
            let text = sentence(why, columns);
            let line = Line::from(canvas.span(Meaning::Bad, format!(" {text}")));
            canvas.line(area, 0, &line);
        }
        let mut column = 1;
        let buttons = [
            ("[ Enqueue: enter ]", Action::Yes, Meaning::Accent),
            ("[ Leave: esc ]", Action::No, Meaning::Dim),
        ];
        for (text, action, meaning) in buttons {
            let bottom = area.bottom().saturating_sub(1);
            let place = Rect::new(area.x + column, bottom, text.len() as u16, 1).intersection(area);
            let line = Line::from(canvas.span(meaning, text));
            canvas.line(place, 0, &line);
            canvas.hits.add(place, Target::Action(action));
            column += text.len() as u16 + 2;
        }
    }
}

/// How much of the file is in the queue so far.
fn admitting(found: &Found, progress: AdmitProgress) -> String {
    let part = share(progress.bytes.min(found.bytes), found.bytes);
    let lines = count(progress.lines);
    format!("{part} on its way into the queue, {lines} requests so far; esc takes it back")
}

fn summary(found: &Found) -> (Meaning, String) {
    let requests = format!("{} requests", count(found.requests));
    match (found.invalid, found.problems.len()) {
        (0, 0) => (Meaning::Good, format!("{requests}, no problems")),
        (0, _) => (Meaning::Warn, format!("{requests}, with problems")),
        (invalid, _) => (
            Meaning::Warn,
            format!("{requests}, {} lines are invalid", count(invalid)),
        ),
    }
}

/// How long it would take at the rate of now.
fn estimate(canvas: &Canvas<'_>, found: &Found) -> Option<String> {
    let per_second = canvas.scene.snapshot.rates.requests?;
    let seconds = found.requests as f64 / per_second;
    if !seconds.is_finite() || !(0.0..LONGEST).contains(&seconds) {
        return None;
    }
    let long = duration(Duration::from_secs_f64(seconds));
    Some(format!(
        "about {long} at the {} requests/s of now",
        rate(per_second)
    ))
}
