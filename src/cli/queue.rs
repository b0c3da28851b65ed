//! `pause`, `resume`, `cancel`, `retry`, `remove`: one command to the queue, by way of its owner if
//! there is one.

use std::io::BufRead;

use super::args::{OneJob, Remove, Retry};
use super::context::Context;
use super::leaving::Leaving;
use super::outcome::{End, Outcome, Trouble};
use super::session::{Session, owned, owner};
use crate::base::count;
use crate::control::{self, Ask, Reply};
use crate::model::{Command, Done, Job, WhichFailures};
use crate::store::FindError;

pub(super) async fn pause(one: &OneJob, context: &mut Context) -> Outcome {
    let job = find(one, context)?;
    let done = command(Command::Pause { job: job.id }, context).await?;
    tell(&job, done, ("paused", "paused already"), context)
}

pub(super) async fn resume(one: &OneJob, context: &mut Context) -> Outcome {
    let job = find(one, context)?;
    let done = command(Command::Resume { job: job.id }, context).await?;
    tell(
        &job,
        done,
        ("in the queue again", "in the queue already"),
        context,
    )
}

pub(super) async fn cancel(one: &OneJob, context: &mut Context) -> Outcome {
    let job = find(one, context)?;
    let done = command(Command::Cancel { job: job.id }, context).await?;
    tell(
        &job,
        done,
        ("cancelled; what was answered is kept", "cancelled already"),
        context,
    )
}

pub(super) async fn retry(flags: &Retry, context: &mut Context) -> Outcome {
    let job = find(&flags.one, context)?;
    let which = flags.class.map_or(WhichFailures::All, WhichFailures::Class);
    let done = command(Command::Retry { job: job.id, which }, context).await?;
    let text = match (done.count, flags.class) {
        (0, Some(class)) => format!("job {} has no failed requests of class {class}", job.id),
        (0, None) => format!("job {} has no failed requests to try again", job.id),
        (back, _) => format!("job {}: {} requests are queued again", job.id, count(back)),
    };
    context.say.line(&text)?;
    Ok(End::Done)
}

pub(super) async fn remove(flags: &Remove, context: &mut Context) -> Outcome {
    let job = find(&flags.one, context)?;
    if !flags.yes && !agrees(&job, context)? {
        context.say.note("nothing was removed");
        return Ok(End::Done);
    }
    let done = command(Command::Remove { job: job.id }, context).await?;
    tell(&job, done, ("removed", "gone already"), context)
}

fn find(one: &OneJob, context: &Context) -> Result<Job, Trouble> {
    match context.reader()? {
        Some(reader) => Ok(reader.find(&one.job)?),
        None => Err(FindError::None(one.job.to_string()).into()),
    }
}

/// Has a command done by the owner of the queue, or does it here where there is none. An owner that
/// ends before it answers may have done it or not: it is given again, because each of these
/// commands does the same when it is given twice.
async fn command(command: Command, context: &Context) -> Result<Done, Trouble> {
    let leaving = Leaving::begin();
    loop {
        let server = context.server()?;
        if let Some(session) = Session::open_if_free(context, server, false).await? {
            let done = session.handle.command(command).await;
            session.close().await?;
            return Ok(done?);
        }
        let owner = owner(&context.paths.data).await?;
        let trouble = match control::ask(&owner, Ask::Command(command.clone())).await {
            Ok(Reply::Done(done)) => return Ok(done),
            Ok(Reply::Refused(error)) => return Err(error.into()),
            Ok(Reply::Enqueued(_) | Reply::Ending) => owned(&context.paths.data),
            Err(error) => error.into(),
        };
        if !leaving.wait().await {
            return Err(trouble);
        }
    }
}

fn agrees(job: &Job, context: &mut Context) -> Result<bool, Trouble> {
    if !context.say.error_stream.is_terminal {
        return Err(Trouble::new(
            format!("removing job {} needs a yes", job.id),
            "say `--yes` where nobody can be asked",
        ));
    }
    context.say.note(&format!(
        "remove job {} ({}) with {} answers? [y/N]",
        job.id,
        job.name,
        count(job.counts.done)
    ));
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    Ok(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn tell(job: &Job, done: Done, words: (&str, &str), context: &mut Context) -> Outcome {
    let word = if done.changed { words.0 } else { words.1 };
    context
        .say
        .line(&format!("job {} ({}) is {word}", job.id, job.name))?;
    Ok(End::Done)
}
