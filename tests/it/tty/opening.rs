//! How the screen opens.

use std::process::Command;

use super::terminal::Terminal;
use crate::support::Stage;

#[test]
fn it_opens_without_a_server_and_connects_by_itself() {
    let stage = Stage::new();
    stage.server_goes();
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("no server");
    terminal.shows(&format!("Tried {}", stage.server().url()));
    terminal.shows("batchtop demo");
    stage.server_returns();
    terminal.shows("Ollama 0.33");
    terminal.hides("no server");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
}

#[test]
fn a_demo_shows_itself_and_is_left_cleanly() {
    let stage = Stage::new();
    let mut terminal = Terminal::open(&stage, "demo --requests 400");
    terminal.shows("SIMULATED");
    terminal.shows("answering");
    terminal.types("P");
    terminal.shows("⏸ paused");
    terminal.types("P");
    terminal.shows("● running");
    terminal.types("q");
    terminal.shows("Quit?");
    terminal.types("n");
    terminal.hides("Quit?");
    terminal.types("qy");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
}

#[test]
fn a_file_that_is_named_at_the_start_is_asked_about_and_left() {
    let stage = Stage::new();
    stage.write("bad\u{202e}.jsonl", "nonsense\n");
    let mut terminal = Terminal::open(&stage, "bad\u{202e}.jsonl");
    terminal.shows("Enqueue");
    terminal.shows("1 lines are invalid");
    terminal.types("\r");
    terminal.shows("there is no valid request in it");
    terminal.types("\u{1b}");
    terminal.hides("no valid request");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_wrong_key_file_is_told_before_the_screen_opens() {
    let stage = Stage::new();
    let settings = stage.write("config.toml", "");
    stage.write("keys.toml", "cancle = [\"x\"]\n");
    let mut command: Command = stage.command("");
    command.arg("--config").arg(settings);
    let mut terminal = Terminal::start(&command);
    terminal.shows("did you mean `cancel`?");
    assert_eq!(terminal.ends(), 2);
}
