//! What sections consist of.

use crate::report::page::chart::{BarChart, LineChart, TimeLine};

/// A part of a report.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) struct Section {
    /// What it is about.
    pub(in crate::report::page) title: &'static str,
    /// What it says.
    pub(in crate::report::page) blocks: Vec<Block>,
}

/// What a section consists of.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::report::page) enum Block {
    /// How far a job is.
    Progress(Progress),
    /// The figures that one looks for first.
    Tiles(Vec<Tile>),
    /// Names with values.
    Facts(Vec<(&'static str, String)>),
    /// A table.
    Table(Table),
    /// A sentence.
    Note(String),
    /// A command line.
    Command(String),
    /// Lines over time.
    Lines(LineChart),
    /// A histogram.
    Bars(BarChart),
    /// What happened when.
    Marks(TimeLine),
}

/// How far a job is, in requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::page) struct Progress {
    /// Those with an answer.
    pub(in crate::report::page) done: u64,
    /// Those that failed.
    pub(in crate::report::page) failed: u64,
    /// All of them.
    pub(in crate::report::page) total: u64,
}

/// A figure that one looks for first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report::page) struct Tile {
    /// What it is.
    pub(in crate::report::page) name: &'static str,
    /// The figure.
    pub(in crate::report::page) value: String,
    /// What belongs to it.
    pub(in crate::report::page) detail: String,
}

/// Rows under a head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::report::page) struct Table {
    /// The columns.
    pub(in crate::report::page) head: Vec<Column>,
    /// The rows, each with a cell for each column.
    pub(in crate::report::page) rows: Vec<Vec<String>>,
}

/// A column with its title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::report::page) enum Column {
    /// Words begin on the left.
    Words(&'static str),
    /// Figures end on the right, so that their places stand below each other.
    Figures(&'static str),
}

impl Column {
    /// Its title.
    pub(in crate::report::page) const fn title(self) -> &'static str {
        match self {
            Self::Words(title) | Self::Figures(title) => title,
        }
    }
}
