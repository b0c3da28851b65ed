//! The kinds of values that settings have: how each is read from words and from TOML, and how it
//! is written.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::base::count;
use crate::model::{Hours, Parallel};

/// A value as a source holds it, before it is known what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Raw<'a> {
    /// Words from a flag or an environment variable, where everything is text.
    Words(&'a str),
    /// Text in quotes in a TOML file.
    Quoted(&'a str),
    /// A whole number in a TOML file.
    Whole(i64),
    /// A number with a point in a TOML file, as it is written there.
    Fraction(&'a str),
    /// `true` or `false` in a TOML file.
    Switch(bool),
    /// Anything else in a TOML file, named.
    Other(&'static str),
}

impl Raw<'_> {
    /// That this is not what was wanted.
    pub(super) fn wanted(self, kind: &str, cure: &str) -> Wrong {
        wanted(self, kind, cure)
    }
}

/// What is wrong with a value, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Wrong {
    /// What is wrong, with the bad value.
    pub what: String,
    /// What to write instead.
    pub suggestion: Option<String>,
}

impl Wrong {
    pub(super) fn new(what: impl Into<String>, suggestion: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            suggestion: Some(suggestion.into()),
        }
    }

    fn sentence(&self) -> String {
        match &self.suggestion {
            Some(suggestion) => format!("{}; {suggestion}", self.what),
            None => self.what.clone(),
        }
    }
}

/// A kind of value that a setting can have.
pub trait Value: Sized {
    /// What a setting may demand of it.
    type Limits;

    /// Reads it, within the limits.
    ///
    /// # Errors
    /// What is wrong with it, and what to write instead.
    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Wrong>;

    /// As a TOML file writes it, without secrets; `None` where there is nothing to write.
    fn written(&self) -> Option<String>;
}

/// Reads the words of a flag within the limits of its setting.
///
/// # Errors
/// What is wrong with them, and what to write instead.
pub fn parse<T: Value>(text: &str, limits: &T::Limits) -> Result<T, Wrong> {
    T::read(Raw::Words(text), limits)
}

/// The address of a server exactly as given. It may hold a password, so what is shown of it
/// leaves user and password out.
#[derive(Clone, PartialEq, Eq)]
pub struct Address(String);

impl Address {
    /// The address in these words; `inference` reads them by Ollama's rules for `OLLAMA_HOST`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The words as given, secrets included: for connecting, never for showing.
    pub fn as_given(&self) -> &str {
        &self.0
    }

    /// Whether something is left out when it is shown.
    pub fn has_secrets(&self) -> bool {
        self.0.contains('@')
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Up to the last `@`: a password with a `/` in it must not be taken for a path.
        let Some((secret, host)) = self.0.rsplit_once('@') else {
            return f.write_str(&self.0);
        };
        let schemes = ["http://", "https://"];
        let scheme = schemes.iter().find(|scheme| secret.starts_with(**scheme));
        write!(f, "{}{host}", scheme.unwrap_or(&""))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Value for Address {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        text(raw).map(|text| Self(text.to_owned()))
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

impl Value for String {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        text(raw).map(str::to_owned)
    }

    fn written(&self) -> Option<String> {
        Some(quoted(self))
    }
}

impl<T: Value> Value for Option<T> {
    type Limits = T::Limits;

    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Wrong> {
        T::read(raw, limits).map(Some)
    }

    fn written(&self) -> Option<String> {
        self.as_ref().and_then(Value::written)
    }
}

impl Value for u32 {
    type Limits = RangeInclusive<Self>;

    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Wrong> {
        let number = match raw {
            Raw::Whole(number) => number,
            Raw::Words(words) => words
                .trim()
                .parse()
                .map_err(|_| wanted(raw, "a whole number", "write digits only"))?,
            Raw::Quoted(_) => {
                return Err(wanted(raw, "a whole number", "write it without quotes"));
            }
            _ => return Err(wanted(raw, "a whole number", "write digits only")),
        };
        Self::try_from(number)
            .ok()
            .filter(|number| limits.contains(number))
            .ok_or_else(|| {
                let (least, most) = (
                    count((*limits.start()).into()),
                    count((*limits.end()).into()),
                );
                Wrong {
                    what: format!("`{number}` is not between {least} and {most}"),
                    suggestion: None,
                }
            })
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for Parallel {
    type Limits = RangeInclusive<u32>;

    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Wrong> {
        if let Raw::Words(word) | Raw::Quoted(word) = raw
            && word.trim() == Self::AUTO
        {
            return Ok(Self::Auto);
        }
        u32::read(raw, limits)
            .map(Self::Fixed)
            .map_err(|wrong| Wrong {
                suggestion: Some(wrong.suggestion.map_or_else(
                    || "or write `auto`".to_owned(),
                    |cure| format!("{cure}, or `auto`"),
                )),
                ..wrong
            })
    }

    fn written(&self) -> Option<String> {
        Some(match self {
            Self::Auto => quoted(Self::AUTO),
            Self::Fixed(lanes) => lanes.to_string(),
        })
    }
}

impl Value for Duration {
    type Limits = RangeInclusive<Self>;

    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Wrong> {
        const CURE: &str = "write a number with its unit, such as `30s`, `10m` or `1h 30m`";
        let (Raw::Words(text) | Raw::Quoted(text)) = raw else {
            return Err(wanted(
                raw,
                "a length of time",
                &format!("{CURE}, in quotes"),
            ));
        };
        let length = humantime::parse_duration(text.trim())
            .map_err(|_| wanted(raw, "a length of time", CURE))?;
        if limits.contains(&length) {
            return Ok(length);
        }
        let written = humantime::format_duration;
        Err(Wrong {
            what: format!(
                "`{text}` is not between {} and {}",
                written(*limits.start()),
                written(*limits.end())
            ),
            suggestion: None,
        })
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&humantime::format_duration(*self).to_string()))
    }
}

impl Value for bool {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        const CURE: &str = "write `true` or `false`";
        match raw {
            Raw::Switch(on) => Ok(on),
            Raw::Words(words) => match words.trim().to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok(true),
                "false" | "no" | "off" | "0" => Ok(false),
                _ => Err(wanted(raw, "a switch", CURE)),
            },
            _ => Err(wanted(raw, "a switch", &format!("{CURE}, without quotes"))),
        }
    }

