//! The screen in a real pseudo-terminal, with the real binary.

use std::io::{Read, Write};
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::time::Instant;
use vt100::{MouseProtocolMode, Parser};

/// The longest that anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);
const ROWS: u16 = 30;
const COLUMNS: u16 = 120;

fn at_least_one(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap_or(NonZero::<u16>::MIN)
}

/// A program in a pseudo-terminal.
struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    screen: Arc<Mutex<Parser>>,
    folder: tempfile::TempDir,
}

fn batchtop(arguments: &[&str]) -> Terminal {
    let folder = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_batchtop"));
    command.args(arguments);
    command.args(["--data-dir", folder.path().to_str().unwrap()]);
    start(command, folder)
}

fn start(mut command: CommandBuilder, folder: tempfile::TempDir) -> Terminal {
    command.env("TERM", "xterm-256color");
    command.env("BATCHTOP_CONFIG", "");
    command.env("XDG_CONFIG_HOME", folder.path());
    command.env("RUST_BACKTRACE", "0");
    command.env_remove("NO_COLOR");
    let size = PtySize {
        rows: ROWS,
        cols: COLUMNS,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = native_pty_system().openpty(size).unwrap();
    let child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut reader = pair.master.try_clone_reader().unwrap();
    let writer = pair.master.take_writer().unwrap();
    let screen = Arc::new(Mutex::new(Parser::new(
        at_least_one(ROWS),
        at_least_one(COLUMNS),
        0,
    )));
    let shown = Arc::clone(&screen);
    thread::spawn(move || {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = reader.read(&mut bytes) {
            shown.lock().unwrap().process(&bytes[..read]);
        }
    });
    Terminal {
        master: pair.master,
        writer,
        child,
        screen,
        folder,
    }
}

impl Terminal {
    fn contents(&self) -> String {
        self.screen.lock().unwrap().screen().contents()
    }

    fn until(&self, what: &str, holds: impl Fn(&Parser) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !holds(&self.screen.lock().unwrap()) {
            assert!(
                Instant::now() < deadline,
                "not {what}:\n{}",
                self.contents()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn shows(&self, text: &str) {
        self.until(text, |parser| parser.screen().contents().contains(text));
    }

    fn hides(&self, text: &str) {
        self.until(&format!("without {text}"), |parser| {
            !parser.screen().contents().contains(text)
        });
    }

    fn types(&mut self, keys: &str) {
        self.writer.write_all(keys.as_bytes()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Waits for the end of the program and returns its exit code.
    fn ends(&mut self) -> u32 {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.exit_code();
            }
            assert!(
                Instant::now() < deadline,
                "it does not end:\n{}",
                self.contents()
            );
            thread::sleep(Duration::from_millis(10));
        }
    }

    fn is_restored(&self) {
        self.until("restored", |parser| {
            let screen = parser.screen();
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
    }

    fn signal(&self, name: &str) {
        let number = self.child.process_id().unwrap().to_string();
        let sent = std::process::Command::new("kill")
            .args([name, &number])
            .status();
        assert!(sent.unwrap().success());
    }

    fn resize(&self, rows: u16, cols: u16) {
        let size = PtySize {
            rows,
            cols,
            pixel_width: 0,
            pixel_height: 0,
        };
        self.screen
            .lock()
            .unwrap()
            .screen_mut()
            .set_size(at_least_one(rows), at_least_one(cols));
        self.master.resize(size).unwrap();
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
    }
}

#[test]
fn it_opens_without_a_server_and_quits() {
    let mut terminal = batchtop(&["--server", "http://127.0.0.1:9"]);
    terminal.shows("no server");
    terminal.shows("Tried http://127.0.0.1:9");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
    terminal.is_restored();
}

#[test]
fn a_run_is_watched_paused_and_left_cleanly() {
    let mut terminal = batchtop(&["demo", "--requests", "400"]);
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
fn a_job_is_cancelled_after_a_question() {
    let mut terminal = batchtop(&["demo", "--requests", "400"]);
    // The name alone is said before the screen is there.
    terminal.shows("○ reviews.jsonl");
    terminal.types("jc");
    terminal.shows("Job 2, reviews.jsonl");
    terminal.types("y");
    terminal.shows("cancel reviews.jsonl: done");
    terminal.shows("cancelled");
}

#[test]
fn a_failed_request_is_opened_and_its_group_retried() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.jsonl");
    let good = r#"{"custom_id":"ID","method":"POST","url":"/v1/chat/completions","body":{"model":"m","messages":[{"role":"user","content":"hello there"}]}}"#;
    let lines = [
        good.replace("ID", "one"),
        "oops".into(),
        good.replace("ID", "two"),
    ];
    std::fs::write(&file, lines.join("\n")).unwrap();
    let data = folder.path().to_str().unwrap();
    let server = "http://127.0.0.1:9";
    let mut enqueue = std::process::Command::new(env!("CARGO_BIN_EXE_batchtop"));
    enqueue.args(["enqueue", file.to_str().unwrap(), "--skip-invalid"]);
    enqueue.args(["--data-dir", data, "--server", server]);
    enqueue
        .env("BATCHTOP_CONFIG", "")
        .env("XDG_CONFIG_HOME", data);
    let enqueued = enqueue.output().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_batchtop"));
    command.args(["--data-dir", data, "--server", server]);
    let mut terminal = start(command, folder);
    assert!(!enqueued.stderr.is_empty() || !enqueued.stdout.is_empty());
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
fn the_mouse_clicks_hints_and_can_be_turned_off() {
    let mut terminal = batchtop(&["--server", "http://127.0.0.1:9"]);
    terminal.shows("? help");
    let on = |parser: &Parser| parser.screen().mouse_protocol_mode() != MouseProtocolMode::None;
    terminal.until("with a mouse", on);
    let line = terminal.contents().lines().last().unwrap().to_owned();
    let column = line.chars().collect::<String>().find("? help").unwrap() + 1;
    terminal.types(&format!("\u{1b}[<0;{column};{ROWS}M"));
    terminal.shows("esc closes");
    terminal.types("\u{1b}");
    terminal.hides("esc closes");
    terminal.types("M");
    terminal.until("without a mouse", |parser| !on(parser));
}

#[test]
fn a_storm_of_resizes_leaves_a_whole_picture() {
    let mut terminal = batchtop(&["demo", "--requests", "400"]);
    terminal.shows("Jobs");
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
    let mut terminal = batchtop(&["--server", "http://127.0.0.1:9"]);
    terminal.shows("no server");
    terminal
        .writer
        .write_all(b"\xff\xfe\x00\x1b[999~\x1b[<9999;9999;9999M\xc3")
        .unwrap();
    // The last byte begins a character, which takes the next one with it.
    terminal.types("~?");
    terminal.shows("esc closes");
}

#[test]
fn a_terminated_run_is_stored_and_the_terminal_restored() {
    let mut terminal = batchtop(&["demo", "--requests", "400"]);
    terminal.shows("answering");
    terminal.signal("-TERM");
    assert_eq!(terminal.ends(), 130);
    terminal.is_restored();
}

#[test]
fn a_closed_terminal_ends_the_run() {
    let mut terminal = batchtop(&["demo", "--requests", "400"]);
    terminal.shows("answering");
    terminal.signal("-HUP");
    assert_eq!(terminal.ends(), 130);
}

#[test]
fn a_suspended_screen_gives_the_terminal_back_and_comes_again() {
    let mut terminal = batchtop(&["--server", "http://127.0.0.1:9"]);
    for suspend in ["key", "signal"] {
        terminal.shows("no server");
        if suspend == "key" {
            terminal.types("\u{1a}");
        } else {
            terminal.signal("-TSTP");
        }
        terminal.is_restored();
        terminal.signal("-CONT");
        terminal.until("back", |parser| parser.screen().alternate_screen());
    }
    terminal.shows("no server");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn a_second_screen_watches_the_first_and_changes_nothing() {
    let first = batchtop(&["--server", "http://127.0.0.1:9"]);
    first.shows("no server");
    let folder = first.folder.path().to_str().unwrap().to_owned();
    let mut second = batchtop(&["--server", "http://127.0.0.1:9"]);
    second.shows("no server");
    second.types("q");
    second.ends();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_batchtop"));
    command.args(["--data-dir", &folder]);
    let mut watcher = start(command, tempfile::tempdir().unwrap());
    watcher.shows("READ-ONLY");
    watcher.shows("no server");
    watcher.types("P");
    watcher.shows("read-only: process");
    drop(first);
    watcher.shows("has ended");
    watcher.types("q");
    assert_eq!(watcher.ends(), 0);
    watcher.is_restored();
}

#[test]
fn a_wrong_key_file_is_told_before_the_screen_opens() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    std::fs::write(&config, "").unwrap();
    std::fs::write(folder.path().join("keys.toml"), "cancle = [\"x\"]\n").unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_batchtop"));
    command.args(["--config", config.to_str().unwrap(), "--data-dir"]);
    command.arg(folder.path());
    let mut terminal = start(command, folder);
    terminal.shows("did you mean `cancel`?");
    assert_eq!(terminal.ends(), 2);
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
    let mut command = CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["--exact", "tty::panicking_child", "--nocapture"]);
    command.env("BATCHTOP_PANICS", "1");
    let mut terminal = start(command, tempfile::tempdir().unwrap());
    terminal.shows("on purpose");
    assert_ne!(terminal.ends(), 0);
    terminal.is_restored();
    // Raw mode is off: the report's lines start at the left.
    terminal.shows("\ntest tty::panicking_child");
}

#[test]
fn a_terminal_that_reads_nothing_holds_up_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_batchtop"));
    command.args(["demo", "--requests", "40", "--data-dir"]);
    command.arg(folder.path());
    command.env("TERM", "xterm-256color");
    let size = PtySize {
        rows: ROWS,
        cols: COLUMNS,
        pixel_width: 0,
        pixel_height: 0,
    };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut child = pair.slave.spawn_command(command).unwrap();
    // Nobody reads until the program has to end: it does.
    thread::sleep(Duration::from_secs(2));
    let number = child.process_id().unwrap().to_string();
    let sent = std::process::Command::new("kill")
        .args(["-TERM", &number])
        .status();
    assert!(sent.unwrap().success());
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "it does not end");
        thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_file_is_picked_asked_about_enqueued_and_its_results_written() {
    let mut terminal = batchtop(&["demo", "--requests", "40", "--seed", "4"]);
    terminal.shows("SIMULATED");
    terminal.types("a");
    terminal.shows("Add a batch file");
    terminal.shows("reviews.jsonl");
    terminal.types("reviews");
    terminal.hides("candidates.jsonl  ");
    terminal.types("\r");
    terminal.shows("8 requests, no problems");
    terminal.types("\r");
    terminal.shows("is in the queue");
    terminal.types(":");
    terminal.shows("Commands");
    terminal.types("write the results\r");
    terminal.shows("Export");
    let results = terminal.folder.path().join("out.results.jsonl");
    let typed = results.to_str().unwrap().to_owned();
    terminal.types(&typed);
    terminal.types("\r");
    terminal.until("the results are written", |_| results.exists());
    terminal.types("6");
    terminal.shows("Settings");
    terminal.types("\u{3}y");
    terminal.ends();
}

#[test]
fn a_file_that_is_named_at_the_start_is_asked_about_and_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bad\u{202e}.jsonl");
    std::fs::write(&file, "nonsense\n").unwrap();
    let mut terminal = batchtop(&["--server", "127.0.0.1:9", file.to_str().unwrap()]);
    terminal.shows("Enqueue");
    terminal.shows("1 lines are invalid");
    terminal.types("\r");
    terminal.shows("there is no valid request in it");
    terminal.types("\u{1b}");
    terminal.hides("no valid request");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}
