//! The simulator over real HTTP.

mod faults;
mod fixtures;
mod loading;
mod requests;
mod shape;
mod windows;

use std::time::Duration;

use batchtop::simulator::{ModelScript, Script, Simulator};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// What came back.
#[derive(Debug)]
struct Answer {
    status: u16,
    content_type: Option<String>,
    text: String,
    /// Whether the body ended in good order.
    whole: bool,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    /// The records of a stream.
    fn lines(&self) -> Vec<Value> {
        self.text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    fn error(&self) -> String {
        self.json()["error"].as_str().unwrap().to_owned()
    }

    /// All content of a stream.
    fn content(&self) -> String {
        self.lines()
            .iter()
            .filter_map(|line| line["message"]["content"].as_str())
            .collect()
    }
}

async fn start(script: Script) -> Simulator {
    Simulator::start_local(script).await.unwrap()
}

fn client() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Sends a body; `None` where no answer came.
async fn try_post(simulator: &Simulator, path: &str, body: &Value) -> Option<Answer> {
    let request = client().post(simulator.url() + path).json(body);
    receive(request).await
}

async fn post(simulator: &Simulator, path: &str, body: &Value) -> Answer {
    try_post(simulator, path, body).await.unwrap()
}

async fn chat(simulator: &Simulator, body: &Value) -> Answer {
    post(simulator, "/api/chat", body).await
}

async fn get(simulator: &Simulator, path: &str) -> Answer {
    receive(client().get(simulator.url() + path)).await.unwrap()
}

async fn receive(request: reqwest::RequestBuilder) -> Option<Answer> {
    let mut response = request.send().await.ok()?;
    let content_type = response.headers().get("content-type");
    let content_type = content_type.map(|value| value.to_str().unwrap().to_owned());
    let mut bytes = Vec::new();
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break true,
            Err(_) => break false,
        }
    };
    Some(Answer {
        status: response.status().as_u16(),
        content_type,
        text: String::from_utf8(bytes).unwrap(),
        whole,
    })
}

/// A chat request with one user message, without streaming.
fn ask(message: &str) -> Value {
    json!({
        "model": "simulated",
        "messages": [{"role": "user", "content": message}],
        "stream": false,
    })
}

/// The same with fields changed or added.
fn with(mut body: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A connection that has sent a request and waits for nothing.
async fn send_and_hold(simulator: &Simulator, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(simulator.address()).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "POST /api/chat HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(body.as_bytes()).await.unwrap();
    stream
}

/// Waits for a condition, within a deadline far longer than anything here takes.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let poll = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(30), poll).await;
    waited.unwrap_or_else(|_| panic!("never happened: {what}"));
}

/// One model like the default one, changed.
fn model(change: impl FnOnce(&mut ModelScript)) -> Vec<ModelScript> {
    let mut model = ModelScript::default();
    change(&mut model);
    vec![model]
}

fn number(record: &Value, field: &str) -> u64 {
    record[field]
        .as_u64()
        .unwrap_or_else(|| panic!("{field} in {record}"))
}
