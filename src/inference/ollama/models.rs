//! What the server says about itself: its version, its models on disk and in memory.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::super::{InstalledModel, ModelDetails};
use crate::model::{Failure, FailureClass, LoadedModel, Tokens};

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// A server without models may say `null` for the list.
#[derive(Deserialize)]
struct Models<T> {
    models: Option<Vec<T>>,
}

#[derive(Deserialize)]
struct Installed {
    name: String,
    digest: Option<String>,
    size: Option<u64>,
    details: Option<Details>,
    capabilities: Option<Vec<String>>,
}

#[derive(Deserialize, Default)]
struct Details {
    parameter_size: Option<String>,
    quantization_level: Option<String>,
    context_length: Option<u64>,
}

#[derive(Deserialize)]
struct Loaded {
    name: String,
    #[serde(default)]
    digest: String,
    details: Option<Details>,
    size: Option<u64>,
    size_vram: Option<u64>,
    context_length: Option<u64>,
    expires_at: Option<String>,
}

#[derive(Deserialize)]
struct Shown {
    model_info: Option<Map<String, Value>>,
    parameters: Option<String>,
    capabilities: Option<Vec<String>>,
}

/// Reads `/api/version`.
pub(super) fn version(body: &[u8]) -> Result<String, Failure> {
    parsed::<Version>("/api/version", body).map(|answer| answer.version)
}

/// Reads `/api/tags`.
pub(super) fn installed(body: &[u8]) -> Result<Vec<InstalledModel>, Failure> {
    let list: Models<Installed> = parsed("/api/tags", body)?;
    let models = list.models.unwrap_or_default().into_iter();
    Ok(models.map(InstalledModel::from).collect())
}

/// Reads `/api/ps`.
pub(super) fn loaded(body: &[u8]) -> Result<Vec<LoadedModel>, Failure> {
    let list: Models<Loaded> = parsed("/api/ps", body)?;
    let models = list.models.unwrap_or_default().into_iter();
    Ok(models.map(LoadedModel::from).collect())
}

/// The question to `/api/show`.
pub(super) fn show_request(model: &str, verbose: bool) -> String {
    json!({ "model": model, "verbose": verbose }).to_string()
}

/// Reads `/api/show`. What it says about the tokenizer is megabytes that nobody needs.
pub(super) fn details(body: &[u8]) -> Result<ModelDetails, Failure> {
    let shown: Shown = parsed("/api/show", body)?;
    let mut model_info = shown.model_info.unwrap_or_default();
    model_info.retain(|key, _| !key.starts_with("tokenizer."));
    Ok(ModelDetails {
        model_info,
        num_ctx: shown.parameters.as_deref().and_then(num_ctx),
        capabilities: shown.capabilities.unwrap_or_default(),
    })
}

/// The window in the parameters of a Modelfile: a line each, name and value. The last one counts.
fn num_ctx(parameters: &str) -> Option<u64> {
    let mut values = parameters.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        (words.next() == Some("num_ctx")).then(|| words.next()?.parse().ok())
    });
    values.next_back().flatten()
}

fn parsed<T: DeserializeOwned>(path: &str, body: &[u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        Failure::new(
            FailureClass::BadReply,
            format!("the answer of `{path}` is not Ollama's: {error}"),
        )
    })
}

impl From<Installed> for InstalledModel {
    fn from(model: Installed) -> Self {
        let details = model.details.unwrap_or_default();
        Self {
            name: model.name,
            digest: model.digest,
            size: model.size,
            parameters: details.parameter_size,
            quantization: details.quantization_level,
            trained_window: details.context_length,
            capabilities: model.capabilities.unwrap_or_default(),
        }
    }
}

impl From<Loaded> for LoadedModel {
    fn from(model: Loaded) -> Self {
        Self {
            name: model.name,
            digest: model.digest,
            quantization: model.details.and_then(|details| details.quantization_level),
            size: model.size,
            size_vram: model.size_vram,
            window: model.context_length.map(Tokens),
            expires: model.expires_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(name: &str) -> Vec<u8> {
        let path = format!(
            "{}/tests/data/ollama/{name}.json",
            env!("CARGO_MANIFEST_DIR")
        );
        let exchange: Value =
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        exchange["response"]["body"].as_str().unwrap().into()
    }

    #[test]
    fn recorded_answers_are_read() {
        assert_eq!(version(&recorded("version")).unwrap(), "0.33.0-rc2");
        let installed = installed(&recorded("tags")).unwrap();
        assert_eq!(installed[0].name, "g3n:latest");
        assert_eq!(installed[0].size, Some(253_113_436));
        assert_eq!(installed[0].trained_window, Some(32_768));
        assert_eq!(installed[0].capabilities, ["completion"]);
        let loaded = loaded(&recorded("ps-native")).unwrap();
        assert_eq!(loaded.len(), 2);
        assert_eq!(loaded[0].window, Some(Tokens(1024)));
        assert_eq!(loaded[0].size_vram, Some(0));
    }

    #[test]
    fn what_older_servers_leave_out_is_unknown() {
        let list = br#"{"models":[{"name":"old","details":null}]}"#;
        assert_eq!(installed(list).unwrap()[0].trained_window, None);
        assert_eq!(loaded(list).unwrap()[0].window, None);
        assert!(loaded(br#"{"models":null}"#).unwrap().is_empty());
    }

    #[test]
    fn a_model_is_shown_without_its_tokenizer() {
        let details = details(&recorded("show-native")).unwrap();
        assert_eq!(details.model_info["gemma3.block_count"], 18);
        assert!(details.model_info["general.tags"].is_null());
        assert!(!details.model_info.contains_key("tokenizer.ggml.model"));
        assert_eq!(details.num_ctx, None);
    }

    #[test]
    fn a_model_may_ask_for_its_own_window() {
        let body = json!({"parameters": "stop \"num_ctx 7\"\nnum_ctx    8192\ntop_k 5"});
        let details = details(body.to_string().as_bytes()).unwrap();
        assert_eq!(details.num_ctx, Some(8_192));
        assert!(details.model_info.is_empty());
    }

    #[test]
    fn another_server_is_noticed() {
        let failure = version(b"<html>").unwrap_err();
        assert_eq!(failure.class, FailureClass::BadReply);
        assert!(failure.message.contains("/api/version"));
    }
}
