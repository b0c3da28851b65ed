//! Asking the server what a plan needs to know about a model.

use crate::context::{ModelFacts, ModelShape, ShapeError};
use crate::inference::{Server, is_same_model};
use crate::model::Failure;

/// What the server knows about the model and what it holds in memory. Takes up to four short
/// questions.
///
/// # Errors
/// Why the model cannot be asked about: the server does not have it, or does not answer.
pub async fn ask_facts<S: Server>(server: &S, model: &str) -> Result<ModelFacts, Failure> {
    let mut details = server.show(model, false).await?;
    let mut shape = ModelShape::of(&details.model_info);
    if shape.as_ref().is_err_and(ShapeError::is_left_out) {
        details = server.show(model, true).await?;
        shape = ModelShape::of(&details.model_info);
    }
    // The plan is worth having without these two.
    let installed = server.installed().await.unwrap_or_default();
    let loaded = server.loaded().await.unwrap_or_default();
    let same = installed.iter().find(|it| is_same_model(&it.name, model));
    let held = loaded.iter().filter_map(|one| one.size_vram);
    let held = held.fold(0, u64::saturating_add);
    let own = loaded.into_iter().find(|it| is_same_model(&it.name, model));
    Ok(ModelFacts {
        model: model.to_owned(),
        shape,
        weights: same.and_then(|model| model.size),
        num_ctx: details.num_ctx,
        own,
        held,
        learnt: None,
    })
}
