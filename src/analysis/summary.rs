//! What is in results, folded from one observation after the other.
//!
//! Memory: about 20 bytes for each different answer (a hash and a count, for finding duplicates),
//! of which it knows 900,000 at most. Everything else has a limit, too, and says what it leaves
//! out.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::observation::{Ending, Observation, Seen};
use super::score::{Score, ScoreRule, Spot};
use super::spread::{Bar, Measurements, Scores, Spread};

/// Ids that are kept of each kind of conspicuous answer.
const KEPT_IDS: usize = 20;
/// Names of models, classes and reasons that are counted apart.
const MOST_NAMES: usize = 100;
/// Longest, shortest and most repeated answers that are named.
const LISTED: usize = 5;
/// Repeated answers of which the beginning is kept.
const KEPT_EXCERPTS: usize = 1_000;
/// Different answers of which it is known how often they came.
const KNOWN_TEXTS: usize = 900_000;
/// Characters of an answer that are kept.
const EXCERPT: usize = 80;

/// What results hold.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Requests with an end.
    pub results: u64,
    /// Those with an answer.
    pub answers: u64,
    /// Those without, by class.
    pub failures: BTreeMap<String, FailureCount>,
    /// Answers by `finish_reason`.
    pub finish_reasons: BTreeMap<String, u64>,
    /// Answers by model.
    pub models: BTreeMap<String, u64>,
    /// Tokens of the prompts.
    pub prompt_tokens: Option<Spread>,
    /// All of them together.
    pub prompt_tokens_total: u64,
    /// Tokens of the answers.
    pub answer_tokens: Option<Spread>,
    /// All of them together.
    pub answer_tokens_total: u64,
    /// Milliseconds from sending to the last byte.
    pub wall_ms: Option<Spread>,
    /// Milliseconds from sending to the first token.
    pub first_token_ms: Option<Spread>,
    /// Scores, where answers have them.
    pub scores: Option<ScoreSummary>,
    /// The longest answers, the longest first.
    pub longest: Vec<Length>,
    /// The shortest answers that are not empty, the shortest first.
    pub shortest: Vec<Length>,
    /// Answers without text.
    pub empty: Ids,
    /// Answers that refuse, as far as their first words tell.
    pub refusals: Ids,
    /// Answers whose text another answer has, too.
    pub duplicates: Duplicates,
}

/// Failures of one class.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct FailureCount {
    /// How many.
    pub count: u64,
    /// The words of the first.
    pub sample: String,
}

/// Some requests, the first of them by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ids {
    /// How many.
    pub count: u64,
    /// Their names, at most 20.
    pub first: Vec<String>,
}

impl Ids {
    fn add(&mut self, id: Option<&str>) {
        self.count += 1;
        if self.first.len() < KEPT_IDS {
            self.first.push(short(id.unwrap_or("(no custom_id)"), 200));
        }
    }
}

/// The length of an answer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Length {
    /// Characters.
    pub characters: u64,
    /// Whose it is.
    pub custom_id: String,
}

/// Answers that are alike to the letter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Duplicates {
    /// Different texts that more than one answer has.
    pub texts: u64,
    /// Answers with such a text.
    pub answers: u64,
    /// The most frequent ones: how often, and how they begin.
    pub most: Vec<(u64, String)>,
    /// Answers that came after 900,000 different ones and were none of them: whether they are
    /// alike is not known.
    pub unknown: u64,
}

/// The scores of answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreSummary {
    /// Where they were found.
    pub spot: Spot,
    /// How they are spread; none where not one is valid.
    pub spread: Option<Spread>,
    /// The histogram.
    pub bars: Vec<Bar>,
    /// Answers with something in the place of a score that is no number.
    pub invalid: Ids,
    /// Answers without a score.
    pub missing: Ids,
}

/// Folds observations into a [`Summary`].
#[derive(Debug)]
pub struct Analyzer {
    rule: ScoreRule,
    summary: Summary,
    tokens: [Measurements; 2],
    times: [Measurements; 2],
    spots: BTreeMap<Spot, Found>,
    /// Answers that have a score nowhere.
    scoreless: Ids,
    texts: HashMap<u64, u32>,
    /// Texts that are told apart at most.
    known_texts: usize,
    excerpts: HashMap<u64, String>,
}

