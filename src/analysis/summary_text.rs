//! A summary as people read it.

use std::fmt::Write;

use super::reading::Reading;
use super::spread::{Bar, Spread};
use super::summary::{Duplicates, FoundIn, Ids, Length, ScoreSummary, Summary};
use crate::base::{count, elide, share, shown};

/// Columns of the longest bar.
const WIDEST: u64 = 40;
/// Ids that are written out.
const LISTED: usize = 5;
/// Places of scores that are written out.
const PLACES: usize = 4;
/// What is said where no answer has a score.
const NO_SCORES: &str =
    "no scores found; --score-path FIELD or --score-pattern REGEX say where they are";

/// Lines of text. Writing to a `String` cannot fail.
#[derive(Default)]
pub(super) struct Text(pub(super) String);

impl Text {
    pub(super) fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }

    pub(super) fn entry(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "  {name:<16}{value}");
    }
}

impl Summary {
    /// All of it for people, as lines of plain text.
    pub fn report(&self) -> String {
        let mut text = Text::default();
        let success = share(self.answers, self.results);
        let results = counted(self.results, "result", "results");
        let answers = counted(self.answers, "answer", "answers");
        let calls = match self.tool_calls {
            0 => String::new(),
            calls => format!(", {}", counted(calls, "tool call", "tool calls")),
        };
        text.line(&format!("{results}, {answers} ({success}){calls}"));
        for (class, failure) in &self.failures {
            let sample = elide(&shown(&failure.sample), 60);
            let value = format!(
                "{}: {}: {sample}",
                elide(&shown(class), 40),
                count(failure.count)
            );
            text.entry("failed", &value);
        }
        names(&mut text, "model", &self.models);
        names(&mut text, "ended by", &self.finish_reasons);
        let total = |total: u64| format!(", {} in all", count(total));
        spread(
            &mut text,
            "prompt tokens",
            self.prompt_tokens,
            &total(self.prompt_tokens_total),
        );
        spread(
            &mut text,
            "answer tokens",
            self.answer_tokens,
            &total(self.answer_tokens_total),
        );
        spread(&mut text, "time, ms", self.wall_ms, "");
        spread(&mut text, "first token, ms", self.first_token_ms, "");
        match &self.scores {
            Some(scores) => score(&mut text, scores),
            None if self.texts > 0 => text.line(NO_SCORES),
            None => {}
        }
        lengths(&mut text, "longest", &self.longest);
        lengths(&mut text, "shortest", &self.shortest);
        ids(&mut text, "empty", &self.empty);
        ids(&mut text, "refusals", &self.refusals);
        duplicates(&mut text, &self.duplicates);
        ids(&mut text, "duplicate ids", &self.duplicate_ids);
        text.0
    }
}

impl Reading {
    /// What could not be read, for people: what is wrong, and what to do.
    pub fn problems(&self) -> Vec<(String, &'static str)> {
        let met = self.skipped.iter().map(|(error, lines)| {
            let first = lines.first_line;
            let what = match lines.count {
                1 => format!("line {first}: {error}"),
                2 => format!("line {first} and one other: {error}"),
                more => format!("line {first} and {} others: {error}", count(more - 1)),
            };
            (what, error.hint())
        });
        met.collect()
    }
}

impl ScoreSummary {
    /// Where scores were found, for people: safe to show.
    pub fn places(&self) -> String {
        let words = |found: &FoundIn| match (found.place, found.path.as_deref()) {
            ("field", path) => {
                let path = path.unwrap_or_default();
                format!("field `{}`", elide(&shown(path), 40))
            }
            ("label", _) => "text such as `score: 8`".to_owned(),
            ("fraction", _) => "text such as `8/10`".to_owned(),
            ("number", _) => "answers that are a number".to_owned(),
            _ => "the pattern".to_owned(),
        };
        let more = self.found_in.len().saturating_sub(PLACES);
        let mut places: Vec<String> = match self.found_in.as_slice() {
            [only] => vec![words(only)],
            several => several
                .iter()
                .take(PLACES)
                .map(|found| format!("{} ({})", words(found), count(found.count)))
                .collect(),
        };
        if more > 0 {
            places.push(format!("{more} other places"));
        }
        places.join(", ")
    }

    /// That scores are of different scales, where they are: their mean says nothing then.
    pub fn scale_warning(&self) -> Option<String> {
        let scales: Vec<String> = self
            .scales
            .iter()
            .take(PLACES)
            .map(|scale| format!("{} out of {}", count(scale.count), number(scale.out_of)))
            .collect();
        (self.scales.len() > 1).then(|| format!("{}: not converted", scales.join(", ")))
    }
}

