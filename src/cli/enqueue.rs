//! `batchtop enqueue`: files into the queue, by way of the owner if there is one.
//!
//! An owner may be killed between storing a file and saying so. Each file that it is given
//! therefore carries a receipt, which is stored with the job in the commit that puts it in the
//! queue: once that owner has gone, the receipt tells whether the file is there or is to be given
//! again.

use std::collections::VecDeque;
use std::path::Path;

use super::args::Enqueue;
use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::leaving::Leaving;
use super::outcome::{End, Outcome, Trouble};
use super::run::{job_name, take, whole_path};
use super::session::{Session, TemporaryFolder, no_system, owned, owner};
use crate::base::count;
use crate::control::{self, Ask, ControlError, Reply, random_token};
use crate::engine::Admit;
use crate::model::{Job, JobState};
use crate::store::Owner;

/// A file on its way into the queue.
struct Errand {
    admit: Admit,
    /// The token of the owner that was given it and has not answered.
    given: Option<String>,
    /// Holds what standard input held, once another process is to read it.
    spool: Option<TemporaryFolder>,
}

pub(super) async fn run(flags: &Enqueue, context: &mut Context) -> Outcome {
    let errands = flags.files.iter().map(|it| Errand::of(it, flags, context));
    let mut errands = errands.collect::<Result<VecDeque<_>, _>>()?;
    let leaving = Leaving::begin();
    loop {
        let server = context.server()?;
        if let Some(mut session) = Session::open_if_free(context, server, false).await? {
            let outcome = here(errands, &mut session, context).await;
            session.close().await?;
            return outcome;
        }
        if let Ok(owner) = owner(&context.paths.data).await {
            by_owner(&mut errands, &owner, context).await?;
        }
        match errands.front() {
            None => return Ok(End::Done),
            Some(errand) if !leaving.wait().await => return Err(errand.unknown(context)),
            Some(_) => {}
        }
    }
}

/// Reads the files in this process, which owns the queue. What an earlier owner left half done is
/// gone by now.
async fn here(errands: VecDeque<Errand>, session: &mut Session, context: &mut Context) -> Outcome {
    for errand in errands {
        if let Some(job) = errand.stored(context)? {
            tell(&job, context)?;
            continue;
        }
        let taken = take(session, errand.admit, true, context).await;
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

/// Has the owner read the files, and takes those off that are in the queue. Returns early when it
/// is ending.
async fn by_owner(
    errands: &mut VecDeque<Errand>,
    owner: &Owner,
    context: &mut Context,
) -> Result<(), Trouble> {
    while let Some(errand) = errands.front_mut() {
        match errand.give(owner, context).await? {
            Some(job) => tell(&job, context)?,
            None => return Ok(()),
        }
        errands.pop_front();
    }
    Ok(())
}

impl Errand {
    fn of(file: &FileArg, flags: &Enqueue, context: &Context) -> Result<Self, Trouble> {
        let mut settings = context.loaded.settings.job();
        settings.limit = flags.job.limit;
        let receipt = random_token().map_err(|error| no_system("draw a receipt", &error))?;
        Ok(Self {
            admit: Admit {
                path: whole_path(&path(file)),
                name: job_name(&path(file)),
                settings,
                hash: None,
                receipt: Some(receipt),
            },
            given: None,
            spool: None,
        })
    }

    /// Has the owner read the file. `None` when it is not known, or not yet, to be in the queue.
    async fn give(&mut self, owner: &Owner, context: &Context) -> Result<Option<Job>, Trouble> {
        if let Some(job) = self.stored(context)? {
            return Ok(Some(job));
        }
        // It may still be at it. Only when it has gone, what is not there never will be.
        if self.given.as_ref() == Some(&owner.token) {
            return Ok(None);
        }
        self.spool()?;
        self.given = Some(owner.token.clone());
        match control::ask(owner, Ask::Enqueue(self.admit.clone())).await {
            Ok(Reply::Enqueued(job)) => return Ok(Some(*job)),
            Ok(Reply::Refused(error)) => return Err(error.into()),
            Ok(Reply::Ending | Reply::Done(_)) | Err(ControlError::Unreachable { .. }) => {
                self.given = None;
            }
            Err(ControlError::Ended { .. }) => {}
        }
        Ok(None)
    }

    /// Its job, if it was given to an owner and is in the queue.
    fn stored(&self, context: &Context) -> Result<Option<Job>, Trouble> {
        if self.given.is_none() {
            return Ok(None);
        }
        let Some(reader) = context.reader()? else {
            return Ok(None);
        };
        let mut jobs = reader.jobs()?.into_iter();
        Ok(jobs
            .find(|job| job.source.receipt == self.admit.receipt && job.state != JobState::Reading))
    }

    /// Standard input belongs to this process and can be read only once: for another one it is
    /// kept in a file, which goes away again.
    fn spool(&mut self) -> Result<(), Trouble> {
        if self.admit.path != Path::new("-") {
            return Ok(());
        }
        let folder = TemporaryFolder::new()?;
        let spool = folder.0.join("standard-input");
        let copied = std::fs::File::create(&spool)
            .and_then(|mut spool| std::io::copy(&mut std::io::stdin(), &mut spool));
        copied.map_err(|error| no_system("keep standard input in a file", &error))?;
        self.admit.path = spool;
        self.spool = Some(folder);
        Ok(())
    }

    /// Nobody could be found to read it, or to say whether it was read.
    fn unknown(&self, context: &Context) -> Trouble {
        let data = &context.paths.data;
        if self.given.is_none() {
            return owned(data);
        }
        Trouble::new(
            format!(
                "the process that works the queue in `{}` has not said whether `{}` is in it",
                data.display(),
                self.admit.name
            ),
            "`batchtop jobs` shows it, once that process has ended for certain",
        )
    }
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
