//! Rates over time for the graph, and marks where something happened that explains them.

use std::sync::Arc;
use std::time::Duration;

use crate::base::{Moment, Ring};
use crate::model::{EventKind, HistoryView, Mark, SeriesView};
use crate::stats::{Rates, Series};

/// A point is the rate over so long: long enough to be calm, short enough to show an outage.
const SMOOTH: Duration = Duration::from_secs(15);
/// Marks kept.
const MARKS: usize = 100;

/// Rates over time in bounded memory.
#[derive(Debug)]
pub(super) struct History {
    ends: Rates,
    requests: Series,
    answer_tokens: Series,
    marks: Ring<Mark>,
    sampled: Option<u64>,
    view: HistoryView,
}

impl History {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            ends: Rates::new(SMOOTH, now),
            requests: Series::new(),
            answer_tokens: Series::new(),
            marks: Ring::new(MARKS),
            sampled: None,
            view: HistoryView::default(),
        }
    }

    /// A request came to its end with so many tokens.
    pub(super) fn ended(&mut self, now: Moment, tokens: u64) {
        self.ends.add(now, 1, tokens);
    }

    /// Something happened; it is marked where it explains the rates.
    pub(super) fn event(&mut self, kind: EventKind, now: Moment) {
        if kind.explains_rates() {
            self.marks.push(Mark { at: now, kind });
            self.view.marks = self.marks.iter().copied().collect();
        }
    }

    /// Takes a point, at most one a second; none while nothing is under way.
    pub(super) fn sample(&mut self, now: Moment, is_working: bool) {
        let second = now.0.as_secs();
        if self.sampled == Some(second) {
            return;
        }
        self.sampled = Some(second);
        if let (true, Some(ends)) = (is_working, self.ends.events(now)) {
            self.requests.add(now, ends);
            self.answer_tokens
                .add(now, self.ends.amounts(now).unwrap_or_default());
        }
        self.view.requests = points(&self.requests, now);
        self.view.answer_tokens = points(&self.answer_tokens, now);
    }

    /// What there is. Copying it copies no points.
    pub(super) fn view(&self) -> HistoryView {
        self.view.clone()
    }
}

pub(super) fn points(series: &Series, now: Moment) -> SeriesView {
    let whole = series.whole();
    let short = |point: Option<f64>| point.map(|value| value as f32);
    SeriesView {
        recent: series.recent(now).map(short).collect::<Arc<[_]>>(),
        whole: whole.points.into_iter().map(short).collect(),
        whole_step: whole.step,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment(Duration::from_secs(seconds))
    }

    #[test]
    fn idle_time_is_a_gap_and_work_is_a_rate() {
        let mut history = History::new(at(0));
        for second in 0..30 {
            history.ended(at(second), 10);
            history.sample(at(second), true);
        }
        history.sample(at(31), false);
        let recent = history.view().requests.recent;
        assert_eq!(recent.last(), Some(&None));
        let before = recent[recent.len() - 3].unwrap();
        assert!((before - 1.0).abs() < 0.1, "{before}");
    }

    #[test]
    fn only_what_explains_the_rates_is_marked_and_the_oldest_goes() {
        let mut history = History::new(at(0));
        history.event(EventKind::RequestFailed, at(1));
        assert!(history.view().marks.is_empty());
        for second in 0..150 {
            history.event(EventKind::ServerDown, at(second));
        }
        let marks = history.view().marks;
        assert_eq!((marks.len(), marks[0].at), (MARKS, at(50)));
    }
}
