//! Outside text as bad as it gets, in every place that shows some: names, prompts, answers,
//! failures, events, what servers and files say, and what is typed and pasted.

use rstest::rstest;

use super::lists_tests::screen;
use crate::model::{Command, Event, EventKind, Failure, FailureClass, JobId, RequestId};
use crate::model::{Snapshot, WatchedAnswer, WhichFailures};
use crate::tui::dialog::{Confirm, Dialog, Enqueue, Export, Palette, Picker, Question};
use crate::tui::errand::{Listing, News, Rejection};
use crate::tui::key::Key;
use crate::tui::keymap::KeyMap;
use crate::tui::msg::Msg;
use crate::tui::testing::{assert_harmless, drawn, hostile_texts, snapshot, ui};
use crate::tui::ui::{Pane, Start, Ui, View};
use crate::tui::update::update;
use crate::tui::widget::Field;

const SIZES: [(u16, u16); 5] = [(200, 60), (120, 30), (80, 24), (41, 11), (30, 2)];

/// Draws it in every size, and once more in ASCII, where nothing else may be left.
fn harmless(run: &Snapshot, ui: &mut Ui) {
    for (columns, rows) in SIZES {
        assert_harmless(&drawn(run, ui, columns, rows).0);
    }
    ui.theme.ascii = true;
    for (columns, rows) in SIZES {
        let (buffer, _) = drawn(run, ui, columns, rows);
        let mut cells = buffer.content.iter();
        let other = cells.find(|cell| !cell.symbol().is_ascii());
        assert_eq!(other.map(ratatui::buffer::Cell::symbol), None);
    }
    ui.theme.ascii = false;
}

/// The run in which everything that comes from outside is this.
fn run(text: &str) -> Snapshot {
    let mut run = snapshot("hostile");
    let event = |kind| Event {
        at: run.at,
        job: Some(JobId(1)),
        kind,
        text: text.to_owned(),
    };
    run.events = [EventKind::Setting, EventKind::ServerDown]
        .map(event)
        .into();
    let failure = Failure::new(FailureClass::Timeout, text);
    run.failures = [(JobId(1), RequestId(7), failure)].into();
    // No more is kept of an answer that is being written.
    let end = text.floor_char_boundary(8_192);
    run.watched = Some(WatchedAnswer {
        request: RequestId(41_001),
        text: text[..end].to_owned(),
        dropped: 7,
        is_thinking: true,
        is_open: true,
    });
    run.waiting = Some(text.to_owned());
    run
}

#[rstest]
fn in_every_pane(#[values(false, true)] is_enlarged: bool) {
    let run = snapshot("hostile");
    for focus in Pane::ALL {
        let mut ui = ui();
        (ui.focus, ui.enlarged) = (focus, is_enlarged);
        harmless(&run, &mut ui);
    }
}

#[test]
fn in_the_log_in_a_watched_answer_and_in_messages() {
    for text in hostile_texts() {
        let run = run(text);
        for view in [View::Main, View::Answer, View::Log, View::Help] {
            let mut ui = ui();
            ui.watched = Some((JobId(1), RequestId(41_001)));
            ui.views.push(view);
            ui.complain(*text);
            harmless(&run, &mut ui);
        }
    }
}

#[test]
fn in_the_settings() {
    for text in hostile_texts() {
        let mut ui = ui();
        ui.views.push(View::Settings);
        ui.theme.name = (*text).to_owned();
        ui.start.shown = vec![format!("server = {text}  # {text}"), (*text).to_owned()];
        harmless(&snapshot("busy"), &mut ui);
    }
}

#[rstest]
fn in_the_views_over_the_queue(
    #[values(View::Requests, View::Request, View::Failures, View::Analysis)] view: View,
) {
    let run = snapshot("hostile");
    for is_raw in [false, true] {
        let mut ui = screen("hostile", view);
        if let Some(reading) = &mut ui.lists.reading {
            reading.is_raw = is_raw;
        }
        harmless(&run, &mut ui);
    }
    for text in hostile_texts() {
        let mut ui = screen("hostile", view);
        if let Some(list) = &mut ui.lists.requests {
            list.typing = Some(Field::new(text));
            list.trouble = Some((*text).to_owned());
        }
        if let Some(reading) = &mut ui.lists.reading {
            reading.text = None;
            reading.trouble = Some((*text).to_owned());
        }
        if let Some(list) = &mut ui.lists.failures {
            list.groups = None;
            list.trouble = Some((*text).to_owned());
        }
        if let Some(analyzed) = &mut ui.lists.analysis {
            analyzed.summary = None;
            analyzed.trouble = Some((*text).to_owned());
        }
        harmless(&run, &mut ui);
    }
}

/// The dialogs after everything in them has become this.
fn dialogs(text: &str) -> Vec<Dialog> {
    let start = Start {
        folder: text.into(),
        home: Some(text.into()),
        ..Start::default()
    };
    let (job, name) = (JobId(1), text.to_owned());
    let which = WhichFailures::Alike(name.clone());
    let mut all: Vec<Dialog> = vec![
        Dialog::Picker(Picker::open(&start).0),
        Dialog::Picker(Picker::open(&start).0),
        Dialog::Enqueue(Enqueue::open(text.into(), &start).0),
        Dialog::Enqueue(Enqueue::open(text.into(), &start).0),
        Dialog::Export(Export::new(job, text, &start)),
        Dialog::Palette(Palette::default()),
        Dialog::Confirm(Confirm::new(Question::Cancel { job, name, left: 7 })),
        Dialog::Confirm(Confirm::new(Question::Retry {
            command: Command::Retry { job, which },
            job,
            what: text.to_owned(),
            count: 7,
        })),
    ];
    let (folder, path, why) = (text.into(), text.into(), text.to_owned());
    all[1].news(&News::Listed {
        folder,
        listing: Err::<Listing, _>(why.clone()),
    });
    let problems = vec![why.clone(); 40];
    let result = Err(Rejection { why, problems });
    all[3].news(&News::Enqueued { path, result });
    all
}

#[test]
fn in_the_questions() {
    let (run, keys) = (snapshot("busy"), KeyMap::built_in());
    for text in hostile_texts() {
        for dialog in dialogs(text) {
            let mut ui = ui();
            ui.dialogs.push(dialog);
            harmless(&run, &mut ui);
            update(&mut ui, Msg::Paste((*text).to_owned()), &run, &keys);
            harmless(&run, &mut ui);
            let key: Key = "enter".parse().unwrap();
            update(&mut ui, Msg::Key(key), &run, &keys);
            harmless(&run, &mut ui);
        }
    }
}
