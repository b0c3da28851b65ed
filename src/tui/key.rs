//! Keys and mouse events in the program's own words, so that a change of terminal library stays
//! in `screen.rs` and `input.rs`.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// A key with what was held down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Which one.
    pub code: Code,
    /// With Ctrl.
    pub ctrl: bool,
    /// With Alt.
    pub alt: bool,
    /// With Shift; never with a character, which is another character then.
    pub shift: bool,
}

/// A key alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Code {
    /// A character.
    Char(char),
    /// A function key, from 1.
    Function(u8),
    /// One with a name: its place in [`NAMES`].
    Named(&'static str),
}

/// The keys with names, as `keys.toml` writes them.
pub const NAMES: &[&str] = &[
    "up",
    "down",
    "left",
    "right",
    "home",
    "end",
    "pgup",
    "pgdn",
    "tab",
    "enter",
    "esc",
    "space",
    "backspace",
    "delete",
    "insert",
];

/// A text that names no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("is no key")]
pub struct NoKey;

impl Key {
    /// A key with nothing held down.
    pub const fn plain(code: Code) -> Self {
        Self {
            code,
            ctrl: false,
            alt: false,
            shift: false,
        }
    }

    /// A character with nothing held down.
    pub const fn char(c: char) -> Self {
        Self::plain(Code::Char(c))
    }

    /// The named key; the space bar where there is no such name.
    pub fn named(name: &str) -> Self {
        let found = NAMES.iter().find(|known| **known == name);
        Self::plain(Code::Named(found.copied().unwrap_or("space")))
    }
}

impl FromStr for Key {
    type Err = NoKey;

    fn from_str(text: &str) -> Result<Self, NoKey> {
        let mut key = Self::char(' ');
        let mut rest = text;
        loop {
            let before = rest;
            for (prefix, held) in [
                ("ctrl-", &mut key.ctrl),
                ("alt-", &mut key.alt),
                ("shift-", &mut key.shift),
            ] {
                if let Some(after) = rest.strip_prefix(prefix)
                    && !after.is_empty()
                {
                    *held = true;
                    rest = after;
                }
            }
            if rest == before {
                break;
            }
        }
        key.code = code(rest)?;
        if matches!(key.code, Code::Char(_)) && key.shift {
            return Err(NoKey);
        }
        Ok(key)
    }
}

fn code(text: &str) -> Result<Code, NoKey> {
    if let Some(&name) = NAMES.iter().find(|name| **name == text) {
        return Ok(Code::Named(name));
    }
    let function = text.strip_prefix('f').and_then(|n| n.parse().ok());
    if let Some(number @ 1..=24) = function {
        return Ok(Code::Function(number));
    }
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(c), None) if !c.is_control() && !c.is_whitespace() => Ok(Code::Char(c)),
        _ => Err(NoKey),
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (held, prefix) in [
            (self.ctrl, "ctrl-"),
            (self.alt, "alt-"),
            (self.shift, "shift-"),
        ] {
            if held {
                f.write_str(prefix)?;
            }
        }
        match self.code {
            Code::Char(c) => write!(f, "{c}"),
            Code::Function(number) => write!(f, "f{number}"),
            Code::Named(name) => f.write_str(name),
        }
    }
}

/// What the mouse did, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mouse {
    /// Column, from 0.
    pub column: u16,
    /// Row, from 0.
    pub row: u16,
    /// What it did.
    pub did: MouseDid,
}

/// What a mouse can do here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MouseDid {
    /// The left button went down.
    Click,
    /// The wheel turned up.
    WheelUp,
    /// The wheel turned down.
    WheelDown,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("q")]
    #[case("G")]
    #[case("-")]
    #[case("ctrl--")]
    #[case("ctrl-c")]
    #[case("ctrl-alt-x")]
    #[case("shift-tab")]
    #[case("f12")]
    #[case("f")]
    #[case("ü")]
    #[case("space")]
    fn keys_are_written_as_they_are_read(#[case] text: &str) {
        assert_eq!(text.parse::<Key>().unwrap().to_string(), text);
    }

    #[rstest]
    #[case("")]
    #[case(" ")]
    #[case("ctrl-")]
    #[case("f0")]
    #[case("f99")]
    #[case("entre")]
    #[case("shift-a")]
    #[case("\u{1b}")]
    fn other_texts_are_no_keys(#[case] text: &str) {
        assert_eq!(text.parse::<Key>(), Err(NoKey));
    }
}
