//! A switch for tests: ends the process at a commit of one's choice, as a power cut would, or
//! panics there, as a mistake in the program would.
//!
//! `before:claim:2` ends it when the second commit that claims requests is about to be made,
//! `after:claim:2` when it has just been made and nobody has been told yet, and `panic:claim:2`
//! panics before it. The kinds of commits are those of [`Write::kind`], `migrate` and `recover`,
//! and `commit` for any of them. `picture` is no commit, but a picture of the screen.

use std::str::FromStr;

use thiserror::Error;

use super::{Record, Write};

/// Where the process is to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KillPoint {
    side: Side,
    kind: String,
    left: u32,
    panics: bool,
}

/// Where a commit is just now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// Everything is written in the transaction.
    Before,
    /// It is on disk.
    After,
}

/// The text names no point.
#[derive(Debug, Error)]
#[error("`{0}` is no point to end at; `before:claim:1` and `after:answer:2` are some")]
pub struct NoKillPoint(String);

/// Stands for every kind.
const ANY: &str = "commit";
/// Stands for a picture of the screen.
const PICTURE: &str = "picture";

impl FromStr for KillPoint {
    type Err = NoKillPoint;

    fn from_str(text: &str) -> Result<Self, NoKillPoint> {
        let wrong = || NoKillPoint(text.to_owned());
        let mut parts = text.split(':');
        let (side, panics) = match parts.next() {
            Some("before") => (Side::Before, false),
            Some("after") => (Side::After, false),
            Some("panic") => (Side::Before, true),
            _ => return Err(wrong()),
        };
        let kind = parts.next().ok_or_else(wrong)?.to_owned();
        let left = parts.next().and_then(|number| number.parse().ok());
        match (left, parts.next()) {
            (Some(left @ 1..), None) => Ok(Self {
                side,
                kind,
                left,
                panics,
            }),
            _ => Err(wrong()),
        }
    }
}

impl KillPoint {
    /// Ends the process if a picture is about to be drawn that is the place.
    pub fn pass_picture(&mut self) {
        if self.kind == PICTURE {
            self.pass(Side::Before, &[PICTURE]);
        }
    }

    /// Ends the process if this is the place.
    pub(super) fn pass(&mut self, side: Side, kinds: &[&str]) {
        if !self.is_reached(side, kinds) {
            return;
        }
        assert!(!self.panics, "a test wants a panic at `{}`", self.kind);
        kill();
    }

    fn is_reached(&mut self, side: Side, kinds: &[&str]) -> bool {
        if self.side != side || (self.kind != ANY && !kinds.contains(&self.kind.as_str())) {
            return false;
        }
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }
}

/// No destructor runs and no buffer is emptied.
fn kill() {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        // Where it is refused, the next line ends the process, too.
        let _ = kill_process(getpid(), Signal::KILL);
    }
    std::process::abort();
}

impl Write {
    /// The word for what it writes.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::OpenJob(_) => "open",
            Self::Admit(..) => "admit",
            Self::CloseJob(..) => "close",
            Self::Claim(..) => "claim",
            Self::Save(Record::Answered { .. }) => "answer",
            Self::Save(Record::Failed { .. }) => "failure",
            Self::Save(Record::Again { .. }) => "again",
            Self::Save(Record::Released { .. }) => "release",
            Self::SetState(..) => "state",
            Self::SetSettings(..) => "settings",
            Self::SetPriority(..) | Self::Reorder(..) => "order",
            Self::Retry(..) => "retry",
            Self::Remove(_) => "remove",
            Self::Log(_) => "log",
            Self::Energy(..) => "energy",
            Self::Readings(_) => "readings",
            Self::Measure(_) => "measure",
            Self::RanOn(..) => "ran-on",
            Self::Speak(..) => "speak",
            Self::EndConversation(..) => "end",
            Self::Trim(..) => "trim",
            Self::Recall(..) => "recall",
            Self::Learn(_) => "learn",
            Self::Forget(_) => "forget",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_point_is_reached_at_its_turn_and_on_its_side() {
        let mut point: KillPoint = "after:claim:2".parse().unwrap();
        assert!(!point.is_reached(Side::After, &["claim", "log"]));
        assert!(!point.is_reached(Side::Before, &["claim"]));
        assert!(!point.is_reached(Side::After, &["answer"]));
        assert!(point.is_reached(Side::After, &["claim"]));
    }

    #[test]
    fn any_commit_can_be_meant() {
        let mut point: KillPoint = "before:commit:1".parse().unwrap();
        assert!(point.is_reached(Side::Before, &["recover"]));
    }

    #[test]
    #[should_panic(expected = "a test wants a panic at `picture`")]
    fn a_picture_can_be_meant_and_a_panic() {
        let mut point: KillPoint = "panic:picture:2".parse().unwrap();
        point.pass(Side::Before, &["claim"]);
        point.pass_picture();
        point.pass_picture();
    }

    #[test]
    fn a_picture_is_no_commit() {
        let mut point: KillPoint = "before:commit:1".parse().unwrap();
        point.pass_picture();
        assert!(point.is_reached(Side::Before, &["recover"]));
    }

    #[rstest]
    fn what_names_no_point_is_refused(
        #[values(
            "",
            "claim",
            "within:claim:1",
            "before:claim",
            "before:claim:0",
            "a:b:1:2"
        )]
        text: &str,
    ) {
        let error = text.parse::<KillPoint>().unwrap_err();
        assert!(error.to_string().contains(&format!("`{text}`")), "{error}");
    }
}
