//! The shape of a model as far as its memory depends on it, from `model_info` of `/api/show`.
//!
//! Only architectures whose layers are known are read; of any other nothing is guessed.

use serde_json::{Map, Value};

/// Models have at most so many layers; what says more is garbage.
const MOST_LAYERS: u64 = 1_024;
/// No size of a head or number of heads is larger.
const LARGEST: u64 = 1 << 20;
/// The longest window and vocabulary believed.
const LONGEST: u64 = 1 << 32;

/// Architectures of which every layer attends to everything and keeps keys and values for the
/// whole window. `phi3` names a sliding window, which llama.cpp does not use (its pull request
/// 13676).
const FULL: &[&str] = &[
    "command-r",
    "deci",
    "exaone",
    "falcon",
    "gemma",
    "glm4",
    "granite",
    "granitemoe",
    "internlm2",
    "llama",
    "minicpm",
    "mistral",
    "mistral3",
    "nemotron",
    "olmo",
    "olmoe",
    "phi2",
    "phi3",
    "qwen2",
    "qwen25vl",
    "qwen2moe",
    "qwen2vl",
    "qwen3",
    "qwen3moe",
    "qwen3vl",
    "qwen3vlmoe",
    "smollm3",
    "stablelm",
];

/// Architectures with a sliding window, and how many layers make one round: the last of each
/// attends to everything, the others to the window only.
const SLIDING: &[(&str, usize)] = &[
    ("gemma2", 2),
    ("gemma3", 6),
    ("gemma3n", 5),
    ("gpt-oss", 2),
    ("gptoss", 2),
];

/// Architectures that list which of their layers slide.
const LISTED: &[&str] = &["gemma4"];

/// Gemma 3n keeps keys and values in its first 20 layers; the others look there (llama.cpp has
/// the number in its source, not in the file).
const GEMMA3N_OWN: usize = 20;
/// Gemma 2's window, which older files leave out and llama.cpp has in its source.
const GEMMA2_WINDOW: u64 = 4_096;

/// What a model's memory for context depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelShape {
    /// `general.architecture`.
    pub architecture: String,
    /// The longest context that it was trained for, in tokens.
    pub trained_window: Option<u64>,
    /// Length of the sliding window, where it has one.
    pub sliding_window: Option<u64>,
    /// The layers that keep keys and values of their own.
    pub(super) layers: Vec<Layer>,
}

/// One layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layer {
    /// Numbers kept for each token: heads × (length of a key + length of a value).
    pub(super) elements: u64,
    /// Whether it attends to the sliding window only.
    pub(super) slides: bool,
}

/// Why the shape of a model is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShapeError {
    /// The server does not even say which architecture it is.
    #[error("the server does not name the model's architecture")]
    NoArchitecture,
    /// Nothing is known of how its layers keep context.
    #[error("how `{architecture}` keeps context in memory is not known to batchtop")]
    Unknown {
        /// Which one.
        architecture: String,
    },
    /// The model does not have the key.
    #[error("the model does not say `{key}`")]
    Absent {
        /// Which key.
        key: String,
    },
    /// The server answers `null`: it keeps long lists back unless asked with `verbose`.
    #[error("the server leaves out `{key}`")]
    LeftOut {
        /// Which key.
        key: String,
    },
    /// The value is none that a model can have.
    #[error("the model says `{key}` is `{value}`, which cannot be")]
    Strange {
        /// Which key.
        key: String,
        /// Its value, cut to a length.
        value: String,
    },
}

impl ShapeError {
    /// Whether asking again with `verbose` may help.
    pub const fn is_left_out(&self) -> bool {
        matches!(self, Self::LeftOut { .. })
    }
}

impl ModelShape {
    /// Reads `model_info` of `/api/show`.
    ///
    /// # Errors
    /// Which key is missing, left out or cannot be, or that the architecture is not known.
    pub fn of(info: &Map<String, Value>) -> Result<Self, ShapeError> {
        let architecture = info.get("general.architecture").and_then(Value::as_str);
        let architecture = architecture.ok_or(ShapeError::NoArchitecture)?;
        if !is_known(architecture) {
            let architecture = architecture.to_owned();
            return Err(ShapeError::Unknown { architecture });
        }
        let keys = Keys { architecture, info };
        let heads = Heads::of(&keys)?;
        let slides = keys.slides(heads.layers)?;
        let sliding_window = keys.window(slides.iter().any(|&slides| slides))?;
        let own = keys.own_layers(heads.layers)?;
        let layers = slides.iter().enumerate().take(own);
        let layers = layers.map(|(at, &slides)| Layer {
            elements: heads.elements(at, slides),
            slides,
        });
        Ok(Self {
            architecture: architecture.to_owned(),
            trained_window: keys.number("context_length", LONGEST)?,
            sliding_window,
            layers: layers.collect(),
        })
    }
}

fn is_known(architecture: &str) -> bool {
    let slides = SLIDING.iter().any(|(name, _)| *name == architecture);
    slides || LISTED.contains(&architecture) || FULL.contains(&architecture)
}

/// The figures of the heads.
struct Heads {
    layers: usize,
    kv: Vec<u64>,
    lengths: u64,
    sliding_lengths: u64,
}

