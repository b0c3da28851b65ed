//! The rows of each pane, by what they show: the same for drawing and for moving the cursor.

use super::ui::{Pane, Row, Ui, View};
use crate::model::{JobView, Snapshot};

/// The rows of a pane, in the order in which they are drawn.
pub fn rows(pane: Pane, snapshot: &Snapshot) -> Vec<Row> {
    match pane {
        Pane::Jobs => snapshot.jobs.iter().map(|job| Row::Job(job.id)).collect(),
        Pane::Lanes => snapshot
            .lanes
            .iter()
            .map(|lane| Row::Request(lane.request))
            .collect(),
        Pane::Failures => {
            let failed = snapshot.failed.iter();
            failed.map(|one| Row::Failure(one.job, one.class)).collect()
        }
        Pane::Trims => {
            let newest_first = snapshot.context.trims.iter().rev();
            newest_first.map(|trim| Row::Trim(trim.number)).collect()
        }
        Pane::Throughput | Pane::Progress | Pane::Vram | Pane::Context => Vec::new(),
    }
}

/// Where the cursor of a pane is: on the selected row, or on the first where that is gone.
pub fn cursor(pane: Pane, ui: &Ui, rows: &[Row]) -> Option<usize> {
    let selected = ui.selected.of(pane);
    let found = selected.and_then(|row| rows.iter().position(|one| *one == row));
    found.or_else(|| (!rows.is_empty()).then_some(0))
}

/// The job that commands are about: the one under the cursor of the pane of jobs, or that of the
/// row under the cursor of the focused pane, or the one whose list fills the view.
pub fn chosen_job<'a>(ui: &Ui, snapshot: &'a Snapshot) -> Option<&'a JobView> {
    let listed = match ui.view() {
        View::Requests => ui.lists.requests.as_ref().map(|list| list.job),
        View::Request => ui.lists.reading.as_ref().map(|reading| reading.job),
        View::Failures => ui.lists.failures.as_ref().map(|list| list.job),
        View::Analysis => ui.lists.analysis.as_ref().map(|held| held.job),
        View::Main | View::Answer | View::Log | View::Help | View::Settings => None,
    };
    if let Some(id) = listed {
        return snapshot.jobs.iter().find(|job| job.id == id);
    }
    let under_cursor = |pane| {
        let rows = rows(pane, snapshot);
        cursor(pane, ui, &rows).and_then(|at| rows.get(at).copied())
    };
    let id = match under_cursor(ui.focus).or_else(|| under_cursor(Pane::Jobs))? {
        Row::Job(id) | Row::Failure(id, _) => id,
        Row::Trim(number) => {
            let mut trims = snapshot.context.trims.iter();
            trims.find(|trim| trim.number == number)?.job
        }
        Row::Request(request) => {
            snapshot
                .lanes
                .iter()
                .find(|lane| lane.request == request)?
                .job
        }
    };
    snapshot.jobs.iter().find(|job| job.id == id)
}