#[derive(Debug, Default)]
struct Found {
    scores: Scores,
    ids: Ids,
    invalid: Ids,
}

impl Found {
    const fn all(&self) -> u64 {
        self.scores.count() + self.invalid.count
    }
}

impl Analyzer {
    /// Nothing seen yet.
    pub fn new(rule: ScoreRule) -> Self {
        Self {
            rule,
            summary: Summary::default(),
            tokens: [Measurements::new(1.0), Measurements::new(1.0)],
            times: [Measurements::new(1_000.0), Measurements::new(1_000.0)],
            spots: BTreeMap::new(),
            scoreless: Ids::default(),
            texts: HashMap::new(),
            known_texts: KNOWN_TEXTS,
            excerpts: HashMap::new(),
        }
    }

    /// Takes in the end of one request, and says what its score is.
    pub fn add(&mut self, observation: &Observation) -> Option<(Spot, Score)> {
        self.summary.results += 1;
        let id = observation.custom_id.as_deref();
        match &observation.ending {
            Ending::Answered(seen) => {
                self.summary.answers += 1;
                self.measure(seen);
                seen.text
                    .as_deref()
                    .and_then(|text| self.text(id, text, seen.is_refusal))
            }
            Ending::Failed { class, message } => {
                let failures = &mut self.summary.failures;
                let class = bounded(failures, class);
                let failure = failures.entry(class).or_default();
                failure.count += 1;
                if failure.count == 1 {
                    failure.sample = short(message, 300);
                }
                None
            }
        }
    }

    /// What was seen.
    pub fn finish(mut self) -> Summary {
        let [prompts, answers] = &self.tokens;
        self.summary.prompt_tokens = prompts.spread();
        self.summary.prompt_tokens_total = prompts.sum() as u64;
        self.summary.answer_tokens = answers.spread();
        self.summary.answer_tokens_total = answers.sum() as u64;
        let [wall, first_token] = &self.times;
        self.summary.wall_ms = wall.spread();
        self.summary.first_token_ms = first_token.spread();
        self.summary.duplicates = self.duplicates();
        self.summary.scores = self.scores();
        self.summary
    }

    fn measure(&mut self, seen: &Seen) {
        let [prompts, answers] = &mut self.tokens;
        let [wall, first_token] = &mut self.times;
        for (measurements, number) in [
            (prompts, seen.prompt_tokens.map(|tokens| tokens as f64)),
            (answers, seen.answer_tokens.map(|tokens| tokens as f64)),
            (wall, seen.wall_ms),
            (first_token, seen.first_token_ms),
        ] {
            if let Some(number) = number {
                measurements.add(number);
            }
        }
        let names = [
            (&mut self.summary.finish_reasons, &seen.finish),
            (&mut self.summary.models, &seen.model),
        ];
        for (counts, name) in names {
            if let Some(name) = name {
                let name = bounded(counts, name);
                *counts.entry(name).or_default() += 1;
            }
        }
    }

    fn text(&mut self, id: Option<&str>, text: &str, is_refusal: bool) -> Option<(Spot, Score)> {
        let found = self.rule.find(text);
        self.score(id, found.as_ref());
        if text.trim().is_empty() {
            self.summary.empty.add(id);
            return found;
        }
        if is_refusal || refuses(text) {
            self.summary.refusals.add(id);
        }
        self.length(id, text);
        self.duplicate(text);
        found
    }

    fn score(&mut self, id: Option<&str>, found: Option<&(Spot, Score)>) {
        let Some((spot, score)) = found else {
            self.scoreless.add(id);
            return;
        };
        let found = self.spots.entry(spot.clone()).or_default();
        match score {
            Score::Valid(score) => {
                found.scores.add(*score);
                found.ids.add(id);
            }
            Score::Invalid => found.invalid.add(id),
        }
    }

