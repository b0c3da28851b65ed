//! Times as people read them on a screen: fixed width, clock times with their day.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::base::Stamp;

const WITH_DAY: &str = "%a %-d %b %H:%M";

/// `02:41:07`: how long something takes or has taken; hours go on beyond a day.
pub(crate) fn elapsed(length: Duration) -> String {
    let seconds = length.as_secs();
    format!(
        "{:02}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// `11:22:09`.
pub(crate) fn seconds(at: Stamp, zone: &TimeZone) -> String {
    write(at, zone, "%H:%M:%S")
}

/// `11:22`, with the day before it (`Sun 22 Nov 05:22`) where that is not the day of `now`.
fn time(at: Stamp, now: Stamp, zone: &TimeZone) -> String {
    let is_today = write(at, zone, "%F") == write(now, zone, "%F");
    write(at, zone, if is_today { "%H:%M" } else { WITH_DAY })
}

/// `Sat 21 Nov 11:22–11:58`, with the second day where it is another; one time where both are in
/// the same minute.
pub(crate) fn interval(from: Stamp, to: Stamp, zone: &TimeZone) -> String {
    let [first, last] = [from, to].map(|at| write(at, zone, WITH_DAY));
    if first == last {
        return first;
    }
    format!("{first}–{}", time(to, from, zone))
}

fn write(at: Stamp, zone: &TimeZone, format: &str) -> String {
    Timestamp::from_millisecond(at.0).map_or_else(
        |_| "n/a".to_owned(),
        |time| time.to_zoned(zone.clone()).strftime(format).to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Stamp = Stamp(1_795_262_400_000);

    #[test]
    fn the_day_is_said_where_it_is_another() {
        let zone = TimeZone::UTC;
        let hours = |n: u64| NOON.after(Duration::from_hours(n));
        assert_eq!(time(hours(1), NOON, &zone), "13:00");
        assert_eq!(interval(hours(1), hours(1), &zone), "Sat 21 Nov 13:00");
        assert_eq!(
            interval(hours(1), hours(2), &zone),
            "Sat 21 Nov 13:00–14:00"
        );
        assert_eq!(
            interval(hours(14), hours(16), &zone),
            "Sun 22 Nov 02:00–04:00"
        );
        assert_eq!(
            interval(hours(11), hours(14), &zone),
            "Sat 21 Nov 23:00–Sun 22 Nov 02:00"
        );
        assert_eq!(time(Stamp(i64::MAX), NOON, &zone), "n/a");
    }

    #[test]
    fn hours_go_on_beyond_a_day() {
        assert_eq!(elapsed(Duration::from_secs(9_667)), "02:41:07");
        assert_eq!(elapsed(Duration::from_hours(100)), "100:00:00");
    }
}
