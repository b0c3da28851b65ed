//! What one may expect of any program in a terminal.

use vt100::{MouseProtocolMode, Screen};

use super::terminal::{COLUMNS, ROWS, Terminal};
use super::{under_way, waiting};
use crate::support::Stage;

/// The screen over an empty queue, without a server.
fn quiet() -> (Stage, Terminal) {
    let stage = Stage::new();
    stage.server_goes();
    let terminal = Terminal::open(&stage, "");
    terminal.shows("no server");
    (stage, terminal)
}

#[test]
fn the_help_lists_the_keys_and_goes_away() {
    let (_stage, mut terminal) = quiet();
    terminal.types("?");
    terminal.shows("esc closes");
    terminal.shows("quit; asks while requests are in flight");
    terminal.types("G");
    terminal.shows("Mouse: click selects");
    terminal.types("\u{1b}");
    terminal.hides("Mouse: click selects");
}

#[test]
fn the_mouse_clicks_hints_and_can_be_turned_off() {
    let (_stage, mut terminal) = quiet();
    let on = |screen: &Screen| screen.mouse_protocol_mode() != MouseProtocolMode::None;
    terminal.until("with a mouse", on);
    terminal.clicks("? help");
    terminal.shows("esc closes");
    terminal.types("\u{1b}");
    terminal.hides("esc closes");
    terminal.types("M");
    terminal.until("without a mouse", |screen| !on(screen));
}

#[test]
fn a_storm_of_resizes_leaves_a_whole_picture() {
    let stage = waiting(400);
    let mut terminal = under_way(&stage);
    for step in 1..60_u16 {
        terminal.resize(step % 40 + 1, step * 7 % 200 + 1);
    }
    terminal.resize(1, 1);
    terminal.resize(ROWS, COLUMNS);
    // What a terminal does with the picture while it changes its size is not ours: draw anew.
    terminal.types("\u{c}");
    for pane in [
        "Jobs",
        "Lanes",
        "Throughput",
        "Progress",
        "VRAM",
        "Failures",
        "q quit",
    ] {
        terminal.shows(pane);
    }
}

#[test]
fn bytes_that_are_no_key_change_nothing() {
    let (_stage, mut terminal) = quiet();
    terminal.types(b"\xff\xfe\x00\x1b[999~\x1b[<9999;9999;9999M\xc3");
    // The last byte begins a character, which takes the next one with it.
    terminal.types("~?");
    terminal.shows("esc closes");
}

#[test]
fn a_suspended_screen_gives_the_terminal_back_and_comes_again() {
    let (_stage, mut terminal) = quiet();
    for suspend in ["key", "signal"] {
        terminal.shows("no server");
        if suspend == "key" {
            terminal.types("\u{1a}");
        } else {
            terminal.signal("-TSTP");
        }
        terminal.is_restored();
        terminal.goes_on();
    }
    terminal.shows("no server");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_shell_stops_it_and_brings_it_back() {
    let stage = Stage::new();
    stage.server_goes();
    let mut shell = stage.process("/bin/sh");
    shell.arg("-i").env("PS1", "ready> ");
    let mut terminal = Terminal::start(&shell);
    terminal.shows("ready>");
    terminal.types(format!("{}\n", Stage::binary().display()));
    terminal.shows("no server");
    terminal.types("\u{1a}");
    terminal.is_restored();
    terminal.shows("Stopped");
    // A shell that can be typed at has its terminal back.
    terminal.types("echo $((6 * 7))\n");
    terminal.shows("42");
    terminal.types("fg\n");
    terminal.until("back", Screen::alternate_screen);
    terminal.shows("no server");
    terminal.types("q");
    terminal.is_restored();
    terminal.types("echo left with $?\n");
    terminal.shows("left with 0");
}

#[test]
fn a_terminal_of_the_c_locale_is_drawn_in_ascii() {
    let stage = Stage::new().set("LANG", "C");
    stage.server_goes();
    let mut terminal = Terminal::open(&stage, "");
    let is_plain = |screen: &Screen| screen.contents().is_ascii();
    terminal.shows("+- Jobs");
    terminal.until("ASCII", is_plain);
    for (key, view) in [("?", "esc closes"), ("6", "ASCII: on"), ("4", "- Log -")] {
        terminal.types(key);
        terminal.shows(view);
        terminal.until("ASCII", is_plain);
        terminal.types("\u{1b}");
        terminal.hides(view);
    }
    // The switch goes back and forth as before.
    terminal.types("A");
    terminal.until("boxes", |screen| !is_plain(screen));
}
