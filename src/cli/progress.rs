//! How far a job is, in one line or one JSON object.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::base::{Moment, count, duration, elide, rate, share, shown, width};
use crate::model::{JobId, JobState, JobView, ServerState, Snapshot};

/// A reason cut shorter than this says nothing.
const LEAST_REASON: usize = 12;
/// With less room than this, other parts and the reason take their short forms.
const COMFORTABLE_REASON: usize = 24;
/// Columns of a job's name.
const NAME_COLUMNS: usize = 32;
const BETWEEN: &str = " · ";

/// How far one job is.
#[derive(Debug, Clone, Copy)]
pub struct Progress<'a> {
    snapshot: &'a Snapshot,
    job: Option<&'a JobView>,
}

/// A part of the line, with a shorter form for where there is little room.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    rank: Rank,
    text: String,
    short: String,
}

/// What a part is good for, the dispensable first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Name,
    Share,
    Tokens,
    Requests,
    /// Why nothing goes on, or else the time left.
    Reason,
    Always,
}

impl Part {
    fn new(rank: Rank, text: impl Into<String>) -> Self {
        let text = text.into();
        let short = text.clone();
        Self { rank, text, short }
    }

    fn or_short(mut self, short: impl Into<String>) -> Self {
        self.short = short.into();
        self
    }
}

impl<'a> Progress<'a> {
    /// Of this job; without one, of the job that runs or else the next one that is not over.
    pub fn of(snapshot: &'a Snapshot, job: Option<JobId>) -> Self {
        let find = |id| snapshot.jobs.iter().find(|view| view.id == id);
        let job = match job {
            Some(id) => find(id),
            None => snapshot.active.and_then(find).or_else(|| {
                let mut all = snapshot.jobs.iter();
                all.find(|view| !view.state.is_over())
            }),
        };
        Self { snapshot, job }
    }

    /// One line of at most so many columns; the dispensable is left out first.
    pub fn terminal(&self, columns: usize) -> String {
        fitted(self.parts(), columns)
    }

    /// One line for a log: with the time, nothing left out.
    pub fn plain(&self) -> String {
        let parts: Vec<String> = self.parts().into_iter().map(|part| part.text).collect();
        format!("{} {}", self.snapshot.at.rfc3339(), parts.join(", "))
    }

    /// A JSON object for programs. What is not known is `null`.
    pub fn json(&self) -> impl Serialize + 'a {
        Line::of(self)
    }

    fn parts(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        if self.snapshot.simulated {
            parts.push(Part::new(Rank::Always, "SIMULATED").or_short("SIM"));
        }
        let Some(job) = self.job else {
            parts.push(Part::new(Rank::Always, "no job"));
            return parts;
        };
        let name = elide(&shown(&job.name), NAME_COLUMNS);
        parts.push(Part::new(Rank::Name, format!("job {} {name}", job.id)));
        if job.state == JobState::Reading {
            parts.push(Part::new(Rank::Always, "reading the file"));
            return parts;
        }
        parts.extend(counted(job));
        match self.reason(job) {
            Some(reason) => parts.push(reason),
            None => parts.extend(self.pace(job)),
        }
        parts
    }

    fn pace(&self, job: &JobView) -> Vec<Part> {
        let rates = &self.snapshot.rates;
        let left = match job.eta {
            Some(left) => {
                Part::new(Rank::Reason, format!("{} left", duration(left))).or_short(duration(left))
            }
            None => Part::new(Rank::Reason, "measuring"),
        };
        [
            rates
                .requests
                .map(|r| Part::new(Rank::Requests, format!("{} req/s", rate(r)))),
            rates
                .answer_tokens
                .map(|r| Part::new(Rank::Tokens, format!("{} tok/s", rate(r)))),
            Some(left),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Why the job does not go on, or what it does instead of running.
    fn reason(&self, job: &JobView) -> Option<Part> {
        if !job.state.is_runnable() {
            return Some(standing(&job.state));
        }
        // What is known of the server says more than that it is waited for, and both say more than
        // that the last answers are on their way.
        let waiting = || {
            let waiting = self.snapshot.waiting.as_ref()?;
            Some(Part::new(Rank::Reason, shown(waiting)))
        };
        let reason = self.server_reason().or_else(waiting);
        let is_finishing = job.state == JobState::Finishing;
        reason.or_else(|| is_finishing.then(|| standing(&job.state)))
    }

    fn server_reason(&self) -> Option<Part> {
        let now = self.snapshot.now;
        match &self.snapshot.server.state {
            ServerState::Unknown | ServerState::Up => None,
            ServerState::Loading { model, since } => {
                let time = seconds(now - *since);
                let text = format!("loading {} for {time}", shown(model));
                Some(Part::new(Rank::Reason, text).or_short("loading"))
            }
            ServerState::Down { since, why, next } => {
                let (time, next) = (seconds(now - *since), next_try(now, *next));
                let text = format!("server down for {time}, {next}: {}", shown(why));
                Some(Part::new(Rank::Reason, text).or_short("server down"))
            }
        }
    }
}

/// The state of a job that does not run, with what stopped it.
fn standing(state: &JobState) -> Part {
    let word = state.to_string();
    match state.why() {
        Some(why) => Part::new(Rank::Reason, format!("{word}: {}", shown(why))).or_short(word),
        None => Part::new(Rank::Reason, word),
    }
}

fn next_try(now: Moment, next: Moment) -> String {
    match next - now {
        wait if wait < Duration::from_secs(1) => "trying again".to_owned(),
        wait => format!("next try in {}", seconds(wait)),
    }
}

/// A length of time that is read while it passes: no parts of a second.
fn seconds(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..60 => format!("{seconds} s"),
        _ => duration(length),
    }
}

