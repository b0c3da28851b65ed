//! Where the server is, from a text such as `OLLAMA_HOST`, by Ollama's own rules.
//!
//! The rules are those of Ollama 0.33 (`envconfig.Host`), with three additions: an unspecified
//! address (`0.0.0.0`, which people set for the server) is called at the loopback address, a user
//! and password in front of `@` become basic authentication, and a scheme other than `http` and
//! `https` is an error instead of a surprise later.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use reqwest::Url;

/// Where an Ollama server is. Shown and debugged without user and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    url: Url,
    shown: String,
}

/// Why a text is no address. The text itself is not repeated because it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// A scheme other than `http` and `https`.
    #[error("the server's address begins with `{scheme}://`: only `http://` and `https://` work")]
    Scheme {
        /// The scheme found.
        scheme: String,
    },
    /// What stands for the host cannot be one.
    #[error("`{host}` in the server's address is no host: write it like `127.0.0.1:11434`")]
    Host {
        /// The host found, without user and password.
        host: String,
    },
}

impl Address {
    /// The same host below the address's own path: `/api/chat` of `http://box/ollama` is
    /// `http://box:80/ollama/api/chat`.
    pub(super) fn endpoint(&self, path: &str) -> Url {
        let mut url = self.url.clone();
        let prefix = self.url.path().trim_end_matches('/');
        url.set_path(&format!("{prefix}{path}"));
        url
    }

    /// Whether the server is called over TLS.
    pub(super) fn is_https(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// Whether the server is on this machine, where no proxy may come between.
    pub fn is_loopback(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        host == "localhost" || ip(host).is_some_and(|ip| ip.is_loopback())
    }
}

impl FromStr for Address {
    type Err = AddressError;

    /// Reads an address by Ollama's rules. An empty text is the default, `127.0.0.1:11434`.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        let spoken = Spoken::from(unquoted(text))?;
        let (authority, path) = spoken.rest.split_once('/').unwrap_or((spoken.rest, ""));
        let (login, host_port) = match authority.rsplit_once('@') {
            Some((login, host_port)) => (Some(login), host_port),
            None => (None, authority),
        };
        let (host, port) = split(host_port, spoken.port);
        let shown = format!("{}://{}:{port}", spoken.scheme, dialled(&host));
        let wrong = || AddressError::Host { host: host.clone() };
        let mut url = Url::parse(&shown).map_err(|_| wrong())?;
        url.set_path(path.trim_end_matches('/'));
        let shown = format!("{shown}{}", url.path().trim_end_matches('/'));
        if let Some(login) = login {
            let (user, password) = login.split_once(':').unwrap_or((login, ""));
            url.set_username(user).map_err(|()| wrong())?;
            url.set_password(Some(password)).map_err(|()| wrong())?;
        }
        Ok(Self { url, shown })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.shown)
    }
}

/// An address taken apart at its scheme.
struct Spoken<'a> {
    scheme: &'static str,
    rest: &'a str,
    port: u16,
}

impl<'a> Spoken<'a> {
    fn from(text: &'a str) -> Result<Self, AddressError> {
        let (scheme, rest, port) = match text.split_once("://") {
            None if text == "ollama.com" => ("https", text, 443),
            None => ("http", text, 11434),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => ("http", rest, 80),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => ("https", rest, 443),
            Some((scheme, _)) => {
                return Err(AddressError::Scheme {
                    scheme: scheme.chars().take(20).collect(),
                });
            }
        };
        Ok(Self { scheme, rest, port })
    }
}

fn unquoted(text: &str) -> &str {
    text.trim().trim_matches(['"', '\'']).trim()
}

/// Host and port. As in Go, whatever does not split cleanly is all host, and a port that is no
/// port gives way to the usual one.
fn split(host_port: &str, usual: u16) -> (String, u16) {
    if let Some((host, port)) = cleanly(host_port) {
        return (host.to_owned(), port.parse().unwrap_or(usual));
    }
    let host = ip(host_port).map_or_else(|| host_port.to_owned(), |ip| ip.to_string());
    (host, usual)
}

