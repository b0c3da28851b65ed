//! What is in the results of a job: counts, tokens and times, the scores with their histogram, and
//! the answers one should look at.

use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::analysis::{Ids, Length, ScoreSummary, Spread, Summary, number};
use crate::base::{count, rate, share, short, width};
use crate::model::Counts;
use crate::tui::analyzed::Analyzed;
use crate::tui::canvas::Canvas;
use crate::tui::text::{left, outside, wrapped};
use crate::tui::theme::Meaning;
use crate::tui::widget::{Column, cells, gauge, histogram};

/// Columns from which scores stand beside the rest.
const BESIDE: usize = 100;
/// Columns between the two.
const GAP: usize = 3;
/// Columns of the name of an entry.
const NAME: usize = 13;
/// Columns of a figure.
const FIGURE: usize = 7;
/// Ids that are written out of each kind.
const IDS: usize = 5;
/// Columns of an id, of a model, of what a class is called.
const WORD: usize = 30;

pub(super) fn draw(canvas: &mut Canvas<'_>, body: Rect) {
    let Some(held) = &canvas.scene.ui.lists.analysis else {
        return;
    };
    let jobs = &canvas.scene.snapshot.jobs;
    let job = jobs.iter().find(|job| job.id == held.job);
    let title = match job {
        Some(job) => format!("Analysis of {}", outside(&job.name, 40)),
        None => format!("Analysis of job {}", held.job),
    };
    let counts = job.map(|job| job.counts).unwrap_or_default();
    let inner = canvas.border(body, &title, &detail(held, &counts), true);
    let columns = usize::from(inner.width).saturating_sub(2);
    let sheet = Sheet { canvas, columns };
    let lines = match (&held.trouble, &held.summary) {
        (Some(trouble), _) => sheet.words(Meaning::Bad, trouble),
        (None, None) => sheet.reading(held.reading.unwrap_or(0), ended(&counts)),
        (None, Some(summary)) if summary.results == 0 => sheet.words(
            Meaning::Dim,
            "no request of this job has come to an end yet",
        ),
        (None, Some(summary)) => sheet.summary(summary),
    };
    let lines: Vec<_> = lines.into_iter().map(indented).collect();
    canvas.text(inner, &lines, false);
}

const fn ended(counts: &Counts) -> u64 {
    counts.done.saturating_add(counts.failed)
}

fn detail(held: &Analyzed, counts: &Counts) -> String {
    match (held.reading, &held.summary) {
        (Some(looked_at), Some(_)) => format!("reading anew {}", share(looked_at, ended(counts))),
        (None, Some(summary)) => {
            let (results, total) = (count(summary.results), count(counts.total));
            format!("{results} of {total} requests")
        }
        (_, None) => String::new(),
    }
}

