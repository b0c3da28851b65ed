//! Opening the file, its settings, and the steps from one format to the next.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::kill_point::Side;
use super::{KillPoint, StoreError};

/// One step of the format each; a released one is never edited.
const MIGRATIONS: &[&str] = &[
    include_str!("../../assets/sql/0001_start.sql"),
    include_str!("../../assets/sql/0002_readings.sql"),
    include_str!("../../assets/sql/0003_conversation.sql"),
    include_str!("../../assets/sql/0004_profile.sql"),
    include_str!("../../assets/sql/0005_measurement.sql"),
    include_str!("../../assets/sql/0006_failed_class.sql"),
    include_str!("../../assets/sql/0007_ran_on.sql"),
    include_str!("../../assets/sql/0008_prompt.sql"),
];

/// Shared texts kept in memory for claims: a job has few of them.
const CACHED_TEXTS: usize = 64;

/// The database, open for writing. There is one in a process, and one process at a time.
#[derive(Debug)]
pub struct Store {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) texts: TextCache,
    kill: Option<KillPoint>,
}

impl Store {
    /// The name of the file in the data folder.
    pub const FILE: &'static str = "queue.db";

    /// Opens the database of the data folder, makes it if missing, and brings an older format up
    /// to date. A newer or damaged file is refused and left as it is.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_until(folder, None)
    }

    /// The same; the process ends at `kill`, if one is named.
    pub fn open_until(folder: &Path, mut kill: Option<KillPoint>) -> Result<Self, StoreError> {
        let path = folder.join(Self::FILE);
        let sorted = |error: rusqlite::Error| StoreError::from_sqlite(&error, &path);
        let mut connection = Connection::open(&path).map_err(sorted)?;
        let found = version(&connection).map_err(sorted)?;
        refuse_newer(found, &path)?;
        configure(&connection).map_err(sorted)?;
        migrate(&mut connection, found, &mut kill).map_err(sorted)?;
        Ok(Self {
            connection,
            path,
            texts: TextCache::default(),
            kill,
        })
    }

    /// Runs `work`, which writes things of these kinds, in one transaction, which is on disk when
    /// this returns `Ok`.
    pub(super) fn group<T>(
        &mut self,
        kinds: &[&str],
        work: impl FnOnce(&Transaction<'_>, &mut TextCache) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let committed = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let result = work(&transaction, &mut self.texts)?;
                commit(transaction, kinds, &mut self.kill).map(|()| result)
            });
        committed.map_err(|error| StoreError::from_sqlite(&error, &self.path))
    }
}

/// Whether the file is of an older format.
pub(super) fn is_older(folder: &Path) -> Result<bool, StoreError> {
    let path = folder.join(Store::FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let found = Connection::open_with_flags(&path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(5))?;
        version(&connection)
    });
    let found = found.map_err(|error| StoreError::from_sqlite(&error, &path))?;
    Ok((1..MIGRATIONS.len() as i64).contains(&found))
}

/// Opens the file for reading only; `None` when it is so new that nothing is in it. A folder that
/// cannot be written is no obstacle as long as no writer left a log behind.
pub(super) fn open_read_only(folder: &Path) -> Result<Option<Connection>, StoreError> {
    let path = folder.join(Store::FILE);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let opened = Connection::open_with_flags(&path, flags).and_then(|connection| {
        connection.busy_timeout(Duration::from_secs(5))?;
        connection.set_prepared_statement_cache_capacity(64);
        version(&connection).map(|found| (connection, found))
    });
    let (connection, found) = opened.map_err(|error| StoreError::from_sqlite(&error, &path))?;
    refuse_newer(found, &path)?;
    Ok((found > 0).then_some(connection))
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    connection.pragma_update(None, "journal_mode", "wal")?;
    // An answer that was acknowledged must survive a power cut.
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "cache_size", -16_000)?;
    connection.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    connection.pragma_update(None, "journal_size_limit", 64 << 20)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn refuse_newer(found: i64, path: &Path) -> Result<(), StoreError> {
    let known = MIGRATIONS.len() as i64;
    if found > known {
        return Err(StoreError::Newer {
            path: path.to_path_buf(),
            found,
            known,
        });
    }
    Ok(())
}

/// Commits; the process may be told to end just before or after it.
fn commit(
    transaction: Transaction<'_>,
    kinds: &[&str],
    kill: &mut Option<KillPoint>,
) -> rusqlite::Result<()> {
    if let Some(kill) = kill {
        kill.pass(Side::Before, kinds);
    }
    transaction.commit()?;
    if let Some(kill) = kill {
        kill.pass(Side::After, kinds);
    }
    Ok(())
}

fn migrate(
    connection: &mut Connection,
    found: i64,
    kill: &mut Option<KillPoint>,
) -> rusqlite::Result<()> {
    let missing = MIGRATIONS
        .iter()
        .enumerate()
        .skip(usize::try_from(found).unwrap_or(0));
    for (step, sql) in missing {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", step as i64 + 1)?;
        commit(transaction, &["migrate"], kill)?;
    }
    Ok(())
}

/// The shared texts that were read last, by job and number.
#[derive(Debug, Default)]
pub(super) struct TextCache {
    held: HashMap<(i64, i64), Arc<str>>,
}

impl TextCache {
    /// A shared text, from memory or from `read`.
    pub(super) fn get(
        &mut self,
        key: (i64, i64),
        read: impl FnOnce() -> rusqlite::Result<String>,
    ) -> rusqlite::Result<Arc<str>> {
        if let Some(text) = self.held.get(&key) {
            return Ok(Arc::clone(text));
        }
        if self.held.len() >= CACHED_TEXTS {
            self.held.clear();
        }
        let text: Arc<str> = read()?.into();
        self.held.insert(key, Arc::clone(&text));
        Ok(text)
    }
}
