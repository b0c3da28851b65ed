//! A curve in braille dots over an axis, with marks. What was not measured is a gap.

use ratatui::text::{Line, Span};

use crate::tui::text::right;
use crate::tui::theme::{Meaning, Theme};

/// Columns of the figures beside the axis.
const LABELS: usize = 6;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// One point for each half column, oldest first; `None` is a gap.
    pub points: Vec<Option<f32>>,
    /// Signs at places from 0 (the oldest) to 1 (now).
    pub marks: Vec<(f64, &'static str)>,
    /// What the axis spans: `10 min`.
    pub span: String,
    /// Values that are marked across the graph; the scale reaches to the highest of them.
    pub limits: Vec<f32>,
}

/// Columns of the curve in a graph of so many columns.
pub const fn curve_columns(columns: usize) -> usize {
    columns.saturating_sub(LABELS + 1)
}

/// The lines of a graph of this size: the curve, then the axis with its marks.
pub fn graph(theme: &Theme, plot: &Plot, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let curve = curve_columns(columns);
    if rows < 2 || curve == 0 {
        return Vec::new();
    }
    let most = plot
        .points
        .iter()
        .flatten()
        .chain(&plot.limits)
        .copied()
        .fold(0.0_f32, f32::max);
    let top = ceiling(most);
    let height = rows - 1;
    let mut lines: Vec<Line<'static>> = (0..height)
        .map(|row| {
            let label = match row {
                0 => crate::base::rate(f64::from(top)),
                row if row + 1 == height => "0".to_owned(),
                _ => String::new(),
            };
            let cells = curve_row(theme, plot, top, (row, height), curve);
            let axis = theme.sign("│", "|");
            let mut line = Line::from(vec![
                Span::styled(right(&label, LABELS), theme.style(Meaning::Dim)),
                Span::styled(axis.to_owned(), theme.style(Meaning::Track)),
            ]);
            if has_limit(plot, top, (row, height)) {
                line.spans.extend(limited(theme, &cells));
            } else {
                line.push_span(Span::styled(cells, theme.style(Meaning::Bar)));
            }
            line
        })
        .collect();
    lines.push(axis(theme, plot, curve));
    lines
}

/// Points brought to another number of points over the same time, by their means.
pub fn resample(points: &[Option<f32>], wanted: usize) -> Vec<Option<f32>> {
    (0..wanted)
        .map(|slot| {
            let first = slot * points.len() / wanted;
            let end = ((slot + 1) * points.len() / wanted).max(first + 1);
            let known: Vec<f32> = points
                .get(first..end.min(points.len()))?
                .iter()
                .flatten()
                .copied()
                .collect();
            (!known.is_empty()).then(|| known.iter().sum::<f32>() / known.len() as f32)
        })
        .collect()
}

/// The next of 1, 2, 5, 10, 20 … so that the axis does not dance.
fn ceiling(most: f32) -> f32 {
    if !most.is_finite() || most <= 0.0 {
        return 1.0;
    }
    let power = 10.0_f32.powf(most.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    let fitting = steps
        .iter()
        .map(|step| step * power)
        .find(|top| *top >= most);
    fitting.unwrap_or(most)
}

fn curve_row(
    theme: &Theme,
    plot: &Plot,
    top: f32,
    (row, height): (usize, usize),
    columns: usize,
) -> String {
    // Dots from the ground up in this row: 4 are a full cell.
    let dots = |place: usize| -> Option<u32> {
        let missing = (columns * 2).saturating_sub(plot.points.len());
        let value = (*plot.points.get(place.checked_sub(missing)?)?)?;
        let all = (value / top * (height * 4) as f32).round().max(1.0) as usize;
        let below = (height - 1 - row) * 4;
        Some(all.saturating_sub(below).min(4) as u32)
    };
    (0..columns)
        .map(|column| {
            let (a, b) = (
                dots(column * 2).unwrap_or(0),
                dots(column * 2 + 1).unwrap_or(0),
            );
            if theme.ascii {
                return ascii_cell(a.max(b));
            }
            braille(a, b)
        })
        .collect()
}

/// Whether a limit lies in this row.
fn has_limit(plot: &Plot, top: f32, (row, height): (usize, usize)) -> bool {
    let row_of = |limit: f32| ((1.0 - limit / top) * height as f32).max(0.0) as usize;
    let mut limits = plot.limits.iter();
    limits.any(|limit| row_of(*limit).min(height - 1) == row)
}

/// A row of the curve with a line where the curve is not.
fn limited(theme: &Theme, cells: &str) -> Vec<Span<'static>> {
    let cell = |letter: char| {
        if letter == ' ' {
            Span::styled(theme.sign("┄", "-"), theme.style(Meaning::Mark))
        } else {
            Span::styled(letter.to_string(), theme.style(Meaning::Bar))
        }
    };
    cells.chars().map(cell).collect()
}

