//! What tests of the whole program share: a stage with a simulated server, a folder and the real
//! binary; batch files; and the reading of result files.

mod batch;
mod dice;
mod process;
mod results;
mod stage;

use std::time::Duration;

use tokio::time::Instant;

pub(crate) use batch::{batch, chat, chat_with, embedding};
pub(crate) use dice::{Dice, seed, times};
#[cfg(target_os = "linux")]
pub(crate) use process::Room;
pub(crate) use process::{Finished, Running, Signal};
pub(crate) use results::{Rows, json_lines, row, rows};
pub(crate) use stage::{Stage, always, marked, once};

/// Whatever takes longer than this has failed. Generous, because machines that build and test at
/// once are slow.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks at a condition.
const GLANCE: Duration = Duration::from_millis(4);

/// Waits until `look` sees something, and says what was waited for where it never does.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(Instant::now() < deadline, "it never happened: {what}");
        std::thread::sleep(GLANCE);
    }
}
