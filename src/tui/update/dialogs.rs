//! What dialogs hear and what comes of it.

use super::act;
use crate::model::Snapshot;
use crate::tui::action::Action;
use crate::tui::dialog::{Dialog, Enqueue, Export, Heard, Picker, Reaction};
use crate::tui::errand::{Errand, News, Rejection};
use crate::tui::msg::Ask;
use crate::tui::rows::chosen_job;
use crate::tui::ui::{Seat, Ui};

/// Opens the dialog of an action.
pub(super) fn open(ui: &mut Ui, action: Action, latest: &Snapshot) -> Vec<Ask> {
    // Results are read and not changed: whoever only looks may have them.
    if let (Seat::Watcher { pid, .. }, Action::AddFile) = (ui.seat, action) {
        ui.complain(format!("read-only: process {pid} owns the queue"));
        return Vec::new();
    }
    if action == Action::AddFile {
        let (picker, asks) = Picker::open(&ui.start);
        ui.dialogs.push(Dialog::Picker(picker));
        return asks;
    }
    let Some(job) = chosen_job(ui, super::shown(ui, latest)) else {
        ui.complain("no job is selected");
        return Vec::new();
    };
    let export = Export::new(job.id, &job.name, &ui.start);
    ui.dialogs.push(Dialog::Export(export));
    Vec::new()
}

/// Has a report written on the chosen job. A watcher may, too: the queue is only read.
pub(super) fn report(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let Some(job) = chosen_job(ui, super::shown(ui, latest)) else {
        ui.complain("no job is selected");
        return Vec::new();
    };
    let errand = Errand::Report {
        job: job.id,
        folder: ui.start.folder.clone(),
        prices: ui.start.prices.clone(),
    };
    vec![Ask::Errand(errand)]
}

/// Asks about the batch files that the program was started with, the first one first.
pub(in crate::tui) fn ask_about_files(ui: &mut Ui) -> Vec<Ask> {
    let files = std::mem::take(&mut ui.start.files);
    let mut asks = Vec::new();
    for file in files.into_iter().rev() {
        let (dialog, needs) = Enqueue::open(file, &ui.start);
        ui.dialogs.push(Dialog::Enqueue(dialog));
        asks.extend(needs);
    }
    asks
}

/// Gives it to the uppermost dialog, if there is one.
pub(super) fn in_dialog(ui: &mut Ui, heard: Heard<'_>, latest: &Snapshot) -> Vec<Ask> {
    let Some(dialog) = ui.dialogs.last_mut() else {
        return Vec::new();
    };
    match dialog.react(heard) {
        Reaction::Stay => Vec::new(),
        Reaction::Ask(asks) => asks,
        Reaction::Close(asks) => {
            ui.dialogs.pop();
            for ask in &asks {
                if let Ask::Quit(how) = ask {
                    ui.stopping = ui.stopping.max(*how);
                }
            }
            asks
        }
        Reaction::Do(action) => {
            ui.dialogs.pop();
            act(ui, action, latest)
        }
        Reaction::Become(next, asks) => {
            *dialog = *next;
            asks
        }
    }
}

/// Gives what came of an errand to every dialog.
pub(super) fn news(ui: &mut Ui, news: &News) -> Vec<Ask> {
    let asks = ui
        .dialogs
        .iter_mut()
        .flat_map(|dialog| dialog.news(news))
        .collect();
    ui.dialogs.retain(|dialog| !dialog.is_done(news));
    match news {
        News::Enqueued {
            result: Ok(text), ..
        }
        | News::Exported(Ok(text)) => ui.tell(text.as_str()),
        News::Enqueued {
            result: Err(Rejection { why: text, .. }),
            ..
        }
        | News::Exported(Err(text)) => ui.complain(text.as_str()),
        _ => {}
    }
    asks
}
