//! `batchtop enqueue`: files into the queue, by way of the owner if there is one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::args::Enqueue;
use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::run::{job_name, take_in, whole_path};
use super::session::{Session, TemporaryFolder, no_system, owned, owner};
use crate::base::count;
use crate::control::{self, Ask, ControlError, Reply};
use crate::engine::Admit;
use crate::model::Job;
use crate::store::Owner;

/// An owner that is ending has left the queue within this time.
const LEAVING: Duration = Duration::from_secs(20);
/// Between two looks at whether it has.
const GLANCE: Duration = Duration::from_millis(20);

pub(super) async fn run(flags: &Enqueue, context: &mut Context) -> Outcome {
    let deadline = Instant::now() + LEAVING;
    let mut files = flags.files.as_slice();
    loop {
        let server = context.server()?;
        if let Some(mut session) = Session::open_if_free(context, server, false).await? {
            let outcome = here(files, flags, &mut session, context).await;
            session.close().await?;
            return outcome;
        }
        let owner = owner(&context.paths.data).await?;
        files = by_owner(files, flags, &owner, context).await?;
        match files {
            [] => return Ok(End::Done),
            // Standard input was read and can be read only once.
            [FileArg::Standard, ..] => return Err(owned(&context.paths.data)),
            _ if Instant::now() >= deadline => return Err(owned(&context.paths.data)),
            _ => sleep(GLANCE).await,
        }
    }
}

async fn here(
    files: &[FileArg],
    flags: &Enqueue,
    session: &mut Session,
    context: &mut Context,
) -> Outcome {
    for file in files {
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

/// Has the owner read the files. Returns those that it did not read because it is ending.
async fn by_owner<'a>(
    mut files: &'a [FileArg],
    flags: &Enqueue,
    owner: &Owner,
    context: &mut Context,
) -> Result<&'a [FileArg], Trouble> {
    while let [file, more @ ..] = files {
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
        match control::ask(owner, ask).await {
            Ok(Reply::Enqueued(job)) => tell(&job, context)?,
            Ok(Reply::Refused(error)) => return Err(error.into()),
            Ok(Reply::Ending) | Err(ControlError::Unreachable { .. }) => return Ok(files),
            Ok(Reply::Done(_)) => {}
            Err(error) => return Err(error.into()),
        }
        files = more;
    }
    Ok(files)
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
