//! Running a batch from the keyboard.

use batchtop::model::RequestState;
use batchtop::simulator::Script;

use super::terminal::Terminal;
use super::{slow, under_way, waiting};
use crate::support::{Stage, batch, until};

fn all_are_done(stage: &Stage, requests: usize) -> bool {
    let rows = stage.rows(1);
    let done = |(state, _): &(RequestState, _)| *state == RequestState::Done;
    rows.len() == requests && rows.values().all(done)
}

#[test]
fn a_batch_is_picked_watched_paused_resumed_and_worked_off() {
    let stage = Stage::with(slow());
    stage.write("monday.jsonl", batch(40));
    stage.write("tuesday.jsonl", batch(2));
    let mut terminal = Terminal::open(&stage, "");
    terminal.types("a");
    terminal.shows("Add a batch file");
    terminal.shows("tuesday.jsonl");
    terminal.types("mond");
    terminal.hides("tuesday.jsonl");
    terminal.types("\r");
    terminal.shows("40 requests, no problems");
    assert!(stage.rows(1).is_empty(), "enqueued before Enter");
    terminal.types("\r");
    terminal.shows("is in the queue");
    terminal.shows("answering");
    terminal.types(" ");
    terminal.shows("pause monday.jsonl: done");
    // What was in flight ends; nothing new is sent.
    until("nothing is in flight", || {
        (stage.server().stats().in_flight == 0).then_some(())
    });
    let asked = stage.asked().len();
    assert!((1..40).contains(&asked), "{asked} were sent");
    stage.play(Script::instant());
    terminal.types(" ");
    terminal.shows("✓ monday.jsonl");
    assert!(all_are_done(&stage, 40));
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
}

#[test]
fn a_job_is_cancelled_only_after_a_yes() {
    let stage = waiting(40);
    let mut terminal = under_way(&stage);
    terminal.types("c");
    terminal.shows("Job 1, b.jsonl");
    // No is what Enter means.
    terminal.types("\r");
    terminal.hides("Job 1, b.jsonl");
    terminal.shows("● running");
    terminal.types("c");
    terminal.shows("Job 1, b.jsonl");
    terminal.types("y");
    terminal.shows("cancel b.jsonl: done");
    terminal.shows("cancelled");
}

#[test]
fn results_are_written_from_the_palette() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(12));
    stage.run("run b.jsonl").with(0);
    let expected = stage.read("b.results.jsonl");
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("✓ b.jsonl");
    terminal.types(":");
    terminal.shows("Commands");
    terminal.types("write the results\r");
    terminal.shows("Export");
    terminal.types("out.jsonl");
    terminal.types("\r");
    let written = || {
        stage
            .path("out.jsonl")
            .exists()
            .then(|| stage.read("out.jsonl"))
    };
    assert_eq!(until("the results", written), expected);
    terminal.types("6");
    terminal.shows("Settings");
    terminal.types("\u{3}");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_report_is_written_with_a_key() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(12));
    stage.run("run b.jsonl").with(0);
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("✓ b.jsonl");
    terminal.types("R");
    terminal.shows("the report is in");
    let page = stage.read("b.report.html");
    assert!(page.ends_with("</html>\n") && page.contains("<svg"));
    assert!(page.contains("12 answered"), "{page}");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_killed_run_goes_on_at_the_next_start() {
    let stage = waiting(40);
    let terminal = under_way(&stage);
    let done = || {
        let rows = stage.rows(1).into_iter();
        let done = rows.filter(|(_, (state, _))| *state == RequestState::Done);
        done.map(|(name, _)| name).collect::<Vec<_>>()
    };
    let before = until("some are done", || {
        Some(done()).filter(|done| done.len() > 4)
    });
    terminal.signal("-KILL");
    drop(terminal);
    stage.play(Script {
        marker_prefix: slow().marker_prefix,
        ..Script::instant()
    });
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("✓ b.jsonl");
    assert!(all_are_done(&stage, 40));
    for name in before {
        let asked = stage.asked().into_iter();
        let times = asked
            .filter(|entry| entry.marker.as_ref() == Some(&name))
            .count();
        assert_eq!(times, 1, "{name} was stored and sent again");
    }
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}
