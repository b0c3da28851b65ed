//! The number of lanes of jobs that leave it to be found.

use super::tuner::{Retuned, Sample, Tuner};
use super::{Core, Flight, Now};
use crate::model::{Answer, EventKind, LoadOptions, Parallel};

/// More lanes than this are not looked for: no server of one machine works on more at once.
const MOST: u32 = 64;

impl Core {
    /// How many lanes are best for what is loaded, as far as is known.
    pub(super) fn tuned_lanes(&self) -> usize {
        let tuner = self.load.options().and_then(|load| self.tuners.get(load));
        tuner.map_or(1, |tuner| tuner.lanes() as usize)
    }

    /// An earlier run has found so many lanes: the search goes on from there.
    pub(super) fn recall_lanes(&mut self, load: &LoadOptions, lanes: Option<u32>) {
        if lanes.is_some() && !self.tuners.contains_key(load) {
            let tuner = Tuner::new(lanes, MOST, self.stepped);
            self.tuners.insert(load.clone(), tuner);
        }
    }

    /// From now on the lanes of what was loaded are found.
    pub(super) fn begin_tuning(&mut self, load: &LoadOptions, now: Now) {
        self.tuners
            .entry(load.clone())
            .or_insert_with(|| Tuner::new(None, MOST, now.moment));
    }

    /// Learns from an answer how many lanes are best.
    pub(super) fn tune(&mut self, flight: &Flight, answer: &Answer, now: Now) {
        if !self.is_tuned(flight) {
            return;
        }
        let sample = Sample::of(answer, flight.since, flight.beside);
        let tuner = self.tuners.get_mut(&flight.load);
        let retuned = tuner.and_then(|tuner| tuner.answered(&sample, now.moment));
        self.tell_lanes(flight, retuned, now);
    }

    /// The server got into trouble with this request among the others. One that is alone because
    /// it was in a crash before has only itself to blame.
    pub(super) fn ease(&mut self, flight: &Flight, why: &str, now: Now) {
        if !self.is_tuned(flight) || flight.request.attempts.crashes > 0 {
            return;
        }
        let tuner = self.tuners.get_mut(&flight.load);
        let retuned = tuner.and_then(|tuner| tuner.trouble(why, flight.since, now.moment));
        self.tell_lanes(flight, retuned, now);
    }

    fn is_tuned(&self, flight: &Flight) -> bool {
        let entry = self.jobs.get(&flight.request.unit.job);
        entry.is_some_and(|entry| entry.settings.parallel == Parallel::Auto)
    }

    /// Steps of the search are not worth telling; what it found is.
    fn tell_lanes(&mut self, flight: &Flight, retuned: Option<Retuned>, now: Now) {
        let Some(Retuned {
            to,
            why,
            found: true,
            ..
        }) = retuned
        else {
            return;
        };
        let lanes = if to == 1 { "lane" } else { "lanes" };
        let text = format!("{to} {lanes} for `{}`: {why}", flight.load.model);
        let job = Some(flight.request.unit.job);
        self.tell(job, EventKind::Lanes, text, now);
    }
}
