//! `batchtop work`: the whole queue, without the screen.

use std::collections::HashSet;

use super::args::Work;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::report;
use super::session::{Followed, Goal, Session};
use crate::base::count;
use crate::engine::Scope;
use crate::model::{Job, JobId, JobState, ReportTo};

pub(super) async fn run(flags: &Work, context: &mut Context) -> Outcome {
    let ways = context.ways()?;
    let before: HashSet<JobId> = done(context)?.iter().map(|job| job.id).collect();
    let session = Session::open(context, context.server()?, false)
        .await?
        .telling(ways, context);
    session.handle.work(Scope::Everything).await;
    let goal = if flags.keep {
        Goal::Forever
    } else {
        Goal::Empty
    };
    let followed = session.follow(context, goal, flags.json).await?;
    write_reports(&before, context)?;
    if followed == Followed::Interrupted {
        context
            .say
            .note("interrupted; everything that was answered is stored");
        context.say.hint("`batchtop work` goes on where it stopped");
        return Ok(End::Interrupted);
    }
    tell_rest(context)
}

fn done(context: &Context) -> Result<Vec<Job>, Trouble> {
    let jobs = match context.reader()? {
        Some(reader) => reader.jobs()?,
        None => Vec::new(),
    };
    let is_done = |job: &Job| job.state == JobState::Done;
    Ok(jobs.into_iter().filter(is_done).collect())
}

/// Writes the reports that are asked for on the jobs that were not done `before`. Each lies beside
/// its batch file, because one file cannot hold them all.
fn write_reports(before: &HashSet<JobId>, context: &mut Context) -> Result<(), Trouble> {
    let asked = context.loaded.settings.report.as_ref();
    let Some(format) = asked.map(ReportTo::format) else {
        return Ok(());
    };
    let beside = ReportTo::Beside(format);
    let ended = done(context)?;
    let Some(reader) = context.reader()? else {
        return Ok(());
    };
    for job in ended.iter().filter(|job| !before.contains(&job.id)) {
        report::at_the_end(&reader, job, Some(&beside), context)?;
    }
    Ok(())
}

/// What the queue holds now: failures, and jobs that could not go on.
fn tell_rest(context: &mut Context) -> Outcome {
    let jobs = match context.reader()? {
        Some(reader) => reader.jobs()?,
        None => Vec::new(),
    };
    let mut stuck = false;
    for job in &jobs {
        if let Some(why) = job.state.why() {
            stuck = true;
            context.say.warning(&format!(
                "job {} ({}) is {}: {why}",
                job.id, job.name, job.state
            ));
        }
    }
    let failed: u64 = jobs.iter().map(|job| job.counts.failed).sum();
    context.say.note(&format!(
        "the queue is empty; {} failed requests in it",
        count(failed)
    ));
    if stuck {
        return Err(Trouble::Said);
    }
    Ok(if failed > 0 {
        End::SomeFailed
    } else {
        End::Done
    })
}
