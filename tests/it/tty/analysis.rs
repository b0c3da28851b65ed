//! Looking at what came out.

use batchtop::simulator::{Action, Script};

use super::terminal::Terminal;
use super::{slow, under_way, waiting};
use crate::support::{Stage, batch, marked};

#[test]
fn the_scores_of_a_job_are_drawn_and_found_by_their_name() {
    let stage = Stage::new();
    stage
        .run("sample 60 --seed 3 --model simulated -o s.jsonl")
        .with(0);
    stage.run("run s.jsonl").with(0);
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("✓ s.jsonl");
    terminal.types("5");
    terminal.shows("Analysis of s.jsonl");
    terminal.shows("60 of 60 requests");
    terminal.shows("60, from field `score`");
    terminal.until("a histogram", |screen| {
        let contents = screen.contents();
        let bars = contents.lines().filter(|line| line.contains("███"));
        bars.count() > 1
    });
    terminal.types("\r");
    terminal.shows("Requests of s.jsonl");
    terminal.types("\u{1b}\u{1b}");
    terminal.hides("Analysis of s.jsonl");
    terminal.types(":what is in the results\r");
    terminal.shows("60, from field `score`");
    terminal.types("q");
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn what_failed_and_what_gives_no_score_is_said() {
    let refusal = Action::Error {
        status: 400,
        text: "this is not to be".to_owned(),
    };
    let stage = Stage::failing([marked("r2", refusal)]);
    stage.write("b.jsonl", batch(6));
    stage.run("run b.jsonl").with(1);
    let mut terminal = Terminal::open(&stage, "");
    terminal.shows("b.jsonl");
    terminal.types("5");
    terminal.shows("5 of 6, 83.3 %");
    terminal.shows("1 refused: this is not to be");
    terminal.shows("none found");
}

#[test]
fn a_job_that_runs_is_analyzed_as_far_as_it_is() {
    let stage = waiting(40);
    let mut terminal = under_way(&stage);
    terminal.types("5");
    terminal.shows("Analysis of b.jsonl");
    stage.play(Script {
        marker_prefix: slow().marker_prefix,
        ..Script::instant()
    });
    terminal.shows("of 40 requests");
    // Opened again, it is read again at once.
    terminal.types("1");
    terminal.shows("✓ b.jsonl");
    terminal.types("5");
    terminal.shows("40 of 40 requests");
    terminal.shows("40 of 40, 100.0 %");
}
