//! An answer without its decorations, so that the rules that look for scores need none of them.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Captures, Regex};

static TAG: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"<(/?)(\p{L}[\w-]{0,40})(?:\s[^<>]{0,200})?/?>"));
/// Tags that only say how a text looks.
const LOOKS: [&str; 14] = [
    "b", "i", "u", "em", "strong", "span", "code", "p", "br", "div", "li", "ul", "h1", "h2",
];
static BOXED: LazyLock<Regex> = LazyLock::new(|| pattern(r"\\boxed\s*\{([^{}\n]{1,60})\}"));
static FRAC: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"\\[dt]?frac\s*\{([^{}\n]{1,20})\}\s*\{([^{}\n]{1,20})\}"));
static MACRO: LazyLock<Regex> = LazyLock::new(|| pattern(r"\\[a-zA-Z]{1,20}|\\[()\[\],;:!]"));

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a valid pattern")
}

/// The text with what marks it up taken off: emphasis, code, LaTeX, digits of other widths. A tag
/// (`<score>8</score>`) and a box (`\boxed{8}`) become a label on a line of its own.
pub(super) fn plain(text: &str) -> String {
    let mut text = Cow::Borrowed(text);
    if text.contains('\\') {
        let boxed = BOXED
            .replace_all(&text, "\nfinal answer: $1\n")
            .into_owned();
        let whole = FRAC.replace_all(&boxed, "$1/$2").into_owned();
        text = Cow::Owned(MACRO.replace_all(&whole, " ").into_owned());
    }
    if text.contains('<') {
        text = Cow::Owned(TAG.replace_all(&text, label).into_owned());
    }
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '*' | '`' | '~' | '$' | '{' | '}' | '\u{fe0f}' | '\u{20e3}' | '\u{200b}'
            | '\u{2060}' => {}
            '_' | '\u{a0}' | '\u{202f}' | '\u{2009}' | '\u{3000}' => plain.push(' '),
            '−' | '‐' | '‑' => plain.push('-'),
            '½' => plain.push_str(".5"),
            '¼' => plain.push_str(".25"),
            '¾' => plain.push_str(".75"),
            // Letters and signs as wide as Chinese ones.
            '\u{ff01}'..='\u{ff5e}' => plain.push(char::from((c as u32 - 0xfee0) as u8)),
            other => plain.push(other),
        }
    }
    plain
}

fn label(tag: &Captures<'_>) -> String {
    let name = &tag[2];
    if LOOKS.iter().any(|looks| looks.eq_ignore_ascii_case(name)) {
        " ".to_owned()
    } else if tag[1].is_empty() {
        format!("\n{name}: ")
    } else {
        "\n".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("Score: **8**/10", "Score: 8/10")]
    #[case("`overall_score`: 7", "overall score: 7")]
    #[case("Ｓｃｏｒｅ：８／１０", "Score:8/10")]
    #[case("7½", "7.5")]
    #[case("8\u{fe0f}\u{20e3}", "8")]
    #[case("−3", "-3")]
    #[case("<score>8</score>", "\nscore: 8\n")]
    #[case("<b>8</b>", " 8 ")]
    #[case("\\boxed{6}", "\nfinal answer: 6\n")]
    #[case("\\(\\frac{7}{10}\\)", " 7/10 ")]
    #[case("a < b > 3", "a < b > 3")]
    fn decorations_are_taken_off(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(plain(text), expected);
    }
}
