//! Figures of the real binary in a pseudo-terminal.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use batchtop::base::{bytes, count};
use batchtop::simulator::{Answers, Length, Outcome, Script, Simulator};

use super::queue::{MILLION, Stage};
use super::terminal::Terminal;
use super::{Failure, Times, milliseconds, now, say};

/// Nobody listens here.
const NOWHERE: &str = "http://127.0.0.1:9";
/// How long the processor is watched.
const WATCHED: Duration = Duration::from_secs(20);

/// From the start of the process to a whole picture with the job in it.
pub(crate) fn first_picture(stage: &Stage<'_>) -> Result<(), Failure> {
    for requests in [1_000, MILLION] {
        let data = stage.half_done(requests)?;
        let mut times = Times::default();
        for _ in 0..20 {
            let started = now();
            let terminal = Terminal::open(&stage.home(), &data, NOWHERE)?;
            let shown = terminal.until(|screen| {
                let picture = screen.contents();
                picture.contains("queue-") && picture.contains("q quit")
            })?;
            times.add(shown - started);
        }
        say(
            "screen: first picture",
            &format!("{} requests: {}", count(requests), times.told()),
        );
    }
    Ok(())
}

/// From a key to its picture while the engine does a thousand requests a second.
pub(crate) fn keys(stage: &Stage<'_>) -> Result<(), Failure> {
    let server = stage.server(fast())?;
    let data = stage.waiting("keys", 80_000, 128)?;
    let mut terminal = Terminal::open(&stage.home(), &data, &server.url())?;
    terminal.shows("answering")?;
    sleep(Duration::from_secs(2));
    let (started, before, busy) = (now(), answered(&server), terminal.processor()?);
    let mut times = Times::default();
    for press in 0..400_u64 {
        // The help is opened and closed, at moments that follow no beat.
        let is_open = press % 2 == 0;
        times.add(terminal.answers("?", |screen| {
            screen.contents().contains("esc closes") == is_open
        })?);
        sleep(Duration::from_millis(20 + press * 37 % 61));
    }
    let seconds = started.elapsed().as_secs_f64();
    let rate = (answered(&server) - before) as f64 / seconds;
    let share = 100.0 * (terminal.processor()? - busy) / seconds;
    say(
        "screen: keys while it runs",
        &format!(
            "{rate:.0} req/s: {}; {share:.0} % of a core, the engine's work included",
            times.told()
        ),
    );
    super::frames::watched(stage, &data)?;
    drop(terminal);
    stage.runtime.block_on(server.shutdown());
    Ok(())
}

/// A server that answers up to two thousand requests a second in 128 slots.
fn fast() -> Script {
    Script {
        slots: 128,
        decode_rate: Some(10.0 / 0.06),
        answers: Answers {
            tokens: Length::Fixed(11),
            ..Answers::default()
        },
        ..Script::default()
    }
}

fn answered(server: &Simulator) -> u64 {
    server.stats().ended(Outcome::Answered)
}

/// The processor while nothing runs, and while four lanes run as they do on a card.
pub(crate) fn processor(stage: &Stage<'_>) -> Result<(), Failure> {
    let server = stage.server(Script {
        load_ms: 100,
        ..Script::demo()
    })?;
    let data = stage.half_done(MILLION)?;
    let terminal = Terminal::open(&stage.home(), &data, &server.url())?;
    terminal.shows("paused")?;
    say("screen: processor idle", &share(&terminal)?);
    drop(terminal);
    let data = stage.waiting("processor", 1_000, 4)?;
    let terminal = Terminal::open(&stage.home(), &data, &server.url())?;
    terminal.shows("answering")?;
    say(
        "screen: processor running",
        &format!(
            "{}: engine and screen over four lanes of 40 tokens a second",
            share(&terminal)?
        ),
    );
    drop(terminal);
    stage.runtime.block_on(server.shutdown());
    Ok(())
}

fn share(terminal: &Terminal) -> Result<String, Failure> {
    // What is done once at the start is not what is asked for.
    sleep(Duration::from_secs(2));
    let (started, before) = (now(), terminal.processor()?);
    sleep(WATCHED);
    let taken = terminal.processor()? - before;
    let share = 100.0 * taken / started.elapsed().as_secs_f64();
    Ok(format!("{share:.2} % of a core"))
}

/// Memory after the same walk through a short and through a long list.
pub(crate) fn memory(stage: &Stage<'_>) -> Result<(), Failure> {
    for requests in [1_000, MILLION] {
        let data = stage.half_done(requests)?;
        let held = walked(stage, &data, requests)?;
        say(
            "screen: memory",
            &format!("{} requests: {}", count(requests), bytes(held)),
        );
    }
    Ok(())
}

fn walked(stage: &Stage<'_>, data: &Path, requests: u64) -> Result<u64, Failure> {
    let mut terminal = Terminal::open(&stage.home(), data, NOWHERE)?;
    terminal.shows("queue-")?;
    terminal.types("\r")?;
    terminal.shows("cand-0000000")?;
    let last = format!("cand-{:07}", requests - 1);
    let mut longest = Duration::ZERO;
    for _ in 0..50 {
        longest = longest.max(terminal.answers("G", |screen| screen.contents().contains(&last))?);
        terminal.types("\u{1b}[5~\u{1b}[5~\u{1b}[5~")?;
        longest = longest
            .max(terminal.answers("g", |screen| screen.contents().contains("cand-0000000"))?);
    }
    let typed = now();
    terminal.types(&format!("/{last}"))?;
    let found = terminal.shows(" 1 of 1,0")? - typed;
    say(
        "screen: walk",
        &format!(
            "{} requests: from a key to either end at most {} ms, text filter with its count {} ms",
            count(requests),
            milliseconds(longest),
            milliseconds(found)
        ),
    );
    terminal.memory()
}