impl Bar {
    /// The scores that it counts: one, or a range.
    pub fn title(&self) -> String {
        if self.from.total_cmp(&self.to).is_eq() {
            number(self.from)
        } else {
            format!("{} – {}", number(self.from), number(self.to))
        }
    }
}

fn names(text: &mut Text, title: &str, counts: &std::collections::BTreeMap<String, u64>) {
    for (name, number) in counts.iter().take(10) {
        text.entry(
            title,
            &format!("{}: {}", elide(&shown(name), 60), count(*number)),
        );
    }
}

/// A number of things, in the singular where it is one.
pub fn counted(number: u64, one: &str, several: &str) -> String {
    format!(
        "{} {}",
        count(number),
        if number == 1 { one } else { several }
    )
}

/// A number without digits that say nothing: `7`, `6.25`, `1e15`.
pub fn number(number: f64) -> String {
    if number.fract() == 0.0 && number.abs() < 1e15 {
        format!("{number:.0}")
    } else if number.abs() < 1e6 {
        format!("{number:.2}")
    } else {
        format!("{number:e}")
    }
}

fn spread(text: &mut Text, title: &str, spread: Option<Spread>, more: &str) {
    let Some(spread) = spread else { return };
    let value = format!(
        "mean {}, median {}, 90 % {}, 99 % {}, {} to {}{more}",
        number(spread.mean),
        number(spread.median),
        number(spread.p90),
        number(spread.p99),
        number(spread.least),
        number(spread.most),
    );
    text.entry(title, &value);
}

fn score(text: &mut Text, scores: &ScoreSummary) {
    let valid = scores.spread.map_or(0, |spread| spread.count);
    let noun = if valid == 1 { "score" } else { "scores" };
    text.line(&format!(
        "{} {noun}, from {}",
        count(valid),
        scores.places()
    ));
    if let Some(spread) = scores.spread {
        let quantiles = format!(
            "mean {}, median {}, 10 % {}, 90 % {}, {} to {}",
            number(spread.mean),
            number(spread.median),
            number(spread.p10),
            number(spread.p90),
            number(spread.least),
            number(spread.most),
        );
        text.entry("score", &quantiles);
    }
    let most = scores.bars.iter().map(|bar| bar.count).max().unwrap_or(0);
    for bar in &scores.bars {
        bars(text, bar, most, valid);
    }
    if let Some(warning) = scores.scale_warning() {
        text.entry("scales differ", &warning);
    }
    ids(text, "invalid score", &scores.invalid);
    ids(text, "no score", &scores.missing);
}

fn bars(text: &mut Text, bar: &Bar, most: u64, all: u64) {
    let title = bar.title();
    let width = (bar.count * WIDEST).div_ceil(most.max(1));
    // The space belongs to the bar, so that there are never two.
    let drawn = "█".repeat(width as usize) + if width > 0 { " " } else { "" };
    text.line(&format!(
        "  {title:>15} {drawn}{} ({})",
        count(bar.count),
        share(bar.count, all)
    ));
}

fn duplicates(text: &mut Text, alike: &Duplicates) {
    if alike.texts > 0 {
        let (answers, texts) = (count(alike.answers), count(alike.texts));
        text.entry(
            "duplicates",
            &format!("{answers} answers share {texts} texts"),
        );
    }
    if alike.unknown > 0 {
        let unknown = count(alike.unknown);
        text.entry(
            "",
            &format!("{unknown} later answers were not looked at for this"),
        );
    }
    for repeated in &alike.most {
        let beginning = elide(&shown(&repeated.beginning), 60);
        text.entry("", &format!("{} × {beginning}", count(repeated.count)));
    }
}

fn lengths(text: &mut Text, title: &str, lengths: &[Length]) {
    let words: Vec<_> = lengths
        .iter()
        .map(|length| {
            let id = elide(&shown(&length.custom_id), 30);
            format!("{id} {}", count(length.characters))
        })
        .collect();
    if !words.is_empty() {
        text.entry(title, &format!("{} characters", words.join(", ")));
    }
}

fn ids(text: &mut Text, title: &str, ids: &Ids) {
    if ids.count == 0 {
        return;
    }
    let names: Vec<_> = ids
        .first
        .iter()
        .take(LISTED)
        .map(|id| elide(&shown(id), 30))
        .collect();
    let more = if ids.count > names.len() as u64 {
        " …"
    } else {
        ""
    };
    text.entry(
        title,
        &format!("{}: {}{more}", count(ids.count), names.join(", ")),
    );
}
