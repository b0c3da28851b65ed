//! What programs read of jobs: fields with stable names, a unit in the name wherever there is one,
//! and times as UTC. `docs/FORMATS.md` lists them, and a test holds both to each other.
//!
//! The nouns of the program are stored as JSON, too, but in forms that may change with the
//! program. Nothing of them is printed as it is.

use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::base::Stamp;
use crate::model::{
    Endpoint, Event, FailureClass, Job, JobSettings, Mode, Overflow, Parallel, Price, Prices,
    RanOn, Reuse, TrimPolicy, TrimReason,
};
use crate::store::{CardPoint, Events, JobReadings, Trims};

/// A time by the wall clock: `2026-11-21T01:44:09Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Utc(pub Stamp);

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.rfc3339())
    }
}

/// A job, as `jobs`, `show` and `report` print it.
#[derive(Debug, Serialize)]
pub struct JobJson<'a> {
    id: i64,
    name: &'a str,
    state: &'static str,
    why: Option<&'a str>,
    priority: i32,
    position: i64,
    total: u64,
    done: u64,
    failed: u64,
    cut: u64,
    left: u64,
    prompt_tokens: u64,
    answer_tokens: u64,
    energy_joules: Option<f64>,
    energy_estimated_joules: Option<f64>,
    endpoint: Option<&'static str>,
    models: &'a [String],
    source: SourceJson<'a>,
    settings: SettingsJson<'a>,
    created_at: Utc,
    started_at: Option<Utc>,
    finished_at: Option<Utc>,
}

#[derive(Debug, Serialize)]
struct SourceJson<'a> {
    path: &'a str,
    size_bytes: u64,
    blake3: &'a str,
}

#[derive(Debug, Serialize)]
struct SettingsJson<'a> {
    model: Option<&'a str>,
    num_ctx: Option<u32>,
    max_tokens: u32,
    limit: Option<u64>,
    skip_invalid: bool,
    parallel: Parallel,
    retries: u32,
    timeout_seconds: f64,
    allow_spill: bool,
    mode: Mode,
    trim: TrimPolicy,
    on_overflow: Overflow,
    trim_interval: u32,
    safe_share: f64,
}

impl<'a> JobJson<'a> {
    /// This job.
    pub fn new(job: &'a Job) -> Self {
        let counts = &job.counts;
        Self {
            id: job.id.0,
            name: &job.name,
            state: job.state.word(),
            why: job.state.why(),
            priority: job.priority,
            position: job.position,
            total: counts.total,
            done: counts.done,
            failed: counts.failed,
            cut: counts.cut,
            left: counts.left(),
            prompt_tokens: counts.prompt_tokens.0,
            answer_tokens: counts.answer_tokens.0,
            energy_joules: job.energy.map(|energy| energy.joules),
            energy_estimated_joules: job.energy.map(|energy| energy.estimated),
            endpoint: job.endpoint.map(Endpoint::url),
            models: &job.models,
            source: SourceJson {
                path: &job.source.path,
                size_bytes: job.source.bytes,
                blake3: &job.source.hash,
            },
            settings: SettingsJson::new(&job.settings),
            created_at: Utc(job.created),
            started_at: job.started.map(Utc),
            finished_at: job.finished.map(Utc),
        }
    }
}

impl<'a> SettingsJson<'a> {
    fn new(settings: &'a JobSettings) -> Self {
        Self {
            model: settings.model.as_deref(),
            num_ctx: settings.num_ctx,
            max_tokens: settings.max_tokens,
            limit: settings.limit,
            skip_invalid: settings.skip_invalid,
            parallel: settings.parallel,
            retries: settings.retries,
            timeout_seconds: settings.timeout.as_secs_f64(),
            allow_spill: settings.allow_spill,
            mode: settings.mode,
            trim: settings.trim,
            on_overflow: settings.on_overflow,
            trim_interval: settings.trim_interval,
            safe_share: f64::from(settings.safe_share.thousandths()) / 1_000.0,
        }
    }
}

/// What a job saved because the server kept the evaluated beginning of its prompts.
#[derive(Debug, Serialize)]
pub struct ReuseJson {
    requests: u64,
    prompt_tokens: u64,
    reused_tokens: u64,
    share: Option<f64>,
    saved_seconds: f64,
}

impl ReuseJson {
    /// These totals.
    pub fn new(reuse: &Reuse) -> Self {
        Self {
            requests: reuse.requests,
            prompt_tokens: reuse.prompt.0,
            reused_tokens: reuse.reused.0,
            share: reuse.share(),
            saved_seconds: seconds(reuse.saved),
        }
    }
}

/// What was left out of prompts.
#[derive(Debug, Serialize)]
pub struct TrimsJson {
    count: u64,
    last: Vec<TrimJson>,
}

#[derive(Debug, Serialize)]
struct TrimJson {
    at: Utc,
    request: i64,
    policy: TrimPolicy,
    reason: &'static str,
    interval_requests: Option<u32>,
    messages_before: u32,
    messages_after: u32,
    tokens_before: u64,
    tokens_after: u64,
}

