//! Pictures of the pane alone on a screen, where it shows everything.

use rstest::rstest;

use crate::model::Prices;
use crate::tui::testing::{drawn, snapshot, text, ui};
use crate::tui::theme::{Depth, Meaning, Theme};
use crate::tui::ui::{Pane, Ui};

fn enlarged() -> Ui {
    let mut ui = ui();
    (ui.focus, ui.enlarged) = (Pane::Vram, true);
    ui
}

#[rstest]
fn it_shows_everything_where_there_is_room(
    #[values("empty", "busy", "failing", "paused", "huge", "hostile")] scene: &str,
    #[values((120, 30), (80, 24), (40, 10))] size: (u16, u16),
) {
    let (columns, rows) = size;
    let (buffer, _) = drawn(&snapshot(scene), &enlarged(), columns, rows);
    insta::assert_snapshot!(format!("vram-{scene}-{columns}x{rows}"), text(&buffer));
}

#[test]
fn it_is_ascii_where_nothing_else_can_be_drawn() {
    let mut ui = enlarged();
    ui.theme = Theme::built_in("mono", Depth::None, true).unwrap();
    let (buffer, _) = drawn(&snapshot("failing"), &ui, 100, 30);
    let drawn = text(&buffer);
    let is_drawing = |c: char| matches!(c, '\u{2500}'..='\u{28ff}');
    assert_eq!(drawn.chars().find(|c| is_drawing(*c)), None, "{drawn}");
    insta::assert_snapshot!("vram-failing-ascii", drawn);
}

#[test]
fn old_readings_are_dimmed_and_fresh_ones_are_not() {
    let ui = enlarged();
    let colour = |scene: &str| {
        let (buffer, _) = drawn(&snapshot(scene), &ui, 120, 30);
        let filled = buffer.content().iter().find(|cell| cell.symbol() == "█");
        filled.unwrap().fg
    };
    let style = |meaning| ui.theme.style(meaning).fg.unwrap();
    assert_eq!(colour("busy"), style(Meaning::Bar));
    assert_eq!(colour("paused"), style(Meaning::Dim));
    assert_eq!(colour("failing"), style(Meaning::Bad));
}

#[test]
fn without_a_card_it_says_why_and_shows_what_the_server_reports() {
    let mut snapshot = snapshot("busy");
    let mut taken = snapshot.readings.clone().unwrap();
    let mut readings = (*taken.readings).clone();
    readings.cards.clear();
    readings.absent = Some("no AMD card, and no NVIDIA card: its library is not there".into());
    taken.readings = readings.into();
    snapshot.readings = Some(taken);
    let (buffer, _) = drawn(&snapshot, &enlarged(), 80, 12);
    insta::assert_snapshot!("vram-absent", text(&buffer));
}

#[test]
fn energy_is_shown_with_what_it_costs_here_and_in_a_cloud() {
    let mut ui = ui();
    (ui.focus, ui.enlarged) = (Pane::Progress, true);
    ui.start.prices = Prices {
        kilowatt_hour: "0.30".parse().ok(),
        cloud: None,
        currency: "€".to_owned(),
    };
    let (buffer, _) = drawn(&snapshot("busy"), &ui, 80, 14);
    let drawn = text(&buffer);
    assert!(drawn.contains("0.41 kWh ≈ 0.12 €"), "{drawn}");
}
