//! `batchtop run`: one batch file from the first line to the last answer.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::args::Run;
use super::check::path;
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::session::{Followed, Goal, Session};
use super::{once_a_day, plan, profile, report};
use crate::base::{Stamp, count, duration};
use crate::context::Wish;
use crate::engine::{Admit, AdmitError, Scope, check_installed};
use crate::inference::Ollama;
use crate::intake::{SourceSeen, fingerprint};
use crate::model::{Bill, Command, FailureClass, Job, JobId, JobSettings, JobState};
use crate::report::{Destination, Order, beside, write_results};

/// Models that are planned before a job is started.
const MODELS_PLANNED: usize = 3;

/// A job that has come to its end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Worked {
    pub(super) job: JobId,
    /// How long its requests were running, by the engine's stopwatch; `None` where another process
    /// had a part in it.
    pub(super) took: Option<Duration>,
}

pub(super) async fn run(flags: &Run, context: &mut Context) -> Outcome {
    let mut settings = context.loaded.settings.job();
    settings.limit = flags.job.limit;
    profile::tell_recommendation(&settings, context);
    let file = path(&flags.file);
    let seen = match flags.file {
        FileArg::Standard => None,
        FileArg::Path(_) => Some(fingerprint(&file)?),
    };
    let before = seen.as_ref().filter(|_| !flags.new);
    let before = before
        .map(|seen| earlier(context, seen, &settings, None))
        .transpose()?
        .flatten();
    let worked = match before {
        Some(job) if job.state == JobState::Done => {
            tell_done_before(&job, context);
            Worked {
                job: job.id,
                took: None,
            }
        }
        before => {
            let worked = work_off(&file, seen, settings, before, flags, context).await?;
            match worked {
                (Some(worked), Followed::Reached) => worked,
                (worked, _) => return Ok(interrupted(worked.map(|it| it.job), context)),
            }
        }
    };
    conclude(worked, flags, context)
}

fn tell_done_before(job: &Job, context: &mut Context) {
    context.say.note(&format!(
        "job {} has done this file before; `--new` asks everything again",
        job.id
    ));
}

/// The newest job of the same content and settings that was not cancelled, and is not `itself`.
fn earlier(
    context: &Context,
    seen: &SourceSeen,
    settings: &JobSettings,
    itself: Option<JobId>,
) -> Result<Option<Job>, Trouble> {
    let Some(reader) = context.reader()? else {
        return Ok(None);
    };
    let jobs = reader.jobs()?;
    Ok(jobs
        .into_iter()
        .filter(|job| job.source.hash == seen.hash && job.settings.asks_the_same(settings))
        .filter(|job| !matches!(job.state, JobState::Cancelled | JobState::Reading))
        .filter(|job| Some(job.id) != itself)
        .max_by_key(|job| job.id))
}

async fn work_off(
    file: &Path,
    seen: Option<SourceSeen>,
    settings: JobSettings,
    before: Option<Job>,
    flags: &Run,
    context: &mut Context,
) -> Result<(Option<Worked>, Followed), Trouble> {
    let ways = context.ways()?;
    let server = context.server()?;
    check_model(&server, &settings).await?;
    let planner = server.clone();
    if let Some(warning) = settings.mode.warning() {
        context.say.note(warning);
    }
    let mut session = Session::open(context, server, false)
        .await?
        .telling(ways, context);
    let job = if let Some(job) = before {
        go_on(&session, job, &settings, context).await
    } else {
        let hash = seen.map(|seen| seen.hash);
        take_in(&mut session, file, hash, settings, flags.new, context).await
    };
    let job = match job {
        Ok(job) => job,
        Err(Trouble::Said) if session.is_interrupted() => {
            session.close().await?;
            return Ok((None, Followed::Interrupted));
        }
        Err(trouble) => {
            session.close().await?;
            return Err(trouble);
        }
    };
    if let Err(trouble) = tell_plan(&planner, job, context).await {
        session.close().await?;
        return Err(trouble);
    }
    let (worked, followed) = follow(session, job, flags.json, context).await?;
    Ok((Some(worked), followed))
}

/// Works off a job of the queue of this session.
async fn follow(
    session: Session,
    job: JobId,
    json: bool,
    context: &mut Context,
) -> Result<(Worked, Followed), Trouble> {
    let before = context
        .reader()?
        .map(|reader| reader.job(job))
        .transpose()?;
    let is_new = before.flatten().is_some_and(|job| job.started.is_none());
    session.handle.work(Scope::Only(job)).await;
    let snapshots = session.handle.snapshots();
    let followed = session.follow(context, Goal::Job(job), json).await?;
    let last = snapshots.borrow();
    let view = last.jobs.iter().find(|view| view.id == job);
    let took = view.map(|view| view.running_for).filter(|_| is_new);
    Ok((Worked { job, took }, followed))
}

