//! Two runs of the same requests, held against each other.
//!
//! Memory: about 100 bytes for each request of the first run.

use std::collections::HashMap;

use serde::Serialize;

use super::observation::{Ending, Observation};
use super::occurrences::{hash, key};
use super::score::{Score, ScoreRule};
use super::summary::{Analyzer, Summary};
use super::summary_text::{Text, counted, number};
use crate::base::{count, elide, share, shown};

/// Changes that are listed.
const LISTED: usize = 10;

/// What two runs have in common and where they differ.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// Requests with an answer in both.
    pub both: u64,
    /// Ids that only the first has, failures included.
    pub only_first: u64,
    /// Ids that only the second has, failures included.
    pub only_second: u64,
    /// Answered in the first, failed in the second.
    pub lost: u64,
    /// Failed in the first, answered in the second.
    pub won: u64,
    /// Answers that are alike to the letter.
    pub same_text: u64,
    /// Requests with a score in both.
    pub scored: u64,
    /// Those with the same score.
    pub same_score: u64,
    /// How much higher the second scores, in the mean.
    pub shift: Option<f64>,
    /// The mean distance between the two scores.
    pub distance: Option<f64>,
    /// Pearson's coefficient of correlation of the scores; none where one side does not vary.
    pub correlation: Option<f64>,
    /// The scores that changed most, at most 10.
    pub changes: Vec<Change>,
    /// All of the first run.
    pub first: Summary,
    /// All of the second run.
    pub second: Summary,
}

/// A score that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// Whose.
    pub custom_id: String,
    /// The score in the first run.
    pub first: f64,
    /// The score in the second run.
    pub second: f64,
}

impl Change {
    fn size(&self) -> f64 {
        (self.second - self.first).abs()
    }
}

/// What is kept of a request of the first run.
#[derive(Debug)]
struct Kept {
    /// A hash of the answer; none for a failure.
    text: Option<u128>,
    score: Option<f64>,
    is_met: bool,
}

/// Folds two runs into a [`Comparison`]: the first wholly, then the second.
#[derive(Debug)]
pub struct Comparer {
    analyzers: [Analyzer; 2],
    first: HashMap<u128, Kept>,
    sums: Sums,
    comparison: [u64; 5],
    changes: Vec<Change>,
}

/// Sums for the correlation, updated in Welford's way: squares of large numbers are never taken
/// from each other.
#[derive(Debug, Default)]
struct Sums {
    count: f64,
    same: u64,
    means: [f64; 2],
    squares: [f64; 2],
    product: f64,
    distance: f64,
}

impl Sums {
    fn add(&mut self, first: f64, second: f64) {
        self.count += 1.0;
        self.same += u64::from(first.total_cmp(&second).is_eq());
        self.distance += (second - first).abs();
        let [one, two] = [first - self.means[0], second - self.means[1]];
        self.means[0] += one / self.count;
        self.means[1] += two / self.count;
        self.squares[0] += one * (first - self.means[0]);
        self.squares[1] += two * (second - self.means[1]);
        self.product += one * (second - self.means[1]);
    }

    fn correlation(&self) -> Option<f64> {
        let scale = self.squares[0].sqrt() * self.squares[1].sqrt();
        let found = self.product / scale;
        (scale > 0.0 && found.is_finite()).then(|| found.clamp(-1.0, 1.0))
    }

    fn mean(&self, sum: f64) -> Option<f64> {
        (self.count > 0.0).then(|| sum / self.count)
    }
}

const BOTH: usize = 0;
const ONLY_SECOND: usize = 1;
const LOST: usize = 2;
const WON: usize = 3;
const SAME_TEXT: usize = 4;

impl Comparer {
    /// Nothing seen yet. Scores are found by the same rule in both runs.
    pub fn new(rule: &ScoreRule) -> Self {
        Self {
            analyzers: [Analyzer::new(rule.clone()), Analyzer::new(rule.clone())],
            first: HashMap::new(),
            sums: Sums::default(),
            comparison: [0; 5],
            changes: Vec::new(),
        }
    }

    /// Takes in a result of the first run. One without a `custom_id` cannot be compared; of
    /// several with the same id the first is held against the first of the second run, and so on.
    pub fn first(&mut self, observation: &Observation) {
        let added = self.analyzers[0].add(observation);
        if let Some(id) = &observation.custom_id {
            let kept = Kept {
                text: text(observation),
                score: valid(added.score),
                is_met: false,
            };
            self.first.insert(key(id, added.occurrence), kept);
        }
    }