    fn written(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Value for Hours {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        const CURE: &str = "write two times of the day, such as `22:00-07:00`";
        let text = text(raw)?;
        text.parse()
            .map_err(|_| wanted(raw, "a stretch of the day", CURE))
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.to_string()))
    }
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// All of them, in the order they are listed.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The one with this word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }

        impl Value for $name {
            type Limits = ();

            fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
                let word = text(raw)?;
                Self::from_word(word).ok_or_else(|| {
                    one_of(word, &[$($word),*])
                })
            }

            fn written(&self) -> Option<String> {
                Some(quoted(self.word()))
            }
        }
    };
}

words! {
    /// Whether output is coloured.
    Color {
        /// Where it is read on a terminal that can show it.
        Auto = "auto",
        /// Everywhere.
        Always = "always",
        /// Nowhere.
        Never = "never",
    }
}

/// Whether everything is drawn with ASCII characters only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ascii {
    /// Where the locale says that the terminal shows nothing else.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Value for Ascii {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        if let Raw::Words(word) | Raw::Quoted(word) = raw
            && word.trim() == "auto"
        {
            return Ok(Self::Auto);
        }
        match bool::read(raw, &()) {
            Ok(true) => Ok(Self::Always),
            Ok(false) => Ok(Self::Never),
            Err(_) => Err(wanted(
                raw,
                "a switch",
                "write `true`, `false` or `\"auto\"`",
            )),
        }
    }

    fn written(&self) -> Option<String> {
        Some(match self {
            Self::Auto => quoted("auto"),
            Self::Always => true.to_string(),
            Self::Never => false.to_string(),
        })
    }
}

words! {
    /// How the connection to a mail server is kept secret.
    SmtpSecurity {
        /// TLS from the start, usually at port 465.
        Tls = "tls",
        /// TLS after the greeting and never without, usually at port 587.
        StartTls = "starttls",
        /// Not at all, usually at port 25: for a server on this machine.
        Plain = "none",
    }
}

words! {
    /// What goes to the log file: each level takes in those before it.
    LogLevel {
        /// What failed.
        Error = "error",
        /// What may fail soon.
        Warn = "warn",
        /// What happened.
        Info = "info",
        /// Why it happened.
        Debug = "debug",
        /// Everything.
        Trace = "trace",
    }
}

pub(super) fn text(raw: Raw<'_>) -> Result<&str, Wrong> {
    let (Raw::Words(text) | Raw::Quoted(text)) = raw else {
        return Err(wanted(raw, "text", "write it in quotes"));
    };
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err(Wrong::new(
            "is empty",
            "leave it out where nothing is meant",
        ));
    }
    Ok(trimmed)
}

fn wanted(raw: Raw<'_>, kind: &str, cure: &str) -> Wrong {
    let value = match raw {
        Raw::Words(text) | Raw::Quoted(text) => format!("`{}`", super::suggest::brief(text)),
        Raw::Whole(number) => format!("`{number}`"),
        Raw::Fraction(digits) => format!("`{}`", super::suggest::brief(digits)),
        Raw::Switch(on) => format!("`{on}`"),
        Raw::Other(name) => name.to_owned(),
    };
    Wrong::new(format!("{value} is not {kind}"), cure)
}

pub(super) fn one_of(word: &str, words: &[&str]) -> Wrong {
    let list = words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ");
    let suggestion = super::suggest::nearest(word, words.iter().copied())
        .map(|near| format!("did you mean `{near}`?"));
    Wrong {
        what: format!("`{}` is none of {list}", super::suggest::brief(word)),
        suggestion,
    }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
