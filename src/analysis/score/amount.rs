//! A number as answers write it: `7`, `7,5`, `85 %`, `7/10`, `7 out of 10`, `8 points`.

use std::sync::LazyLock;

use regex::Regex;

use super::Score;

/// A number and what belongs to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount {
    /// What it counts; a range such as `7-8` and what is above its own limit (`11/10`) are invalid.
    pub(super) score: Score,
    /// The most that it could be, where it says so.
    pub(super) out_of: Option<f64>,
    /// Bytes that it takes.
    pub(super) length: usize,
}

/// Words behind a number that say what it counts.
pub(super) const UNITS: &str = r"points?|pts?|marks?|stars?|punkten?|punkt|sternen?|stern|étoiles?|puntos?|punti|pontos?|estrellas?|estrelas?|分|点|점";

static AMOUNT: LazyLock<Regex> = LazyLock::new(|| {
    let number = r"(?:\d{1,3}(?:,\d{3})+(?:\.\d{1,9})?\b|\d{1,15}(?:[.,]\d{1,9})?)";
    let unit = format!(r"(?:\s*(?:{UNITS}))?");
    Regex::new(&format!(
        r"(?i)^(?<number>[+-]?(?:{number}|\.\d{{1,9}}))(?<range>\s*(?:[-–—]|\bto\b|\bbis\b|\bà\b)\s*{number})?(?:\s*(?:%|percent\b|prozent\b))?{unit}(?:\s*\(?\s*(?:/|\bout\s+of\b|\bof\b|\bvon\b|\bsur\b|\bde\b|\bsu\b|\bvan\b)\s*(?<most>{number}){unit})?"
    ))
    .expect("a valid pattern")
});

impl Amount {
    /// The amount at the beginning of a text. What only begins like one (`3D`, `8/10/2024`,
    /// `1.2.3`) is none.
    pub(super) fn at_start(text: &str) -> Option<Self> {
        let groups = AMOUNT.captures(text)?;
        let length = groups[0].len();
        if goes_on(&text[length..]) {
            return None;
        }
        let value = number(&groups["number"])?;
        let out_of = groups.name("most").and_then(|found| number(found.as_str()));
        let is_range = groups.name("range").is_some();
        let is_within = out_of.is_none_or(|most| most > 0.0 && value <= most);
        let score = if is_within && !is_range {
            Score::Valid(value)
        } else {
            Score::Invalid
        };
        Some(Self {
            score,
            out_of,
            length,
        })
    }

    /// The amount that a text is, but for what decorates it.
    pub(super) fn whole(text: &str) -> Option<Self> {
        let is_decoration = |c: char| !c.is_alphanumeric() && c != '%';
        let text = text.trim_end_matches(is_decoration);
        let text = text.trim_start_matches(|c: char| is_decoration(c) && !"+-.".contains(c));
        // A dash in front of a list is no sign.
        let text = text.strip_prefix("- ").unwrap_or(text).trim_start();
        let found = Self::at_start(text)?;
        text[found.length..]
            .chars()
            .all(is_decoration)
            .then_some(found)
    }
}

/// A decimal number with a point or a comma. A comma before three digits separates thousands.
fn number(text: &str) -> Option<f64> {
    let (whole, rest) = text.split_once(',').unwrap_or((text, ""));
    let groups = rest.split('.').next().unwrap_or(rest).split(',');
    let is_thousands = whole.len() <= 4 && groups.clone().all(|group| group.len() == 3);
    let text = if is_thousands {
        text.replace(',', "")
    } else {
        text.replace(',', ".")
    };
    text.parse().ok()
}

/// Whether a text goes on with what was taken for the end of a number.
fn goes_on(rest: &str) -> bool {
    let mut rest = rest.chars();
    match rest.next() {
        Some('/' | '.' | ',') => rest.next().is_some_and(|next| next.is_ascii_digit()),
        Some(next) => next.is_alphanumeric(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("7", Score::Valid(7.0), None)]
    #[case("-3", Score::Valid(-3.0), None)]
    #[case("+3", Score::Valid(3.0), None)]
    #[case(".5", Score::Valid(0.5), None)]
    #[case("7,5", Score::Valid(7.5), None)]
    #[case("7.25", Score::Valid(7.25), None)]
    #[case("1,250", Score::Valid(1250.0), None)]
    #[case("1,250,000.5", Score::Valid(1_250_000.5), None)]
    #[case("7,1234", Score::Valid(7.1234), None)]
    #[case("85%", Score::Valid(85.0), None)]
    #[case("85 %", Score::Valid(85.0), None)]
    #[case("85 percent", Score::Valid(85.0), None)]
    #[case("8 points", Score::Valid(8.0), None)]
    #[case("8 Punkte", Score::Valid(8.0), None)]
    #[case("8点", Score::Valid(8.0), None)]
    #[case("7/10", Score::Valid(7.0), Some(10.0))]
    #[case("7,5 / 10", Score::Valid(7.5), Some(10.0))]
    #[case("7 out of 10", Score::Valid(7.0), Some(10.0))]
    #[case("7 (out of 10)", Score::Valid(7.0), Some(10.0))]
    #[case("7 points out of 10", Score::Valid(7.0), Some(10.0))]
    #[case("4 von 5 Sternen", Score::Valid(4.0), Some(5.0))]
    #[case("14 sur 20", Score::Valid(14.0), Some(20.0))]
    #[case("7 of 10", Score::Valid(7.0), Some(10.0))]
    #[case("0/10", Score::Valid(0.0), Some(10.0))]
    #[case("11/10", Score::Invalid, Some(10.0))]
    #[case("0/0", Score::Invalid, Some(0.0))]
    #[case("7-8", Score::Invalid, None)]
    #[case("7–8/10", Score::Invalid, Some(10.0))]
    #[case("7 to 8", Score::Invalid, None)]
    #[case("(8)", Score::Valid(8.0), None)]
    #[case("- 8.", Score::Valid(8.0), None)]
    #[case("\"8\"!", Score::Valid(8.0), None)]
    fn amounts_are_read(#[case] text: &str, #[case] score: Score, #[case] out_of: Option<f64>) {
        let found = Amount::whole(text).unwrap();
        assert_eq!((found.score, found.out_of), (score, out_of));
    }

    #[rstest]
    #[case("")]
    #[case("high")]
    #[case("3D")]
    #[case("7th")]
    #[case("8/10/2024")]
    #[case("1.2.3")]
    #[case("12:30")]
    #[case("8 candidates")]
    #[case("A-")]
    fn what_is_more_or_less_is_none(#[case] text: &str) {
        assert_eq!(Amount::whole(text), None);
    }
}
