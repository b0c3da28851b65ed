//! A second screen on the same queue.

use batchtop::simulator::{Answers, Length, Script};
use vt100::Screen;

use super::terminal::Terminal;
use super::{slow, under_way, waiting};
use crate::support::{Stage, batch};

#[test]
fn a_second_screen_follows_the_run_live() {
    let stage = waiting(40);
    let mut owner = under_way(&stage);
    let mut watcher = Terminal::open(&stage, "");
    watcher.shows("READ-ONLY");
    watcher.shows("answering");
    watcher.types("\r");
    watcher.shows("Requests of b.jsonl");
    watcher.shows("r20");
    watcher.types("1");
    owner.types("P");
    watcher.shows("⏸ paused");
    stage.play(Script::instant());
    owner.types("P");
    watcher.shows("✓ b.jsonl");
    watcher.types("q");
    assert_eq!(watcher.ends(), 0);
    watcher.is_restored();
    owner.shows("✓ b.jsonl");
}

/// The tokens of the answer that is watched.
fn tokens(screen: &Screen) -> Option<u64> {
    let contents = screen.contents();
    let (_, behind) = contents.split_once("answering, ")?;
    behind
        .split_whitespace()
        .next()?
        .replace(',', "")
        .parse()
        .ok()
}

#[test]
fn a_second_screen_watches_an_answer_while_it_is_written() {
    let stage = Stage::with(Script {
        answers: Answers {
            tokens: Length::Fixed(4_000),
            ..Answers::default()
        },
        ..slow()
    });
    stage.write("b.jsonl", batch(1));
    stage.run("enqueue b.jsonl --max-tokens 5000").with(0);
    let _owner = under_way(&stage);
    let mut watcher = Terminal::open(&stage, "");
    watcher.shows("answering");
    watcher.types("\t\r");
    watcher.shows(" Answer ");
    watcher.until("some words", |screen| tokens(screen) > Some(10));
    let before = watcher.contents();
    watcher.until("more words", |screen| tokens(screen) > Some(50));
    let words = |text: &str| text.split_whitespace().count();
    assert!(words(&watcher.contents()) > words(&before) + 20);
    watcher.types("\u{1b}");
    watcher.hides(" Answer ");
    watcher.types("q");
    assert_eq!(watcher.ends(), 0);
    watcher.is_restored();
}

#[test]
fn a_second_screen_changes_nothing_and_outlives_the_first() {
    let stage = Stage::new();
    stage.server_goes();
    let owner = Terminal::open(&stage, "");
    owner.shows("no server");
    let mut watcher = Terminal::open(&stage, "");
    watcher.shows("READ-ONLY");
    watcher.shows("no server");
    watcher.types("P");
    watcher.shows("read-only: process");
    drop(owner);
    watcher.shows("has ended");
    watcher.types("q");
    assert_eq!(watcher.ends(), 0);
    watcher.is_restored();
}
