//! A batch file read through, before anything of it is put in the queue.

use std::path::Path;

use crate::base::{bytes, count, share};
use crate::intake::{Lines, Problem, Rules, Survey, Surveyor, open};

/// Problems that are shown.
const PROBLEMS_KEPT: usize = 50;
/// Lines between two words about how far it is, and two looks at whether it is still wanted.
const STEP: u64 = 2_000;
/// Models and shared prompts that are shown.
const SHOWN: usize = 5;

/// What is in a batch file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Found {
    /// Valid requests.
    pub requests: u64,
    /// Bytes of the lines, after decompression.
    pub bytes: u64,
    /// Lines that are no valid request.
    pub invalid: u64,
    /// Valid requests that name no model.
    pub without_model: u64,
    /// Models that the requests name, as far as they are shown.
    pub models: Vec<String>,
    /// Hash of the file, to notice when it is changed before it is enqueued.
    pub hash: Option<String>,
    /// What was found, in words: outside text.
    pub remarks: Vec<String>,
    /// What is wrong, with lines: outside text.
    pub problems: Vec<String>,
}

/// Reads the file. `goes_on` hears how many lines were read and says whether to go on; `None`
/// when it said no.
pub(super) fn check(path: &Path, goes_on: impl Fn(u64) -> bool) -> Option<Result<Found, String>> {
    let input = match open(path) {
        Ok(input) => input,
        Err(error) => return Some(Err(format!("{error}; {}", error.hint()))),
    };
    // Whether a model must be named is known once one was chosen or not.
    let rules = Rules {
        model_override: true,
        ..Rules::default()
    };
    let mut lines = Lines::new(input, rules);
    let mut surveyor = Surveyor::new(PROBLEMS_KEPT);
    let mut is_broken = false;
    let mut told = 0;
    while let Some(item) = lines.next() {
        match item {
            Ok(item) => surveyor.add(&item),
            Err(error) => {
                surveyor.broken(error.to_string(), error.hint());
                is_broken = true;
            }
        }
        if lines.line() >= told + STEP {
            told = lines.line();
            if !goes_on(told) {
                return None;
            }
        }
    }
    let size = lines.bytes();
    let seen = lines.into_input().finish();
    let mut found = found(surveyor.finish(), size);
    match seen {
        Ok(seen) if !is_broken => found.hash = Some(seen.hash),
        Ok(_) => {}
        Err(error) => found.problems.push(error.to_string()),
    }
    Some(Ok(found))
}

fn found(survey: Survey, size: u64) -> Found {
    let mut remarks = vec![format!(
        "{} of prompts, about {} tokens",
        bytes(size),
        count(survey.estimated_tokens.0)
    )];
    for model in survey.models.iter().take(SHOWN) {
        remarks.push(format!("model {}: {}", model.name, count(model.requests)));
    }
    if survey.without_model > 0 {
        remarks.push(format!("no model: {}", count(survey.without_model)));
    }
    for shared in survey.shared_prompts.iter().take(SHOWN) {
        let part = share(shared.requests, survey.requests);
        remarks.push(format!("{part} begin alike: {}", shared.excerpt));
    }
    let problems = problems(&survey);
    Found {
        requests: survey.requests,
        bytes: size,
        invalid: survey.invalid_lines,
        without_model: survey.without_model,
        models: survey.models.into_iter().map(|one| one.name).collect(),
        hash: None,
        remarks,
        problems,
    }
}

/// What is wrong in a file: line, field and cure.
pub(super) fn problems(survey: &Survey) -> Vec<String> {
    let told = |problem: &Problem| match problem.cure.as_str() {
        "" => problem.to_string(),
        cure => format!("{problem}; {cure}"),
    };
    let mut problems: Vec<String> = survey.problems.iter().map(told).collect();
    if survey.more_problems > 0 {
        problems.push(format!("and {} more", count(survey.more_problems)));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(lines: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let text: String = (0..lines)
            .map(|n| format!(r#"{{"custom_id":"r{n}","method":"POST","url":"/v1/chat/completions","body":{{"messages":[{{"role":"user","content":"why?"}}]}}}}"#) + "\n")
            .collect();
        std::fs::write(file.path(), text + "oops\n").unwrap();
        file
    }

    #[test]
    fn it_says_what_is_in_a_file_and_what_is_wrong() {
        let file = file(3);
        let found = check(file.path(), |_| true).unwrap().unwrap();
        assert_eq!(
            (found.requests, found.invalid, found.without_model),
            (3, 1, 3)
        );
        assert!(found.hash.is_some());
        assert!(found.problems[0].contains("line 4"), "{found:?}");
    }

    #[test]
    fn reading_stops_when_it_is_not_wanted_any_more() {
        assert_eq!(check(file(5_000).path(), |_| false), None);
    }

    #[test]
    fn a_file_that_is_gone_says_so() {
        let said = check(Path::new("/nowhere/a.jsonl"), |_| true);
        assert!(said.unwrap().unwrap_err().contains("no such file"));
    }
}
