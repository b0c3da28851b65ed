//! The real binary as a process: what it says is read while it runs, and it never outlives a test.

use std::fmt;
use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::time::Instant;

use super::{GLANCE, PATIENCE, times, until};

/// Signals that ask a process to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// What a shutdown sends.
    Terminate,
    /// The terminal was closed.
    HangUp,
}

impl Signal {
    const fn flag(self) -> &'static str {
        match self {
            Self::Interrupt => "-INT",
            Self::Terminate => "-TERM",
            Self::HangUp => "-HUP",
        }
    }
}

/// How much room its files have.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, Copy)]
pub(crate) enum Room {
    /// Not a byte.
    None,
    /// As much as they need.
    Enough,
}

/// A process under way.
pub(crate) struct Running {
    child: Child,
    out: Stream,
    err: Stream,
}

/// A process that has ended.
pub(crate) struct Finished {
    /// Its exit code; `None` where a signal killed it.
    pub(crate) code: Option<i32>,
    /// All of its standard output.
    pub(crate) out: String,
    /// All of its standard error.
    pub(crate) err: String,
}

struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Running {
    /// Starts it with `input` on standard input.
    pub(crate) fn start(command: &mut Command, input: &[u8]) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let out = Stream::read(child.stdout.take().expect("piped"));
        let err = Stream::read(child.stderr.take().expect("piped"));
        // Whoever ends without reading it is judged by how it ended.
        let _ = child.stdin.take().expect("piped").write_all(input);
        Self { child, out, err }
    }

    /// Its process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has said this on standard error.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        self.waits_for(text, || self.err.so_far().contains(text).then_some(()));
    }

    /// Waits until it has said one of these on standard error, and returns which.
    #[track_caller]
    pub(crate) fn says_one_of<'a>(&self, texts: &[&'a str]) -> &'a str {
        self.waits_for(&texts.join("` or `"), || {
            let said = self.err.so_far();
            texts.iter().copied().find(|text| said.contains(text))
        })
    }

    /// Waits for the first line on standard output.
    #[track_caller]
    pub(crate) fn first_line(&self) -> String {
        self.waits_for("a line", || {
            let text = self.out.so_far();
            text.split_once('\n').map(|(line, _)| line.to_owned())
        })
    }

    #[track_caller]
    fn waits_for<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(seen) = look() {
                return seen;
            }
            assert!(Instant::now() < deadline, "no `{what}` in {self:?}");
            std::thread::sleep(GLANCE);
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        let status = Command::new("kill")
            .args([signal.flag(), &self.id().to_string()])
            .status();
        assert!(status.expect("`kill` is there").success());
    }

    /// Lets it write no file any longer, as on a disk that is full, or as long as it likes. It
    /// must be deaf to `SIGXFSZ`.
    #[cfg(target_os = "linux")]
    pub(crate) fn give_room(&self, room: Room) {
        use rustix::process::{Pid, Resource, Rlimit, prlimit};
        let limit = Rlimit {
            current: match room {
                Room::None => Some(0),
                Room::Enough => None,
            },
            maximum: None,
        };
        let number = i32::try_from(self.id()).expect("a process number");
        prlimit(Pid::from_raw(number), Resource::Fsize, limit).expect("the limit of a child");
    }

    /// Kills it on the spot, which no program can do anything about.
    pub(crate) fn kill(mut self) -> Finished {
        self.child.kill().expect("it can be killed");
        self.ends()
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn ends(mut self) -> Finished {
        // The long form has processes that work for minutes.
        let deadline = Instant::now() + PATIENCE * times(1, 10) as u32;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                break status;
            }
            assert!(Instant::now() < deadline, "it does not end: {self:?}");
            std::thread::sleep(GLANCE);
        };
        self.finished(status)
    }

    fn finished(&mut self, status: ExitStatus) -> Finished {
        Finished {
            code: status.code(),
            out: self.out.all(),
            err: self.err.all(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already, unless a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (out, err) = (self.out.so_far(), self.err.so_far());
        write!(f, "process {}:\n{out}\n--\n{err}", self.id())
    }
}

impl Finished {
    /// The same, if it ended with this code.
    #[track_caller]
    pub(crate) fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// The same, if standard error holds this.
    #[track_caller]
    pub(crate) fn saying(self, text: &str) -> Self {
        assert!(self.err.contains(text), "no `{text}` in {self:?}");
        self
    }

    /// The same, if standard output holds this.
    #[track_caller]
    pub(crate) fn printing(self, text: &str) -> Self {
        assert!(self.out.contains(text), "no `{text}` in {self:?}");
        self
    }
}

impl fmt::Debug for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {:?}:\n{}\n--\n{}", self.code, self.out, self.err)
    }
}

impl Stream {
    fn read(mut source: impl Read + Send + 'static) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&text);
        let reader = std::thread::spawn(move || {
            let mut piece = [0; 8192];
            while let Ok(length @ 1..) = source.read(&mut piece) {
                kept.lock().unwrap().extend_from_slice(&piece[..length]);
            }
        });
        Self { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    /// Everything, once nobody can write any more.
    fn all(&self) -> String {
        until("the end of its output", || {
            self.reader.is_finished().then_some(())
        });
        self.so_far()
    }
}
