//! The environment variables that mean something, read once.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::PathBuf;

use super::origin::{Origin, Problem, Sourced};
use super::secret::{Secret, SecretError};
use super::settings::{KEYS, Layer};
use super::suggest::nearest;
use super::value::{Address, Ascii, Raw, Wrong, parse};

const PREFIX: &str = "BATCHTOP_";
const DATA_DIR: &str = "BATCHTOP_DATA_DIR";
const CONFIG: &str = "BATCHTOP_CONFIG";
const KILL_AT: &str = "BATCHTOP_KILL_AT";
const OLLAMA_HOST: &str = "OLLAMA_HOST";
const NO_COLOR: &str = "NO_COLOR";
const CLICOLOR_FORCE: &str = "CLICOLOR_FORCE";
const TERM: &str = "TERM";
const COLORTERM: &str = "COLORTERM";
const DISPLAY: &str = "DISPLAY";
const WAYLAND_DISPLAY: &str = "WAYLAND_DISPLAY";
/// What names the locale of characters, the strongest first (POSIX, "Environment Variables").
const LOCALE: [&str; 3] = ["LC_ALL", "LC_CTYPE", "LANG"];
const OTHERS: [&str; 7] = [
    OLLAMA_HOST,
    NO_COLOR,
    CLICOLOR_FORCE,
    TERM,
    COLORTERM,
    DISPLAY,
    WAYLAND_DISPLAY,
];
/// The address of the webhook: no setting, because settings are printed.
const WEBHOOK: &str = "BATCHTOP_NOTIFY_WEBHOOK";
/// The password for the mail server: no setting either.
const SMTP_PASSWORD: &str = "BATCHTOP_NOTIFY_SMTP_PASSWORD";