fn counted(job: &JobView) -> [Part; 2] {
    let counts = &job.counts;
    let ended = counts.done.saturating_add(counts.failed);
    let [done, failed, total] = [counts.done, counts.failed, counts.total].map(count);
    [
        Part::new(
            Rank::Always,
            format!("{done} done, {failed} failed of {total}"),
        )
        .or_short(format!("{done}/{total}, {failed} failed")),
        Part::new(Rank::Share, share(ended, counts.total)),
    ]
}

/// Leaves out what is dispensable, then shortens or cuts the rest until the line fits.
fn fitted(mut parts: Vec<Part>, columns: usize) -> String {
    let excess = |parts: &[Part]| width(&joined(parts)).saturating_sub(columns);
    for rank in [Rank::Name, Rank::Share, Rank::Tokens, Rank::Requests] {
        if excess(&parts) > 0 {
            parts.retain(|part| part.rank != rank);
        }
    }
    let reason = parts.iter().find(|part| part.rank == Rank::Reason);
    let room = reason.map_or(0, |part| width(&part.text).saturating_sub(excess(&parts)));
    if excess(&parts) > 0 && room < COMFORTABLE_REASON {
        let always = parts.iter_mut().filter(|part| part.rank == Rank::Always);
        always.for_each(|part| part.text.clone_from(&part.short));
    }
    let excess = excess(&parts);
    if excess > 0 {
        parts.retain_mut(|part| part.rank != Rank::Reason || squeezed(part, excess));
    }
    elide(&joined(&parts), columns)
}

/// Makes a reason so many columns narrower; `false` where nothing readable is left of it.
fn squeezed(part: &mut Part, excess: usize) -> bool {
    let room = width(&part.text).saturating_sub(excess);
    if room < COMFORTABLE_REASON {
        part.text.clone_from(&part.short);
    }
    if width(&part.text) > room {
        part.text = cut(&part.text, room);
    }
    room >= LEAST_REASON || part.text == part.short
}

/// The beginning of a text: of a sentence it says more than both ends.
fn cut(text: &str, columns: usize) -> String {
    let mut room = columns.saturating_sub(1);
    let fits = |letter: &char| {
        let wide = width(letter.encode_utf8(&mut [0; 4]));
        let fits = wide <= room;
        room = room.saturating_sub(wide);
        fits
    };
    let head: String = text.chars().take_while(fits).collect();
    format!("{head}…")
}

fn joined(parts: &[Part]) -> String {
    let texts: Vec<&str> = parts.iter().map(|part| part.text.as_str()).collect();
    texts.join(BETWEEN)
}

