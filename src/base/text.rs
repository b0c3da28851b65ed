//! Text that came from outside, made safe to show, and cut to a width.

use unicode_segmentation::UnicodeSegmentation;
use unicode_width::UnicodeWidthStr;

/// Columns a text takes on a terminal.
pub fn width(text: &str) -> usize {
    UnicodeWidthStr::width(text)
}

/// The text with everything a terminal could obey made visible: control characters become
/// their pictures (`ESC` is `␛`), direction marks and zero-width characters become `·`.
///
/// Model output, prompts, ids and file names go through here before they are shown.
pub fn shown(text: &str) -> String {
    text.chars().map(visible).collect()
}

/// Written JSON with nothing in it that a terminal could obey: it reads back as it was. JSON has
/// its own escapes for the control characters of ASCII; this adds those beyond. A line break
/// can only stand between values, and stays.
pub fn shown_json(json: &str) -> String {
    escaped(json, |c| c == '\n' || c == visible(c))
}

/// Written JSON in ASCII: it reads back as it was, too.
pub fn ascii_json(json: &str) -> String {
    escaped(json, |c| c == '\n' || (c.is_ascii() && c == visible(c)))
}

fn escaped(json: &str, is_plain: impl Fn(char) -> bool) -> String {
    let mut text = String::with_capacity(json.len());
    for plain in json.chars() {
        if is_plain(plain) {
            text.push(plain);
            continue;
        }
        for unit in plain.encode_utf16(&mut [0; 2]) {
            text.extend(format!("\\u{unit:04x}").chars());
        }
    }
    text
}

fn visible(c: char) -> char {
    match c {
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + c as u32).unwrap_or('·'),
        '\u{7f}' => '␡',
        '\u{80}'..='\u{9f}'
        | '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => '·',
        other => other,
    }
}

/// The text in at most `columns` columns, the middle left out (`cand-00…42`) where it is longer.
/// Both ends stay because ids differ at their ends.
pub fn elide(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let room = columns - 1;
    let tail = take(text.graphemes(true).rev(), room / 2);
    let used: usize = tail.iter().map(|sign| width(sign)).sum();
    let head = take(text.graphemes(true), room - used);
    head.into_iter()
        .chain(["…"])
        .chain(tail.into_iter().rev())
        .collect()
}

/// Whole signs that fit: an emoji is not cut from its colour, a letter not from its accents.
fn take<'a>(signs: impl Iterator<Item = &'a str>, mut room: usize) -> Vec<&'a str> {
    let mut taken = Vec::new();
    for sign in signs {
        let wide = width(sign);
        if wide > room {
            break;
        }
        room -= wide;
        taken.push(sign);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain", "plain")]
    #[case("\u{1b}[31mred", "␛[31mred")]
    #[case("a\tb\r\n", "a␉b␍␊")]
    #[case("evil\u{202e}txt.exe", "evil·txt.exe")]
    #[case("\u{9b}2J", "·2J")]
    #[case("日本", "日本")]
    fn outside_text_is_shown_not_obeyed(#[case] raw: &str, #[case] safe: &str) {
        assert_eq!(shown(raw), safe);
    }

    #[rstest]
    #[case("cand-000042", 20, "cand-000042")]
    #[case("candidate-000042", 9, "cand…0042")]
    #[case("日本語の長い名前", 7, "日本…前")]
    #[case("👍🏽👍🏽👍🏽👍🏽", 6, "👍🏽…👍🏽")]
    #[case("❤️❤️❤️❤️", 6, "❤️…❤️")]
    #[case("abc", 1, "…")]
    #[case("abc", 0, "")]
    fn long_text_loses_its_middle(
        #[case] text: &str,
        #[case] columns: usize,
        #[case] expected: &str,
    ) {
        assert_eq!(elide(text, columns), expected);
    }

    proptest::proptest! {
        #[test]
        fn elided_text_always_fits(text in ".{0,40}", columns in 0usize..30) {
            proptest::prop_assert!(width(&elide(&shown(&text), columns)) <= columns);
        }

        #[test]
        fn nothing_shown_is_a_control(text in "\\PC*|[\\x00-\\xff]*") {
            proptest::prop_assert!(!shown(&text).chars().any(char::is_control));
        }
    }
}
