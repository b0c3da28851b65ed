//! "Are you sure?": names what it is about, and the answer is no unless one says otherwise.

use ratatui::layout::Rect;
use ratatui::text::Line;

use super::{Heard, Reaction};
use crate::base::count;
use crate::model::{Command, JobId};
use crate::tui::action::Action;
use crate::tui::canvas::Canvas;
use crate::tui::hits::Target;
use crate::tui::msg::Ask;
use crate::tui::text::outside;
use crate::tui::theme::Meaning;
use crate::tui::ui::Stopping;

/// Columns that a question takes where there is room.
const COLUMNS: u16 = 56;
/// Columns of a job's name in a question.
const NAME_COLUMNS: usize = 30;

/// A question with two answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// What is asked.
    pub question: Question,
    /// Which answer is marked.
    pub is_yes: bool,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// End the run with so many requests in flight.
    Quit {
        /// In flight.
        in_flight: usize,
        /// Queued behind them.
        left: u64,
    },
    /// Cancel this job.
    Cancel {
        /// Which.
        job: JobId,
        /// Its name: outside text.
        name: String,
        /// Requests without an end.
        left: u64,
    },
    /// Retry failed requests.
    Retry {
        /// The command that does it.
        command: Command,
        /// The job.
        job: JobId,
        /// Which, in words: a class, or the name of a request.
        what: String,
        /// How many.
        count: u64,
    },
}

impl Confirm {
    /// A question whose answer is no so far.
    pub const fn new(question: Question) -> Self {
        Self {
            question,
            is_yes: false,
        }
    }

    pub(super) fn react(&mut self, heard: Heard<'_>) -> Reaction {
        match heard.action() {
            Some(Action::Yes) => Reaction::Close(self.question.asks()),
            Some(Action::Accept) if self.is_yes => Reaction::Close(self.question.asks()),
            Some(Action::No | Action::Accept) => Reaction::Close(Vec::new()),
            Some(Action::Switch) => {
                self.is_yes = !self.is_yes;
                Reaction::Stay
            }
            _ => Reaction::Stay,
        }
    }

    pub(super) fn draw(&self, canvas: &mut Canvas<'_>, area: Rect) {
        let (title, sentences) = self.question.words();
        let height = sentences.len() as u16 + 4;
        let inner = canvas.dialog(area, title, (COLUMNS, height));
        let columns = usize::from(inner.width).saturating_sub(2);
        for (row, text) in sentences.iter().enumerate() {
            let line =
                Line::from(canvas.span(Meaning::Text, format!(" {}", outside(text, columns))));
            canvas.line(inner, row as u16, &line);
        }
        let row = inner.height.saturating_sub(1);
        let mut column = 1;
        for (is_yes, text, action) in [
            (true, "[ Yes ]", Action::Yes),
            (false, "[ No ]", Action::No),
        ] {
            let meaning = if is_yes == self.is_yes {
                Meaning::Selected
            } else {
                Meaning::Dim
            };
            let button = Rect::new(inner.x + column, inner.y + row, text.len() as u16, 1)
                .intersection(inner);
            let line = Line::from(canvas.span(meaning, text));
            canvas.line(button, 0, &line);
            canvas.hits.add(button, Target::Action(action));
            column += text.len() as u16 + 2;
        }
    }
}

impl Question {
    fn asks(&self) -> Vec<Ask> {
        match self {
            Self::Quit { .. } => vec![Ask::Quit(Stopping::Draining)],
            Self::Cancel { job, name, .. } => vec![Ask::Command {
                command: Command::Cancel { job: *job },
                what: format!("cancel {}", outside(name, NAME_COLUMNS)),
            }],
            Self::Retry { command, what, .. } => vec![Ask::Command {
                command: command.clone(),
                what: format!("retry {what}"),
            }],
        }
    }

    fn words(&self) -> (&'static str, Vec<String>) {
        match self {
            Self::Quit { in_flight, left } => (
                "Quit?",
                vec![
                    match in_flight {
                        0 => format!("Nothing is in flight; {} stay", count(*left)),
                        many => format!("{many} in flight may finish first; {} stay", count(*left)),
                    },
                    "queued. The next start goes on where this one stops.".to_owned(),
                ],
            ),
            Self::Cancel { job, name, left } => (
                "Cancel?",
                vec![
                    format!("Job {job}, {}", outside(name, NAME_COLUMNS)),
                    format!("{} requests will not be asked;", count(*left)),
                    "what was answered is kept.".to_owned(),
                ],
            ),
            Self::Retry {
                job, what, count, ..
            } => (
                "Retry?",
                vec![
                    format!("{} failed of job {job}: {what}", crate::base::count(*count)),
                    "go back to the queue with fresh tries.".to_owned(),
                ],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cancel() -> Confirm {
        Confirm::new(Question::Cancel {
            job: JobId(3),
            name: "a\u{1b}b".into(),
            left: 7,
        })
    }

    #[test]
    fn nothing_is_done_unless_one_says_so() {
        for action in [Action::No, Action::Accept] {
            assert_eq!(
                cancel().react(Heard::Click(action)),
                Reaction::Close(Vec::new())
            );
        }
        assert_eq!(cancel().react(Heard::Paste("y")), Reaction::Stay);
    }

    #[test]
    fn the_other_answer_is_marked_first_and_then_taken() {
        let mut asked = cancel();
        assert_eq!(asked.react(Heard::Click(Action::Switch)), Reaction::Stay);
        let Reaction::Close(asks) = asked.react(Heard::Click(Action::Accept)) else {
            panic!("it stayed");
        };
        let command = Command::Cancel { job: JobId(3) };
        assert_eq!(
            asks,
            [Ask::Command {
                command,
                what: "cancel a␛b".into()
            }]
        );
    }
}
