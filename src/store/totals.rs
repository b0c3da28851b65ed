//! What the answers of one commit add to their jobs, written once for all of them.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::profile;
use crate::model::{Answer, JobId, Reuse, Tokens};

/// What is to be added to the rows of jobs before anybody reads them.
#[derive(Debug, Default)]
pub(super) struct Totals(BTreeMap<JobId, Gain>);

#[derive(Debug, Default)]
struct Gain {
    done: i64,
    cut: i64,
    prompt: Tokens,
    answer: Tokens,
    reuse: Reuse,
}

impl Totals {
    /// Counts a stored answer.
    pub(super) fn add(&mut self, job: JobId, answer: &Answer, reuse: Option<&Reuse>) {
        let gain = self.0.entry(job).or_default();
        gain.done += 1;
        gain.cut += i64::from(answer.finish.is_cut());
        gain.prompt += answer.usage.prompt.unwrap_or_default();
        gain.answer += answer.usage.answer.unwrap_or_default();
        if let Some(reuse) = reuse {
            gain.reuse.add(reuse);
        }
    }

    /// Writes what has come together.
    pub(super) fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        for (job, gain) in std::mem::take(&mut self.0) {
            connection
                .prepare_cached(
                    "UPDATE job SET done = done + ?2, cut = cut + ?3,
                            prompt_tokens = prompt_tokens + ?4, answer_tokens = answer_tokens + ?5
                     WHERE id = ?1",
                )?
                .execute([
                    job.0,
                    gain.done,
                    gain.cut,
                    gain.prompt.0 as i64,
                    gain.answer.0 as i64,
                ])?;
            if gain.reuse.requests > 0 {
                profile::add_reuse(connection, job, &gain.reuse)?;
            }
        }
        Ok(())
    }
}
