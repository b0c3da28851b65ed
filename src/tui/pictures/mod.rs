//! The pictures of the documents: views drawn as on any terminal, written as SVG.
//!
//! `cargo test pictures` compares them with `docs/pictures` and writes anew what differs, as the
//! table of keys is.

mod svg;

use std::path::Path;

use super::dialog::tests::dialog;
use super::testing::{drawn, snapshot, ui};
use super::theme::Meaning;
use super::ui::{Ui, View};
use super::view::lists_tests::screen;

/// What is behind a terminal whose programs say nothing about it.
const GROUND: &str = "#0d1117";

/// A picture: its name, the scene of the run, what the user looks at, columns and rows.
type Picture = (&'static str, &'static str, Ui, u16, u16);

fn pictures() -> Vec<Picture> {
    let mut enqueue = ui();
    enqueue.dialogs.push(dialog("enqueue"));
    let requests = screen("paused", View::Requests);
    let request = screen("busy", View::Request);
    let failures = screen("failing", View::Failures);
    let analysis = screen("busy", View::Analysis);
    vec![
        ("main", "busy", ui(), 120, 30),
        ("requests", "busy", requests, 120, 30),
        ("request", "busy", request, 120, 30),
        ("failures", "failing", failures, 120, 30),
        ("analysis", "busy", analysis, 120, 30),
        ("enqueue", "busy", enqueue, 120, 30),
        ("small", "busy", ui(), 80, 24),
    ]
}

#[test]
fn the_pictures_of_the_documents_are_current() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/pictures");
    std::fs::create_dir_all(&folder).unwrap();
    let mut changed = Vec::new();
    for (name, scene, ui, columns, rows) in pictures() {
        let (buffer, _) = drawn(&snapshot(scene), &ui, columns, rows);
        let text = ui.theme.style(Meaning::Text).fg.unwrap_or_default();
        let picture = svg::of(&buffer, text, GROUND);
        let path = folder.join(name).with_extension("svg");
        if std::fs::read_to_string(&path).ok().as_deref() != Some(picture.as_str()) {
            std::fs::write(&path, picture).unwrap();
            changed.push(name);
        }
    }
    assert!(
        changed.is_empty(),
        "docs/pictures was out of date; look at what was drawn anew and commit it: {changed:?}"
    );
}
