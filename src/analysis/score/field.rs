//! Which field of a JSON answer is its score.

use serde_json::Value;

use super::amount::Amount;
use super::plain::plain;
use super::{Found, Score, Spot};

/// What scores are called, the plainest first.
const NAMES: [&str; 24] = [
    "score",
    "rating",
    "grade",
    "points",
    "mark",
    "marks",
    "bewertung",
    "punktzahl",
    "punkte",
    "wertung",
    "gesamtpunktzahl",
    "gesamtbewertung",
    "gesamtnote",
    "note",
    "notation",
    "puntuación",
    "puntuacion",
    "calificación",
    "nota",
    "punteggio",
    "pontuação",
    "评分",
    "得分",
    "スコア",
];
/// Words that make a score the one that counts.
const OVERALL: [&str; 6] = ["overall", "total", "final", "gesamt", "global", "combined"];
/// Words that only say between which numbers it lies.
const SCALE: [&str; 6] = ["out", "of", "from", "to", "scale", "value"];
/// Words of numbers that are about scores and none.
const NO_SCORE: [&str; 16] = [
    "max",
    "maximum",
    "min",
    "minimum",
    "possible",
    "threshold",
    "average",
    "mean",
    "previous",
    "baseline",
    "weight",
    "confidence",
    "range",
    "count",
    "id",
    "type",
];
/// Objects within objects are looked into so deep.
const DEEPEST: usize = 8;

/// How well a name says that this is the score, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// `score`, or another of its names by their order.
    Plain(usize),
    /// `score_out_of_10`.
    Scaled,
    /// `overall_score`.
    Overall,
    /// `overall`.
    OverallAlone,
    /// `match_score`.
    Qualified,
}

/// The score of a JSON value: the field with the best name, the least deep first. Where several
/// are equally good, as the scores of single criteria are, none of them is the score.
pub(super) fn score(value: &Value) -> Option<Found> {
    let mut level = vec![(String::new(), value)];
    for _ in 0..DEEPEST {
        let mut named: Vec<(Rank, String, &Value)> = Vec::new();
        let mut deeper = Vec::new();
        for (path, value) in &level {
            let below = |name: &str| match path.as_str() {
                "" => name.to_owned(),
                path => format!("{path}.{name}"),
            };
            match value {
                Value::Object(fields) => {
                    for (name, field) in fields {
                        if let Some(rank) = rank(name, field) {
                            named.push((rank, below(name), field));
                        }
                        deeper.push((below(name), field));
                    }
                }
                Value::Array(list) => {
                    let items = list.iter().enumerate();
                    deeper.extend(items.map(|(place, item)| (below(&place.to_string()), item)));
                }
                _ => {}
            }
        }
        named.sort_by_key(|(rank, ..)| *rank);
        match named.as_slice() {
            [] if deeper.is_empty() => return None,
            [] => level = deeper,
            [(first, ..), (second, ..), ..] if first == second => return None,
            [(_, path, field), ..] => return Some(of_field(path, field)),
        }
    }
    None
}

/// What stands in the field of a score: a number, a text with one, or an object around it.
pub(super) fn of_field(path: &str, field: &Value) -> Found {
    let found = |score, out_of| Found {
        spot: Spot::Field(path.to_owned()),
        score,
        out_of,
    };
    match field {
        Value::Number(number) => {
            let number = number.as_f64().filter(|number| number.is_finite());
            found(number.map_or(Score::Invalid, Score::Valid), None)
        }
        Value::String(text) => {
            let text = plain(text);
            let amount = Amount::whole(&text).or_else(|| leading(&text));
            amount.map_or(found(Score::Invalid, None), |amount| {
                found(amount.score, amount.out_of)
            })
        }
        Value::Array(list) => match list.as_slice() {
            [one] if !one.is_array() => of_field(path, one),
            _ => found(Score::Invalid, None),
        },
        Value::Object(fields) => {
            let value = fields.iter().find(|(name, _)| words(name) == ["value"]);
            let (name, inner) = match value {
                Some((name, inner)) if !inner.is_object() => (name.clone(), of_field(path, inner)),
                _ => match score(field) {
                    Some(inner) => (inner.spot.path().to_owned(), inner),
                    None => return found(Score::Invalid, None),
                },
            };
            Found {
                spot: Spot::Field(format!("{path}.{name}")),
                ..inner
            }
        }
        Value::Null | Value::Bool(_) => found(Score::Invalid, None),
    }
}

/// The number with which a text begins that then says why: `8 (strong)`, `8 - a strong one`.
fn leading(text: &str) -> Option<Amount> {
    let text = text.trim_start();
    let found = Amount::at_start(text)?;
    let rest = text[found.length..].trim_start();
    rest.starts_with(['(', '-', '–', '—', ':', ';', ',', '.'])
        .then_some(found)
}

fn rank(name: &str, field: &Value) -> Option<Rank> {
    let words = words(name);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if words.iter().any(|word| NO_SCORE.contains(word)) {
        return None;
    }
    let plainest = NAMES.iter().position(|name| words.contains(name));
    let Some(plainest) = plainest else {
        let is_overall = !words.is_empty() && words.iter().all(|word| OVERALL.contains(word));
        // `"total": "3 candidates"` is no score.
        let is_number = field.is_number()
            || field
                .as_str()
                .is_some_and(|text| Amount::whole(text).is_some());
        return (is_overall && is_number).then_some(Rank::OverallAlone);
    };
    let mut others = words.iter().filter(|word| !NAMES.contains(word));
    if words.len() == 1 {
        return Some(Rank::Plain(plainest));
    }
    let is_number = |word: &str| word.bytes().all(|byte| byte.is_ascii_digit());
    if others
        .clone()
        .all(|word| SCALE.contains(word) || is_number(word))
    {
        return Some(Rank::Scaled);
    }
    if others.clone().all(|word| OVERALL.contains(word)) {
        return Some(Rank::Overall);
    }
    // `score_reason` is about the score, `match_score` is one.
    let is_last = words.last().is_some_and(|last| NAMES.contains(last));
    (is_last && others.next().is_some()).then_some(Rank::Qualified)
}