/// The environment variables that mean something to the program. Those that are empty count as
/// not set. Shown without their values, among which are secrets.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, OsString>);

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Environment {
    /// That of this process: the one place that asks for it.
    pub fn of_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
            .collect()
    }

    /// The data folder it names.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.0.get(DATA_DIR).map(PathBuf::from)
    }

    /// The settings file it names.
    pub fn config(&self) -> Option<PathBuf> {
        self.0.get(CONFIG).map(PathBuf::from)
    }

    /// Where tests want the process to end, as `docs/TESTING.md` describes it.
    pub fn kill_at(&self) -> Option<&OsStr> {
        self.0.get(KILL_AT).map(OsString::as_os_str)
    }

    /// The address of the webhook.
    pub fn webhook(&self) -> Result<Option<Secret>, SecretError> {
        self.secret(WEBHOOK)
    }

    /// The password for the mail server.
    pub fn smtp_password(&self) -> Result<Option<Secret>, SecretError> {
        self.secret(SMTP_PASSWORD)
    }

    fn secret(&self, name: &'static str) -> Result<Option<Secret>, SecretError> {
        let value = self.0.get(name);
        let secret = value.map(|value| {
            let text = value.to_str().ok_or(SecretError::NoText { name })?;
            Ok(Secret::new(text))
        });
        secret.transpose()
    }

    /// Whether there is a desktop on which something could appear, as X11 and Wayland say it.
    /// Systems of other kinds always have one.
    pub fn has_desktop(&self) -> bool {
        let names = [DISPLAY, WAYLAND_DISPLAY];
        !cfg!(all(unix, not(target_os = "macos")))
            || names.iter().any(|name| self.0.contains_key(*name))
    }

    /// Whether it asks for no colour (<https://no-color.org>).
    pub fn no_color(&self) -> bool {
        self.0.contains_key(NO_COLOR)
    }

    /// Whether it asks for colour even where there is no terminal (<https://bixense.com/clicolors>).
    pub fn forces_color(&self) -> bool {
        self.0
            .get(CLICOLOR_FORCE)
            .is_some_and(|value| value != OsStr::new("0"))
    }

    /// Whether the terminal says that it can show nothing but text.
    pub fn has_dumb_terminal(&self) -> bool {
        self.0.get(TERM).is_some_and(|value| value == "dumb")
    }

    /// Whether only ASCII is to be drawn: what `choice` says, or else the locale. C, POSIX, and
    /// those that name another encoding than UTF-8 have nothing else in common with a terminal.
    /// Without any locale UTF-8 is taken: containers and services have none, and the terminals
    /// in front of them show it.
    pub fn draws_ascii(&self, choice: Ascii) -> bool {
        match choice {
            Ascii::Always => return true,
            Ascii::Never => return false,
            Ascii::Auto => {}
        }
        let locale = LOCALE.iter().find_map(|name| self.0.get(*name));
        let Some(locale) = locale.map(|value| value.to_string_lossy()) else {
            return false;
        };
        let locale = locale.split('@').next().unwrap_or_default();
        match locale.split_once('.') {
            None => matches!(locale, "C" | "POSIX"),
            Some((_, encoding)) => {
                let encoding = encoding.to_ascii_lowercase();
                !matches!(encoding.as_str(), "utf-8" | "utf8")
            }
        }
    }

    /// What the variable for it says, before the settings are read; a wrong one is told then.
    pub fn ascii(&self) -> Ascii {
        let words = self.words("BATCHTOP_ASCII").ok().flatten();
        let choice = words.and_then(|words| parse(words, &()).ok());
        choice.unwrap_or(Ascii::Auto)
    }

    /// Whether the terminal says that it shows all colours.
    pub fn has_true_color(&self) -> bool {
        let says = |value: &OsString| value == "truecolor" || value == "24bit";
        self.0.get(COLORTERM).is_some_and(says)
    }

    /// Whether the terminal says that it shows 256 colours.
    pub fn has_256_colors(&self) -> bool {
        let says = |value: &OsString| value.to_string_lossy().contains("256color");
        self.0.get(TERM).is_some_and(says)
    }

    /// What the `BATCHTOP_…` variables say, and all that is wrong with them.
    pub(super) fn layer(&self) -> (Layer, Vec<Problem>) {
        let mut layer = Layer::default();
        let mut problems = Vec::new();
        for key in KEYS {
            let origin = Origin::Environment(key.variable.to_owned());
            let set = self.words(key.variable).and_then(|words| match words {
                Some(words) => layer.set(key.path, Raw::Words(words), origin.clone()),
                None => Ok(()),
            });
            if let Err(wrong) = set {
                problems.push(problem(key.variable, Some(key.path), wrong));
            }
        }
        (layer, problems)
    }

    /// The server that `OLLAMA_HOST` names, as raw text: Ollama has its own rules for it.
    pub(super) fn ollama(&self) -> (Layer, Option<Problem>) {
        let mut layer = Layer::default();
        match self.words(OLLAMA_HOST) {
            Ok(words) => {
                layer.server = words.map(|words| Sourced {
                    value: Address::new(words),
                    origin: Origin::Environment(OLLAMA_HOST.to_owned()),
                });
                (layer, None)
            }
            Err(wrong) => (layer, Some(problem(OLLAMA_HOST, None, wrong))),
        }
    }

    /// The `BATCHTOP_…` variables that mean nothing.
    pub(super) fn unknown(&self) -> Vec<Problem> {
        let known = || {
            let settings = KEYS.iter().map(|key| key.variable);
            settings.chain([DATA_DIR, CONFIG, WEBHOOK, SMTP_PASSWORD])
        };
        self.0
            .keys()
            .filter(|name| name.starts_with(PREFIX) && *name != KILL_AT)
            .filter(|name| !known().any(|one| one == name.as_str()))
            .map(|name| Problem {
                origin: Origin::Environment(name.clone()),
                setting: None,
                what: "means nothing and is ignored".to_owned(),
                suggestion: nearest_variable(name, known())
                    .map(|near| format!("did you mean `{near}`?")),
            })
            .collect()
    }

    fn words(&self, name: &str) -> Result<Option<&str>, Wrong> {
        self.0.get(name).map_or(Ok(None), |value| {
            value
                .to_str()
                .map(Some)
                .ok_or_else(|| Wrong::new("is not UTF-8 text", "set it again or unset it"))
        })
    }
}

impl<N: Into<String>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let pairs = pairs
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self(
            pairs
                .filter(|(name, _)| {
                    let name = name.as_str();
                    name.starts_with(PREFIX) || OTHERS.contains(&name) || LOCALE.contains(&name)
                })
                .filter(|(_, value)| !value.is_empty())
                .collect(),
        )
    }
}

/// Compared without the prefix, or one slip for every three letters of it would be forgiven too.
fn nearest_variable<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<String> {
    let word = name.strip_prefix(PREFIX)?.to_lowercase();
    let known: Vec<String> = known
        .filter_map(|one| Some(one.strip_prefix(PREFIX)?.to_lowercase()))
        .collect();
    let near = nearest(&word, known.iter().map(String::as_str))?;
    Some(format!("{PREFIX}{}", near.to_uppercase()))
}

fn problem(variable: &str, path: Option<&str>, wrong: Wrong) -> Problem {
    Problem {
        origin: Origin::Environment(variable.to_owned()),
        setting: path.map(str::to_owned),
        what: wrong.what,
        suggestion: wrong.suggestion,
    }
}
