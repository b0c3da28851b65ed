//! Cells in columns of fixed width: numbers to the right, words to the left, nothing dances.

use ratatui::text::{Line, Span};

use crate::tui::text::{left, right};
use crate::tui::theme::{Meaning, Theme};

/// A cell of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    text: String,
    meaning: Meaning,
    columns: usize,
    is_number: bool,
}

impl Column {
    /// A word in so many columns, at the left.
    pub fn word(meaning: Meaning, text: impl Into<String>, columns: usize) -> Self {
        Self {
            text: text.into(),
            meaning,
            columns,
            is_number: false,
        }
    }

    /// A number in so many columns, at the right.
    pub fn number(meaning: Meaning, text: impl Into<String>, columns: usize) -> Self {
        Self {
            text: text.into(),
            meaning,
            columns,
            is_number: true,
        }
    }
}

/// The line of a row, one space between its cells.
pub fn cells(theme: &Theme, row: &[Column]) -> Line<'static> {
    let mut line = Line::default();
    for (place, cell) in row.iter().filter(|cell| cell.columns > 0).enumerate() {
        if place > 0 {
            line.push_span(" ");
        }
        let fit = if cell.is_number { right } else { left };
        line.push_span(Span::styled(
            fit(&cell.text, cell.columns),
            theme.style(cell.meaning),
        ));
    }
    line
}
