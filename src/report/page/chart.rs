//! Charts as SVG inside a page. Every text in them is made here or escaped here.

use std::fmt::Write as _;

use super::html::escaped;
use super::scale::Scale;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 200.0;
const LEFT: f64 = 52.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 8.0;
/// Columns in which points are drawn; of more points in one, the least and the most are.
const COLUMNS: f64 = 330.0;

/// Lines over time.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LineChart {
    /// What it shows, with its unit.
    pub(super) title: String,
    /// The time it covers, in milliseconds.
    pub(super) span: i64,
    /// The lines with their names, which may be outside text.
    pub(super) lines: Vec<(String, Points)>,
}

/// Milliseconds from the start with a value; `None` is a gap.
pub(super) type Points = Vec<(i64, Option<f64>)>;

/// Bars beside each other, each with what stands under it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct BarChart {
    /// What it shows.
    pub(super) title: String,
    /// The bars.
    pub(super) bars: Vec<(String, u64)>,
}

/// Marks on a time line, in rows.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TimeLine {
    /// What it shows.
    pub(super) title: String,
    /// The time it covers, in milliseconds.
    pub(super) span: i64,
    /// The names of the rows with their marks: milliseconds from the start, and outside text.
    pub(super) rows: Vec<(&'static str, Vec<(i64, String)>)>,
}

impl LineChart {
    /// The largest value; `None` where there is none at all.
    pub(super) fn most(&self) -> Option<f64> {
        let values = self.lines.iter().flat_map(|(_, points)| points);
        values.filter_map(|point| point.1).reduce(f64::max)
    }

    pub(super) fn svg(&self) -> String {
        let (time, values) = (
            Scale::of_time(self.span),
            Scale::of(self.most().unwrap_or(0.0)),
        );
        let mut svg = opening(&self.title, &self.description(), HEIGHT);
        time_axis(&mut svg, &time, HEIGHT);
        for (value, label) in &values.steps {
            let y = height(*value, values.most);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                LEFT - 6.0,
                y + 4.0
            );
        }
        for (number, (_, points)) in self.lines.iter().enumerate() {
            let class = format!("line line{}", number % 4);
            for piece in pieces(&thinned(points, time.most)) {
                let place = |(at, value): &(i64, f64)| {
                    (across(*at, time.most), height(*value, values.most))
                };
                draw(
                    &mut svg,
                    &class,
                    &piece.iter().map(place).collect::<Vec<_>>(),
                );
            }
        }
        svg.push_str("</svg>");
        svg
    }

    fn description(&self) -> String {
        let names: Vec<_> = self.lines.iter().map(|(name, _)| name.as_str()).collect();
        let most = self
            .most()
            .map_or_else(|| "n/a".to_owned(), super::outline::number);
        format!("{} over time; the most is {most}", names.join(", "))
    }
}

