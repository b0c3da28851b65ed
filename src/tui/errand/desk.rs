//! Runs errands: blocking work on threads for it, everything else as tasks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc::Sender;

use super::{Errand, News, batch, folder};
use crate::base::{count, shown};
use crate::engine::{Admit, AdmitError, Handle};
use crate::inference::{Ollama, Server};
use crate::model::JobId;
use crate::report::{Destination, beside, write_results};
use crate::store::{Order, Reader};
use crate::tui::msg::Msg;

/// What errands need.
#[derive(Debug)]
pub struct Desk {
    data: PathBuf,
    server: Ollama,
    reading: HashMap<PathBuf, Arc<AtomicBool>>,
}

impl Desk {
    /// A desk over the data folder and the server.
    pub fn new(data: PathBuf, server: Ollama) -> Self {
        Self {
            data,
            server,
            reading: HashMap::new(),
        }
    }

    /// Starts an errand; what comes of it is sent.
    pub(in crate::tui) fn run(&mut self, errand: Errand, handle: &Handle, news: Sender<Msg>) {
        match errand {
            Errand::List(folder) => blocking(news, move |_| {
                let listing = folder::list(&folder);
                Some(News::Listed { folder, listing })
            }),
            Errand::Preview(path) => blocking(news, move |_| {
                let lines = folder::preview(&path);
                Some(News::Previewed { path, lines })
            }),
            Errand::Check(path) => self.check(path, news),
            Errand::Leave(path) => self.leave(&path),
            Errand::Models => self.models(news),
            Errand::Enqueue(admit) => enqueue(*admit, handle.clone(), news),
            Errand::Export { job, to } => {
                let data = self.data.clone();
                blocking(news, move |_| {
                    Some(News::Exported(export(&data, job, to.as_deref())))
                });
            }
        }
    }

    fn check(&mut self, path: PathBuf, news: Sender<Msg>) {
        self.leave(&path);
        let is_left = Arc::new(AtomicBool::new(false));
        self.reading.insert(path.clone(), Arc::clone(&is_left));
        blocking(news, move |news| {
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

    fn leave(&mut self, path: &Path) {
        if let Some(is_left) = self.reading.remove(path) {
            is_left.store(true, Ordering::Relaxed);
        }
    }

    fn models(&self, news: Sender<Msg>) {
        let server = self.server.clone();
        tokio::spawn(async move {
            // Without a list one takes the file's own model.
            if let Ok(installed) = server.installed().await {
                let names = installed.into_iter().map(|model| model.name).collect();
                let _ = news.send(Msg::News(News::Models(names))).await;
            }
        });
    }
}

fn blocking(news: Sender<Msg>, work: impl FnOnce(&Sender<Msg>) -> Option<News> + Send + 'static) {
    tokio::task::spawn_blocking(move || {
        if let Some(done) = work(&news) {
            // A screen that was left does not wait for it.
            let _ = news.blocking_send(Msg::News(done));
        }
    });
}

fn enqueue(admit: Admit, handle: Handle, news: Sender<Msg>) {
    tokio::spawn(async move {
        let path = admit.path.clone();
        let result = match handle.admit(admit).await {
            Ok(admitted) => Ok(format!(
                "job {}: {} ({} requests) is in the queue",
                admitted.job.id,
                shown(&admitted.job.name),
                count(admitted.job.counts.total)
            )),
            Err(AdmitError::Problems(survey)) => Err(format!(
                "not enqueued: {} problems in the file",
                count(survey.problem_count())
            )),
            Err(error) => Err(format!("not enqueued: {error}")),
        };
        let _ = news.send(Msg::News(News::Enqueued { path, result })).await;
    });
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
