//! Reading batch files.

use std::path::Path;

use batchtop::base::{bytes, count};
use batchtop::intake::{Rules, open, read_all};
use batchtop::model::JobSettings;
use batchtop::store::Store;

use super::batches::{BATCH, System, admit, batch, close, open_engine, server};
use super::{Failure, now, peak_memory, say};

/// `check` and `enqueue` of the whole batch.
pub(crate) fn reading(folder: &Path, runtime: &tokio::runtime::Runtime) -> Result<(), Failure> {
    let path = batch(folder, BATCH, System::Long)?;
    let size = path.metadata()?.len();
    let started = now();
    let survey = read_all(open(&path)?, Rules::default(), 100);
    let took = started.elapsed().as_secs_f64();
    let speed = bytes((size as f64 / took) as u64);
    let requests = count(survey.requests);
    say(
        "reading: check",
        &format!(
            "{requests} requests, {} in {took:.2} s, {speed}/s",
            bytes(size)
        ),
    );

    let started = now();
    let data = folder.join("reading");
    runtime.block_on(async {
        let (handle, engine) = open_engine(&data, server("http://127.0.0.1:9")?)?;
        handle.admit(admit(&path, JobSettings::default())).await?;
        close(&handle, engine).await
    })?;
    let took = started.elapsed().as_secs_f64();
    let database = data.join(Store::FILE).metadata()?.len();
    let peak = peak_memory().map_or_else(|| "n/a".to_owned(), bytes);
    let database = bytes(database);
    say(
        "reading: enqueue",
        &format!("{took:.2} s, database {database}, peak memory {peak}"),
    );
    Ok(())
}
