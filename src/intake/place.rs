//! Where in a line a value stands. Built on the stack while walking down; turned into text only
//! when there is something to say.

use std::fmt;

use super::problem::quoted;

/// A step down into a JSON value, and the place it was taken from.
#[derive(Clone, Copy)]
pub(super) enum Place<'a> {
    /// The line itself.
    Line,
    /// A field of an object.
    Field(&'a Place<'a>, &'a str),
    /// An entry of a list, from 0.
    Entry(&'a Place<'a>, usize),
}

impl<'a> Place<'a> {
    pub(super) const fn field(&'a self, name: &'a str) -> Self {
        Self::Field(self, name)
    }

    pub(super) const fn entry(&'a self, index: usize) -> Self {
        Self::Entry(self, index)
    }

    /// The path in full; nothing for the line itself.
    pub(super) fn path(&self) -> Option<String> {
        (!matches!(self, Self::Line)).then(|| format!("{self}"))
    }

    /// The path without the numbers of entries, so that equal fields count together.
    pub(super) fn general_path(&self) -> Option<String> {
        (!matches!(self, Self::Line)).then(|| format!("{self:#}"))
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line => Ok(()),
            Self::Field(parent, name) => {
                parent.fmt(f)?;
                if !matches!(parent, Self::Line) {
                    f.write_str(".")?;
                }
                // A name from outside is shown, not obeyed, and cut short.
                f.write_str(quoted(name).trim_matches('`'))
            }
            Self::Entry(parent, _) if f.alternate() => write!(f, "{parent:#}[]"),
            Self::Entry(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn a_path_reads_as_one_would_write_it() {
        let body = Place::Line.field("body");
        let messages = body.field("messages");
        let message = messages.entry(3);
        let content = message.field("content");
        assert_eq!(content.path().unwrap(), "body.messages[3].content");
        assert_eq!(content.general_path().unwrap(), "body.messages[].content");
        assert_eq!(Place::Line.path(), None);
    }

    #[test]
    fn a_name_from_outside_cannot_fill_the_screen() {
        let long = "\u{1b}".repeat(1_000);
        let path = Place::Line.field(&long).path().unwrap();
        assert!(path.chars().count() <= 40 && !path.contains('\u{1b}'));
    }
}
