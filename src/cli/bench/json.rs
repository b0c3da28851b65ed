//! What programs read of measurements: stable names, a unit in each.

use serde::Serialize;

use super::Told;
use crate::model::{Measurement, Parallel};
use crate::report::Utc;

/// A measurement and what changed since an earlier one of the same.
#[derive(Debug, Serialize)]
pub(super) struct BenchJson<'a> {
    #[serde(flatten)]
    measured: MeasurementJson<'a>,
    change_percent: Option<f64>,
    before: Option<MeasurementJson<'a>>,
}

#[derive(Debug, Serialize)]
struct MeasurementJson<'a> {
    model: &'a str,
    card: Option<&'a str>,
    parallel: Parallel,
    num_ctx: Option<u32>,
    simulated: bool,
    measured_at: Utc,
    digest: Option<&'a str>,
    quantization: Option<&'a str>,
    server_version: Option<&'a str>,
    requests: u64,
    failed: u64,
    prompt_tokens: u64,
    answer_tokens: u64,
    estimated_tokens: Option<u64>,
    estimated_fresh_tokens: Option<u64>,
    prefill_share: Option<f64>,
    seconds: f64,
    p50_ms: Option<f64>,
    p95_ms: Option<f64>,
    energy_joules: Option<f64>,
    energy_estimated_joules: Option<f64>,
    requests_per_second: Option<f64>,
    answer_tokens_per_second: Option<f64>,
}

impl<'a> BenchJson<'a> {
    pub(super) fn new(told: &'a Told) -> Self {
        Self {
            measured: MeasurementJson::new(&told.measured),
            change_percent: told.change_percent,
            before: told.before.as_ref().map(MeasurementJson::new),
        }
    }
}

impl<'a> MeasurementJson<'a> {
    fn new(measured: &'a Measurement) -> Self {
        let (setup, work) = (&measured.setup, &measured.work);
        Self {
            model: &setup.model,
            card: setup.card.as_deref(),
            parallel: setup.parallel,
            num_ctx: setup.num_ctx,
            simulated: setup.simulated,
            measured_at: Utc(measured.at),
            digest: measured.digest.as_deref(),
            quantization: measured.quantization.as_deref(),
            server_version: measured.server_version.as_deref(),
            requests: work.requests,
            failed: work.failed,
            prompt_tokens: work.prompt_tokens,
            answer_tokens: work.answer_tokens,
            estimated_tokens: work.estimated_tokens,
            estimated_fresh_tokens: work.estimated_fresh,
            prefill_share: work.prefill_share,
            seconds: measured.seconds,
            p50_ms: measured.p50_ms,
            p95_ms: measured.p95_ms,
            energy_joules: measured.energy.map(|energy| energy.joules),
            energy_estimated_joules: measured.energy.map(|energy| energy.estimated),
            requests_per_second: measured.requests_per_second(),
            answer_tokens_per_second: measured.answer_tokens_per_second(),
        }
    }
}
