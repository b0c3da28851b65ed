//! `batchtop work`: the whole queue, without the screen.

use super::args::Work;
use super::context::Context;
use super::outcome::{End, Outcome};
use super::session::{Followed, Goal, Session};
use crate::base::count;
use crate::engine::Scope;

pub(super) async fn run(flags: &Work, context: &mut Context) -> Outcome {
    let ways = context.ways()?;
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
    if followed == Followed::Interrupted {
        context
            .say
            .note("interrupted; everything that was answered is stored");
        context.say.hint("`batchtop work` goes on where it stopped");
        return Ok(End::Interrupted);
    }
    tell_rest(context)
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
        return Err(super::outcome::Trouble::Said);
    }
    Ok(if failed > 0 {
        End::SomeFailed
    } else {
        End::Done
    })
}
