//! What is in a batch file, folded from its items one by one. Memory does not grow with the file:
//! every list here has a limit and says what it leaves out.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::lines::{InvalidLine, Item, Lines, Rules};
use super::problem::{Problem, ProblemCode, Remarks};
use super::source::{Input, SourceSeen};
use crate::base::{elide, shown};
use crate::model::{Endpoint, NewRequest, Tokens};

/// Distinct prompt beginnings that are told apart.
const MOST_PREFIXES: usize = 10_000;

/// Shared prompts that a survey lists.
const LISTED_PREFIXES: usize = 10;

/// Names of models and fields that are counted apart.
const MOST_NAMES: usize = 200;

/// Characters of a shared prompt that are shown.
const EXCERPT: usize = 60;

/// What a batch file holds and what is wrong with it. Serializes for `check --json`;
/// [`Survey::report`] is the same for people.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Survey {
    /// Valid requests.
    pub requests: u64,
    /// Lines that are no valid request.
    pub invalid_lines: u64,
    /// Physical lines, blank ones included.
    pub lines: u64,
    /// Bytes of the lines, after decompression.
    pub bytes: u64,
    /// The stored bytes and their hash; none when they could not be read to the end.
    pub source: Option<SourceSeen>,
    /// Valid requests by endpoint.
    pub endpoints: BTreeMap<Endpoint, u64>,
    /// Valid requests by model, most first.
    pub models: Vec<Count>,
    /// Valid requests that name no model.
    pub without_model: u64,
    /// Bytes of JSON that models read as text, in all valid requests.
    pub prompt_bytes: u64,
    /// Estimate of the tokens of all prompts.
    pub estimated_tokens: Tokens,
    /// The prompt beginnings that at least two requests share, at most 10, the heaviest first.
    pub shared_prompts: Vec<SharedPrompt>,
    /// Requests whose prompt begins with tools or system messages that the list leaves out.
    pub other_prompts: u64,
    /// The request with the longest prompt.
    pub longest: Option<Longest>,
    /// Fields that are understood but change nothing, with how many requests have them.
    pub without_effect: Vec<Count>,
    /// Fields that nobody knows, with how many requests have them.
    pub unknown_fields: Vec<Count>,
    /// The first problems, as many as were asked for.
    pub problems: Vec<Problem>,
    /// All problems by code, those that the list leaves out included.
    pub problem_counts: BTreeMap<ProblemCode, u64>,
    /// Problems that the list leaves out.
    pub more_problems: u64,
}

/// A name from the file and how often it occurs. Outside text: show it through `base::shown`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The name.
    pub name: String,
    /// How many requests have it.
    pub requests: u64,
}

/// Tools and system messages with which several prompts begin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SharedPrompt {
    /// How many requests begin so.
    pub requests: u64,
    /// Bytes of it in each of them, as JSON.
    pub bytes: u64,
    /// Estimate of its tokens.
    pub estimated_tokens: Tokens,
    /// Its part of all bytes of the valid requests, from 0 to 1.
    pub share: f64,
    /// How it begins, safe to show.
    pub excerpt: String,
}

/// The request with the longest prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Longest {
    /// Its physical line, from 1.
    pub line: u64,
    /// Its name. Outside text: show it through `base::shown`.
    pub custom_id: String,
    /// Bytes of its body.
    pub bytes: u64,
    /// Estimate of the tokens of its prompt.
    pub estimated_tokens: Tokens,
}

/// Reads a whole file and keeps the first `keep` problems. What stops the reading becomes a
/// problem of the file, so that everything found before is still said.
pub fn read_all(input: Input, rules: Rules, keep: usize) -> Survey {
    let mut lines = Lines::new(input, rules);
    let mut surveyor = Surveyor::new(keep);
    for item in lines.by_ref() {
        match item {
            Ok(item) => surveyor.add(&item),
            Err(error) => surveyor.broken(error.to_string(), error.hint()),
        }
    }
    surveyor.read_so_far(lines.line(), lines.bytes());
    if surveyor.is_broken {
        return surveyor.finish();
    }
    match lines.into_input().finish() {
        Ok(seen) => surveyor.survey.source = Some(seen),
        Err(error) => surveyor.broken(error.to_string(), error.hint()),
    }
    surveyor.finish()
}

/// Folds items into a [`Survey`].
#[derive(Debug, Default)]
pub struct Surveyor {
    survey: Survey,
    keep: usize,
    models: Tally,
    without_effect: Tally,
    unknown: Tally,
    prefixes: HashMap<u64, SharedPrompt>,
    request_bytes: u64,
    longest_prompt: u64,
    is_broken: bool,
}

impl Surveyor {
    /// Keeps the first `keep` problems and counts the others.
    pub fn new(keep: usize) -> Self {
        Self {
            keep,
            ..Self::default()
        }
    }

    /// Takes in one item.
    pub fn add(&mut self, item: &Item) {
        match item {
            Item::Request(request, remarks) => self.request(request, remarks),
            Item::Invalid(line) => self.invalid(line),
        }
    }

    /// Takes in how far the file was read: physical lines, and bytes as they are unpacked.
    pub const fn read_so_far(&mut self, lines: u64, bytes: u64) {
        self.survey.lines = lines;
        self.survey.bytes = bytes;
    }

    /// Takes in why the file could not be read to its end.
    pub fn broken(&mut self, what: String, cure: &str) {
        self.is_broken = true;
        self.problem(&Problem::of_file(ProblemCode::UnreadableFile, what, cure));
    }