    /// Takes in a result of the second run.
    pub fn second(&mut self, observation: &Observation) {
        let added = self.analyzers[1].add(observation);
        let score = valid(added.score);
        let Some(id) = &observation.custom_id else {
            return;
        };
        let Some(kept) = self.first.get_mut(&key(id, added.occurrence)) else {
            self.comparison[ONLY_SECOND] += 1;
            return;
        };
        kept.is_met = true;
        match (kept.text, text(observation)) {
            (Some(first), Some(second)) => {
                self.comparison[BOTH] += 1;
                self.comparison[SAME_TEXT] += u64::from(first == second);
            }
            (Some(_), None) => self.comparison[LOST] += 1,
            (None, Some(_)) => self.comparison[WON] += 1,
            (None, None) => {}
        }
        if let (Some(first), Some(second)) = (kept.score, score) {
            self.sums.add(first, second);
            let change = Change {
                custom_id: id.chars().take(200).collect(),
                first,
                second,
            };
            self.change(change);
        }
    }

    fn change(&mut self, change: Change) {
        let least = self.changes.last().map_or(0.0, Change::size);
        if change.size() > 0.0 && (self.changes.len() < LISTED || change.size() > least) {
            self.changes.push(change);
            self.changes.sort_by(|a, b| b.size().total_cmp(&a.size()));
            self.changes.truncate(LISTED);
        }
    }

    /// What was seen.
    pub fn finish(self) -> Comparison {
        let [first, second] = self.analyzers;
        let counts = self.comparison;
        let is_missed = |kept: &&Kept| !kept.is_met;
        Comparison {
            both: counts[BOTH],
            only_first: self.first.values().filter(is_missed).count() as u64,
            only_second: counts[ONLY_SECOND],
            lost: counts[LOST],
            won: counts[WON],
            same_text: counts[SAME_TEXT],
            scored: self.sums.count as u64,
            same_score: self.sums.same,
            shift: self
                .sums
                .mean(self.sums.count * (self.sums.means[1] - self.sums.means[0])),
            distance: self.sums.mean(self.sums.distance),
            correlation: self.sums.correlation(),
            changes: self.changes,
            first: first.finish(),
            second: second.finish(),
        }
    }
}

impl Comparison {
    /// All of it for people, as lines of plain text.
    pub fn report(&self) -> String {
        let mut text = Text::default();
        let both = counted(self.both, "request", "requests");
        text.line(&format!("{both} answered in both"));
        let same = share(self.same_text, self.both);
        text.entry("same text", &format!("{} ({same})", count(self.same_text)));
        for (name, number) in [
            ("only in first", self.only_first),
            ("only in second", self.only_second),
            ("failed only now", self.lost),
            ("failed before", self.won),
        ] {
            if number > 0 {
                text.entry(name, &count(number));
            }
        }
        if self.scored > 0 {
            let same = share(self.same_score, self.scored);
            text.entry(
                "same score",
                &format!(
                    "{} of {} ({same})",
                    count(self.same_score),
                    count(self.scored)
                ),
            );
        }
        for (name, figure) in [
            ("score shift", self.shift),
            ("score distance", self.distance),
            ("correlation", self.correlation),
        ] {
            if let Some(figure) = figure {
                text.entry(name, &format!("{figure:.3}"));
            }
        }
        for change in &self.changes {
            let id = elide(&shown(&change.custom_id), 40);
            let (first, second) = (number(change.first), number(change.second));
            text.entry("changed", &format!("{id}: {first} → {second}"));
        }
        self.side_by_side(&mut text);
        text.0
    }

    fn side_by_side(&self, text: &mut Text) {
        let mean = |spread: Option<super::Spread>| {
            spread.map_or_else(|| "?".to_owned(), |spread| number(spread.mean))
        };
        let (one, two) = (&self.first, &self.second);
        text.line(&format!("  {:<22}{:>14}{:>14}", "", "first", "second"));
        let score =
            |summary: &Summary| mean(summary.scores.as_ref().and_then(|scores| scores.spread));
        for (name, first, second) in [
            ("results", count(one.results), count(two.results)),
            ("answers", count(one.answers), count(two.answers)),
            ("mean score", score(one), score(two)),
            (
                "mean prompt tokens",
                mean(one.prompt_tokens),
                mean(two.prompt_tokens),
            ),
            (
                "mean answer tokens",
                mean(one.answer_tokens),
                mean(two.answer_tokens),
            ),
            ("mean time, ms", mean(one.wall_ms), mean(two.wall_ms)),
        ] {
            text.line(&format!("  {name:<22}{first:>14}{second:>14}"));
        }
    }
}

const fn valid(score: Option<Score>) -> Option<f64> {
    match score {
        Some(Score::Valid(score)) => Some(score),
        Some(Score::Invalid) | None => None,
    }
}

fn text(observation: &Observation) -> Option<u128> {
    match &observation.ending {
        Ending::Answered(seen) => Some(hash(seen.text.as_deref().unwrap_or_default())),
        Ending::Failed { .. } => None,
    }
}
