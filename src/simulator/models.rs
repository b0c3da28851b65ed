//! The models of a simulated server: names, sizes, abilities.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::script::{Answers, ScriptError, check, check_rate};

/// One model as a script describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ModelScript {
    /// Name with or without tag; `latest` is meant without.
    pub name: String,
    /// Who renders the prompt: decides how overflows and bad formats are answered.
    pub path: PromptPath,
    /// Models that name the same blob share weights and so one runner. The model's own name
    /// where absent.
    pub blob: Option<String>,
    /// `details.parent_model`.
    pub parent: String,
    /// `details.family`, which is also the prefix of the keys in `model_info`.
    pub family: String,
    /// `details.parameter_size`, such as `12.2B`.
    pub parameter_size: String,
    /// `details.quantization_level`.
    pub quantization: String,
    /// Bytes on disk.
    pub size: u64,
    /// Bytes that a loaded model takes beyond those on disk, whatever its context.
    pub overhead: u64,
    /// Bytes for each token of each slot's context window.
    pub bytes_per_token: u64,
    /// Share of the loaded model in video memory, 0 to 1.
    pub vram_share: f64,
    /// Hex SHA-256 of the manifest; made from the name where absent.
    pub digest: Option<String>,
    /// When it was pulled, RFC 3339.
    pub modified_at: String,
    /// `template` of `/api/show`; the usual one of the path where absent.
    pub template: Option<String>,
    /// The Modelfile's SYSTEM text.
    pub system: String,
    /// `license` of `/api/show`.
    pub license: String,
    /// What it can do.
    pub capabilities: Vec<Capability>,
    /// Context window it was trained with.
    pub context_length: u64,
    /// Length of its embeddings.
    pub embedding_length: u64,
    /// The Modelfile's `PARAMETER num_ctx`.
    pub num_ctx: Option<u64>,
    /// Attention window in tokens, for models that have one.
    pub sliding_window: Option<u64>,
    /// Keys of `model_info` beside the usual ones.
    pub model_info: Map<String, Value>,
    /// What this model answers, where it is not what all do.
    pub answers: Option<Answers>,
    /// This model's own `load_ms`.
    pub load_ms: Option<u64>,
    /// This model's own `prefill_rate`.
    pub prefill_rate: Option<f64>,
    /// This model's own `decode_rate`.
    pub decode_rate: Option<f64>,
}

impl Default for ModelScript {
    fn default() -> Self {
        Self {
            name: "simulated:latest".to_owned(),
            path: PromptPath::Rendered,
            blob: None,
            parent: String::new(),
            family: "llama".to_owned(),
            parameter_size: "8.0B".to_owned(),
            quantization: "Q4_K_M".to_owned(),
            size: 4_900_000_000,
            overhead: 600_000_000,
            bytes_per_token: 131_072,
            vram_share: 1.0,
            digest: None,
            modified_at: "2026-11-20T08:15:30.480029607Z".to_owned(),
            template: None,
            system: String::new(),
            license: String::new(),
            capabilities: vec![Capability::Completion],
            context_length: 131_072,
            embedding_length: 4096,
            num_ctx: None,
            sliding_window: None,
            model_info: Map::new(),
            answers: None,
            load_ms: None,
            prefill_rate: None,
            decode_rate: None,
        }
    }
}

/// Which of Ollama's two ways a prompt takes to the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PromptPath {
    /// Ollama renders it with a Go template: usual for models of its library.
    Rendered,
    /// llama-server renders it with the model's own Jinja template: usual for imported models.
    Native,
}

/// What a model can do, in the words of `/api/tags`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Capability {
    /// Answer in text.
    Completion,
    /// Call tools.
    Tools,
    /// Fill in between two texts.
    Insert,
    /// See images. Its context never shifts.
    Vision,
    /// Turn text into vectors, and nothing else.
    Embedding,
    /// Think before it answers.
    Thinking,
    /// Hear.
    Audio,
}

impl ModelScript {
    pub(super) fn check(&self) -> Result<(), ScriptError> {
        check(
            "models.name",
            &self.name,
            canonical(&self.name).is_some(),
            "`name` or `name:tag`",
        )?;
        let share = self.vram_share;
        check(
            "models.vram_share",
            &share,
            (0.0..=1.0).contains(&share),
            "0 to 1",
        )?;
        check_rate("models.prefill_rate", self.prefill_rate)?;
        check_rate("models.decode_rate", self.decode_rate)?;
        self.answers.as_ref().map_or(Ok(()), Answers::check)
    }

