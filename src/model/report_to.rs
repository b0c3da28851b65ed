//! The forms of a report, by the words and the endings of files that name them, and where one goes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A form in which a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// Text with tables, for a ticket or a repository.
    Markdown,
    /// One page with charts, for a browser or paper.
    Html,
    /// All of it, for programs.
    Json,
    /// The time series, for a spreadsheet.
    Csv,
}

/// A word that names no form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no form of a report: md, html, json or csv")]
pub struct UnknownFormat(pub String);

impl Format {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Markdown, Self::Html, Self::Json, Self::Csv];

    /// The word for it, which is also the ending of its files.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Markdown => "md",
            Self::Html => "html",
            Self::Json => "json",
            Self::Csv => "csv",
        }
    }

    /// The form that the ending of this file's name says.
    pub fn of_path(path: &Path) -> Option<Self> {
        path.extension()?.to_str()?.parse().ok()
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(word: &str) -> Result<Self, UnknownFormat> {
        match word.to_ascii_lowercase().as_str() {
            "md" | "markdown" => Ok(Self::Markdown),
            "html" | "htm" => Ok(Self::Html),
            "json" => Ok(Self::Json),
            "csv" => Ok(Self::Csv),
            _ => Err(UnknownFormat(word.to_owned())),
        }
    }
}

/// Where the report of a run goes at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportTo {
    /// Beside the batch file, in this form.
    Beside(Format),
    /// To this file.
    File(Format, PathBuf),
}

impl ReportTo {
    /// The form of it.
    pub const fn format(&self) -> Format {
        match self {
            Self::Beside(format) | Self::File(format, _) => *format,
        }
    }
}

impl FromStr for ReportTo {
    type Err = UnknownFormat;

    /// A form, or the name of a file whose ending is one.
    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        if let Ok(format) = text.parse() {
            return Ok(Self::Beside(format));
        }
        let path = PathBuf::from(text);
        let format = Format::of_path(&path).ok_or_else(|| UnknownFormat(text.to_owned()))?;
        Ok(Self::File(format, path))
    }
}

impl fmt::Display for ReportTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beside(format) => format.fmt(f),
            Self::File(_, path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("out/report.html", Some(Format::Html))]
    #[case("REPORT.MD", Some(Format::Markdown))]
    #[case("a.report.csv", Some(Format::Csv))]
    #[case("report", None)]
    #[case("report.pdf", None)]
    fn the_ending_of_a_file_says_its_form(#[case] path: &str, #[case] format: Option<Format>) {
        assert_eq!(Format::of_path(Path::new(path)), format);
    }

    #[test]
    fn words_go_to_forms_and_back() {
        for format in Format::ALL {
            assert_eq!(format.word().parse(), Ok(format));
        }
        assert_eq!("pdf".parse::<Format>(), Err(UnknownFormat("pdf".into())));
    }
}