impl TrimsJson {
    /// These trims.
    pub fn new(trims: &Trims) -> Self {
        let last = trims.last.iter().map(|(at, trim)| {
            let (reason, interval_requests) = match trim.reason {
                TrimReason::Tokens => ("tokens", None),
                TrimReason::Interval { requests } => ("interval", Some(requests)),
                TrimReason::Memory => ("memory", None),
                TrimReason::Refused => ("refused", None),
            };
            TrimJson {
                at: Utc(*at),
                request: trim.request.0,
                policy: trim.policy,
                reason,
                interval_requests,
                messages_before: trim.messages_before,
                messages_after: trim.messages_after,
                tokens_before: trim.tokens_before.0,
                tokens_after: trim.tokens_after.0,
            }
        });
        Self {
            count: trims.count,
            last: last.collect(),
        }
    }
}

/// What happened to a job.
#[derive(Debug, Serialize)]
pub(super) struct EventsJson<'a> {
    count: u64,
    first: Vec<EventJson<'a>>,
}

#[derive(Debug, Serialize)]
struct EventJson<'a> {
    at: Utc,
    job: Option<i64>,
    kind: &'static str,
    text: &'a str,
}

impl<'a> EventsJson<'a> {
    pub(super) fn new(events: &'a Events) -> Self {
        let one = |event: &'a Event| EventJson {
            at: Utc(event.at),
            job: event.job.map(|job| job.0),
            kind: event.kind.word(),
            text: &event.text,
        };
        Self {
            count: events.count,
            first: events.first.iter().map(one).collect(),
        }
    }
}

/// Failed attempts of one class.
#[derive(Debug, Serialize)]
pub(super) struct AttemptsJson {
    class: &'static str,
    count: u64,
}

impl AttemptsJson {
    pub(super) fn new((class, count): &(FailureClass, u64)) -> Self {
        Self {
            class: class.name(),
            count: *count,
        }
    }
}

/// The prices that a bill is made with.
#[derive(Debug, Serialize)]
pub(super) struct PricesJson<'a> {
    currency: &'a str,
    kilowatt_hour: Option<f64>,
    cloud_prompt_per_million_tokens: Option<f64>,
    cloud_answer_per_million_tokens: Option<f64>,
}

impl<'a> PricesJson<'a> {
    pub(super) fn new(prices: &'a Prices) -> Self {
        Self {
            currency: &prices.currency,
            kilowatt_hour: prices.kilowatt_hour.map(Price::amount),
            cloud_prompt_per_million_tokens: prices.cloud.map(|cloud| cloud.prompt.amount()),
            cloud_answer_per_million_tokens: prices.cloud.map(|cloud| cloud.answer.amount()),
        }
    }
}

/// What a job ran on.
#[derive(Debug, Serialize)]
pub(super) struct RanOnJson<'a> {
    model: &'a str,
    digest: Option<&'a str>,
    quantization: Option<&'a str>,
    num_ctx: Option<u64>,
    server_version: Option<&'a str>,
    simulated: bool,
    driver: Option<&'a str>,
    cards: &'a [String],
    program: &'a str,
}

impl<'a> RanOnJson<'a> {
    pub(super) fn new(ran_on: &'a RanOn) -> Self {
        Self {
            model: &ran_on.model,
            digest: ran_on.digest.as_deref(),
            quantization: ran_on.quantization.as_deref(),
            num_ctx: ran_on.window.map(|window| window.0),
            server_version: ran_on.server_version.as_deref(),
            simulated: ran_on.simulated,
            driver: ran_on.driver.as_deref(),
            cards: &ran_on.cards,
            program: &ran_on.program,
        }
    }
}

/// What cards and server said at one moment.
#[derive(Debug, Serialize)]
pub(super) struct ReadingsJson<'a> {
    at: Utc,
    lanes: u32,
    models_bytes: Option<u64>,
    models_on_cards_bytes: Option<u64>,
    requests_per_second: Option<f64>,
    answer_tokens_per_second: Option<f64>,
    cards: Vec<CardJson<'a>>,
}

#[derive(Debug, Serialize)]
struct CardJson<'a> {
    id: &'a str,
    name: &'a str,
    memory_used_bytes: Option<u64>,
    memory_total_bytes: Option<u64>,
    busy_percent: Option<u32>,
    celsius: Option<i32>,
    watts: Option<f64>,
}

impl<'a> ReadingsJson<'a> {
    pub(super) fn new(readings: &'a JobReadings) -> Self {
        let card = |card: &'a CardPoint| CardJson {
            id: &card.id,
            name: &card.name,
            memory_used_bytes: card.memory_used,
            memory_total_bytes: card.memory_total,
            busy_percent: card.busy_percent,
            celsius: card.celsius,
            watts: card.watts,
        };
        Self {
            at: Utc(readings.at),
            lanes: readings.lanes,
            models_bytes: readings.server_size,
            models_on_cards_bytes: readings.server_size_vram,
            requests_per_second: readings.requests_per_second,
            answer_tokens_per_second: readings.answer_tokens_per_second,
            cards: readings.cards.iter().map(card).collect(),
        }
    }
}

/// A length of time in seconds.
fn seconds(length: Duration) -> f64 {
    length.as_secs_f64()
}
