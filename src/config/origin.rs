//! Where a value came from, and what is wrong with one.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use crate::base::shown;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// A line of the settings file.
    File {
        /// The file.
        path: Arc<Path>,
        /// From 1.
        line: usize,
        /// In characters, from 1.
        column: usize,
    },
    /// The environment variable with this name.
    Environment(String),
    /// A flag on the command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line, .. } => {
                write!(f, "file {}:{line}", shown(&path.to_string_lossy()))
            }
            Self::Environment(name) => write!(f, "environment {}", shown(name)),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// A value that knows where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

impl<T> Sourced<T> {
    /// A value that a flag gave.
    pub const fn flag(value: T) -> Self {
        Self {
            value,
            origin: Origin::Flag,
        }
    }
}

/// Something wrong with one value of one source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.sentence())]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// The path of the setting (`job.parallel`) as written there; nothing where the file is no TOML.
    pub setting: Option<String>,
    /// What is wrong, with the bad value. May hold outside text.
    pub what: String,
    /// What to do about it.
    pub suggestion: Option<String>,
}

impl Problem {
    fn sentence(&self) -> String {
        let mut text = match &self.origin {
            Origin::File { path, line, column } => {
                format!("{}:{line}:{column}", path.to_string_lossy())
            }
            other => other.to_string(),
        };
        if let Some(setting) = &self.setting {
            text.push_str(": ");
            text.push_str(setting);
        }
        text.push_str(": ");
        text.push_str(&self.what);
        if let Some(suggestion) = &self.suggestion {
            text.push_str("; ");
            text.push_str(suggestion);
        }
        shown(&text)
    }
}
