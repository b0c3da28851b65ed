//! Measurements as people read them.

use std::time::Duration;

use super::Told;
use crate::base::{count, duration, elide, energy, rate, shown};
use crate::cli::columns::aligned;
use crate::model::{Measurement, Setup};

/// Columns of a model's name at most.
const NAME: usize = 30;

/// What was measured, a line each, and below it what it was measured on.
pub(super) fn lines(told: &[Told]) -> Vec<String> {
    if told.is_empty() {
        return Vec::new();
    }
    let head = [
        "MODEL", "LANES", "WINDOW", "REQUESTS", "FAILED", "REQ/S", "TOK/S", "P50", "P95", "ENERGY",
        "BEFORE",
    ];
    let rows: Vec<Vec<String>> = std::iter::once(head.map(str::to_owned).to_vec())
        .chain(told.iter().map(row))
        .collect();
    let mut lines = aligned(&rows, 1);
    let mut grounds: Vec<String> = told.iter().map(|one| ground(&one.measured)).collect();
    grounds.dedup();
    lines.extend(grounds);
    let changes = told.iter().filter_map(changes);
    let mut changes: Vec<String> = changes.collect();
    changes.dedup();
    lines.extend(changes);
    lines
}

/// A window in words.
pub(super) fn window(setup: &Setup) -> String {
    let window = setup.num_ctx.map(|window| count(window.into()));
    window.unwrap_or_else(|| "server's".to_owned())
}

fn row(told: &Told) -> Vec<String> {
    let measured = &told.measured;
    let per_second = |figure: Option<f64>| figure.map_or_else(unknown, rate);
    let millis = |figure: Option<f64>| {
        let length = figure.map(|millis| Duration::from_secs_f64(millis / 1_000.0));
        length.map_or_else(unknown, duration)
    };
    let change = told
        .change_percent
        .map(|percent| format!("{percent:+.1} %"));
    vec![
        elide(&shown(&measured.setup.model), NAME),
        measured.setup.parallel.to_string(),
        window(&measured.setup),
        count(measured.work.requests),
        count(measured.work.failed),
        per_second(told.requests_per_second),
        per_second(told.answer_tokens_per_second),
        millis(measured.p50_ms),
        millis(measured.p95_ms),
        measured
            .energy
            .map_or_else(unknown, |used| energy(used.joules)),
        change.unwrap_or_else(|| "first".to_owned()),
    ]
}

fn unknown() -> String {
    "n/a".to_owned()
}

/// On what it was measured.
fn ground(measured: &Measurement) -> String {
    let simulated = if measured.setup.simulated {
        "SIMULATED, "
    } else {
        ""
    };
    let name = |name: &Option<String>, unknown: &str| {
        let name = name.as_deref().map(|name| elide(&shown(name), 60));
        name.unwrap_or_else(|| unknown.to_owned())
    };
    format!(
        "{simulated}{}: {}, {}, Ollama {}",
        elide(&shown(&measured.setup.model), NAME),
        name(&measured.quantization, "quantisation unknown"),
        name(&measured.setup.card, "card unknown"),
        name(&measured.server_version, "unknown"),
    )
}

/// What else than the speed differs from the earlier measurement.
fn changes(told: &Told) -> Option<String> {
    let before = told.before.as_ref()?;
    let now = &told.measured;
    let version = (before.server_version != now.server_version).then(|| {
        let former = before.server_version.as_deref().unwrap_or("unknown");
        format!("Ollama {}", elide(&shown(former), 30))
    });
    let digest = (before.digest != now.digest).then(|| "another build of the model".to_owned());
    let different: Vec<String> = version.into_iter().chain(digest).collect();
    let when = before.at.local();
    (!different.is_empty()).then(|| {
        let different = different.join(" and ");
        format!("before, on {when}, it was {different}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Stamp;
    use crate::model::{Energy, Parallel, Work};

    fn measured(seconds: f64, version: &str) -> Measurement {
        Measurement {
            setup: Setup {
                model: "gemma3:12b\u{1b}[2J".into(),
                card: Some("NVIDIA H200".into()),
                parallel: Parallel::Fixed(4),
                num_ctx: Some(8_192),
                simulated: false,
            },
            at: Stamp(0),
            digest: Some(version.into()),
            quantization: Some("Q4_K_M".into()),
            server_version: Some(version.into()),
            work: Work {
                requests: 1_000,
                answer_tokens: 74_000,
                ..Work::default()
            },
            seconds,
            p50_ms: Some(940.0),
            p95_ms: None,
            energy: Some(Energy {
                joules: 36_000.0,
                estimated: 0.0,
            }),
        }
    }

    #[test]
    fn a_table_names_its_ground_and_what_changed() {
        let first = Told::new(measured(250.0, "0.33.0"), &[]);
        let again = Told::new(measured(200.0, "0.33.0"), &[measured(250.0, "0.32.1")]);
        let mut lines = lines(&[first, again]);
        // The date is shown in the machine's own time zone.
        let change = lines.pop().unwrap();
        assert!(change.starts_with("before, on 19"), "{change}");
        assert!(change.ends_with("it was Ollama 0.32.1 and another build of the model"));
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn another_size_is_no_earlier_measurement() {
        let mut other = measured(250.0, "0.33.0");
        other.work.requests = 100;
        let told = Told::new(measured(250.0, "0.33.0"), &[other]);
        assert_eq!((told.change_percent, told.before), (None, None));
    }
}
