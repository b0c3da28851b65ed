//! Text for cells: outside text made safe, and everything brought to a width.

use unicode_segmentation::UnicodeSegmentation;

use crate::base::{elide, shown, width};

/// Characters of the two ends of a text that are looked at for each column to be filled: a
/// megabyte is cut before it is measured.
const LOOKED_AT: usize = 8;
/// Marks without a width that may follow one another: more are an attack on the terminal.
const MARKS: usize = 3;

/// Text from outside, safe to show, in at most `columns` columns; the middle is left out where it
/// is longer.
pub fn outside(text: &str, columns: usize) -> String {
    elide(&few_marks(&shown(&ends(text, columns))), columns)
}

/// Text from outside, safe to show, in at most `columns` columns; the end is left out where it is
/// longer: for sentences.
pub fn sentence(text: &str, columns: usize) -> String {
    let head: String = text.chars().take(columns * LOOKED_AT + 1).collect();
    cut(&few_marks(&shown(&head)), columns)
}

/// The text cut at its end to at most `columns` columns.
pub fn cut(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if width(&kept) + 1 > columns {
            kept.pop();
            break;
        }
    }
    if columns > 0 {
        kept.push('…');
    }
    kept
}

/// The text, filled up with spaces at its end.
pub fn left(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    let missing = columns.saturating_sub(width(&text));
    text + &" ".repeat(missing)
}

/// The text, filled up with spaces at its beginning: for numbers.
pub fn right(text: &str, columns: usize) -> String {
    let text = cut(text, columns);
    " ".repeat(columns.saturating_sub(width(&text))) + &text
}

/// Text from outside, safe to show, in rows of at most `columns` columns, broken at spaces where
/// there are any.
pub fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let mut rows = Vec::new();
    if columns == 0 {
        return rows;
    }
    for line in text.lines() {
        wrap(
            &few_marks(&shown(&line.replace('\t', "    "))),
            columns,
            &mut rows,
        );
    }
    rows
}

/// Breaks one line into rows.
fn wrap(line: &str, columns: usize, rows: &mut Vec<String>) {
    let (mut row, mut used) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        let wide = width(word.trim_end());
        if used + wide > columns && used > 0 {
            rows.push(std::mem::take(&mut row));
            used = 0;
        }
        for sign in word.graphemes(true) {
            let wide = width(sign);
            if used + wide > columns {
                // A space at the end of a row is not seen, and not taken over to the next.
                if sign == " " || wide > columns {
                    continue;
                }
                rows.push(std::mem::take(&mut row));
                used = 0;
            }
            row.push_str(sign);
            used += wide;
        }
    }
    rows.push(row);
}

/// The beginning and the end of a text that is far too long for the columns.
fn ends(text: &str, columns: usize) -> String {
    let many = columns.saturating_mul(LOOKED_AT).max(LOOKED_AT);
    let Some((head, _)) = text.char_indices().nth(many) else {
        return text.to_owned();
    };
    let Some((tail, _)) = text.char_indices().rev().nth(many) else {
        return text.to_owned();
    };
    if tail <= head {
        return text.to_owned();
    }
    let end = text.get(tail..).unwrap_or_default();
    text.get(..head).unwrap_or_default().to_owned() + end
}

fn few_marks(text: &str) -> String {
    let mut run = 0;
    let few = |c: &char| {
        run = if unicode_width::UnicodeWidthChar::width(*c) == Some(0) {
            run + 1
        } else {
            0
        };
        run <= MARKS
    };
    text.chars().filter(few).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("abc", 5, "abc  ", "  abc")]
    #[case("abcdef", 4, "abc…", "abc…")]
    #[case("日本語", 4, "日… ", " 日…")]
    #[case("abc", 0, "", "")]
    fn text_is_brought_to_a_width(
        #[case] text: &str,
        #[case] columns: usize,
        #[case] padded: &str,
        #[case] pushed: &str,
    ) {
        assert_eq!(left(text, columns), padded);
        assert_eq!(right(text, columns), pushed);
    }

    #[test]
    fn a_megabyte_keeps_its_two_ends() {
        let long = format!("start-{}-end", "x".repeat(1 << 20));
        let short = outside(&long, 12);
        assert!(
            short.starts_with("start-") && short.ends_with("-end"),
            "{short}"
        );
        assert_eq!(width(&sentence(&long, 12)), 12);
    }

    #[test]
    fn a_heap_of_marks_on_one_letter_is_cut() {
        let heap = format!("e{}x", "\u{301}".repeat(10_000));
        assert!(outside(&heap, 10).chars().count() <= 2 + MARKS);
    }

    #[rstest]
    #[case("one two three", 7, &["one two", "three"])]
    #[case("a\n\nb\tc", 9, &["a", "", "b    c"])]
    #[case("abcdefgh", 3, &["abc", "def", "gh"])]
    #[case("日本語", 4, &["日本", "語"])]
    fn text_is_wrapped_at_spaces(
        #[case] text: &str,
        #[case] columns: usize,
        #[case] rows: &[&str],
    ) {
        let wrapped = wrapped(text, columns);
        let trimmed: Vec<&str> = wrapped.iter().map(|row| row.trim_end()).collect();
        assert_eq!(trimmed, rows);
    }

    proptest::proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,40}", columns in 0usize..30) {
            for fitted in [outside(&text, columns), sentence(&text, columns), left(&text, columns)].into_iter().chain(wrapped(&text, columns)) {
                proptest::prop_assert!(width(&fitted) <= columns, "{:?}", fitted);
            }
        }
    }
}
