//! A survey as people read it.

use std::fmt::Write;

use super::survey::{Count, SharedPrompt, Survey};
use crate::base::{bytes, count, share};

/// Entries of a list that are written out.
const LISTED: usize = 10;

pub(super) fn report(survey: &Survey) -> String {
    let mut text = Text(String::new());
    contents(&mut text, survey);
    problems(&mut text, survey);
    text.line(&advice(survey));
    text.0
}

/// Lines of text. Writing to a `String` cannot fail.
struct Text(String);

impl Text {
    fn line(&mut self, line: &str) {
        let _ = writeln!(self.0, "{line}");
    }

    fn entry(&mut self, name: &str, value: &str) {
        let _ = writeln!(self.0, "  {name:<16}{value}");
    }
}

fn contents(text: &mut Text, survey: &Survey) {
    let requests = plural(survey.requests, "request");
    let size = bytes(survey.bytes);
    let tokens = count(survey.estimated_tokens.0);
    text.line(&format!(
        "{requests} in {size}, about {tokens} tokens of prompts"
    ));
    for (endpoint, requests) in &survey.endpoints {
        text.entry("endpoint", &format!("{endpoint}: {}", count(*requests)));
    }
    names(text, "model", &survey.models);
    if survey.without_model > 0 {
        text.entry(
            "model",
            &format!("none given: {}", count(survey.without_model)),
        );
    }
    for prompt in &survey.shared_prompts {
        text.entry("prompt begins", &shared(prompt));
    }
    if survey.other_prompts > 0 {
        let others = plural(survey.other_prompts, "request");
        text.entry("prompt begins", &format!("otherwise: {others}"));
    }
    if let Some(longest) = &survey.longest {
        let value = format!(
            "line {}, {}: {}, about {} tokens",
            longest.line,
            Survey::name(&longest.custom_id),
            bytes(longest.bytes),
            count(longest.estimated_tokens.0),
        );
        text.entry("longest", &value);
    }
    names(text, "no effect", &survey.without_effect);
    names(text, "unknown field", &survey.unknown_fields);
}

fn shared(prompt: &SharedPrompt) -> String {
    let percent = share((prompt.share * 1_000.0).round() as u64, 1_000);
    format!(
        "{} alike, {} each, {percent} of all bytes: {}",
        count(prompt.requests),
        bytes(prompt.bytes),
        prompt.excerpt,
    )
}

fn names(text: &mut Text, title: &str, counts: &[Count]) {
    for entry in counts.iter().take(LISTED) {
        let name = Survey::name(&entry.name);
        text.entry(title, &format!("{name}: {}", count(entry.requests)));
    }
    if let Some(more) = counts.len().checked_sub(LISTED).filter(|more| *more > 0) {
        text.entry(title, &format!("and {} others", count(more as u64)));
    }
}

fn problems(text: &mut Text, survey: &Survey) {
    if survey.is_good() {
        return;
    }
    let all = plural(survey.problem_count(), "problem");
    match survey.invalid_lines {
        0 => text.line(&format!("{all}:")),
        lines => text.line(&format!("{all} in {}:", plural(lines, "line"))),
    }
    for problem in &survey.problems {
        text.line(&format!("  {problem}"));
        text.line(&format!("      hint: {}", problem.cure));
    }
    if survey.more_problems > 0 {
        let codes: Vec<_> = survey
            .problem_counts
            .iter()
            .map(|(code, number)| format!("{code} {}", count(*number)))
            .collect();
        let more = count(survey.more_problems);
        text.line(&format!("  and {more} more; in all: {}", codes.join(", ")));
    }
}

fn advice(survey: &Survey) -> String {
    let of_the_file = survey.problems.iter().any(|problem| problem.line.is_none());
    if survey.is_good() {
        "Nothing is wrong: every line can be run.".to_owned()
    } else if of_the_file {
        "What to do: nothing can be run before the file itself is mended.".to_owned()
    } else if survey.requests == 0 {
        "What to do: no line can be run; mend the file.".to_owned()
    } else {
        format!(
            "What to do: mend {}, or run the other {} with `--skip-invalid`.",
            plural(survey.invalid_lines, "line"),
            count(survey.requests),
        )
    }
}

/// `1 line`, `2 lines`.
fn plural(number: u64, word: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{} {word}{ending}", count(number))
}