/// Puts a batch in the queue of this session and works it off. `None` when a signal came first.
pub(super) async fn work_alone(
    mut session: Session,
    batch: &Path,
    settings: JobSettings,
    context: &mut Context,
) -> Result<Option<Worked>, Trouble> {
    let job = match take_in(&mut session, batch, None, settings, true, context).await {
        Ok(job) => job,
        Err(trouble) => {
            let interrupted = session.is_interrupted();
            session.close().await?;
            return if interrupted { Ok(None) } else { Err(trouble) };
        }
    };
    let (worked, followed) = follow(session, job, false, context).await?;
    Ok((followed == Followed::Reached).then_some(worked))
}

/// Says whether the models of a job fit the cards. One that surely does not is not started, unless
/// that is allowed. A server that does not answer is waited for later.
async fn tell_plan(server: &Ollama, id: JobId, context: &mut Context) -> Result<(), Trouble> {
    let job = context.reader()?.map(|reader| reader.job(id)).transpose()?;
    let Some(job) = job.flatten() else {
        return Ok(());
    };
    let settings = &context.loaded.settings;
    let (refuses, wish) = (
        settings.guard && !settings.allow_spill && !job.settings.allow_spill,
        Wish {
            window: job.settings.num_ctx.map(u64::from),
            ..plan::wish(settings)
        },
    );
    for model in job.models.iter().take(MODELS_PLANNED) {
        let learnt = profile::overhead(context, model).await;
        let Ok(outlook) = plan::of_model(server, model, &wish, learnt).await else {
            continue;
        };
        if refuses && outlook.surely_spills() {
            let what = format!(
                "job {id} is not started: {}",
                outlook.sentences().join("; ")
            );
            return Err(Trouble::new(what, "`--allow-spill` runs it all the same"));
        }
        if let Some(why) = outlook.unknown.first() {
            let what = format!("{model}: {why}");
            if !once_a_day::is_first(&context.paths.data, &what, Stamp::now()) {
                continue;
            }
        }
        for line in outlook.sentences() {
            context.say.note(&line);
        }
    }
    Ok(())
}

/// A misspelt `--model` is told before the file is read. A server that does not answer is waited
/// for later.
async fn check_model(server: &Ollama, settings: &JobSettings) -> Result<(), Trouble> {
    let Some(model) = &settings.model else {
        return Ok(());
    };
    match check_installed(server, std::slice::from_ref(model)).await {
        Err(failure) if failure.class == FailureClass::ModelMissing => {
            Err(Trouble::Wrong(failure.message, None))
        }
        _ => Ok(()),
    }
}

/// Goes on with a job that an earlier run left.
async fn go_on(
    session: &Session,
    job: Job,
    settings: &JobSettings,
    context: &mut Context,
) -> Result<JobId, Trouble> {
    context.say.note(&format!(
        "going on with job {}: {} of {} are done",
        job.id,
        count(job.counts.total - job.counts.left()),
        count(job.counts.total)
    ));
    if !job.state.is_runnable() {
        session
            .handle
            .command(Command::Resume { job: job.id })
            .await?;
    }
    let parallel = settings.parallel;
    session
        .handle
        .command(Command::SetParallel {
            job: job.id,
            parallel,
        })
        .await?;
    Ok(job.id)
}

/// Reads the file into the queue.
pub(super) async fn take_in(
    session: &mut Session,
    file: &Path,
    hash: Option<String>,
    settings: JobSettings,
    anew: bool,
    context: &mut Context,
) -> Result<JobId, Trouble> {
    let admit = Admit {
        path: whole_path(file),
        name: job_name(file),
        settings,
        hash,
        receipt: None,
    };
    take(session, admit, anew, context).await
}

/// The same, as it is to be admitted.
pub(super) async fn take(
    session: &mut Session,
    admit: Admit,
    anew: bool,
    context: &mut Context,
) -> Result<JobId, Trouble> {
    let (same, is_known) = (admit.settings.clone(), admit.path != Path::new("-"));
    let handle = session.handle.clone();
    let admitting = session.or_interrupt(handle.admit(admit)).await;
    let admitted = match admitting.ok_or(Trouble::Said)? {
        Ok(admitted) => admitted,
        Err(AdmitError::Problems(survey)) => {
            for line in survey.report().lines() {
                context.say.note(line);
            }
            context.say.error("nothing was put in the queue");
            context
                .say
                .hint("`--skip-invalid` turns bad lines into failures and runs the others");
            return Err(Trouble::Said);
        }
        Err(_) if session.is_interrupted() => return Err(Trouble::Said),
        Err(error) => return Err(error.into()),
    };
    let job = admitted.job;
    // Standard input shows what it is only when it has been read.
    let before = if anew || is_known {
        None
    } else {
        let seen = SourceSeen {
            bytes: job.source.bytes,
            hash: job.source.hash.clone(),
        };
        earlier(context, &seen, &same, Some(job.id))?
    };
    match before {
        Some(before) => go_back(session, job.id, before, &same, context).await,
        None => Ok(job.id),
    }
}

