//! Where something stands in a file of keys or colours, for problems that can be pointed at.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use crate::config::{Origin, Problem};

/// A file of the user's, or one that is built in.
#[derive(Debug, Clone)]
pub struct Source<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl<'a> Source<'a> {
    /// The file at this path with this text.
    pub fn new(path: &Path, text: &'a str) -> Self {
        Self {
            path: path.into(),
            text,
        }
    }

    /// What it says.
    pub const fn text(&self) -> &'a str {
        self.text
    }

    /// Something is wrong with these bytes of it.
    pub fn problem(
        &self,
        span: Range<usize>,
        name: Option<&str>,
        what: impl Into<String>,
        suggestion: Option<String>,
    ) -> Problem {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Problem {
            origin: Origin::File {
                path: Arc::clone(&self.path),
                line: before.matches('\n').count() + 1,
                column: before.get(line_start..).unwrap_or("").chars().count() + 1,
            },
            setting: name.map(str::to_owned),
            what: what.into(),
            suggestion,
        }
    }

    /// The file is no TOML of the form that is wanted.
    pub fn syntax(&self, error: &toml::de::Error) -> Problem {
        let what = error.message().replace('\n', ", ");
        self.problem(error.span().unwrap_or_default(), None, what, None)
    }
}
