//! The client for Ollama against a server that does exactly what a test says, byte for byte.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use batchtop::inference::{Call, Heard, Ollama, Progress, Server, TimeLimits, Timeouts};
use batchtop::model::{AnswerBody, Endpoint, FailureClass, Finish, LoadOptions, TokenNeed, Tokens};
use rstest::rstest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// What the server does next on a connection.
#[derive(Clone)]
enum Step {
    /// Writes these bytes, at once.
    Send(Vec<u8>),
    /// Waits until the client closes the connection.
    Hang,
    /// Ends the connection with a reset.
    Reset,
}

/// A request as it arrived.
struct Arrived {
    head: String,
    body: String,
}

/// A server that treats every request alike.
struct Scripted {
    address: String,
    connections: Arc<AtomicUsize>,
    requests: mpsc::Receiver<Arrived>,
    gone: mpsc::Receiver<()>,
}

impl Scripted {
    async fn start(steps: Vec<Step>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (arrived, requests) = mpsc::channel(100);
        let (left, gone) = mpsc::channel(100);
        let connections = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&connections);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, steps.clone(), arrived.clone(), left.clone()));
            }
        });
        Self {
            address,
            connections,
            requests,
            gone,
        }
    }

    fn client(&self) -> Ollama {
        Ollama::new(self.address.parse().unwrap(), Timeouts::default()).unwrap()
    }

    async fn request(&mut self) -> Arrived {
        soon(self.requests.recv()).await.unwrap()
    }
}

async fn serve(
    mut stream: TcpStream,
    steps: Vec<Step>,
    arrived: mpsc::Sender<Arrived>,
    left: mpsc::Sender<()>,
) {
    while let Some(request) = request(&mut stream).await {
        arrived.send(request).await.unwrap();
        for step in &steps {
            match step {
                Step::Send(bytes) => {
                    if stream.write_all(bytes).await.is_err() {
                        return;
                    }
                    stream.flush().await.unwrap();
                }
                Step::Hang => {
                    let _ = stream.read(&mut [0; 64]).await;
                    left.send(()).await.unwrap();
                    return;
                }
                Step::Reset => {
                    stream.set_zero_linger().unwrap();
                    return;
                }
            }
        }
        if steps.len() > 1 {
            return;
        }
    }
}

async fn request(stream: &mut TcpStream) -> Option<Arrived> {
    let mut bytes = Vec::new();
    let head = loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let text = String::from_utf8(bytes[..head].to_vec()).unwrap();
    let length = text.lines().find_map(|line| {
        let value = line.to_lowercase();
        value.strip_prefix("content-length: ")?.parse().ok()
    });
    while bytes.len() < head + length.unwrap_or(0) {
        stream.read_buf(&mut bytes).await.ok()?;
    }
    Some(Arrived {
        head: text,
        body: String::from_utf8(bytes[head..].to_vec()).unwrap(),
    })
}

async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("it did not happen")
}

