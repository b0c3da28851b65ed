//! A program in a pseudo-terminal, and somebody who looks at it and types.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use tokio::time::Instant;
use vt100::{Callbacks, MouseProtocolMode, Parser, Screen};

use crate::support::{PATIENCE, Stage, until};

pub(super) const ROWS: u16 = 30;
pub(super) const COLUMNS: u16 = 120;

/// A program in a pseudo-terminal.
pub(super) struct Terminal {
    master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    program: Program,
    shown: Arc<Shown>,
}

/// A process that never outlives a test.
pub(super) struct Program(Box<dyn Child + Send + Sync>);

struct Shown {
    parser: Mutex<Parser<Heard>>,
    changed: Condvar,
}

/// What a terminal was asked for beside showing something.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// How often it was to ring.
    pub(super) bells: usize,
    /// What it was to tell the desktop (OSC 9).
    pub(super) told: Vec<String>,
}

impl Callbacks for Heard {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.bells += 1;
    }

    fn unhandled_osc(&mut self, _: &mut Screen, parameters: &[&[u8]]) {
        if let [b"9", message @ ..] = parameters {
            let message = message.join(&b';');
            self.told.push(String::from_utf8(message).unwrap());
        }
    }
}

impl Terminal {
    /// Opens the program with these arguments on a stage.
    pub(super) fn open(stage: &Stage, arguments: &str) -> Self {
        Self::start(&stage.command(arguments))
    }

    /// Starts a process in a terminal of the usual size.
    pub(super) fn start(command: &Command) -> Self {
        let terminal = Self::unread(command);
        terminal.gets_read();
        terminal
    }

    /// The same, but what it writes piles up until somebody reads it.
    pub(super) fn unread(command: &Command) -> Self {
        let pair = native_pty_system().openpty(size(ROWS, COLUMNS)).unwrap();
        let child = pair.slave.spawn_command(builder(command)).unwrap();
        let [rows, columns] = [ROWS, COLUMNS].map(at_least_one);
        Self {
            writer: pair.master.take_writer().unwrap(),
            master: pair.master,
            program: Program(child),
            shown: Arc::new(Shown {
                parser: Mutex::new(Parser::new_with_callbacks(
                    rows,
                    columns,
                    0,
                    Heard::default(),
                )),
                changed: Condvar::new(),
            }),
        }
    }

    /// From now on what it writes is read.
    pub(super) fn gets_read(&self) {
        let mut reader = self.master.try_clone_reader().unwrap();
        let shown = Arc::clone(&self.shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                shown.parser().process(&bytes[..read]);
                shown.changed.notify_all();
            }
        });
    }

    /// Its text now.
    pub(super) fn contents(&self) -> String {
        self.shown.parser().screen().contents()
    }

    /// Waits for a picture.
    #[track_caller]
    pub(super) fn until(&self, what: &str, holds: impl Fn(&Screen) -> bool) {
        self.awaits(what, |parser| holds(parser.screen()));
    }

    /// Waits until it was asked for something.
    #[track_caller]
    pub(super) fn hears(&self, what: &str, holds: impl Fn(&Heard) -> bool) {
        self.awaits(what, |parser| holds(parser.callbacks()));
    }

    #[track_caller]
    fn awaits(&self, what: &str, holds: impl Fn(&Parser<Heard>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut parser = self.shown.parser();
        while !holds(&parser) {
            let left = deadline.saturating_duration_since(Instant::now());
            let (picture, heard) = (parser.screen().contents(), parser.callbacks());
            assert!(!left.is_zero(), "not {what}:\n{picture}\n{heard:?}");
            let waited = self.shown.changed.wait_timeout(parser, left);
            parser = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for a text.
    #[track_caller]
    pub(super) fn shows(&self, text: &str) {
        self.until(text, |screen| screen.contents().contains(text));
    }

    /// Waits until a text is gone.
    #[track_caller]
    pub(super) fn hides(&self, text: &str) {
        let what = format!("without {text}");
        self.until(&what, |screen| !screen.contents().contains(text));
    }

    /// Types keys.
    pub(super) fn types(&mut self, keys: impl AsRef<[u8]>) {
        self.writer.write_all(keys.as_ref()).unwrap();
        self.writer.flush().unwrap();
    }

    /// Clicks on a text that it shows.
    #[track_caller]
    pub(super) fn clicks(&mut self, text: &str) {
        self.shows(text);
        let contents = self.contents();
        let place = contents
            .lines()
            .zip(1..)
            .find_map(|(line, row)| Some((line.split_once(text)?.0.chars().count() + 1, row)));
        let (column, row): (usize, usize) = place.unwrap();
        self.types(format!("\u{1b}[<0;{column};{row}M"));
    }

    /// Waits for its end and returns its exit code.
    #[track_caller]
    pub(super) fn ends(&mut self) -> u32 {
        self.program.ends()
    }

    /// Waits until the terminal is as it was.
    #[track_caller]
    pub(super) fn is_restored(&self) {
        self.until("restored", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
    }

    /// Its process number.
    pub(super) fn id(&self) -> u32 {
        self.program.0.process_id().unwrap()
    }

    /// Sends a signal, as `kill` names it.
    pub(super) fn signal(&self, name: &str) {
        let number = self.id().to_string();
        let sent = Command::new("kill").args([name, &number]).status();
        assert!(sent.unwrap().success());
    }

    /// Has a program go on that is about to stop, or has stopped: it gives the terminal back
    /// before it stops, so that a single signal could come too early.
    #[track_caller]
    pub(super) fn goes_on(&self) {
        until("it is back on the screen", || {
            self.signal("-CONT");
            let parser = self.shown.parser();
            parser.screen().alternate_screen().then_some(())
        });
    }

    /// Gives it another size.
    pub(super) fn resize(&self, rows: u16, columns: u16) {
        let [high, wide] = [rows, columns].map(at_least_one);
        self.shown.parser().screen_mut().set_size(high, wide);
        self.master.resize(size(rows, columns)).unwrap();
    }

    /// Closes the window of a terminal that nobody reads, and returns what ran in it.
    pub(super) fn closes(self) -> Program {
        self.program
    }
}

impl Program {
    /// Waits for its end and returns its exit code.
    #[track_caller]
    pub(super) fn ends(&mut self) -> u32 {
        until("the end of the program", || self.0.try_wait().unwrap()).exit_code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Shown {
    fn parser(&self) -> MutexGuard<'_, Parser<Heard>> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn builder(command: &Command) -> CommandBuilder {
    let mut builder = CommandBuilder::new(command.get_program());
    builder.args(command.get_args());
    builder.env_clear();
    for (name, value) in command.get_envs() {
        builder.env(name, value.unwrap_or_default());
    }
    builder.env("TERM", "xterm-256color");
    builder.env("RUST_BACKTRACE", "0");
    builder.cwd(command.get_current_dir().unwrap_or(Path::new(".")));
    builder
}

fn size(rows: u16, columns: u16) -> PtySize {
    PtySize {
        rows,
        cols: columns,
        pixel_width: 0,
        pixel_height: 0,
    }
}

fn at_least_one(number: u16) -> NonZero<u16> {
    NonZero::new(number).unwrap_or(NonZero::<u16>::MIN)
}
