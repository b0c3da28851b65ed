//! The servers that answer: one trait for what the engine needs of them, and the client for
//! Ollama.
//!
//! A [`Server`] takes requests in OpenAI's form and gives back an [`Answer`] only when the server
//! said that it is complete; everything else is a [`Failure`] with its class.

mod nearest;
mod ollama;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

pub use nearest::{is_same_model, nearest};
pub use ollama::{Address, AddressError, Ollama, OllamaError, Timeouts, read_answer};

use crate::model::{Answer, Endpoint, Failure, LoadOptions, LoadedModel};

/// A server that answers requests. Clones share their connections and cost next to nothing.
pub trait Server: Clone + Send + Sync + 'static {
    /// Sends one request and reads the whole answer. Dropping the future closes the connection,
    /// which is how a server is told to stop.
    fn answer(
        &self,
        call: Call,
        progress: Progress,
    ) -> impl Future<Output = Result<Answer, Failure>> + Send;

    /// Loads the model and keeps it loaded. It may take minutes, and giving up early would make
    /// the server give up too.
    fn warm(&self, load: &LoadOptions) -> impl Future<Output = Result<Warmth, Failure>> + Send;

    /// Lets a loaded model go as the server usually does, some minutes after its last request.
    /// Without this, a model that was kept for ever would hold its memory after we have gone.
    fn release(&self, load: &LoadOptions) -> impl Future<Output = Result<(), Failure>> + Send;

    /// The server's version. Also the question by which a server is found to be up.
    fn version(&self) -> impl Future<Output = Result<String, Failure>> + Send;

    /// The models that the server could load.
    fn installed(&self) -> impl Future<Output = Result<Vec<InstalledModel>, Failure>> + Send;

    /// The models that the server holds in memory. One that is still being loaded is not listed.
    fn loaded(&self) -> impl Future<Output = Result<Vec<LoadedModel>, Failure>> + Send;

    /// What the server knows about one model. With `verbose` it sends the long lists, too, which
    /// take megabytes.
    fn show(
        &self,
        model: &str,
        verbose: bool,
    ) -> impl Future<Output = Result<ModelDetails, Failure>> + Send;

    /// Where the server is, without user or password.
    fn address(&self) -> String;
}

/// One request on its way to a server.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it asks for.
    pub endpoint: Endpoint,
    /// The body in OpenAI's form, exactly as the batch file has it.
    pub body: Arc<str>,
    /// The messages of a chat to send instead of those in the body, each as JSON in OpenAI's form.
    pub messages: Option<Vec<Arc<str>>>,
    /// The model and how it is loaded: the same for every call of a (job, model).
    pub load: LoadOptions,
    /// Cap of the answer in tokens, where the body gives none.
    pub max_tokens: u32,
    /// How long it may take.
    pub limits: TimeLimits,
    /// Above 0 after the server stopped an answer because it repeated itself: the seed is moved by
    /// so much and repeating is made a little harder.
    pub nudge: u32,
}

/// How long a request may take. Whichever is reached first ends it as a
/// [`Timeout`](crate::model::FailureClass::Timeout) that names the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Until the first byte. Ollama 0.33 sends nothing, not even headers, before the first token:
    /// waiting for a slot, loading the model and reading the prompt are all in here.
    pub first_byte: Duration,
    /// Between two pieces of the answer.
    pub idle: Duration,
    /// For everything.
    pub whole: Duration,
}

/// What is heard of an answer while it is being written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard<'a> {
    /// The server began to answer.
    Began,
    /// A piece of the answer, about one token.
    Chunk {
        /// Its text.
        text: &'a str,
        /// Whether it is thinking rather than the answer itself.
        thinking: bool,
    },
}

/// Who is told of every chunk. The listener runs on the task that reads the answer: it must take
/// constant time and never block.
#[derive(Clone)]
pub struct Progress(Option<Arc<Listener>>);

type Listener = dyn Fn(Heard<'_>) + Send + Sync;

impl Progress {
    /// Tells this listener.
    pub fn new(listener: impl Fn(Heard<'_>) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(listener)))
    }

    /// Tells nobody.
    pub const fn silent() -> Self {
        Self(None)
    }

    /// Passes on what was heard. For implementations of [`Server`].
    pub fn tell(&self, heard: Heard<'_>) {
        if let Some(listener) = &self.0 {
            listener(heard);
        }
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Progress(heard: {})", self.0.is_some())
    }
}

/// A model that was loaded on request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warmth {
    /// How long the server took.
    pub took: Duration,
    /// What the server says about it; `None` where it lists no model of that name (models that
    /// share their weights are listed under the name that was loaded first).
    pub loaded: Option<LoadedModel>,
}

/// A model that the server has on its disk. What the server leaves out is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledModel {
    /// Its name with its tag.
    pub name: String,
    /// Hash of its manifest.
    pub digest: Option<String>,
    /// Bytes on disk.
    pub size: Option<u64>,
    /// Parameters, as the server words it: `268.10M`.
    pub parameters: Option<String>,
    /// Quantisation, as the server words it: `Q4_K_M`.
    pub quantization: Option<String>,
    /// The longest context that the model was trained for, in tokens.
    pub trained_window: Option<u64>,
    /// What it can do (`completion`, `embedding`, `tools`, `thinking`, `vision`, …); empty where
    /// the server does not say.
    pub capabilities: Vec<String>,
}

/// What the server knows about a model's inside.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ModelDetails {
    /// The keys of its file without those of the tokenizer. A list that the server keeps back is
    /// `null`.
    pub model_info: Map<String, Value>,
    /// The window that the model itself asks for (`PARAMETER num_ctx` of its Modelfile).
    pub num_ctx: Option<u64>,
    /// What it can do; empty where the server does not say.
    pub capabilities: Vec<String>,
}
