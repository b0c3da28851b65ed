//! A failure in any of the shapes in which providers write one.

use serde_json::Value;

use super::super::observation::Ending;

/// The class of a response that holds no answer.
pub(super) const NO_ANSWER: &str = "no_answer";
/// The class of an answer that the provider held back.
pub(super) const CONTENT_FILTER: &str = "content_filter";

/// Characters of an error that are kept where it has no message.
const LONGEST: usize = 300;

/// An object with code and message, one within another (vLLM, Anthropic), or words alone.
pub(super) fn failed(error: &Value, status: Option<u16>) -> Ending {
    let error = error
        .get("error")
        .filter(|inner| inner.is_object())
        .unwrap_or(error);
    let class = code(error).or_else(|| {
        let status = status.filter(|status| *status >= 300)?;
        Some(format!("http_{status}"))
    });
    Ending::Failed {
        class: class.unwrap_or_else(|| "unknown".to_owned()),
        message: message(error),
    }
}

/// What kind of error it is, in its own words.
fn code(error: &Value) -> Option<String> {
    let word = |name: &str| {
        let word = error.get(name)?.as_str()?;
        let is_word = word.contains(|c: char| c.is_alphabetic());
        is_word.then(|| word.to_owned())
    };
    let status = |name: &str| {
        let number = error.get(name)?.as_u64()?;
        (100..600)
            .contains(&number)
            .then(|| format!("http_{number}"))
    };
    word("code")
        .or_else(|| status("code"))
        .or_else(|| status("errorCode"))
        .or_else(|| word("type"))
        // Google names its errors here, in capitals.
        .or_else(|| word("status").map(|status| status.to_lowercase()))
}

fn message(error: &Value) -> String {
    let names = ["message", "errorMessage", "detail", "error"];
    let told = names.iter().filter_map(|name| error.get(name));
    match told.chain([error]).find(|value| !value.is_null()) {
        None => String::new(),
        Some(Value::String(words)) => words.clone(),
        // An object that has none of these, or a list of complaints.
        Some(Value::Object(fields)) if fields.values().all(Value::is_null) => String::new(),
        Some(other) => other.to_string().chars().take(LONGEST).collect(),
    }
}
