//! The score that an answer gives.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use serde_json::Value;

/// Characters of an answer that are searched.
const SEARCHED: usize = 64 * 1024;

/// Fields that are scores, by what people call them.
const FIELDS: [&str; 4] = ["score", "rating", "grade", "points"];

/// Where scores are looked for.
#[derive(Debug, Clone)]
pub enum ScoreRule {
    /// Wherever most answers have one: see [`Spot`].
    Detect,
    /// In a field of an answer that is JSON, such as `result.score`.
    Path(Vec<String>),
    /// In the first group of a pattern, or all of it.
    Pattern(Regex),
}

/// Where a score was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Spot {
    /// In this field of an answer that is JSON.
    Field(String),
    /// In text such as `8/10`.
    Fraction,
    /// In text such as `Score: 8`.
    Words,
    /// By the pattern that was asked for.
    Pattern,
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// A number.
    Valid(f64),
    /// Something in the place of a number that is none.
    Invalid,
}

impl ScoreRule {
    /// A path such as `result.score`.
    pub fn path(text: &str) -> Self {
        Self::Path(text.split('.').map(str::to_owned).collect())
    }

    /// The score of an answer, and where it stands; none where there is nothing like one.
    pub fn find(&self, text: &str) -> Option<(Spot, Score)> {
        match self {
            Self::Path(path) => {
                let value = json(text)?;
                let found = path.iter().try_fold(&value, |value, name| match value {
                    Value::Array(list) => list.get(name.parse::<usize>().ok()?),
                    value => value.get(name),
                })?;
                Some((Spot::Field(path.join(".")), score(found)))
            }
            Self::Pattern(pattern) => {
                let groups = pattern.captures(head(text))?;
                let found = groups.get(1).or_else(|| groups.get(0))?;
                Some((Spot::Pattern, number(found.as_str())))
            }
            Self::Detect => detect(text),
        }
    }
}

static FRACTION: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?:^|[^\d/.,-])(\d{1,3}(?:[.,]\d{1,2})?\s?/\s?(?:5|10|20|100))(?:[^\d/]|$)").ok()
});
static WORDS: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?i)\b(?:score|rating|grade|points)\b["'*_`]{0,3}\s*(?:is|of|[:=])\s*["'*_`]{0,3}\s*(-?\d{1,6}(?:[.,]\d{1,3})?)"#).ok()
});

fn detect(text: &str) -> Option<(Spot, Score)> {
    if let Some(value) = json(text) {
        let named = FIELDS
            .iter()
            .find_map(|name| value.get(name).map(|found| (*name, found)));
        return named.map(|(name, found)| (Spot::Field(name.to_owned()), score(found)));
    }
    // Half an object: what is cut off within may be half a number.
    if inner(text).starts_with('{') {
        return None;
    }
    let head = head(text);
    let first = |pattern: &Option<Regex>, spot: Spot| {
        let groups = pattern.as_ref()?.captures(head)?;
        Some((spot, number(groups.get(1)?.as_str())))
    };
    first(&FRACTION, Spot::Fraction).or_else(|| first(&WORDS, Spot::Words))
}

/// The object that an answer is or begins with.
fn json(text: &str) -> Option<Value> {
    let inner = inner(text);
    if !inner.starts_with(['{', '[']) {
        return None;
    }
    let mut values = serde_json::Deserializer::from_str(inner).into_iter();
    values.next()?.ok()
}

/// An answer without the code fence before it.
fn inner(text: &str) -> &str {
    let text = text.trim_start();
    text.strip_prefix("```").map_or(text, |fenced| {
        let fenced = fenced.strip_prefix("json").unwrap_or(fenced);
        fenced.trim_start()
    })
}

fn score(value: &Value) -> Score {
    match value {
        Value::Number(found) => found.as_f64().map_or(Score::Invalid, Score::Valid),
        Value::String(text) => number(text),
        _ => Score::Invalid,
    }
}

/// A number, or one before a slash. What is over its own limit, as in `11/10`, is none.
fn number(text: &str) -> Score {
    let mut parts = text.split('/').map(|part| {
        let number = part.trim().replace(',', ".").parse::<f64>().ok();
        number.filter(|number| number.is_finite())
    });
    match (parts.next().flatten(), parts.next(), parts.next()) {
        (Some(score), None, _) => Score::Valid(score),
        (Some(score), Some(Some(most)), None) if score <= most => Score::Valid(score),
        _ => Score::Invalid,
    }
}

fn head(text: &str) -> &str {
    let mut end = text.len().min(SEARCHED);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn field(name: &str) -> Spot {
        Spot::Field(name.to_owned())
    }

    #[rstest]
    #[case(r#"{"score": 7, "reason": "4/10"}"#, Some((field("score"), Score::Valid(7.0))))]
    #[case("```json\n{\"rating\": \"6.5\"}\n```", Some((field("rating"), Score::Valid(6.5))))]
    #[case(r#"{"score": "high"}"#, Some((field("score"), Score::Invalid)))]
    #[case(r#"{"score": null}"#, Some((field("score"), Score::Invalid)))]
    #[case(r#"{"reason": "none"}"#, None)]
    #[case("{\"score\": 7}\n\nThat is because of 3/10.", Some((field("score"), Score::Valid(7.0))))]
    #[case(r#"{"score": 6"#, None)]
    #[case("```json\n{\"score\": 6, \"reason\": \"3/10", None)]
    #[case("[9/10]", Some((Spot::Fraction, Score::Valid(9.0))))]
    #[case("I give it 8/10.", Some((Spot::Fraction, Score::Valid(8.0))))]
    #[case("7,5 / 10", Some((Spot::Fraction, Score::Valid(7.5))))]
    #[case("11/10 would hire", Some((Spot::Fraction, Score::Invalid)))]
    #[case("on 8/10/2024", None)]
    #[case("**Score:** 9", Some((Spot::Words, Score::Valid(9.0))))]
    #[case("**Score**: 9", Some((Spot::Words, Score::Valid(9.0))))]
    #[case("The rating is 3.", Some((Spot::Words, Score::Valid(3.0))))]
    #[case("No idea, 7 candidates", None)]
    #[case("", None)]
    fn scores_are_detected(#[case] text: &str, #[case] expected: Option<(Spot, Score)>) {
        assert_eq!(ScoreRule::Detect.find(text), expected);
    }

    #[test]
    fn a_path_goes_into_objects_and_lists() {
        let rule = ScoreRule::path("grades.1.value");
        let found = rule.find(r#"{"grades":[{},{"value":4}]}"#);
        assert_eq!(found, Some((field("grades.1.value"), Score::Valid(4.0))));
        assert_eq!(rule.find("4"), None);
    }

    #[test]
    fn a_pattern_gives_its_first_group() {
        let rule = ScoreRule::Pattern(Regex::new(r"note (\d)").unwrap());
        assert_eq!(
            rule.find("note 5"),
            Some((Spot::Pattern, Score::Valid(5.0)))
        );
    }

    proptest::proptest! {
        #[test]
        fn no_answer_makes_it_panic(text in "\\PC{0,60}|[{}\\[\\]`0-9/:\"a-z ]{0,60}") {
            let _ = ScoreRule::Detect.find(&text);
        }
    }
}
