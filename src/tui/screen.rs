//! The terminal: taken, drawn to, and given back whatever happens.
//!
//! Everything is written by a thread of its own, so a terminal that takes nothing any more stops
//! the drawing and nothing else. What is restored is restored by Drop, by the panic hook and by
//! the suspend path alike; restoring twice does no harm.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, Once};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use base64::Engine as _;
use crossterm::cursor::{Hide, Show};
use crossterm::event::{
    DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture,
};
use crossterm::terminal::{
    BeginSynchronizedUpdate, EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen,
    disable_raw_mode, enable_raw_mode, size,
};
use crossterm::{Command, queue};
use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use tokio::sync::Notify;

use crate::base::Alert;

/// The largest screen that is drawn: what a terminal says may be anything.
const MOST_COLUMNS: u16 = 600;
const MOST_ROWS: u16 = 300;
/// Bytes that may be copied to the clipboard: terminals drop longer ones.
const LONGEST_COPY: usize = 74_000;
/// Pieces that wait for the terminal.
const WAITING: usize = 8;
/// How long the last picture may take to get out before the terminal is given back.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether this process has the terminal.
static TAKEN: AtomicBool = AtomicBool::new(false);
/// The thread that draws: a panic elsewhere is a failed task and no reason to stop drawing.
static DRAWS: Mutex<Option<ThreadId>> = Mutex::new(None);

/// The terminal, given back when dropped.
#[derive(Debug)]
pub struct Screen {
    pipe: Pipe,
    shown: Option<Buffer>,
}

/// A way to the terminal that never blocks.
#[derive(Debug)]
struct Pipe {
    /// Nothing once the thread that writes has been told to end.
    pieces: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
    waiting: Arc<AtomicUsize>,
    /// Told after each piece that is out.
    freed: Arc<Notify>,
}

impl Screen {
    /// Takes the terminal.
    ///
    /// # Errors
    /// When there is none that can be taken.
    pub fn take(mouse: bool) -> io::Result<Self> {
        restore_on_panic();
        let pipe = Pipe::start()?;
        if let Ok(mut draws) = DRAWS.lock() {
            *draws = Some(thread::current().id());
        }
        enter(mouse)?;
        Ok(Self { pipe, shown: None })
    }

    /// Its size now, within bounds.
    pub fn area(&self) -> Rect {
        let (columns, rows) = size().unwrap_or((0, 0));
        Rect::new(0, 0, columns.min(MOST_COLUMNS), rows.min(MOST_ROWS))
    }

    /// Waits until what was drawn before is on its way no longer: only then is there a point in
    /// drawing.
    pub async fn freed(&self) {
        while !self.pipe.is_free() {
            self.pipe.freed.notified().await;
        }
    }

    /// Shows a picture: what differs from the last one is sent.
    pub fn show(&mut self, next: Buffer) -> io::Result<()> {
        let mut bytes = Vec::new();
        queue!(bytes, BeginSynchronizedUpdate)?;
        let start = bytes.len();
        let mut backend = CrosstermBackend::new(&mut bytes);
        match &self.shown {
            Some(shown) if shown.area == next.area => {
                backend.draw(shown.diff(&next).into_iter())?;
            }
            _ => {
                backend.clear()?;
                let blank = Buffer::empty(next.area);
                backend.draw(blank.diff(&next).into_iter())?;
            }
        }
        let is_changed = self.shown.as_ref() != Some(&next);
        self.shown = Some(next);
        if is_changed && bytes.len() > start {
            queue!(bytes, EndSynchronizedUpdate)?;
            self.pipe.send(bytes);
        }
        Ok(())
    }

    /// Forgets what is shown: the next picture is sent whole.
    pub fn forget(&mut self) {
        self.shown = None;
    }

    /// Listens to the mouse or not.
    pub fn mouse(&self, on: bool) {
        if on {
            self.pipe.send(ansi(EnableMouseCapture));
        } else {
            self.pipe.send(ansi(DisableMouseCapture));
        }
    }

    /// Puts text in the clipboard of the terminal (OSC 52), which works through ssh as well.
    pub fn copy(&self, text: &str) {
        let mut end = text.len().min(LONGEST_COPY);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let text = text.get(..end).unwrap_or_default();
        let coded = base64::engine::general_purpose::STANDARD.encode(text);
        self.pipe
            .send(format!("\u{1b}]52;c;{coded}\u{7}").into_bytes());
    }

    /// Rings, between two pictures.
    pub fn alert(&self, alert: &Alert) {
        self.pipe.send(alert.as_str().into());
    }

