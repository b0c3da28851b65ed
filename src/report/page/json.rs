//! A report for programs.

use serde::Serialize;

use super::{Interval, Report};
use crate::analysis::Summary;
use crate::model::Bill;
use crate::report::json::{
    AttemptsJson, EventsJson, JobJson, PricesJson, RanOnJson, ReadingsJson, ReuseJson, TrimsJson,
    Utc,
};
use crate::store::FailureGroup;

/// The report as it is written.
#[derive(Debug, Serialize)]
pub(super) struct ReportJson<'a> {
    form: u32,
    program: &'a str,
    written_at: Utc,
    job: JobJson<'a>,
    ran_on: Vec<RanOnJson<'a>>,
    results: &'a Summary,
    intervals: Vec<IntervalJson>,
    readings: Vec<ReadingsJson<'a>>,
    reuse: ReuseJson,
    trims: TrimsJson,
    failures: &'a [FailureGroup],
    attempts: Vec<AttemptsJson>,
    events: EventsJson<'a>,
    prices: PricesJson<'a>,
    bill: &'a Bill,
}

#[derive(Debug, Serialize)]
struct IntervalJson {
    at: Utc,
    seconds: f64,
    answered: u64,
    failed: u64,
    prompt_tokens: u64,
    answer_tokens: u64,
    mean_wall_ms: Option<f64>,
    p50_wall_ms: Option<f64>,
    p95_wall_ms: Option<f64>,
}

impl IntervalJson {
    fn new(interval: &Interval) -> Self {
        Self {
            at: Utc(interval.at),
            seconds: interval.seconds,
            answered: interval.answered,
            failed: interval.failed,
            prompt_tokens: interval.prompt_tokens,
            answer_tokens: interval.answer_tokens,
            mean_wall_ms: interval.mean_wall_ms,
            p50_wall_ms: interval.p50_wall_ms,
            p95_wall_ms: interval.p95_wall_ms,
        }
    }
}

impl<'a> ReportJson<'a> {
    pub(super) fn new(report: &'a Report) -> Self {
        Self {
            form: report.form,
            program: &report.program,
            written_at: Utc(report.written),
            job: JobJson::new(&report.job),
            ran_on: report.ran_on.iter().map(RanOnJson::new).collect(),
            results: &report.results,
            intervals: report.intervals.iter().map(IntervalJson::new).collect(),
            readings: report.readings.iter().map(ReadingsJson::new).collect(),
            reuse: ReuseJson::new(&report.reuse),
            trims: TrimsJson::new(&report.trims),
            failures: &report.failures,
            attempts: report.attempts.iter().map(AttemptsJson::new).collect(),
            events: EventsJson::new(&report.events),
            prices: PricesJson::new(&report.prices),
            bill: &report.bill,
        }
    }
}
