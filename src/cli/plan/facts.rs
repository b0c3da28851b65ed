//! What the server knows about a model, as far as a plan needs it.

use super::super::outcome::Trouble;
use super::{WindowFrom, Wish};
use crate::context::{Load, ModelShape, ShapeError};
use crate::inference::{Server, is_same_model};
use crate::model::{Failure, FailureClass, LoadedModel, Readings};

/// An overhead above this is no overhead: something else is in the figure.
const MOST_OVERHEAD: u64 = 8 << 30;

/// What was asked.
#[derive(Debug)]
pub(super) struct Facts {
    pub(super) model: String,
    pub(super) shape: Result<ModelShape, ShapeError>,
    /// Bytes of its files.
    pub(super) weights: Option<u64>,
    /// The window that the model itself asks for.
    pub(super) num_ctx: Option<u64>,
    /// Every model in the server's memory.
    pub(super) loaded: Vec<LoadedModel>,
}

impl Facts {
    pub(super) async fn ask(server: &impl Server, model: &str) -> Result<Self, Trouble> {
        let mut details = server.show(model, false).await.map_err(no_model)?;
        let mut shape = ModelShape::of(&details.model_info);
        if shape.as_ref().is_err_and(ShapeError::is_left_out) {
            details = server.show(model, true).await.map_err(no_model)?;
            shape = ModelShape::of(&details.model_info);
        }
        // The plan is worth having without these two.
        let installed = server.installed().await.unwrap_or_default();
        let loaded = server.loaded().await.unwrap_or_default();
        let same = installed.iter().find(|it| is_same_model(&it.name, model));
        Ok(Self {
            model: model.to_owned(),
            shape,
            weights: same.and_then(|model| model.size),
            num_ctx: details.num_ctx,
            loaded,
        })
    }

    fn own(&self) -> Option<&LoadedModel> {
        let mut loaded = self.loaded.iter();
        loaded.find(|loaded| is_same_model(&loaded.name, &self.model))
    }

    /// The window of a slot and where it comes from.
    pub(super) fn window(&self, wish: &Wish, readings: &Readings) -> (u64, WindowFrom) {
        if let Some(asked) = wish.window {
            return (self.capped(asked), WindowFrom::Asked);
        }
        if let Some(window) = self.own().and_then(|loaded| loaded.window) {
            return (window.0, WindowFrom::Loaded);
        }
        if let Some(own) = self.num_ctx {
            return (self.capped(own), WindowFrom::Modelfile);
        }
        let (usual, from) = usual(readings);
        (self.capped(usual), from)
    }

    /// Ollama 0.33 gives no more than the model was trained for.
    fn capped(&self, window: u64) -> u64 {
        let trained = self.shape.as_ref().ok().and_then(|it| it.trained_window);
        window.min(trained.unwrap_or(u64::MAX))
    }

    /// What computing needs, if the model is loaded: its size less its weights and its cache. The
    /// slots are taken as asked for, because the server does not tell them.
    pub(super) fn overhead(&self, wish: &Wish) -> Option<u64> {
        let own = self.own()?;
        let load = Load {
            slots: wish.slots,
            cache: wish.cache,
            ..Load::of(own.window?.0)
        };
        let cache = self.shape.as_ref().ok()?.cache_bytes(&load);
        let known = self.weights?.checked_add(cache)?;
        let rest = own.size?.checked_sub(known);
        rest.filter(|rest| *rest <= MOST_OVERHEAD)
    }
}

/// Ollama 0.33's window where nobody asks for one, by the memory of all cards. The server's
/// `OLLAMA_CONTEXT_LENGTH` would go before it, but cannot be asked.
fn usual(readings: &Readings) -> (u64, WindowFrom) {
    const GIB: u64 = 1 << 30;
    const LEAST: u64 = 4_096;
    let memory = readings.cards.iter().filter_map(|card| card.memory);
    let total = memory
        .map(|memory| memory.total)
        .reduce(u64::saturating_add);
    match total {
        None => (LEAST, WindowFrom::Assumed),
        Some(total) if total >= 47 * GIB => (262_144, WindowFrom::CardMemory),
        Some(total) if total >= 23 * GIB => (32_768, WindowFrom::CardMemory),
        Some(_) => (LEAST, WindowFrom::CardMemory),
    }
}

fn no_model(failure: Failure) -> Trouble {
    let hint = match failure.class {
        FailureClass::ModelMissing => "`ollama pull MODEL` fetches it",
        _ => "`batchtop doctor` says what is well and what is not",
    };
    Trouble::new(failure.message, hint)
}
