//! Pictures of every view and pane, and what holds for all of them.

use ratatui::style::Style;
use rstest::rstest;

use crate::base::width;
use crate::model::{JobId, RequestId, Snapshot, WatchedAnswer};
use crate::tui::dialog::{Confirm, Dialog, Question};
use crate::tui::testing::{SCENES, drawn, snapshot, text, ui};
use crate::tui::theme::{Depth, Meaning, Theme};
use crate::tui::ui::{Frozen, Pane, Seat, Stopping, Ui, View};

const SIZES: [(u16, u16); 3] = [(120, 30), (80, 24), (40, 10)];

fn asked() -> Dialog {
    Dialog::Confirm(Confirm::new(Question::Quit {
        in_flight: 4,
        left: 170_000,
    }))
}

#[rstest]
fn views_look_as_they_should(
    #[values("empty", "busy", "failing", "paused", "huge", "hostile")] scene: &str,
    #[values(0, 1, 2)] size: usize,
) {
    let (columns, rows) = SIZES[size];
    let (buffer, _) = drawn(&snapshot(scene), &ui(), columns, rows);
    insta::assert_snapshot!(format!("main-{scene}-{columns}x{rows}"), text(&buffer));
}

#[rstest]
fn every_pane_fills_a_small_screen_alone(
    #[values("empty", "busy", "failing", "paused", "huge")] scene: &str,
) {
    let mut all = String::new();
    for pane in Pane::ALL {
        let mut ui = ui();
        (ui.focus, ui.enlarged) = (pane, true);
        let (buffer, _) = drawn(&snapshot(scene), &ui, 60, 10);
        all.push_str(&text(&buffer));
    }
    insta::assert_snapshot!(format!("panes-{scene}"), all);
}

#[rstest]
fn panes_of_context_are_drawn_in_ascii_without_colour(
    #[values("busy", "failing", "huge")] scene: &str,
) {
    let mut all = String::new();
    for pane in [Pane::Context, Pane::Trims] {
        for (columns, rows) in SIZES {
            let mut ui = ui();
            ui.theme = Theme::built_in("mono", Depth::None, true).unwrap();
            (ui.focus, ui.enlarged) = (pane, true);
            let (buffer, _) = drawn(&snapshot(scene), &ui, columns, rows);
            all.push_str(&text(&buffer));
        }
    }
    insta::assert_snapshot!(format!("context-ascii-{scene}"), all);
}

#[rstest]
fn panes_of_context_look_as_they_should(
    #[values("empty", "busy", "failing", "paused", "huge")] scene: &str,
    #[values(0, 1, 2)] size: usize,
) {
    let (columns, rows) = SIZES[size];
    let mut all = String::new();
    for pane in [Pane::Context, Pane::Trims] {
        let mut ui = ui();
        (ui.focus, ui.enlarged) = (pane, true);
        let (buffer, _) = drawn(&snapshot(scene), &ui, columns, rows);
        all.push_str(&text(&buffer));
    }
    insta::assert_snapshot!(format!("context-{scene}-{columns}x{rows}"), all);
}

#[rstest]
fn panes_look_as_they_should_alone(
    #[values("empty", "busy", "failing", "paused", "huge")] scene: &str,
    #[values(0, 1, 2)] size: usize,
) {
    let (columns, rows) = SIZES[size];
    let mut all = String::new();
    // What the others show is in the pictures of the main view.
    for pane in [
        Pane::Jobs,
        Pane::Lanes,
        Pane::Throughput,
        Pane::Progress,
        Pane::Failures,
    ] {
        let mut ui = ui();
        (ui.focus, ui.enlarged) = (pane, true);
        let (buffer, _) = drawn(&snapshot(scene), &ui, columns, rows);
        all.push_str(&text(&buffer));
    }
    insta::assert_snapshot!(format!("panes-{scene}-{columns}x{rows}"), all);
}