    /// Whether it can do this.
    pub(super) fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// `name:tag`.
    pub(super) fn full_name(&self) -> String {
        canonical(&self.name).unwrap_or_else(|| self.name.clone())
    }

    /// What tells runners apart.
    pub(super) fn runner_key(&self) -> String {
        self.blob.clone().unwrap_or_else(|| self.full_name())
    }

    pub(super) fn digest(&self) -> String {
        self.digest
            .clone()
            .unwrap_or_else(|| blake3::hash(self.name.as_bytes()).to_hex().to_string())
    }

    /// Bytes of the loaded model, and those of them in video memory of so many bytes.
    pub(super) fn loaded_size(&self, num_ctx: u64, slots: usize, card: Option<u64>) -> (u64, u64) {
        let context = self
            .bytes_per_token
            .saturating_mul(num_ctx)
            .saturating_mul(slots as u64);
        let size = self
            .size
            .saturating_add(self.overhead)
            .saturating_add(context);
        let on_card = (size as f64 * self.vram_share) as u64;
        (size, on_card.min(card.unwrap_or(u64::MAX)))
    }

    pub(super) fn template(&self) -> &str {
        let usual = match self.path {
            PromptPath::Rendered => {
                "{{- range .Messages }}<start_of_turn>{{ .Role }}\n{{ .Content }}<end_of_turn>\n{{ end }}<start_of_turn>model\n"
            }
            PromptPath::Native => {
                "{{ bos_token }}{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content }}<end_of_turn>\n{% endfor %}<start_of_turn>model\n"
            }
        };
        self.template.as_deref().unwrap_or(usual)
    }

    /// The keys every GGUF has, and those of the script.
    pub(super) fn full_model_info(&self) -> Value {
        let family = &self.family;
        let mut keys = json!({
            "general.architecture": family,
            "general.file_type": 15,
            "general.type": "model",
            "tokenizer.ggml.add_bos_token": true,
            "tokenizer.ggml.model": "llama",
            "tokenizer.ggml.scores": null,
            "tokenizer.ggml.token_type": null,
            "tokenizer.ggml.tokens": null,
        });
        if let Value::Object(keys) = &mut keys {
            keys.insert(
                format!("{family}.context_length"),
                self.context_length.into(),
            );
            keys.insert(
                format!("{family}.embedding_length"),
                self.embedding_length.into(),
            );
            if let Some(window) = self.sliding_window {
                keys.insert(format!("{family}.attention.sliding_window"), window.into());
            }
            if self.can(Capability::Embedding) {
                keys.insert(format!("{family}.pooling_type"), 1.into());
            }
            keys.extend(self.model_info.clone());
        }
        keys
    }
}

/// The lower-case `name:tag` that a name means, `None` where it is malformed.
pub(super) fn canonical(name: &str) -> Option<String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || "._-/:".contains(c);
    let lower = name.to_ascii_lowercase();
    let (stem, tag) = match lower.rsplit_once(':') {
        Some((stem, tag)) if !tag.contains('/') => (stem, tag),
        _ => (lower.as_str(), "latest"),
    };
    let good = !stem.is_empty() && !tag.is_empty() && lower.chars().all(legal);
    good.then(|| format!("{stem}:{tag}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("gemma3", Some("gemma3:latest"))]
    #[case("Gemma3:12B", Some("gemma3:12b"))]
    #[case("hf.co/someone/model", Some("hf.co/someone/model:latest"))]
    #[case("localhost:5000/model", Some("localhost:5000/model:latest"))]
    #[case("", None)]
    #[case("a b", None)]
    #[case("a:", None)]
    fn names_have_one_form(#[case] name: &str, #[case] full: Option<&str>) {
        assert_eq!(canonical(name).as_deref(), full);
    }

    #[test]
    fn a_larger_context_takes_more_room() {
        let model = ModelScript {
            size: 1000,
            overhead: 10,
            bytes_per_token: 2,
            vram_share: 0.5,
            ..ModelScript::default()
        };
        assert_eq!(model.loaded_size(100, 4, None), (1810, 905));
        assert_eq!(model.loaded_size(100, 4, Some(700)), (1810, 700));
    }
}
