//! Marks and stretches on a time line.

use std::fmt::Write as _;

use super::{BOTTOM, Frame, LEFT, Spans, TOP, escaped};
use crate::report::page::scale::Scale;

/// The height of a row.
const ROW: f64 = 24.0;
/// It is as wide as two charts beside each other.
const RIGHT: f64 = 1_136.0;

/// What happened when, in rows.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct TimeLine {
    /// What it shows.
    pub(in crate::report::page) title: String,
    /// The time it covers, in milliseconds.
    pub(in crate::report::page) span: i64,
    /// Stretches in which nothing ended.
    pub(in crate::report::page) idle: Spans,
    /// The rows.
    pub(in crate::report::page) rows: Vec<Row>,
}

/// What happened in one respect.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct Row {
    /// In which one.
    pub(in crate::report::page) name: &'static str,
    /// What happened, oldest first.
    pub(in crate::report::page) marks: Vec<Mark>,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct Mark {
    /// When, in milliseconds from the start.
    pub(in crate::report::page) at: i64,
    /// Until when it lasted, where it did.
    pub(in crate::report::page) until: Option<i64>,
    /// What, in words: outside text.
    pub(in crate::report::page) text: String,
}

impl TimeLine {
    pub(in crate::report::page) fn svg(&self) -> String {
        let frame = Frame {
            right: RIGHT,
            tall: TOP + BOTTOM + ROW * self.rows.len() as f64,
        };
        let time = Scale::of_time(self.span);
        let count: usize = self.rows.iter().map(|row| row.marks.len()).sum();
        let mut svg = frame.opening(&self.title, &format!("{count} marks over time"));
        frame.idle(&mut svg, &self.idle, &time);
        frame.time_axis(&mut svg, &time);
        for (number, row) in self.rows.iter().enumerate() {
            let y = TOP + ROW * number as f64 + ROW / 2.0;
            let _ = write!(
                svg,
                "<text class=\"y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                LEFT - 6.0,
                y + 4.0,
                row.name
            );
            for mark in &row.marks {
                let from = frame.across(mark.at, time.most);
                let until = mark.until.map(|until| frame.across(until, time.most));
                draw(&mut svg, (&mark.text, row.name), (from, until), y);
            }
        }
        svg.push_str("</svg>");
        svg
    }
}

/// Draws a mark: a dot, or a bar where it lasted.
fn draw(svg: &mut String, (text, row): (&str, &str), (from, until): (f64, Option<f64>), y: f64) {
    let text = escaped(text);
    let _ = match until {
        Some(until) => write!(
            svg,
            "<rect class=\"mark mark-{row}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"8\" \
             rx=\"3\"><title>{text}</title></rect>",
            y - 4.0,
            (until - from).max(8.0)
        ),
        None => write!(
            svg,
            "<circle class=\"mark mark-{row}\" cx=\"{from:.1}\" cy=\"{y:.1}\" r=\"4\"><title>{text}</title></circle>"
        ),
    };
}