impl Heads {
    fn of(keys: &Keys<'_>) -> Result<Self, ShapeError> {
        let layers = keys.required("block_count", MOST_LAYERS)? as usize;
        let kv = match keys.per_layer("attention.head_count_kv", layers)? {
            Some(kv) => kv,
            None => keys.per_layer_required("attention.head_count", layers)?,
        };
        let key = keys.length("key_length")?;
        let value = keys.length("value_length")?;
        let sliding = |name: &str, usual: u64| {
            let length = keys.number(name, LARGEST)?;
            Ok(length.unwrap_or(usual))
        };
        let sliding_lengths = sliding("attention.key_length_swa", key)?
            + sliding("attention.value_length_swa", value)?;
        Ok(Self {
            layers,
            kv,
            lengths: key + value,
            sliding_lengths,
        })
    }

    fn elements(&self, layer: usize, slides: bool) -> u64 {
        let lengths = if slides {
            self.sliding_lengths
        } else {
            self.lengths
        };
        self.kv.get(layer).copied().unwrap_or(0) * lengths
    }
}

/// The keys of one architecture.
struct Keys<'a> {
    architecture: &'a str,
    info: &'a Map<String, Value>,
}

impl Keys<'_> {
    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// A value; `None` where the model has none.
    fn value(&self, name: &str) -> Result<Option<&Value>, ShapeError> {
        let key = self.key(name);
        match self.info.get(&key) {
            Some(Value::Null) => Err(ShapeError::LeftOut { key }),
            value => Ok(value),
        }
    }

    fn number(&self, name: &str, most: u64) -> Result<Option<u64>, ShapeError> {
        let Some(value) = self.value(name)? else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(number) if (1..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.strange(name, value)),
        }
    }

    fn required(&self, name: &str, most: u64) -> Result<u64, ShapeError> {
        self.number(name, most)?.ok_or_else(|| ShapeError::Absent {
            key: self.key(name),
        })
    }

    /// One number for all layers or a list with one for each. In a list a 0 means a layer that
    /// keeps nothing.
    fn per_layer(&self, name: &str, layers: usize) -> Result<Option<Vec<u64>>, ShapeError> {
        let Some(Value::Array(list)) = self.value(name)? else {
            let all = self.number(name, LARGEST)?;
            return Ok(all.map(|all| vec![all; layers]));
        };
        let numbers: Option<Vec<u64>> = list
            .iter()
            .map(|value| value.as_u64().filter(|&number| number <= LARGEST))
            .collect();
        match numbers {
            Some(numbers) if numbers.len() == layers => Ok(Some(numbers)),
            _ => Err(self.strange(name, &Value::Array(list.clone()))),
        }
    }

    fn per_layer_required(&self, name: &str, layers: usize) -> Result<Vec<u64>, ShapeError> {
        self.per_layer(name, layers)?
            .ok_or_else(|| ShapeError::Absent {
                key: self.key(name),
            })
    }

    /// The length of a key or value; where it is not said, the model's width is shared among its
    /// heads.
    fn length(&self, name: &str) -> Result<u64, ShapeError> {
        if let Some(length) = self.number(&format!("attention.{name}"), LARGEST)? {
            return Ok(length);
        }
        let width = self.required("embedding_length", LARGEST)?;
        Ok(width / self.required("attention.head_count", LARGEST)?)
    }

    /// Which layers slide.
    fn slides(&self, layers: usize) -> Result<Vec<bool>, ShapeError> {
        if FULL.contains(&self.architecture) {
            return Ok(vec![false; layers]);
        }
        let usual = SLIDING.iter().find(|(name, _)| *name == self.architecture);
        let name = "attention.sliding_window_pattern";
        let period = match (self.value(name)?, usual) {
            (Some(Value::Array(list)), _) => return self.pattern(name, list, layers),
            (Some(_), _) => self.required(name, MOST_LAYERS)? as usize,
            (None, Some((_, period))) => *period,
            (None, None) => {
                return Err(ShapeError::Absent {
                    key: self.key(name),
                });
            }
        };
        Ok((0..layers).map(|at| at % period < period - 1).collect())
    }

    fn pattern(&self, name: &str, list: &[Value], layers: usize) -> Result<Vec<bool>, ShapeError> {
        let slides: Option<Vec<bool>> = list.iter().map(Value::as_bool).collect();
        match slides {
            Some(slides) if slides.len() == layers => Ok(slides),
            _ => Err(self.strange(name, &Value::Array(list.to_vec()))),
        }
    }

    fn window(&self, any_slides: bool) -> Result<Option<u64>, ShapeError> {
        let name = "attention.sliding_window";
        if !any_slides {
            return Ok(None);
        }
        match self.number(name, LONGEST)? {
            None if self.architecture == "gemma2" => Ok(Some(GEMMA2_WINDOW)),
            None => Err(ShapeError::Absent {
                key: self.key(name),
            }),
            window => Ok(window),
        }
    }

    /// How many layers, from the first, keep keys and values of their own.
    fn own_layers(&self, layers: usize) -> Result<usize, ShapeError> {
        let name = "attention.shared_kv_layers";
        let shared = match self.value(name)? {
            Some(value) if value.as_u64() == Some(0) => Some(0),
            Some(_) => self.number(name, MOST_LAYERS)?,
            None => None,
        };
        Ok(match shared {
            Some(shared) => layers.saturating_sub(shared as usize),
            None if self.architecture == "gemma3n" => layers.min(GEMMA3N_OWN),
            None => layers,
        })
    }

    fn strange(&self, name: &str, value: &Value) -> ShapeError {
        const SHOWN: usize = 40;
        ShapeError::Strange {
            key: self.key(name),
            value: crate::base::elide(&crate::base::shown(&value.to_string()), SHOWN),
        }
    }
}

#[cfg(test)]
#[path = "shape_tests.rs"]
mod tests;