#[rstest]
#[case::log(View::Log)]
#[case::help(View::Help)]
#[case::settings(View::Settings)]
fn texts_fill_the_view(#[case] view: View) {
    let mut ui = ui();
    ui.views.push(view);
    ui.start.shown = ["[job]", "parallel = 4  # settings file, line 3"]
        .map(str::to_owned)
        .to_vec();
    let (buffer, _) = drawn(&snapshot("busy"), &ui, 100, 30);
    insta::assert_snapshot!(format!("{view:?}-100x30").to_lowercase(), text(&buffer));
}

#[test]
fn a_question_is_drawn_over_everything() {
    let mut ui = ui();
    ui.dialogs.push(asked());
    for (columns, rows) in [(80, 24), (40, 10)] {
        let (buffer, _) = drawn(&snapshot("busy"), &ui, columns, rows);
        insta::assert_snapshot!(format!("quit-{columns}x{rows}"), text(&buffer));
    }
}

#[rstest]
fn an_ascii_screen_draws_nothing_else(
    #[values("empty", "busy", "failing", "paused", "huge", "hostile")] scene: &str,
) {
    let mut ui = ui();
    ui.theme = Theme::built_in("mono", Depth::None, true).unwrap();
    for (columns, rows) in SIZES {
        let drawn = text(&drawn(&snapshot(scene), &ui, columns, rows).0);
        assert!(drawn.is_ascii(), "{drawn}");
    }
    if scene == "busy" {
        let (buffer, _) = drawn(&snapshot(scene), &ui, 120, 30);
        insta::assert_snapshot!("main-busy-ascii", text(&buffer));
    }
}

#[test]
fn without_colour_nothing_is_coloured() {
    let mut ui = ui();
    ui.theme = Theme::built_in("dark", Depth::None, false).unwrap();
    for scene in SCENES {
        let (buffer, _) = drawn(&snapshot(scene), &ui, 120, 30);
        for cell in buffer.content() {
            use ratatui::style::Color::Reset;
            assert_eq!((cell.fg, cell.bg), (Reset, Reset));
        }
    }
}

/// A screen that watches the answer of the first lane, and the run with what has come of it.
fn watching(scene: &str, is_open: bool) -> (Snapshot, Ui) {
    let (mut run, mut ui) = (snapshot(scene), ui());
    let request = RequestId(41_001);
    ui.watched = Some((JobId(1), request));
    ui.views.push(View::Answer);
    if scene == "busy" {
        run.watched = Some(WatchedAnswer {
            request,
            text: "She has led teams. \n\nYes: invite her, and ask about the gap. ".repeat(40),
            dropped: 10_240,
            is_thinking: false,
            is_open,
        });
    }
    if !is_open {
        run.lanes.remove(0);
    }
    (run, ui)
}

#[rstest]
#[case("busy", true)]
#[case("busy", false)]
#[case("hostile", true)]
fn an_answer_is_watched_while_it_is_written(#[case] scene: &str, #[case] is_open: bool) {
    let (run, ui) = watching(scene, is_open);
    for (columns, rows) in SIZES {
        let (buffer, _) = drawn(&run, &ui, columns, rows);
        let end = if is_open { "open" } else { "ended" };
        let name = format!("answer-{scene}-{end}-{columns}x{rows}");
        insta::assert_snapshot!(name, text(&buffer));
    }
}

/// The style of the first cell of a text on the screen.
fn style_of(scene: &str, ui: &Ui, wanted: &str) -> Style {
    let (buffer, _) = drawn(&snapshot(scene), ui, 120, 30);
    for row in buffer.area.rows() {
        let mut line = String::new();
        let cells: Vec<_> = row.columns().map(|cell| (cell.x, cell.y)).collect();
        for &place in &cells {
            line.push_str(buffer[place].symbol());
        }
        if let Some(at) = line.find(wanted) {
            let column = line.get(..at).map_or(0, width);
            return buffer[cells[column]].style();
        }
    }
    panic!("`{wanted}` is not drawn");
}

