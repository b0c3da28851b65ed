//! What a simulated server is and does, as a file can say it.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::durations::KeepAlive;
use super::faults::Fault;
use super::models::ModelScript;

/// A server as the simulator plays it. Every field has a default; unknown fields are refused.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch of the server or of its log, named as in a script file"
)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// What `/api/version` says.
    pub version: String,
    /// The models it has, in the order `/api/tags` lists them.
    pub models: Vec<ModelScript>,
    /// Slots of each model (`OLLAMA_NUM_PARALLEL`).
    pub slots: usize,
    /// Requests that may wait for a model to be loaded (`OLLAMA_MAX_QUEUE`).
    pub max_queue: usize,
    /// Models loaded at once (`OLLAMA_MAX_LOADED_MODELS`).
    pub max_loaded: usize,
    /// Context window where neither request nor model names one (`OLLAMA_CONTEXT_LENGTH`).
    pub num_ctx: u64,
    /// How long an idle model stays loaded, as a Go duration (`OLLAMA_KEEP_ALIVE`).
    pub keep_alive: String,
    /// Milliseconds that loading a model takes.
    pub load_ms: u64,
    /// Prompt tokens evaluated in a second by a slot; absent is "in no time".
    pub prefill_rate: Option<f64>,
    /// Tokens generated in a second by a slot; absent is "in no time".
    pub decode_rate: Option<f64>,
    /// Bytes of video memory; absent is "more than enough". What of a model does not fit there is
    /// on the processor.
    pub card_memory: Option<u64>,
    /// Whether a model that does not fit is refused instead.
    pub refuses_to_spill: bool,
    /// Tokens that a slot really holds, whatever window the server says it has.
    pub true_window: Option<u64>,
    /// Whether prompts are cut although `truncate` or `shift` is false, as by releases that did not
    /// know these fields.
    pub cuts_always: bool,
    /// What is answered.
    pub answers: Answers,
    /// What goes wrong, and when. The first fault that applies to a request happens to it.
    pub faults: Vec<Fault>,
    /// How the requests of a test are told apart in the log: the first word of the last user
    /// message that begins so. Without it the log keeps the beginning of that message.
    pub marker_prefix: Option<String>,
    /// A file that every log entry is appended to as a JSON line as it happens.
    pub log_file: Option<PathBuf>,
    /// Log entries kept in memory; older ones are forgotten.
    pub log_limit: usize,
    /// Whether the log keeps the whole body of every request, to prove what was sent.
    pub log_bodies: bool,
    /// Whether foreign `Host` headers get 403, as on a server bound to a loopback address.
    pub check_host: bool,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            version: "0.33.0".to_owned(),
            models: vec![ModelScript::default()],
            slots: 1,
            max_queue: 512,
            max_loaded: 3,
            num_ctx: 4096,
            keep_alive: "5m".to_owned(),
            load_ms: 0,
            prefill_rate: None,
            decode_rate: None,
            card_memory: None,
            refuses_to_spill: false,
            true_window: None,
            cuts_always: false,
            answers: Answers::default(),
            faults: Vec::new(),
            marker_prefix: None,
            log_file: None,
            log_limit: 1_000_000,
            log_bodies: false,
            check_host: true,
        }
    }
}

/// What the models answer. The same prompt and seed give the same answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Answers {
    /// Length in tokens, the end mark included. JSON answers become longer where they must to
    /// be complete.
    pub tokens: Length,
    /// Prose or JSON.
    pub style: Style,
    /// Tokens of thinking before the answer of a model that thinks.
    pub thinking_tokens: u64,
    /// A tool is called when the request offers tools and its last user message contains this.
    pub tool_trigger: String,
    /// Changes every answer of requests that bring no seed of their own.
    pub seed: u64,
}

impl Default for Answers {
    fn default() -> Self {
        Self {
            tokens: Length::Fixed(32),
            style: Style::Auto,
            thinking_tokens: 16,
            tool_trigger: "tool".to_owned(),
            seed: 0,
        }
    }
}

/// A number of tokens, fixed or drawn for each answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Length {
    /// Always as many.
    Fixed(u64),
    /// Evenly distributed, both ends included.
    Between {
        /// At least.
        min: u64,
        /// At most.
        max: u64,
    },
}

/// What answers look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Style {
    /// JSON where `format` asks for it or the system prompt speaks of it, prose otherwise.
    Auto,
    /// Prose, unless `format` forbids it.
    Prose,
    /// JSON like `{"score":7,"reason":"…"}`.
    Json,
}

