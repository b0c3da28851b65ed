//! Bytes that keys and values of a context take on the card (the KV cache).
//!
//! The formula is llama.cpp's as Ollama 0.33 starts it: each slot has its own window, rounded up to
//! 256 tokens; layers with a sliding window keep the window and one batch at most.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::shape::ModelShape;

/// Slots and batches are rounded up to this many tokens.
const STEP: u64 = 256;

/// How exactly keys and values are kept: `OLLAMA_KV_CACHE_TYPE` of the server, which does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheType {
    /// 4 bytes a number.
    F32,
    /// 2 bytes a number: Ollama's own choice.
    #[default]
    F16,
    /// 34 bytes for 32 numbers.
    Q8_0,
    /// 24 bytes for 32 numbers.
    Q5_1,
    /// 22 bytes for 32 numbers.
    Q5_0,
    /// 20 bytes for 32 numbers.
    Q4_1,
    /// 18 bytes for 32 numbers.
    Q4_0,
}

/// A word that names no type of cache.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no type of cache: f32, f16, bf16, q8_0, q5_1, q5_0, q4_1, q4_0 or iq4_nl")]
pub struct UnknownCacheType(pub String);

impl CacheType {
    /// Bytes of 32 numbers.
    const fn bytes_of_32(self) -> u128 {
        match self {
            Self::F32 => 128,
            Self::F16 => 64,
            Self::Q8_0 => 34,
            Self::Q5_1 => 24,
            Self::Q5_0 => 22,
            Self::Q4_1 => 20,
            Self::Q4_0 => 18,
        }
    }

    /// The word for it, as Ollama takes it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::Q8_0 => "q8_0",
            Self::Q5_1 => "q5_1",
            Self::Q5_0 => "q5_0",
            Self::Q4_1 => "q4_1",
            Self::Q4_0 => "q4_0",
        }
    }
}

impl fmt::Display for CacheType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for CacheType {
    type Err = UnknownCacheType;

    fn from_str(word: &str) -> Result<Self, UnknownCacheType> {
        Ok(match word {
            "f32" => Self::F32,
            "f16" | "bf16" => Self::F16,
            "q8_0" => Self::Q8_0,
            "q5_1" => Self::Q5_1,
            "q5_0" => Self::Q5_0,
            "q4_1" => Self::Q4_1,
            "q4_0" | "iq4_nl" => Self::Q4_0,
            other => return Err(UnknownCacheType(other.to_owned())),
        })
    }
}

/// How a model is loaded, as far as its memory depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Load {
    /// Window of one slot in tokens (`num_ctx`).
    pub window: u64,
    /// Slots (`OLLAMA_NUM_PARALLEL`).
    pub slots: u32,
    /// How exactly keys and values are kept.
    pub cache: CacheType,
    /// `num_batch`, where it is set.
    pub batch: Option<u64>,
}

impl Load {
    /// One slot, f16 and the server's own batch.
    pub fn of(window: u64) -> Self {
        Self {
            window,
            slots: 1,
            cache: CacheType::F16,
            batch: None,
        }
    }

    /// Tokens evaluated at once. Ollama 0.33 chooses by the size of all slots together.
    fn batch(&self, window: u64) -> u64 {
        match window.saturating_mul(self.slots.into()) {
            _ if self.batch.is_some() => self.batch.unwrap_or_default(),
            ..=4_096 => 512,
            4_097..=32_768 => 1_024,
            _ => 2_048,
        }
    }
}

impl ModelShape {
    /// Bytes of keys and values in all slots. Ollama 0.33 lowers a window above the trained one to
    /// the trained one, and so does this.
    pub fn cache_bytes(&self, load: &Load) -> u64 {
        let window = load.window.min(self.trained_window.unwrap_or(u64::MAX));
        let whole = stepped(window);
        let sliding = self.sliding_window.unwrap_or(u64::MAX);
        let cells = whole.min(stepped(sliding.saturating_add(load.batch(whole))));
        let numbers = |slides: bool| -> u128 {
            let layers = self.layers.iter().filter(|layer| layer.slides == slides);
            layers.map(|layer| u128::from(layer.elements)).sum()
        };
        let in_a_slot = numbers(false)
            .saturating_mul(whole.into())
            .saturating_add(numbers(true).saturating_mul(cells.into()));
        let bytes = in_a_slot
            .saturating_mul(load.slots.into())
            .saturating_mul(load.cache.bytes_of_32())
            .div_ceil(32);
        u64::try_from(bytes).unwrap_or(u64::MAX)
    }
}

