//! Pictures of the dialogs, and what holds for all of them.

use rstest::rstest;

use super::*;
use crate::base::Stamp;
use crate::engine::AdmitProgress;
use crate::model::{JobId, JobSettings};
use crate::tui::errand::{Entry, Errand, Found, Kind, Listing, PlanAsked, Planned, Rejection};
use crate::tui::testing::{HOSTILE, assert_harmless, drawn, snapshot, text, ui};
use crate::tui::theme::{Depth, Theme};
use crate::tui::ui::Start;

const SIZES: [(u16, u16); 3] = [(120, 30), (80, 24), (40, 10)];

fn start() -> Start {
    Start {
        folder: "/home/ann/batches".into(),
        home: Some("/home/ann".into()),
        settings: JobSettings::default(),
        ..Start::default()
    }
}

fn entry(name: &str, kind: Kind) -> Entry {
    Entry {
        path: std::path::Path::new("/home/ann/batches").join(name),
        name: name.to_owned(),
        kind,
        bytes: (kind != Kind::Folder).then_some(48_123_456),
        changed: Some(Stamp(1_795_262_400_000)),
    }
}

fn listing(names: &[&str]) -> News {
    let mut entries = vec![entry("archive", Kind::Folder)];
    entries.extend(names.iter().map(|name| entry(name, Kind::Batch)));
    entries.push(entry("table.csv", Kind::Table));
    News::Listed {
        folder: "/home/ann/batches".into(),
        listing: Ok(Listing {
            entries,
            is_cut: false,
        }),
    }
}

fn picker(names: &[&str]) -> Dialog {
    let mut dialog = Dialog::Picker(Picker::open(&start()).0);
    dialog.news(&listing(names));
    press(&mut dialog, "down");
    press(&mut dialog, "down");
    for name in names.iter().take(1) {
        dialog.news(&News::Previewed {
            path: entry(name, Kind::Batch).path,
            lines: vec![
                "45.9 MiB, about 170,000 lines".to_owned(),
                format!("first: {name}"),
                "model: gemma3:12b".to_owned(),
                String::new(),
                "Does this candidate fit the role? Answer in one sentence.".to_owned(),
            ],
        });
    }
    dialog
}

fn enqueue(outside: &str) -> Dialog {
    let path = std::path::Path::new("/home/ann/batches").join(outside);
    let (dialog, _) = Enqueue::open(path.clone(), &start());
    let mut dialog = Dialog::Enqueue(dialog);
    dialog.news(&News::Models(vec![outside.to_owned()]));
    let found = Found {
        requests: 169_998,
        bytes: 48_123_456,
        invalid: 2,
        models: vec!["gemma3:12b".to_owned()],
        hash: Some("00".to_owned()),
        remarks: vec![
            "model gemma3:12b: 169,998".to_owned(),
            format!("96 % begin alike: {outside}"),
        ],
        problems: vec![format!("line 7: `custom_id` occurs twice: {outside}")],
        ..Found::default()
    };
    dialog.news(&News::Checked {
        path,
        found: Ok(Box::new(found)),
    });
    dialog.news(&News::Planned {
        asked: PlanAsked {
            model: "gemma3:12b".to_owned(),
            window: None,
            slots: 1,
        },
        planned: Planned {
            lines: vec![
                format!("{outside}: does not fit, part would run on the CPU: 24.4 GB too much (weights 8.1 GB + …)"),
                "would fit: a window of 18,944 tokens".to_owned(),
            ],
            spills: true,
        },
    });
    dialog
}

/// The enqueue dialog on its way, half of the file read.
fn admitting(outside: &str) -> Dialog {
    let mut dialog = enqueue(outside);
    for _ in 0..6 {
        press(&mut dialog, "down");
    }
    press(&mut dialog, "space");
    assert!(matches!(press(&mut dialog, "enter"), Reaction::Ask(_)));
    let path = std::path::Path::new("/home/ann/batches").join(outside);
    let progress = AdmitProgress {
        lines: 84_500,
        bytes: 24_061_728,
    };
    dialog.news(&News::Admitting { path, progress });
    dialog
}

