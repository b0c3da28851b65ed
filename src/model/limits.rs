//! What the guard holds a card to: settings of the user.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The limits. What is `None` is not watched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GuardLimits {
    /// Memory of the card, in per cent, from which nothing is sent.
    pub memory_pause: f64,
    /// Memory of the card, in per cent, from which fewer requests are sent.
    pub memory_ease: f64,
    /// Temperature in °C from which nothing is sent.
    pub heat_pause: i32,
    /// Temperature in °C below which it goes on.
    pub heat_resume: i32,
    /// Power of a card, in watts, from which fewer requests are sent.
    pub watts: Option<f64>,
    /// Whether to give way to other programs on the card.
    pub neighbour: bool,
    /// The hours in which work may be done.
    pub hours: Option<Hours>,
    /// Whether models may run although part of them surely does not fit the cards.
    pub allow_spill: bool,
}

impl Default for GuardLimits {
    fn default() -> Self {
        Self {
            memory_pause: 95.0,
            memory_ease: 90.0,
            heat_pause: 85,
            heat_resume: 75,
            watts: None,
            neighbour: false,
            hours: None,
            allow_spill: false,
        }
    }
}

/// Hours of the day, in minutes since midnight, the end excluded. They may go past midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    from: u16,
    to: u16,
}

/// A text that names no hours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no stretch of the day such as `22:00-07:00`")]
pub struct WrongHours(pub String);

impl Hours {
    /// Whether the minute of the day is within. From and to the same means all day.
    pub const fn contains(self, minute: u16) -> bool {
        if self.from < self.to {
            self.from <= minute && minute < self.to
        } else {
            self.from <= minute || minute < self.to
        }
    }
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to) = (self.from, self.to);
        write!(
            f,
            "{:02}:{:02}-{:02}:{:02}",
            from / 60,
            from % 60,
            to / 60,
            to % 60
        )
    }
}

impl FromStr for Hours {
    type Err = WrongHours;

    fn from_str(text: &str) -> Result<Self, WrongHours> {
        let minute = |text: &str| -> Option<u16> {
            let (hour, minute) = text.trim().split_once(':')?;
            let (hour, minute): (u16, u16) = (hour.parse().ok()?, minute.parse().ok()?);
            (hour < 24 && minute < 60).then_some(hour * 60 + minute)
        };
        let read = || {
            let (from, to) = text.split_once('-')?;
            let (from, to) = (minute(from)?, minute(to)?);
            Some(Self { from, to })
        };
        read().ok_or_else(|| WrongHours(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("22:00-07:00", &[22 * 60, 0, 6 * 60 + 59], &[7 * 60, 12 * 60])]
    #[case("08:30 - 17:00", &[8 * 60 + 30, 16 * 60 + 59], &[8 * 60 + 29, 17 * 60])]
    #[case("06:00-06:00", &[0, 6 * 60, 23 * 60], &[])]
    fn hours_may_go_past_midnight(
        #[case] text: &str,
        #[case] within: &[u16],
        #[case] outside: &[u16],
    ) {
        let hours: Hours = text.parse().unwrap();
        assert!(within.iter().all(|&minute| hours.contains(minute)));
        assert!(!outside.iter().any(|&minute| hours.contains(minute)));
        assert_eq!(hours.to_string().parse(), Ok(hours));
    }

    #[rstest]
    #[case("")]
    #[case("22-7")]
    #[case("24:00-07:00")]
    #[case("22:60-07:00")]
    #[case("-1:00-2:00")]
    fn other_texts_are_no_hours(#[case] text: &str) {
        assert!(text.parse::<Hours>().is_err());
    }
}
