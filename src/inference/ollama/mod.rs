//! The client for Ollama's own API.

mod address;
mod deadline;
mod failure;
mod lines;
mod models;
mod pieces;
mod reading;
mod translate;
mod wire;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, SERVER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, Url};

pub use self::address::{Address, AddressError};
use self::deadline::Deadline;
use self::lines::Lines;
pub use self::pieces::read_answer;
use self::reading::Reading;
use self::translate::{Expected, Path};
use super::{Call, Heard, InstalledModel, ModelDetails, Progress, Server, Warmth, is_same_model};
use crate::base::duration;
use crate::model::{Answer, Failure, FailureClass, LoadOptions, LoadedModel};

/// An answer in all is at most so long. A list of vectors comes as one line of that length.
const LONGEST_ANSWER: usize = 256 << 20;
/// A line of a stream is at most so long.
const LONGEST_LINE: usize = 64 << 20;
/// An error is read so far.
const LONGEST_ERROR: usize = 1 << 20;
/// How long the end of the connection's stream is waited for once the answer is complete. With it,
/// the connection can be used again; without it, a new one is made.
const PARTING: Duration = Duration::from_millis(250);

/// What the simulated server calls itself (`simulator::wire`).
const SIMULATOR_NAME: &str = "batchtop-simulator";

/// An Ollama server. Clones share their connections.
#[derive(Debug, Clone)]
pub struct Ollama {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    http: Client,
    address: Address,
    urls: Urls,
    timeouts: Timeouts,
}

#[derive(Debug)]
struct Urls {
    chat: Url,
    generate: Url,
    embed: Url,
    version: Url,
    tags: Url,
    ps: Url,
    show: Url,
}

/// How long the server may take for what is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// To take a connection.
    pub connect: Duration,
    /// To answer a question about itself. Ollama 0.33 may take 20 s for `/api/ps` while a runner
    /// does not respond.
    pub ask: Duration,
    /// To load a model.
    pub load: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            ask: Duration::from_secs(30),
            load: Duration::from_hours(1),
        }
    }
}

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot prepare to speak to `{address}`: {cause}")]
pub struct OllamaError {
    address: String,
    cause: String,
}

impl Ollama {
    /// A client for the server at `address`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the machine has no certificates to check an `https` server with.
    pub fn new(address: Address, timeouts: Timeouts) -> Result<Self, OllamaError> {
        let http = client(&address, timeouts).map_err(|error| OllamaError {
            address: address.to_string(),
            cause: root_cause(&error),
        })?;
        let urls = Urls {
            chat: address.endpoint("/api/chat"),
            generate: address.endpoint("/api/generate"),
            embed: address.endpoint("/api/embed"),
            version: address.endpoint("/api/version"),
            tags: address.endpoint("/api/tags"),
            ps: address.endpoint("/api/ps"),
            show: address.endpoint("/api/show"),
        };
        let shared = Shared {
            http,
            address,
            urls,
            timeouts,
        };
        Ok(Self {
            shared: Arc::new(shared),
        })
    }

    /// Whether the server is on this machine, so that its card is this machine's.
    pub fn is_local(&self) -> bool {
        self.shared.address.is_loopback()
    }

    /// Whether it is the simulated server of this program, which says so in a header. A server
    /// that does not answer is not.
    pub async fn is_simulated(&self) -> bool {
        let request = self.shared.http.get(self.shared.urls.version.clone());
        let time = Deadline::of(self.shared.timeouts.ask);
        let Ok(response) = self.send(request, &time).await else {
            return false;
        };
        let name = response.headers().get(SERVER);
        name.is_some_and(|name| name == SIMULATOR_NAME)
    }

    fn post(&self, path: Path, body: String) -> RequestBuilder {
        let urls = &self.shared.urls;
        let url = match path {
            Path::Chat => &urls.chat,
            Path::Generate => &urls.generate,
            Path::Embed => &urls.embed,
        };
        let request = self.shared.http.post(url.clone());
        request.header(CONTENT_TYPE, "application/json").body(body)
    }

