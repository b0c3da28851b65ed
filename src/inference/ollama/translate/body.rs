//! The fields of OpenAI's bodies that mean something to Ollama, and those that it cannot do.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::message::Message;
use super::{raw, refused};
use crate::model::{Endpoint, Failure};

/// The body of any of the three endpoints. Fields that are not named here do nothing.
#[derive(Debug, Deserialize)]
pub(super) struct Body<'a> {
    #[serde(borrow)]
    pub(super) messages: Option<Vec<Message<'a>>>,
    prompt: Option<&'a RawValue>,
    pub(super) suffix: Option<&'a RawValue>,
    input: Option<&'a RawValue>,
    pub(super) dimensions: Option<&'a RawValue>,
    tools: Option<&'a RawValue>,
    tool_choice: Option<&'a RawValue>,
    response_format: Option<ResponseFormat<'a>>,
    reasoning_effort: Option<String>,
    reasoning: Option<Reasoning>,
    pub(super) logprobs: Option<&'a RawValue>,
    pub(super) top_logprobs: Option<&'a RawValue>,
    pub(super) max_tokens: Option<&'a RawValue>,
    pub(super) max_completion_tokens: Option<&'a RawValue>,
    pub(super) seed: Option<&'a RawValue>,
    pub(super) stop: Option<&'a RawValue>,
    pub(super) temperature: Option<&'a RawValue>,
    pub(super) top_p: Option<&'a RawValue>,
    pub(super) top_k: Option<&'a RawValue>,
    pub(super) min_p: Option<&'a RawValue>,
    pub(super) typical_p: Option<&'a RawValue>,
    pub(super) repeat_penalty: Option<&'a RawValue>,
    pub(super) repeat_last_n: Option<&'a RawValue>,
    pub(super) presence_penalty: Option<&'a RawValue>,
    pub(super) frequency_penalty: Option<&'a RawValue>,
    n: Option<&'a RawValue>,
    best_of: Option<&'a RawValue>,
    echo: Option<&'a RawValue>,
    logit_bias: Option<&'a RawValue>,
    functions: Option<&'a RawValue>,
    function_call: Option<&'a RawValue>,
    audio: Option<&'a RawValue>,
    web_search_options: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow)]
    json_schema: Option<JsonSchema<'a>>,
}

#[derive(Debug, Deserialize)]
struct JsonSchema<'a> {
    #[serde(borrow)]
    schema: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct Reasoning {
    effort: Option<String>,
}

#[derive(Deserialize)]
struct Tool {
    #[serde(rename = "type")]
    kind: String,
}

impl<'a> Body<'a> {
    /// Refuses what would change the answer if it were left out in silence.
    pub(super) fn refuse_impossible(&self, endpoint: Endpoint) -> Result<(), Failure> {
        const ONE: &[&str] = &["1"];
        const NONE: &[&str] = &["{}"];
        const NO: &[&str] = &["false"];
        let completions = endpoint == Endpoint::Completions;
        let impossible = [
            (
                "n",
                self.n,
                ONE,
                "give each further answer a line of its own",
            ),
            (
                "best_of",
                self.best_of,
                ONE,
                "give each try a line of its own",
            ),
            (
                "echo",
                self.echo,
                NO,
                "leave it out and put the prompt before the answer yourself",
            ),
            ("logit_bias", self.logit_bias, NONE, "leave it out"),
            ("functions", self.functions, &["[]"], "use `tools`"),
            ("function_call", self.function_call, &[], "use `tools`"),
            ("audio", self.audio, &[], "leave it out"),
            (
                "web_search_options",
                self.web_search_options,
                &[],
                "leave it out",
            ),
            (
                "logprobs",
                self.logprobs.filter(|_| completions),
                &["false", "0"],
                "ask for them with /v1/chat/completions",
            ),
        ];
        for (field, value, harmless, cure) in impossible {
            let asked = value.filter(|value| !harmless.contains(&value.get()));
            if let Some(value) = asked {
                let value: String = value.get().chars().take(40).collect();
                return Err(refused(format!(
                    "Ollama cannot do `{field}` {value}: {cure}"
                )));
            }
        }
        Ok(())
    }

