//! Lines over time.

use std::fmt::Write as _;

use super::{COLOURS, HALF, Spans};
use crate::report::page::scale::Scale;

/// Columns in which points are drawn; of more points in one, the least and the most are.
const COLUMNS: f64 = 245.0;

/// Lines over time.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct LineChart {
    /// What it shows, with its unit.
    pub(in crate::report::page) title: String,
    /// The time it covers, in milliseconds.
    pub(in crate::report::page) span: i64,
    /// Stretches in which nothing ended.
    pub(in crate::report::page) idle: Spans,
    /// The lines with their names, which may be outside text.
    pub(in crate::report::page) lines: Vec<(String, Points)>,
}

/// Milliseconds from the start with a value; `None` is a gap.
pub(in crate::report::page) type Points = Vec<(i64, Option<f64>)>;

impl LineChart {
    /// The largest value; `None` where there is none at all.
    pub(in crate::report::page) fn most(&self) -> Option<f64> {
        let values = self.lines.iter().flat_map(|(_, points)| points);
        values.filter_map(|point| point.1).reduce(f64::max)
    }

    pub(in crate::report::page) fn svg(&self) -> String {
        let time = Scale::of_time(self.span);
        let values = Scale::of(self.most().unwrap_or(0.0));
        let mut svg = HALF.opening(&self.title, &self.description());
        HALF.idle(&mut svg, &self.idle, &time);
        HALF.time_axis(&mut svg, &time);
        HALF.value_axis(&mut svg, &values);
        for (number, (_, points)) in self.lines.iter().enumerate() {
            for piece in pieces(&thinned(points, time.most)) {
                let places: Vec<_> = piece
                    .iter()
                    .map(|(at, value)| (HALF.across(*at, time.most), HALF.up(*value, values.most)))
                    .collect();
                if self.lines.len() == 1 {
                    fill(&mut svg, &places);
                }
                draw(&mut svg, number % COLOURS, &places);
            }
        }
        svg.push_str("</svg>");
        svg
    }

    fn description(&self) -> String {
        let names: Vec<_> = self.lines.iter().map(|(name, _)| name.as_str()).collect();
        let most = self
            .most()
            .map_or_else(|| "n/a".to_owned(), crate::report::page::outline::number);
        format!("{} over time; the most is {most}", names.join(", "))
    }
}

/// Shades what lies under a line.
fn fill(svg: &mut String, places: &[(f64, f64)]) {
    let (Some(first), Some(last)) = (places.first(), places.last()) else {
        return;
    };
    let floor = HALF.floor();
    let _ = write!(
        svg,
        "<polygon class=\"area\" points=\"{:.1},{floor}",
        first.0
    );
    for (x, y) in places {
        let _ = write!(svg, " {x:.1},{y:.1}");
    }
    let _ = write!(svg, " {:.1},{floor}\"/>", last.0);
}

/// A point that stands alone is a dot, because a line of one point is invisible.
fn draw(svg: &mut String, colour: usize, places: &[(f64, f64)]) {
    if let [(x, y)] = places {
        let _ = write!(
            svg,
            "<circle class=\"dot dot{colour}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"2.5\"/>"
        );
        return;
    }
    let _ = write!(svg, "<polyline class=\"line line{colour}\" points=\"");
    for (number, (x, y)) in places.iter().enumerate() {
        let space = if number == 0 { "" } else { " " };
        let _ = write!(svg, "{space}{x:.1},{y:.1}");
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
            idle: Vec::new(),
            lines: vec![("a".into(), points)],
        };
        let svg = chart.svg();
        assert_eq!(svg.matches("<polyline").count(), 1);
        assert_eq!(svg.matches("class=\"dot").count(), 1);
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
