//! Counts as bars below each other.

use ratatui::text::{Line, Span};

use super::gauge::gauge;
use crate::base::{count, share, width};
use crate::tui::text::right;
use crate::tui::theme::{Meaning, Theme};

/// Columns of a share: `100.0 %`.
const SHARE: usize = 7;
/// Columns of a bar, below which something else makes room for it.
const SHORTEST: usize = 6;

/// A row for each count in so many columns: what is counted, a bar, the count, its share of all.
/// The longest bar is the largest count; what is not nothing has a bar. The share goes first where
/// there is no room, then the bar.
pub fn histogram(theme: &Theme, rows: &[(String, u64)], columns: usize) -> Vec<Line<'static>> {
    let largest = rows.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let all: u64 = rows.iter().map(|(_, number)| number).sum();
    let titles = rows.iter().map(|(title, _)| width(title));
    let titles = titles.max().unwrap_or(0).min(columns / 2);
    let counts = width(&count(largest));
    let fixed = titles + counts + 2;
    let has_share = columns >= fixed + SHARE + 1 + SHORTEST;
    let bar = columns.saturating_sub(fixed + if has_share { SHARE + 1 } else { 0 });
    let row = |(title, number): &(String, u64)| {
        let mut line = vec![
            Span::styled(right(title, titles), theme.style(Meaning::Dim)),
            Span::raw(" "),
        ];
        if bar >= SHORTEST {
            line.extend(drawn(theme, *number, largest, bar));
        }
        let text = right(&count(*number), counts + 1);
        line.push(Span::styled(text, theme.style(Meaning::Text)));
        if has_share {
            let text = right(&share(*number, all), SHARE + 1);
            line.push(Span::styled(text, theme.style(Meaning::Dim)));
        }
        Line::from(line)
    };
    rows.iter().map(row).collect()
}

/// A bar without a track: beside other bars one sees where it ends.
fn drawn(theme: &Theme, number: u64, largest: u64, columns: usize) -> Vec<Span<'static>> {
    let least = if theme.ascii { 1.0 } else { 1.0 / 8.0 } / columns as f64;
    let part = number as f64 / largest.max(1) as f64;
    let part = if number > 0 { part.max(least) } else { 0.0 };
    let mut bar = gauge(theme, Some(part), columns, Meaning::Bar).spans;
    if let Some(track) = bar.last_mut() {
        *track = Span::raw(" ".repeat(width(&track.content)));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Depth;

    const COUNTS: [u64; 4] = [0, 1, 500, 1_000];

    fn rows(ascii: bool, columns: usize) -> Vec<String> {
        let theme = Theme::built_in("dark", Depth::True, ascii).unwrap();
        let counts = COUNTS.iter().enumerate();
        let counts: Vec<_> = counts.map(|(at, n)| (at.to_string(), *n)).collect();
        let lines = histogram(&theme, &counts, columns).into_iter();
        lines.map(|line| line.to_string()).collect()
    }

    #[test]
    fn bars_are_as_long_as_counts_are_large() {
        assert_eq!(
            rows(false, 24),
            [
                "0              0   0.0 %",
                "1 ▏            1   0.1 %",
                "2 ████       500  33.3 %",
                "3 ████████ 1,000  66.6 %",
            ]
        );
    }

    #[test]
    fn in_ascii_they_are_whole() {
        assert_eq!(
            rows(true, 24),
            [
                "0              0   0.0 %",
                "1 #            1   0.1 %",
                "2 ####       500  33.3 %",
                "3 ######## 1,000  66.6 %",
            ]
        );
    }

    #[test]
    fn what_has_no_room_is_left_out() {
        assert_eq!(rows(false, 16)[3], "3 ████████ 1,000");
        assert_eq!(rows(false, 9)[3], "3  1,000");
    }

    proptest::proptest! {
        #[test]
        fn rows_are_equally_wide_and_not_too_wide(counts in proptest::collection::vec(proptest::prelude::any::<u32>(), 1..30), columns in 30usize..80, ascii: bool) {
            let theme = Theme::built_in("dark", Depth::True, ascii).unwrap();
            let rows: Vec<_> = counts.iter().map(|count| (format!("{count:.2}"), u64::from(*count))).collect();
            let widths: Vec<_> = histogram(&theme, &rows, columns).iter().map(Line::width).collect();
            proptest::prop_assert!(widths.iter().all(|width| *width == widths[0] && *width <= columns), "{:?}", widths);
        }
    }
}