/// Forgets a job that was just read, because an earlier one is the same.
async fn go_back(
    session: &Session,
    job: JobId,
    before: Job,
    settings: &JobSettings,
    context: &mut Context,
) -> Result<JobId, Trouble> {
    for command in [Command::Cancel { job }, Command::Remove { job }] {
        session.handle.command(command).await?;
    }
    if before.state == JobState::Done {
        tell_done_before(&before, context);
        return Ok(before.id);
    }
    go_on(session, before, settings, context).await
}

/// The path from the root, so that it still means something when it is read in a year.
pub(super) fn whole_path(file: &Path) -> PathBuf {
    if file == Path::new("-") {
        return file.to_path_buf();
    }
    std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf())
}

/// The file's name without folders.
pub(super) fn job_name(file: &Path) -> String {
    if file == Path::new("-") {
        return "standard input".to_owned();
    }
    file.file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn interrupted(job: Option<JobId>, context: &mut Context) -> End {
    match job {
        Some(job) => {
            context
                .say
                .note("interrupted; everything that was answered is stored");
            context.say.hint(&format!(
                "the same command goes on where it stopped; `batchtop export {job}` writes what is \
                 there"
            ));
        }
        None => context
            .say
            .note("interrupted; nothing was put in the queue"),
    }
    End::Interrupted
}

/// Writes the files and says how it went.
fn conclude(worked: Worked, flags: &Run, context: &mut Context) -> Outcome {
    let id = worked.job;
    let Some(reader) = context.reader()? else {
        return Err(Trouble::new(
            "the queue has gone",
            "start the same command again",
        ));
    };
    let job = reader
        .job(id)?
        .ok_or(crate::store::StoreError::NoJob(id.0))?;
    if let Some(why) = job.state.why() {
        let hint = format!("then start the same command again, or `batchtop resume {id}`");
        return Err(Trouble::new(
            format!("job {id} is {}: {why}", job.state),
            hint,
        ));
    }
    let (answers, errors) = destinations(flags);
    let written = write_results(&reader, &job, &answers, Some(&errors), Order::Input)?;
    if let Destination::File(path) = &answers {
        let text = format!("{} answers in {}", count(written.answers), path.display());
        context.say.note(&text);
    }
    if written.errors > 0 {
        let text = format!("{} failures in {}", count(written.errors), errors.display());
        context.say.note(&text);
        context.say.hint(&format!(
            "`batchtop retry {id}`, then the same command, asks them again"
        ));
    }
    summarize(&job, worked.took, context);
    let reuse = reader.reuse(id)?;
    if reuse.is_known() {
        context.say.note(&format!("prefix reuse {reuse}"));
    }
    let asked = context.loaded.settings.report.clone();
    report::at_the_end(&reader, &job, asked.as_ref(), context)?;
    Ok(if written.errors > 0 {
        End::SomeFailed
    } else {
        End::Done
    })
}

/// `took` is better than what the clock on the wall tells, which may have been set meanwhile.
pub(super) fn summarize(job: &Job, took: Option<Duration>, context: &mut Context) {
    let counts = &job.counts;
    let took = took.or_else(|| job.took());
    let took = took.map_or_else(String::new, |took| format!(" in {}", duration(took)));
    let cut = match counts.cut {
        0 => String::new(),
        cut => format!(", {} cut off", count(cut)),
    };
    context.say.note(&format!(
        "job {} is {}: {} of {} answered{cut}, {} failed{took}; {} tokens read, {} written",
        job.id,
        job.state,
        count(counts.done),
        count(counts.total),
        count(counts.failed),
        count(counts.prompt_tokens.0),
        count(counts.answer_tokens.0),
    ));
    let bill = Bill::of(job.energy, counts, &context.loaded.settings.prices());
    if bill.kilowatt_hours.is_some() {
        let text = format!("energy of the cards: {}", bill.parts().join(", "));
        context.say.note(&text);
    }
}

/// Where answers and failures go: beside the file unless flags say otherwise.
fn destinations(flags: &Run) -> (Destination, PathBuf) {
    let beside = |ending: &str| match &flags.file {
        FileArg::Standard => PathBuf::from(format!("stdin.{ending}.jsonl")),
        FileArg::Path(path) => beside(path, ending),
    };
    let answers = match (&flags.output, &flags.file) {
        (Some(FileArg::Path(path)), _) => Destination::File(path.clone()),
        (Some(FileArg::Standard), _) => Destination::Standard,
        (None, _) => Destination::File(beside("results")),
    };
    (
        answers,
        flags.errors.clone().unwrap_or_else(|| beside("errors")),
    )
}
