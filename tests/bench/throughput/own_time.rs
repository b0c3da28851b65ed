//! batchtop's own time for a request: everything that is not waiting for the server. Four parts
//! are measured, each where nothing else runs: taking the request in, the queue (claim and commit,
//! in groups as large as 64 lanes make them), the engine between two calls of a lane, and what a call
//! takes longer than the same call of the plainest client.

use std::path::Path;
use std::time::Duration;

use batchtop::base::Stamp;
use batchtop::intake::{Rules, open, read_all};
use batchtop::model::{Answer, AnswerBody, Finish, JobId, JobSettings, JobState, Timings, Usage};
use batchtop::simulator::Simulator;
use batchtop::store::{Claimed, Record, Store, Unit, Write, Written};

use super::batches::{MODEL, System, admit, batch, close, open_engine, run, script, server};
use super::engine::by_hand;
use super::watched::Watched;
use super::{Failure, now, say};

const REQUESTS: u64 = 20_000;
/// Requests in a commit: what 64 lanes at full speed bring together.
const GROUP: usize = 64;

/// Prints the parts, and their sum.
pub(crate) async fn own_time(folder: &Path) -> Result<(), Failure> {
    let intake = intake(folder)?;
    let queue = queue(folder).await?;
    let (engine, call) = lane(folder).await?;
    for (part, took) in [
        ("taking it in", intake),
        ("queue: claim and commit", queue),
        ("engine between two calls", engine),
        ("call beyond the plainest one", call),
    ] {
        say("own time", &format!("{part}: {} ms", milliseconds(took)));
    }
    let all = milliseconds(intake + queue + engine + call);
    say("own time", &format!("a request, at the median: {all} ms"));
    Ok(())
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64() * 1_000.0)
}

/// Reading and checking a line of the batch file, on average.
fn intake(folder: &Path) -> Result<Duration, Failure> {
    let path = batch(folder, REQUESTS, System::Long)?;
    let started = now();
    read_all(open(&path)?, Rules::default(), 100);
    Ok(started.elapsed() / REQUESTS as u32)
}

/// Claiming and storing one of a group, at the median of all groups.
async fn queue(folder: &Path) -> Result<Duration, Failure> {
    let data = folder.join("own-time-queue");
    let (handle, engine) = open_engine(&data, server("http://127.0.0.1:9")?)?;
    let path = batch(folder, REQUESTS, System::Long)?;
    let admitted = handle.admit(admit(&path, JobSettings::default())).await?;
    close(&handle, engine).await?;
    let mut store = Store::open(&data)?;
    let job = admitted.job.id;
    store.apply(&[Write::SetState(job, JobState::Running, Stamp::now())])?;
    let unit = Unit { job, model: 0 };
    let mut times = Vec::new();
    loop {
        let started = now();
        let claimed = claim(&mut store, unit)?;
        if claimed.is_empty() {
            return Ok(median(times));
        }
        let count = claimed.len() as u32;
        let saves: Vec<Write> = claimed.iter().map(|one| save(job, one)).collect();
        store.apply(&saves)?;
        times.push(started.elapsed() / count);
    }
}

fn claim(store: &mut Store, unit: Unit) -> Result<Vec<Claimed>, Failure> {
    let written = store.apply(&[Write::Claim(unit, GROUP, 64 << 20)])?;
    match written.into_iter().next() {
        Some(Written::Claimed { requests, .. }) => Ok(requests),
        other => Err(format!("a claim brought {other:?}").into()),
    }
}

fn save(job: JobId, claimed: &Claimed) -> Write {
    let answer = Answer {
        model: MODEL.to_owned(),
        body: AnswerBody::Completion {
            text: "{\"score\": 7, \"reason\": \"Twelve years of it, two abroad.\"}".to_owned(),
        },
        finish: Finish::Stop,
        usage: Usage::default(),
        timings: Timings::default(),
    };
    Write::Save(Record::Answered {
        job,
        request: claimed.id,
        answer: Box::new(answer),
        at: Stamp::now(),
    })
}

/// Medians of a single lane at full speed: from the end of a call to the beginning of the next,
/// and of the call itself beyond that of the plainest client.
async fn lane(folder: &Path) -> Result<(Duration, Duration), Failure> {
    let simulator = Simulator::start_local(script(1, None)).await?;
    let path = batch(folder, REQUESTS, System::Long)?;
    let plainest = median(by_hand(&path, &simulator.url(), 1).await?);
    let watched = Watched::over(server(&simulator.url())?);
    let data = folder.join("own-time-lane");
    run(&path, &data, watched.clone(), 1).await?;
    simulator.shutdown().await;
    let calls = watched.taken();
    let pairs = calls.windows(2).filter_map(|pair| match pair {
        [one, next] => Some(next.began.saturating_duration_since(one.ended)),
        _ => None,
    });
    let taken = calls.iter().map(|call| call.ended - call.began);
    let beyond = median(taken.collect()).saturating_sub(plainest);
    Ok((median(pairs.collect()), beyond))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
