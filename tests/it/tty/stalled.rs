//! A terminal that takes nothing.

use batchtop::model::RequestState;

use super::terminal::Terminal;
use super::waiting;
use crate::support::{Stage, until};

const REQUESTS: usize = 24;
/// How long nobody reads, by the clock of the server.
const UNREAD_MS: u64 = 2_000;

/// The terminal of this run would need to be read: its pictures are larger than what a terminal
/// holds for its reader, by far.
fn nobody_reads(stage: &Stage) -> Terminal {
    let terminal = Terminal::unread(&stage.command(""));
    terminal.resize(60, 200);
    terminal
}

#[test]
fn a_run_goes_on_while_nobody_reads_the_terminal() {
    let stage = waiting(REQUESTS);
    let mut terminal = nobody_reads(&stage);
    until("the batch is worked off", || {
        let rows = stage.rows(1).into_values();
        let done = rows.filter(|(state, _)| *state == RequestState::Done);
        (done.count() == REQUESTS).then_some(())
    });
    // Requests were sent from the beginning of that time to its end: nothing waited.
    let asked = stage.asked();
    let times: Vec<u64> = asked.iter().map(|entry| entry.at_ms).collect();
    let (first, last) = (times[0], times[times.len() - 1]);
    assert!(last - first >= UNREAD_MS, "too short: {times:?}");
    assert_eq!(asked.len(), REQUESTS);
    // Once somebody reads, there is the picture of now, not those of before.
    terminal.gets_read();
    terminal.types("\u{c}");
    terminal.shows("✓ b.jsonl");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
}

#[test]
fn a_terminal_that_is_never_read_holds_up_no_end() {
    let stage = waiting(REQUESTS);
    let mut terminal = nobody_reads(&stage);
    until("some are asked", || {
        (!stage.asked().is_empty()).then_some(())
    });
    terminal.signal("-TERM");
    assert_eq!(terminal.ends(), 130);
}
