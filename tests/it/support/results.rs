//! Reading what the program wrote.

use std::collections::BTreeMap;
use std::path::Path;

use batchtop::model::{Attempts, JobId, RequestState};
use batchtop::store::{Order, Reader, StoreError};
use serde_json::Value;

/// Where the requests of a job stand in the queue, by `custom_id`.
pub(crate) type Rows = BTreeMap<String, (RequestState, Attempts)>;

/// Every line of a text as JSON.
#[track_caller]
pub(crate) fn json_lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in `{line}`"))
        })
        .collect()
}

/// The one row with this `custom_id`.
#[track_caller]
pub(crate) fn row<'a>(lines: &'a [Value], custom_id: &str) -> &'a Value {
    let mut found = lines.iter().filter(|line| line["custom_id"] == custom_id);
    match (found.next(), found.next()) {
        (Some(line), None) => line,
        _ => panic!("`{custom_id}` does not stand there exactly once: {lines:#?}"),
    }
}

/// What the queue of a data folder holds of a job.
pub(crate) fn rows(data: &Path, job: i64) -> Rows {
    let mut rows = Rows::new();
    let Some(reader) = Reader::open(data).unwrap() else {
        return rows;
    };
    reader
        .results::<StoreError>(JobId(job), Order::Input, |row| {
            rows.insert(row.custom_id.unwrap_or_default(), (row.state, row.attempts));
            Ok(())
        })
        .unwrap();
    rows
}
