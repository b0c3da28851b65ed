//! Readings that were written down beforehand, for tests and the demo.

use std::collections::VecDeque;

use super::Sampler;
use crate::model::Readings;

/// Gives one of its readings after the other, and the last one for ever.
#[derive(Debug, Clone)]
pub struct Scripted {
    ahead: VecDeque<Readings>,
    last: Readings,
}

impl Scripted {
    /// These readings in this order.
    pub fn new(readings: impl IntoIterator<Item = Readings>) -> Self {
        Self {
            ahead: readings.into_iter().collect(),
            last: Readings::default(),
        }
    }
}

impl Sampler for Scripted {
    fn sample(&mut self) -> Readings {
        if let Some(next) = self.ahead.pop_front() {
            self.last = next;
        } else {
            self.last.news.clear();
        }
        self.last.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reading_stays_and_its_news_do_not() {
        let reading = |why: &str| Readings {
            absent: Some(why.to_owned()),
            news: vec![why.to_owned()],
            ..Readings::default()
        };
        let mut scripted = Scripted::new([reading("one"), reading("two")]);
        let seen: Vec<_> = (0..3).map(|_| scripted.sample()).collect();
        assert_eq!(seen[0].absent.as_deref(), Some("one"));
        assert_eq!(seen[1], reading("two"));
        assert_eq!(seen[2].absent.as_deref(), Some("two"));
        assert!(seen[2].news.is_empty());
    }
}