/// The enqueue dialog after a refusal that names what is wrong.
fn rejected(outside: &str) -> Dialog {
    let mut dialog = admitting(outside);
    let path = std::path::Path::new("/home/ann/batches").join(outside);
    let problem = |n: u64| {
        format!("line {n}, body.messages[0].role: `{outside}` is no role; use `user` or `system`")
    };
    let rejection = Rejection {
        why: "not enqueued: 40 problems in the file".to_owned(),
        problems: (1..=40).map(problem).collect(),
    };
    let result = Err(rejection);
    dialog.news(&News::Enqueued { path, result });
    dialog
}

fn unreadable() -> Dialog {
    let mut dialog = Dialog::Picker(Picker::open(&start()).0);
    dialog.news(&News::Listed {
        folder: "/home/ann/batches".into(),
        listing: Err("no permission to read this folder".to_owned()),
    });
    dialog
}

/// A dialog in use.
pub(in crate::tui) fn dialog(name: &str) -> Dialog {
    match name {
        "admitting" => admitting("candidates.jsonl"),
        "rejected" => rejected("candidates.jsonl"),
        "rejected-hostile" => rejected(&HOSTILE.concat()),
        "export-hostile" => Dialog::Export(Export::new(JobId(1), &HOSTILE.concat(), &start())),
        "picker-unreadable" => unreadable(),
        "picker" => picker(&["candidates.jsonl", "reviews.jsonl.zst"]),
        "enqueue" => enqueue("candidates.jsonl"),
        "export" => Dialog::Export(Export::new(JobId(1), "candidates.jsonl", &start())),
        "picker-hostile" => picker(&HOSTILE),
        "enqueue-hostile" => enqueue(&HOSTILE.concat()),
        _ => Dialog::Palette(Palette::default()),
    }
}

fn press(dialog: &mut Dialog, key: &str) -> Reaction {
    dialog.react(Heard::Key(key.parse().unwrap(), None))
}

fn types(dialog: &mut Dialog, text: &str) {
    for c in text.chars() {
        let key = if c == ' ' {
            "space".to_owned()
        } else {
            c.to_string()
        };
        press(dialog, &key);
    }
}

#[rstest]
fn dialogs_look_as_they_should(
    #[values(
        "picker",
        "enqueue",
        "admitting",
        "rejected",
        "export",
        "palette",
        "picker-hostile",
        "picker-unreadable"
    )]
    name: &str,
    #[values(0, 1, 2)] size: usize,
) {
    let mut ui = ui();
    ui.dialogs.push(dialog(name));
    let (columns, rows) = SIZES[size];
    let (buffer, _) = drawn(&snapshot("busy"), &ui, columns, rows);
    insta::assert_snapshot!(format!("{name}-{columns}x{rows}"), text(&buffer));
}

#[rstest]
fn every_size_draws_and_nothing_reaches_the_terminal_raw(
    #[values(
        "picker",
        "enqueue",
        "export",
        "palette",
        "picker-hostile",
        "enqueue-hostile",
        "rejected-hostile",
        "export-hostile"
    )]
    name: &str,
) {
    let mut ui = ui();
    ui.dialogs.push(dialog(name));
    let snapshot = snapshot("busy");
    for columns in 0..=130 {
        for rows in 0..=45 {
            let (buffer, _) = drawn(&snapshot, &ui, columns, rows);
            assert_harmless(&buffer);
        }
    }
}

#[test]
fn an_ascii_screen_without_colour_has_plain_dialogs() {
    let mut all = String::new();
    for name in [
        "picker",
        "enqueue",
        "admitting",
        "rejected",
        "export",
        "palette",
    ] {
        let mut ui = ui();
        ui.theme = Theme::built_in("mono", Depth::None, true).unwrap();
        ui.dialogs.push(dialog(name));
        let (buffer, _) = drawn(&snapshot("busy"), &ui, 80, 24);
        for cell in buffer.content() {
            use ratatui::style::Color::Reset;
            assert_eq!((cell.fg, cell.bg), (Reset, Reset), "{name}");
        }
        let drawn = text(&buffer);
        let is_drawing = |c: char| matches!(c, '\u{2500}'..='\u{28ff}');
        assert!(!drawn.contains(is_drawing), "{name}: {drawn}");
        all.push_str(&drawn);
    }
    insta::assert_snapshot!("dialogs-ascii", all);
}

