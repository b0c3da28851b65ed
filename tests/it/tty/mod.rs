//! Stories at the screen: the real binary in a real pseudo-terminal, over a simulated server.

mod analysis;
mod ends;
mod lists;
mod manners;
mod notices;
mod opening;
mod queue;
mod stalled;
mod terminal;
mod watching;

use batchtop::simulator::{Answers, Length, Script};

use self::terminal::Terminal;
use crate::support::{Stage, batch};

/// A server that takes its time: four slots, half a second an answer.
fn slow() -> Script {
    Script {
        slots: 4,
        decode_rate: Some(40.0),
        answers: Answers {
            tokens: Length::Fixed(20),
            ..Answers::default()
        },
        marker_prefix: Some("r".to_owned()),
        ..Script::default()
    }
}

/// A stage on which so many requests wait for a server that takes its time.
fn waiting(requests: usize) -> Stage {
    let stage = Stage::with(slow());
    stage.write("b.jsonl", batch(requests));
    stage.run("enqueue b.jsonl --parallel 4").with(0);
    stage
}

/// The screen over a run that is under way.
fn under_way(stage: &Stage) -> Terminal {
    let terminal = Terminal::open(stage, "");
    terminal.shows("answering");
    terminal
}
