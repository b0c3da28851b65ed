//! A server whose calls are timed.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use batchtop::inference::{Call, InstalledModel, ModelDetails, Ollama, Progress, Server, Warmth};
use batchtop::model::{Answer, Failure as Failed, LoadOptions, LoadedModel};

use super::now;

/// One call.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
}

/// A server whose calls are timed.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    server: Ollama,
    calls: Arc<Mutex<Vec<Watch>>>,
}

impl Watched {
    /// Times the calls of this one.
    pub(crate) fn over(server: Ollama) -> Self {
        Self {
            server,
            calls: Arc::default(),
        }
    }

    /// What was noted, in the order in which the calls ended.
    pub(crate) fn taken(&self) -> Vec<Watch> {
        std::mem::take(&mut *self.calls())
    }

    fn calls(&self) -> MutexGuard<'_, Vec<Watch>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Server for Watched {
    async fn answer(&self, call: Call, progress: Progress) -> Result<Answer, Failed> {
        let began = now();
        let answer = self.server.answer(call, progress).await?;
        self.calls().push(Watch {
            began,
            ended: now(),
        });
        Ok(answer)
    }

    async fn warm(&self, load: &LoadOptions) -> Result<Warmth, Failed> {
        self.server.warm(load).await
    }

    async fn release(&self, load: &LoadOptions) -> Result<(), Failed> {
        self.server.release(load).await
    }

    async fn version(&self) -> Result<String, Failed> {
        self.server.version().await
    }

    async fn installed(&self) -> Result<Vec<InstalledModel>, Failed> {
        self.server.installed().await
    }

    async fn loaded(&self) -> Result<Vec<LoadedModel>, Failed> {
        self.server.loaded().await
    }

    async fn show(&self, model: &str, verbose: bool) -> Result<ModelDetails, Failed> {
        self.server.show(model, verbose).await
    }

    fn address(&self) -> String {
        self.server.address()
    }
}
