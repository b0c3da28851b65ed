//! What the server says about the models in its memory, and what of a card's memory is theirs.

use ratatui::text::Line;

use crate::model::{Card, LoadedModel, PlanView, ServerState, ServerView, Snapshot};
use crate::tui::canvas::Canvas;
use crate::tui::text::{outside, right};
use crate::tui::theme::Meaning;

/// The models in the server's memory, one line each, as many as there is room for.
pub(super) fn lines(canvas: &Canvas<'_>, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let server = &canvas.scene.snapshot.server;
    let loaded = &server.loaded;
    if loaded.is_empty() && rows > 0 {
        let text = if is_silent(server) {
            " models n/a: the server does not answer"
        } else {
            " no model in the server's memory"
        };
        return vec![Line::from(canvas.span(Meaning::Dim, text))];
    }
    let shown = loaded.iter().take(rows);
    shown.map(|model| line(canvas, model, columns)).collect()
}

/// Whether nothing is known of the server now.
fn is_silent(server: &ServerView) -> bool {
    matches!(server.state, ServerState::Down { .. })
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
    // What it held when it was last asked is not what it holds now.
    let (words, meaning) = if is_silent(&canvas.scene.snapshot.server) {
        ("before the server went".to_owned(), Meaning::Dim)
    } else {
        (words, meaning)
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
pub(super) fn split(card: &Card, snapshot: &Snapshot) -> Option<String> {
    let readings = snapshot.readings.as_ref();
    // A plan does not say which card has which part.
    let is_alone = readings.is_some_and(|taken| taken.readings.cards.len() == 1);
    let plan = snapshot.plan.as_ref().filter(|_| is_alone);
    split_by(card, &snapshot.server.loaded, plan)
}

fn split_by(card: &Card, loaded: &[LoadedModel], plan: Option<&PlanView>) -> Option<String> {
    let used = card.memory?.used;
    if let Some(parts) = plan.and_then(|plan| parts(plan, used)) {
        return Some(parts);
    }
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

/// The parts of the model that is loaded, where its shape is known and all of it is on the card.
fn parts(plan: &PlanView, used: u64) -> Option<String> {
    let (weights, cache) = plan.weights.zip(plan.cache)?;
    let known = weights.checked_add(cache)?.checked_add(plan.overhead)?;
    let other = used.checked_sub(known)?;
    let is_whole = plan.overhead_measured && plan.spilled.is_none_or(|bytes| bytes == 0);
    is_whole.then(|| {
        let [weights, cache, other] = [weights, cache, other + plan.overhead].map(gib);
        format!("weights {weights} · KV {cache} · other {other} GiB")
    })
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
            quantization: None,
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
        let split = split_by(&card(runner), &loaded(server), None);
        assert_eq!(split.as_deref(), expected);
    }

    #[rstest]
    #[case(true, None, Some("weights 7.0 · KV 2.0 · other 1.0 GiB"))]
    #[case::an_allowance_is_no_measurement(false, None, None)]
    #[case::partly_elsewhere(true, Some(GIB), None)]
    fn a_measured_plan_tells_the_parts(
        #[case] overhead_measured: bool,
        #[case] spilled: Option<u64>,
        #[case] expected: Option<&str>,
    ) {
        let plan = PlanView {
            model: "m".to_owned(),
            window: 8_192,
            slots: 1,
            weights: Some(7 * GIB),
            cache: Some(2 * GIB),
            overhead: GIB / 2,
            overhead_measured,
            spilled,
            words: Vec::new(),
        };
        let split = split_by(&card(None), &[], Some(&plan));
        assert_eq!(split.as_deref(), expected);
    }
}
