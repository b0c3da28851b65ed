//! How the screen ends when nobody asked it to.

use batchtop::model::RequestState;

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

/// The child of the next test: it takes the terminal and panics.
#[test]
fn panicking_child() {
    if std::env::args().any(|argument| argument == "--nocapture")
        && std::env::vars_os().any(|(name, _)| name == "BATCHTOP_PANICS")
    {
        let _screen = batchtop::tui::Screen::take(true).unwrap();
        panic!("on purpose");
    }
}

#[test]
fn a_panic_restores_the_terminal_before_it_is_reported() {
    let stage = Stage::new();
    let mut command = stage.process(std::env::current_exe().unwrap());
    command.args(["--exact", "tty::ends::panicking_child", "--nocapture"]);
    command.env("BATCHTOP_PANICS", "1");
    let mut terminal = Terminal::start(&command);
    terminal.shows("on purpose");
    assert_ne!(terminal.ends(), 0);
    terminal.is_restored();
    // Raw mode is off: the report's lines start at the left.
    terminal.shows("\ntest tty::ends::panicking_child");
}
