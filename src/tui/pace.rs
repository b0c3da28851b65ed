//! When the next picture may be drawn: 30 a second at most, of which one may come early. Without
//! that a key that is pressed right behind a picture of news would wait for a whole frame.

use std::time::Duration;

use tokio::time::Instant;

/// Pictures are this far apart in the long run. With the early one, there are never more than 30
/// in a second.
const FRAME: Duration = Duration::from_millis(35);

/// The pace of pictures.
#[derive(Debug, Default)]
pub(super) struct Pace {
    /// When the pictures drawn so far would all have had their time.
    spent: Option<Instant>,
}

impl Pace {
    /// The earliest moment for the next picture, seen from `now`.
    pub(super) fn next(&self, now: Instant) -> Instant {
        self.spent.map_or(now, |spent| now.max(spent - FRAME))
    }

    /// A picture was drawn.
    pub(super) fn drawn(&mut self, now: Instant) {
        self.spent = Some(self.spent.map_or(now, |spent| spent.max(now)) + FRAME);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_behind_a_picture_of_news_is_shown_at_once() {
        let mut pace = Pace::default();
        let mut now = Instant::now();
        for _ in 0..100 {
            now += Duration::from_millis(100);
            assert_eq!(pace.next(now), now, "news");
            pace.drawn(now);
            assert_eq!(pace.next(now), now, "a key");
            pace.drawn(now);
        }
    }

    #[test]
    fn there_are_never_more_than_thirty_pictures_a_second() {
        let mut pace = Pace::default();
        let start = Instant::now();
        let mut drawn = Vec::new();
        let mut now = start;
        while now < start + Duration::from_secs(5) {
            now = pace.next(now);
            pace.drawn(now);
            drawn.push(now);
        }
        for first in &drawn {
            let second = *first..*first + Duration::from_secs(1);
            let pictures = drawn.iter().filter(|at| second.contains(at)).count();
            assert!(pictures <= 30, "{pictures}");
        }
        assert!(drawn.len() > 140);
    }
}
