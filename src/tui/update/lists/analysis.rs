//! Keys and answers in the view of an analysis.

use super::{copy, ends, open_requests};
use crate::analysis::Summary;
use crate::model::Snapshot;
use crate::store::Filter;
use crate::tui::action::Action;
use crate::tui::analyzed::Analyzed;
use crate::tui::hits::Listed;
use crate::tui::msg::Ask;
use crate::tui::query::{Found, Query};
use crate::tui::rows::chosen_job;
use crate::tui::ui::{Ui, View};
use crate::tui::update::{raise, shown};

/// Shows the analysis of the chosen job, and reads the job anew.
pub(super) fn open(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let Some(job) = chosen_job(ui, shown(ui, latest)).map(|job| job.id) else {
        ui.complain("no job is selected");
        return Vec::new();
    };
    if ui.view() != View::Analysis {
        ui.anchors.remove(&Listed::Text);
    }
    raise(ui, View::Analysis);
    let before = ui.lists.analysis.take();
    let mut held = before
        .filter(|held| held.job == job)
        .unwrap_or_else(|| Analyzed::new(job));
    let query = held.read(ends(latest, job), latest.now);
    ui.lists.analysis = Some(held);
    asked(query)
}

/// Reads the job again where it has changed.
pub(super) fn refresh(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let Some(held) = &mut ui.lists.analysis else {
        return Vec::new();
    };
    asked(held.read_again(ends(latest, held.job), latest.now))
}

/// Takes how far the reading is, or what came of it.
pub(super) fn found(ui: &mut Ui, query: &Query, found: Result<Found, String>, latest: &Snapshot) {
    let held = ui.lists.analysis.as_mut();
    let Some(held) = held.filter(|held| held.query() == *query) else {
        return;
    };
    match found {
        Ok(Found::Analyzing(looked_at)) => held.goes_on(looked_at),
        Ok(Found::Analysis(summary)) => held.ends(Ok(summary), latest.now),
        Ok(_) => {}
        Err(text) => held.ends(Err(text), latest.now),
    }
}

/// The question that nobody waits for any more since its view was closed.
pub(in crate::tui::update) fn left(ui: &mut Ui) -> Option<Query> {
    if ui.views.contains(&View::Analysis) {
        return None;
    }
    ui.lists.analysis.as_mut()?.leave()
}

pub(super) fn act(ui: &mut Ui, action: Action, latest: &Snapshot) -> Option<Vec<Ask>> {
    let held = ui.lists.analysis.as_ref()?;
    match action {
        Action::Open => Some(open_requests(ui, held.job, Filter::default(), latest)),
        Action::Copy => {
            let report = held.summary.as_deref().map(Summary::report);
            Some(copy(ui, report))
        }
        _ => None,
    }
}

fn asked(query: Option<Query>) -> Vec<Ask> {
    query.map(Ask::Query).into_iter().collect()
}
