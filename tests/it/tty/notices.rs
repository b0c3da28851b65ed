//! Being called when a run has ended.

use super::terminal::Terminal;
use crate::support::{Stage, batch};

/// A screen on which a batch was put in the queue and has run to its end.
fn worked_off(stage: &Stage) -> Terminal {
    stage.write("b.jsonl", batch(3));
    let mut terminal = Terminal::open(stage, "b.jsonl");
    terminal.shows("3 requests, no problems");
    terminal.types("\r");
    terminal.shows("✓ b.jsonl");
    terminal
}

#[test]
fn the_terminal_rings_and_tells_the_desktop_when_a_job_is_done() {
    let stage = Stage::new()
        .set("BATCHTOP_NOTIFY_BELL", "true")
        .set("BATCHTOP_NOTIFY_OSC9", "true")
        .set("BATCHTOP_NOTIFY_AFTER", "0s");
    let mut terminal = worked_off(&stage);
    terminal.hears("rung", |heard| heard.bells > 0);
    terminal.hears("told", |heard| {
        let mut told = heard.told.iter();
        told.any(|told| told.starts_with("batchtop: ") && told.contains("b.jsonl"))
    });
    // The picture is whole all the same.
    terminal.shows("✓ b.jsonl");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
}

#[test]
fn without_being_asked_it_is_silent() {
    let stage = Stage::new().set("BATCHTOP_NOTIFY_AFTER", "0s");
    let mut terminal = worked_off(&stage);
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
    terminal.hears("silent", |heard| heard.bells == 0 && heard.told.is_empty());
}
