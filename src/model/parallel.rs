//! How many requests of a job may be outstanding.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How many requests may be outstanding. Written as a number or as `auto`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub enum Parallel {
    /// As many as the server is found to work on at once.
    #[default]
    Auto,
    /// So many.
    Fixed(u32),
}

impl Parallel {
    /// The word for finding the number.
    pub const AUTO: &'static str = "auto";
    /// The most that may be asked for. The same as in the settings.
    pub const MOST: u32 = 4_096;

    /// So many; none would send nothing and counts as one.
    pub const fn lanes(lanes: u32) -> Self {
        match lanes {
            0 => Self::Fixed(1),
            Self::MOST.. => Self::Fixed(Self::MOST),
            lanes => Self::Fixed(lanes),
        }
    }

    /// How many, where the user has said so.
    pub const fn fixed(self) -> Option<u32> {
        match self {
            Self::Auto => None,
            Self::Fixed(lanes) => Some(lanes),
        }
    }
}

impl fmt::Display for Parallel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Auto => f.write_str(Self::AUTO),
            Self::Fixed(lanes) => lanes.fmt(f),
        }
    }
}

/// As JSON and the database hold it.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Number(u32),
    Word(String),
}

impl From<Parallel> for Written {
    fn from(parallel: Parallel) -> Self {
        match parallel {
            Parallel::Auto => Self::Word(Parallel::AUTO.to_owned()),
            Parallel::Fixed(lanes) => Self::Number(lanes),
        }
    }
}

impl TryFrom<Written> for Parallel {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        match written {
            Written::Number(lanes @ 1..=Self::MOST) => Ok(Self::Fixed(lanes)),
            Written::Number(other) => Err(format!("`{other}` is no number of lanes")),
            Written::Word(word) if word == Self::AUTO => Ok(Self::Auto),
            Written::Word(word) => Err(format!("`{word}` is neither a number nor `auto`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case(Parallel::Auto, r#""auto""#)]
    #[case(Parallel::Fixed(4), "4")]
    fn it_is_a_number_or_a_word(#[case] parallel: Parallel, #[case] written: &str) {
        assert_eq!(serde_json::to_string(&parallel).unwrap(), written);
        assert_eq!(serde_json::from_str::<Parallel>(written).unwrap(), parallel);
        assert_eq!(parallel.to_string(), written.trim_matches('"'));
    }

    #[rstest]
    #[case("0")]
    #[case("4097")]
    #[case(r#""many""#)]
    #[case("-1")]
    fn nothing_else_is(#[case] written: &str) {
        assert!(serde_json::from_str::<Parallel>(written).is_err());
    }

    #[test]
    fn no_lanes_are_one() {
        assert_eq!(Parallel::lanes(0), Parallel::Fixed(1));
        assert_eq!(Parallel::lanes(u32::MAX), Parallel::Fixed(Parallel::MOST));
    }
}