    /// The spot where most answers have their score; those that have it elsewhere have none.
    fn scores(&mut self) -> Option<ScoreSummary> {
        let spot = self
            .spots
            .iter()
            .max_by_key(|(_, found)| found.all())?
            .0
            .clone();
        let chosen = self.spots.remove(&spot)?;
        let is_asked = !matches!(self.rule, ScoreRule::Detect);
        // What a minority of the answers has is no score of this batch.
        if !is_asked && 2 * chosen.all() < self.summary.answers {
            return None;
        }
        let mut missing = std::mem::take(&mut self.scoreless);
        for other in std::mem::take(&mut self.spots).into_values() {
            missing.count += other.all();
            let ids = other.ids.first.into_iter().chain(other.invalid.first);
            missing.first.extend(ids);
        }
        missing.first.truncate(KEPT_IDS);
        Some(ScoreSummary {
            spot,
            spread: chosen.scores.spread(),
            bars: chosen.scores.bars(),
            invalid: chosen.invalid,
            missing,
        })
    }

    fn length(&mut self, id: Option<&str>, text: &str) {
        let characters = text.chars().count() as u64;
        let Summary {
            longest, shortest, ..
        } = &mut self.summary;
        let is_listed = |list: &[Length], is_further: fn(u64, u64) -> bool| {
            let last = list.last().map(|last| last.characters);
            list.len() < LISTED || last.is_some_and(|last| is_further(characters, last))
        };
        let length = || Length {
            characters,
            custom_id: short(id.unwrap_or("(no custom_id)"), 200),
        };
        if is_listed(longest, |new, last| new > last) {
            longest.push(length());
            longest.sort_by_key(|length| std::cmp::Reverse(length.characters));
            longest.truncate(LISTED);
        }
        if is_listed(shortest, |new, last| new < last) {
            shortest.push(length());
            shortest.sort_by_key(|length| length.characters);
            shortest.truncate(LISTED);
        }
    }

    fn duplicate(&mut self, text: &str) {
        let hash = blake3::hash(text.as_bytes());
        let key = hash
            .as_bytes()
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if self.texts.len() >= self.known_texts && !self.texts.contains_key(&key) {
            self.summary.duplicates.unknown += 1;
            return;
        }
        let times = self.texts.entry(key).or_default();
        *times = times.saturating_add(1);
        if *times == 2 && self.excerpts.len() < KEPT_EXCERPTS {
            self.excerpts.insert(key, short(text, EXCERPT));
        }
    }

    fn duplicates(&mut self) -> Duplicates {
        let repeated = self.texts.values().filter(|times| **times > 1);
        let (texts, answers) = repeated.fold((0, 0), |(texts, answers), times| {
            (texts + 1, answers + u64::from(*times))
        });
        let times = |key: &u64| self.texts.get(key).map_or(0, |times| u64::from(*times));
        let mut most: Vec<_> = self
            .excerpts
            .iter()
            .map(|(key, excerpt)| (times(key), excerpt.clone()))
            .collect();
        most.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        most.truncate(LISTED);
        Duplicates {
            texts,
            answers,
            most,
            unknown: self.summary.duplicates.unknown,
        }
    }
}

/// How refusals begin, in lower case.
const REFUSALS: [&str; 10] = [
    "i'm sorry, but i can",
    "i’m sorry, but i can",
    "i am sorry, but i can",
    "sorry, but i can",
    "i can't ",
    "i can’t ",
    "i cannot ",
    "i'm unable to",
    "i am unable to",
    "as an ai",
];

fn refuses(text: &str) -> bool {
    let head: String = text.trim_start().chars().take(40).collect();
    let head = head.to_lowercase();
    REFUSALS.iter().any(|start| head.starts_with(start))
}

/// The name under which something is counted: its own, or that of all others when there are many.
fn bounded<T>(counts: &BTreeMap<String, T>, name: &str) -> String {
    let name = short(name, 200);
    if counts.contains_key(&name) || counts.len() < MOST_NAMES {
        name
    } else {
        "(others)".to_owned()
    }
}

fn short(text: &str, characters: usize) -> String {
    text.chars().take(characters).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_different_answers_are_told_apart_and_no_more() {
        let mut analyzer = Analyzer {
            known_texts: 2,
            ..Analyzer::new(ScoreRule::Detect)
        };
        for text in ["a", "b", "c", "a", "c"] {
            let seen = Seen {
                text: Some(text.to_owned()),
                ..Seen::default()
            };
            analyzer.add(&Observation {
                custom_id: None,
                ending: Ending::Answered(Box::new(seen)),
            });
        }
        let duplicates = analyzer.finish().duplicates;
        assert_eq!((duplicates.texts, duplicates.answers), (1, 2));
        assert_eq!(duplicates.unknown, 2);
    }
}
