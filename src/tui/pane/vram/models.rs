//! What the server says about the models in its memory, and what of a card's memory is theirs.

use ratatui::text::Line;

use crate::model::{Card, LoadedModel};
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, right};
use crate::tui::theme::Meaning;

/// The models in the server's memory, one line each, as many as there is room for.
pub(super) fn lines(canvas: &Canvas<'_>, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let loaded = &canvas.scene.snapshot.server.loaded;
    if loaded.is_empty() && rows > 0 {
        let text = " no model in the server's memory";
        return vec![Line::from(canvas.span(Meaning::Dim, text))];
    }
    let shown = loaded.iter().take(rows);
    shown.map(|model| line(canvas, model, columns)).collect()
}

/// A model's name and size, and how much of it is on cards.
fn line(canvas: &Canvas<'_>, model: &LoadedModel, columns: usize) -> Line<'static> {
    let part = model.size.zip(model.size_vram).filter(|(all, _)| *all > 0);
    let part = part.map(|(all, on_cards)| on_cards as f64 / all as f64);
    let (words, meaning) = match part {
        Some(part) if part > 1.001 => ("more on cards than it has".to_owned(), Meaning::Warn),
        Some(part) if part >= 0.999 => ("all on the card".to_owned(), Meaning::Good),
        Some(part) => (format!("{:.0} % on the card", part * 100.0), Meaning::Warn),
        None => ("share on the card n/a".to_owned(), Meaning::Dim),
    };
    let size = model
        .size
        .map_or_else(|| "n/a".to_owned(), |size| format!("{} GiB", gib(size)));
    let name = outside(&model.name, columns.saturating_sub(words.len() + 14));
    Line::from(vec![
        canvas.span(Meaning::Text, format!(" {name} ")),
        canvas.span(Meaning::Text, format!("{} ", right(&size, 9))),
        canvas.span(meaning, words),
    ])
}

/// What the memory of a card is used for: by its runner's own figure, or else by the server's.
/// `None` where neither says anything.
pub(super) fn split(card: &Card, loaded: &[LoadedModel]) -> Option<String> {
    let used = card.memory?.used;
    if let Some(models) = card.runner_memory() {
        let other = used.saturating_sub(models);
        return Some(format!("models {} · other {} GiB", gib(models), gib(other)));
    }
    let models = loaded.iter().filter_map(|model| model.size_vram);
    let models = models.reduce(u64::saturating_add)?;
    if models > used {
        return Some(format!("server says {} GiB of models", gib(models)));
    }
    let other = used - models;
    Some(format!(
        "server: models {} · other {} GiB",
        gib(models),
        gib(other)
    ))
}

/// Bytes in GiB.
pub(super) fn gib(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / (1u64 << 30) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CardMemory, CardProcess};
    use rstest::rstest;

    const GIB: u64 = 1 << 30;

    fn card(runner: Option<u64>) -> Card {
        Card {
            memory: Some(CardMemory {
                total: 16 * GIB,
                used: 10 * GIB,
                free: 6 * GIB,
            }),
            processes: runner.map(|memory| {
                vec![CardProcess {
                    pid: 1,
                    name: Some("llama-server".to_owned()),
                    memory: Some(memory),
                    busy_percent: None,
                }]
            }),
            ..Card::default()
        }
    }

    fn loaded(size_vram: Option<u64>) -> Vec<LoadedModel> {
        vec![LoadedModel {
            name: "m".to_owned(),
            digest: String::new(),
            size: Some(20 * GIB),
            size_vram,
            window: None,
            expires: None,
        }]
    }

    #[rstest]
    #[case(Some(9 * GIB), Some(8 * GIB), Some("models 9.0 · other 1.0 GiB"))]
    #[case(None, Some(8 * GIB), Some("server: models 8.0 · other 2.0 GiB"))]
    #[case::more_than_is_used(None, Some(30 * GIB), Some("server says 30.0 GiB of models"))]
    #[case::more_than_there_is(Some(u64::MAX), None, Some("models 17179869184.0 · other 0.0 GiB"))]
    #[case(None, None, None)]
    fn memory_is_split_as_far_as_it_is_known(
        #[case] runner: Option<u64>,
        #[case] server: Option<u64>,
        #[case] expected: Option<&str>,
    ) {
        let split = split(&card(runner), &loaded(server));
        assert_eq!(split.as_deref(), expected);
    }
}
