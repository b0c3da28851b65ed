//! The score that an answer gives: one rule, for the summary, the CSV file, the comparison, the
//! report and the screen alike.
//!
//! Unless it is said where scores are, they are looked for in this order, and the first that is
//! there counts:
//!
//! 1. JSON anywhere in the answer: the field that is called a score (`field.rs`), in the last
//!    object that has one.
//! 2. An answer that is one number: `8`, `**8**`, `8/10`, `7 out of 10`, `85 %` (`amount.rs`).
//! 3. A number that is called the final score, then a line that is a score, then a score in a
//!    sentence (`prose.rs`).

mod amount;
mod field;
mod json;
mod plain;
mod prose;
#[cfg(test)]
mod tests;

use regex::Regex;
use serde_json::Value;

use self::amount::Amount;

/// Bytes of an answer that are searched for a score; of a longer one the last.
const SEARCHED: usize = 1 << 20;

/// Where scores are looked for.
#[derive(Debug, Clone)]
pub enum ScoreRule {
    /// Wherever answers usually have one.
    Detect,
    /// In a field of the JSON in an answer, such as `result.score`.
    Path(Vec<String>),
    /// In the first group of a pattern, or all of it.
    Pattern(Regex),
}

/// Where a score was found.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spot {
    /// In this field of JSON.
    Field(String),
    /// In text such as `Score: 8`.
    Label,
    /// In text such as `8/10`.
    Fraction,
    /// In a number that stands alone.
    Number,
    /// By the pattern that was asked for.
    Pattern,
}

impl Spot {
    /// The kind of place, in one word for programs.
    pub const fn place(&self) -> &'static str {
        match self {
            Self::Field(_) => "field",
            Self::Label => "label",
            Self::Fraction => "fraction",
            Self::Number => "number",
            Self::Pattern => "pattern",
        }
    }

    /// The path of the field; nothing where it is none.
    pub fn path(&self) -> &str {
        match self {
            Self::Field(path) => path,
            _ => "",
        }
    }
}

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Score {
    /// A number.
    Valid(f64),
    /// Something in the place of a number that is none, or is above its own limit.
    Invalid,
}

/// A score and where it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Where.
    pub spot: Spot,
    /// What it is. That of `8/10` is 8, that of `85 %` is 85.
    pub score: Score,
    /// The most that it could be, where the answer says so: the 10 of `8/10`.
    pub out_of: Option<f64>,
}

impl ScoreRule {
    /// A path such as `result.score`.
    pub fn path(text: &str) -> Self {
        Self::Path(text.split('.').map(str::to_owned).collect())
    }

    /// The score of an answer; none where there is nothing like one. The text is that of the
    /// answer without the model's thinking.
    pub fn find(&self, text: &str) -> Option<Found> {
        match self {
            Self::Path(path) => {
                let parts = parts(text);
                let mut values = parts.values.iter().rev();
                let field = values.find_map(|value| field::at(value, path))?;
                Some(field::of_field(&path.join("."), field))
            }
            Self::Pattern(pattern) => {
                let groups = pattern.captures(text)?;
                let found = groups.get(1).or_else(|| groups.get(0))?;
                let amount = Amount::whole(&plain::plain(found.as_str()));
                Some(Found {
                    spot: Spot::Pattern,
                    score: amount.map_or(Score::Invalid, |amount| amount.score),
                    out_of: amount.and_then(|amount| amount.out_of),
                })
            }
            Self::Detect => {
                let parts = parts(text);
                let mut values = parts.values.iter().rev();
                let found = values.find_map(field::score);
                found.or_else(|| prose::score(&parts.prose))
            }
        }
    }
}

/// The JSON of an answer and its prose. One that is JSON as a whole may be of any length.
fn parts(text: &str) -> json::Parts {
    let text = text.trim();
    if text.starts_with(['{', '['])
        && let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
        && !is_numbers(&value)
    {
        return json::Parts {
            values: vec![value],
            prose: String::new(),
        };
    }
    let mut start = text.len().saturating_sub(SEARCHED);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    json::parts(&text[start..])
}

/// Whether this is a number in brackets, as `[8]` is.
fn is_numbers(value: &Value) -> bool {
    matches!(value, Value::Array(list) if list.iter().all(Value::is_number))
}
