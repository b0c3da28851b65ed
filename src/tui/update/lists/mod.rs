//! Keys and answers in the views over the queue: requests of a job, one request, failures, the
//! analysis of a job.

mod analysis;
mod reading;
mod requests;

use std::time::Duration;

pub(super) use self::analysis::left;
use self::reading::{in_failures, in_request, move_failures, scroll_side};
pub(super) use self::requests::sort_by;
use self::requests::{in_requests, move_requests};
use super::{shown, watching};
use crate::model::{Command, JobId, Phase, RequestId, Snapshot, WhichFailures};
use crate::store::Filter;
use crate::tui::action::Action;
use crate::tui::dialog::{Confirm, Dialog, Question};
use crate::tui::hits::Listed;
use crate::tui::key::{Code, Key};
use crate::tui::lists::{FailureList, Reading, RequestList};
use crate::tui::msg::Ask;
use crate::tui::query::{At, Found, Query};
use crate::tui::rows::{chosen_job, cursor, rows};
use crate::tui::text::outside;
use crate::tui::ui::{Row, Seat, Ui, View};
use crate::tui::widget::Field;

/// How often a list is asked for again that takes a while.
const SLOWLY: Duration = Duration::from_secs(5);
/// Columns of an outside name in a message.
const NAME_COLUMNS: usize = 30;

/// Does what an action says about lists; `None` where it says nothing about them.
pub(super) fn act(ui: &mut Ui, action: Action, latest: &Snapshot) -> Option<Vec<Ask>> {
    match action {
        Action::ViewRequests => return Some(open_job(ui, latest)),
        Action::ViewFailures => return Some(open_failures(ui, latest)),
        Action::ViewAnalysis => return Some(analysis::open(ui, latest)),
        _ => {}
    }
    match ui.view() {
        View::Main if action == Action::Open => open_row(ui, latest),
        View::Requests => in_requests(ui, action, latest),
        View::Request => in_request(ui, action),
        View::Failures => in_failures(ui, action, latest),
        View::Analysis => analysis::act(ui, action, latest),
        _ => None,
    }
}

/// Takes a key into the text filter that is being typed; false where none is.
pub(super) fn typed(ui: &mut Ui, key: Key, latest: &Snapshot) -> Option<Vec<Ask>> {
    let list = typing(ui)?;
    let field = list.typing.as_mut()?;
    match key.code {
        Code::Named("enter") => list.typing = None,
        Code::Named("esc") => {
            list.typing = None;
            return Some(filtered(ui, latest, |filter| filter.text = None));
        }
        _ if field.key(key) => return Some(live(ui, latest)),
        _ => {}
    }
    Some(Vec::new())
}

/// Takes pasted text into the text filter that is being typed.
pub(super) fn pasted(ui: &mut Ui, text: &str, latest: &Snapshot) -> Vec<Ask> {
    let field = typing(ui).and_then(|list| list.typing.as_mut());
    let Some(field) = field else {
        return Vec::new();
    };
    field.insert(text);
    live(ui, latest)
}

/// Asks anew where the list that is shown has changed in the queue.
pub(super) fn refresh(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    match ui.view() {
        View::Requests => {
            let Some(list) = &mut ui.lists.requests else {
                return Vec::new();
            };
            // Looking at each of a million takes a while: it is not done ten times a second.
            let is_due = !list.is_slow() || latest.now.since(list.asked_at) >= SLOWLY;
            let is_idle = list.asked.is_none() && is_due;
            if !is_idle || list.seen == ends(latest, list.job) {
                return Vec::new();
            }
            let at = list.cursor.map_or(At::First, |(_, seq)| At::Around(seq));
            ask(list, at, latest)
        }
        View::Failures => {
            let Some(list) = &mut ui.lists.failures else {
                return Vec::new();
            };
            if list.asked.is_some() || list.seen == ends(latest, list.job).1 {
                return Vec::new();
            }
            ask_failures(list, latest)
        }
        View::Request => reading::refresh(ui, latest),
        View::Analysis => analysis::refresh(ui, latest),
        _ => Vec::new(),
    }
}

/// Takes an answer, unless another question has been asked since.
pub(super) fn found(
    ui: &mut Ui,
    query: &Query,
    found: Result<Found, String>,
    latest: &Snapshot,
) -> Vec<Ask> {
    match query {
        Query::Page { .. } => return page_found(ui, query, found, latest),
        Query::Count { .. } => {
            if let Some(list) = &mut ui.lists.requests
                && list.counted.as_ref() == Some(query)
                && let Ok(Found::Count(count)) = found
            {
                list.matched = Some(count);
            }
        }
        Query::Request { .. } => request_found(ui, query, found),
        Query::Failures { .. } => failures_found(ui, query, found),
        Query::Analysis { .. } => analysis::found(ui, query, found, latest),
    }
    Vec::new()
}

