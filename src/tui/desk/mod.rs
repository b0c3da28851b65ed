//! Answers the questions of lists beside the loop: one is worked on and one may wait, the newest.
//! A question that is no longer wanted is interrupted.

mod analysis;

use std::collections::HashMap;
use std::mem::{Discriminant, discriminant};
use std::path::{Path, PathBuf};

use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio_util::task::TaskTracker;

use super::msg::Msg;
use super::query::{At, Found, HALF_PAGE, Page, Query};
use super::reading::RequestText;
use crate::model::JobId;
use crate::store::{Anchor, Filter, Reader, Sort, StoreError};

/// Where questions are answered: each kind of question by itself, so that a slow count keeps no
/// page waiting.
#[derive(Debug)]
pub(super) struct Desks {
    folder: PathBuf,
    found: mpsc::Sender<Msg>,
    asks: HashMap<Discriminant<Query>, watch::Sender<Option<Query>>>,
    tasks: TaskTracker,
}

impl Desks {
    /// Desks over the queue in this data folder. Nothing is opened before the first question.
    pub(super) fn new(folder: PathBuf, found: mpsc::Sender<Msg>) -> Self {
        Self {
            folder,
            found,
            asks: HashMap::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Asks this instead of what was asked of the same kind before.
    pub(super) fn ask(&mut self, query: Query) {
        let (folder, found) = (&self.folder, &self.found);
        let asks = self.asks.entry(discriminant(&query)).or_insert_with(|| {
            let (asks, asked) = watch::channel(None);
            self.tasks
                .spawn(serve(folder.clone(), asked, found.clone()));
            asks
        });
        asks.send_replace(Some(query));
    }

    /// Gives up what was asked of this kind.
    pub(super) fn leave(&self, query: &Query) {
        if let Some(asks) = self.asks.get(&discriminant(query)) {
            asks.send_replace(None);
        }
    }

    /// Interrupts what is being looked up, and waits until nothing is.
    pub(super) async fn close(self) {
        drop(self.asks);
        self.tasks.close();
        self.tasks.wait().await;
    }
}

/// Answers until the screen is left.
async fn serve(
    folder: PathBuf,
    mut asks: watch::Receiver<Option<Query>>,
    found: mpsc::Sender<Msg>,
) {
    let mut held = None;
    while asks.changed().await.is_ok() {
        let Some(query) = asks.borrow_and_update().clone() else {
            continue;
        };
        let result = match take(held.take(), &folder).await {
            Ok(reader) => {
                let (reader, result) = work(reader, &query, &mut asks, &found).await;
                held = reader;
                result
            }
            Err(text) => Err(text),
        };
        let is_wanted = asks.has_changed().is_ok_and(|is_newer| !is_newer);
        if is_wanted
            && found
                .send(Msg::Found {
                    query,
                    found: result,
                })
                .await
                .is_err()
        {
            return;
        }
    }
}

type Worked = (Option<Reader>, Result<Found, String>);

/// Answers one question, and gives up when another one comes.
async fn work(
    reader: Reader,
    query: &Query,
    asks: &mut watch::Receiver<Option<Query>>,
    found: &mpsc::Sender<Msg>,
) -> Worked {
    let interrupt = reader.interrupter();
    let (wanted, newer, news) = (query.clone(), asks.clone(), found.clone());
    let mut work = spawn_blocking(move || {
        let goes_on = |found| {
            let query = wanted.clone();
            // How far it is may be missed while the screen is busy.
            let _ = news.try_send(Msg::Found {
                query,
                found: Ok(found),
            });
            newer.has_changed().is_ok_and(|is_newer| !is_newer)
        };
        let found = answer_while(&reader, &wanted, goes_on).map_err(|error| error.to_string());
        (Some(reader), found)
    });
    let joined = tokio::select! {
        joined = &mut work => joined,
        newer = asks.changed() => {
            interrupt.interrupt();
            if newer.is_ok() {
                asks.mark_changed();
            }
            work.await
        }
    };
    joined.unwrap_or_else(|error| (None, Err(error.to_string())))
}

async fn take(held: Option<Reader>, folder: &Path) -> Result<Reader, String> {
    if let Some(reader) = held {
        return Ok(reader);
    }
    let folder = folder.to_path_buf();
    match spawn_blocking(move || Reader::open(&folder)).await {
        Ok(Ok(Some(reader))) => Ok(reader),
        Ok(Ok(None)) => Err("there is no queue yet".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// Answers one question at once.
pub fn answer(reader: &Reader, query: &Query) -> Result<Found, StoreError> {
    answer_while(reader, query, |_| true)
}

/// Answers one question. What takes long says now and then how far it is, and gives up where it is
/// told not to go on.
fn answer_while(
    reader: &Reader,
    query: &Query,
    goes_on: impl FnMut(Found) -> bool,
) -> Result<Found, StoreError> {
    Ok(match query {
        Query::Page {
            job,
            filter,
            sort,
            at,
        } => {
            let mut page = page(reader, *job, (filter, *sort), *at)?;
            page.claimed = reader.claimed(*job)?;
            Found::Page(page)
        }
        Query::Count { job, filter } => Found::Count(reader.matches(*job, filter)?),
        Query::Request { job, request } => {
            let detail = reader.request(*job, *request)?;
            Found::Request(detail.map(|detail| Box::new(RequestText::of(detail))))
        }
        Query::Failures { job } => Found::Failures(reader.failures(*job)?),
        Query::Analysis { job } => analysis::analyze(reader, *job, goes_on)?,
    })
}

fn page(reader: &Reader, job: JobId, which: (&Filter, Sort), at: At) -> Result<Page, StoreError> {
    let whole = 2 * HALF_PAGE;
    let read = |anchor, limit| reader.sorted_page(job, which, anchor, limit);
    Ok(match at {
        At::First => {
            let lines = read(Anchor::First, whole)?;
            let is_last = lines.len() < whole;
            Page {
                lines,
                is_first: true,
                is_last,
                claimed: 0,
            }
        }
        At::Last => {
            let lines = read(Anchor::Last, whole)?;
            let is_first = lines.len() < whole;
            Page {
                lines,
                is_first,
                is_last: true,
                claimed: 0,
            }
        }
        At::Around(seq) => {
            let [mut lines, behind] = reader.sorted_around(job, which, seq, HALF_PAGE)?;
            let is_first = lines.len() < HALF_PAGE;
            let is_last = behind.len() < HALF_PAGE;
            lines.extend(behind);
            Page {
                lines,
                is_first,
                is_last,
                claimed: 0,
            }
        }
    })
}

#[cfg(test)]
mod tests;
