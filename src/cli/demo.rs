//! `batchtop demo`: the program at work on a built-in simulated server. No Ollama, no graphics
//! card, nothing to set up; everything it shows is marked SIMULATED.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use super::args::Demo;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::run::{Worked, summarize, take_in, work_alone};
use super::screen;
use super::session::{Session, Signals, TemporaryFolder, no_system};
use crate::base::{count, shown};
use crate::model::{AnswerBody, Job, JobSettings, Mode, Parallel, Readings, TrimPolicy};
use crate::report::{Destination, Order, write_results};
use crate::sample::{SampleOptions, request_line};
use crate::simulator::{Script, Simulator};
use crate::store::{Reader, StoreError};
use crate::tui::{Desk, Look};

/// The model that the demo's server has and its requests name.
const MODEL: &str = "gemma3:12b";
/// Window of the demo's conversations: small enough that something must be left out soon, and
/// large enough for the system prompt of 2,000 tokens.
const TALK_WINDOW: u32 = 6_144;
/// Cap of their answers in tokens.
const TALK_CAP: u32 = 256;
/// The slots of the demo's server.
const SLOTS: u32 = 4;

pub(super) async fn run(flags: &Demo, context: &mut Context) -> Outcome {
    let look = if flags.headless {
        None
    } else {
        Some(screen::look(context)?)
    };
    // From before there is a folder that must not be left behind.
    let signals = Signals::listen()?;
    let temporary = if flags.keep.is_some() {
        None
    } else {
        Some(TemporaryFolder::new()?)
    };
    let folder = match (&flags.keep, &temporary) {
        (Some(kept), _) => kept.clone(),
        (None, Some(temporary)) => temporary.0.clone(),
        (None, None) => PathBuf::from("."),
    };
    let batch = folder.join("candidates.jsonl");
    std::fs::create_dir_all(&folder)
        .and_then(|()| generate(&batch, flags.requests, flags.seed))
        .map_err(|error| no_system("write the sample batch", &error))?;
    context.paths.data = folder.join("data");
    let simulator = Simulator::start_local(Script::demo())
        .await
        .map_err(|error| no_system("start the simulated server", &error))?;
    if let Some(look) = look {
        let shown = show(&batch, flags, &simulator.url(), (look, signals), context).await;
        simulator.shutdown().await;
        return shown;
    }
    context.say.note(&format!(
        "SIMULATED server at {}, {} generated requests",
        simulator.url(),
        count(flags.requests)
    ));
    let worked = work(&batch, &simulator.url(), signals, context).await;
    simulator.shutdown().await;
    match worked? {
        None => {
            context.say.note("interrupted; this was SIMULATED");
            Ok(End::Interrupted)
        }
        Some(worked) => conclude(worked, &folder, temporary.is_some(), context),
    }
}

/// The screen over the simulated server, with a second job that waits and will be a conversation.
async fn show(
    batch: &Path,
    flags: &Demo,
    url: &str,
    (mut look, signals): (Look, Signals),
    context: &mut Context,
) -> Outcome {
    if let Some(folder) = batch.parent() {
        look.start.folder = folder.to_path_buf();
    }
    let second = batch.with_file_name("reviews.jsonl");
    generate(&second, flags.requests.div_ceil(5), flags.seed + 1)
        .map_err(|error| no_system("write the sample batch", &error))?;
    let mut session = Session::open(context, context.server_at(url)?, true)
        .await?
        .hearing(signals);
    let mut settings = context.loaded.settings.job();
    settings.parallel = Parallel::Fixed(SLOTS);
    let talking = JobSettings {
        mode: Mode::Conversation,
        trim: TrimPolicy::Hybrid,
        num_ctx: Some(TALK_WINDOW),
        max_tokens: TALK_CAP,
        ..settings.clone()
    };
    for (file, settings) in [(batch, settings), (&*second, talking)] {
        if let Err(trouble) = take_in(&mut session, file, None, settings, true, context).await {
            session.close().await?;
            return Err(trouble);
        }
    }
    let desk = Desk::new(context.paths.data.clone(), context.server_at(url)?, no_card);
    screen::over(session, desk, context, look).await
}

/// The simulated server has no card, and this machine's is none of its business.
fn no_card() -> Readings {
    Readings {
        absent: Some("the server is simulated".to_owned()),
        ..Readings::default()
    }
}

fn generate(batch: &Path, requests: u64, seed: u64) -> std::io::Result<()> {
    let options = SampleOptions {
        model: Some(MODEL.to_owned()),
        ..SampleOptions::default()
    };
    let mut file = BufWriter::new(File::create(batch)?);
    for index in 0..requests {
        writeln!(file, "{}", request_line(seed, index, &options))?;
    }
    file.flush()
}

async fn work(
    batch: &Path,
    url: &str,
    signals: Signals,
    context: &mut Context,
) -> Result<Option<Worked>, Trouble> {
    let server = context.server_at(url)?;
    let session = Session::open(context, server, true).await?.hearing(signals);
    let mut settings = context.loaded.settings.job();
    settings.parallel = Parallel::Fixed(SLOTS);
    work_alone(session, batch, settings, context).await
}

/// Writes the files, says how it went and shows an answer. Failed requests are part of the show.
fn conclude(worked: Worked, folder: &Path, is_temporary: bool, context: &mut Context) -> Outcome {
    let id = worked.job;
    let reader = context.reader()?.ok_or(StoreError::NoJob(id.0))?;
    let job = reader.job(id)?.ok_or(StoreError::NoJob(id.0))?;
    let (answers, errors) = (
        folder.join("candidates.results.jsonl"),
        folder.join("candidates.errors.jsonl"),
    );
    write_results(
        &reader,
        &job,
        &Destination::File(answers),
        Some(&errors),
        Order::Input,
    )?;
    summarize(&job, worked.took, context);
    for group in reader.failures(id)? {
        context
            .say
            .note(&format!("failed: {} × {}", count(group.count), group.class));
    }
    if let Some((custom_id, answer)) = an_answer(&reader, &job)? {
        context
            .say
            .note(&format!("for example {custom_id}: {answer}"));
    }
    let place = folder.display();
    context.say.note(&if is_temporary {
        "SIMULATED: nothing is kept; `--keep DIR` keeps queue and result files".to_owned()
    } else {
        format!("SIMULATED: queue and result files are in {place}")
    });
    Ok(End::Done)
}

fn an_answer(reader: &Reader, job: &Job) -> Result<Option<(String, String)>, Trouble> {
    let mut found = None;
    reader.results::<StoreError>(job.id, Order::Input, |row| {
        if let (None, Some(id), Some(answer)) = (&found, row.custom_id, row.answer)
            && let AnswerBody::Chat { content, .. } = answer.body
        {
            found = Some((shown(&id), shown(&content)));
        }
        Ok(())
    })?;
    Ok(found)
}
