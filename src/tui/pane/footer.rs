//! The last line: what was just said, or the keys one needs most.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::action::Action;
use crate::tui::canvas::Canvas;
use crate::tui::text::sentence;
use crate::tui::theme::Meaning;
use crate::tui::ui::View;

const MAIN: &[(Action, &str)] = &[
    (Action::Pause, "pause"),
    (Action::Cancel, "cancel"),
    (Action::Help, "help"),
    (Action::Quit, "quit"),
    (Action::AddFile, "add"),
    (Action::Retry, "retry"),
    (Action::NextPane, "pane"),
    (Action::Enlarge, "enlarge"),
    (Action::Freeze, "freeze"),
    (Action::Window, "window"),
    (Action::ViewLog, "log"),
    (Action::Palette, "commands"),
    (Action::Export, "export"),
    (Action::Theme, "theme"),
    (Action::ViewAnalysis, "analysis"),
];

const REQUESTS: &[(Action, &str)] = &[
    (Action::Back, "back"),
    (Action::Open, "open"),
    (Action::Filter, "filter"),
    (Action::State, "state"),
    (Action::Class, "class"),
    (Action::Mark, "mark"),
    (Action::Retry, "retry"),
    (Action::Sort, "sort"),
    (Action::Order, "order"),
    (Action::Bottom, "end"),
    (Action::ViewFailures, "failures"),
    (Action::ViewAnalysis, "analysis"),
];

const ANSWER: &[(Action, &str)] = &[
    (Action::Back, "back"),
    (Action::NextPane, "next lane"),
    (Action::Open, "whole request"),
    (Action::Bottom, "follow"),
];

const REQUEST: &[(Action, &str)] = &[
    (Action::Back, "back"),
    (Action::NextPane, "side"),
    (Action::Raw, "JSON"),
    (Action::Copy, "copy"),
    (Action::Retry, "retry"),
    (Action::Bottom, "end"),
];

const FAILURES: &[(Action, &str)] = &[
    (Action::Back, "back"),
    (Action::Open, "list"),
    (Action::Retry, "retry"),
    (Action::Copy, "copy"),
];

const ANALYSIS: &[(Action, &str)] = &[
    (Action::Back, "back"),
    (Action::Open, "requests"),
    (Action::ViewFailures, "failures"),
    (Action::ViewAnalysis, "read anew"),
    (Action::Copy, "copy"),
    (Action::Bottom, "end"),
];

const TEXT: &[(Action, &str)] = &[
    (Action::Back, "back"),
    (Action::PageUp, "up"),
    (Action::PageDown, "down"),
    (Action::Top, "top"),
    (Action::Bottom, "end"),
    (Action::Quit, "quit"),
];

pub(in crate::tui) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    if let Some(message) = &canvas.scene.ui.message {
        let (meaning, sign) = if message.is_error {
            (Meaning::Bad, canvas.theme().sign("✗", "!"))
        } else {
            (Meaning::Good, canvas.theme().sign("✓", "*"))
        };
        let text = sentence(&message.text, usize::from(area.width).saturating_sub(4));
        let line = Line::from(canvas.span(meaning, format!(" {sign} {text}")));
        canvas.line(area, 0, &line);
        return;
    }
    let hints = match canvas.scene.ui.view() {
        View::Main => MAIN,
        View::Requests => REQUESTS,
        View::Answer => ANSWER,
        View::Request => REQUEST,
        View::Failures => FAILURES,
        View::Analysis => ANALYSIS,
        View::Log | View::Help | View::Settings => TEXT,
    };
    let mut column = 1;
    for (action, words) in hints {
        column += canvas.hint(area, column, *action, words);
    }
}
