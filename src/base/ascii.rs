//! Text for terminals that show nothing but ASCII.

use std::borrow::Cow;

use unicode_segmentation::UnicodeSegmentation;

use super::text::width;

/// The letters of Latin-1 from `À` on, without their marks.
const LATIN: &[u8; 64] = b"AAAAAAACEEEEIIIIDNOOOOOxOUUUUYTsaaaaaaaceeeeiiiidnooooo/ouuuuyty";

/// The text in ASCII: signs become what is usually written for them (`…` is `...`, `→` is `->`),
/// letters lose their marks, and what has no likeness is `?`.
pub fn ascii(text: &str) -> Cow<'_, str> {
    replaced(text, |sign, plain| match likeness(sign) {
        Some(like) => plain.push_str(like),
        None => plain.extend(letter(sign)),
    })
}

/// The same in as many columns as the text has, for lines whose place is fixed: `…` is `~`.
pub fn ascii_columns(text: &str) -> Cow<'_, str> {
    replaced(text, |sign, plain| {
        let columns = width(sign);
        let like = match sign {
            "…" | "±" => '~',
            "°" => ' ',
            _ => match likeness(sign) {
                // An arrow is its point.
                Some(like @ ("->" | "<->")) => like.chars().next_back().unwrap_or('?'),
                Some(like) => like.chars().next().unwrap_or('?'),
                None => letter(sign).next().unwrap_or('?'),
            },
        };
        plain.extend(std::iter::repeat_n(like, columns));
    })
}

fn replaced(text: &str, replace: impl Fn(&str, &mut String)) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    for sign in text.graphemes(true) {
        if sign.is_ascii() {
            plain.push_str(sign);
        } else {
            replace(sign, &mut plain);
        }
    }
    Cow::Owned(plain)
}

/// What is usually written for a sign where there is only ASCII.
fn likeness(sign: &str) -> Option<&'static str> {
    Some(match sign {
        "…" => "...",
        "→" => "->",
        "←" => "<-",
        "↔" => "<->",
        "±" => "+/-",
        "≈" | "◌" => "~",
        "≤" => "<=",
        "≥" => ">=",
        "×" | "⊘" | "✗" => "x",
        "·" | "–" | "—" | "‑" | "−" | "─" | "┄" => "-",
        "│" | "║" | "‖" | "▍" | "▎" | "▏" => "|",
        "┌" | "┐" | "└" | "┘" | "├" | "┤" | "┬" | "┴" | "┼" | "╭" | "╮" | "╰" | "╯" | "✓" => {
            "+"
        }
        "█" | "▉" | "▊" | "▋" | "▌" | "▓" => "#",
        "░" | "▁" | "▂" => ".",
        "▒" | "▃" | "▄" => ":",
        "▅" | "▆" | "▇" | "●" | "◆" => "*",
        "○" => "o",
        "▶" | "▸" | "›" | "»" => ">",
        "◂" | "‹" | "«" => "<",
        "▲" | "▴" => "^",
        "▼" => "v",
        "⏸" => "=",
        "↻" => "r",
        "“" | "”" | "„" => "\"",
        "‘" | "’" | "‚" => "'",
        "°" => "",
        "€" => "EUR",
        "£" => "GBP",
        "¥" => "JPY",
        "µ" | "μ" => "u",
        "ß" => "ss",
        "\u{a0}" | "\u{202f}" | "\u{2009}" => " ",
        "␛" => "^[",
        "␊" => "^J",
        "␍" => "^M",
        "␉" => "^I",
        "␀" => "^@",
        _ => return None,
    })
}

/// A letter without its marks, one question mark for each column of anything else.
fn letter(sign: &str) -> impl Iterator<Item = char> {
    let first = sign.chars().next().unwrap_or('?');
    let place = (first as usize).checked_sub('À' as usize);
    let latin = place.and_then(|place| LATIN.get(place)).copied();
    let (letter, columns) = match latin {
        Some(letter) => (char::from(letter), 1),
        // A letter of ASCII with marks that follow it.
        None if first.is_ascii_graphic() => (first, 1),
        None => ('?', width(sign)),
    };
    std::iter::repeat_n(letter, columns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("plain", "plain", "plain")]
    #[case("reading…", "reading...", "reading~")]
    #[case("5 → 7", "5 -> 7", "5 > 7")]
    #[case("±5 %", "+/-5 %", "~5 %")]
    #[case("61 °C", "61 C", "61  C")]
    #[case("0.12 €", "0.12 EUR", "0.12 E")]
    #[case("a · b", "a - b", "a - b")]
    #[case("██▌", "###", "###")]
    #[case("Müller", "Muller", "Muller")]
    #[case("e\u{301}t", "et", "et")]
    #[case("日本", "????", "????")]
    #[case("␛[2J", "^[[2J", "^[2J")]
    #[case("“like”", "\"like\"", "\"like\"")]
    fn signs_have_likenesses(#[case] text: &str, #[case] wide: &str, #[case] narrow: &str) {
        assert_eq!(ascii(text), wide);
        assert_eq!(ascii_columns(text), narrow);
    }

    proptest::proptest! {
        #[test]
        fn nothing_else_is_left(text in "\\PC{0,40}|[…→±€°·█▏ü日é😀 a-z]{0,40}") {
            proptest::prop_assert!(ascii(&text).is_ascii());
            proptest::prop_assert!(ascii_columns(&text).is_ascii());
        }

        #[test]
        fn columns_stay(text in "[…→±€°·█▏üß日é😀 a-z]{0,40}") {
            proptest::prop_assert_eq!(width(&ascii_columns(&text)), width(&text));
        }
    }
}
