//! The real binary in a pseudo-terminal, read by a thread that notes when what was shown.

use std::io::{Read, Write};
use std::num::NonZero;
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use vt100::{Parser, Screen};

use super::memory::memory;
use super::{Failure, now};

const ROWS: u16 = 30;
const COLUMNS: u16 = 120;
/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// A screen that is open.
pub(crate) struct Terminal {
    writer: Box<dyn Write + Send>,
    child: Box<dyn Child + Send + Sync>,
    shown: Arc<Shown>,
    _master: Box<dyn MasterPty + Send>,
}

struct Shown {
    parser: Mutex<Parser>,
    changed: Condvar,
}

impl Terminal {
    /// Opens the screen over this queue and this server.
    pub(crate) fn open(home: &Path, data: &Path, server: &str) -> Result<Self, Failure> {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_batchtop"));
        command.env_clear();
        command.env("HOME", home);
        command.env("PATH", "/usr/bin:/bin");
        command.env("TERM", "xterm-256color");
        command.env("BATCHTOP_DATA_DIR", data);
        command.env("BATCHTOP_SERVER", server);
        let pair = native_pty_system().openpty(PtySize {
            rows: ROWS,
            cols: COLUMNS,
            pixel_width: 0,
            pixel_height: 0,
        })?;
        let child = pair.slave.spawn_command(command)?;
        drop(pair.slave);
        let mut reader = pair.master.try_clone_reader()?;
        let [rows, columns] =
            [ROWS, COLUMNS].map(|size| NonZero::new(size).unwrap_or(NonZero::<u16>::MIN));
        let shown = Arc::new(Shown {
            parser: Mutex::new(Parser::new(rows, columns, 0)),
            changed: Condvar::new(),
        });
        let kept = Arc::clone(&shown);
        std::thread::spawn(move || {
            let mut bytes = vec![0; 1 << 16];
            while let Ok(read @ 1..) = reader.read(&mut bytes) {
                kept.parser().process(bytes.get(..read).unwrap_or_default());
                kept.changed.notify_all();
            }
        });
        Ok(Self {
            writer: pair.master.take_writer()?,
            child,
            shown,
            _master: pair.master,
        })
    }

    /// Types keys.
    pub(crate) fn types(&mut self, keys: &str) -> Result<(), Failure> {
        self.writer.write_all(keys.as_bytes())?;
        Ok(self.writer.flush()?)
    }

    /// Waits for a picture and returns when it came.
    pub(crate) fn until(&self, holds: impl Fn(&Screen) -> bool) -> Result<Instant, Failure> {
        let deadline = now() + PATIENCE;
        let mut parser = self.shown.parser();
        while !holds(parser.screen()) {
            let left = deadline.saturating_duration_since(now());
            if left.is_zero() {
                let shown = parser.screen().contents();
                return Err(format!("this is not what was waited for:\n{shown}").into());
            }
            let waited = self.shown.changed.wait_timeout(parser, left);
            parser = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Ok(now())
    }

    /// Waits for a text and returns when it was there.
    pub(crate) fn shows(&self, text: &str) -> Result<Instant, Failure> {
        self.until(|screen| screen.contents().contains(text))
    }

    /// The time from a key to a picture.
    pub(crate) fn answers(
        &mut self,
        keys: &str,
        holds: impl Fn(&Screen) -> bool,
    ) -> Result<Duration, Failure> {
        let typed = now();
        self.types(keys)?;
        Ok(self.until(holds)? - typed)
    }

    /// Seconds of processor time that the program has taken so far, in hundredths.
    pub(crate) fn processor(&self) -> Result<f64, Failure> {
        let id = self.child.process_id().ok_or("no such process")?;
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat"))?;
        // The name of the program stands in brackets and may hold anything.
        let (_, fields) = stat.rsplit_once(')').ok_or("no such process")?;
        let ticks = fields.split_whitespace().skip(11).take(2);
        let ticks: f64 = ticks.filter_map(|field| field.parse::<f64>().ok()).sum();
        Ok(ticks / 100.0)
    }

    /// Bytes of memory that the program holds now.
    pub(crate) fn memory(&self) -> Result<u64, Failure> {
        let id = self.child.process_id().ok_or("no such process")?;
        Ok(memory(&id.to_string(), "VmRSS:").ok_or("no such process")?)
    }
}

impl Shown {
    fn parser(&self) -> MutexGuard<'_, Parser> {
        self.parser.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
