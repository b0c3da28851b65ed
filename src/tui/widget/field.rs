//! A line of text that is being typed.

use unicode_segmentation::UnicodeSegmentation;

use crate::base::{shown, width};
use crate::tui::key::{Code, Key};

/// A text with a cursor. Nothing that a terminal would obey gets in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Field {
    before: String,
    after: String,
}

/// Bytes that a field holds at most: a paste may be anything.
const LONGEST: usize = 4096;

impl Field {
    /// A field with this text, the cursor at its end.
    pub fn new(text: &str) -> Self {
        let mut field = Self::default();
        field.insert(text);
        field
    }

    /// What was typed.
    pub fn text(&self) -> String {
        format!("{}{}", self.before, self.after)
    }

    /// Puts text in at the cursor, without control characters and line ends.
    pub fn insert(&mut self, text: &str) {
        for c in text.chars().filter(|c| !c.is_control()) {
            if self.before.len() + self.after.len() + c.len_utf8() > LONGEST {
                break;
            }
            self.before.push(c);
        }
    }

    /// Takes a key, and says whether it was one for a field.
    pub fn key(&mut self, key: Key) -> bool {
        match key.code {
            Code::Char('u') if key.ctrl => self.before.clear(),
            Code::Char('w') if key.ctrl => self.drop_word(),
            Code::Char(c) if !key.ctrl && !key.alt => self.insert(&c.to_string()),
            Code::Named("space") => self.insert(" "),
            Code::Named("backspace") => {
                let start = self
                    .before
                    .grapheme_indices(true)
                    .next_back()
                    .map_or(0, |(at, _)| at);
                self.before.truncate(start);
            }
            Code::Named("delete") => {
                let rest = self.after.graphemes(true).skip(1).collect();
                self.after = rest;
            }
            Code::Named("left") => {
                let start = self
                    .before
                    .grapheme_indices(true)
                    .next_back()
                    .map_or(0, |(at, _)| at);
                self.after.insert_str(0, &self.before.split_off(start));
            }
            Code::Named("right") => {
                let first = self
                    .after
                    .graphemes(true)
                    .next()
                    .unwrap_or_default()
                    .to_owned();
                self.after.drain(..first.len());
                self.before.push_str(&first);
            }
            Code::Named("home") => {
                self.after.insert_str(0, &std::mem::take(&mut self.before));
            }
            Code::Named("end") => self.before.push_str(&std::mem::take(&mut self.after)),
            _ => return false,
        }
        true
    }

    /// What fits in so many columns around the cursor, and the column of the cursor in it.
    pub fn view(&self, columns: usize) -> (String, usize) {
        let room = columns.saturating_sub(1);
        let before = shown(&self.before);
        let mut start = before.len();
        for (at, _) in before.grapheme_indices(true).rev() {
            if width(before.get(at..).unwrap_or_default()) > room {
                break;
            }
            start = at;
        }
        let mut text = before.get(start..).unwrap_or_default().to_owned();
        let cursor = width(&text);
        for grapheme in shown(&self.after).graphemes(true) {
            if width(&text) + width(grapheme) > columns {
                break;
            }
            text.push_str(grapheme);
        }
        (text, cursor)
    }

    fn drop_word(&mut self) {
        let kept = self.before.trim_end().rfind(' ').map_or(0, |at| at + 1);
        self.before.truncate(kept);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(field: &mut Field, keys: &[&str]) {
        for key in keys {
            assert!(field.key(key.parse().unwrap()), "{key}");
        }
    }

    #[test]
    fn a_field_is_typed_in_and_corrected() {
        let mut field = Field::new("cat");
        typed(
            &mut field,
            &[
                "left",
                "left",
                "o",
                "end",
                "s",
                "space",
                "x",
                "backspace",
                "home",
                "delete",
            ],
        );
        assert_eq!(field.text(), "oats ");
        typed(&mut field, &["end", "ctrl-w"]);
        assert_eq!(field.text(), "");
        assert!(!field.key("enter".parse().unwrap()));
    }

    #[test]
    fn one_backspace_takes_a_whole_sign() {
        let mut field = Field::new("a👍🏽");
        typed(&mut field, &["backspace"]);
        assert_eq!(field.text(), "a");
    }

    #[test]
    fn a_paste_cannot_break_out_and_has_an_end() {
        let mut field = Field::default();
        field.insert("a\u{1b}[2J\nb");
        assert_eq!(field.text(), "a[2Jb");
        field.insert(&"x".repeat(1 << 20));
        assert!(field.text().len() <= LONGEST);
        assert!(width(&field.view(20).0) <= 20);
    }

    #[test]
    fn the_cursor_stays_in_view() {
        let field = Field::new("a long text that does not fit");
        assert_eq!(field.view(8), ("not fit".into(), 7));
        assert_eq!(field.view(0), (String::new(), 0));
    }
}
