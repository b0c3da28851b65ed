//! What keys, clicks and news change in what the user is looking at, and what they ask for. Pure.

mod command;
mod dialogs;
mod lists;
mod moving;
mod watching;

use super::action::{Action, Place};
use super::dialog::{Confirm, Dialog, Heard, Palette, Question};
use super::hits::Target;
use super::key::{Key, Mouse, MouseDid};
use super::keymap::KeyMap;
use super::msg::{Ask, Msg};
use super::ui::{Frozen, Pane, Seat, Stopping, Ui, View};
use crate::model::{JobState, Snapshot};
pub(in crate::tui) use dialogs::ask_about_files;
use dialogs::in_dialog;

/// Rows that one step of the wheel moves.
const WHEEL: isize = 3;

/// Takes what happened and returns what is to be done. `latest` is the latest picture of the run,
/// whatever is frozen.
pub fn update(ui: &mut Ui, msg: Msg, latest: &Snapshot, keys: &KeyMap) -> Vec<Ask> {
    let before = watching::wanted(ui);
    let mut asks = take(ui, msg, latest, keys);
    asks.extend(lists::left(ui).map(Ask::Leave));
    let now = watching::wanted(ui);
    if now != before {
        asks.push(Ask::Watch(now));
    }
    asks
}

fn take(ui: &mut Ui, msg: Msg, latest: &Snapshot, keys: &KeyMap) -> Vec<Ask> {
    match msg {
        Msg::Key(key) => pressed(ui, key, latest, keys),
        Msg::Mouse(mouse) => moused(ui, mouse, latest),
        Msg::Paste(text) if ui.dialogs.is_empty() => lists::pasted(ui, &text, latest),
        Msg::Paste(text) => in_dialog(ui, Heard::Paste(&text), latest),
        // What a terminal does to the picture while its size changes is not known.
        Msg::Resize => vec![Ask::Redraw],
        Msg::News(news) => dialogs::news(ui, &news),
        Msg::Changed => {
            ui.age = std::time::Duration::ZERO;
            lists::refresh(ui, latest)
        }
        Msg::Age(seconds) => {
            ui.age = std::time::Duration::from_secs(seconds);
            Vec::new()
        }
        Msg::Replied { what, result } => {
            command::replied(ui, &what, result);
            Vec::new()
        }
        Msg::Found { query, found } => lists::found(ui, &query, found, latest),
        Msg::OwnerGone => {
            if let Seat::Watcher { gone, .. } = &mut ui.seat {
                *gone = true;
            }
            Vec::new()
        }
    }
}

/// The picture that is shown: the frozen one, or the latest.
pub fn shown<'a>(ui: &'a Ui, latest: &'a Snapshot) -> &'a Snapshot {
    ui.frozen.as_ref().map_or(latest, |frozen| &frozen.0)
}

fn pressed(ui: &mut Ui, key: Key, latest: &Snapshot, keys: &KeyMap) -> Vec<Ask> {
    ui.message = None;
    if !ui.dialogs.is_empty() {
        let action = keys.action(&[Place::Dialog], key);
        return in_dialog(ui, Heard::Key(key, action), latest);
    }
    if let Some(asks) = lists::typed(ui, key, latest) {
        return asks;
    }
    match keys.action(&[Place::Everywhere], key) {
        Some(action) => act(ui, action, latest),
        None => Vec::new(),
    }
}

fn moused(ui: &mut Ui, mouse: Mouse, latest: &Snapshot) -> Vec<Ask> {
    let targets: Vec<Target> = ui.hits.under(mouse).collect();
    match mouse.did {
        MouseDid::Click => {
            ui.message = None;
            targets
                .first()
                .map_or_else(Vec::new, |target| clicked(ui, *target, latest))
        }
        MouseDid::WheelUp if !ui.dialogs.is_empty() => in_dialog(ui, Heard::Wheel(-WHEEL), latest),
        MouseDid::WheelDown if !ui.dialogs.is_empty() => in_dialog(ui, Heard::Wheel(WHEEL), latest),
        MouseDid::WheelUp => wheeled(ui, &targets, -WHEEL, latest),
        MouseDid::WheelDown => wheeled(ui, &targets, WHEEL, latest),
    }
}

fn clicked(ui: &mut Ui, target: Target, latest: &Snapshot) -> Vec<Ask> {
    match target {
        Target::Pane(pane) | Target::Tab(pane) => ui.focus = pane,
        Target::Row(pane, row) => {
            ui.focus = pane;
            ui.selected.set(pane, row);
        }
        Target::Action(action) if ui.dialogs.is_empty() => return act(ui, action, latest),
        Target::Action(action) => return in_dialog(ui, Heard::Click(action), latest),
        Target::Choice(row) => return in_dialog(ui, Heard::Choice(row), latest),
        Target::Item(row) => return lists::clicked(ui, row, latest),
        Target::Head(sort) => return lists::sort_by(ui, sort, latest),
        Target::Side(side) => {
            if let Some(reading) = &mut ui.lists.reading {
                reading.side = side;
            }
        }
        Target::List | Target::Text | Target::Nothing => {}
    }
    Vec::new()
}

fn wheeled(ui: &mut Ui, targets: &[Target], step: isize, latest: &Snapshot) -> Vec<Ask> {
    for target in targets {
        match target {
            Target::Pane(pane) => {
                moving::by(ui, *pane, step, latest);
                break;
            }
            Target::Side(side) => {
                if let Some(reading) = &mut ui.lists.reading {
                    reading.side = *side;
                }
                return lists::by(ui, step, latest);
            }
            Target::List => return lists::by(ui, step, latest),
            Target::Text => {
                moving::scroll(ui, step);
                break;
            }
            _ => {}
        }
    }
    Vec::new()
}

