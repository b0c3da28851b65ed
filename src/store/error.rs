//! What can go wrong with the database, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use thiserror::Error;

/// An error of the store. Each says what was tried on which file.
#[derive(Debug, Error)]
pub enum StoreError {
    /// A newer batchtop wrote the file.
    #[error(
        "the database `{path}` has format {found}, and this batchtop knows formats up to {known}"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// The newest format known here.
        known: i64,
    },
    /// The file is damaged or is no database.
    #[error("the database `{path}` is damaged or is no database: {detail}")]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The file or its folder cannot be written.
    #[error("the database `{path}` cannot be written: {detail}")]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// No room is left on the disk.
    #[error("no room is left for the database `{path}`: {detail}")]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// Another program holds the file.
    #[error("another program holds the database `{path}`: {detail}")]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The folder of the data cannot be used.
    #[error("cannot {what} `{path}`: {source}")]
    Folder {
        /// What was tried.
        what: &'static str,
        /// On which file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No job has that number.
    #[error("there is no job {0}")]
    NoJob(i64),
    /// A row does not hold what it must.
    #[error("the database holds something unreadable: {0}")]
    Unreadable(String),
    /// Anything else that SQLite reports.
    #[error("the database `{path}` failed: {detail}")]
    Other {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        detail: String,
    },
    /// The writing thread has ended.
    #[error("the writer of the database has stopped")]
    Stopped,
}

impl StoreError {
    /// Sorts an error of SQLite.
    pub(super) fn from_sqlite(error: &rusqlite::Error, path: &Path) -> Self {
        let (path, detail) = (path.to_path_buf(), error.to_string());
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, detail }
            }
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                Self::ReadOnly { path, detail }
            }
            // A write beyond a file-size limit or to a lost disk arrives as an I/O error, and may
            // be gone when the disk is back.
            Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => Self::Full { path, detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                Self::Busy { path, detail }
            }
            _ => Self::Other { path, detail },
        }
    }

    /// What to do about it, where something can be done.
    pub const fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Newer { .. } => Some("use the newer batchtop, or another `--data-dir`"),
            Self::Corrupt { .. } => Some(
                "nothing was changed; put a backup in its place, or move the file away and start \
                 with an empty queue",
            ),
            Self::ReadOnly { .. } => {
                Some("make the folder and its files writable, or name another with `--data-dir`")
            }
            Self::Full { .. } => Some("free some room; what is stored is safe"),
            Self::Busy { .. } => Some("close the other program and try again"),
            Self::Folder { .. } => Some("name another folder with `--data-dir`"),
            Self::NoJob(_) => Some("`batchtop jobs` lists them"),
            Self::Unreadable(_) | Self::Other { .. } | Self::Stopped => None,
        }
    }

    /// Whether it may go away by itself or by the user's doing, so that waiting makes sense.
    pub const fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::ReadOnly { .. } | Self::Full { .. } | Self::Busy { .. }
        )
    }
}
