//! What keys, clicks and news do.

use std::sync::Arc;

use rstest::rstest;

use super::*;
use crate::model::{
    Command, CommandError, Done, JobId, Move, Parallel, Priority, RequestId, WhichFailures,
};
use crate::tui::testing::{drawn, snapshot, text, ui};
use crate::tui::theme::Theme;
use crate::tui::ui::Row;

fn press(ui: &mut Ui, latest: &Snapshot, key: &str) -> Vec<Ask> {
    update(
        ui,
        Msg::Key(key.parse().unwrap()),
        latest,
        &KeyMap::built_in(),
    )
}

fn commands(asks: Vec<Ask>) -> Vec<Command> {
    let command = |ask| match ask {
        Ask::Command { command, .. } => Some(command),
        _ => None,
    };
    asks.into_iter().filter_map(command).collect()
}

#[rstest]
#[case("space", Command::Pause { job: JobId(1) })]
#[case("P", Command::PauseAll)]
#[case("r", Command::Retry { job: JobId(1), which: WhichFailures::All })]
#[case("+", Command::Prioritize { job: JobId(1), priority: Priority::Step(1) })]
#[case("-", Command::Prioritize { job: JobId(1), priority: Priority::Step(-1) })]
#[case("K", Command::Reorder { job: JobId(1), to: Move::Up })]
#[case("J", Command::Reorder { job: JobId(1), to: Move::Down })]
#[case("[", Command::SetParallel { job: JobId(1), parallel: Parallel::Fixed(1) })]
#[case("]", Command::SetParallel { job: JobId(1), parallel: Parallel::Fixed(3) })]
fn keys_command_the_job_under_the_cursor(#[case] key: &str, #[case] expected: Command) {
    assert_eq!(
        commands(press(&mut ui(), &snapshot("busy"), key)),
        [expected]
    );
}

#[test]
fn what_is_paused_goes_on() {
    let run = snapshot("paused");
    assert_eq!(
        commands(press(&mut ui(), &run, "space")),
        [Command::Resume { job: JobId(1) }]
    );
    assert_eq!(commands(press(&mut ui(), &run, "P")), [Command::ResumeAll]);
}

#[test]
fn a_cancel_asks_first_and_names_the_job() {
    let (run, mut ui) = (snapshot("busy"), ui());
    assert_eq!(press(&mut ui, &run, "c"), []);
    let (buffer, _) = drawn(&run, &ui, 80, 24);
    assert!(text(&buffer).contains("Job 1, candidates.jsonl"));
    assert!(text(&buffer).contains("128,797 requests"));
    assert_eq!(press(&mut ui, &run, "enter"), []);
    assert_eq!(ui.dialogs, []);
    press(&mut ui, &run, "c");
    assert_eq!(
        commands(press(&mut ui, &run, "y")),
        [Command::Cancel { job: JobId(1) }]
    );
    assert_eq!(ui.dialogs, []);
}

#[test]
fn quitting_asks_while_something_runs_and_then_stops_cleanly() {
    let (run, mut busy) = (snapshot("busy"), ui());
    assert_eq!(press(&mut busy, &run, "q"), []);
    assert_eq!(press(&mut busy, &run, "esc"), []);
    press(&mut busy, &run, "ctrl-c");
    assert_eq!(press(&mut busy, &run, "y"), [Ask::Quit(Stopping::Draining)]);
    assert_eq!(press(&mut busy, &run, "q"), [Ask::Quit(Stopping::Now)]);
    assert_eq!(
        press(&mut ui(), &snapshot("empty"), "q"),
        [Ask::Quit(Stopping::Draining)]
    );
}

#[test]
fn a_watcher_changes_nothing_and_leaves_at_once() {
    let (run, mut ui) = (snapshot("busy"), ui());
    ui.seat = Seat::Watcher {
        pid: 9,
        gone: false,
    };
    for key in ["space", "P", "c", "r", "+", "K", "]"] {
        assert_eq!(press(&mut ui, &run, key), [], "{key}");
        assert!(
            ui.message
                .as_ref()
                .is_some_and(|message| message.text.contains("process 9"))
        );
    }
    assert_eq!(press(&mut ui, &run, "q"), [Ask::Quit(Stopping::Draining)]);
    update(&mut ui, Msg::OwnerGone, &run, &KeyMap::built_in());
    assert_eq!(ui.seat, Seat::Watcher { pid: 9, gone: true });
}

