//! The things that are waited for: answers, loads, probes. Each is a task that ends with a value;
//! none of them owns any truth.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::{AbortHandle, Id, JoinSet};

use super::core::{SendId, Sending, Warmed};
use super::facts::ask_facts;
use super::phases::Slots;
use super::tail::Tail;
use crate::context::ModelFacts;
use crate::inference::{
    Call, Heard, InstalledModel, Progress, Server, TimeLimits, is_same_model, nearest,
};
use crate::model::{
    Answer, Failure, FailureClass, LaneView, LoadOptions, LoadedModel, Phase, RELOAD, RequestId,
    Tokens, WatchedAnswer,
};

/// Installed models named in a message at most.
const NAMES_SHOWN: usize = 12;

/// How a task ended.
#[derive(Debug)]
pub(super) enum Ended {
    Answer(RequestId, SendId, Result<Box<Answer>, Failure>),
    Looked(LoadOptions, Result<Box<ModelFacts>, Failure>),
    Warm(LoadOptions, Result<Warmed, Failure>),
    Probe(Result<String, Failure>),
    Loaded(Vec<LoadedModel>),
    /// It was aborted, or what it would have told is not needed.
    Nothing,
}

/// The tasks under way.
#[derive(Debug)]
pub(super) struct Tasks<S> {
    server: S,
    set: JoinSet<Ended>,
    lanes: HashMap<RequestId, Lane>,
    answering: HashMap<Id, (RequestId, SendId)>,
    warming: Option<(AbortHandle, LoadOptions)>,
    slots: Slots,
    watched: Option<(RequestId, Arc<Written>)>,
}

#[derive(Debug)]
struct Lane {
    abort: AbortHandle,
    written: Arc<Written>,
}

/// What has come of an answer so far.
#[derive(Debug, Default)]
struct Written {
    /// Pieces; 0 until the server begins to answer.
    chunks: AtomicU64,
    /// The last of them, so that whoever begins to watch sees what came before.
    tail: Mutex<Tail>,
}

/// How long answers may be waited for, whatever the job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    pub(super) first_byte: Duration,
    pub(super) idle: Duration,
}

