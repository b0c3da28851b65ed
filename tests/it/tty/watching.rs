//! A second screen on the same queue.

use batchtop::simulator::Script;

use super::terminal::Terminal;
use super::{under_way, waiting};
use crate::support::Stage;

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
