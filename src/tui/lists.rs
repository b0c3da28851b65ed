//! What the views over the queue hold: a bounded piece of each list, and where the cursor is.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::analyzed::Analyzed;
use super::query::{At, HALF_PAGE, Page, Query};
use super::reading::RequestText;
use super::widget::Field;
use crate::base::Moment;
use crate::model::{FailureClass, JobId, RequestId};
use crate::store::{FailureGroup, Filter, RequestLine, Sort};

/// Marks that are kept at most.
const MARKS: usize = 10_000;
/// So near to an end of the piece that is held, the next one is asked for.
const NEAR: usize = HALF_PAGE / 2;

/// The state of the views over the queue.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Lists {
    /// The requests of a job.
    pub requests: Option<RequestList>,
    /// The request that is read.
    pub reading: Option<Reading>,
    /// The failures of a job.
    pub failures: Option<FailureList>,
    /// What is in the results of a job.
    pub analysis: Option<Analyzed>,
}

/// What a list is sorted by, and whether the last one stands first.
pub type Order = (Sort, bool);

/// The requests of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestList {
    /// The job.
    pub job: JobId,
    /// Which requests are listed.
    pub filter: Filter,
    /// The text filter while it is being typed.
    pub typing: Option<Field>,
    /// What the list is sorted by.
    pub sort: Sort,
    /// Whether the last one in that order stands first.
    pub is_reversed: bool,
    /// The filter and the order of the piece that is held: those of before while others are
    /// looked up.
    pub held: Option<(Filter, Order)>,
    /// The piece of the list that is held, in the order in which it is shown.
    pub page: Option<Page>,
    /// The request under the cursor and its place in the file.
    pub cursor: Option<(RequestId, i64)>,
    /// The end that the cursor goes to when the next piece comes.
    pub jump: Option<At>,
    /// The marked requests.
    pub marked: BTreeSet<RequestId>,
    /// How many the filter lets through, once counted.
    pub matched: Option<u64>,
    /// The question whose answer is awaited.
    pub asked: Option<Query>,
    /// The count that is awaited, or that `matched` answers.
    pub counted: Option<Query>,
    /// The row where the cursor was last.
    pub row: usize,
    /// When the list was last asked for.
    pub asked_at: Moment,
    /// Done and failed requests of the job when the list was last asked for.
    pub seen: (u64, u64),
    /// Why there is nothing.
    pub trouble: Option<String>,
}

/// A request that is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// Its job.
    pub job: JobId,
    /// Which.
    pub request: RequestId,
    /// It, once it has come.
    pub text: Option<Arc<RequestText>>,
    /// Why it has not.
    pub trouble: Option<String>,
    /// The side that has the keys.
    pub side: Side,
    /// Whether JSON is shown.
    pub is_raw: bool,
    /// First row shown of each side.
    pub scrolled: [usize; 2],
    /// The question whose answer is awaited.
    pub asked: Option<Query>,
    /// When it was last asked again.
    pub asked_at: Moment,
}

/// A side of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// What was asked.
    Prompt,
    /// What was answered.
    Answer,
}

/// The failures of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureList {
    /// The job.
    pub job: JobId,
    /// Groups of failures that are alike, once they have come.
    pub groups: Option<Vec<FailureGroup>>,
    /// The row under the cursor.
    pub cursor: Option<FailureRow>,
    /// The question whose answer is awaited.
    pub asked: Option<Query>,
    /// Failed requests of the job when the groups were last asked for.
    pub seen: u64,
    /// Why there is nothing.
    pub trouble: Option<String>,
}

/// A row of the failures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailureRow {
    /// The class.
    pub class: FailureClass,
    /// What the messages have in common; nothing in the row of a whole class.
    pub pattern: Option<String>,
    /// How many.
    pub count: u64,
    /// One of them.
    pub sample: String,
}

impl RequestList {
    /// The requests of a job that a filter lets through.
    pub fn new(job: JobId, filter: Filter) -> Self {
        Self {
            job,
            filter,
            typing: None,
            sort: Sort::Place,
            is_reversed: false,
            held: None,
            row: 0,
            asked_at: Moment::ZERO,
            page: None,
            cursor: None,
            jump: Some(At::First),
            marked: BTreeSet::new(),
            matched: None,
            asked: None,
            counted: None,
            seen: (0, 0),
            trouble: None,
        }
    }

    /// The rows that are held.
    pub fn lines(&self) -> &[RequestLine] {
        self.page.as_ref().map_or(&[], |page| &page.lines)
    }

    /// The row under the cursor: the selected request, or what stands where it stood.
    pub fn at(&self) -> Option<usize> {
        let lines = self.lines();
        let (id, seq) = self.cursor?;
        let found = lines.iter().position(|line| line.id == id);
        let nearest = || {
            // A place in the file says nothing about a place in another order.
            if self.sort != Sort::Place {
                return lines.len().checked_sub(1).map(|last| self.row.min(last));
            }
            let behind = |line: &RequestLine| {
                if self.is_reversed {
                    line.seq <= seq
                } else {
                    line.seq >= seq
                }
            };
            lines.iter().position(behind).or(lines.len().checked_sub(1))
        };
        found.or_else(nearest)
    }

