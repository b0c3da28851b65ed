//! Commands about jobs.

use crate::model::{
    Command, CommandError, Done, JobState, JobView, Move, Parallel, Priority, Snapshot,
    WhichFailures,
};
use crate::tui::action::Action;
use crate::tui::dialog::{Confirm, Dialog, Question};
use crate::tui::msg::Ask;
use crate::tui::rows::{chosen_job, cursor, rows};
use crate::tui::text::outside;
use crate::tui::ui::{Row, Seat, Ui};

/// Columns of a job's name in a message.
const NAME_COLUMNS: usize = 30;

/// Asks for what an action says about the chosen job, or for everything.
pub(super) fn act(ui: &mut Ui, action: Action, latest: &Snapshot) -> Vec<Ask> {
    if let Seat::Watcher { pid, .. } = ui.seat {
        ui.complain(format!("read-only: process {pid} owns the queue"));
        return Vec::new();
    }
    if action == Action::PauseAll {
        return vec![pause_all(latest)];
    }
    let Some(job) = chosen_job(ui, super::shown(ui, latest)).cloned() else {
        ui.complain("no job is selected");
        return Vec::new();
    };
    // The frozen picture may show what is over by now.
    let job = latest
        .jobs
        .iter()
        .find(|one| one.id == job.id)
        .cloned()
        .unwrap_or(job);
    if action == Action::Cancel {
        cancel(ui, &job);
        return Vec::new();
    }
    let found = if latest.active == Some(job.id) {
        latest.lanes_allowed
    } else {
        0
    };
    let Some((command, verb)) = command(action, &job, found) else {
        return Vec::new();
    };
    let what = format!("{verb} {}", outside(&job.name, NAME_COLUMNS));
    vec![Ask::Command { command, what }]
}

/// The text of the selected row, for the clipboard.
pub(super) fn copy(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let snapshot = super::shown(ui, latest);
    let rows = rows(ui.focus, snapshot);
    let row = cursor(ui.focus, ui, &rows).and_then(|at| rows.get(at).copied());
    let text = match row {
        Some(Row::Job(id)) => snapshot
            .jobs
            .iter()
            .find(|job| job.id == id)
            .map(|job| job.name.to_string()),
        Some(Row::Request(id)) => {
            let lane = snapshot.lanes.iter().find(|lane| lane.request == id);
            lane.map(|lane| lane.custom_id.to_string())
        }
        Some(Row::Failure(_, class)) => Some(class.name().to_owned()),
        Some(Row::Trim(number)) => {
            let mut trims = snapshot.context.trims.iter();
            let trim = trims.find(|trim| trim.number == number);
            trim.map(|trim| trim.custom_id.to_string())
        }
        None => None,
    };
    let Some(text) = text else {
        ui.complain("nothing here to copy");
        return Vec::new();
    };
    ui.tell(format!("copied {}", outside(&text, NAME_COLUMNS)));
    vec![Ask::Copy(text)]
}

/// Tells what came of a command.
pub(super) fn replied(ui: &mut Ui, what: &str, result: Result<Done, CommandError>) {
    match result {
        Ok(Done {
            changed: true,
            count,
        }) if what.starts_with("retry") => {
            ui.tell(format!(
                "{what}: {} requests are queued again",
                crate::base::count(count)
            ));
        }
        Ok(Done { changed: true, .. }) => ui.tell(format!("{what}: done")),
        Ok(Done { changed: false, .. }) => ui.tell(format!("{what}: nothing to change")),
        Err(error) => {
            let hint = error
                .hint
                .map(|hint| format!("; {hint}"))
                .unwrap_or_default();
            ui.complain(format!("{what}: {}{hint}", error.message));
        }
    }
}

fn pause_all(latest: &Snapshot) -> Ask {
    let (command, what) = if is_held(latest) {
        (Command::ResumeAll, "let everything go on")
    } else {
        (Command::PauseAll, "pause everything")
    };
    Ask::Command {
        command,
        what: what.to_owned(),
    }
}

/// Whether the whole queue is held.
fn is_held(latest: &Snapshot) -> bool {
    latest.held
}

fn cancel(ui: &mut Ui, job: &JobView) {
    if job.state.is_over() {
        ui.complain(format!("job {} is {} already", job.id, job.state));
        return;
    }
    let question = Question::Cancel {
        job: job.id,
        name: job.name.to_string(),
        left: job.counts.left(),
    };
    ui.dialogs.push(Dialog::Confirm(Confirm::new(question)));
}

/// One lane more or fewer. Fewer than one means that the number is found; from there it goes on
/// with what was found.
const fn step(view: &JobView, found: u32, more: bool) -> Parallel {
    match (view.parallel, more) {
        (Parallel::Fixed(1), false) => Parallel::Auto,
        (Parallel::Fixed(lanes), false) => Parallel::lanes(lanes - 1),
        (Parallel::Fixed(lanes), true) => Parallel::lanes(lanes + 1),
        (Parallel::Auto, false) => Parallel::lanes(found.saturating_sub(1)),
        (Parallel::Auto, true) => Parallel::lanes(found + 1),
    }
}

fn command(action: Action, view: &JobView, found: u32) -> Option<(Command, &'static str)> {
    let job = view.id;
    Some(match action {
        Action::Pause => match view.state {
            JobState::Paused { .. } | JobState::FailedToStart { .. } => {
                (Command::Resume { job }, "resume")
            }
            _ => (Command::Pause { job }, "pause"),
        },
        Action::Retry => (
            Command::Retry {
                job,
                which: WhichFailures::All,
            },
            "retry",
        ),
        Action::Raise => (
            Command::Prioritize {
                job,
                priority: Priority::Step(1),
            },
            "raise",
        ),
        Action::Lower => (
            Command::Prioritize {
                job,
                priority: Priority::Step(-1),
            },
            "lower",
        ),
        Action::MoveUp => (Command::Reorder { job, to: Move::Up }, "move up"),
        Action::MoveDown => (
            Command::Reorder {
                job,
                to: Move::Down,
            },
            "move down",
        ),
        Action::FewerLanes | Action::MoreLanes => {
            let parallel = step(view, found, action == Action::MoreLanes);
            (Command::SetParallel { job, parallel }, "lanes of")
        }
        _ => return None,
    })
}
