//! `batchtop jobs`: the queue as a table.

use super::args::Jobs;
use super::context::Context;
use super::outcome::{End, Outcome};
use super::standing::standing;
use crate::base::{count, elide, share, shown, width};
use crate::model::Job;
use crate::report::JobJson;

/// Columns of a job's name at most.
const NAME: usize = 40;

pub(super) fn run(flags: &Jobs, context: &mut Context) -> Outcome {
    let jobs = match context.reader()? {
        Some(reader) => {
            let mut jobs = reader.jobs()?;
            standing(&context.paths.data, &mut jobs);
            jobs
        }
        None => Vec::new(),
    };
    if flags.json {
        let jobs: Vec<_> = jobs.iter().map(JobJson::new).collect();
        context.say.json(&jobs)?;
        return Ok(End::Done);
    }
    if jobs.is_empty() {
        context.say.note("the queue is empty");
        return Ok(End::Done);
    }
    for line in table(&jobs) {
        context.say.line(&line)?;
    }
    Ok(End::Done)
}

/// Right-aligned where it is a number; the name last, because it is as long as it likes.
fn table(jobs: &[Job]) -> Vec<String> {
    let head = [
        "JOB", "STATE", "DONE", "FAILED", "TOTAL", "", "PRIORITY", "NAME",
    ];
    let rows = jobs.iter().map(|job| {
        let counts = &job.counts;
        [
            job.id.to_string(),
            job.state.to_string(),
            count(counts.done),
            count(counts.failed),
            count(counts.total),
            share(counts.total - counts.left(), counts.total),
            job.priority.to_string(),
            elide(&shown(&job.name), NAME),
        ]
    });
    let rows: Vec<[String; 8]> = std::iter::once(head.map(str::to_owned))
        .chain(rows)
        .collect();
    let widest = |column: usize| {
        rows.iter()
            .map(|row| width(&row[column]))
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..8).map(widest).collect();
    let cell = |(column, text): (usize, &String)| {
        let space = " ".repeat(widths[column] - width(text));
        match column {
            1 => format!("{text}{space}"),
            7 => text.clone(),
            _ => format!("{space}{text}"),
        }
    };
    rows.iter()
        .map(|row| {
            row.iter()
                .enumerate()
                .map(cell)
                .collect::<Vec<_>>()
                .join("  ")
        })
        .collect()
}