/// Why a script cannot be played.
#[derive(Debug, thiserror::Error)]
pub enum ScriptError {
    /// The text looks like JSON but does not hold a script.
    #[error("script in JSON: {0}")]
    Json(#[from] serde_json::Error),
    /// The text is no TOML, or TOML that does not hold a script.
    #[error("script in TOML: {0}")]
    Toml(#[from] toml::de::Error),
    /// A field holds a value that means nothing.
    #[error("script field `{field}` is `{value}`: {cure}")]
    Value {
        /// Where.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What may stand there.
        cure: &'static str,
    },
}

impl Script {
    /// Reads a script from JSON (a text that begins with `{`) or TOML.
    pub fn from_text(text: &str) -> Result<Self, ScriptError> {
        let script: Self = if text.trim_start().starts_with('{') {
            serde_json::from_str(text)?
        } else {
            toml::from_str(text)?
        };
        script.check()?;
        Ok(script)
    }

    /// Says which field holds a value that cannot be played.
    pub fn check(&self) -> Result<(), ScriptError> {
        check("slots", &self.slots, self.slots > 0, "at least 1")?;
        check(
            "max_loaded",
            &self.max_loaded,
            self.max_loaded > 0,
            "at least 1",
        )?;
        check("num_ctx", &self.num_ctx, self.num_ctx >= 4, "at least 4")?;
        check_rate("prefill_rate", self.prefill_rate)?;
        check_rate("decode_rate", self.decode_rate)?;
        check(
            "keep_alive",
            &self.keep_alive,
            self.keep_alive_parsed().is_some(),
            "a duration such as `5m`, or `-1m` for ever",
        )?;
        self.answers.check()?;
        self.models.iter().try_for_each(ModelScript::check)?;
        self.faults.iter().try_for_each(Fault::check)
    }

    pub(super) fn keep_alive_parsed(&self) -> Option<KeepAlive> {
        KeepAlive::parse(&self.keep_alive.as_str().into()).ok()?
    }

    pub(super) fn speeds(&self, model: &ModelScript) -> Speeds {
        Speeds {
            load: Duration::from_millis(model.load_ms.unwrap_or(self.load_ms)),
            prefill: model.prefill_rate.or(self.prefill_rate),
            decode: model.decode_rate.or(self.decode_rate),
        }
    }
}

impl Answers {
    pub(super) fn check(&self) -> Result<(), ScriptError> {
        let ordered = match self.tokens {
            Length::Fixed(tokens) => tokens > 0,
            Length::Between { min, max } => min > 0 && min <= max,
        };
        check(
            "answers.tokens",
            &format!("{:?}", self.tokens),
            ordered,
            "at least 1, `min` not above `max`",
        )
    }
}

/// How fast a model is. Absent rates mean "in no time": nothing is ever slept for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Speeds {
    pub load: Duration,
    pub prefill: Option<f64>,
    pub decode: Option<f64>,
}

impl Speeds {
    /// Time that evaluating so many prompt tokens takes.
    pub(super) fn prefill_time(&self, tokens: usize) -> Duration {
        at_rate(tokens as f64, self.prefill)
    }

    /// Time from one generated token to the next.
    pub(super) fn step(&self) -> Duration {
        at_rate(1.0, self.decode)
    }
}

fn at_rate(tokens: f64, rate: Option<f64>) -> Duration {
    rate.map_or(Duration::ZERO, |rate| {
        Duration::try_from_secs_f64(tokens / rate).unwrap_or(Duration::MAX)
    })
}

pub(super) fn check(
    field: &'static str,
    value: &impl ToString,
    good: bool,
    cure: &'static str,
) -> Result<(), ScriptError> {
    if good {
        return Ok(());
    }
    Err(ScriptError::Value {
        field,
        value: value.to_string(),
        cure,
    })
}

pub(super) fn check_rate(field: &'static str, rate: Option<f64>) -> Result<(), ScriptError> {
    let good = rate.is_none_or(|rate| rate.is_finite() && rate > 0.0);
    check(
        field,
        &rate.unwrap_or_default(),
        good,
        "tokens a second above 0, or absent for no time at all",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn json_and_toml_say_the_same() {
        let json =
            r#"{"slots":4,"models":[{"name":"a"}],"faults":[{"when":{"nth":3},"do":"busy"}]}"#;
        let toml =
            "slots = 4\n[[models]]\nname = \"a\"\n[[faults]]\nwhen = { nth = 3 }\ndo = \"busy\"\n";
        assert_eq!(
            Script::from_text(json).unwrap(),
            Script::from_text(toml).unwrap()
        );
    }

    #[test]
    fn a_script_survives_being_written() {
        let script = Script::demo();
        let json = serde_json::to_string(&script).unwrap();
        assert_eq!(Script::from_text(&json).unwrap(), script);
    }

    #[rstest]
    #[case(r#"{"slotz":4}"#, "slotz")]
    #[case(r#"{"slots":0}"#, "`slots` is `0`")]
    #[case(r#"{"decode_rate":0.0}"#, "`decode_rate` is `0`")]
    #[case(r#"{"keep_alive":"soon"}"#, "`keep_alive` is `soon`")]
    #[case(r#"{"answers":{"tokens":{"min":9,"max":3}}}"#, "answers.tokens")]
    #[case(r#"{"models":[{"name":""}]}"#, "models.name")]
    #[case(r#"{"faults":[{"do":"explode"}]}"#, "explode")]
    #[case(
        r#"{"faults":[{"when":{"probability":1.5},"do":"busy"}]}"#,
        "probability"
    )]
    #[case(r#"{"faults":[{"do":{"error":{"status":500,"texd":"x"}}}]}"#, "texd")]
    #[case("slots = \"four\"", "TOML")]
    fn what_means_nothing_is_refused(#[case] text: &str, #[case] named: &str) {
        let error = Script::from_text(text).unwrap_err().to_string();
        assert!(error.contains(named), "{error}");
    }

    #[test]
    fn the_script_in_the_documentation_can_be_played() {
        let formats = include_str!("../../docs/FORMATS.md");
        let scripts: Vec<&str> = formats
            .split("```toml\n")
            .skip(1)
            .filter_map(|rest| rest.split("```").next())
            .collect();
        assert!(!scripts.is_empty());
        for script in scripts {
            Script::from_text(script).unwrap();
        }
    }
}