    /// The request under the cursor.
    pub fn under_cursor(&self) -> Option<&RequestLine> {
        self.lines().get(self.at()?)
    }

    /// Puts the cursor in a row that is held.
    pub fn select(&mut self, row: usize) {
        if let Some(line) = self.lines().get(row) {
            self.cursor = Some((line.id, line.seq));
            self.row = row;
        }
    }

    /// The question for the piece of the list there.
    pub fn query(&self, at: At) -> Query {
        let at = match (at, self.is_reversed) {
            (At::First, true) => At::Last,
            (At::Last, true) => At::First,
            (at, _) => at,
        };
        Query::Page {
            job: self.job,
            filter: self.filter.clone(),
            sort: self.sort,
            at,
        }
    }

    /// Takes a piece of the list in the order of the file, and returns by how many rows the
    /// row under the cursor has moved in what is held.
    pub fn take(&mut self, mut page: Page) -> isize {
        let before = self.at();
        if self.is_reversed {
            page.lines.reverse();
            (page.is_first, page.is_last) = (page.is_last, page.is_first);
        }
        let last = page.lines.len().saturating_sub(1);
        self.page = Some(page);
        self.held = Some((self.filter.clone(), self.order()));
        self.trouble = None;
        match self.jump.take() {
            Some(At::First) => self.select(0),
            Some(At::Last) => self.select(last),
            Some(At::Around(_)) | None => {
                let row = self.at().unwrap_or(0);
                self.select(row);
            }
        }
        let after = self.at().unwrap_or(0) as isize;
        after - before.map_or(after, |row| row as isize)
    }

    /// The order that is asked for.
    pub const fn order(&self) -> Order {
        (self.sort, self.is_reversed)
    }

    /// The order of what is held while another one is worked out, which takes a while.
    pub fn order_before(&self) -> Option<Order> {
        let (_, held) = self.held.as_ref()?;
        let is_awaited = self.asked.is_some() && *held != self.order();
        (is_awaited && self.sort.is_slow()).then_some(*held)
    }

    /// Whether a text is looked for, and what is held was found without it.
    pub fn is_searching(&self) -> bool {
        let held = self.held.as_ref().map(|(filter, _)| filter);
        self.asked.is_some() && self.filter.text.is_some() && held != Some(&self.filter)
    }

    /// Whether asking for it takes so long that it is not done with every picture.
    pub const fn is_slow(&self) -> bool {
        self.filter.text.is_some() || self.sort.is_slow()
    }

    /// Whether the cursor is near an end of what is held that is no end of the list.
    pub fn is_short(&self) -> bool {
        let (Some(page), Some(row)) = (&self.page, self.at()) else {
            return false;
        };
        (row < NEAR && !page.is_first) || (row + NEAR >= page.lines.len() && !page.is_last)
    }

    /// Marks the request under the cursor, or takes its mark; false where there are too many.
    pub fn mark(&mut self) -> bool {
        let Some(id) = self.under_cursor().map(|line| line.id) else {
            return true;
        };
        if !self.marked.remove(&id) {
            if self.marked.len() >= MARKS {
                return false;
            }
            self.marked.insert(id);
        }
        true
    }
}

impl Reading {
    /// A request that is about to come.
    pub const fn new(job: JobId, request: RequestId) -> Self {
        Self {
            job,
            request,
            text: None,
            trouble: None,
            side: Side::Answer,
            is_raw: false,
            scrolled: [0, 0],
            asked: None,
            asked_at: Moment::ZERO,
        }
    }
}

impl FailureList {
    /// The failures of a job.
    pub const fn new(job: JobId) -> Self {
        Self {
            job,
            groups: None,
            cursor: None,
            asked: None,
            seen: 0,
            trouble: None,
        }
    }

    /// The rows: each class with its groups under it, the most frequent first.
    pub fn rows(&self) -> Vec<FailureRow> {
        let groups = self.groups.as_deref().unwrap_or_default();
        let mut classes: Vec<(FailureClass, u64)> = Vec::new();
        for group in groups {
            match classes.iter_mut().find(|(class, _)| *class == group.class) {
                Some((_, count)) => *count += group.count,
                None => classes.push((group.class, group.count)),
            }
        }
        classes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let mut rows = Vec::new();
        for (class, count) in classes {
            rows.push(FailureRow {
                class,
                pattern: None,
                count,
                sample: String::new(),
            });
            let alike = groups.iter().filter(|group| group.class == class);
            rows.extend(alike.map(|group| FailureRow {
                class,
                pattern: Some(group.pattern.clone()),
                count: group.count,
                sample: group.sample.clone(),
            }));
        }
        rows
    }

    /// The row under the cursor.
    pub fn at(&self, rows: &[FailureRow]) -> usize {
        let is_same = |row: &FailureRow| {
            self.cursor
                .as_ref()
                .is_some_and(|cursor| cursor.class == row.class && cursor.pattern == row.pattern)
        };
        rows.iter().position(is_same).unwrap_or(0)
    }
}
