//! Looking at requests and failures.

use batchtop::model::RequestState;
use batchtop::simulator::{Action, Script};

use super::terminal::Terminal;
use crate::support::{Stage, chat, marked};

#[test]
fn requests_are_filtered_opened_and_left_again() {
    let stage = Stage::new();
    let lines = [
        chat("one", "good day"),
        "oops\n".into(),
        chat("two", "hello there"),
    ];
    stage.write("a.jsonl", lines.concat());
    stage.run("enqueue a.jsonl --skip-invalid").with(0);
    stage.server_goes();
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("a.jsonl");
    terminal.types("\r");
    terminal.shows("Requests of a.jsonl");
    terminal.shows("two");
    terminal.types("/two");
    terminal.shows("1 of 3");
    terminal.hides("invalid_request");
    terminal.types("\r\r");
    terminal.shows("hello there");
    terminal.types("\u{1b}");
    terminal.shows("1 of 3");
    terminal.types("/\u{1b}");
    terminal.shows("invalid_request");
    terminal.types("s");
    terminal.shows("queued");
    terminal.hides("invalid_request");
}

#[test]
fn a_failed_request_is_opened_and_a_line_that_is_none_is_not_retried() {
    let stage = Stage::new();
    stage.write(
        "a.jsonl",
        [chat("one", "good day"), "oops\n".into()].concat(),
    );
    stage.run("enqueue a.jsonl --skip-invalid").with(0);
    stage.server_goes();
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("a.jsonl");
    terminal.types("3");
    terminal.shows("Failures of a.jsonl");
    terminal.shows("invalid_request");
    terminal.types("j\r");
    terminal.shows("like ");
    terminal.types("\r");
    terminal.shows("Answer");
    terminal.shows("invalid_request");
    terminal.types("3");
    terminal.shows("Failures of a.jsonl");
    terminal.types("r");
    terminal.shows("1 failed of job 1: invalid_request");
    terminal.types("y");
    terminal.shows("retry invalid_request: nothing to change");
}

#[test]
fn a_group_of_failures_goes_back_and_succeeds() {
    let refused = Action::Error {
        status: 400,
        text: "this is not to be".to_owned(),
    };
    let stage = Stage::failing([marked("unlucky", refused)]);
    let lines = [
        chat("one", "unlucky at first"),
        chat("two", "hello there"),
        chat("three", "unlucky, too"),
    ];
    stage.write("a.jsonl", lines.concat());
    let mut terminal = Terminal::open(&stage, "a.jsonl");
    terminal.shows("3 requests, no problems");
    terminal.types("\r");
    terminal.shows("2 failed");
    terminal.types("3");
    terminal.shows("Failures of a.jsonl");
    terminal.shows("this is not to be");
    stage.play(Script::instant());
    terminal.types("r");
    terminal.shows("2 failed of job 1");
    terminal.types("y");
    terminal.shows("2 requests are queued again");
    terminal.shows("nothing has failed");
    terminal.types("1");
    terminal.shows("✓ a.jsonl");
    terminal.hides("2 failed");
    for (name, (state, _)) in stage.rows(1) {
        assert_eq!(state, RequestState::Done, "{name}");
    }
    assert_eq!(stage.asked().len(), 5);
}