/// The words of a name, in lower case: `overallScore`, `Overall Score` and `overall_score` have
/// the same.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_lower = false;
    for c in name.chars() {
        let is_new = c.is_uppercase() && was_lower;
        if !c.is_alphanumeric() || is_new {
            words.push(String::new());
        }
        was_lower = c.is_lowercase() || c.is_numeric();
        if c.is_alphanumeric()
            && let Some(word) = words.last_mut()
        {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The value at names and places, whose case counts only where there are two of a name.
pub(super) fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| match value {
        Value::Array(list) => list.get(name.parse::<usize>().ok()?),
        Value::Object(fields) => fields.get(name).or_else(|| {
            let name = name.to_lowercase();
            let mut fields = fields.iter();
            let found = fields.find(|(field, _)| field.to_lowercase() == name);
            found.map(|(_, value)| value)
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn found(json: &str) -> Option<(String, Score)> {
        let value: Value = serde_json::from_str(json).unwrap();
        score(&value).map(|found| (found.spot.path().to_owned(), found.score))
    }

    #[rstest]
    #[case(r#"{"score": 7, "reason": "4/10"}"#, "score", 7.0)]
    #[case(r#"{"Score": 7}"#, "Score", 7.0)]
    #[case(r#"{"SCORE": "7"}"#, "SCORE", 7.0)]
    #[case(r#"{"score": "7/10"}"#, "score", 7.0)]
    #[case(r#"{"score": "7 out of 10"}"#, "score", 7.0)]
    #[case(r#"{"score": "**8**"}"#, "score", 8.0)]
    #[case(r#"{"score": "8 (strong)"}"#, "score", 8.0)]
    #[case(r#"{"score": "6,5"}"#, "score", 6.5)]
    #[case(r#"{"score": -2.5}"#, "score", -2.5)]
    #[case(r#"{"score": [8]}"#, "score", 8.0)]
    #[case(r#"{"evaluation": {"score": 7}}"#, "evaluation.score", 7.0)]
    #[case(r#"{"score": {"value": 7, "max": 10}}"#, "score.value", 7.0)]
    #[case(
        r#"{"rating": {"overall": {"score": 3}}}"#,
        "rating.overall.score",
        3.0
    )]
    #[case(r#"[{"score": 7}]"#, "0.score", 7.0)]
    #[case(r#"{"overallScore": 7}"#, "overallScore", 7.0)]
    #[case(r#"{"Overall Score": 7}"#, "Overall Score", 7.0)]
    #[case(r#"{"final_rating": 7, "max_score": 10}"#, "final_rating", 7.0)]
    #[case(r#"{"score_out_of_10": 7}"#, "score_out_of_10", 7.0)]
    #[case(r#"{"Score (0-10)": 7}"#, "Score (0-10)", 7.0)]
    #[case(r#"{"match_score": 7, "name": "x"}"#, "match_score", 7.0)]
    #[case(
        r#"{"technical_score": 5, "culture_score": 6, "overall_score": 7}"#,
        "overall_score",
        7.0
    )]
    #[case(r#"{"skills": {"score": 5}, "score": 7}"#, "score", 7.0)]
    #[case(r#"{"rating": 5, "score": 7}"#, "score", 7.0)]
    #[case(r#"{"overall": 7, "skills": 5}"#, "overall", 7.0)]
    #[case(r#"{"Punktzahl": 8}"#, "Punktzahl", 8.0)]
    #[case(r#"{"note": 14}"#, "note", 14.0)]
    #[case(r#"{"score": 7, "score_reason": "x"}"#, "score", 7.0)]
    fn a_score_is_found_by_its_name(#[case] json: &str, #[case] path: &str, #[case] score: f64) {
        assert_eq!(found(json), Some((path.to_owned(), Score::Valid(score))));
    }

    #[rstest]
    #[case(r#"{"score": "high"}"#)]
    #[case(r#"{"score": null}"#)]
    #[case(r#"{"score": true}"#)]
    #[case(r#"{"score": "7-8"}"#)]
    #[case(r#"{"score": "11/10"}"#)]
    #[case(r#"{"score": {"a": 1}}"#)]
    #[case(r#"{"score": [7, 8]}"#)]
    #[case(r#"{"grade": "A"}"#)]
    #[case(r#"{"score": ""}"#)]
    fn what_is_no_number_is_invalid(#[case] json: &str) {
        assert_eq!(found(json).unwrap().1, Score::Invalid);
    }

    #[rstest]
    #[case(r#"{"reason": "4/10"}"#)]
    #[case(r#"{"technical_score": 5, "culture_score": 6}"#)]
    #[case(r#"{"skills": {"score": 5}, "culture": {"score": 6}}"#)]
    #[case(r#"[{"score": 5}, {"score": 6}]"#)]
    #[case(r#"{"max_score": 10}"#)]
    #[case(r#"{"confidence_score": 0.5}"#)]
    #[case(r#"{"total": "3 candidates"}"#)]
    #[case("[1, 2]")]
    fn where_none_is_the_score_there_is_none(#[case] json: &str) {
        assert_eq!(found(json), None);
    }

    #[test]
    fn depth_has_a_limit() {
        let deep = format!(
            "{}{{\"score\":1}}{}",
            "{\"a\":".repeat(100),
            "}".repeat(100)
        );
        assert_eq!(found(&deep), None);
    }
}