impl<S: Server> Tasks<S> {
    pub(super) fn new(server: S) -> Self {
        Self {
            server,
            set: JoinSet::new(),
            lanes: HashMap::new(),
            answering: HashMap::new(),
            warming: None,
            slots: Slots::default(),
            watched: None,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.is_empty()
    }

    /// Whether an answer or a load is under way.
    pub(super) fn is_working(&self) -> bool {
        !self.lanes.is_empty() || self.warming.is_some()
    }

    pub(super) fn send(&mut self, sending: Sending, patience: Patience) {
        let Sending {
            id,
            request,
            messages,
            load,
            settings,
            nudge,
            ..
        } = sending;
        let written = Arc::new(Written::default());
        let heard = Arc::clone(&written);
        let progress = Progress::new(move |heard_now: Heard<'_>| heard.heard(heard_now));
        let call = Call {
            endpoint: request.endpoint,
            body: Arc::clone(&request.body),
            messages,
            load,
            max_tokens: settings.max_tokens,
            limits: TimeLimits {
                first_byte: patience.first_byte,
                idle: patience.idle,
                whole: settings.timeout,
            },
            nudge,
        };
        let (server, row) = (self.server.clone(), request.id);
        let abort = self.set.spawn(async move {
            Ended::Answer(row, id, server.answer(call, progress).await.map(Box::new))
        });
        self.answering.insert(abort.id(), (row, id));
        self.lanes.insert(row, Lane { abort, written });
    }

    pub(super) fn abort(&mut self, request: RequestId) {
        if let Some(lane) = self.lanes.remove(&request) {
            lane.abort.abort();
        }
    }

    /// Asks about a model that is to be loaded. It is the first part of loading: what stops loading
    /// stops it, too.
    pub(super) fn look(&mut self, load: LoadOptions) {
        let (server, options) = (self.server.clone(), load.clone());
        let abort = self.set.spawn(async move {
            let facts = ask_facts(&server, &options.model).await;
            Ended::Looked(options, facts.map(Box::new))
        });
        self.warming = Some((abort, load));
    }

    pub(super) fn warm(&mut self, load: LoadOptions, needed: Vec<String>) {
        let (server, options) = (self.server.clone(), load.clone());
        let abort = self.set.spawn(async move {
            let result = warm(&server, &options, &needed).await;
            Ended::Warm(options, result)
        });
        self.warming = Some((abort, load));
    }

    pub(super) fn abort_warm(&mut self) {
        if let Some((abort, _)) = self.warming.take() {
            abort.abort();
        }
    }

    pub(super) fn probe(&mut self) {
        let server = self.server.clone();
        self.spawn(async move { Ended::Probe(server.version().await) });
    }

    /// Asks what the server holds in memory; only for show, so that a failure tells nothing.
    pub(super) fn ask_loaded(&mut self) {
        let server = self.server.clone();
        self.spawn(async move { server.loaded().await.map_or(Ended::Nothing, Ended::Loaded) });
    }

    fn spawn(&mut self, task: impl Future<Output = Ended> + Send + 'static) {
        self.set.spawn(task);
    }

    /// Waits for the next task to end. Never ends while there is none: ask [`Self::is_empty`].
    pub(super) async fn next(&mut self) -> Ended {
        let Some(joined) = self.set.join_next_with_id().await else {
            return Ended::Nothing;
        };
        let (task, ended) = match joined {
            Ok((task, ended)) => (task, Some(ended)),
            Err(error) => (error.id(), None),
        };
        let answered = self.answering.remove(&task);
        if let Some((request, _)) = answered
            && self
                .lanes
                .get(&request)
                .is_some_and(|lane| lane.abort.id() == task)
        {
            self.lanes.remove(&request);
        }
        let warmed = self.warming.take_if(|(abort, _)| abort.id() == task);
        ended.unwrap_or_else(|| match (answered, warmed) {
            // A task that panicked is a failed request, not a failed run. For an aborted one
            // nobody waits any more.
            (Some((request, send)), _) => Ended::Answer(request, send, Err(panicked())),
            (None, Some((_, load))) => Ended::Warm(load, Err(panicked())),
            (None, None) => Ended::Nothing,
        })
    }

    /// Adds to lanes what their answers have shown so far. `load` is what the server has loaded.
    pub(super) fn fill_in(&mut self, lanes: &mut [LaneView], load: Option<&LoadOptions>) {
        for view in lanes.iter_mut().filter(|view| view.phase == Phase::Waiting) {
            let Some(lane) = self.lanes.get(&view.request) else {
                continue;
            };
            view.chunks = lane.written.chunks.load(Ordering::Relaxed);
            if view.chunks > 0 {
                view.phase = Phase::Answering;
            }
        }
        self.slots.settle(lanes, load);
    }

    /// What has come of the answer of this request, from now on until another one is asked for.
    pub(super) fn watched(&mut self, request: Option<RequestId>) -> Option<WatchedAnswer> {
        let request = request?;
        let lane = self.lanes.get(&request);
        if let Some(lane) = lane {
            self.watched = Some((request, Arc::clone(&lane.written)));
        }
        let is_open = lane.is_some();
        self.watched.take_if(|(held, _)| *held != request);
        let (_, written) = self.watched.as_ref()?;
        let tail = written.tail.lock().unwrap_or_else(PoisonError::into_inner);
        Some(WatchedAnswer {
            request,
            text: tail.text().to_owned(),
            dropped: tail.dropped(),
            is_thinking: tail.is_thinking(),
            is_open,
        })
    }

    /// Ends everything; gives the server back.
    pub(super) async fn shut_down(mut self) -> S {
        self.set.shutdown().await;
        self.server
    }
}

impl Written {
    fn heard(&self, heard: Heard<'_>) {
        if let Heard::Chunk { text, thinking } = heard {
            self.chunks.fetch_add(1, Ordering::Relaxed);
            let mut tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
            tail.push(text, thinking);
        }
    }
}

fn panicked() -> Failure {
    Failure::new(
        FailureClass::BadReply,
        "reading the answer failed in an unforeseen way",
    )
}

/// Asks the server for all of these models.
///
/// # Errors
/// [`FailureClass::ModelMissing`] for the first that it does not have, with those that it has and
/// the one that was probably meant; else what went wrong with asking.
pub async fn check_installed<S: Server>(server: &S, needed: &[String]) -> Result<(), Failure> {
    let installed = server.installed().await?;
    let is_there = |name: &&String| installed.iter().any(|it| is_same_model(&it.name, name));
    match needed.iter().find(|name| !is_there(name)) {
        Some(name) => Err(missing(name, &installed)),
        None => Ok(()),
    }
}

async fn warm<S: Server>(
    server: &S,
    options: &LoadOptions,
    needed: &[String],
) -> Result<Warmed, Failure> {
    let installed = server.installed().await?;
    let found = |name: &str| installed.iter().find(|it| is_same_model(&it.name, name));
    if let Some(name) = needed.iter().find(|name| found(name).is_none()) {
        return Err(missing(name, &installed));
    }
    // What a profile wants to know is an extra: not to know it is no failure.
    let before = server.loaded().await.unwrap_or_default();
    let warmth = server.warm(options).await?;
    let model = found(&options.model);
    Ok(Warmed {
        took: warmth.took,
        digest: model.and_then(|model| model.digest.clone()),
        is_fresh: warmth.took > RELOAD || !before.iter().any(|it| serves(it, options)),
        loaded: warmth.loaded,
    })
}

/// Whether a model in the server's memory is the one that is wanted, as it is wanted.
fn serves(loaded: &LoadedModel, options: &LoadOptions) -> bool {
    let window = options.num_ctx.map(|window| Tokens(window.into()));
    is_same_model(&loaded.name, &options.model) && (window.is_none() || loaded.window == window)
}

/// The failure of a model that is not installed: what there is instead, and what may be meant.
pub(super) fn missing(name: &str, installed: &[InstalledModel]) -> Failure {
    if name.is_empty() {
        let message = "no model is named: neither the lines nor --model give one";
        return Failure::new(FailureClass::ModelMissing, message);
    }
    let names: Vec<&str> = installed.iter().map(|model| model.name.as_str()).collect();
    let listed = match names.len() {
        0 => "it has none".to_owned(),
        n if n > NAMES_SHOWN => {
            let shown = names
                .iter()
                .take(NAMES_SHOWN)
                .copied()
                .collect::<Vec<_>>()
                .join(", ");
            format!("it has {shown} and {} more", n - NAMES_SHOWN)
        }
        _ => format!("it has {}", names.join(", ")),
    };
    let suggestion =
        nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
    let message = format!(
        "the server does not have the model `{name}`: {listed}{}",
        suggestion.unwrap_or_else(|| format!("; `ollama pull {name}` fetches it"))
    );
    Failure::new(FailureClass::ModelMissing, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(name: &str) -> InstalledModel {
        InstalledModel {
            name: name.into(),
            digest: None,
            size: None,
            parameters: None,
            quantization: None,
            trained_window: None,
            capabilities: Vec::new(),
        }
    }

    #[test]
    fn a_missing_model_is_told_with_what_there_is() {
        let failure = missing("gema3:12b", &[model("gemma3:12b"), model("llama3:8b")]);
        assert!(
            failure.message.contains("gemma3:12b, llama3:8b"),
            "{failure}"
        );
        assert!(
            failure.message.contains("did you mean `gemma3:12b`?"),
            "{failure}"
        );
        assert!(missing("x", &[]).message.contains("it has none"));
        assert!(missing("", &[]).message.contains("--model"));
    }
}
