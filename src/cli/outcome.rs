//! How a command ended, and what the process says and returns.

use super::say::{Say, SayError};
use crate::config::{FileError, PathError};
use crate::control::ControlError;
use crate::engine::{AdmitError, EngineError};
use crate::intake::OpenError;
use crate::model::CommandError;
use crate::notify::WaysError;
use crate::report::ReportError;
use crate::store::{FindError, StoreError};

/// How a command ended that could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// All done.
    Done,
    /// Finished, but some requests failed.
    SomeFailed,
    /// Interrupted by a signal; it can go on later.
    Interrupted,
}

impl End {
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command could not run.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something is wrong: what, and what to do.
    Wrong(String, Option<String>),
    /// All that is wrong was said already.
    Said,
    /// Nobody reads the output any more, which is no error.
    BrokenPipe,
}

/// What every command returns.
pub(super) type Outcome = Result<End, Trouble>;

impl Trouble {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Wrong(what.into(), Some(hint.into()))
    }

    /// Says it and returns the exit code.
    pub(super) fn tell<O: std::io::Write, E: std::io::Write>(self, say: &mut Say<O, E>) -> u8 {
        match self {
            Self::Wrong(what, hint) => {
                say.error(&what);
                if let Some(hint) = hint {
                    say.hint(&hint);
                }
                2
            }
            Self::Said => 2,
            Self::BrokenPipe => 0,
        }
    }
}

impl From<SayError> for Trouble {
    fn from(error: SayError) -> Self {
        match error {
            SayError::BrokenPipe => Self::BrokenPipe,
            SayError::Output(_) => Self::Wrong(error.to_string(), None),
        }
    }
}

impl From<StoreError> for Trouble {
    fn from(error: StoreError) -> Self {
        Self::Wrong(error.to_string(), error.hint().map(str::to_owned))
    }
}

impl From<EngineError> for Trouble {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Store(error) => error.into(),
            error => Self::Wrong(error.to_string(), None),
        }
    }
}

impl From<FindError> for Trouble {
    fn from(error: FindError) -> Self {
        match error {
            FindError::Store(error) => error.into(),
            FindError::None(_) => Self::new(error.to_string(), "`batchtop jobs` lists them"),
            FindError::Several { .. } => Self::new(error.to_string(), "use the number"),
        }
    }
}

impl From<OpenError> for Trouble {
    fn from(error: OpenError) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}

impl From<AdmitError> for Trouble {
    fn from(error: AdmitError) -> Self {
        match error {
            AdmitError::Open(error) => error.into(),
            AdmitError::Store(error) => error.into(),
            AdmitError::Changed => Self::new(
                error.to_string(),
                "wait until it is written completely, then start again",
            ),
            error => Self::Wrong(error.to_string(), None),
        }
    }
}

impl From<CommandError> for Trouble {
    fn from(error: CommandError) -> Self {
        Self::Wrong(error.message, error.hint)
    }
}

impl From<ControlError> for Trouble {
    fn from(error: ControlError) -> Self {
        Self::new(
            error.to_string(),
            "stop that process, or wait until it has ended",
        )
    }
}

impl From<ReportError> for Trouble {
    fn from(error: ReportError) -> Self {
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::BrokenPipe => Self::BrokenPipe,
            error @ ReportError::File { .. } => Self::new(
                error.to_string(),
                "the answers are safe in the queue: `batchtop export` writes them elsewhere",
            ),
        }
    }
}

impl From<WaysError> for Trouble {
    fn from(error: WaysError) -> Self {
        Self::new(error.to_string(), error.hint())
    }
}

impl From<PathError> for Trouble {
    fn from(error: PathError) -> Self {
        Self::Wrong(error.to_string(), None)
    }
}

impl From<FileError> for Trouble {
    fn from(error: FileError) -> Self {
        Self::Wrong(error.to_string(), None)
    }
}