#[test]
fn lanes_are_those_of_the_job_under_the_cursor() {
    let (run, mut ui) = (snapshot("busy"), ui());
    press(&mut ui, &run, "j");
    let (job, parallel) = (JobId(2), Parallel::Fixed(3));
    let more = Command::SetParallel { job, parallel };
    assert_eq!(commands(press(&mut ui, &run, "]")), [more]);
}

#[test]
fn a_watcher_may_write_results() {
    let (run, mut ui) = (snapshot("busy"), ui());
    ui.seat = Seat::Watcher {
        pid: 9,
        gone: false,
    };
    press(&mut ui, &run, "e");
    let asks = press(&mut ui, &run, "enter");
    assert!(matches!(
        &asks[..],
        [Ask::Errand(crate::tui::errand::Errand::Export { .. })]
    ));
}

#[test]
fn a_report_is_written_without_a_question_also_by_a_watcher() {
    let (run, mut ui) = (snapshot("busy"), ui());
    ui.seat = Seat::Watcher {
        pid: 9,
        gone: false,
    };
    press(&mut ui, &run, "j");
    let asks = press(&mut ui, &run, "R");
    let [Ask::Errand(crate::tui::errand::Errand::Report { job, .. })] = &asks[..] else {
        panic!("{asks:?}");
    };
    assert_eq!(*job, JobId(2));
}

#[test]
fn the_wheel_moves_in_a_question_and_not_under_it() {
    let (run, mut ui) = (snapshot("huge"), ui());
    press(&mut ui, &run, ":");
    mouse(&mut ui, &run, "view-log", MouseDid::WheelDown);
    assert_eq!(ui.selected.of(Pane::Jobs), None);
    let Some(Dialog::Palette(palette)) = ui.dialogs.last() else {
        panic!("no palette");
    };
    assert_ne!(*palette, Palette::default());
}

#[test]
fn the_cursor_stays_on_its_row_when_the_list_changes() {
    let (run, mut ui) = (snapshot("busy"), ui());
    press(&mut ui, &run, "j");
    assert_eq!(ui.selected.of(Pane::Jobs), Some(Row::Job(JobId(2))));
    let mut changed = snapshot("busy");
    changed.jobs = changed.jobs.iter().rev().cloned().collect();
    let paused = commands(press(&mut ui, &changed, "space"));
    assert_eq!(paused, [Command::Pause { job: JobId(2) }]);
}

#[test]
fn the_cursor_moves_by_rows_pages_and_to_the_ends() {
    let (run, mut ui) = (snapshot("huge"), ui());
    let mut after = |key: &str| {
        ui.hits = drawn(&run, &ui, 120, 30).1;
        press(&mut ui, &run, key);
        ui.selected.of(Pane::Jobs)
    };
    let row = |id| Some(Row::Job(JobId(id)));
    assert_eq!(after("down"), row(2));
    assert_eq!(after("G"), row(200));
    assert_eq!(after("k"), row(199));
    assert_eq!(after("g"), row(1));
    assert_eq!(after("up"), row(1));
    let Some(Row::Job(page)) = after("pgdn") else {
        panic!("nothing is selected");
    };
    assert!(page.0 > 4);
    assert_eq!(after("pgup"), row(1));
    let Some(Row::Job(half)) = after("ctrl-d") else {
        panic!("nothing is selected");
    };
    assert!(half.0 > 1 && half < page);
}

#[test]
fn freezing_keeps_the_picture_and_the_run_goes_on() {
    let (run, mut ui) = (snapshot("busy"), ui());
    press(&mut ui, &run, "f");
    let later = snapshot("failing");
    assert_eq!(shown(&ui, &later).lanes.len(), run.lanes.len());
    // Commands are about the run as it is.
    assert_eq!(commands(press(&mut ui, &later, "r")).len(), 1);
    press(&mut ui, &later, "esc");
    assert_eq!(shown(&ui, &later).lanes.len(), later.lanes.len());
}