fn whole(status: &str, kind: &str, body: &str) -> Step {
    let length = body.len();
    Step::Send(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

fn json(status: &str, body: &str) -> Step {
    whole(status, "application/json; charset=utf-8", body)
}

fn stream_head() -> Step {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
    Step::Send(head.into())
}

fn chunk(bytes: &[u8]) -> Step {
    let mut framed = format!("{:x}\r\n", bytes.len()).into_bytes();
    framed.extend_from_slice(bytes);
    framed.extend_from_slice(b"\r\n");
    Step::Send(framed)
}

fn end() -> Step {
    Step::Send(b"0\r\n\r\n".to_vec())
}

const PIECE: &[u8] = "{\"message\":{\"content\":\"ä日\"},\"done\":false}\n".as_bytes();
const DONE: &[u8] = b"{\"model\":\"g3t\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":35,\"eval_count\":2}\n";

fn call(endpoint: Endpoint, body: &str) -> Call {
    Call {
        endpoint,
        body: body.into(),
        messages: None,
        load: LoadOptions {
            model: "g3t".to_owned(),
            num_ctx: Some(1024),
            embeddings: endpoint == Endpoint::Embeddings,
        },
        max_tokens: 12,
        limits: TimeLimits {
            first_byte: Duration::from_secs(20),
            idle: Duration::from_secs(20),
            whole: Duration::from_secs(20),
        },
        nudge: 0,
    }
}

fn hello() -> Call {
    call(
        Endpoint::Chat,
        r#"{"messages":[{"role":"user","content":"hello"}]}"#,
    )
}

fn exchange(name: &str) -> serde_json::Value {
    let path = format!(
        "{}/tests/data/ollama/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn recorded(name: &str) -> Step {
    let exchange = exchange(name);
    let response = &exchange["response"];
    whole(
        &format!("{} Recorded", response["status"]),
        response["content_type"].as_str().unwrap_or("text/plain"),
        response["body"].as_str().unwrap_or_default(),
    )
}

#[tokio::test]
async fn a_request_goes_out_and_its_answer_comes_back() {
    let mut server = Scripted::start(vec![recorded("chat-rendered-stream")]).await;
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = Arc::clone(&heard);
    let progress = Progress::new(move |piece| {
        ears.lock().unwrap().push(match piece {
            Heard::Began => "began".to_owned(),
            Heard::Chunk { text, .. } => text.to_owned(),
        });
    });
    let answer = soon(server.client().answer(hello(), progress))
        .await
        .unwrap();
    assert_eq!(answer.finish, Finish::Cap);
    assert_eq!(answer.usage.answer, Some(Tokens(12)));
    assert!(answer.timings.first_token.unwrap() <= answer.timings.wall);
    let request = server.request().await;
    assert!(request.head.starts_with("POST /api/chat HTTP/1.1\r\n"));
    let fields = request.head.to_lowercase();
    assert!(fields.contains("content-type: application/json"));
    assert!(fields.contains(concat!("user-agent: batchtop/", env!("CARGO_PKG_VERSION"))));
    assert!(request.body.contains(r#""truncate":false,"shift":false"#));
    let heard = heard.lock().unwrap();
    assert_eq!(heard.first().unwrap(), "began");
    assert_eq!(
        heard[1..].concat(),
        "You grade people from 0 to 10. mendatang"
    );
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = Scripted::start(vec![recorded("chat-native-stream")]).await;
    let client = server.client();
    for _ in 0..3 {
        soon(client.clone().answer(hello(), Progress::silent()))
            .await
            .unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn bytes_may_be_cut_anywhere() {
    let steps = [PIECE, DONE].concat();
    let steps = steps.chunks(1).map(chunk);
    let steps = [stream_head()].into_iter().chain(steps).chain([end()]);
    let server = Scripted::start(steps.collect()).await;
    let answer = soon(server.client().answer(hello(), Progress::silent()))
        .await
        .unwrap();
    let AnswerBody::Chat { content, .. } = answer.body else {
        panic!("no chat");
    };
    assert_eq!(content, "ä日");
}

#[tokio::test]
async fn a_complete_answer_is_not_lost_with_the_end_of_the_connection() {
    for last in [Step::Hang, Step::Reset] {
        let steps = vec![stream_head(), chunk(PIECE), chunk(DONE), last];
        let server = Scripted::start(steps).await;
        let answer = soon(server.client().answer(hello(), Progress::silent())).await;
        assert_eq!(answer.unwrap().finish, Finish::Stop);
    }
}

#[rstest]
#[case::cut_in_a_line(vec![stream_head(), chunk(PIECE), chunk(&DONE[..20])], FailureClass::StreamCut)]
#[case::cut_after_a_line(vec![stream_head(), chunk(PIECE)], FailureClass::StreamCut)]
#[case::reset(vec![stream_head(), chunk(PIECE), Step::Reset], FailureClass::StreamCut)]
#[case::ended_without_done(vec![stream_head(), chunk(PIECE), end()], FailureClass::StreamCut)]
#[case::garbage(vec![stream_head(), chunk(PIECE), chunk(b"\x00garbage\n"), end()], FailureClass::BadReply)]
#[case::error(vec![stream_head(), chunk(PIECE), chunk(b"{\"error\":\"llama-server process no longer running: unknown \"}\n"), end()], FailureClass::RunnerGone)]
#[case::once_without_done(vec![json("200 OK", r#"{"message":{"content":"half"},"done":false}"#)], FailureClass::StreamCut)]
#[case::a_web_page(vec![whole("200 OK", "text/html", "<html>")], FailureClass::BadReply)]
#[case::nothing(vec![Step::Send(Vec::new()), Step::Reset], FailureClass::ServerDown)]
#[case::closed(vec![Step::Send(Vec::new()), Step::Send(Vec::new())], FailureClass::ServerDown)]
#[case::redirect(vec![Step::Send(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n".to_vec())], FailureClass::BadReply)]
#[tokio::test]
async fn only_done_is_an_answer(#[case] steps: Vec<Step>, #[case] class: FailureClass) {
    let server = Scripted::start(steps).await;
    let failure = soon(server.client().answer(hello(), Progress::silent())).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.class, class, "{failure}");
}

#[tokio::test]
async fn a_repeat_guard_is_recognised() {
    let again = PIECE.repeat(31);
    let server = Scripted::start(vec![stream_head(), chunk(&again), end()]).await;
    let failure = soon(server.client().answer(hello(), Progress::silent())).await;
    assert_eq!(failure.unwrap_err().class, FailureClass::RepeatGuard);
}

#[rstest]
#[case("err-model-missing", FailureClass::ModelMissing)]
#[case("err-openai-model-missing", FailureClass::ModelMissing)]
#[case("err-tools", FailureClass::Refused)]
#[case("err-think", FailureClass::Refused)]
#[case("err-option-type", FailureClass::Refused)]
#[case("err-format", FailureClass::Refused)]
#[case("err-keep-alive", FailureClass::Refused)]
#[case("err-bad-json", FailureClass::Refused)]
#[case("err-empty-body", FailureClass::Refused)]
#[case("err-model-empty", FailureClass::Refused)]
#[case("err-host", FailureClass::Refused)]
#[case("err-not-found", FailureClass::BadReply)]
#[case("err-method", FailureClass::BadReply)]
#[case("embed-on-completion-model", FailureClass::Refused)]
#[case("chat-rendered-overflow-default", FailureClass::ContextLength)]
#[case("chat-rendered-overflow-truncate-false", FailureClass::ContextLength)]
#[case("chat-native-overflow-truncate-false", FailureClass::ContextLength)]
#[tokio::test]
async fn recorded_errors_are_classified(#[case] name: &str, #[case] class: FailureClass) {
    let server = Scripted::start(vec![recorded(name)]).await;
    let failure = soon(server.client().answer(hello(), Progress::silent())).await;
    let failure = failure.unwrap_err();
    assert_eq!(failure.class, class);
    let status = exchange(name)["response"]["status"].as_u64();
    assert_eq!(failure.status.map(u64::from), status);
    if name.ends_with("truncate-false") {
        let need = TokenNeed {
            prompt: Tokens(3026),
            window: Tokens(1024),
        };
        assert_eq!(failure.need, Some(need));
    }
}

#[rstest]
#[case::first_byte(vec![Step::Hang], [500, 20_000, 20_000], "no answer began within")]
#[case::idle(vec![stream_head(), chunk(PIECE), Step::Hang], [20_000, 300, 20_000], "the answer stood still for")]
#[case::whole(vec![stream_head(), chunk(PIECE), Step::Hang], [20_000, 20_000, 500], "no complete answer within")]
#[tokio::test]
async fn each_time_limit_ends_the_request_and_the_connection(
    #[case] steps: Vec<Step>,
    #[case] millis: [u64; 3],
    #[case] part: &str,
) {
    let mut server = Scripted::start(steps).await;
    let mut call = hello();
    let [first_byte, idle, whole] = millis.map(Duration::from_millis);
    call.limits = TimeLimits {
        first_byte,
        idle,
        whole,
    };
    let client = server.client();
    let failure = soon(client.answer(call, Progress::silent()))
        .await
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::Timeout);
    assert!(failure.message.contains(part), "{failure}");
    soon(server.gone.recv()).await.unwrap();
}

#[tokio::test]
async fn dropping_the_future_closes_the_connection() {
    let mut server = Scripted::start(vec![Step::Hang]).await;
    let client = server.client();
    let running = tokio::spawn(async move { client.answer(hello(), Progress::silent()).await });
    server.request().await;
    running.abort();
    soon(server.gone.recv()).await.unwrap();
}

#[tokio::test]
async fn nobody_at_the_address_is_a_server_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://me:secret@{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Ollama::new(address.parse().unwrap(), Timeouts::default()).unwrap();
    let failure = soon(client.answer(hello(), Progress::silent()))
        .await
        .unwrap_err();
    assert_eq!(failure.class, FailureClass::ServerDown);
    assert!(
        failure
            .message
            .starts_with("no connection to `http://127.0.0.1:")
    );
    assert!(!failure.message.contains("secret"), "{failure}");
    assert!(!client.address().contains("secret"));
}

#[tokio::test]
async fn a_password_goes_to_the_server_and_the_prefix_too() {
    let mut server = Scripted::start(vec![recorded("version")]).await;
    let address = format!("http://me:s%40@{}/ollama/", server.address);
    let client = Ollama::new(address.parse().unwrap(), Timeouts::default()).unwrap();
    assert_eq!(soon(client.version()).await.unwrap(), "0.33.0-rc2");
    let head = server.request().await.head;
    assert!(head.starts_with("GET /ollama/api/version HTTP/1.1\r\n"));
    assert!(
        head.to_lowercase()
            .contains("authorization: basic bwu6c0a="),
        "{head}"
    );
}

#[tokio::test]
async fn models_are_listed() {
    let server = Scripted::start(vec![recorded("tags")]).await;
    assert_eq!(
        soon(server.client().installed()).await.unwrap()[0].name,
        "g3n:latest"
    );
    let server = Scripted::start(vec![recorded("ps-native")]).await;
    let loaded = soon(server.client().loaded()).await.unwrap();
    assert_eq!(loaded[0].window, Some(Tokens(1024)));
}

#[tokio::test]
async fn embeddings_come_back_as_they_were_written() {
    let body = r#"{"model":"e","embeddings":[[0.10,2e-3],[1,0]],"total_duration":5,"load_duration":2,"prompt_eval_count":4}"#;
    let mut server = Scripted::start(vec![json("200 OK", body)]).await;
    let call = call(Endpoint::Embeddings, r#"{"input":["a","b"]}"#);
    let answer = soon(server.client().answer(call, Progress::silent()))
        .await
        .unwrap();
    let AnswerBody::Embeddings { vectors } = answer.body else {
        panic!("no vectors");
    };
    assert_eq!(vectors[0].get(), "[0.10,2e-3]");
    assert_eq!(answer.usage.prompt, Some(Tokens(4)));
    assert!(server.request().await.head.starts_with("POST /api/embed "));
}

#[tokio::test]
async fn a_model_is_warmed_up() {
    let load = hello().load;
    let mut server = Scripted::start(vec![recorded("chat-rendered-load")]).await;
    let warmth = soon(server.client().warm(&load)).await.unwrap();
    // This server answers everything alike, so it does not say which models it holds.
    assert_eq!(warmth.loaded, None);
    assert!(server.request().await.body.contains(r#""messages":[]"#));
    assert!(server.request().await.head.starts_with("GET /api/ps "));
}

#[tokio::test]
async fn a_warm_up_that_fails_says_why() {
    let load = hello().load;
    let error = r#"{"error":"llama-server reported out-of-memory during startup: x"}"#;
    let server = Scripted::start(vec![json("500 Internal Server Error", error)]).await;
    let failure = soon(server.client().warm(&load)).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::OutOfMemory);
    let server = Scripted::start(vec![json("200 OK", r#"{"done":false}"#)]).await;
    let failure = soon(server.client().warm(&load)).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::BadReply);
}
