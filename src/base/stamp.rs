//! Times: [`Stamp`] is what a clock on the wall shows, [`Moment`] is what a stopwatch shows.

use std::ops::{Add, Sub};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Wall-clock time in milliseconds since 1970, UTC. It may jump; use it for people, never for
/// measuring.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Stamp(pub i64);

impl Stamp {
    /// What the machine's clock shows now. Pure places take a `Stamp` as an argument instead.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the wall clock"
    )]
    pub fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// Whole seconds since 1970, as OpenAI's `created` fields want them.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// `2026-11-21T10:24:09Z`: sortable and without a zone to guess.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(
            |_| "n/a".to_owned(),
            |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        )
    }

    /// `2026-11-21 11:24` in the machine's own time zone.
    pub fn local(self) -> String {
        jiff::Timestamp::from_millisecond(self.0).map_or_else(
            |_| "n/a".to_owned(),
            |time| {
                time.to_zoned(jiff::tz::TimeZone::system())
                    .strftime("%Y-%m-%d %H:%M")
                    .to_string()
            },
        )
    }

    /// Minutes since midnight in this time zone; `None` for a time that no calendar has.
    pub fn minute_of_day(self, zone: &jiff::tz::TimeZone) -> Option<u16> {
        let time = jiff::Timestamp::from_millisecond(self.0).ok()?;
        let zoned = time.to_zoned(zone.clone());
        let minutes = i32::from(zoned.hour()) * 60 + i32::from(zoned.minute());
        u16::try_from(minutes).ok()
    }

    /// The stamp `later` after this one.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(
            self.0
                .saturating_add(i64::try_from(later.as_millis()).unwrap_or(i64::MAX)),
        )
    }
}

/// Time since the engine started: only ever grows. Tests make their own, so a night passes in
/// milliseconds.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Moment(pub Duration);

impl Moment {
    /// The start.
    pub const ZERO: Self = Self(Duration::ZERO);

    /// Time from `earlier` to here; nothing when `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(rhs))
    }
}

impl Sub for Moment {
    type Output = Duration;

    fn sub(self, rhs: Self) -> Duration {
        self.since(rhs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_written_in_utc() {
        assert_eq!(Stamp(1_795_225_449_118).rfc3339(), "2026-11-21T01:44:09Z");
        assert_eq!(Stamp(i64::MAX).rfc3339(), "n/a");
    }

    #[test]
    fn the_minute_of_the_day_is_that_of_the_zone() {
        let stamp = Stamp(1_795_225_449_118);
        assert_eq!(stamp.minute_of_day(&jiff::tz::TimeZone::UTC), Some(104));
        let west = jiff::tz::TimeZone::fixed(jiff::tz::offset(-2));
        assert_eq!(stamp.minute_of_day(&west), Some(23 * 60 + 44));
        assert_eq!(Stamp(i64::MAX).minute_of_day(&west), None);
    }

    #[test]
    fn moments_never_go_below_nothing() {
        let early = Moment(Duration::from_secs(1));
        let late = early + Duration::from_secs(2);
        assert_eq!(late - early, Duration::from_secs(2));
        assert_eq!(early - late, Duration::ZERO);
    }
}