/// Puts the cursor of the list that is shown in this row; a second time opens it.
pub(super) fn clicked(ui: &mut Ui, row: usize, latest: &Snapshot) -> Vec<Ask> {
    let is_there = match ui.view() {
        View::Requests => ui.lists.requests.as_ref().and_then(RequestList::at) == Some(row),
        View::Failures => {
            let list = ui.lists.failures.as_ref();
            list.is_some_and(|list| list.at(&list.rows()) == row)
        }
        _ => false,
    };
    if is_there {
        return act(ui, Action::Open, latest).unwrap_or_default();
    }
    match (&mut ui.lists.requests, &mut ui.lists.failures) {
        (Some(list), _) if ui.views.last() == Some(&View::Requests) => list.select(row),
        (_, Some(list)) if ui.views.last() == Some(&View::Failures) => {
            list.cursor = list.rows().into_iter().nth(row);
        }
        _ => {}
    }
    Vec::new()
}

/// Moves by so many rows in the list or the side that is shown.
pub(super) fn by(ui: &mut Ui, rows: isize, latest: &Snapshot) -> Vec<Ask> {
    match ui.view() {
        View::Requests => move_requests(ui, rows, latest),
        View::Request => scroll_side(ui, rows),
        View::Failures => move_failures(ui, rows),
        _ => Vec::new(),
    }
}

fn typing(ui: &mut Ui) -> Option<&mut RequestList> {
    if ui.view() != View::Requests {
        return None;
    }
    let list = ui.lists.requests.as_mut()?;
    list.typing.is_some().then_some(list)
}

/// Filters by what has been typed so far.
fn live(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let typed = typing(ui).and_then(|list| list.typing.as_ref());
    let typed = typed.map(Field::text).unwrap_or_default();
    let (text, inverse) = match typed.strip_prefix('!') {
        Some(rest) => (rest.to_owned(), true),
        None => (typed, false),
    };
    filtered(ui, latest, |filter| {
        filter.text = (!text.is_empty()).then_some(text);
        filter.inverse = inverse;
    })
}

fn filtered(ui: &mut Ui, latest: &Snapshot, change: impl FnOnce(&mut Filter)) -> Vec<Ask> {
    let Some(list) = &mut ui.lists.requests else {
        return Vec::new();
    };
    let before = list.filter.clone();
    change(&mut list.filter);
    if list.filter == before {
        return Vec::new();
    }
    list.matched = None;
    list.counted = None;
    // The selected request stays selected where the filter lets it through.
    let at = if let Some((_, seq)) = list.cursor {
        At::Around(seq)
    } else {
        list.jump = Some(At::First);
        At::First
    };
    ask(list, at, latest)
}

/// Done and failed requests of a job.
fn ends(latest: &Snapshot, job: JobId) -> (u64, u64) {
    let found = latest.jobs.iter().find(|view| view.id == job);
    found.map_or((0, 0), |view| (view.counts.done, view.counts.failed))
}

/// Whether the number of requests that a filter lets through must be counted in the queue.
const fn needs_count(filter: &Filter) -> bool {
    filter.text.is_some() || filter.class.is_some() || filter.pattern.is_some()
}

fn ask(list: &mut RequestList, at: At, latest: &Snapshot) -> Vec<Ask> {
    let ends = ends(latest, list.job);
    let page = list.query(at);
    list.asked = Some(page.clone());
    list.asked_at = latest.now;
    if list.seen != ends {
        list.counted = None;
    }
    list.seen = ends;
    vec![Ask::Query(page)]
}

/// Counts what the filter lets through, once for each state of the job: a piece without more
/// before and behind it says so by itself.
fn count(list: &mut RequestList) -> Vec<Ask> {
    if !needs_count(&list.filter) || list.counted.is_some() {
        return Vec::new();
    }
    let query = Query::Count {
        job: list.job,
        filter: list.filter.clone(),
    };
    list.counted = Some(query.clone());
    let whole = list
        .page
        .as_ref()
        .filter(|page| page.is_first && page.is_last);
    if let Some(page) = whole {
        list.matched = Some(page.lines.len() as u64);
        return Vec::new();
    }
    vec![Ask::Query(query)]
}

fn ask_failures(list: &mut FailureList, latest: &Snapshot) -> Vec<Ask> {
    let query = Query::Failures { job: list.job };
    list.asked = Some(query.clone());
    list.seen = ends(latest, list.job).1;
    vec![Ask::Query(query)]
}

fn page_found(
    ui: &mut Ui,
    query: &Query,
    found: Result<Found, String>,
    latest: &Snapshot,
) -> Vec<Ask> {
    let Some(list) = &mut ui.lists.requests else {
        return Vec::new();
    };
    if list.asked.as_ref() != Some(query) {
        return Vec::new();
    }
    list.asked = None;
    match found {
        Ok(Found::Page(page)) => {
            let moved = list.take(page);
            if let Some(anchor) = ui.anchors.get_mut(&Listed::Requests) {
                *anchor = anchor.saturating_add_signed(moved);
            }
            let mut asks = count(list);
            asks.extend(lengthen(list, latest, query));
            return asks;
        }
        Ok(_) => {}
        Err(text) => list.trouble = Some(text),
    }
    Vec::new()
}

