//! The `options` of a request: which reload the model, which only shape the answer.

use serde_json::{Map, Value};

use super::models::{Capability, ModelScript};
use super::wire::Refusal;

/// Tokens of the batch that a prompt is evaluated in, where `num_batch` does not say.
const BATCH: u64 = 512;
/// llama.cpp gives each slot a multiple of so many tokens.
const SLOT_STEP: u64 = 256;

/// The options that have an effect here; others are checked for their types and forgotten.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Options {
    pub num_ctx: Option<i64>,
    pub num_batch: Option<i64>,
    pub num_gpu: Option<i64>,
    pub main_gpu: Option<i64>,
    pub num_thread: Option<i64>,
    pub use_mmap: Option<bool>,
    pub num_keep: Option<i64>,
    pub num_predict: Option<i64>,
    pub seed: Option<i64>,
    pub stop: Vec<String>,
}

/// What a runner was started with. A request that needs another tuple has the model reloaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LoadTuple {
    pub num_ctx: u64,
    pub shift: bool,
    num_batch: Option<i64>,
    num_gpu: Option<i64>,
    main_gpu: Option<i64>,
    num_thread: Option<i64>,
    use_mmap: Option<bool>,
}

impl Options {
    /// Reads the JSON object. A wrong type is answered with 500 (Ollama 0.33), `null` is unset,
    /// unknown names are ignored.
    pub(super) fn parse(map: &Map<String, Value>) -> Result<Self, Refusal> {
        let mut options = Self::default();
        for (name, value) in map.iter().filter(|(_, value)| !value.is_null()) {
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), Refusal> {
        match name {
            "num_ctx" => self.num_ctx = integer(name, value)?,
            "num_batch" => self.num_batch = integer(name, value)?,
            "num_gpu" => self.num_gpu = integer(name, value)?,
            "main_gpu" => self.main_gpu = integer(name, value)?,
            "num_thread" => self.num_thread = integer(name, value)?,
            "num_keep" => self.num_keep = integer(name, value)?,
            "num_predict" => self.num_predict = integer(name, value)?,
            "seed" => self.seed = integer(name, value)?,
            "use_mmap" => {
                self.use_mmap = Some(value.as_bool().ok_or_else(|| wrong(name, "boolean"))?);
            }
            "stop" => self.stop = strings(name, value)?,
            "top_k" | "repeat_last_n" | "draft_num_predict" => drop(integer(name, value)?),
            "top_p" | "min_p" | "typical_p" | "temperature" | "repeat_penalty"
            | "presence_penalty" | "frequency_penalty" => {
                value.as_f64().ok_or_else(|| wrong(name, "float32"))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// Most tokens of an answer, `None` where there is no limit. Ollama 0.33: negative or huge
    /// values become ten windows; 0 is one token on the native path and no limit on the other.
    pub(super) fn cap(&self, num_ctx: u64, native: bool) -> Option<u64> {
        let most = num_ctx.saturating_mul(10);
        match self.num_predict {
            Some(0) if native => Some(1),
            Some(0) => None,
            Some(cap) => Some(u64::try_from(cap).map_or(most, |cap| cap.min(most))),
            None => Some(most),
        }
    }
}

impl LoadTuple {
    /// What a request asks the runner to be. `default_ctx` holds where neither the request nor
    /// the model names a context window.
    pub(super) fn of(
        options: &Options,
        shift: Option<bool>,
        model: &ModelScript,
        default_ctx: u64,
    ) -> Self {
        let least = if model.can(Capability::Vision) {
            2048
        } else {
            4
        };
        let asked = options
            .num_ctx
            .map(|asked| u64::try_from(asked).unwrap_or_default())
            .or(model.num_ctx)
            .unwrap_or(default_ctx);
        Self {
            num_ctx: asked.max(least).min(model.context_length.max(4)),
            shift: shift.unwrap_or(true),
            num_batch: options.num_batch,
            num_gpu: options.num_gpu.filter(|&layers| layers != -1),
            main_gpu: options.main_gpu,
            num_thread: options.num_thread,
            use_mmap: options.use_mmap,
        }
    }

    /// The same with another context window.
    pub(super) fn with_num_ctx(mut self, num_ctx: u64) -> Self {
        self.num_ctx = num_ctx;
        self
    }

    /// Tokens that fit in one slot: `num_ctx` rounded up, as llama.cpp does it.
    pub(super) const fn slot_window(&self) -> u64 {
        self.num_ctx.next_multiple_of(SLOT_STEP)
    }

    /// Whether a full context can go on by dropping its older half: never with images, nor with
    /// a sliding window whose cache is smaller than the context.
    pub(super) fn can_shift(&self, model: &ModelScript) -> bool {
        let batch = self
            .num_batch
            .and_then(|batch| u64::try_from(batch).ok())
            .unwrap_or(BATCH);
        let window_too_small = model
            .sliding_window
            .is_some_and(|window| self.num_ctx > window.saturating_add(batch));
        self.shift && !model.can(Capability::Vision) && !window_too_small
    }
}

/// Floats are cut to integers, as Go's `int(value)` does.
fn integer(name: &str, value: &Value) -> Result<Option<i64>, Refusal> {
    value
        .as_i64()
        .or_else(|| value.as_f64().map(|float| float as i64))
        .map(Some)
        .ok_or_else(|| wrong(name, "integer"))
}

fn strings(name: &str, value: &Value) -> Result<Vec<String>, Refusal> {
    let items = value.as_array().ok_or_else(|| wrong(name, "array"))?;
    items
        .iter()
        .map(|item| item.as_str().map(str::to_owned))
        .collect::<Option<_>>()
        .ok_or_else(|| wrong(name, "array of strings"))
}

fn wrong(name: &str, kind: &str) -> Refusal {
    let article = if kind.starts_with("array of") {
        "an"
    } else {
        "of type"
    };
    Refusal::new(500, format!("option {name:?} must be {article} {kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    fn parse(value: &Value) -> Result<Options, String> {
        Options::parse(value.as_object().unwrap()).map_err(|refusal| refusal.text)
    }

    #[test]
    fn options_are_read_and_unknown_ones_ignored() {
        let options =
            parse(&json!({"num_ctx": 2048.9, "stop": ["x"], "seed": null, "mirostat": 2}));
        let options = options.unwrap();
        assert_eq!(options.num_ctx, Some(2048));
        assert_eq!(options.stop, ["x"]);
        assert_eq!(options.seed, None);
    }

    #[rstest]
    #[case(json!({"num_ctx": "big"}), r#"option "num_ctx" must be of type integer"#)]
    #[case(json!({"temperature": "hot"}), r#"option "temperature" must be of type float32"#)]
    #[case(json!({"use_mmap": 1}), r#"option "use_mmap" must be of type boolean"#)]
    #[case(json!({"stop": "x"}), r#"option "stop" must be of type array"#)]
    fn wrong_types_are_refused_in_ollamas_words(#[case] value: Value, #[case] text: &str) {
        assert_eq!(parse(&value), Err(text.to_owned()));
    }

    #[rstest]
    #[case(json!({}), false, Some(10_240))]
    #[case(json!({"num_predict": -1}), false, Some(10_240))]
    #[case(json!({"num_predict": 99_999}), false, Some(10_240))]
    #[case(json!({"num_predict": 7}), false, Some(7))]
    #[case(json!({"num_predict": 0}), true, Some(1))]
    #[case(json!({"num_predict": 0}), false, None)]
    fn the_cap_follows_num_predict(
        #[case] value: Value,
        #[case] native: bool,
        #[case] cap: Option<u64>,
    ) {
        assert_eq!(parse(&value).unwrap().cap(1024, native), cap);
    }

    #[rstest]
    #[case(json!({"num_ctx": 4096}), true)]
    #[case(json!({"num_gpu": -1}), true)]
    #[case(json!({"seed": 3, "num_keep": 5, "top_k": 1}), true)]
    #[case(json!({"num_ctx": 4097}), false)]
    #[case(json!({"num_thread": 1}), false)]
    #[case(json!({"num_batch": 512}), false)]
    #[case(json!({"use_mmap": true}), false)]
    #[case(json!({"num_gpu": 0}), false)]
    #[case(json!({"main_gpu": 0}), false)]
    fn only_some_options_reload(#[case] value: Value, #[case] same: bool) {
        let model = ModelScript::default();
        let plain = LoadTuple::of(&Options::default(), None, &model, 4096);
        let asked = LoadTuple::of(&parse(&value).unwrap(), None, &model, 4096);
        assert_eq!(plain == asked, same);
        assert_ne!(
            plain,
            LoadTuple::of(&Options::default(), Some(false), &model, 4096)
        );
    }

    #[test]
    fn windows_are_rounded_and_clamped() {
        let mut model = ModelScript::default();
        let tuple = |num_ctx: i64, model: &ModelScript| {
            let options = Options {
                num_ctx: Some(num_ctx),
                ..Options::default()
            };
            LoadTuple::of(&options, None, model, 4096)
        };
        assert_eq!(tuple(128, &model).slot_window(), 256);
        assert_eq!(tuple(-5, &model).num_ctx, 4);
        model.context_length = 8192;
        assert_eq!(tuple(1_000_000, &model).num_ctx, 8192);
        model.capabilities.push(Capability::Vision);
        assert_eq!(tuple(128, &model).num_ctx, 2048);
        assert!(!tuple(4096, &model).can_shift(&model));
    }

    #[test]
    fn a_sliding_window_shifts_only_where_its_cache_is_whole() {
        let model = ModelScript {
            sliding_window: Some(512),
            ..ModelScript::default()
        };
        let tuple = LoadTuple::of(&Options::default(), None, &model, 1024);
        assert!(tuple.can_shift(&model));
        assert!(!tuple.with_num_ctx(1536).can_shift(&model));
    }
}
