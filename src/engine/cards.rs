//! What the cards say: the latest readings, their history for graphs, and what is worth telling.

use std::sync::Arc;
use std::time::Duration;

use super::history::points;
use crate::base::{Moment, Ring};
use crate::model::{Card, CardHistory, CardMemory, Readings, TakenReadings};
use crate::stats::Series;

/// Cards whose history is kept.
const CARDS: usize = 16;
/// A card that is lost and comes back all the time must not fill the log.
const TOLD_AGAIN: Duration = Duration::from_mins(10);
/// Sentences of which it is known when they were last told.
const TOLD: usize = 64;

/// The cards of a run.
#[derive(Debug)]
pub(super) struct Cards {
    latest: Option<TakenReadings>,
    histories: Vec<History>,
    told: Ring<(String, Moment)>,
    /// The second of the view, until something new is read.
    viewed: Option<u64>,
    view: Arc<[CardHistory]>,
}

/// Readings of a card over time.
#[derive(Debug)]
struct History {
    id: Arc<str>,
    memory: Series,
    busy: Series,
    celsius: Series,
    watts: Series,
}

impl Cards {
    pub(super) fn new() -> Self {
        Self {
            latest: None,
            histories: Vec::new(),
            told: Ring::new(TOLD),
            viewed: None,
            view: Arc::new([]),
        }
    }

    /// Takes new readings. Returns what is worth telling: each sentence at most once in ten
    /// minutes.
    pub(super) fn read(&mut self, readings: Arc<Readings>, now: Moment) -> Vec<String> {
        for card in &readings.cards {
            if let Some(history) = self.history(&card.id) {
                history.add(card, now);
            }
        }
        let before = self.latest.as_ref();
        let was_absent = before.and_then(|taken| taken.readings.absent.as_ref());
        let mut news = readings.news.clone();
        if let Some(why) = readings
            .absent
            .as_ref()
            .filter(|why| Some(*why) != was_absent)
        {
            news.push(format!("no card can be read: {why}"));
        }
        news.retain(|text| self.is_new(text, now));
        self.latest = Some(TakenReadings { at: now, readings });
        self.viewed = None;
        news
    }

    fn is_new(&mut self, text: &str, now: Moment) -> bool {
        let told = self
            .told
            .iter()
            .any(|(before, at)| before == text && now.since(*at) < TOLD_AGAIN);
        if !told {
            self.told.push((text.to_owned(), now));
        }
        !told
    }

    fn history(&mut self, id: &str) -> Option<&mut History> {
        let place = self.histories.iter().position(|one| &*one.id == id);
        if place.is_none() && self.histories.len() < CARDS {
            self.histories.push(History::new(id));
            return self.histories.last_mut();
        }
        self.histories.get_mut(place?)
    }

    /// The latest readings.
    pub(super) fn latest(&self) -> Option<TakenReadings> {
        self.latest.clone()
    }

    /// The history up to now. Worked out once a second and after
    /// new readings; copying it copies no points.
    pub(super) fn view(&mut self, now: Moment) -> Arc<[CardHistory]> {
        let second = now.0.as_secs();
        if self.viewed != Some(second) {
            self.viewed = Some(second);
            self.view = self.histories.iter().map(|one| one.view(now)).collect();
        }
        Arc::clone(&self.view)
    }
}

impl History {
    fn new(id: &str) -> Self {
        Self {
            id: id.into(),
            memory: Series::new(),
            busy: Series::new(),
            celsius: Series::new(),
            watts: Series::new(),
        }
    }

    fn add(&mut self, card: &Card, now: Moment) {
        let memory = card.memory.as_ref().map(CardMemory::filled_percent);
        let figures = [
            (&mut self.memory, memory),
            (&mut self.busy, card.busy_percent.map(f64::from)),
            (&mut self.celsius, card.celsius.map(f64::from)),
            (&mut self.watts, card.watts),
        ];
        for (series, value) in figures {
            if let Some(value) = value {
                series.add(now, value);
            }
        }
    }

    fn view(&self, now: Moment) -> CardHistory {
        CardHistory {
            id: Arc::clone(&self.id),
            memory: points(&self.memory, now),
            busy: points(&self.busy, now),
            celsius: points(&self.celsius, now),
            watts: points(&self.watts, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    fn card(id: &str, celsius: Option<i32>) -> Card {
        Card {
            id: id.to_owned(),
            celsius,
            ..Card::default()
        }
    }

    fn readings(cards: Vec<Card>, news: &[&str]) -> Arc<Readings> {
        Arc::new(Readings {
            cards,
            news: news.iter().map(|text| (*text).to_owned()).collect(),
            ..Readings::default()
        })
    }

    #[test]
    fn a_missing_reading_is_a_gap_and_never_nothing() {
        let mut cards = Cards::new();
        for (second, celsius) in [(10, Some(61)), (11, None), (12, Some(63))] {
            cards.read(readings(vec![card("a", celsius)], &[]), at(second));
        }
        let view = cards.view(at(12));
        assert_eq!(
            view[0].celsius.recent[597..],
            [Some(61.0), None, Some(63.0)]
        );
        assert!(view[0].watts.recent.iter().all(Option::is_none));
        assert_eq!(cards.latest().unwrap().at, at(12));
    }

    #[test]
    fn cards_are_known_by_identity_and_their_number_is_bounded() {
        let mut cards = Cards::new();
        cards.read(
            readings(vec![card("a", Some(1)), card("b", Some(2))], &[]),
            at(1),
        );
        cards.read(readings(vec![card("b", Some(4))], &[]), at(2));
        let view = cards.view(at(2));
        assert_eq!(view[0].celsius.recent[598..], [Some(1.0), None]);
        assert_eq!(view[1].celsius.recent[598..], [Some(2.0), Some(4.0)]);
        let many = (0..50).map(|n| card(&n.to_string(), Some(1))).collect();
        cards.read(readings(many, &[]), at(3));
        assert_eq!(cards.view(at(3)).len(), CARDS);
    }

    #[test]
    fn a_card_that_comes_and_goes_is_told_once_in_ten_minutes() {
        let mut cards = Cards::new();
        let mut told = 0;
        for second in 0..1_200 {
            let news = ["is lost", "is back"][second as usize % 2];
            told += cards.read(readings(Vec::new(), &[news]), at(second)).len();
        }
        assert_eq!(told, 4);
    }

    #[test]
    fn that_there_is_no_card_is_told_once() {
        let mut cards = Cards::new();
        let absent = Arc::new(Readings {
            absent: Some("no driver".to_owned()),
            ..Readings::default()
        });
        let first = cards.read(Arc::clone(&absent), at(1));
        assert_eq!(first, ["no card can be read: no driver"]);
        assert!(cards.read(absent, at(2)).is_empty());
    }
}
