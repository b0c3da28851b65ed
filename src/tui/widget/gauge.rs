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

/// The same with signs at parts where a limit lies; a limit that is no part of the bar has none.
pub fn marked_gauge(
    theme: &Theme,
    (part, full): (Option<f64>, Meaning),
    columns: usize,
    marks: &[f64],
) -> Line<'static> {
    let bar = gauge(theme, part, columns, full);
    let mut cells: Vec<Span<'static>> = bar
        .spans
        .iter()
        .flat_map(|span| {
            let letters = span.content.chars();
            letters.map(|letter| Span::styled(letter.to_string(), span.style))
        })
        .collect();
    for mark in marks.iter().filter(|mark| (0.0..1.0).contains(*mark)) {
        if let Some(cell) = cells.get_mut((mark * columns as f64) as usize) {
            *cell = Span::styled(theme.sign("│", "|"), theme.style(Meaning::Mark));
        }
    }
    Line::from(cells)
}

/// Points from 0 to `top`, one column each; a gap is a gap, and nothing is still a line.
pub fn spark(theme: &Theme, points: &[Option<f32>], top: f32) -> String {
    const LEVELS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];
    const ASCII: [&str; 8] = ["_", ".", "-", "=", "+", "*", "%", "#"];
    let levels = if theme.ascii { ASCII } else { LEVELS };
    let sign = |point: &Option<f32>| {
        let part = (point.as_ref()? / top).clamp(0.0, 1.0);
        levels.get((part * 8.0) as usize).or(levels.last()).copied()
    };
    points
        .iter()
        .map(|point| sign(point).unwrap_or(" "))
        .collect()
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
    fn limits_are_marked_where_they_lie() {
        let theme = Theme::built_in("dark", Depth::True, false).unwrap();
        let marked =
            |part, marks: &[f64]| marked_gauge(&theme, (part, Meaning::Bar), 10, marks).to_string();
        assert_eq!(marked(Some(0.6), &[0.9]), "██████░░░│");
        assert_eq!(marked(Some(0.95), &[0.8, 7.0, f64::NAN]), "████████│▌");
        assert_eq!(marked(None, &[]), "░░░░░░░░░░");
    }

    #[test]
    fn a_spark_shows_gaps_and_nothing() {
        let theme = Theme::built_in("dark", Depth::True, false).unwrap();
        let points = [Some(0.0), None, Some(50.0), Some(100.0), Some(f32::NAN)];
        assert_eq!(spark(&theme, &points, 100.0), "▁ ▅█▁");
        let theme = Theme::built_in("mono", Depth::None, true).unwrap();
        assert_eq!(spark(&theme, &points, 100.0), "_ +#_");
    }

    #[test]
    fn an_ascii_gauge_is_ascii() {
        assert_eq!(drawn(Some(0.6), true), "####....");
    }
}
