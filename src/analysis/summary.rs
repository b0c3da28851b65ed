//! What is in results, folded from one observation after the other.
//!
//! Memory: about 20 bytes for each different answer (a hash and a count, for finding duplicates),
//! of which it knows 900,000 at most, and about 15 for each `custom_id`. Everything else has a limit,
//! too, and says what it leaves out.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::observation::{Ending, Observation, Seen};
use super::occurrences::{Occurrences, hash};
use super::score::{Found, Score, ScoreRule, Spot};
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
    /// Answers that have a text, be it empty: all but embeddings and their like.
    pub texts: u64,
    /// Tools that answers call.
    pub tool_calls: u64,
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
    /// Scores; nothing where no answer has one.
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
    /// Results whose `custom_id` an earlier result has.
    pub duplicate_ids: Ids,
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
    /// The most frequent ones, at most 5.
    pub most: Vec<Repeated>,
    /// Answers that came after 900,000 different ones and were none of them: whether they are
    /// alike is not known.
    pub unknown: u64,
}

/// A text that several answers have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repeated {
    /// How many.
    pub count: u64,
    /// How it begins.
    pub beginning: String,
}

/// The scores of answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScoreSummary {
    /// Where they were found, the most frequent place first.
    pub found_in: Vec<FoundIn>,
    /// What they are out of, as far as the answers say so: `8/10` is out of 10. Scores of
    /// different scales are not converted.
    pub scales: Vec<Scale>,
    /// How they are spread; none where not one is valid.
    pub spread: Option<Spread>,
    /// The histogram.
    pub bars: Vec<Bar>,
    /// Answers with something in the place of a score that is no number.
    pub invalid: Ids,
    /// Answers without a score.
    pub missing: Ids,
}

/// A place where scores were found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundIn {
    /// Which kind of place.
    pub place: &'static str,
    /// The path of the field, where it is one.
    pub path: Option<String>,
    /// How many valid ones were there.
    pub count: u64,
}

/// A scale of scores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Scale {
    /// The most that a score can be.
    pub out_of: f64,
    /// How many scores say so.
    pub count: u64,
}

/// What an observation adds to what was known before.
#[derive(Debug, Clone, PartialEq)]
pub struct Added {
    /// The score of the answer.
    pub score: Option<Score>,
    /// How many results with the same `custom_id` there were before.
    pub occurrence: u32,
}

/// Folds observations into a [`Summary`].
#[derive(Debug)]
pub struct Analyzer {
    rule: ScoreRule,
    summary: Summary,
    tokens: [Measurements; 2],
    times: [Measurements; 2],
    scores: Scores,
    spots: BTreeMap<Spot, u64>,
    /// How many scores are out of so many hundredths.
    scales: BTreeMap<u64, u64>,
    invalid: Ids,
    /// Answers that have a score nowhere.
    scoreless: Ids,
    ids: Occurrences,
    texts: HashMap<u64, u32>,
    /// Texts that are told apart at most.
    known_texts: usize,
    excerpts: HashMap<u64, String>,
}

impl Analyzer {
    /// Nothing seen yet.
    pub fn new(rule: ScoreRule) -> Self {
        Self {
            rule,
            summary: Summary::default(),
            tokens: [Measurements::new(1.0), Measurements::new(1.0)],
            times: [Measurements::new(1_000.0), Measurements::new(1_000.0)],
            scores: Scores::default(),
            spots: BTreeMap::new(),
            scales: BTreeMap::new(),
            invalid: Ids::default(),
            scoreless: Ids::default(),
            ids: Occurrences::default(),
            texts: HashMap::new(),
            known_texts: KNOWN_TEXTS,
            excerpts: HashMap::new(),
        }
    }

    /// Takes in the end of one request, and gives back what else is to be known of it.
    pub fn add(&mut self, observation: &Observation) -> Added {
        self.summary.results += 1;
        let id = observation.custom_id.as_deref();
        let occurrence = id.map_or(0, |id| self.ids.add(id));
        if occurrence > 0 {
            self.summary.duplicate_ids.add(id);
        }
        let score = match &observation.ending {
            Ending::Answered(seen) => {
                self.summary.answers += 1;
                self.summary.tool_calls += u64::from(seen.tool_calls);
                self.measure(seen);
                let text = seen.text.as_deref();
                text.and_then(|text| self.text(id, text, seen.is_refusal))
            }
            Ending::Failed { class, message } => {
                self.failure(class, message);
                None
            }
        };
        Added { score, occurrence }
    }

    fn failure(&mut self, class: &str, message: &str) {
        let failures = &mut self.summary.failures;
        let class = bounded(failures, class);
        let failure = failures.entry(class).or_default();
        failure.count += 1;
        if failure.count == 1 {
            failure.sample = short(message, 300);
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
        self.summary.scores = self.score_summary();
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

    fn text(&mut self, id: Option<&str>, text: &str, is_refusal: bool) -> Option<Score> {
        self.summary.texts += 1;
        let found = self.rule.find(text);
        let score = found.as_ref().map(|found| found.score);
        self.score(id, found);
        if is_refusal || refuses(text) {
            self.summary.refusals.add(id);
        }
        if text.trim().is_empty() {
            self.summary.empty.add(id);
            return score;
        }
        self.length(id, text);
        self.duplicate(text);
        score
    }

    fn score(&mut self, id: Option<&str>, found: Option<Found>) {
        let Some(found) = found else {
            self.scoreless.add(id);
            return;
        };
        let is_valid = match found.score {
            Score::Valid(score) => {
                self.scores.add(score);
                true
            }
            Score::Invalid => {
                self.invalid.add(id);
                false
            }
        };
        if let Some(most) = found.out_of {
            *self
                .scales
                .entry((most * 100.0).round() as u64)
                .or_default() += 1;
        }
        let others = Spot::Field("(others)".to_owned());
        let is_known = self.spots.len() < MOST_NAMES || self.spots.contains_key(&found.spot);
        let spot = if is_known { found.spot } else { others };
        *self.spots.entry(spot).or_default() += u64::from(is_valid);
    }

    fn score_summary(&mut self) -> Option<ScoreSummary> {
        if self.spots.is_empty() {
            return None;
        }
        let mut found_in: Vec<FoundIn> = std::mem::take(&mut self.spots)
            .into_iter()
            .map(|(spot, count)| FoundIn {
                place: spot.place(),
                path: Some(spot.path().to_owned()).filter(|path| !path.is_empty()),
                count,
            })
            .collect();
        found_in.sort_by_key(|found| std::cmp::Reverse(found.count));
        let scales = self.scales.iter().map(|(hundredths, count)| Scale {
            out_of: *hundredths as f64 / 100.0,
            count: *count,
        });
        Some(ScoreSummary {
            found_in,
            scales: scales.collect(),
            spread: self.scores.spread(),
            bars: self.scores.bars(),
            invalid: std::mem::take(&mut self.invalid),
            missing: std::mem::take(&mut self.scoreless),
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
        let key = hash(text) as u64;
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
            .map(|(key, excerpt)| Repeated {
                count: times(key),
                beginning: excerpt.clone(),
            })
            .collect();
        most.sort_by(|a, b| {
            let by_count = b.count.cmp(&a.count);
            by_count.then_with(|| a.beginning.cmp(&b.beginning))
        });
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