    /// Gives the terminal back, stops the process until it is told to go on, and takes the
    /// terminal again.
    ///
    /// # Errors
    /// When the terminal is gone by then.
    pub fn suspend(&mut self, mouse: bool) -> io::Result<()> {
        self.pipe.drain();
        restore();
        stop_until_continued();
        self.shown = None;
        enter(mouse)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        if self.pipe.end() {
            restore();
        } else {
            // A terminal that takes nothing would hold up the end of the program: whoever writes to
            // it is left behind.
            TAKEN.store(false, Ordering::Release);
            let _ = disable_raw_mode();
        }
    }
}

impl Pipe {
    fn start() -> io::Result<Self> {
        let (pieces, received) = sync_channel::<Vec<u8>>(WAITING);
        let waiting = Arc::new(AtomicUsize::new(0));
        let freed = Arc::new(Notify::new());
        let (left, out) = (Arc::clone(&waiting), Arc::clone(&freed));
        let thread = thread::Builder::new()
            .name("terminal".to_owned())
            .spawn(move || {
                for piece in received {
                    let mut output = io::stdout().lock();
                    // A terminal that is gone is noticed by its signal.
                    let _ = output.write_all(&piece).and_then(|()| output.flush());
                    drop(output);
                    left.fetch_sub(1, Ordering::AcqRel);
                    out.notify_one();
                }
            })?;
        Ok(Self {
            pieces: Some(pieces),
            thread: Some(thread),
            waiting,
            freed,
        })
    }

    fn is_free(&self) -> bool {
        self.waiting.load(Ordering::Acquire) == 0
    }

    /// Sends it if there is room. What does not fit is lost: nothing waits for a terminal.
    fn send(&self, piece: Vec<u8>) {
        let Some(pieces) = &self.pieces else {
            return;
        };
        self.waiting.fetch_add(1, Ordering::AcqRel);
        if pieces.try_send(piece).is_err() {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// Waits until everything is out and the thread has ended; says whether it has.
    fn end(&mut self) -> bool {
        if !self.drain() {
            return false;
        }
        self.pieces = None;
        self.thread
            .take()
            .is_none_or(|thread| thread.join().is_ok())
    }

    /// Waits until everything is out; says whether it is.
    fn drain(&self) -> bool {
        let mut waited = Duration::ZERO;
        let step = Duration::from_millis(5);
        while !self.is_free() {
            if waited >= PATIENCE {
                return false;
            }
            thread::sleep(step);
            waited += step;
        }
        true
    }
}

fn ansi(command: impl Command) -> Vec<u8> {
    let mut text = String::new();
    // Writing to a text cannot fail.
    let _ = command.write_ansi(&mut text);
    text.into_bytes()
}

fn enter(mouse: bool) -> io::Result<()> {
    enable_raw_mode()?;
    TAKEN.store(true, Ordering::Release);
    let mut output = io::stdout().lock();
    queue!(output, EnterAlternateScreen, EnableBracketedPaste, Hide)?;
    if mouse {
        queue!(output, EnableMouseCapture)?;
    }
    output.flush()
}

/// Gives the terminal back, every step of it even where one fails. Does nothing where it was
/// given back before.
fn restore() {
    if !TAKEN.swap(false, Ordering::AcqRel) {
        return;
    }
    let mut output = io::stdout().lock();
    // What cannot be undone cannot be undone; the rest is.
    let steps = [
        ansi(EndSynchronizedUpdate),
        ansi(DisableMouseCapture),
        ansi(DisableBracketedPaste),
        ansi(LeaveAlternateScreen),
        ansi(Show),
    ];
    for step in steps {
        let _ = output.write_all(&step);
    }
    let _ = output.flush();
    let _ = disable_raw_mode();
}

/// Has a panic of the drawing thread give the terminal back before it is reported. A panic of
/// another thread is a failed task: it goes to the log, not over the picture.
fn restore_on_panic() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let report = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let draws = DRAWS.lock().map_or(None, |draws| *draws);
            let is_taken = TAKEN.load(Ordering::Acquire);
            if is_taken && draws != Some(thread::current().id()) {
                tracing::error!("a task failed: {panic}");
                return;
            }
            restore();
            report(panic);
        }));
    });
}

#[cfg(unix)]
fn stop_until_continued() {
    use rustix::process::{Signal, getpid, kill_process};
    // SIGTSTP is listened to, so that a stop from outside restores the terminal as well; the one
    // that cannot be listened to does the rest.
    let _ = kill_process(getpid(), Signal::STOP);
}

#[cfg(not(unix))]
fn stop_until_continued() {}