/// Go's `net.SplitHostPort`: `host:port` with exactly one colon, or `[ipv6]:port`.
fn cleanly(host_port: &str) -> Option<(&str, &str)> {
    if let Some(inner) = host_port.strip_prefix('[') {
        return inner.split_once("]:");
    }
    let (host, port) = host_port.split_once(':')?;
    (!port.contains(':')).then_some((host, port))
}

/// The host as one calls it: no host and unspecified addresses are this machine.
fn dialled(host: &str) -> String {
    match ip(host) {
        None if host.is_empty() => Ipv4Addr::LOCALHOST.to_string(),
        None => host.to_owned(),
        Some(IpAddr::V4(ip)) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        Some(IpAddr::V6(ip)) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        Some(IpAddr::V4(ip)) => ip.to_string(),
        Some(IpAddr::V6(ip)) => format!("[{ip}]"),
    }
}

fn ip(host: &str) -> Option<IpAddr> {
    host.trim_matches(['[', ']']).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("", "http://127.0.0.1:11434")]
    #[case("1.2.3.4", "http://1.2.3.4:11434")]
    #[case("1.2.3.4:1234", "http://1.2.3.4:1234")]
    #[case(":1234", "http://127.0.0.1:1234")]
    #[case(" 1.2.3.4 ", "http://1.2.3.4:11434")]
    #[case("\"1.2.3.4\"", "http://1.2.3.4:11434")]
    #[case("' localhost:99 '", "http://localhost:99")]
    #[case("example.com", "http://example.com:11434")]
    #[case("example.com:", "http://example.com:11434")]
    #[case("example.com:99999", "http://example.com:11434")]
    #[case("example.com:-1", "http://example.com:11434")]
    #[case("example.com:abc", "http://example.com:11434")]
    #[case("http://example.com", "http://example.com:80")]
    #[case("HTTP://example.com", "http://example.com:80")]
    #[case("http://example.com:99999", "http://example.com:80")]
    #[case("https://example.com", "https://example.com:443")]
    #[case("https://example.com:8443/", "https://example.com:8443")]
    #[case("ollama.com", "https://ollama.com:443")]
    #[case("example.com/ollama", "http://example.com:11434/ollama")]
    #[case("https://example.com/a/b/", "https://example.com:443/a/b")]
    #[case("::1", "http://[::1]:11434")]
    #[case("[::1]", "http://[::1]:11434")]
    #[case("[::1]:1337", "http://[::1]:1337")]
    #[case("0001:002:003:0004::1", "http://[1:2:3:4::1]:11434")]
    #[case("0.0.0.0", "http://127.0.0.1:11434")]
    #[case("http://0.0.0.0:8080", "http://127.0.0.1:8080")]
    #[case("[::]:11434", "http://[::1]:11434")]
    #[case("::", "http://[::1]:11434")]
    fn ollamas_rules(#[case] text: &str, #[case] expected: &str) {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), expected);
    }

    #[rstest]
    #[case("ftp://host", "only `http://`")]
    #[case("a:b:c", "`a:b:c`")]
    #[case("http://user:secret@bad host", "`bad host`")]
    fn what_is_no_address_is_said(#[case] text: &str, #[case] part: &str) {
        let error = text.parse::<Address>().unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_password_is_used_and_never_shown() {
        let address: Address = "https://me:s%40cret@box/ollama".parse().unwrap();
        assert_eq!(address.to_string(), "https://box:443/ollama");
        assert!(!format!("{address:?}").contains("cret"));
        let url = address.endpoint("/api/chat");
        assert_eq!(url.password(), Some("s%40cret"));
        assert_eq!(url.path(), "/ollama/api/chat");
    }

    #[rstest]
    #[case("localhost", true)]
    #[case("127.0.0.9", true)]
    #[case("::1", true)]
    #[case("0.0.0.0", true)]
    #[case("10.0.0.1", false)]
    #[case("box", false)]
    fn this_machine_is_known(#[case] text: &str, #[case] loopback: bool) {
        assert_eq!(text.parse::<Address>().unwrap().is_loopback(), loopback);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in "\\PC{0,40}|[a-z0-9:/@\\[\\].\"' ]{0,30}") {
            let _ = text.parse::<Address>();
        }
    }
}