impl BarChart {
    pub(super) fn svg(&self) -> String {
        let most = self.bars.iter().map(|bar| bar.1).max().unwrap_or(0);
        let scale = Scale::of(most as f64);
        let mut svg = opening(&self.title, &format!("{} bars", self.bars.len()), HEIGHT);
        let step = (WIDTH - LEFT) / self.bars.len().max(1) as f64;
        for (number, (label, count)) in self.bars.iter().enumerate() {
            let (x, y) = (
                LEFT + step * number as f64,
                height(*count as f64, scale.most),
            );
            let _ = write!(
                svg,
                "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
                 <title>{label}: {count}</title></rect>\
                 <text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                x + 1.0,
                (step - 2.0).max(1.0),
                HEIGHT - BOTTOM - y,
                x + step / 2.0,
                HEIGHT - 8.0,
                label = escaped(label)
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

impl TimeLine {
    pub(super) fn svg(&self) -> String {
        let tall = TOP + BOTTOM + 26.0 * self.rows.len() as f64;
        let time = Scale::of_time(self.span);
        let count: usize = self.rows.iter().map(|row| row.1.len()).sum();
        let mut svg = opening(&self.title, &format!("{count} marks over time"), tall);
        time_axis(&mut svg, &time, tall);
        for (number, (name, marks)) in self.rows.iter().enumerate() {
            let y = TOP + 26.0 * number as f64 + 13.0;
            let _ = write!(
                svg,
                "<text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{name}</text>",
                LEFT - 6.0,
                y + 4.0
            );
            for (at, text) in marks {
                let _ = write!(
                    svg,
                    "<circle class=\"mark\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{}</title></circle>",
                    across(*at, time.most),
                    escaped(text)
                );
            }
        }
        svg.push_str("</svg>");
        svg
    }
}

fn opening(title: &str, description: &str, tall: f64) -> String {
    format!(
        "<svg role=\"img\" viewBox=\"0 0 {} {tall}\"><title>{}</title><desc>{}</desc>",
        WIDTH + 24.0,
        escaped(title),
        escaped(description)
    )
}

fn time_axis(svg: &mut String, time: &Scale, tall: f64) {
    for (at, label) in &time.steps {
        let x = LEFT + at / time.most * (WIDTH - LEFT);
        let _ = write!(
            svg,
            "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
             <text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>",
            tall - BOTTOM,
            tall - 8.0
        );
    }
}

fn across(at: i64, most: f64) -> f64 {
    LEFT + (at as f64 / most).clamp(0.0, 1.0) * (WIDTH - LEFT)
}

fn height(value: f64, most: f64) -> f64 {
    HEIGHT - BOTTOM - (value / most).clamp(0.0, 1.0) * (HEIGHT - BOTTOM - TOP)
}

/// A point that stands alone is a dot, because a line of one point is invisible.
fn draw(svg: &mut String, class: &str, places: &[(f64, f64)]) {
    if let [(x, y)] = places {
        let _ = write!(
            svg,
            "<circle class=\"{class} dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2\"/>"
        );
        return;
    }
    let _ = write!(svg, "<polyline class=\"{class}\" points=\"");
    for (x, y) in places {
        let _ = write!(svg, "{x:.1},{y:.1} ");
    }
    svg.push_str("\"/>");
}

/// Runs of points without a gap between them.
fn pieces(points: &[(i64, Option<f64>)]) -> Vec<Vec<(i64, f64)>> {
    let runs = points.split(|(_, value)| value.is_none());
    runs.filter(|run| !run.is_empty())
        .map(|run| {
            run.iter()
                .filter_map(|(at, value)| Some((*at, (*value)?)))
                .collect()
        })
        .collect()
}

/// At most two points for each column, the least and the most of it, so that no peak is lost. Gaps
/// stay.
fn thinned(points: &[(i64, Option<f64>)], most: f64) -> Points {
    let column = |at: i64| (at as f64 / most * COLUMNS) as i64;
    let alike = |a: &(i64, Option<f64>), b: &(i64, Option<f64>)| {
        a.1.is_some() == b.1.is_some() && column(a.0) == column(b.0)
    };
    let mut kept = Vec::new();
    for group in points.chunk_by(alike) {
        let by_value = |a: &&(i64, Option<f64>), b: &&(i64, Option<f64>)| {
            let value = |point: &(i64, Option<f64>)| point.1.unwrap_or(0.0);
            value(a).total_cmp(&value(b))
        };
        let mut ends: Vec<_> = [group.iter().min_by(by_value), group.iter().max_by(by_value)]
            .into_iter()
            .flatten()
            .copied()
            .collect();
        ends.sort_by_key(|point| point.0);
        ends.dedup();
        kept.extend(ends);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_gaps_and_single_points_are_seen() {
        let points = vec![
            (0, Some(1.0)),
            (100, Some(2.0)),
            (200, None),
            (900, Some(1.5)),
        ];
        let chart = LineChart {
            title: "T".into(),
            span: 1_000,
            lines: vec![("a".into(), points)],
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("dot\"").count(), 1);
    }

    #[test]
    fn many_points_keep_their_peaks() {
        let peak = |at| if at == 50_001 { 99.0 } else { 1.0 };
        let points: Points = (0..100_000).map(|at| (at, Some(peak(at)))).collect();
        let thin = thinned(&points, 100_000.0);
        assert!(
            thin.len() <= 700 && thin.contains(&(50_001, Some(99.0))),
            "{}",
            thin.len()
        );
    }
}