/// The JSON object, in the order of its fields.
#[derive(Serialize)]
struct Line<'a> {
    r#type: &'static str,
    at: String,
    simulated: bool,
    job: Option<JobLine<'a>>,
    requests_per_second: Option<f64>,
    answer_tokens_per_second: Option<f64>,
    prompt_tokens_per_second: Option<f64>,
    latency_ms: Option<LatencyLine>,
    outstanding: usize,
    server: &'static str,
    waiting: Option<&'a str>,
    cards: Vec<CardLine<'a>>,
}

#[derive(Serialize)]
struct JobLine<'a> {
    id: i64,
    name: &'a str,
    state: &'static str,
    why: Option<&'a str>,
    total: u64,
    done: u64,
    failed: u64,
    cut: u64,
    left: u64,
    prompt_tokens: u64,
    answer_tokens: u64,
    running_seconds: f64,
    eta_seconds: Option<f64>,
    energy_joules: Option<f64>,
    energy_is_estimate: bool,
    reuse_share: Option<f64>,
    reused_tokens: Option<u64>,
    saved_seconds: Option<f64>,
    low_reuse: &'a [Arc<str>],
}

#[derive(Serialize)]
struct CardLine<'a> {
    name: &'a str,
    memory_used_bytes: Option<u64>,
    memory_total_bytes: Option<u64>,
    busy_percent: Option<u32>,
    celsius: Option<i32>,
    watts: Option<f64>,
    age_seconds: f64,
}

fn cards(snapshot: &Snapshot) -> Vec<CardLine<'_>> {
    let Some(taken) = &snapshot.readings else {
        return Vec::new();
    };
    let age_seconds = (snapshot.now - taken.at).as_secs_f64();
    let cards = taken.readings.cards.iter();
    cards
        .map(|card| CardLine {
            name: &card.name,
            memory_used_bytes: card.memory.map(|memory| memory.used),
            memory_total_bytes: card.memory.map(|memory| memory.total),
            busy_percent: card.busy_percent,
            celsius: card.celsius,
            watts: card.watts,
            age_seconds,
        })
        .collect()
}

#[derive(Serialize)]
struct LatencyLine {
    p50: u64,
    p95: u64,
    p99: u64,
}

impl<'a> Line<'a> {
    fn of(progress: &Progress<'a>) -> Self {
        let snapshot = progress.snapshot;
        Self {
            r#type: "progress",
            at: snapshot.at.rfc3339(),
            simulated: snapshot.simulated,
            job: progress.job.map(JobLine::of),
            requests_per_second: snapshot.rates.requests,
            answer_tokens_per_second: snapshot.rates.answer_tokens,
            prompt_tokens_per_second: snapshot.rates.prompt_tokens,
            latency_ms: snapshot.latency.map(|latency| LatencyLine {
                p50: latency.p50.as_millis() as u64,
                p95: latency.p95.as_millis() as u64,
                p99: latency.p99.as_millis() as u64,
            }),
            outstanding: snapshot.lanes.len(),
            server: match &snapshot.server.state {
                ServerState::Unknown => "unknown",
                ServerState::Up => "up",
                ServerState::Loading { .. } => "loading",
                ServerState::Down { .. } => "down",
            },
            waiting: snapshot.waiting.as_deref(),
            cards: cards(snapshot),
        }
    }
}

impl<'a> JobLine<'a> {
    fn of(job: &'a JobView) -> Self {
        let counts = &job.counts;
        let reuse = &job.reuse.total;
        let known = Some(reuse).filter(|reuse| reuse.is_known());
        Self {
            id: job.id.0,
            name: &job.name,
            state: job.state.word(),
            why: job.state.why(),
            total: counts.total,
            done: counts.done,
            failed: counts.failed,
            cut: counts.cut,
            left: counts.left(),
            prompt_tokens: counts.prompt_tokens.0,
            answer_tokens: counts.answer_tokens.0,
            running_seconds: job.running_for.as_secs_f64(),
            eta_seconds: job.eta.map(|left| left.as_secs_f64()),
            energy_joules: job.energy.map(|energy| energy.joules),
            energy_is_estimate: job.energy.is_some_and(|energy| energy.is_estimate()),
            reuse_share: reuse.share(),
            reused_tokens: known.map(|reuse| reuse.reused.0),
            saved_seconds: known.map(|reuse| reuse.saved.as_secs_f64()),
            low_reuse: &job.reuse.causes,
        }
    }
}

#[cfg(test)]
#[path = "progress_tests.rs"]
mod tests;
