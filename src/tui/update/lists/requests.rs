//! Keys in the list of requests.

use super::{ask, confirm_retry, copy, filtered, open_request};
use crate::model::{FailureClass, RequestId, RequestState, Snapshot, WhichFailures};
use crate::store::{Filter, Sort};
use crate::tui::action::Action;
use crate::tui::hits::Listed;
use crate::tui::lists::RequestList;
use crate::tui::msg::Ask;
use crate::tui::query::At;
use crate::tui::text::outside;
use crate::tui::ui::Ui;
use crate::tui::update::moving::step;
use crate::tui::widget::Field;

/// Columns of an outside name in a question.
const NAME_COLUMNS: usize = 30;

pub(super) fn in_requests(ui: &mut Ui, action: Action, latest: &Snapshot) -> Option<Vec<Ask>> {
    if let Some(rows) = step(ui, Listed::Requests, action) {
        return Some(move_requests(ui, rows, latest));
    }
    let list = ui.lists.requests.as_mut()?;
    Some(match action {
        Action::Open => {
            let (job, line) = (list.job, list.under_cursor()?.id);
            open_request(ui, job, line)
        }
        Action::Filter => {
            let sign = if list.filter.inverse { "!" } else { "" };
            let text = list.filter.text.as_deref().unwrap_or_default();
            list.typing = Some(Field::new(&format!("{sign}{text}")));
            Vec::new()
        }
        Action::Back if list.order_before().is_some() => {
            (list.sort, list.is_reversed) = list.order_before().unwrap_or_default();
            list.jump = None;
            ask(list, at_cursor(list), latest)
        }
        Action::Back if list.filter.text.is_some() => {
            filtered(ui, latest, |filter| filter.text = None)
        }
        Action::Back if !list.marked.is_empty() => {
            list.marked.clear();
            Vec::new()
        }
        Action::State => filtered(ui, latest, next_state),
        Action::Class => filtered(ui, latest, next_class),
        Action::Order => {
            list.is_reversed = !list.is_reversed;
            list.jump = Some(At::First);
            ask(list, At::First, latest)
        }
        Action::Sort => return Some(sort_by_next(ui, latest)),
        Action::Mark => {
            if !list.mark() {
                ui.complain("no more than 10,000 requests can be marked");
                return Some(Vec::new());
            }
            move_requests(ui, 1, latest)
        }
        Action::Retry => retry_listed(ui),
        Action::Copy => {
            let id = list.under_cursor().and_then(|line| line.custom_id.clone());
            copy(ui, id)
        }
        _ => return None,
    })
}

/// Where the cursor is.
fn at_cursor(list: &RequestList) -> At {
    list.cursor.map_or(At::First, |(_, seq)| At::Around(seq))
}

fn sort_by_next(ui: &mut Ui, latest: &Snapshot) -> Vec<Ask> {
    let Some(now) = ui.lists.requests.as_ref().map(|list| list.sort) else {
        return Vec::new();
    };
    let here = Sort::ALL.iter().position(|one| *one == now).unwrap_or(0);
    let next = Sort::ALL.iter().cycle().nth(here + 1).copied();
    sort_by(ui, next.unwrap_or_default(), latest)
}

/// Sorts the list by this, what is most worth seeing first; a second time turns the order.
pub(in crate::tui::update) fn sort_by(ui: &mut Ui, sort: Sort, latest: &Snapshot) -> Vec<Ask> {
    let Some(list) = &mut ui.lists.requests else {
        return Vec::new();
    };
    list.is_reversed = if list.sort == sort {
        !list.is_reversed
    } else {
        !matches!(sort, Sort::Place | Sort::State | Sort::Name)
    };
    list.sort = sort;
    list.jump = Some(At::First);
    let words = words(sort, list.is_reversed);
    let asks = ask(list, At::First, latest);
    ui.tell(words);
    asks
}

const fn words(sort: Sort, is_reversed: bool) -> &'static str {
    match (sort, is_reversed) {
        (Sort::Place, false) => "order: that of the file",
        (Sort::Place, true) => "order: from the end of the file",
        (Sort::State, false) => "order: by state, queued first",
        (Sort::State, true) => "order: by state, failed first",
        (Sort::Name, false) => "order: by name",
        (Sort::Name, true) => "order: by name, the last one first",
        (Sort::Tries, true) => "order: by tries, most first",
        (Sort::Tries, false) => "order: by tries, fewest first",
        (Sort::Prompt, true) => "order: by prompt, the longest first",
        (Sort::Prompt, false) => "order: by prompt, the shortest first",
        (Sort::Answer, true) => "order: by answer, the longest first",
        (Sort::Answer, false) => "order: by answer, the shortest first",
        (Sort::Time, true) => "order: by time, the slowest first",
        (Sort::Time, false) => "order: by time, the fastest first",
        (Sort::Finished, true) => "order: by end, the latest first",
        (Sort::Finished, false) => "order: by end, the earliest first",
    }
}

fn next_state(filter: &mut Filter) {
    let states = RequestState::ALL;
    let here = filter
        .state
        .and_then(|state| states.iter().position(|one| *one == state));
    filter.state = states.get(here.map_or(0, |here| here + 1)).copied();
    filter.class = None;
    filter.pattern = None;
}

fn next_class(filter: &mut Filter) {
    let classes = FailureClass::ALL;
    let here = filter
        .class
        .and_then(|class| classes.iter().position(|one| *one == class));
    filter.class = classes.get(here.map_or(0, |here| here + 1)).copied();
    filter.state = None;
    filter.pattern = None;
}

pub(super) fn move_requests(ui: &mut Ui, rows: isize, latest: &Snapshot) -> Vec<Ask> {
    let Some(list) = &mut ui.lists.requests else {
        return Vec::new();
    };
    let (Some(here), Some(page)) = (list.at(), &list.page) else {
        return Vec::new();
    };
    // Only a jump to an end goes so far that it leaves what is held on purpose.
    let is_jump = rows.unsigned_abs() > page.lines.len();
    if is_jump && rows < 0 && !page.is_first {
        list.jump = Some(At::First);
        return ask(list, At::First, latest);
    }
    if is_jump && rows > 0 && !page.is_last {
        list.jump = Some(At::Last);
        return ask(list, At::Last, latest);
    }
    let there = here.saturating_add_signed(rows).min(page.lines.len() - 1);
    list.select(there);
    if let Some(window) = ui.hits.window_of(Listed::Requests) {
        ui.anchors.insert(Listed::Requests, window.first);
    }
    match list.cursor {
        Some((_, seq)) if list.asked.is_none() && list.is_short() => {
            ask(list, At::Around(seq), latest)
        }
        _ => Vec::new(),
    }
}

/// Asks about the marked requests, else the group that is listed, else the request under the
/// cursor.
fn retry_listed(ui: &mut Ui) -> Vec<Ask> {
    let Some(list) = &ui.lists.requests else {
        return Vec::new();
    };
    let job = list.job;
    if !list.marked.is_empty() {
        let marked: Vec<RequestId> = list.marked.iter().copied().collect();
        let count = marked.len() as u64;
        let which = WhichFailures::Requests(marked);
        return confirm_retry(ui, job, which, "marked".to_owned(), count);
    }
    let Some(line) = list.under_cursor() else {
        return Vec::new();
    };
    if line.state != RequestState::Failed {
        ui.complain("the request has not failed; m marks several");
        return Vec::new();
    }
    let name = line.custom_id.as_deref().unwrap_or_default();
    let what = outside(name, NAME_COLUMNS);
    let which = WhichFailures::Requests(vec![line.id]);
    confirm_retry(ui, job, which, what, 1)
}
