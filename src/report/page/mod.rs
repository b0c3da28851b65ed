//! The report on a job, as plain data, and the forms in which it is written. Pure: nothing here
//! reads the queue or asks the time.
//!
//! [`Report`] is gathered by `report::gather`. What a person reads of it is put together once, as
//! an outline of facts, tables and charts, and written as Markdown or as HTML; JSON is the whole
//! of it, CSV its time series. `docs/FORMATS.md` describes all four.

mod chart;
mod csv;
mod html;
mod intervals;
mod json;
mod latencies;
mod markdown;
mod outline;
mod scale;

use std::io;

use crate::analysis::Summary;
use crate::base::{Stamp, shown_json};
use crate::model::{Bill, FailureClass, Format, Job, Prices, RanOn, Reuse};
use crate::store::{Events, FailureGroup, JobReadings, Trims};

pub use intervals::{Answered, Interval, IntervalCounter};

/// All that is told of a job. It is complete at any moment of a run: what is not known yet, or
/// never was, is `None`.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The number of this form, raised when a field changes its meaning.
    pub form: u32,
    /// The version of batchtop that wrote it.
    pub program: String,
    /// When it was written.
    pub written: Stamp,
    /// The job with its source, settings, counts and energy.
    pub job: Job,
    /// What it ran on, each different combination once, oldest first; empty where no model was
    /// loaded for it yet.
    pub ran_on: Vec<RanOn>,
    /// What is in its results so far: tokens, times, scores.
    pub results: Summary,
    /// What ended when, in intervals of equal length without a hole between them.
    pub intervals: Vec<Interval>,
    /// What cards and server said while it ran, oldest first.
    pub readings: Vec<JobReadings>,
    /// Tokens of prompts that were not read again, as far as that is known.
    pub reuse: Reuse,
    /// What was left out of prompts.
    pub trims: Trims,
    /// Its failures by class and likeness, most frequent first.
    pub failures: Vec<FailureGroup>,
    /// Failed attempts by class, those included that were made again; most frequent first.
    pub attempts: Vec<(FailureClass, u64)>,
    /// What happened.
    pub events: Events,
    /// What energy and a cloud cost, as the settings say now.
    pub prices: Prices,
    /// What the job comes to by those prices.
    pub bill: Bill,
}

impl Report {
    /// The form that this version writes.
    pub const FORM: u32 = 2;

    /// Until when it tells: the end of the job, or the time at which it was written.
    pub fn until(&self) -> Stamp {
        self.job.finished.unwrap_or(self.written)
    }

    /// Writes it.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, format: Format, out: &mut impl io::Write) -> io::Result<()> {
        match format {
            Format::Markdown => out.write_all(markdown::page(self).as_bytes()),
            Format::Html => out.write_all(html::page(self).as_bytes()),
            Format::Json => {
                let text = serde_json::to_string_pretty(&json::ReportJson::new(self))?;
                writeln!(out, "{}", shown_json(&text))
            }
            Format::Csv => csv::write(self, out),
        }
    }
}

#[cfg(test)]
mod tests;
