//! A bar that is filled in part.

use ratatui::text::{Line, Span};

use crate::tui::theme::{Meaning, Theme};

const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// A bar of so many columns, filled by `part` (0 to 1). An unknown part is an empty bar.
pub fn gauge(theme: &Theme, part: Option<f64>, columns: usize, full: Meaning) -> Line<'static> {
    let part = part
        .filter(|part| part.is_finite())
        .unwrap_or(0.0)
        .clamp(0.0, 1.0);
    let eighths = (part * columns as f64 * 8.0).floor() as usize;
    let (whole, rest) = if theme.ascii {
        (eighths / 8, 0)
    } else {
        (eighths / 8, eighths % 8)
    };
    let whole = whole.min(columns);
    let head = theme.sign("█", "#").repeat(whole);
    let tip = EIGHTHS
        .get(rest)
        .copied()
        .filter(|_| whole < columns)
        .unwrap_or("");
    let empty = columns - whole - usize::from(!tip.is_empty());
    Line::from(vec![
        Span::styled(head + tip, theme.style(full)),
        Span::styled(
            theme.sign("░", ".").repeat(empty),
            theme.style(Meaning::Track),
        ),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Depth;
    use rstest::rstest;

    fn drawn(part: Option<f64>, ascii: bool) -> String {
        let theme = Theme::built_in("dark", Depth::True, ascii).unwrap();
        gauge(&theme, part, 8, Meaning::Bar).to_string()
    }

    #[rstest]
    #[case(None, "░░░░░░░░")]
    #[case(Some(0.0), "░░░░░░░░")]
    #[case(Some(0.5), "████░░░░")]
    #[case(Some(0.53), "████▏░░░")]
    #[case(Some(1.0), "████████")]
    #[case(Some(7.0), "████████")]
    #[case(Some(f64::NAN), "░░░░░░░░")]
    fn a_gauge_is_filled_by_its_part(#[case] part: Option<f64>, #[case] expected: &str) {
        assert_eq!(drawn(part, false), expected);
    }

    #[test]
    fn an_ascii_gauge_is_ascii() {
        assert_eq!(drawn(Some(0.6), true), "####....");
    }
}
