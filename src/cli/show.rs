//! `batchtop show`: one job in full.

use serde::Serialize;

use super::args::Show;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::standing::standing;
use crate::base::{bytes, count, duration, share, shown};
use crate::model::{Bill, Job, JobSettings, Reuse};
use crate::report::{JobJson, ReuseJson, TrimsJson};
use crate::store::{FailureGroup, FindError, Trims};

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    job: JobJson<'a>,
    bill: &'a Bill,
    reuse: ReuseJson,
    failures: &'a [FailureGroup],
    trims: TrimsJson,
}

/// Trims that are told one by one.
const TRIMS: usize = 20;

pub(super) fn run(flags: &Show, context: &mut Context) -> Outcome {
    let name = &flags.one.job;
    let Some(reader) = context.reader()? else {
        return Err(Trouble::from(FindError::None(name.to_string())));
    };
    let mut job = reader.find(name)?;
    standing(&context.paths.data, std::slice::from_mut(&mut job));
    let failures = reader.failures(job.id)?;
    let prices = context.loaded.settings.prices();
    let bill = Bill::of(job.energy, &job.counts, &prices);
    let trims = reader.trims(job.id, TRIMS)?;
    let reuse = reader.reuse(job.id)?;
    if flags.json {
        context.say.json(&Shown {
            job: JobJson::new(&job),
            bill: &bill,
            reuse: ReuseJson::new(&reuse),
            failures: &failures,
            trims: TrimsJson::new(&trims),
        })?;
    } else {
        let lines = lines(&job, (&bill, &reuse), &failures).into_iter();
        for line in lines.chain(trim_lines(&trims)) {
            context.say.line(&line)?;
        }
    }
    Ok(End::Done)
}

fn known(parts: &[String]) -> String {
    if parts.is_empty() {
        return "n/a: no card told how much it used".to_owned();
    }
    parts.join(", ")
}

fn lines(job: &Job, (bill, reuse): (&Bill, &Reuse), failures: &[FailureGroup]) -> Vec<String> {
    let counts = &job.counts;
    let settings = &job.settings;
    let optional = |number: Option<String>| number.unwrap_or_else(|| "server's choice".to_owned());
    let mut lines = vec![
        format!("job        {} {}", job.id, shown(&job.name)),
        format!("state      {}", job.state),
    ];
    lines.extend(
        job.state
            .why()
            .map(|why| format!("why        {}", shown(why))),
    );
    lines.extend([
        format!(
            "source     {} ({})",
            shown(&job.source.path),
            bytes(job.source.bytes)
        ),
        format!(
            "requests   {} {}",
            count(counts.total),
            job.endpoint.map_or("", |e| e.url())
        ),
        format!("models     {}", shown(&job.models.join(", "))),
        format!(
            "answered   {} ({}), {} of them cut off",
            count(counts.done),
            share(counts.done, counts.total),
            count(counts.cut)
        ),
        format!("failed     {}", count(counts.failed)),
        format!("left       {}", count(counts.left())),
        format!(
            "tokens     {} read, {} written",
            count(counts.prompt_tokens.0),
            count(counts.answer_tokens.0)
        ),
        format!("energy     {}", known(&bill.parts())),
        format!(
            "settings   parallel {}, window {}, cap {}, timeout {}, retries {}",
            settings.parallel,
            optional(settings.num_ctx.map(|n| count(n.into()))),
            count(settings.max_tokens.into()),
            duration(settings.timeout),
            settings.retries
        ),
        format!("mode       {}", mode(settings)),
        format!("priority   {}", job.priority),
        format!("created    {}", job.created.local()),
    ]);
    let reuse = Some(reuse).filter(|reuse| reuse.is_known());
    lines.extend(reuse.map(|reuse| format!("reuse      {reuse}")));
    lines.extend(job.started.map(|at| format!("started    {}", at.local())));
    lines.extend(job.finished.map(|at| format!("finished   {}", at.local())));
    lines.extend(failures.iter().map(failure));
    lines
}

/// Whether requests see each other, and what is left out when a prompt grows too long.
fn mode(settings: &JobSettings) -> String {
    let overflow = settings.on_overflow.word();
    let rules = match settings.mode.warning() {
        None => String::new(),
        Some(warning) => {
            let every = match settings.trim_interval {
                0 => String::new(),
                requests => format!(" and every {} requests", count(requests.into())),
            };
            let (policy, share) = (settings.trim, settings.safe_share);
            format!(": {warning}; trimmed {policy} above {share} of the window{every}")
        }
    };
    format!("{}{rules}; too long: {overflow}", settings.mode.word())
}

fn trim_lines(trims: &Trims) -> Vec<String> {
    if trims.count == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("trims      {}", count(trims.count))];
    lines.extend(trims.last.iter().map(|(at, trim)| {
        format!(
            "trim       {} {} → {} messages, {} → {} tokens, {}: {}",
            at.local(),
            count(trim.messages_before.into()),
            count(trim.messages_after.into()),
            count(trim.tokens_before.0),
            count(trim.tokens_after.0),
            trim.policy,
            trim.reason
        )
    }));
    lines
}

fn failure(group: &FailureGroup) -> String {
    let sample = shown(&group.sample);
    format!(
        "failure    {} × {}: {sample}",
        count(group.count),
        group.class
    )
}
