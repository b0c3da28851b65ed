//! From an HTTP request to the endpoint that answers it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use http_body_util::{BodyExt, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::HOST;
use hyper::{Method, Request};
use tokio_util::sync::CancellationToken;

use super::call::Call;
use super::faults::Action;
use super::log::Route;
use super::server::Server;
use super::wire::{Cut, Refusal, Reply, TEXT};
use super::{chat, embed, listing};

/// Most bytes of a request body. Ollama has no limit; the simulator's memory has.
const BODY_LIMIT: usize = 256 << 20;

/// Answers one request.
pub(super) async fn answer(
    server: Arc<Server>,
    request: Request<Incoming>,
    closing: CancellationToken,
    reset: Arc<AtomicBool>,
) -> Result<Reply, Cut> {
    let (method, route) = (request.method().clone(), route(request.uri().path()));
    let foreign = is_foreign(&server, &request);
    let ticket = server.journal.open(route, closing);
    let call = Call::new(server, ticket, route, reset);
    if foreign {
        return Ok(call.reply(403, "", Vec::new()));
    }
    if let Some(reply) = allowed(route, &method) {
        let (status, text) = reply;
        return Ok(call.reply(status, TEXT, text.into()));
    }
    if method == Method::HEAD {
        return Ok(call.reply(200, "text/plain; charset=utf-8", Vec::new()));
    }
    if method == Method::GET {
        return get(call).await;
    }
    match Limited::new(request.into_body(), BODY_LIMIT)
        .collect()
        .await
    {
        Ok(body) => post(call, &body.to_bytes()).await,
        Err(_) => Ok(call.refuse(&Refusal::new(400, "http: request body too large"))),
    }
}

async fn get(mut call: Call) -> Result<Reply, Cut> {
    call.look("", "", false);
    if let Err(halt) = call.early().await {
        return call.halt(halt);
    }
    if let Some(Action::HangBeforeFirstByte { .. }) = call.fault {
        return std::future::pending().await;
    }
    Ok(match call.route {
        Route::Root => call.reply(
            200,
            "text/plain; charset=utf-8",
            b"Ollama is running".into(),
        ),
        Route::Version => listing::version(call),
        Route::Tags => listing::tags(call),
        Route::Ps => listing::ps(call).await,
        _ => listing::openai_models(call),
    })
}

async fn post(call: Call, body: &Bytes) -> Result<Reply, Cut> {
    if call.edition.script.log_bodies {
        let body = String::from_utf8_lossy(body).into_owned();
        call.ticket.note(|entry| entry.body = Some(body));
    }
    match call.route {
        Route::Chat => chat::chat(call, body).await,
        Route::Generate => chat::generate(call, body).await,
        Route::OpenaiChat => chat::openai(call, body).await,
        Route::Embed => embed::embed(call, body).await,
        Route::Embeddings => embed::embeddings(call, body).await,
        _ => listing::show(call, body).await,
    }
}

fn route(path: &str) -> Route {
    match path {
        "/" => Route::Root,
        "/api/version" => Route::Version,
        "/api/tags" => Route::Tags,
        "/api/ps" => Route::Ps,
        "/api/show" => Route::Show,
        "/api/chat" => Route::Chat,
        "/api/generate" => Route::Generate,
        "/api/embed" => Route::Embed,
        "/api/embeddings" => Route::Embeddings,
        "/v1/models" => Route::OpenaiModels,
        "/v1/chat/completions" => Route::OpenaiChat,
        _ => Route::Unknown,
    }
}

/// The refusal of a path or method that the router does not have.
fn allowed(route: Route, method: &Method) -> Option<(u16, &'static str)> {
    let good = match route {
        Route::Unknown => return Some((404, "404 page not found")),
        Route::Root | Route::Version | Route::Tags => {
            method == Method::GET || method == Method::HEAD
        }
        Route::Ps | Route::OpenaiModels => method == Method::GET,
        _ => method == Method::POST,
    };
    (!good).then_some((405, "405 method not allowed"))
}

/// Whether the `Host` header names somebody else, which a server bound to a loopback address
/// refuses (Ollama 0.33).
fn is_foreign(server: &Server, request: &Request<Incoming>) -> bool {
    let checked = server.address.ip().is_loopback() && server.edition().script.check_host;
    checked
        && request
            .headers()
            .get(HOST)
            .is_some_and(|host| !host.to_str().is_ok_and(is_own))
}

fn is_own(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None if host.matches(':').count() > 1 => host,
        None => host.split(':').next().unwrap_or_default(),
    };
    if let Ok(address) = name.parse::<IpAddr>() {
        return match address {
            IpAddr::V4(v4) => v4.is_loopback() || v4.is_private() || v4.is_unspecified(),
            IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unspecified(),
        };
    }
    let name = name.to_ascii_lowercase();
    name.is_empty()
        || name == "localhost"
        || [".localhost", ".local", ".internal"]
            .iter()
            .any(|suffix| name.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("localhost:11434", true)]
    #[case("127.0.0.1", true)]
    #[case("[::1]:11434", true)]
    #[case("192.168.1.7:80", true)]
    #[case("box.local", true)]
    #[case("evil.example", false)]
    #[case("8.8.8.8", false)]
    #[case("localhost.example", false)]
    fn hosts_are_told_apart(#[case] host: &str, #[case] own: bool) {
        assert_eq!(is_own(host), own);
    }
}