#[test]
fn panes_are_focused_enlarged_and_left_again() {
    let (run, mut ui) = (snapshot("busy"), ui());
    press(&mut ui, &run, "tab");
    assert_eq!(ui.focus, Pane::Lanes);
    press(&mut ui, &run, "shift-tab");
    press(&mut ui, &run, "shift-tab");
    assert_eq!(ui.focus, Pane::Failures);
    press(&mut ui, &run, "z");
    assert!(ui.enlarged);
    press(&mut ui, &run, "?");
    press(&mut ui, &run, "4");
    assert_eq!(ui.views, [View::Main, View::Help, View::Log]);
    for _ in 0..3 {
        press(&mut ui, &run, "esc");
    }
    assert_eq!((ui.view(), ui.enlarged), (View::Main, false));
}

#[test]
fn the_window_and_the_theme_go_round() {
    let (run, mut ui) = (snapshot("busy"), ui());
    let before = (ui.window, ui.theme.clone());
    for _ in 0..4 {
        press(&mut ui, &run, "w");
    }
    for _ in Theme::names() {
        press(&mut ui, &run, "t");
    }
    assert_eq!((ui.window, ui.theme), before);
}

#[test]
fn the_answer_of_a_lane_is_watched_and_let_go_again() {
    let (run, mut ui) = (snapshot("busy"), ui());
    ui.focus = Pane::Lanes;
    let watch = |request: Option<i64>| [Ask::Watch(request.map(RequestId))];
    assert_eq!(press(&mut ui, &run, "enter"), watch(Some(41_001)));
    assert_eq!(ui.view(), View::Answer);
    assert_eq!(press(&mut ui, &run, "tab"), watch(Some(41_002)));
    assert_eq!(press(&mut ui, &run, "right"), watch(Some(41_001)));
    // What is looked at meanwhile needs no answer.
    assert_eq!(press(&mut ui, &run, "?"), watch(None));
    assert_eq!(press(&mut ui, &run, "?"), watch(Some(41_001)));
    // It stays after its end, from which one goes on to another.
    let mut later = run.clone();
    later.lanes.remove(0);
    assert_eq!(press(&mut ui, &later, "down"), []);
    assert_eq!(press(&mut ui, &later, "tab"), watch(Some(41_002)));
    assert_eq!(press(&mut ui, &later, "esc"), watch(None));
    assert_eq!(ui.view(), View::Main);
}

#[test]
fn enter_opens_the_whole_request_that_is_watched() {
    let (run, mut ui) = (snapshot("busy"), ui());
    ui.focus = Pane::Lanes;
    press(&mut ui, &run, "enter");
    let asks = press(&mut ui, &run, "enter");
    assert!(matches!(asks[0], Ask::Query(_)), "{asks:?}");
    assert_eq!(ui.view(), View::Request);
}

#[test]
fn a_copy_takes_what_is_under_the_cursor() {
    let (run, mut ui) = (snapshot("busy"), ui());
    assert_eq!(
        press(&mut ui, &run, "y"),
        [Ask::Copy("candidates.jsonl".into())]
    );
    ui.focus = Pane::Lanes;
    assert_eq!(press(&mut ui, &run, "y"), [Ask::Copy("cand-041201".into())]);
    ui.focus = Pane::Trims;
    assert_eq!(press(&mut ui, &run, "y"), [Ask::Copy("cand-041200".into())]);
    ui.focus = Pane::Context;
    assert_eq!(press(&mut ui, &run, "y"), []);
}

#[test]
fn enter_shows_a_trim_in_full_and_goes_back() {
    let (run, mut ui) = (snapshot("busy"), ui());
    ui.focus = Pane::Trims;
    press(&mut ui, &run, "down");
    assert_eq!(ui.selected.of(Pane::Trims), Some(Row::Trim(19)));
    press(&mut ui, &run, "enter");
    let (buffer, _) = drawn(&run, &ui, 80, 24);
    assert!(text(&buffer).contains("before cand-041175 of candidates.jsonl"));
    assert!(text(&buffer).contains("why: the server refused the prompt"));
    press(&mut ui, &run, "enter");
    assert!(!ui.enlarged);
}

