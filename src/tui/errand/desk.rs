//! Runs errands: blocking work on threads for it, everything else as tasks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::Sender;
use tokio_util::task::TaskTracker;

use super::plan::{PlanAsked, plan};
use super::{Errand, News, Rejection, batch, folder};
use crate::base::{Stamp, count, shown};
use crate::engine::{Admit, AdmitError, Handle};
use crate::inference::{Ollama, Server};
use crate::model::{Format, JobId, Prices, Readings};
use crate::report::{Destination, beside, gather, report_path, write_report, write_results};
use crate::store::{Order, Reader};
use crate::tui::msg::Msg;

/// What errands need.
#[derive(Debug)]
pub struct Desk {
    data: PathBuf,
    server: Ollama,
    cards: fn() -> Readings,
    reading: HashMap<PathBuf, Arc<AtomicBool>>,
    tasks: TaskTracker,
}

impl Desk {
    /// A desk over the data folder and the server. `cards` looks once at the cards of this machine
    /// and may block.
    pub fn new(data: PathBuf, server: Ollama, cards: fn() -> Readings) -> Self {
        Self {
            data,
            server,
            cards,
            reading: HashMap::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// Starts an errand; what comes of it is sent. Only an owner of the queue has a handle, and
    /// only with one a file is put in the queue.
    pub(in crate::tui) fn run(
        &mut self,
        errand: Errand,
        handle: Option<&Handle>,
        news: Sender<Msg>,
    ) {
        match errand {
            Errand::List(folder) => self.blocking(news, move |_| {
                let listing = folder::list(&folder);
                Some(News::Listed { folder, listing })
            }),
            Errand::Preview(path) => self.blocking(news, move |_| {
                let lines = folder::preview(&path);
                Some(News::Previewed { path, lines })
            }),
            Errand::Check(path) => self.check(path, news),
            Errand::Leave(path) => self.leave(&path),
            Errand::Models => self.models(news),
            Errand::Enqueue(admit) => {
                if let Some(handle) = handle {
                    self.enqueue(*admit, handle.clone(), news);
                }
            }
            Errand::Plan(asked) => self.plan(asked, news),
            Errand::Report {
                job,
                folder,
                prices,
            } => self.report((job, prices), folder, news),
            Errand::Export { job, to } => {
                let data = self.data.clone();
                self.blocking(news, move |_| {
                    Some(News::Exported(export(&data, job, to.as_deref())))
                });
            }
        }
    }

    fn report(&self, (job, prices): (JobId, Prices), folder: PathBuf, news: Sender<Msg>) {
        let data = self.data.clone();
        self.blocking(news, move |_| {
            Some(News::Exported(report(&data, job, &prices, &folder)))
        });
    }

    fn check(&mut self, path: PathBuf, news: Sender<Msg>) {
        self.leave(&path);
        let is_left = Arc::new(AtomicBool::new(false));
        self.reading.insert(path.clone(), Arc::clone(&is_left));
        self.blocking(news, move |news| {
            let goes_on = |lines| {
                let path = path.clone();
                // How far it is may be missed while the screen is busy.
                let _ = news.try_send(Msg::News(News::Checking { path, lines }));
                !is_left.load(Ordering::Relaxed) && !news.is_closed()
            };
            let found = batch::check(&path, goes_on)?.map(Box::new);
            Some(News::Checked { path, found })
        });
    }

    fn enqueue(&mut self, admit: Admit, handle: Handle, news: Sender<Msg>) {
        self.leave(&admit.path);
        let is_left = Arc::new(AtomicBool::new(false));
        self.reading
            .insert(admit.path.clone(), Arc::clone(&is_left));
        self.tasks.spawn(enqueue(admit, handle, news, is_left));
    }

    fn leave(&mut self, path: &Path) {
        if let Some(is_left) = self.reading.remove(path) {
            is_left.store(true, Ordering::Relaxed);
        }
    }

    fn plan(&self, asked: PlanAsked, news: Sender<Msg>) {
        let (server, cards) = (self.server.clone(), self.cards);
        self.tasks.spawn(async move {
            // Whoever leaves waits for no server.
            let planned = tokio::select! {
                planned = plan(&server, &asked, cards) => planned,
                () = news.closed() => return,
            };
            let _ = news.send(Msg::News(News::Planned { asked, planned })).await;
        });
    }

    fn models(&self, news: Sender<Msg>) {
        let server = self.server.clone();
        self.tasks.spawn(async move {
            // Without a list one takes the file's own model; whoever leaves waits for no server.
            let installed = tokio::select! {
                installed = server.installed() => installed,
                () = news.closed() => return,
            };
            if let Ok(installed) = installed {
                let names = installed.into_iter().map(|model| model.name).collect();
                let _ = news.send(Msg::News(News::Models(names))).await;
            }
        });
    }

    fn blocking(
        &self,
        news: Sender<Msg>,
        work: impl FnOnce(&Sender<Msg>) -> Option<News> + Send + 'static,
    ) {
        self.tasks.spawn_blocking(move || {
            if let Some(done) = work(&news) {
                // A screen that was left does not wait for it.
                let _ = news.blocking_send(Msg::News(done));
            }
        });
    }

    /// Stops what is being read, and waits until nothing is under way. An export is finished:
    /// half of one helps nobody.
    pub(in crate::tui) async fn close(self) {
        for is_left in self.reading.into_values() {
            is_left.store(true, Ordering::Relaxed);
        }
        self.tasks.close();
        self.tasks.wait().await;
    }
}

async fn enqueue(admit: Admit, handle: Handle, news: Sender<Msg>, is_left: Arc<AtomicBool>) {
    let path = admit.path.clone();
    let (told, file) = (news.clone(), path.clone());
    let goes_on = move |progress| {
        let path = file.clone();
        // How far it is may be missed while the screen is busy.
        let _ = told.try_send(Msg::News(News::Admitting { path, progress }));
        !is_left.load(Ordering::Relaxed)
    };
    let result = match handle.admit_while(admit, goes_on).await {
        Ok(admitted) => Ok(format!(
            "job {}: {} ({} requests) is in the queue",
            admitted.job.id,
            shown(&admitted.job.name),
            count(admitted.job.counts.total)
        )),
        Err(error) => Err(rejection(error)),
    };
    let _ = news.send(Msg::News(News::Enqueued { path, result })).await;
}

fn rejection(error: AdmitError) -> Rejection {
    let AdmitError::Problems(survey) = error else {
        return Rejection {
            why: format!("not enqueued: {error}"),
            problems: Vec::new(),
        };
    };
    Rejection {
        why: format!(
            "not enqueued: {} problems in the file",
            count(survey.problem_count())
        ),
        problems: batch::problems(&survey),
    }
}

/// Writes the report as a page for a browser.
fn report(data: &Path, id: JobId, prices: &Prices, folder: &Path) -> Result<String, String> {
    let said = |error: &dyn std::fmt::Display| format!("no report was written: {error}");
    let reader = Reader::open(data).map_err(|error| said(&error))?;
    let report = reader
        .map(|reader| gather(&reader, id, prices, Stamp::now()))
        .transpose()
        .map_err(|error| said(&error))?
        .flatten()
        .ok_or_else(|| format!("job {id} is not in the queue any more"))?;
    let path = report_path(&report.job, Format::Html, folder);
    let place = shown(&path.display().to_string());
    write_report(&report, Format::Html, &Destination::File(path)).map_err(|error| said(&error))?;
    Ok(format!("the report is in {place}"))
}

fn export(data: &Path, id: JobId, to: Option<&Path>) -> Result<String, String> {
    let said = |error: &dyn std::fmt::Display| format!("nothing was written: {error}");
    let reader = Reader::open(data).map_err(|error| said(&error))?;
    let job = reader
        .as_ref()
        .map(|reader| reader.job(id))
        .transpose()
        .map_err(|error| said(&error))?
        .flatten();
    let (Some(reader), Some(job)) = (reader, job) else {
        return Err(format!("job {id} is not in the queue any more"));
    };
    let source = Path::new(&job.source.path);
    if to.is_none() && job.source.path == "-" {
        return Err("it came from standard input: type where to write it".to_owned());
    }
    let answers = to.map_or_else(|| beside(source, "results"), Path::to_path_buf);
    let name = answers.file_name().unwrap_or_default().to_string_lossy();
    let errors = match name.strip_suffix(".results.jsonl") {
        Some(stem) => answers.with_file_name(format!("{stem}.errors.jsonl")),
        None => beside(&answers, "errors"),
    };
    let place = shown(&answers.display().to_string());
    let destination = Destination::File(answers);
    let written = write_results(&reader, &job, &destination, Some(&errors), Order::Input)
        .map_err(|error| said(&error))?;
    let mut parts = vec![format!("{} answers in {place}", count(written.answers))];
    if written.errors > 0 {
        let place = shown(&errors.display().to_string());
        parts.push(format!("{} failures in {place}", count(written.errors)));
    }
    if written.left > 0 {
        parts.push(format!("{} without an end yet", count(written.left)));
    }
    Ok(parts.join(", "))
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::inference::Timeouts;
    use crate::tui::testing_queue::ended;

    const REQUESTS: u64 = 20_000;

    fn desk(data: &Path) -> Desk {
        // Nobody listens there.
        let address = "http://127.0.0.1:9".parse().unwrap();
        let server = Ollama::new(address, Timeouts::default()).unwrap();
        Desk::new(data.into(), server, Readings::default)
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_export_is_whole_when_the_desk_is_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (_store, job) = ended(folder.path(), REQUESTS);
        let answers = folder.path().join("a.results.jsonl");
        let (news, mut heard) = mpsc::channel(16);
        let mut desk = desk(folder.path());
        let to = Some(answers);
        desk.run(Errand::Export { job, to }, None, news);
        desk.close().await;
        let errors = folder.path().join("a.errors.jsonl");
        let errors = std::fs::read_to_string(errors).unwrap();
        assert_eq!(errors.lines().count() as u64, REQUESTS);
        assert!(matches!(
            heard.try_recv(),
            Ok(Msg::News(News::Exported(Ok(_))))
        ));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn whoever_closes_the_desk_waits_until_no_file_is_read_and_nobody_is_asked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long.jsonl");
        std::fs::write(&path, "no request\n".repeat(500_000)).unwrap();
        let (news, mut heard) = mpsc::channel(1);
        let mut desk = desk(folder.path());
        for errand in [
            Errand::Check(path.clone()),
            Errand::Preview(path),
            Errand::List(folder.path().into()),
            Errand::Models,
        ] {
            desk.run(errand, None, news.clone());
        }
        drop(news);
        heard.close();
        desk.close().await;
        while heard.try_recv().is_ok() {}
        let left = heard.try_recv();
        assert!(matches!(left, Err(mpsc::error::TryRecvError::Disconnected)));
    }
}
