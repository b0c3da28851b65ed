//! Charts as SVG inside a page. Every text in them is made here or escaped here.

mod bars;
mod lines;
mod time_line;

use std::fmt::Write as _;

pub(super) use bars::{Bar, BarChart};
pub(super) use lines::{LineChart, Points};
pub(super) use time_line::{Mark, Row, TimeLine};

use super::html::escaped;
use super::scale::Scale;

const LEFT: f64 = 52.0;
const BOTTOM: f64 = 24.0;
const TOP: f64 = 10.0;

/// The size of a chart, in the units of its picture.
#[derive(Debug, Clone, Copy)]
struct Frame {
    /// Where the plot ends on the right; the last label of an axis stands out a little.
    right: f64,
    /// The height of the whole picture.
    tall: f64,
}

/// Charts that stand beside each other.
const HALF: Frame = Frame {
    right: 544.0,
    tall: 190.0,
};

/// Colours before they come again.
pub(super) const COLOURS: usize = 6;

/// Stretches of time, in milliseconds from the start.
pub(super) type Spans = Vec<(i64, i64)>;

impl Frame {
    fn opening(self, title: &str, description: &str) -> String {
        format!(
            "<svg role=\"img\" viewBox=\"0 0 {} {}\"><title>{}</title><desc>{}</desc>",
            self.right + 24.0,
            self.tall,
            escaped(title),
            escaped(description)
        )
    }

    fn time_axis(self, svg: &mut String, time: &Scale) {
        for (at, label) in &time.steps {
            let x = LEFT + at / time.most * (self.right - LEFT);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{TOP}\" y2=\"{:.1}\"/>\
                 <text class=\"x\" x=\"{x:.1}\" y=\"{:.1}\">{label}</text>",
                self.floor(),
                self.tall - 8.0
            );
        }
    }

    fn value_axis(self, svg: &mut String, values: &Scale) {
        for (number, (value, label)) in values.steps.iter().enumerate() {
            let y = self.up(*value, values.most);
            let class = if number == 0 { "base" } else { "grid" };
            let _ = write!(
                svg,
                "<line class=\"{class}\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
                self.right,
                LEFT - 6.0,
                y + 4.0
            );
        }
    }

    /// Shades the stretches in which nothing ended.
    fn idle(self, svg: &mut String, idle: &[(i64, i64)], time: &Scale) {
        for (from, until) in idle {
            let (x, end) = (
                self.across(*from, time.most),
                self.across(*until, time.most),
            );
            let _ = write!(
                svg,
                "<rect class=\"idle\" x=\"{x:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                end - x,
                self.floor() - TOP
            );
        }
    }

    fn across(self, at: i64, most: f64) -> f64 {
        LEFT + (at as f64 / most).clamp(0.0, 1.0) * (self.right - LEFT)
    }

    fn up(self, value: f64, most: f64) -> f64 {
        self.floor() - (value / most).clamp(0.0, 1.0) * (self.floor() - TOP)
    }

    fn floor(self) -> f64 {
        self.tall - BOTTOM
    }
}
