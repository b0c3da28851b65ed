//! What an answer says, gathered from the pieces in which providers deliver it.

use serde_json::Value;

use crate::model::without_thinking;

/// Kinds of pieces that are the model's thinking.
const THINKING: [&str; 4] = [
    "thinking",
    "redacted_thinking",
    "reasoning",
    "reasoning_text",
];

/// The text of an answer and the calls of tools in it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    text: String,
    calls: Vec<String>,
    /// Whether the file itself calls it a refusal.
    pub(super) is_refusal: bool,
}

impl Said {
    /// A text as it is.
    pub(super) fn of_text(text: &str) -> Self {
        Self {
            text: text.to_owned(),
            ..Self::default()
        }
    }

    /// A text that goes on with what was said before.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Words with which the model refuses.
    pub(super) fn refuse(&mut self, words: &str) {
        self.is_refusal = true;
        self.push(words);
    }

    /// The content of a message: a text, or a list of pieces.
    pub(super) fn content(&mut self, content: &Value) {
        match content {
            Value::String(text) => self.push(text),
            Value::Array(pieces) => pieces.iter().for_each(|piece| self.piece(piece)),
            _ => {}
        }
    }

    /// A piece of a message, as OpenAI, Anthropic, Gemini, Mistral and Amazon write them.
    fn piece(&mut self, piece: &Value) {
        let word = |name: &str| piece.get(name).and_then(Value::as_str);
        let kind = word("type").unwrap_or_default();
        let is_thought = piece.get("thought").and_then(Value::as_bool) == Some(true);
        if is_thought || THINKING.contains(&kind) {
            return;
        }
        if let Some(words) = word("refusal") {
            self.refuse(words);
        } else if let Some(text) = word("text") {
            self.push(text);
        }
        let called = [
            ("input", piece),
            ("args", &piece["functionCall"]),
            ("input", &piece["toolUse"]),
        ];
        for (name, call) in called {
            if let Some(arguments) = call.get(name) {
                self.call(arguments);
            }
        }
    }

    /// A list of calls in OpenAI's form.
    pub(super) fn tool_calls(&mut self, calls: &Value) {
        for call in calls.as_array().into_iter().flatten() {
            let function = call.get("function").or_else(|| call.get("custom"));
            let function = function.unwrap_or(call);
            let arguments = function.get("arguments").or_else(|| function.get("input"));
            self.call(arguments.unwrap_or(&Value::Null));
        }
    }

    /// A call with these arguments: an object, or a text that holds one.
    pub(super) fn call(&mut self, arguments: &Value) {
        self.calls.push(match arguments {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
    }

    /// Whether there is neither text nor a call.
    pub(super) fn is_empty(&self) -> bool {
        self.text.trim().is_empty() && self.calls.is_empty()
    }

    /// How many tools are called.
    pub(super) fn calls(&self) -> u32 {
        self.calls.len() as u32
    }

    /// The answer: the text without the model's thinking, then the arguments of its calls. A
    /// model that grades by calling a tool answers in the arguments.
    pub(super) fn answer(&self) -> String {
        let text = without_thinking(&self.text);
        if self.calls.is_empty() {
            return text.into_owned();
        }
        let text = Some(text.trim()).filter(|text| !text.is_empty());
        let calls = self.calls.iter().map(String::as_str);
        text.into_iter().chain(calls).collect::<Vec<_>>().join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!("8/10"), "8/10", 0)]
    #[case(json!("<think>3/10</think>\n8/10"), "8/10", 0)]
    #[case(json!([{"type":"text","text":"8"},{"type":"text","text":"/10"}]), "8/10", 0)]
    #[case::mistral(json!([{"type":"thinking","thinking":[{"type":"text","text":"3"}]},{"type":"text","text":"8"}]), "8", 0)]
    #[case::anthropic(json!([{"type":"text","text":"Well."},{"type":"tool_use","id":"t","name":"grade","input":{"score":5}}]), "Well.\n{\"score\":5}", 1)]
    #[case::gemini(json!([{"text":"hm","thought":true},{"functionCall":{"name":"grade","args":{"score":5}}}]), "{\"score\":5}", 1)]
    #[case::amazon(json!([{"toolUse":{"name":"grade","input":{"score":5}}}]), "{\"score\":5}", 1)]
    #[case(json!(null), "", 0)]
    fn an_answer_is_gathered(#[case] content: Value, #[case] answer: &str, #[case] calls: u32) {
        let mut said = Said::default();
        said.content(&content);
        assert_eq!((said.answer().as_str(), said.calls()), (answer, calls));
    }

    #[rstest]
    #[case(json!([{"id":"c","type":"function","function":{"name":"grade","arguments":"{\"score\":5}"}}]), "{\"score\":5}")]
    #[case(json!([{"function":{"name":"grade","arguments":{"score":5}}}]), "{\"score\":5}")]
    #[case(json!([{"type":"custom","custom":{"name":"grade","input":"5/10"}}]), "5/10")]
    #[case(json!([{"function":{"name":"a","arguments":"1"}},{"function":{"name":"b","arguments":"2"}}]), "1\n2")]
    #[case(json!([{"function":{"name":"now"}}]), "")]
    fn the_arguments_of_calls_are_the_answer(#[case] calls: Value, #[case] answer: &str) {
        let mut said = Said::default();
        said.tool_calls(&calls);
        assert_eq!(said.answer(), answer);
        assert!(!said.is_empty());
    }
}