#[test]
fn a_rejected_file_lists_its_problems_and_the_wheel_moves_in_them() {
    let mut dialog = rejected("a.jsonl");
    let shows = |dialog: &Dialog, wanted: &str| {
        let mut ui = ui();
        ui.dialogs.push(dialog.clone());
        text(&drawn(&snapshot("busy"), &ui, 120, 30).0).contains(wanted)
    };
    assert!(shows(&dialog, "40 problems in the file"));
    assert!(shows(&dialog, "line 1, body.messages[0].role"));
    assert!(!shows(&dialog, "line 40,"));
    for _ in 0..13 {
        assert_eq!(dialog.react(Heard::Wheel(3)), Reaction::Stay);
    }
    assert!(shows(&dialog, "line 40, body.messages[0].role"));
    assert!(shows(&dialog, "use `user` or `system`"));
}

#[test]
fn esc_takes_back_a_file_on_its_way() {
    let mut dialog = admitting("a.jsonl");
    let path = std::path::Path::new("/home/ann/batches/a.jsonl").into();
    let left = Reaction::Close(vec![Ask::Errand(Errand::Leave(path))]);
    assert_eq!(press(&mut dialog, "esc"), left);
}

#[test]
fn a_pasted_path_leads_to_its_folder() {
    let mut dialog = picker(&[]);
    let pasted = dialog.react(Heard::Paste("'/data/in/a.jsonl'\n"));
    let list = |folder: &str| Reaction::Ask(vec![Ask::Errand(Errand::List(folder.into()))]);
    assert_eq!(pasted, list("/data/in/"));
    let mut dialog = picker(&[]);
    press(&mut dialog, "~");
    assert_eq!(press(&mut dialog, "/"), list("/home/ann/"));
}

#[test]
fn typing_filters_and_enter_asks_about_the_file() {
    let mut dialog = picker(&["candidates.jsonl", "reviews.jsonl"]);
    types(&mut dialog, "REV");
    let Reaction::Become(next, asks) = press(&mut dialog, "enter") else {
        panic!("no file was taken");
    };
    assert!(matches!(*next, Dialog::Enqueue(_)));
    let path = entry("reviews.jsonl", Kind::Batch).path;
    assert_eq!(asks[0], Ask::Errand(Errand::Check(path)));
}

#[test]
fn hidden_files_are_shown_when_one_types_a_dot() {
    let mut dialog = picker(&[".hidden.jsonl"]);
    assert!(!shows(&dialog, ".hidden.jsonl"));
    types(&mut dialog, ".h");
    assert!(shows(&dialog, ".hidden.jsonl"));
}

fn shows(dialog: &Dialog, name: &str) -> bool {
    let mut ui = ui();
    ui.dialogs.push(dialog.clone());
    // The preview names the file, too: the narrow picture has none.
    text(&drawn(&snapshot("busy"), &ui, 60, 20).0).contains(name)
}

#[test]
fn backspace_goes_to_the_folder_above_and_tables_are_not_taken() {
    let mut dialog = picker(&[]);
    assert_eq!(press(&mut dialog, "enter"), Reaction::Stay);
    assert_eq!(
        press(&mut dialog, "backspace"),
        Reaction::Ask(vec![Ask::Errand(Errand::List("/home/ann".into()))])
    );
}

#[test]
fn the_palette_does_what_is_typed() {
    let mut dialog = Dialog::Palette(Palette::default());
    types(&mut dialog, "freeze");
    assert_eq!(press(&mut dialog, "enter"), Reaction::Do(Action::Freeze));
    types(&mut dialog, "nothing like it");
    assert_eq!(press(&mut dialog, "enter"), Reaction::Stay);
}

#[test]
fn results_go_beside_the_file_or_where_one_says() {
    let mut dialog = dialog("export");
    let asked = |to: Option<&str>| {
        let to = to.map(Into::into);
        let job = JobId(1);
        Reaction::Close(vec![Ask::Errand(Errand::Export { job, to })])
    };
    assert_eq!(press(&mut dialog.clone(), "enter"), asked(None));
    types(&mut dialog, "~/o.jsonl");
    assert_eq!(
        press(&mut dialog, "enter"),
        asked(Some("/home/ann/o.jsonl"))
    );
}
