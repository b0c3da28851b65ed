//! Lines of batch files.

use serde_json::{Value, json};

/// The model that the simulated server has unless a script says otherwise.
const MODEL: &str = "simulated";

/// One chat request.
pub(crate) fn chat(custom_id: &str, text: &str) -> String {
    chat_with(custom_id, text, &json!({}))
}

/// One chat request with more fields in its body.
pub(crate) fn chat_with(custom_id: &str, text: &str, fields: &Value) -> String {
    let mut body = json!({
        "model": MODEL,
        "messages": [
            {"role": "system", "content": "Say something about what you are given."},
            {"role": "user", "content": text},
        ],
    });
    for (name, value) in fields.as_object().expect("fields are an object") {
        body[name] = value.clone();
    }
    line(custom_id, "/v1/chat/completions", &body)
}

/// One request for the vector of a text.
pub(crate) fn embedding(custom_id: &str, fields: &Value) -> String {
    let mut body = json!({"model": MODEL, "input": "a text"});
    for (name, value) in fields.as_object().expect("fields are an object") {
        body[name] = value.clone();
    }
    line(custom_id, "/v1/embeddings", &body)
}

/// A request to any endpoint.
fn line(custom_id: &str, url: &str, body: &Value) -> String {
    json!({"custom_id": custom_id, "method": "POST", "url": url, "body": body}).to_string() + "\n"
}

/// So many chat requests, `r1` and so on. Each says its name first.
pub(crate) fn batch(count: usize) -> String {
    (1..=count)
        .map(|number| chat(&format!("r{number}"), &format!("r{number} is a number")))
        .collect()
}
