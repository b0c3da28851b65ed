//! A plan in words.

use super::Report;
use crate::base::{bytes, count, width};
use crate::context::{MARGIN, Plan, Room, Verdict, WindowFrom};

/// The plan, a line each, and the table of choices below it.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let mut lines: Vec<String> = facts(report)
        .into_iter()
        .map(|(name, text)| format!("{name:<10} {text}"))
        .collect();
    lines.push(format!(
        "{:<10} {}",
        "verdict",
        report.plan.verdict_in_words()
    ));
    lines.extend(
        report
            .plan
            .advice()
            .map(|text| format!("{:<10} {text}", "")),
    );
    let unknown = report.unknown.iter();
    lines.extend(unknown.map(|text| format!("{:<10} {text}", "unknown")));
    if report.choices.iter().any(|choice| choice.bytes.is_some()) {
        lines.push(String::new());
        lines.extend(choices(report));
    }
    lines
}

fn facts(report: &Report) -> Vec<(&'static str, String)> {
    let Plan {
        load, needs, room, ..
    } = &report.plan;
    let from = match report.window_from {
        WindowFrom::Asked => "as asked",
        WindowFrom::Loaded => "as it is loaded",
        WindowFrom::Modelfile => "the model's own",
        WindowFrom::CardMemory => "Ollama's choice for such a card",
        WindowFrom::Assumed => "assumed, because the server's card is not known",
    };
    let computing = if needs.overhead_measured {
        "measured"
    } else {
        "an allowance until the model was loaded once"
    };
    vec![
        ("model", model(report)),
        (
            "window",
            format!("{} tokens a slot, {from}", count(load.window)),
        ),
        ("slots", load.slots.to_string()),
        ("weights", size(needs.weights)),
        (
            "context",
            format!("{} as {}", size(needs.cache), load.cache),
        ),
        (
            "computing",
            format!("{}, {computing}", bytes(needs.overhead)),
        ),
        ("together", size(needs.total())),
        ("room", room.as_ref().map_or_else(unknown, in_words)),
    ]
}

fn model(report: &Report) -> String {
    let trained = report.trained_window.map(count);
    match (&report.architecture, trained) {
        (Some(name), Some(trained)) => {
            format!("{} ({name}, trained for {trained} tokens)", report.model)
        }
        (Some(name), None) => format!("{} ({name})", report.model),
        (None, _) => report.model.clone(),
    }
}

fn in_words(room: &Room) -> String {
    match room.cards {
        1 => format!(
            "{} on the card, {} of it stay free",
            bytes(room.all_cards),
            bytes(MARGIN)
        ),
        cards => format!(
            "{} on {cards} cards, {} on the largest, {} of each stay free",
            bytes(room.all_cards),
            bytes(room.largest_card),
            bytes(MARGIN)
        ),
    }
}

/// Windows downwards, slots to the right. What does not fit one card is marked.
fn choices(report: &Report) -> Vec<String> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut head = vec!["window".to_owned()];
    for choice in &report.choices {
        let name = count(choice.window);
        if rows.last().is_none_or(|row: &Vec<String>| row[0] != name) {
            rows.push(vec![name]);
        }
        if rows.len() == 1 {
            head.push(slots(choice.slots));
        }
        let mark = match choice.verdict {
            Verdict::Fits { .. } => "  ",
            Verdict::FitsSpread { .. } => " +",
            Verdict::Spills { .. } => " !",
            Verdict::Unknown => " ?",
        };
        let text = format!("{}{mark}", size(choice.bytes));
        if let Some(row) = rows.last_mut() {
            row.push(text);
        }
    }
    rows.insert(0, head);
    let mut lines: Vec<String> = rows.iter().map(|row| aligned(row)).collect();
    lines.push(
        "! part would run on the CPU   + spread over several cards   ? cannot be said".to_owned(),
    );
    lines
}

fn slots(slots: u32) -> String {
    if slots == 1 {
        "1 slot  ".to_owned()
    } else {
        format!("{slots} slots  ")
    }
}

fn aligned(row: &[String]) -> String {
    const COLUMN: usize = 12;
    let cells = row.iter().map(|cell| {
        let space = " ".repeat(COLUMN.saturating_sub(width(cell)));
        format!("{space}{cell}")
    });
    cells.collect::<String>().trim_end().to_owned()
}

fn size(size: Option<u64>) -> String {
    size.map_or_else(unknown, bytes)
}

fn unknown() -> String {
    "n/a".to_owned()
}
