//! `batchtop show`: one job in full.

use serde::Serialize;

use super::args::Show;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::standing::standing;
use crate::base::{bytes, count, duration, share, shown};
use crate::model::{Bill, Job};
use crate::store::{FailureGroup, FindError};

#[derive(Debug, Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    job: &'a Job,
    bill: &'a Bill,
    failures: &'a [FailureGroup],
}

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
    if flags.json {
        context.say.json(&Shown {
            job: &job,
            bill: &bill,
            failures: &failures,
        })?;
    } else {
        for line in lines(&job, &bill, &failures) {
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

fn lines(job: &Job, bill: &Bill, failures: &[FailureGroup]) -> Vec<String> {
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
        format!("priority   {}", job.priority),
        format!("created    {}", job.created.local()),
    ]);
    lines.extend(job.started.map(|at| format!("started    {}", at.local())));
    lines.extend(job.finished.map(|at| format!("finished   {}", at.local())));
    for group in failures {
        let sample = shown(&group.sample);
        lines.push(format!(
            "failure    {} × {}: {sample}",
            count(group.count),
            group.class
        ));
    }
    lines
}