fn braille(left: u32, right: u32) -> char {
    // The dots of a braille cell from the ground up, as bits of its code point.
    const LEFT: [u32; 5] = [0, 0x40, 0x44, 0x46, 0x47];
    const RIGHT: [u32; 5] = [0, 0x80, 0xa0, 0xb0, 0xb8];
    let bits = LEFT.get(left as usize).unwrap_or(&0) | RIGHT.get(right as usize).unwrap_or(&0);
    if bits == 0 {
        ' '
    } else {
        char::from_u32(0x2800 + bits).unwrap_or(' ')
    }
}

const fn ascii_cell(dots: u32) -> char {
    match dots {
        0 => ' ',
        1 => '.',
        2 => ':',
        3 => '|',
        _ => '#',
    }
}

fn axis(theme: &Theme, plot: &Plot, columns: usize) -> Line<'static> {
    let dash = theme.sign("─", "-");
    let mut signs: Vec<(&str, Meaning)> = vec![(dash, Meaning::Track); columns];
    let label = format!("-{} ", plot.span);
    let now = " now";
    let texts = [
        (0, label.as_str()),
        (columns.saturating_sub(now.len()), now),
    ];
    let mut cells: Vec<(String, Meaning)> = signs
        .drain(..)
        .map(|(sign, meaning)| (sign.to_owned(), meaning))
        .collect();
    let is_labelled = columns > label.len() + now.len();
    if is_labelled {
        for (start, text) in texts {
            for (cell, c) in cells.iter_mut().skip(start).zip(text.chars()) {
                *cell = (c.to_string(), Meaning::Dim);
            }
        }
    }
    for (place, sign) in &plot.marks {
        let column = (place.clamp(0.0, 1.0) * columns.saturating_sub(1) as f64).round() as usize;
        // A mark at an end stands beside the label and not in it.
        let column = if is_labelled {
            column.clamp(label.len(), columns - now.len() - 1)
        } else {
            column
        };
        if let Some(cell) = cells.get_mut(column) {
            *cell = ((*sign).to_owned(), Meaning::Mark);
        }
    }
    let corner = format!("{}{}", " ".repeat(LABELS), theme.sign("└", "+"));
    let mut line = Line::from(Span::styled(corner, theme.style(Meaning::Track)));
    for (text, meaning) in cells {
        line.push_span(Span::styled(text, theme.style(meaning)));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Depth;
    use rstest::rstest;

    fn drawn(points: Vec<Option<f32>>, ascii: bool) -> Vec<String> {
        let theme = Theme::built_in("dark", Depth::True, ascii).unwrap();
        let plot = Plot {
            points,
            marks: vec![(0.5, "x")],
            span: "1 min".into(),
            limits: Vec::new(),
        };
        graph(&theme, &plot, 27, 3)
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn a_gap_is_a_gap_and_nothing_is_a_line() {
        let mut points = vec![Some(2.0); 40];
        points[10..20].fill(None);
        points[30..40].fill(Some(0.0));
        assert_eq!(
            drawn(points, false),
            [
                "  2.00│⣿⣿⣿⣿⣿     ⣿⣿⣿⣿⣿     ",
                "     0│⣿⣿⣿⣿⣿     ⣿⣿⣿⣿⣿⣀⣀⣀⣀⣀",
                "      └-1 min ───x───── now"
            ]
        );
    }

    #[test]
    fn marks_at_the_ends_leave_the_labels_alone() {
        let theme = Theme::built_in("dark", Depth::True, false).unwrap();
        let plot = Plot {
            points: Vec::new(),
            marks: vec![(0.0, "a"), (1.0, "z")],
            span: "1 min".into(),
            limits: Vec::new(),
        };
        let lines = graph(&theme, &plot, 27, 3);
        assert_eq!(lines[2].to_string(), "      └-1 min a───────z now");
    }

    #[test]
    fn a_limit_is_a_line_where_the_curve_is_not_and_the_scale_reaches_it() {
        let theme = Theme::built_in("dark", Depth::True, false).unwrap();
        let plot = Plot {
            points: vec![Some(50.0); 4],
            marks: Vec::new(),
            span: "1 min".into(),
            limits: vec![90.0],
        };
        let lines = graph(&theme, &plot, 11, 3);
        let drawn: Vec<String> = lines.iter().map(ToString::to_string).collect();
        assert_eq!(drawn[..2], ["   100│┄┄┄┄", "     0│  ⣿⣿"]);
    }

    #[test]
    fn an_ascii_graph_is_ascii() {
        assert!(
            drawn(vec![Some(1.0), None, Some(0.4)], true)
                .iter()
                .all(|line| line.is_ascii())
        );
    }

    #[rstest]
    #[case(0.0, 1.0)]
    #[case(0.3, 0.5)]
    #[case(4.0, 5.0)]
    #[case(163.0, 200.0)]
    #[case(f32::NAN, 1.0)]
    fn the_axis_ends_at_a_round_figure(#[case] most: f32, #[case] top: f32) {
        assert!((ceiling(most) - top).abs() < top / 1000.0);
    }

    #[test]
    fn means_are_taken_where_there_are_too_many_points() {
        let points = [Some(1.0), Some(3.0), None, None];
        assert_eq!(resample(&points, 2), [Some(2.0), None]);
        assert_eq!(resample(&points[..1], 3), [Some(1.0); 3]);
        assert_eq!(resample(&[], 2), [None, None]);
    }
}