/// Does what an action says.
pub fn act(ui: &mut Ui, action: Action, latest: &Snapshot) -> Vec<Ask> {
    if let Some(asks) = lists::act(ui, action, latest) {
        return asks;
    }
    if ui.view() == View::Answer
        && let Some(asks) = watching::act(ui, action, latest)
    {
        return asks;
    }
    act_everywhere(ui, action, latest)
}

/// Does what an action says in every view.
fn act_everywhere(ui: &mut Ui, action: Action, latest: &Snapshot) -> Vec<Ask> {
    match action {
        Action::Quit => return quit(ui, latest),
        Action::Help => toggle(ui, View::Help),
        Action::Back => back(ui),
        Action::Suspend => return vec![Ask::Suspend],
        Action::Redraw => return vec![Ask::Redraw],
        Action::ViewMain => ui.views = vec![View::Main],
        Action::ViewSettings => toggle(ui, View::Settings),
        Action::Palette => ui.dialogs.push(Dialog::Palette(Palette::default())),
        Action::ViewLog => toggle(ui, View::Log),
        Action::NextPane | Action::Right => focus(ui, 1),
        Action::PreviousPane | Action::Left => focus(ui, Pane::ALL.len() - 1),
        Action::Up
        | Action::Down
        | Action::Top
        | Action::Bottom
        | Action::PageUp
        | Action::PageDown
        | Action::HalfPageUp
        | Action::HalfPageDown => moving::act(ui, action, latest),
        Action::Open => ui.enlarged = true,
        Action::AddFile | Action::Export => return dialogs::open(ui, action, latest),
        Action::Report => return dialogs::report(ui, latest),
        Action::Pause
        | Action::PauseAll
        | Action::Cancel
        | Action::Retry
        | Action::Raise
        | Action::Lower
        | Action::MoveUp
        | Action::MoveDown
        | Action::FewerLanes
        | Action::MoreLanes => return command::act(ui, action, latest),
        Action::Freeze => freeze(ui, latest),
        Action::Enlarge => ui.enlarged = !ui.enlarged,
        Action::Window => ui.window = ui.window.next(),
        Action::Theme => {
            ui.theme = ui.theme.next(ui.depth);
            let text = format!("theme: {}", ui.theme.name);
            ui.tell(text);
        }
        Action::Ascii => ui.theme.ascii = !ui.theme.ascii,
        Action::Copy => return command::copy(ui, latest),
        Action::Mouse => return mouse(ui),
        Action::Yes
        | Action::No
        | Action::Switch
        | Action::Accept
        | Action::ViewRequests
        | Action::ViewFailures
        | Action::ViewAnalysis
        | Action::Filter
        | Action::State
        | Action::Class
        | Action::Order
        | Action::Sort
        | Action::Mark
        | Action::Raw => {}
    }
    Vec::new()
}

fn quit(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let is_running = latest
        .jobs
        .iter()
        .any(|job| matches!(job.state, JobState::Running | JobState::Finishing));
    if ui.seat == Seat::Owner
        && ui.stopping == Stopping::No
        && (is_running || !latest.lanes.is_empty())
    {
        let in_flight = latest.lanes.len();
        let left = latest.jobs.iter().filter(|job| !job.state.is_over());
        let left = left.map(|job| job.counts.left()).sum();
        ui.dialogs
            .push(Dialog::Confirm(Confirm::new(Question::Quit {
                in_flight,
                left,
            })));
        return Vec::new();
    }
    ui.stopping = match ui.stopping {
        Stopping::No => Stopping::Draining,
        Stopping::Draining | Stopping::Now => Stopping::Now,
    };
    vec![Ask::Quit(ui.stopping)]
}

fn toggle(ui: &mut Ui, view: View) {
    if ui.view() == view {
        back(ui);
    } else {
        raise(ui, view);
    }
}

/// Shows a view above the others.
fn raise(ui: &mut Ui, view: View) {
    ui.views.retain(|one| *one != view);
    ui.views.push(view);
}

fn back(ui: &mut Ui) {
    if ui.views.len() > 1 {
        ui.views.pop();
    } else if ui.enlarged {
        ui.enlarged = false;
    } else {
        ui.frozen = None;
    }
}

fn focus(ui: &mut Ui, step: usize) {
    if ui.view() != View::Main {
        return;
    }
    let here = Pane::ALL
        .iter()
        .position(|pane| *pane == ui.focus)
        .unwrap_or(0);
    if let Some(pane) = Pane::ALL.get((here + step) % Pane::ALL.len()) {
        ui.focus = *pane;
    }
}

fn freeze(ui: &mut Ui, latest: &Snapshot) {
    ui.frozen = match ui.frozen.take() {
        Some(_) => None,
        None => Some(Frozen(std::sync::Arc::new(latest.clone()))),
    };
}

fn mouse(ui: &mut Ui) -> Vec<Ask> {
    ui.mouse = !ui.mouse;
    ui.tell(if ui.mouse {
        "mouse on; Shift and drag still selects text"
    } else {
        "mouse off: the terminal selects text"
    });
    vec![Ask::Mouse(ui.mouse)]
}

#[cfg(test)]
mod tests;