    /// Sends and waits for the headers of a good answer.
    async fn send(&self, request: RequestBuilder, time: &Deadline) -> Result<Response, Failure> {
        let sent = time.first_byte(request.send()).await?;
        let response = sent.map_err(|error| self.unanswered(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status().as_u16();
        let mut body = Vec::new();
        // What is there of an error is better than nothing, so a second error changes nothing.
        let _ = collect(response, LONGEST_ERROR, time, &mut body).await;
        Err(failure::of_answer(status, &body))
    }

    /// Asks the server about itself.
    async fn ask(&self, url: &Url) -> Result<Vec<u8>, Failure> {
        self.told(self.shared.http.get(url.clone())).await
    }

    /// What the server says to a question about itself.
    async fn told(&self, request: RequestBuilder) -> Result<Vec<u8>, Failure> {
        let time = Deadline::of(self.shared.timeouts.ask);
        let response = self.send(request, &time).await?;
        let mut body = Vec::new();
        collect(response, LONGEST_LINE, &time, &mut body).await?;
        Ok(body)
    }

    /// Nothing came back, so nothing was answered: that the server is down is all one knows.
    fn unanswered(&self, error: &reqwest::Error) -> Failure {
        let address = &self.shared.address;
        let connect = self.shared.timeouts.connect;
        let message = if error.is_connect() && error.is_timeout() {
            format!("no connection to `{address}` within {}", duration(connect))
        } else if error.is_connect() {
            format!("no connection to `{address}`: {}", root_cause(error))
        } else {
            let cause = root_cause(error);
            format!("`{address}` closed the connection before it answered: {cause}")
        };
        Failure::new(FailureClass::ServerDown, failure::bounded(&message))
    }
}

/// A server that is well answers at once that a model may go.
const RELEASE: Duration = Duration::from_secs(2);

impl Server for Ollama {
    async fn answer(&self, call: Call, progress: Progress) -> Result<Answer, Failure> {
        let time = Deadline::start(call.limits);
        let native = translate::native(&call)?;
        let request = self.post(native.path, native.body);
        let response = self.send(request, &time).await?;
        let first_token = time.elapsed();
        progress.tell(Heard::Began);
        let reading = read(response, native.expected, &progress, &time).await?;
        let first_token = match native.expected {
            Expected::Vectors { .. } => None,
            _ => Some(first_token),
        };
        reading.finish(&call.load.model, time.elapsed(), first_token)
    }

    async fn warm(&self, load: &LoadOptions) -> Result<Warmth, Failure> {
        let time = Deadline::of(self.shared.timeouts.load);
        let (path, body) = translate::warm_up(load, translate::FOR_EVER)?;
        let response = self.send(self.post(path, body), &time).await?;
        let mut body = Vec::new();
        collect(response, LONGEST_LINE, &time, &mut body).await?;
        reading::check_loaded(&body)?;
        let took = time.elapsed();
        // What the server says about the model is an extra: not to know it is no failure.
        let loaded = self.loaded().await.unwrap_or_default();
        let loaded = loaded
            .into_iter()
            .find(|loaded| is_same_model(&loaded.name, &load.model));
        Ok(Warmth { took, loaded })
    }

    async fn release(&self, load: &LoadOptions) -> Result<(), Failure> {
        let time = Deadline::of(RELEASE);
        let (path, body) = translate::warm_up(load, translate::USUAL)?;
        self.send(self.post(path, body), &time).await.map(drop)
    }

    async fn version(&self) -> Result<String, Failure> {
        models::version(&self.ask(&self.shared.urls.version).await?)
    }

    async fn installed(&self) -> Result<Vec<InstalledModel>, Failure> {
        models::installed(&self.ask(&self.shared.urls.tags).await?)
    }

    async fn loaded(&self) -> Result<Vec<LoadedModel>, Failure> {
        models::loaded(&self.ask(&self.shared.urls.ps).await?)
    }

    async fn show(&self, model: &str, verbose: bool) -> Result<ModelDetails, Failure> {
        let request = self.shared.http.post(self.shared.urls.show.clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let body = models::show_request(model, verbose);
        models::details(&self.told(request.body(body)).await?)
    }

    fn address(&self) -> String {
        self.shared.address.to_string()
    }
}

fn client(address: &Address, timeouts: Timeouts) -> reqwest::Result<Client> {
    // A dead machine sends no farewell, and a prompt may be evaluated for many minutes without a
    // byte: keep-alive tells the one from the other.
    const PULSE: Duration = Duration::from_secs(15);
    let mut builder = Client::builder()
        .user_agent(concat!("batchtop/", env!("CARGO_PKG_VERSION")))
        .http1_only()
        .tcp_nodelay(true)
        .tcp_keepalive(PULSE)
        .tcp_keepalive_interval(PULSE)
        .tcp_keepalive_retries(4)
        .connect_timeout(timeouts.connect)
        .redirect(Policy::none());
    if !address.is_https() {
        // Without this, reqwest fails on machines that have no certificates, even for `http`.
        builder = builder.tls_certs_only([]);
    }
    if address.is_loopback() {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Reads an answer to its end.
async fn read(
    mut response: Response,
    expected: Expected,
    progress: &Progress,
    time: &Deadline,
) -> Result<Reading, Failure> {
    let mut reading = Reading::new(expected);
    let longest = match expected {
        Expected::Vectors { .. } => LONGEST_ANSWER,
        _ => LONGEST_LINE,
    };
    let mut lines = Lines::new(longest);
    let mut length = 0;
    while let Some(piece) = next_piece(&mut response, &reading, time).await? {
        length += piece.as_ref().len();
        if length > LONGEST_ANSWER {
            let message = format!("the server's answer has more than {LONGEST_ANSWER} bytes");
            return Err(Failure::new(FailureClass::BadReply, message));
        }
        lines.push(piece.as_ref(), |line| reading.line(line, progress))?;
    }
    lines.finish(|line| reading.line(line, progress))?;
    Ok(reading)
}

/// The next bytes; nothing at the end. Once the answer is complete, whatever happens to the
/// connection is the end.
async fn next_piece(
    response: &mut Response,
    reading: &Reading,
    time: &Deadline,
) -> Result<Option<impl AsRef<[u8]> + use<>>, Failure> {
    if reading.is_complete() {
        let parting = tokio::time::timeout(PARTING, response.chunk()).await;
        return Ok(parting.ok().and_then(Result::ok).flatten());
    }
    let piece = time.next_piece(response.chunk()).await?;
    piece.map_err(|error| {
        let mut cut = reading.cut();
        cut.message = format!("{} ({})", cut.message, root_cause(&error));
        cut
    })
}

/// Reads a body, but not more than `limit` bytes of it.
async fn collect(
    mut response: Response,
    limit: usize,
    time: &Deadline,
    body: &mut Vec<u8>,
) -> Result<(), Failure> {
    while body.len() < limit {
        let piece = time.next_piece(response.chunk()).await?;
        let piece = piece.map_err(|error| {
            let message = format!("the answer broke off: {}", root_cause(&error));
            Failure::new(FailureClass::StreamCut, message)
        })?;
        let Some(piece) = piece else { break };
        let room = limit - body.len();
        body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
    }
    Ok(())
}

/// The innermost cause of an error: the outer ones only say that sending failed, with the whole
/// URL.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    match cause.downcast_ref::<reqwest::Error>() {
        // The outermost is the innermost: its text may hold the URL.
        Some(_) => "the request failed".to_owned(),
        None => cause.to_string(),
    }
}
