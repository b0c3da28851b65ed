//! A histogram.

use std::fmt::Write as _;

use super::{HALF, LEFT, escaped};
use crate::base::count;
use crate::report::page::scale::Scale;

/// Bars beside each other.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct BarChart {
    /// What it shows.
    pub(in crate::report::page) title: String,
    /// The bars.
    pub(in crate::report::page) bars: Vec<Bar>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct Bar {
    /// What stands under it.
    pub(in crate::report::page) label: String,
    /// How high it is.
    pub(in crate::report::page) count: u64,
}

impl BarChart {
    pub(in crate::report::page) fn svg(&self) -> String {
        let most = self.bars.iter().map(|bar| bar.count).max().unwrap_or(0);
        let scale = Scale::of_counts(most);
        let mut svg = HALF.opening(&self.title, &format!("{} bars", self.bars.len()));
        HALF.value_axis(&mut svg, &scale);
        let step = (HALF.right - LEFT) / self.bars.len().max(1) as f64;
        for (number, bar) in self.bars.iter().enumerate() {
            draw(
                &mut svg,
                bar,
                (LEFT + step * number as f64, step),
                scale.most,
            );
        }
        svg.push_str("</svg>");
        svg
    }
}

fn draw(svg: &mut String, bar: &Bar, (left, step): (f64, f64), most: f64) {
    let y = HALF.up(bar.count as f64, most);
    let gap = (step * 0.12).min(6.0);
    let _ = write!(
        svg,
        "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"{:.1}\">\
         <title>{label}: {count}</title></rect>\
         <text class=\"x\" x=\"{:.1}\" y=\"{:.1}\">{label}</text>",
        left + gap / 2.0,
        (step - gap).max(1.0),
        HALF.floor() - y,
        left + step / 2.0,
        HALF.tall - 8.0,
        label = escaped(&bar.label),
        count = count(bar.count)
    );
}
