//! Makes batch files of candidate profiles to be graded: for the demo, for trying out a server and
//! for tests.
//!
//! Every request shares one long system prompt, as in the work this program is made for. The
//! profiles differ in everything else: some are three words, some four hundred, some hold odd
//! characters. The same seed gives the same bytes on every machine.

mod profile;
mod random;
mod words;

use serde::Serialize;
use serde_json::value::RawValue;

pub use profile::Candidate;

/// The rubric that all requests share: about 2,000 tokens.
pub const SYSTEM_PROMPT: &str = include_str!("../../assets/sample/system.txt");

/// The form of an answer, as a JSON schema.
pub const ANSWER_SCHEMA: &str = include_str!("../../assets/sample/schema.json");

/// What the requests ask for besides a grade.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SampleOptions {
    /// `body.model`; left out when there is none.
    pub model: Option<String>,
    /// `body.max_tokens`.
    pub max_tokens: u32,
    /// Words of the system prompt to use, for servers that are slow at reading; all of them when
    /// there is none.
    pub prompt_words: Option<usize>,
}

impl Default for SampleOptions {
    fn default() -> Self {
        Self {
            model: None,
            max_tokens: 160,
            prompt_words: None,
        }
    }
}

/// Candidate number `index` (from 0) of a seed as one line of a batch file, without the line feed.
/// Its `custom_id` counts from `cand-000001`.
pub fn request_line(seed: u64, index: u64, options: &SampleOptions) -> String {
    let candidate = Candidate::new(seed, index);
    let line = Line {
        custom_id: &candidate.id,
        method: "POST",
        url: "/v1/chat/completions",
        body: Body {
            model: options.model.as_deref(),
            messages: [
                Message {
                    role: "system",
                    content: first_words(SYSTEM_PROMPT, options.prompt_words),
                },
                Message {
                    role: "user",
                    content: &candidate.profile,
                },
            ],
            response_format: response_format(),
            max_tokens: options.max_tokens,
            temperature: 0,
        },
    };
    // Text and numbers can always be written as JSON.
    serde_json::to_string(&line).unwrap_or_default()
}

/// The names of the columns of [`csv_row`].
pub const fn csv_header() -> &'static str {
    "id,name,role,years,skills,education,profile"
}

/// Candidate number `index` (from 0) of a seed as a row of a CSV file (RFC 4180), without the line
/// end. Profiles may hold line breaks, commas and quotes.
pub fn csv_row(seed: u64, index: u64) -> String {
    let candidate = Candidate::new(seed, index);
    let years = candidate.years.to_string();
    let skills = candidate.skills.join("; ");
    [
        candidate.id.as_str(),
        &candidate.name,
        candidate.role,
        &years,
        &skills,
        &candidate.education,
        &candidate.profile,
    ]
    .map(csv_field)
    .join(",")
}

#[derive(Serialize)]
struct Line<'a> {
    custom_id: &'a str,
    method: &'a str,
    url: &'a str,
    body: Body<'a>,
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    messages: [Message<'a>; 2],
    #[serde(skip_serializing_if = "Option::is_none")]
    response_format: Option<ResponseFormat<'a>>,
    max_tokens: u32,
    temperature: u8,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'a str,
    content: &'a str,
}

#[derive(Serialize)]
struct ResponseFormat<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    json_schema: NamedSchema<'a>,
}

#[derive(Serialize)]
struct NamedSchema<'a> {
    name: &'a str,
    schema: Box<RawValue>,
}

fn response_format() -> Option<ResponseFormat<'static>> {
    // A batch line must stay one line. No string of the asset holds a line break, and a test holds
    // it to being JSON.
    let on_one_line: String = ANSWER_SCHEMA.lines().map(str::trim).collect();
    let schema = RawValue::from_string(on_one_line).ok()?;
    Some(ResponseFormat {
        kind: "json_schema",
        json_schema: NamedSchema {
            name: "grade",
            schema,
        },
    })
}

fn first_words(text: &str, words: Option<usize>) -> &str {
    let Some(words) = words else { return text };
    let Some(last) = text.split_whitespace().take(words).last() else {
        return "";
    };
    // A word borrowed from the text ends where it lies in it.
    let end = (last.as_ptr().addr() + last.len()).saturating_sub(text.as_ptr().addr());
    text.get(..end).unwrap_or_default()
}

fn csv_field(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) || text.trim() != text {
        return format!("\"{}\"", text.replace('"', "\"\""));
    }
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_line() {
        let options = SampleOptions::default();
        assert_eq!(request_line(1, 5, &options), request_line(1, 5, &options));
        assert_ne!(request_line(1, 5, &options), request_line(2, 5, &options));
        assert_ne!(request_line(1, 5, &options), request_line(1, 6, &options));
    }

    #[test]
    fn candidates_do_not_change_between_releases() {
        insta::assert_snapshot!(csv_row(42, 0));
    }

    #[test]
    fn a_line_holds_what_was_asked_for() {
        let options = SampleOptions {
            model: Some("gemma3:12b".into()),
            max_tokens: 99,
            prompt_words: Some(3),
        };
        let line = request_line(1, 0, &options);
        assert!(!line.contains('\n'));
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(line["custom_id"], "cand-000001");
        assert_eq!(line["body"]["model"], "gemma3:12b");
        assert_eq!(line["body"]["max_tokens"], 99);
        assert_eq!(line["body"]["messages"][0]["content"], "You are an");
        let schema = &line["body"]["response_format"]["json_schema"]["schema"];
        assert_eq!(
            *schema,
            serde_json::from_str::<Value>(ANSWER_SCHEMA).unwrap()
        );
    }

    #[test]
    fn the_rubric_has_about_two_thousand_tokens() {
        assert!((7_000..9_500).contains(&SYSTEM_PROMPT.len()));
        assert_eq!(first_words(SYSTEM_PROMPT, None), SYSTEM_PROMPT);
        assert_eq!(first_words(SYSTEM_PROMPT, Some(0)), "");
    }

    #[test]
    fn profiles_are_of_many_kinds() {
        let profiles: Vec<_> = (0..400)
            .map(|index| Candidate::new(3, index).profile)
            .collect();
        let words: Vec<_> = profiles
            .iter()
            .map(|text| text.split_whitespace().count())
            .collect();
        assert!(words.iter().any(|words| *words < 12), "some are terse");
        assert!(words.iter().any(|words| *words > 250), "some are long");
        assert!(words.iter().all(|words| *words <= 400));
        let middle = words
            .iter()
            .filter(|words| (40..=400).contains(*words))
            .count();
        assert!(middle > 300, "most have something to say: {middle}");
        assert!(profiles.iter().any(|text| !text.is_ascii()));
        assert_eq!(profiles.iter().collect::<BTreeSet<_>>().len(), 400);
    }

    #[test]
    fn csv_fields_are_quoted_where_they_must_be() {
        assert_eq!(csv_field("plain"), "plain");
        assert_eq!(csv_field("a,b"), "\"a,b\"");
        assert_eq!(csv_field("say \"hi\"\n"), "\"say \"\"hi\"\"\n\"");
    }

    #[test]
    fn a_row_has_as_many_fields_as_the_header() {
        for index in 0..300 {
            let row = csv_row(9, index);
            let quotes = row.matches('"').count();
            assert!(quotes.is_multiple_of(2));
            let mut inside = false;
            let commas = row.chars().filter(|&c| {
                inside ^= c == '"';
                c == ',' && !inside
            });
            assert_eq!(commas.count(), csv_header().matches(',').count(), "{row}");
        }
    }
}
