//! Results as CSV, for a spreadsheet.

use std::io::{self, Write};

use super::observation::{Ending, Observation};
use super::requests::Requests;
use super::score::Score;
use super::summary::Added;

/// A column that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// The user's name for the request.
    CustomId,
    /// `answered`, or the class of the failure.
    Status,
    /// The score, where there is a valid one.
    Score,
    /// The text of the answer, or the words of the failure.
    Answer,
    /// `finish_reason`.
    Finish,
    /// The model that answered.
    Model,
    /// Tokens of the prompt.
    PromptTokens,
    /// Tokens of the answer.
    AnswerTokens,
    /// Milliseconds from sending to the last byte.
    WallMs,
}

impl Column {
    /// Every column, in the order in which they are written.
    pub const ALL: &'static [Self] = &[
        Self::CustomId,
        Self::Status,
        Self::Score,
        Self::Answer,
        Self::Finish,
        Self::Model,
        Self::PromptTokens,
        Self::AnswerTokens,
        Self::WallMs,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::CustomId => "custom_id",
            Self::Status => "status",
            Self::Score => "score",
            Self::Answer => "answer",
            Self::Finish => "finish_reason",
            Self::Model => "model",
            Self::PromptTokens => "prompt_tokens",
            Self::AnswerTokens => "answer_tokens",
            Self::WallMs => "wall_ms",
        }
    }

    /// The column with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|found| found.name() == name)
    }

    fn cell(self, observation: &Observation, score: Option<Score>) -> String {
        let number =
            |tokens: Option<u64>| tokens.map_or_else(String::new, |tokens| tokens.to_string());
        let text = |text: &Option<String>| guarded(text.as_deref().unwrap_or_default());
        match (self, &observation.ending) {
            (Self::CustomId, _) => text(&observation.custom_id),
            (Self::Status, Ending::Answered(_)) => "answered".to_owned(),
            (Self::Status, Ending::Failed { class, .. }) => guarded(class),
            (Self::Score, _) => match score {
                Some(Score::Valid(score)) => score.to_string(),
                Some(Score::Invalid) | None => String::new(),
            },
            (Self::Answer, Ending::Answered(seen)) => text(&seen.text),
            (Self::Answer, Ending::Failed { message, .. }) => guarded(message),
            (Self::Finish, Ending::Answered(seen)) => text(&seen.finish),
            (Self::Model, Ending::Answered(seen)) => text(&seen.model),
            (Self::PromptTokens, Ending::Answered(seen)) => number(seen.prompt_tokens),
            (Self::AnswerTokens, Ending::Answered(seen)) => number(seen.answer_tokens),
            (Self::WallMs, Ending::Answered(seen)) => seen
                .wall_ms
                .map_or_else(String::new, |millis| millis.to_string()),
            (_, Ending::Failed { .. }) => String::new(),
        }
    }
}

/// Outside text that a spreadsheet program does not take for a formula: what begins with
/// `= + - @`, a tab or a carriage return gets an apostrophe before it (OWASP, "CSV Injection").
/// Numbers stay numbers.
pub fn guarded(text: &str) -> String {
    let is_formula =
        text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    if is_formula {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

/// Writes observations as rows.
pub struct Export<W: Write> {
    writer: csv::Writer<W>,
    columns: Vec<Column>,
    requests: Option<Requests>,
    /// Whether an answer has something in each of the columns.
    filled: Vec<bool>,
    answers: u64,
}

/// A byte order mark, without which Excel takes UTF-8 for another encoding.
const BOM: &[u8] = b"\xef\xbb\xbf";

impl<W: Write> Export<W> {
    /// Writes a byte order mark, if there is to be one, and the header. The columns of the requests,
    /// if there are any, stand behind the others.
    pub fn new(
        mut output: W,
        columns: Vec<Column>,
        requests: Option<Requests>,
        bom: bool,
    ) -> io::Result<Self> {
        if bom {
            output.write_all(BOM)?;
        }
        let mut writer = csv::Writer::from_writer(output);
        for column in &columns {
            writer.write_field(column.name())?;
        }
        for name in requests.iter().flat_map(Requests::header) {
            writer.write_field(guarded(&name))?;
        }
        writer.write_record(None::<&[u8]>)?;
        Ok(Self {
            writer,
            filled: vec![false; columns.len()],
            columns,
            requests,
            answers: 0,
        })
    }

    /// Writes a row.
    pub fn add(&mut self, observation: &Observation, added: &Added) -> io::Result<()> {
        let is_answer = matches!(observation.ending, Ending::Answered(_));
        self.answers += u64::from(is_answer);
        for (column, is_filled) in self.columns.iter().zip(&mut self.filled) {
            let cell = column.cell(observation, added.score);
            *is_filled |= is_answer && !cell.is_empty();
            self.writer.write_field(cell)?;
        }
        if let Some(requests) = &mut self.requests {
            let id = observation.custom_id.as_deref();
            for cell in requests.cells(id, added.occurrence) {
                self.writer.write_field(cell)?;
            }
        }
        Ok(self.writer.write_record(None::<&[u8]>)?)
    }

    /// The columns in which no answer has anything, where there are answers.
    pub fn empty_columns(&self) -> impl Iterator<Item = Column> {
        let columns = self.columns.iter().zip(&self.filled);
        let empty = columns.filter(|(_, is_filled)| !**is_filled && self.answers > 0);
        empty.map(|(column, _)| *column)
    }

    /// Gives back what was written to, and the requests with what is known of them now.
    pub fn finish(self) -> io::Result<(W, Option<Requests>)> {
        let output = self
            .writer
            .into_inner()
            .map_err(csv::IntoInnerError::into_error)?;
        Ok((output, self.requests))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;

    #[rstest]
    #[case("=1+1", "'=1+1")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case("-cmd|' /C calc'!A0", "'-cmd|' /C calc'!A0")]
    #[case("+49 30", "'+49 30")]
    #[case("\t=1", "'\t=1")]
    #[case("-5.5", "-5.5")]
    #[case("plain = text", "plain = text")]
    fn formulas_are_text(#[case] text: &str, #[case] expected: &str) {
        assert_eq!(guarded(text), expected);
    }

    proptest! {
        #[test]
        fn rows_read_back(ids in prop::collection::vec("[a-z\",;\n\r=+@é-]{0,9}", 1..20)) {
            let mut export = Export::new(Vec::new(), Column::ALL.to_vec(), None, false).unwrap();
            for id in &ids {
                let ending = Ending::Failed { class: "timeout".into(), message: id.clone() };
                let observation = Observation { custom_id: Some(id.clone()), ending };
                export.add(&observation, &Added { score: None, occurrence: 0 }).unwrap();
            }
            let (bytes, _) = export.finish().unwrap();
            let mut reader = csv::Reader::from_reader(bytes.as_slice());
            let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
            prop_assert_eq!(rows.len(), ids.len());
            for (row, id) in rows.iter().zip(&ids) {
                prop_assert_eq!(&row[0], guarded(id));
                prop_assert!(!row[3].starts_with(['=', '+', '@']));
            }
        }
    }
}
