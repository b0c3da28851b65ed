//! What servers were measured to do: kept beside the queue, and belonging to no job of it.

use rusqlite::{Connection, Row, params};

use super::row::{json, parse};
use super::{Reader, StoreError, readings};
use crate::base::Stamp;
use crate::model::{Measurement, Setup};

/// Measurements that are read at most: more would say nothing new.
const MOST: i64 = 10_000;

/// Keeps a measurement.
pub(super) fn keep(connection: &Connection, measured: &Measurement) -> rusqlite::Result<()> {
    let setup = &measured.setup;
    connection
        .prepare_cached(
            "INSERT INTO measurement (at, simulated, model, digest, quantization, card,
                    server_version, parallel, num_ctx, work, seconds, p50_ms, p95_ms, joules,
                    joules_estimated)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            measured.at.0,
            setup.simulated,
            setup.model,
            measured.digest,
            measured.quantization,
            setup.card,
            measured.server_version,
            json(&setup.parallel)?,
            setup.num_ctx,
            json(&measured.work)?,
            measured.seconds,
            measured.p50_ms,
            measured.p95_ms,
            measured.energy.map(|energy| energy.joules),
            measured.energy.map(|energy| energy.estimated),
        ])?;
    Ok(())
}

impl Reader {
    /// What was measured, the newest first; at most 10,000.
    ///
    /// # Errors
    /// Where the database cannot be read.
    pub fn measurements(&self) -> Result<Vec<Measurement>, StoreError> {
        self.read(|connection| {
            let mut query = connection.prepare_cached(
                "SELECT at, simulated, model, digest, quantization, card, server_version,
                        parallel, num_ctx, work, seconds, p50_ms, p95_ms, joules, joules_estimated
                 FROM measurement ORDER BY at DESC, id DESC LIMIT ?1",
            )?;
            let rows = query.query_map([MOST], measurement)?;
            rows.collect()
        })
    }
}

fn measurement(row: &Row<'_>) -> rusqlite::Result<Measurement> {
    Ok(Measurement {
        setup: Setup {
            model: row.get(2)?,
            card: row.get(5)?,
            parallel: parse(&row.get::<_, String>(7)?)?,
            num_ctx: row.get(8)?,
            simulated: row.get(1)?,
        },
        at: Stamp(row.get(0)?),
        digest: row.get(3)?,
        quantization: row.get(4)?,
        server_version: row.get(6)?,
        work: parse(&row.get::<_, String>(9)?)?,
        seconds: row.get(10)?,
        p50_ms: row.get(11)?,
        p95_ms: row.get(12)?,
        energy: readings::energy(row, 13)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Energy, Parallel, Work};
    use crate::store::{Store, Write};

    fn measured(at: i64, parallel: Parallel, energy: Option<Energy>) -> Measurement {
        Measurement {
            setup: Setup {
                model: "m".into(),
                card: energy.map(|_| "RTX".into()),
                parallel,
                num_ctx: energy.map(|_| 8_192),
                simulated: energy.is_none(),
            },
            at: Stamp(at),
            digest: energy.map(|_| "abc".into()),
            quantization: None,
            server_version: Some("0.33.0".into()),
            work: Work {
                requests: 100,
                prefill_share: Some(0.25),
                ..Work::default()
            },
            seconds: 12.5,
            p50_ms: Some(900.0),
            p95_ms: None,
            energy,
        }
    }

    #[test]
    fn what_was_measured_is_read_again_the_newest_first() {
        let folder = tempfile::tempdir().unwrap();
        let energy = Energy {
            joules: 7.5,
            estimated: 0.5,
        };
        let kept = [
            measured(1, Parallel::Fixed(4), Some(energy)),
            measured(2, Parallel::Auto, None),
        ];
        let writes = kept.clone().map(|one| Write::Measure(Box::new(one)));
        Store::open(folder.path()).unwrap().apply(&writes).unwrap();
        let reader = Reader::open(folder.path()).unwrap().unwrap();
        let [first, second] = kept;
        assert_eq!(reader.measurements().unwrap(), [second, first]);
    }
}
