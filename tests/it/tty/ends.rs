//! How the screen ends when nobody asked it to.

use batchtop::model::RequestState;
use batchtop::simulator::Script;

use super::terminal::Terminal;
use super::{under_way, waiting};
use crate::support::{Stage, until};

/// Nothing is left in between: what was not answered is queued again.
fn everything_is_stored(stage: &Stage, requests: usize) {
    let rows = stage.rows(1);
    assert_eq!(rows.len(), requests);
    for (name, (state, _)) in rows {
        let is_stored = matches!(state, RequestState::Done | RequestState::Queued);
        assert!(is_stored, "{name} is {state:?}");
    }
}

#[test]
fn a_terminated_run_is_stored_and_the_terminal_restored() {
    let stage = waiting(40);
    let mut terminal = under_way(&stage);
    terminal.signal("-TERM");
    assert_eq!(terminal.ends(), 130);
    terminal.is_restored();
    everything_is_stored(&stage, 40);
}

#[test]
fn a_closed_terminal_ends_the_run_and_loses_nothing() {
    let stage = waiting(40);
    let terminal = Terminal::unread(&stage.command(""));
    until("some are asked", || (stage.asked().len() > 4).then_some(()));
    assert_eq!(terminal.closes().ends(), 130);
    everything_is_stored(&stage, 40);
    assert!(
        stage
            .rows(1)
            .values()
            .any(|(state, _)| *state == RequestState::Done)
    );
}

#[test]
fn a_panic_restores_the_terminal_reports_itself_and_loses_nothing() {
    let stage = waiting(40).set("BATCHTOP_KILL_AT", "panic:picture:5");
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("a test wants a panic at `picture`");
    assert_eq!(terminal.ends(), 101);
    terminal.is_restored();
    // Raw mode is off: the lines of the report start at the left.
    terminal.shows("\nMessage:");
    terminal.shows("\nLocation:");
    stage.play(Script::instant());
    stage.run("work").with(0);
    let rows = stage.rows(1);
    assert_eq!(rows.len(), 40);
    let all_are_done = |(state, _): &(RequestState, _)| *state == RequestState::Done;
    assert!(rows.values().all(all_are_done));
}