fn stepped(tokens: u64) -> u64 {
    tokens.checked_next_multiple_of(STEP).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    const MIB: f64 = 1024.0 * 1024.0;

    /// A model of so many layers, heads, and numbers of a key and a value.
    fn shape(name: &str, layers: u64, heads: u64, length: u64, sliding: Option<u64>) -> ModelShape {
        let mut info = json!({
            "general.architecture": name,
            format!("{name}.block_count"): layers,
            format!("{name}.attention.head_count_kv"): heads,
            format!("{name}.attention.key_length"): length,
            format!("{name}.attention.value_length"): length,
        });
        if let Some(sliding) = sliding {
            info[format!("{name}.attention.sliding_window")] = sliding.into();
        }
        ModelShape::of(info.as_object().unwrap()).unwrap()
    }

    /// What the log of Ollama 0.33 said for Gemma 3 270M: full layers and sliding ones.
    #[rstest]
    #[case(512, 1, "f16", 1.5 + 7.5)]
    #[case(4_096, 2, "f16", 24.0 + 45.0)]
    #[case(4_096, 1, "q8_0", 6.375 + 7.96875)]
    fn gemma_3_270m_takes_what_the_server_logged(
        #[case] window: u64,
        #[case] slots: u32,
        #[case] cache: &str,
        #[case] mebibytes: f64,
    ) {
        let load = Load {
            slots,
            cache: cache.parse().unwrap(),
            ..Load::of(window)
        };
        let bytes = shape("gemma3", 18, 1, 256, Some(512)).cache_bytes(&load);
        assert!((bytes as f64 / MIB - mebibytes).abs() < 1e-9, "{bytes}");
    }

    #[rstest]
    #[case("llama", 32, 8, 128, 131_072)]
    #[case("llama", 28, 8, 128, 114_688)]
    #[case("llama", 16, 8, 64, 32_768)]
    #[case("qwen3", 36, 8, 128, 147_456)]
    #[case("qwen2", 28, 4, 128, 57_344)]
    fn a_token_costs_what_the_public_configurations_say(
        #[case] name: &str,
        #[case] layers: u64,
        #[case] heads: u64,
        #[case] length: u64,
        #[case] each: u64,
    ) {
        let shape = shape(name, layers, heads, length, None);
        assert_eq!(shape.cache_bytes(&Load::of(8_192)), 8_192 * each);
        let eight = Load {
            slots: 8,
            ..Load::of(8_192)
        };
        assert_eq!(shape.cache_bytes(&eight), 8 * 8_192 * each);
    }

    /// One more token of a long window is paid in the full layers only: 4, 20, 64 and 80 KiB for
    /// Gemma 3 1B, 4B, 12B and 27B; the sliding layers have their fixed part.
    #[rstest]
    #[case(26, 1, 256, 4, 22)]
    #[case(34, 4, 256, 20, 174)]
    #[case(48, 8, 256, 64, 480)]
    #[case(62, 16, 128, 80, 624)]
    fn gemma_3_pays_its_window_once(
        #[case] layers: u64,
        #[case] heads: u64,
        #[case] length: u64,
        #[case] kibibytes: u64,
        #[case] fixed: u64,
    ) {
        let window = if layers == 26 { 512 } else { 1_024 };
        let shape = shape("gemma3", layers, heads, length, Some(window));
        let bytes = |tokens| {
            let load = Load {
                batch: Some(512),
                ..Load::of(tokens)
            };
            shape.cache_bytes(&load)
        };
        let each = (bytes(16_384) - bytes(8_192)) / 8_192;
        assert_eq!(each, kibibytes << 10);
        assert_eq!((bytes(8_192) - 8_192 * each) >> 20, fixed);
    }

    #[test]
    fn gemma_2_slides_in_every_other_layer() {
        let shape = shape("gemma2", 26, 4, 256, Some(4_096));
        let layer = 4 * 512 * 2;
        let bytes = shape.cache_bytes(&Load::of(8_192));
        assert_eq!(bytes, 13 * layer * 8_192 + 13 * layer * (4_096 + 1_024));
    }

    #[test]
    fn a_window_is_rounded_up_and_capped_at_the_trained_one() {
        let mut shape = shape("llama", 1, 1, 1, None);
        assert_eq!(
            shape.cache_bytes(&Load::of(1)),
            shape.cache_bytes(&Load::of(256))
        );
        shape.trained_window = Some(1_024);
        assert_eq!(
            shape.cache_bytes(&Load::of(1 << 40)),
            shape.cache_bytes(&Load::of(1_024))
        );
    }

    #[test]
    fn words_go_to_types_and_back() {
        for word in ["f32", "f16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0"] {
            assert_eq!(word.parse::<CacheType>().unwrap().word(), word);
        }
        assert_eq!("iq4_nl".parse(), Ok(CacheType::Q4_0));
        assert!("f8".parse::<CacheType>().is_err());
    }

    proptest! {
        #[test]
        fn more_window_or_slots_never_take_less(
            (layers, heads, length) in (1u64..200, 1u64..128, 1u64..1024),
            sliding in proptest::option::of(1u64..100_000),
            (window, more) in (0u64..1 << 40, 0u64..1 << 40),
            (slots, others) in (0u32..4_096, 0u32..4_096),
            batch in proptest::option::of(1u64..100_000),
        ) {
            let name = if sliding.is_some() { "gemma3" } else { "llama" };
            let shape = shape(name, layers, heads, length, sliding);
            let load = Load { slots, batch, ..Load::of(window) };
            let wider = Load { window: window + more, ..load };
            let busier = Load { slots: slots + others, ..load };
            prop_assert!(shape.cache_bytes(&load) <= shape.cache_bytes(&wider));
            prop_assert!(shape.cache_bytes(&load) <= shape.cache_bytes(&busier));
        }
    }
}
