//! Watching the answer of a lane while it is written.

use crate::model::{JobId, Phase, RequestId, RequestState, Snapshot};
use crate::tui::action::Action;
use crate::tui::hits::Listed;
use crate::tui::msg::Ask;
use crate::tui::ui::{Pane, Row, Ui, View};

/// The request whose answer the screen wants to see, in the view that shows it.
pub(super) fn wanted(ui: &Ui) -> Option<RequestId> {
    match ui.view() {
        View::Answer => ui.watched.map(|(_, request)| request),
        View::Request => {
            let reading = ui.lists.reading.as_ref()?;
            let is_running = reading
                .text
                .as_ref()
                .is_some_and(|text| text.line.state == RequestState::Claimed);
            is_running.then_some(reading.request)
        }
        _ => None,
    }
}

/// Shows the answer of this request as it is written.
pub(super) fn open(ui: &mut Ui, job: JobId, request: RequestId) {
    ui.watched = Some((job, request));
    ui.selected.set(Pane::Lanes, Row::Request(request));
    ui.anchors.remove(&Listed::Text);
    super::raise(ui, View::Answer);
}

/// Does what an action says while an answer is watched; `None` where it says nothing about it.
pub(super) fn act(ui: &mut Ui, action: Action, latest: &Snapshot) -> Option<Vec<Ask>> {
    let (job, request) = ui.watched?;
    match action {
        Action::Open => Some(super::lists::open_request(ui, job, request)),
        Action::NextPane | Action::Right => {
            follow(ui, request, latest, 1);
            Some(Vec::new())
        }
        Action::PreviousPane | Action::Left => {
            follow(ui, request, latest, -1);
            Some(Vec::new())
        }
        _ => None,
    }
}

/// Goes on to the next request in flight; from one that has ended, to the first.
fn follow(ui: &mut Ui, request: RequestId, latest: &Snapshot, step: isize) {
    let snapshot = super::shown(ui, latest);
    let flying: Vec<(JobId, RequestId)> = snapshot
        .lanes
        .iter()
        .filter(|lane| lane.phase != Phase::BackingOff)
        .map(|lane| (lane.job, lane.request))
        .collect();
    let here = flying.iter().position(|(_, one)| *one == request);
    let there = here.map_or(0, |here| {
        (here as isize + step).rem_euclid(flying.len() as isize) as usize
    });
    if let Some(&(job, next)) = flying.get(there) {
        open(ui, job, next);
    }
}
