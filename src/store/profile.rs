//! What was learnt about models, and what jobs saved by shared beginnings.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::{Connection, Row, params};

use super::row::{json, parse, unsigned};
use super::{Reader, Store, StoreError};
use crate::base::Stamp;
use crate::context::{Ground, Profile};
use crate::model::{JobId, Reuse, Tokens};

/// Profiles read at most: there is one for each model, card and way of loading.
const MOST: i64 = 1_000;

/// Stored profiles, and how many rows hold none that could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profiles {
    /// Those that could be read, newest first.
    pub all: Vec<Profile>,
    /// Rows that were passed over.
    pub unreadable: u64,
}

impl Reader {
    /// What was learnt; nothing in a queue of an older format.
    pub fn profiles(&self) -> Result<Profiles, StoreError> {
        self.read(|connection| {
            if has_table(connection, "profile")? {
                profiles(connection)
            } else {
                Ok(Profiles::default())
            }
        })
    }

    /// What a job saved so far.
    pub fn reuse(&self, job: JobId) -> Result<Reuse, StoreError> {
        let all = self.read(|connection| {
            if has_table(connection, "reuse")? {
                reuse(connection)
            } else {
                Ok(HashMap::new())
            }
        })?;
        Ok(all.get(&job).copied().unwrap_or_default())
    }
}

impl Store {
    /// What was learnt.
    pub fn profiles(&self) -> Result<Profiles, StoreError> {
        profiles(&self.connection).map_err(|error| StoreError::from_sqlite(&error, &self.path))
    }

    /// What each job saved so far.
    pub fn reuse(&self) -> Result<HashMap<JobId, Reuse>, StoreError> {
        reuse(&self.connection).map_err(|error| StoreError::from_sqlite(&error, &self.path))
    }
}

/// Keeps a profile in place of the earlier one of its ground.
pub(super) fn learn(connection: &Connection, profile: &Profile) -> rusqlite::Result<()> {
    let ground = &profile.ground;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO profile (digest, card, num_ctx, slots, model, at, learnt)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            ground.digest,
            ground.card,
            ground.num_ctx.unwrap_or(0),
            ground.slots,
            profile.model,
            profile.at.0,
            json(&profile.learnt)?
        ])?;
    Ok(())
}

/// Forgets the profiles of a model, by the name or digest it was stored with; without one, of all.
pub(super) fn forget(connection: &Connection, model: Option<&str>) -> rusqlite::Result<u64> {
    let sql = "DELETE FROM profile WHERE ?1 IS NULL OR model = ?1 OR digest = ?1";
    Ok(connection.execute(sql, [model])? as u64)
}

/// Adds what stored answers saved to their job.
pub(super) fn add_reuse(
    connection: &Connection,
    job: JobId,
    reuse: &Reuse,
) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO reuse (job, requests, prompt_tokens, reused_tokens, saved_us)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (job) DO UPDATE SET requests = requests + ?2,
                    prompt_tokens = prompt_tokens + ?3, reused_tokens = reused_tokens + ?4,
                    saved_us = saved_us + ?5",
        )?
        .execute([
            job.0,
            reuse.requests as i64,
            reuse.prompt.0 as i64,
            reuse.reused.0 as i64,
            i64::try_from(reuse.saved.as_micros()).unwrap_or(i64::MAX),
        ])?;
    Ok(())
}

fn profiles(connection: &Connection) -> rusqlite::Result<Profiles> {
    let mut query = connection.prepare_cached(
        "SELECT digest, card, num_ctx, slots, model, at, learnt FROM profile
         ORDER BY at DESC, model LIMIT ?1",
    )?;
    let mut rows = query.query([MOST])?;
    let mut found = Profiles::default();
    while let Some(row) = rows.next()? {
        match profile(row) {
            Ok(profile) => found.all.push(profile),
            Err(error) => {
                tracing::warn!(%error, "a stored profile cannot be read and is passed over");
                found.unreadable += 1;
            }
        }
    }
    Ok(found)
}