    /// The prompt of a completion: one text. An empty one would only load the model.
    pub(super) fn prompt(&self) -> Result<&'a RawValue, Failure> {
        let missing = || refused("`prompt` is missing or empty");
        let given = self.prompt.ok_or_else(missing)?;
        let prompt = match serde_json::from_str::<Vec<&'a RawValue>>(given.get()).as_deref() {
            Ok([single]) => single,
            Ok([]) => return Err(missing()),
            Ok(_) => {
                return Err(refused(
                    "`prompt` has several entries: give each a line of its own",
                ));
            }
            Err(_) => given,
        };
        match prompt.get() {
            "\"\"" => Err(missing()),
            text if text.starts_with('"') => Ok(prompt),
            _ => Err(refused(
                "`prompt` must be a text: Ollama takes no token numbers",
            )),
        }
    }

    /// The inputs to embed, and how many they are.
    pub(super) fn input(&self) -> Result<(&'a RawValue, usize), Failure> {
        let missing = || refused("`input` is missing or empty");
        let input = self.input.ok_or_else(missing)?;
        if input.get().starts_with('"') {
            return match input.get() {
                "\"\"" => Err(missing()),
                _ => Ok((input, 1)),
            };
        }
        let texts: Vec<&RawValue> = serde_json::from_str(input.get())
            .map_err(|_| refused("`input` must be a text or a list of texts"))?;
        match texts.iter().position(|text| !text.get().starts_with('"')) {
            Some(at) => Err(refused(format!(
                "`input[{at}]` must be a text: Ollama takes no token numbers"
            ))),
            None if texts.is_empty() => Err(missing()),
            None => Ok((input, texts.len())),
        }
    }

    /// The tools, unless the request forbids their use.
    pub(super) fn tools(&self) -> Result<Option<&'a RawValue>, Failure> {
        match self.tool_choice.map(RawValue::get) {
            None | Some("\"auto\"") => {}
            Some("\"none\"") => return Ok(None),
            Some(_) => {
                return Err(refused(
                    "Ollama cannot force a tool to be called: `tool_choice` may be \"auto\" or \
                     \"none\"",
                ));
            }
        }
        let Some(tools) = self.tools else {
            return Ok(None);
        };
        let kinds: Vec<Tool> = serde_json::from_str(tools.get())
            .map_err(|error| refused(format!("`tools` cannot be read: {error}")))?;
        match kinds.iter().position(|tool| tool.kind != "function") {
            Some(at) => Err(refused(format!(
                "`tools[{at}]` is no function: Ollama knows no other tools"
            ))),
            None => Ok((!kinds.is_empty()).then_some(tools)),
        }
    }

    /// Ollama's `format`: `"json"` or the schema itself.
    pub(super) fn format(&self) -> Result<Option<&'a RawValue>, Failure> {
        let Some(format) = &self.response_format else {
            return Ok(None);
        };
        match format.kind.as_str() {
            "text" => Ok(None),
            "json_object" => raw("\"json\"").map(Some),
            "json_schema" => match format.json_schema.as_ref().and_then(|json| json.schema) {
                Some(schema) => Ok(Some(schema)),
                None => Err(refused("`response_format.json_schema.schema` is missing")),
            },
            other => Err(refused(format!(
                "`response_format.type` is `{other}`: use text, json_object or json_schema"
            ))),
        }
    }

    /// Ollama's `think`. Where the request does not say, nothing is sent and a model that can
    /// think does so, as it would anywhere else. Together with a format, Ollama 0.33 then
    /// generates twice and reports only the second part's tokens; switching thinking off in
    /// silence would make figures whole and answers worse.
    pub(super) fn think(&self) -> Result<Option<&'a RawValue>, Failure> {
        let nested = self.reasoning.as_ref().and_then(|r| r.effort.as_deref());
        let Some(effort) = self.reasoning_effort.as_deref().or(nested) else {
            return Ok(None);
        };
        let think = match effort {
            "none" => "false",
            "minimal" | "low" => "\"low\"",
            "medium" => "\"medium\"",
            "high" => "\"high\"",
            "xhigh" | "max" | "ultra" => "\"max\"",
            other => {
                return Err(refused(format!(
                    "`reasoning_effort` is `{other}`: use none, minimal, low, medium, high or xhigh"
                )));
            }
        };
        raw(think).map(Some)
    }
}