fn indented(mut line: Line<'static>) -> Line<'static> {
    line.spans.insert(0, " ".into());
    line
}

/// What the lines are made with: so many columns are there for them.
struct Sheet<'a, 'b> {
    canvas: &'a Canvas<'b>,
    columns: usize,
}

type Lines = Vec<Line<'static>>;

impl Sheet<'_, '_> {
    fn words(&self, meaning: Meaning, text: &str) -> Lines {
        let rows = wrapped(text, self.columns).into_iter();
        rows.map(|row| Line::from(self.canvas.span(meaning, row)))
            .collect()
    }

    fn reading(&self, looked_at: u64, total: u64) -> Lines {
        let part = (total > 0).then(|| looked_at as f64 / total as f64);
        let of = part.map_or_else(String::new, |_| format!(" of {}", count(total)));
        let far = format!("reading… {}{of} results", count(looked_at));
        let bar = gauge(
            self.canvas.theme(),
            part,
            self.columns.min(50),
            Meaning::Bar,
        );
        vec![Line::from(self.canvas.span(Meaning::Text, far)), bar]
    }

    fn summary(&self, summary: &Summary) -> Lines {
        if self.columns < BESIDE {
            let parts = [
                self.results(summary),
                self.scores(summary),
                self.answers(summary),
            ];
            return parts.join(&Line::default());
        }
        let half = Self {
            columns: (self.columns - GAP) / 2,
            ..*self
        };
        let figures = [half.results(summary), half.answers(summary)].join(&Line::default());
        beside(figures, half.scores(summary), half.columns + GAP)
    }

    fn results(&self, summary: &Summary) -> Lines {
        let (results, answers) = (summary.results, summary.answers);
        let failed = results.saturating_sub(answers);
        let outcome = if failed == 0 {
            Meaning::Good
        } else {
            Meaning::Warn
        };
        let mut lines = vec![self.title("Results")];
        let text = format!(
            "{} of {}, {}",
            count(answers),
            count(results),
            share(answers, results)
        );
        lines.extend(self.entry("answered", outcome, &text));
        let mut classes: Vec<_> = summary.failures.iter().collect();
        classes.sort_by_key(|(_, failure)| std::cmp::Reverse(failure.count));
        for (place, (class, failure)) in classes.into_iter().take(IDS).enumerate() {
            let name = if place == 0 { "failed" } else { "" };
            let class = outside(class, WORD);
            let text = format!("{} {class}: {}", count(failure.count), failure.sample);
            lines.extend(self.entry(name, Meaning::Bad, &text).into_iter().take(2));
        }
        lines.extend(self.counted("model", &summary.models));
        lines.extend(self.counted("ended by", &summary.finish_reasons));
        lines.extend(self.spreads(summary));
        lines
    }

    /// The most frequent ones of some names.
    fn counted(&self, name: &str, counts: &std::collections::BTreeMap<String, u64>) -> Lines {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by_key(|(_, number)| std::cmp::Reverse(**number));
        let more = counts.len().saturating_sub(IDS);
        let mut words: Vec<_> = counts
            .into_iter()
            .take(IDS)
            .map(|(name, number)| format!("{} {}", outside(name, WORD), count(*number)))
            .collect();
        if more > 0 {
            words.push(format!("{} others", count(more as u64)));
        }
        if words.is_empty() {
            return Lines::new();
        }
        self.entry(name, Meaning::Text, &words.join(" · "))
    }

    fn spreads(&self, summary: &Summary) -> Lines {
        let seconds = |spread: Option<Spread>| spread.map(|spread| spread.scaled(1e-3));
        let spreads = [
            ("prompt tok", summary.prompt_tokens),
            ("answer tok", summary.answer_tokens),
            ("time s", seconds(summary.wall_ms)),
            ("first tok s", seconds(summary.first_token_ms)),
        ];
        let known: Vec<_> = spreads
            .into_iter()
            .filter_map(|(name, spread)| Some((name, spread?)))
            .collect();
        if known.is_empty() {
            return Lines::new();
        }
        let heads = ["mean", "median", "90 %", "99 %", "least", "most"].map(str::to_owned);
        let mut lines = vec![Line::default(), self.figures("", heads, Meaning::Dim)];
        for (name, spread) in known {
            let figures = [
                spread.mean,
                spread.median,
                spread.p90,
                spread.p99,
                spread.least,
                spread.most,
            ];
            lines.push(self.figures(name, figures.map(figure), Meaning::Text));
        }
        let all = format!(
            "{} prompt · {} answer tokens",
            count(summary.prompt_tokens_total),
            count(summary.answer_tokens_total)
        );
        lines.extend(self.entry("in all", Meaning::Text, &all));
        lines
    }

    /// A row of figures, as many as fit.
    fn figures(&self, name: &str, figures: [String; 6], meaning: Meaning) -> Line<'static> {
        let room = self.columns.saturating_sub(NAME) / (FIGURE + 1);
        let mut row = vec![Column::word(Meaning::Dim, name, NAME)];
        let figures = figures.into_iter().take(room);
        row.extend(figures.map(|figure| Column::number(meaning, figure, FIGURE)));
        cells(self.canvas.theme(), &row)
    }

    fn scores(&self, summary: &Summary) -> Lines {
        let mut lines = vec![self.title("Scores")];
        let Some(scores) = &summary.scores else {
            let text = "none found; `batchtop analyze JOB --score-path FIELD` or `--score-pattern \
                        REGEX` says where they are";
            lines.extend(self.words(Meaning::Dim, text));
            return lines;
        };
        lines.extend(self.spread(scores));
        let bars = scores.bars.iter().map(|bar| (bar.title(), bar.count));
        let bars: Vec<_> = bars.collect();
        lines.push(Line::default());
        lines.extend(histogram(self.canvas.theme(), &bars, self.columns));
        lines.push(Line::default());
        if let Some(warning) = scores.scale_warning() {
            lines.extend(self.entry("scales", Meaning::Warn, &warning));
        }
        lines.extend(self.ids("invalid", Meaning::Bad, &scores.invalid));
        lines.extend(self.ids("missing", Meaning::Warn, &scores.missing));
        lines
    }

    fn spread(&self, scores: &ScoreSummary) -> Lines {
        let valid = scores.spread.map_or(0, |spread| spread.count);
        let from = format!("{}, from {}", count(valid), scores.places());
        let mut lines = self.entry("found", Meaning::Text, &from);
        if let Some(spread) = scores.spread {
            let middle = format!(
                "mean {} · median {} · {} to {}",
                number(spread.mean),
                number(spread.median),
                number(spread.least),
                number(spread.most)
            );
            lines.extend(self.entry("middle", Meaning::Accent, &middle));
            let quantiles = format!(
                "10 % {} · 90 % {} · 99 % {}",
                number(spread.p10),
                number(spread.p90),
                number(spread.p99)
            );
            lines.extend(self.entry("quantiles", Meaning::Text, &quantiles));
        }
        lines
    }

    fn answers(&self, summary: &Summary) -> Lines {
        let mut lines = vec![self.title("Answers")];
        lines.extend(self.lengths("longest", &summary.longest));
        lines.extend(self.lengths("shortest", &summary.shortest));
        lines.extend(self.ids("empty", Meaning::Warn, &summary.empty));
        lines.extend(self.ids("refusals", Meaning::Warn, &summary.refusals));
        let alike = &summary.duplicates;
        if alike.texts > 0 {
            let text = format!(
                "{} answers share {} texts",
                count(alike.answers),
                count(alike.texts)
            );
            lines.extend(self.entry("duplicates", Meaning::Warn, &text));
        }
        for repeated in alike.most.iter().take(3) {
            let room = self.columns.saturating_sub(NAME + 10);
            let beginning = outside(&repeated.beginning, room);
            let text = format!("{} × {beginning}", count(repeated.count));
            lines.extend(self.entry("", Meaning::Dim, &text));
        }
        lines.extend(self.ids("same id", Meaning::Warn, &summary.duplicate_ids));
        if lines.len() == 1 {
            lines.extend(self.words(Meaning::Dim, "there is no answer with text"));
        }
        lines
    }

    fn lengths(&self, name: &str, lengths: &[Length]) -> Lines {
        let words = lengths.iter().take(3).map(|length| {
            let id = outside(&length.custom_id, WORD);
            format!("{id} {}", count(length.characters))
        });
        let words: Vec<_> = words.collect();
        if words.is_empty() {
            return Lines::new();
        }
        let text = format!("{} characters", words.join(" · "));
        self.entry(name, Meaning::Text, &text)
    }

    fn ids(&self, name: &str, meaning: Meaning, ids: &Ids) -> Lines {
        if ids.count == 0 {
            return Lines::new();
        }
        let first = ids.first.iter().take(IDS);
        let first: Vec<_> = first.map(|id| outside(id, WORD)).collect();
        let more = if ids.count > first.len() as u64 {
            " …"
        } else {
            ""
        };
        let text = format!("{}: {}{more}", count(ids.count), first.join(" · "));
        self.entry(name, meaning, &text)
    }

    fn title(&self, text: &str) -> Line<'static> {
        Line::from(self.canvas.span(Meaning::Title, text))
    }

    /// A name and what is said of it, in as many rows as that takes.
    fn entry(&self, name: &str, meaning: Meaning, text: &str) -> Lines {
        let rows = wrapped(text, self.columns.saturating_sub(NAME + 1)).into_iter();
        rows.enumerate()
            .map(|(row, text)| {
                let name = if row == 0 { name } else { "" };
                Line::from(vec![
                    self.canvas.span(Meaning::Dim, left(name, NAME + 1)),
                    self.canvas.span(meaning, text),
                ])
            })
            .collect()
    }
}

/// A figure with three digits that matter; whole ones are whole, and large ones short.
fn figure(number: f64) -> String {
    if number >= 1e6 {
        short(number as u64)
    } else if number.fract() == 0.0 {
        count(number as u64)
    } else {
        rate(number)
    }
}

/// Two texts beside each other, the second one from a column on.
fn beside(first: Lines, second: Lines, column: usize) -> Lines {
    let rows = first.len().max(second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    (0..rows)
        .map(|_| {
            let mut line = first.next().unwrap_or_default();
            let Some(other) = second.next() else {
                return line;
            };
            let used: usize = line.spans.iter().map(|span| width(&span.content)).sum();
            line.push_span(" ".repeat(column.saturating_sub(used)));
            line.extend(other.spans);
            line
        })
        .collect()
}
