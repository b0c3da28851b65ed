//! Notices by e-mail.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Mailboxes, MessageBuilder};
use lettre::transport::smtp::AsyncSmtpTransportBuilder;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

use super::delivery::Failed;
use super::notice::Notice;
use super::ways::{WaysError, secret_file};
use crate::base::shown;
use crate::config::{Environment, Settings, SmtpSecurity};

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// A mail server and who writes to whom.
pub(super) struct Mail {
    transport: Transport,
    host: String,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// The mail that the settings describe; `None` where they name no server.
    pub(super) fn of(
        settings: &Settings,
        environment: &Environment,
        folder: &Path,
    ) -> Result<Option<Self>, WaysError> {
        let Some(host) = settings.smtp_host.clone() else {
            return Ok(None);
        };
        let from = named(settings.smtp_from.as_deref(), "notify.smtp_from")?;
        let to = named(settings.smtp_to.as_deref(), "notify.smtp_to")?;
        let no_address = |setting, value: &str| WaysError::NoMailbox {
            setting,
            value: value.to_owned(),
        };
        let mail = Self {
            transport: transport(&host, settings, credentials(settings, environment, folder)?)?,
            host,
            from: from
                .parse()
                .map_err(|_| no_address("notify.smtp_from", from))?,
            to: to
                .parse::<Mailboxes>()
                .map_err(|_| no_address("notify.smtp_to", to))?
                .into(),
        };
        Ok(Some(mail))
    }

    /// Sends it once. What may pass is a server that says so (400 to 499) and a connection that
    /// fails. Of what the server says, only the number is repeated: the rest may hold anything,
    /// the password included.
    pub(super) async fn send(&self, notice: &Notice) -> Result<(), Failed> {
        let message = self
            .message(notice)
            .map_err(|error| Failed::for_good(format!("no message can be made: {error}")))?;
        let sent = self.transport.send(message).await;
        sent.map(|_| ()).map_err(|error| self.failed(&error))
    }

    fn message(&self, notice: &Notice) -> Result<Message, lettre::error::Error> {
        let start = Message::builder().from(self.from.clone());
        let to = self.to.iter().cloned();
        to.fold(start, MessageBuilder::to)
            .subject(format!("batchtop: {}", notice.title))
            .header(ContentType::TEXT_PLAIN)
            .body(format!(
                "{}\r\n\r\n{}\r\n",
                notice.text,
                notice.at.rfc3339()
            ))
    }

    fn failed(&self, error: &Error) -> Failed {
        if let Some(status) = error.status() {
            return Failed {
                what: format!("{self} answered {status}"),
                may_pass: error.is_transient(),
            };
        }
        if error.is_response() || error.is_client() {
            return Failed::for_good(format!("{self} does not take mail in this way"));
        }
        Failed::for_now(format!("{self}: {}", shown(&error.to_string())))
    }
}

impl fmt::Display for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(&self.host))
    }
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mail({self})")
    }
}

fn named<'a>(value: Option<&'a str>, setting: &'static str) -> Result<&'a str, WaysError> {
    value.ok_or(WaysError::Missing { setting })
}

fn credentials(
    settings: &Settings,
    environment: &Environment,
    folder: &Path,
) -> Result<Option<Credentials>, WaysError> {
    let Some(user) = settings.smtp_user.clone() else {
        return Ok(None);
    };
    let password = match environment.smtp_password()? {
        Some(password) => Some(password),
        None => secret_file(settings.smtp_password_file.as_ref(), folder)?,
    };
    let password = password.ok_or(WaysError::NoPassword)?;
    Ok(Some(Credentials::new(user, password.reveal().to_owned())))
}

fn transport(
    host: &str,
    settings: &Settings,
    credentials: Option<Credentials>,
) -> Result<Transport, WaysError> {
    let tls = |error: Error| WaysError::Tls(error.to_string());
    let mut builder: AsyncSmtpTransportBuilder = match settings.smtp_security {
        SmtpSecurity::Tls => Transport::relay(host).map_err(tls)?,
        SmtpSecurity::StartTls => Transport::starttls_relay(host).map_err(tls)?,
        SmtpSecurity::Plain if credentials.is_some() && !is_this_machine(host) => {
            return Err(WaysError::PlainPassword);
        }
        SmtpSecurity::Plain => Transport::builder_dangerous(host),
    };
    if let Some(port) = settings.smtp_port.and_then(|port| u16::try_from(port).ok()) {
        builder = builder.port(port);
    }
    if let Some(credentials) = credentials {
        builder = builder.credentials(credentials);
    }
    Ok(builder.build())
}

fn is_this_machine(host: &str) -> bool {
    let ip = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