/// Where a text is drawn.
fn find(run: &Snapshot, ui: &Ui, wanted: &str) -> (u16, u16) {
    let (buffer, _) = drawn(run, ui, 120, 30);
    let drawn = text(&buffer);
    let (row, line) = drawn
        .lines()
        .enumerate()
        .find(|(_, line)| line.contains(wanted))
        .unwrap();
    let column = crate::base::width(&line[..line.find(wanted).unwrap()]);
    (column as u16, row as u16)
}

fn mouse(ui: &mut Ui, run: &Snapshot, wanted: &str, did: MouseDid) -> Vec<Ask> {
    let (column, row) = find(run, ui, wanted);
    ui.hits = drawn(run, ui, 120, 30).1;
    let msg = Msg::Mouse(Mouse { column, row, did });
    update(ui, msg, run, &KeyMap::built_in())
}

#[test]
fn a_click_selects_focuses_and_presses_hints() {
    let (run, mut ui) = (snapshot("busy"), ui());
    mouse(&mut ui, &run, "reviews.jsonl", MouseDid::Click);
    assert_eq!(ui.selected.of(Pane::Jobs), Some(Row::Job(JobId(2))));
    mouse(&mut ui, &run, "tok/s out", MouseDid::Click);
    assert_eq!(ui.focus, Pane::Throughput);
    mouse(&mut ui, &run, "cand-041202", MouseDid::Click);
    assert_eq!(
        ui.selected.of(Pane::Lanes),
        Some(Row::Request(RequestId(41_002)))
    );
    mouse(&mut ui, &run, "c cancel", MouseDid::Click);
    assert_eq!(ui.dialogs.len(), 1);
    // What lies under the question cannot be hit.
    mouse(&mut ui, &run, "tok/s out", MouseDid::Click);
    assert_eq!((ui.focus, ui.dialogs.len()), (Pane::Lanes, 1));
    let asks = mouse(&mut ui, &run, "[ Yes ]", MouseDid::Click);
    assert_eq!(commands(asks), [Command::Cancel { job: JobId(1) }]);
}

#[test]
fn the_wheel_scrolls_what_is_under_it() {
    let (run, mut ui) = (snapshot("huge"), ui());
    mouse(&mut ui, &run, "cand-041201", MouseDid::WheelDown);
    assert_eq!(ui.focus, Pane::Jobs);
    assert_eq!(
        ui.selected.of(Pane::Lanes),
        Some(Row::Request(RequestId(41_004)))
    );
    ui.views.push(View::Help);
    mouse(&mut ui, &run, "Moving", MouseDid::WheelDown);
    let (buffer, _) = drawn(&run, &ui, 120, 30);
    assert!(!text(&buffer).contains("quit; asks"));
}

#[test]
fn what_came_of_a_command_is_said() {
    let (run, keys, mut ui) = (snapshot("busy"), KeyMap::built_in(), ui());
    let mut said = |result| {
        let what = "retry smoke.jsonl".to_owned();
        update(&mut ui, Msg::Replied { what, result }, &run, &keys);
        let message = ui.message.clone().unwrap();
        (message.text, message.is_error)
    };
    let done = said(Ok(Done {
        changed: true,
        count: 2,
    }));
    assert_eq!(
        done,
        (
            "retry smoke.jsonl: 2 requests are queued again".into(),
            false
        )
    );
    let refused = said(Err(CommandError::new("no such job", "look again")));
    assert_eq!(
        refused,
        ("retry smoke.jsonl: no such job; look again".into(), true)
    );
    press(&mut ui, &run, "j");
    assert_eq!(ui.message, None);
}

#[test]
fn no_key_panics_anywhere() {
    let keys = KeyMap::built_in();
    for scene in crate::tui::testing::SCENES {
        let (run, mut ui) = (Arc::new(snapshot(scene)), ui());
        for &first in Action::ALL {
            for &second in Action::ALL {
                for action in [first, second] {
                    for &key in keys.keys(action) {
                        update(&mut ui, Msg::Key(key), &run, &keys);
                    }
                }
            }
        }
        drawn(&run, &ui, 100, 30);
    }
}