fn profile(row: &Row<'_>) -> rusqlite::Result<Profile> {
    let num_ctx: u32 = row.get(2)?;
    Ok(Profile {
        ground: Ground {
            digest: row.get(0)?,
            card: row.get(1)?,
            num_ctx: Some(num_ctx).filter(|window| *window > 0),
            slots: row.get(3)?,
        },
        model: row.get(4)?,
        at: Stamp(row.get(5)?),
        learnt: parse(&row.get::<_, String>(6)?)?,
    })
}

fn reuse(connection: &Connection) -> rusqlite::Result<HashMap<JobId, Reuse>> {
    let mut query = connection.prepare_cached(
        "SELECT job, requests, prompt_tokens, reused_tokens, saved_us FROM reuse",
    )?;
    let rows = query.query_map([], |row| {
        let total = Reuse {
            requests: unsigned(row, 1)?,
            prompt: Tokens(unsigned(row, 2)?),
            reused: Tokens(unsigned(row, 3)?),
            saved: Duration::from_micros(unsigned(row, 4)?),
        };
        Ok((JobId(row.get(0)?), total))
    })?;
    rows.collect()
}

fn has_table(connection: &Connection, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1")?
        .exists([name])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::Learnt;
    use crate::store::{Write, Written};

    fn profile(model: &str, num_ctx: Option<u32>, overhead: u64) -> Profile {
        Profile {
            ground: Ground {
                digest: format!("digest of {model}"),
                card: "card".to_owned(),
                num_ctx,
                slots: 2,
            },
            model: model.to_owned(),
            at: Stamp(5),
            learnt: Learnt {
                overhead: Some(overhead),
                ..Learnt::default()
            },
        }
    }

    fn learn(store: &mut Store, profile: &Profile) {
        let write = Write::Learn(Box::new(profile.clone()));
        store.apply(&[write]).unwrap();
    }

    #[test]
    fn what_was_learnt_is_kept_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        learn(&mut store, &profile("a", None, 1));
        learn(&mut store, &profile("a", Some(4_096), 2));
        learn(&mut store, &profile("a", Some(4_096), 3));
        learn(&mut store, &profile("b", None, 4));
        drop(store);
        let mut store = Store::open(folder.path()).unwrap();
        let reader = Reader::open(folder.path()).unwrap().unwrap();
        let all = reader.profiles().unwrap();
        let overheads: Vec<_> = all.all.iter().filter_map(|it| it.learnt.overhead).collect();
        assert_eq!((overheads, all.unreadable), (vec![1, 3, 4], 0));
        assert_eq!(store.profiles().unwrap(), all);
        let mut forget = |model: Option<&str>| {
            let write = Write::Forget(model.map(str::to_owned));
            match store.apply(&[write]).unwrap().remove(0) {
                Written::Forgotten(count) => count,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(forget(Some("nobody")), 0);
        assert_eq!(forget(Some("a")), 2);
        assert_eq!(forget(None), 1);
    }

    #[test]
    fn a_row_that_cannot_be_read_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(folder.path()).unwrap();
        learn(&mut store, &profile("a", None, 1));
        for (at, rotten) in ["", "[1]", "{\"overhead\":\"x\"}", "\u{0}"]
            .iter()
            .enumerate()
        {
            let sql = "INSERT INTO profile VALUES ('d', 'c', ?1, 1, 'm', 0, ?2)";
            store
                .connection
                .execute(sql, params![at as i64, rotten])
                .unwrap();
        }
        let sql = "INSERT INTO profile VALUES ('d', 'c', -5, 1, 'm', 0, '{}')";
        store.connection.execute(sql, []).unwrap();
        let found = store.profiles().unwrap();
        assert_eq!((found.all.len(), found.unreadable), (1, 5));
    }

    #[test]
    fn a_queue_of_the_first_format_is_read_without_profiles() {
        let folder = tempfile::tempdir().unwrap();
        drop(Store::open(folder.path()).unwrap());
        let path = folder.path().join(Store::FILE);
        let older = Connection::open(path).unwrap();
        older
            .execute_batch("DROP TABLE profile; DROP TABLE reuse")
            .unwrap();
        let reader = Reader::open(folder.path()).unwrap().unwrap();
        assert_eq!(reader.profiles().unwrap(), Profiles::default());
        assert_eq!(reader.reuse(JobId(1)).unwrap(), Reuse::default());
    }
}
