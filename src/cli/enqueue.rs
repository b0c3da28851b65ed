//! `batchtop enqueue`: files into the queue, by way of the owner if there is one.

use std::path::{Path, PathBuf};

use super::args::Enqueue;
use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::run::{job_name, take_in, whole_path};
use super::session::{Session, TemporaryFolder, no_system, owner};
use crate::base::count;
use crate::control::{self, Ask, Reply};
use crate::engine::Admit;
use crate::model::Job;
use crate::store::Owner;

pub(super) async fn run(flags: &Enqueue, context: &mut Context) -> Outcome {
    let server = context.server()?;
    let Some(mut session) = Session::open_if_free(context, server, false).await? else {
        let owner = owner(&context.paths.data).await?;
        return by_owner(flags, &owner, context).await;
    };
    let outcome = here(flags, &mut session, context).await;
    session.close().await?;
    outcome
}

async fn here(flags: &Enqueue, session: &mut Session, context: &mut Context) -> Outcome {
    for file in &flags.files {
        let mut settings = context.loaded.settings.job();
        settings.limit = flags.job.limit;
        let taken = take_in(session, &path(file), None, settings, true, context).await;
        let id = match taken {
            Ok(id) => id,
            Err(Trouble::Said) if session.is_interrupted() => {
                context
                    .say
                    .note("interrupted; the files before this one are in the queue");
                return Ok(End::Interrupted);
            }
            Err(trouble) => return Err(trouble),
        };
        if let Some(job) = context
            .reader()?
            .map(|reader| reader.job(id))
            .transpose()?
            .flatten()
        {
            tell(&job, context)?;
        }
    }
    Ok(End::Done)
}

async fn by_owner(flags: &Enqueue, owner: &Owner, context: &mut Context) -> Outcome {
    for file in &flags.files {
        let mut settings = context.loaded.settings.job();
        settings.limit = flags.job.limit;
        let (path, _spooled) = absolute(file)?;
        let name = match file {
            FileArg::Standard => job_name(Path::new("-")),
            FileArg::Path(path) => job_name(path),
        };
        let ask = Ask::Enqueue(Admit {
            path,
            name,
            settings,
            hash: None,
        });
        match control::ask(owner, ask).await? {
            Reply::Enqueued(job) => tell(&job, context)?,
            Reply::Refused(error) => return Err(error.into()),
            Reply::Done(_) => {}
        }
    }
    Ok(End::Done)
}

/// The path as another process must have it. Standard input belongs to this process, so it is
/// written to a file first, which goes away again.
fn absolute(file: &FileArg) -> Result<(PathBuf, Option<TemporaryFolder>), Trouble> {
    let FileArg::Path(path) = file else {
        let folder = TemporaryFolder::new()?;
        let spool = folder.0.join("standard-input");
        let copied = std::fs::File::create(&spool)
            .and_then(|mut spool| std::io::copy(&mut std::io::stdin(), &mut spool));
        copied.map_err(|error| no_system("keep standard input in a file", &error))?;
        return Ok((spool, Some(folder)));
    };
    Ok((whole_path(path), None))
}

fn tell(job: &Job, context: &mut Context) -> Result<(), Trouble> {
    let invalid = match job.counts.failed {
        0 => String::new(),
        failed => format!(", {} of them invalid", count(failed)),
    };
    let total = count(job.counts.total);
    Ok(context.say.line(&format!(
        "job {}: {} ({total} requests{invalid})",
        job.id, job.name
    ))?)
}