#[rstest]
#[case("busy", "● running", Meaning::Good)]
#[case("failing", "✗ no server", Meaning::Bad)]
#[case("paused", "⏸ paused", Meaning::Warn)]
#[case("busy", "Lanes", Meaning::Title)]
#[case("busy", "Jobs", Meaning::Focus)]
#[case("busy", "answering", Meaning::Good)]
#[case("failing", "retry in", Meaning::Warn)]
#[case("busy", "all on the card", Meaning::Good)]
#[case("busy", "2 failed", Meaning::Bad)]
fn meanings_have_their_styles(#[case] scene: &str, #[case] text: &str, #[case] meaning: Meaning) {
    let ui = ui();
    let style = style_of(scene, &ui, text);
    let expected = ui.theme.style(meaning);
    assert_eq!(style.fg, expected.fg, "{text}");
}

#[rstest]
#[case(|ui: &mut Ui| ui.frozen = Some(Frozen(snapshot("busy").into())), "FROZEN")]
#[case(|ui: &mut Ui| ui.seat = Seat::Watcher { pid: 4711, gone: false }, "READ-ONLY: process 4711 owns the queue")]
#[case(|ui: &mut Ui| ui.seat = Seat::Watcher { pid: 4711, gone: true }, "READ-ONLY: process 4711 has ended")]
#[case(|ui: &mut Ui| ui.stopping = Stopping::Draining, "stopping")]
#[case(|ui: &mut Ui| ui.complain("no \u{1b}[31mway"), "✗ no ␛[31mway")]
fn what_is_special_is_said(#[case] change: fn(&mut Ui), #[case] expected: &str) {
    let mut ui = ui();
    change(&mut ui);
    let (buffer, _) = drawn(&snapshot("busy"), &ui, 120, 30);
    assert!(text(&buffer).contains(expected), "{}", text(&buffer));
}

#[test]
fn a_simulated_run_says_so_at_every_size() {
    let mut run = snapshot("busy");
    run.simulated = true;
    for (columns, rows) in [(120, 30), (80, 24), (40, 10), (30, 3)] {
        let (buffer, _) = drawn(&run, &ui(), columns, rows);
        assert!(text(&buffer).contains("SIMULATED"), "{columns}×{rows}");
    }
}

#[test]
fn with_no_server_it_says_what_was_tried_and_what_to_do() {
    let mut run = snapshot("empty");
    run.server.state = snapshot("failing").server.state;
    let (buffer, _) = drawn(&run, &ui(), 120, 30);
    let drawn = text(&buffer);
    for expected in [
        "connection refused",
        "Tried http://127.0.0.1:11434",
        "ollama serve",
        "batchtop demo",
    ] {
        assert!(drawn.contains(expected), "{expected}: {drawn}");
    }
}

#[rstest]
fn every_size_draws(
    #[values(View::Main, View::Log, View::Help, View::Settings)] view: View,
    #[values("empty", "busy", "failing", "paused", "huge")] scene: &str,
) {
    let run = snapshot(scene);
    let mut ui = ui();
    ui.views.push(view);
    if scene == "failing" {
        ui.dialogs.push(asked());
    }
    let step = if scene == "busy" { 1 } else { 9 };
    for rows in 0..=45 {
        for columns in (0..=130).step_by(step) {
            drawn(&run, &ui, columns, rows);
        }
    }
    drawn(&run, &ui, 300, 100);
}

#[test]
fn drawing_twice_is_equal() {
    for scene in SCENES {
        let (run, mut ui) = (snapshot(scene), ui());
        let first = drawn(&run, &ui, 120, 30);
        assert_eq!(first, drawn(&run, &ui, 120, 30));
        ui.hits = first.1.clone();
        assert_eq!(first, drawn(&run, &ui, 120, 30));
    }
}