    /// The survey of what was taken in. A file without any request is a problem.
    pub fn finish(mut self) -> Survey {
        if self.survey.requests + self.survey.invalid_lines == 0 && !self.is_broken {
            self.problem(&Problem::empty_file());
        }
        self.list_shared_prompts();
        self.survey.estimated_tokens = Tokens::estimated(self.survey.prompt_bytes);
        self.survey.models = self.models.sorted();
        self.survey.without_effect = self.without_effect.sorted();
        self.survey.unknown_fields = self.unknown.sorted();
        self.survey
    }

    /// Those that save the most by being shared, first.
    fn list_shared_prompts(&mut self) {
        let prefixes = std::mem::take(&mut self.prefixes).into_values();
        let (mut shared, single): (Vec<_>, Vec<_>) =
            prefixes.partition(|prompt| prompt.requests > 1);
        let weight = |prompt: &SharedPrompt| prompt.requests.saturating_mul(prompt.bytes);
        shared.sort_by(|a, b| {
            let by_weight = weight(b).cmp(&weight(a));
            by_weight.then_with(|| a.excerpt.cmp(&b.excerpt))
        });
        let unlisted = shared.iter().skip(LISTED_PREFIXES).chain(&single);
        self.survey.other_prompts += unlisted.map(|prompt| prompt.requests).sum::<u64>();
        shared.truncate(LISTED_PREFIXES);
        for prompt in &mut shared {
            let all = prompt.requests as f64 * prompt.bytes as f64;
            prompt.share = all / self.request_bytes.max(1) as f64;
        }
        self.survey.shared_prompts = shared;
    }

    fn request(&mut self, request: &NewRequest, remarks: &Remarks) {
        let survey = &mut self.survey;
        survey.requests += 1;
        *survey.endpoints.entry(request.endpoint).or_default() += 1;
        match &request.model {
            Some(model) => self.models.add(model),
            None => survey.without_model += 1,
        }
        for path in &remarks.without_effect {
            self.without_effect.add(path);
        }
        for path in &remarks.unknown {
            self.unknown.add(path);
        }
        self.request_bytes += request.body.len() as u64;
        survey.prompt_bytes += remarks.prompt_bytes;
        if remarks.prompt_bytes > self.longest_prompt || survey.longest.is_none() {
            self.longest_prompt = remarks.prompt_bytes;
            survey.longest = Some(Longest {
                line: request.line,
                custom_id: request.custom_id.clone(),
                bytes: request.body.len() as u64,
                estimated_tokens: Tokens::estimated(remarks.prompt_bytes),
            });
        }
        self.prefix(request, remarks);
    }

    fn prefix(&mut self, request: &NewRequest, remarks: &Remarks) {
        let Some(lead) = &remarks.lead else { return };
        if let Some(known) = self.prefixes.get_mut(&request.prompt.prefix) {
            known.requests += 1;
        } else if self.prefixes.len() < MOST_PREFIXES {
            let first = request.body.get(lead.first.clone()).unwrap_or_default();
            let prompt = SharedPrompt {
                requests: 1,
                bytes: lead.bytes,
                estimated_tokens: Tokens::estimated(lead.bytes),
                share: 0.0,
                excerpt: excerpt(first),
            };
            self.prefixes.insert(request.prompt.prefix, prompt);
        } else {
            self.survey.other_prompts += 1;
        }
    }

    fn invalid(&mut self, line: &InvalidLine) {
        self.survey.invalid_lines += 1;
        self.survey.more_problems += line.more;
        for problem in &line.problems {
            self.problem(problem);
        }
    }

    fn problem(&mut self, problem: &Problem) {
        *self.survey.problem_counts.entry(problem.code).or_default() += 1;
        // What is wrong with the whole file is always said.
        if self.survey.problems.len() < self.keep || problem.line.is_none() {
            self.survey.problems.push(problem.clone());
        } else {
            self.survey.more_problems += 1;
        }
    }
}

/// The beginning of a raw JSON value, its quotes and escaped line feeds taken out.
fn excerpt(raw: &str) -> String {
    let head: String = raw.chars().take(4 * EXCERPT).collect();
    let words = head
        .trim_matches('"')
        .replace("\\n", " ")
        .replace("\\\"", "\"");
    let short: String = words.chars().take(EXCERPT).collect();
    let cut = if words.chars().nth(EXCERPT).is_some() {
        "…"
    } else {
        ""
    };
    shown(&format!("{short}{cut}"))
}

/// Counts names, a limited number of different ones.
#[derive(Debug, Default)]
struct Tally(BTreeMap<String, u64>);

impl Tally {
    fn add(&mut self, name: &str) {
        if let Some(count) = self.0.get_mut(name) {
            *count += 1;
        } else if self.0.len() < MOST_NAMES {
            // A name may be as long as a line.
            let short: String = name.chars().take(1_000).collect();
            *self.0.entry(short).or_default() += 1;
        } else {
            *self.0.entry("(others)".to_owned()).or_default() += 1;
        }
    }

    fn sorted(self) -> Vec<Count> {
        let mut counts: Vec<_> = self
            .0
            .into_iter()
            .map(|(name, requests)| Count { name, requests })
            .collect();
        counts.sort_by(|a, b| {
            b.requests
                .cmp(&a.requests)
                .then_with(|| a.name.cmp(&b.name))
        });
        counts
    }
}

impl Survey {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.problem_counts.is_empty()
    }

    /// Problems in all.
    pub fn problem_count(&self) -> u64 {
        self.problems.len() as u64 + self.more_problems
    }

    /// All of it for people, as lines of plain text.
    pub fn report(&self) -> String {
        super::survey_text::report(self)
    }

    /// A model's name, short and safe to show.
    pub(super) fn name(text: &str) -> String {
        elide(&shown(text), 60)
    }
}
