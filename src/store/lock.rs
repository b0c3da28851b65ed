//! One process works the queue at a time. The operating system's file lock decides which, so a
//! killed owner never leaves a stale one.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::StoreError;

const LOCK: &str = "owner.lock";

/// The right to write, held as long as this value lives.
#[derive(Debug)]
pub struct Ownership {
    _lock: File,
    note: PathBuf,
}

/// What the owner tells others about itself. Advice only: the lock is what counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its process number.
    pub pid: u32,
    /// Where it takes commands on the loopback interface.
    pub port: Option<u16>,
    /// What a command must carry, so that other users of the machine cannot send any.
    pub token: String,
}

impl Ownership {
    /// Takes the lock of the data folder, which is made if missing. `Ok(None)` when another
    /// process has it.
    pub fn take(folder: &Path) -> Result<Option<Self>, StoreError> {
        fs::create_dir_all(folder).map_err(|source| failed("make the folder", folder, source))?;
        let path = folder.join(LOCK);
        let lock = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(&path)
            .map_err(|source| failed("open", &path, source))?;
        match lock.try_lock() {
            Ok(()) => Ok(Some(Self {
                _lock: lock,
                note: note_path(folder),
            })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(failed("lock", &path, source)),
        }
    }

    /// Tells other processes where the owner takes commands. Readable by this user only.
    pub fn announce(&self, owner: &Owner) -> Result<(), StoreError> {
        let text = serde_json::to_string(owner).unwrap_or_default();
        let fresh = self.note.with_extension("new");
        let written = write_private(&fresh, &text).and_then(|()| fs::rename(&fresh, &self.note));
        written.map_err(|source| failed("write", &self.note, source))
    }
}

impl Drop for Ownership {
    fn drop(&mut self) {
        // The note is advice; a leftover one is answered by a refused connection.
        let _ = fs::remove_file(&self.note);
    }
}

impl Owner {
    /// What the present owner announced, if any did.
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_str(&fs::read_to_string(note_path(folder)).ok()?).ok()
    }
}

fn note_path(folder: &Path) -> PathBuf {
    folder.join("owner.json")
}

fn failed(what: &'static str, path: &Path, source: std::io::Error) -> StoreError {
    StoreError::Folder {
        what,
        path: path.to_path_buf(),
        source,
    }
}

fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = File::options();
    options.create(true).write(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    std::io::Write::write_all(&mut options.open(path)?, text.as_bytes())
}
