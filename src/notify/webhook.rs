//! Notices to a program: JSON posted to an address, which is a secret because it may hold a token.

use std::fmt;
use std::net::IpAddr;

use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url};
use serde::Serialize;

use super::delivery::Failed;
use super::notice::Notice;
use super::ways::WaysError;
use crate::base::shown;
use crate::config::Secret;

/// Where notices are posted. Shown as scheme, host and port alone.
pub(super) struct Webhook {
    client: Client,
    url: Url,
}

/// What is posted.
#[derive(Serialize)]
struct Payload<'a> {
    program: &'static str,
    version: &'static str,
    /// The time as text: programs have no clock in common.
    at: String,
    #[serde(flatten)]
    notice: &'a Notice,
}

impl Webhook {
    pub(super) fn new(address: &Secret) -> Result<Self, WaysError> {
        let url = Url::parse(address.reveal()).map_err(|_| WaysError::NoAddress)?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(WaysError::NoAddress);
        }
        let mut builder = Client::builder()
            .user_agent(concat!("batchtop/", env!("CARGO_PKG_VERSION")))
            // The address is for whoever the user named, and for nobody whom they name.
            .redirect(Policy::none())
            .referer(false);
        if url.scheme() == "http" {
            // Without this, reqwest fails on machines that have no certificates, even for `http`.
            builder = builder.tls_certs_only([]);
        }
        if is_loopback(&url) {
            builder = builder.no_proxy();
        }
        let client = builder
            .build()
            .map_err(|error| WaysError::Tls(error.without_url().to_string()))?;
        Ok(Self { client, url })
    }

    /// Posts it once. An answer from 200 to 299 is well; what may pass is a server that has
    /// trouble (500 to 599) or asks for patience (408, 429), and a connection that fails.
    pub(super) async fn post(&self, notice: &Notice) -> Result<(), Failed> {
        let payload = Payload {
            program: "batchtop",
            version: env!("CARGO_PKG_VERSION"),
            at: notice.at.rfc3339(),
            notice,
        };
        let sent = self.client.post(self.url.clone()).json(&payload).send();
        let answer = sent.await.map_err(|error| {
            let error = error.without_url();
            Failed::for_now(format!("{self}: {}", reason(&error)))
        })?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let what = format!("{self} answered {}", status.as_u16());
        let may_pass = status.is_server_error()
            || matches!(
                status,
                StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT
            );
        Err(Failed { what, may_pass })
    }
}

impl fmt::Display for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.url.host_str().unwrap_or_default();
        write!(f, "{}://{}", self.url.scheme(), shown(host))?;
        match self.url.port() {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Webhook({self})")
    }
}

/// The innermost reason, which says what the system said.
fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    shown(&inner.to_string())
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(
        "https://me:s3cret@hooks.example.com/services/t0ken?key=k3y",
        "https://hooks.example.com"
    )]
    #[case("http://127.0.0.1:8080/t0ken", "http://127.0.0.1:8080")]
    fn an_address_is_shown_without_its_secrets(#[case] address: &str, #[case] visible: &str) {
        let webhook = Webhook::new(&Secret::new(address)).unwrap();
        assert_eq!(webhook.to_string(), visible);
        assert_eq!(format!("{webhook:?}"), format!("Webhook({visible})"));
    }

    #[rstest]
    #[case("t0ken")]
    #[case("ftp://t0ken@host/")]
    #[case("http://")]
    #[case("file:///t0ken")]
    fn what_is_no_address_is_refused_without_being_repeated(#[case] address: &str) {
        let error = Webhook::new(&Secret::new(address)).unwrap_err();
        assert!(matches!(error, WaysError::NoAddress));
        assert!(!format!("{error} {error:?}").contains("t0ken"));
    }
}
