//! The ways that are switched on, with the secrets they need.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::delivery::{Failed, Patience, once, repeatedly};
use super::desktop;
use super::mail::Mail;
use super::notice::Notice;
use super::webhook::Webhook;
use crate::base::Alert;
use crate::config::{Environment, Secret, SecretError, SecretFile, Settings};

/// How notices are told.
#[derive(Debug, Clone, Default)]
pub struct Ways {
    bell: bool,
    osc9: bool,
    /// The desktop was asked for, and there is none.
    misses_desktop: bool,
    others: Vec<Way>,
}

/// One way out of the process.
#[derive(Debug, Clone)]
pub(super) enum Way {
    Desktop,
    Webhook(Arc<Webhook>),
    Mail(Arc<Mail>),
}

/// Why a way that is switched on cannot be used. Holds no secret.
#[derive(Debug, thiserror::Error)]
pub enum WaysError {
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The webhook's secret is no address.
    #[error("the address of the webhook does not begin with `http://` or `https://` and a host")]
    NoAddress,
    /// E-mail needs a setting that is not there.
    #[error("{setting} is not set, and e-mail needs it")]
    Missing {
        /// The setting.
        setting: &'static str,
    },
    /// What should be an address of e-mail is none.
    #[error("`{value}` of {setting} is no address of e-mail")]
    NoMailbox {
        /// The setting.
        setting: &'static str,
        /// Its value.
        value: String,
    },
    /// There is a user for the mail server and no password.
    #[error("notify.smtp_user is set, and there is no password")]
    NoPassword,
    /// The password would go over the network for all to read.
    #[error("a password is not sent to another machine without TLS")]
    PlainPassword,
    /// Encrypted connections cannot be made on this machine.
    #[error("encrypted connections cannot be made: {0}")]
    Tls(String),
}

/// How the test of one way went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The word for the way.
    pub way: &'static str,
    /// How it went.
    pub went: Went,
}

/// How it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// It was taken.
    Well,
    /// It was not tried, and why.
    LeftOut(&'static str),
    /// It failed, and how.
    Failed(String),
}

impl Ways {
    /// Those that settings and environment switch on. Files of secrets that are named without a
    /// folder are in this one.
    pub fn of(
        settings: &Settings,
        environment: &Environment,
        folder: &Path,
    ) -> Result<Self, WaysError> {
        let mut others = Vec::new();
        let has_desktop = environment.has_desktop();
        if settings.notify_desktop && has_desktop {
            others.push(Way::Desktop);
        }
        let address = match environment.webhook()? {
            Some(address) => Some(address),
            None => secret_file(settings.webhook_file.as_ref(), folder)?,
        };
        if let Some(address) = address {
            others.push(Way::Webhook(Arc::new(Webhook::new(&address)?)));
        }
        if let Some(mail) = Mail::of(settings, environment, folder)? {
            others.push(Way::Mail(Arc::new(mail)));
        }
        Ok(Self {
            bell: settings.notify_bell,
            osc9: settings.notify_osc9 && !environment.has_dumb_terminal(),
            misses_desktop: settings.notify_desktop && !has_desktop,
            others,
        })
    }

    /// Whether nothing would be told at all.
    pub fn are_none(&self) -> bool {
        !self.bell && !self.osc9 && self.others.is_empty()
    }

    /// What the terminal is asked to do for a notice, if anything.
    pub fn alert(&self, notice: &Notice) -> Option<Alert> {
        Alert::new(self.bell, self.osc9.then_some(notice.title.as_str()))
    }

    /// Tries each way but the terminal once.
    pub async fn test(&self, notice: &Notice, limit: Duration) -> Vec<Trial> {
        let mut trials = Vec::new();
        if self.misses_desktop {
            let went = Went::LeftOut("there is no desktop here");
            trials.push(Trial {
                way: Way::Desktop.word(),
                went,
            });
        }
        for way in &self.others {
            let result = once(limit, way.tell(notice)).await;
            let went = result.map_or_else(|failed| Went::Failed(failed.what), |()| Went::Well);
            trials.push(Trial {
                way: way.word(),
                went,
            });
        }
        trials
    }

    /// Those that lead out of the process.
    pub(super) fn out(&self) -> &[Way] {
        &self.others
    }
}

impl Way {
    /// The word for it.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Webhook(_) => "webhook",
            Self::Mail(_) => "e-mail",
        }
    }

    /// Tells it, trying again where that may help.
    pub(super) async fn deliver(&self, notice: &Notice, patience: Patience) -> Result<(), Failed> {
        repeatedly(patience, || self.tell(notice)).await
    }

    async fn tell(&self, notice: &Notice) -> Result<(), Failed> {
        match self {
            Self::Desktop => desktop::show(notice).await,
            Self::Webhook(webhook) => webhook.post(notice).await,
            Self::Mail(mail) => mail.send(notice).await,
        }
    }
}

impl WaysError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Secret(error) => error.hint(),
            Self::NoAddress => "write it like `https://HOST/PATH`".to_owned(),
            Self::Missing { setting } => {
                format!("set {setting}, or leave notify.smtp_host out")
            }
            Self::NoMailbox { .. } => "write it like `me@example.com`".to_owned(),
            Self::NoPassword => "notify.smtp_password_file names a file that holds it, or \
                                 BATCHTOP_NOTIFY_SMTP_PASSWORD is it"
                .to_owned(),
            Self::PlainPassword => "set notify.smtp_security to `tls` or `starttls`".to_owned(),
            Self::Tls(_) => {
                "install the certificates of this system (`ca-certificates`)".to_owned()
            }
        }
    }
}

/// The secret in a file that a setting names.
pub(super) fn secret_file(
    file: Option<&SecretFile>,
    folder: &Path,
) -> Result<Option<Secret>, SecretError> {
    let path = file.map(|file| folder.join(file.path()));
    path.map(|path| Secret::of_file(&path)).transpose()
}