/// Asks for more around the cursor where it has come near an end of what is held; not where that
/// is what has just come.
fn lengthen(list: &mut RequestList, latest: &Snapshot, came: &Query) -> Vec<Ask> {
    let Some((_, seq)) = list.cursor else {
        return Vec::new();
    };
    let at = At::Around(seq);
    if list.is_short() && list.query(at) != *came {
        return ask(list, at, latest);
    }
    Vec::new()
}

fn request_found(ui: &mut Ui, query: &Query, found: Result<Found, String>) {
    let Some(reading) = &mut ui.lists.reading else {
        return;
    };
    if reading.asked.as_ref() != Some(query) {
        return;
    }
    reading.asked = None;
    match found {
        Ok(Found::Request(Some(text))) => reading.text = Some(text.into()),
        Ok(_) => reading.trouble = Some("the request is not in the queue any more".to_owned()),
        Err(text) => reading.trouble = Some(text),
    }
}

fn failures_found(ui: &mut Ui, query: &Query, found: Result<Found, String>) {
    let Some(list) = &mut ui.lists.failures else {
        return;
    };
    if list.asked.as_ref() != Some(query) {
        return;
    }
    list.asked = None;
    match found {
        Ok(Found::Failures(groups)) => {
            list.groups = Some(groups);
            list.trouble = None;
        }
        Ok(_) => {}
        Err(text) => list.trouble = Some(text),
    }
}

fn open_row(ui: &mut Ui, latest: &Snapshot) -> Option<Vec<Ask>> {
    let snapshot = shown(ui, latest);
    let rows = rows(ui.focus, snapshot);
    let row = cursor(ui.focus, ui, &rows).and_then(|at| rows.get(at).copied())?;
    Some(match row {
        Row::Job(job) => open_requests(ui, job, Filter::default(), latest),
        Row::Request(request) => {
            let lane = snapshot.lanes.iter().find(|lane| lane.request == request)?;
            let (job, phase) = (lane.job, lane.phase);
            if phase == Phase::BackingOff {
                return Some(open_request(ui, job, request));
            }
            watching::open(ui, job, request);
            Vec::new()
        }
        // Large, the pane shows the trim in full.
        Row::Trim(_) => {
            ui.enlarged = !ui.enlarged;
            Vec::new()
        }
        Row::Failure(job, class) => {
            let filter = Filter {
                class: Some(class),
                ..Filter::default()
            };
            open_requests(ui, job, filter, latest)
        }
    })
}

fn open_job(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let job = chosen_job(ui, shown(ui, latest)).map(|job| job.id);
    let Some(job) = job else {
        ui.complain("no job is selected");
        return Vec::new();
    };
    if ui
        .lists
        .requests
        .as_ref()
        .is_some_and(|list| list.job == job)
    {
        super::raise(ui, View::Requests);
        return refresh(ui, latest);
    }
    open_requests(ui, job, Filter::default(), latest)
}

fn open_requests(ui: &mut Ui, job: JobId, filter: Filter, latest: &Snapshot) -> Vec<Ask> {
    let mut list = RequestList::new(job, filter);
    let asks = ask(&mut list, At::First, latest);
    ui.lists.requests = Some(list);
    ui.anchors.remove(&Listed::Requests);
    super::raise(ui, View::Requests);
    asks
}

fn open_failures(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let Some(job) = chosen_job(ui, shown(ui, latest)).map(|job| job.id) else {
        ui.complain("no job is selected");
        return Vec::new();
    };
    let mut list = FailureList::new(job);
    let asks = ask_failures(&mut list, latest);
    ui.lists.failures = Some(list);
    ui.anchors.remove(&Listed::Failures);
    super::raise(ui, View::Failures);
    asks
}

/// Opens a request in full.
pub(in crate::tui::update) fn open_request(
    ui: &mut Ui,
    job: JobId,
    request: RequestId,
) -> Vec<Ask> {
    let mut reading = Reading::new(job, request);
    let query = Query::Request { job, request };
    reading.asked = Some(query.clone());
    // It is asked for again as soon as it may have changed.
    ui.lists.reading = Some(reading);
    super::raise(ui, View::Request);
    vec![Ask::Query(query)]
}

fn confirm_retry(
    ui: &mut Ui,
    job: JobId,
    which: WhichFailures,
    what: String,
    count: u64,
) -> Vec<Ask> {
    if let Seat::Watcher { pid, .. } = ui.seat {
        ui.complain(format!("read-only: process {pid} owns the queue"));
        return Vec::new();
    }
    let question = Question::Retry {
        command: Command::Retry { job, which },
        job,
        what,
        count,
    };
    ui.dialogs.push(Dialog::Confirm(Confirm::new(question)));
    Vec::new()
}

fn copy(ui: &mut Ui, text: Option<String>) -> Vec<Ask> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        ui.complain("nothing here to copy");
        return Vec::new();
    };
    ui.tell(format!("copied {}", outside(&text, NAME_COLUMNS)));
    vec![Ask::Copy(text)]
}

#[cfg(test)]
mod tests;
