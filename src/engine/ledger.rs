//! What is kept of the cards with a job: its energy, and readings for the report.

use std::collections::BTreeMap;
use std::time::Duration;

use super::core::Now;
use crate::base::Moment;
use crate::model::{Card, CardMemory, Energy, Job, JobId, LoadedModel, Phase, Readings, Snapshot};
use crate::stats::EnergyMeter;
use crate::store::{CardPoint, JobReadings, Write};

/// Time between two readings that are stored. The energy goes to the disk with them, so that a
/// power cut costs no more of it.
const STORE_EVERY: Duration = Duration::from_secs(10);

/// After a longer time without readings the cards were left alone, because nothing ran.
const REST: Duration = Duration::from_secs(5);

/// The books of a run.
#[derive(Debug)]
pub(super) struct Ledger {
    meter: EnergyMeter,
    totals: BTreeMap<JobId, Energy>,
    unsaved: BTreeMap<JobId, Energy>,
    read: Option<Moment>,
    stored: Option<Moment>,
}

impl Ledger {
    /// Goes on where an earlier process stopped.
    pub(super) fn new(jobs: &[Job]) -> Self {
        let totals = jobs.iter().filter_map(|job| Some((job.id, job.energy?)));
        Self {
            meter: EnergyMeter::default(),
            totals: totals.collect(),
            unsaved: BTreeMap::new(),
            read: None,
            stored: None,
        }
    }

    /// Energy of a job, earlier processes included.
    pub(super) fn energy(&self, job: JobId) -> Option<Energy> {
        self.totals.get(&job).copied()
    }

    /// Takes readings that were taken while `seen` was the picture of the run. Returns what is to
    /// be written.
    pub(super) fn read(&mut self, readings: &Readings, seen: &Snapshot, now: Now) -> Vec<Write> {
        // Energy of the time between two jobs belongs to neither.
        let Some(job) = seen.active else {
            self.meter.pause();
            return self.flush();
        };
        let read = self.read.replace(now.moment);
        if read.is_some_and(|read| now.moment.since(read) > REST) {
            self.meter.pause();
        }
        let before = self.meter.used();
        self.meter.sample(now.moment, readings.working_cards());
        if let Some(used) = self.meter.used() {
            let used = used - before.unwrap_or_default();
            for book in [&mut self.totals, &mut self.unsaved] {
                let entry = book.entry(job).or_default();
                *entry = *entry + used;
            }
        }
        let is_due = self
            .stored
            .is_none_or(|at| now.moment.since(at) >= STORE_EVERY);
        if !is_due {
            return Vec::new();
        }
        self.stored = Some(now.moment);
        let mut writes = self.flush();
        writes.push(Write::Readings(Box::new(kept(job, readings, seen, now))));
        writes
    }

    /// The energy that is not on its way to the disk yet.
    pub(super) fn flush(&mut self) -> Vec<Write> {
        let unsaved = std::mem::take(&mut self.unsaved);
        unsaved
            .into_iter()
            .map(|(job, energy)| Write::Energy(job, energy))
            .collect()
    }
}

fn kept(job: JobId, readings: &Readings, seen: &Snapshot, now: Now) -> JobReadings {
    let lanes = &seen.lanes;
    let in_flight = lanes.iter().filter(|lane| lane.phase != Phase::BackingOff);
    let loaded = &seen.server.loaded;
    let sum = |size: fn(&LoadedModel) -> Option<u64>| {
        loaded.iter().filter_map(size).reduce(u64::saturating_add)
    };
    JobReadings {
        job,
        at: now.stamp,
        lanes: in_flight.count() as u32,
        server_size: sum(|model| model.size),
        server_size_vram: sum(|model| model.size_vram),
        requests_per_second: seen.rates.requests,
        answer_tokens_per_second: seen.rates.answer_tokens,
        cards: readings.cards.iter().map(point).collect(),
    }
}

fn point(card: &Card) -> CardPoint {
    CardPoint {
        id: card.id.clone(),
        name: card.name.clone(),
        memory_used: card.memory.map(|CardMemory { used, .. }| used),
        memory_total: card.memory.map(|CardMemory { total, .. }| total),
        busy_percent: card.busy_percent,
        celsius: card.celsius,
        watts: card.watts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Stamp;
    use crate::engine::board::Board;
    use crate::engine::core::Core;

    fn seen(active: Option<i64>) -> Snapshot {
        let mut board = Board::new(String::new(), false, &[], Moment::ZERO);
        let core = Core::new(Vec::new());
        let overview = core.overview(Moment::ZERO);
        Snapshot {
            active: active.map(JobId),
            ..board.snapshot(overview, Moment::ZERO, Stamp(0))
        }
    }

    fn read(ledger: &mut Ledger, second: u64, active: Option<i64>) -> Vec<Write> {
        let now = Now {
            moment: Moment(Duration::from_secs(second)),
            stamp: Stamp(second as i64 * 1_000),
        };
        let card = Card {
            id: "GPU-1".to_owned(),
            joules: Some(second as f64 * 100.0),
            ..Card::default()
        };
        let readings = Readings {
            cards: vec![card],
            ..Readings::default()
        };
        ledger.read(&readings, &seen(active), now)
    }

    fn joules(ledger: &Ledger, job: i64) -> Option<f64> {
        ledger.energy(JobId(job)).map(|energy| energy.joules)
    }

    #[test]
    fn energy_belongs_to_the_job_that_runs_and_rest_to_none() {
        let mut ledger = Ledger::new(&[]);
        for (second, job) in [(0, Some(1)), (1, Some(1)), (2, Some(2)), (3, None)] {
            read(&mut ledger, second, job);
        }
        assert_eq!(joules(&ledger, 1), Some(100.0));
        assert_eq!(joules(&ledger, 2), Some(100.0));
        // The cards were left alone for an hour while the server was away.
        for second in [4, 3_604, 3_605] {
            read(&mut ledger, second, Some(2));
        }
        assert_eq!(joules(&ledger, 2), Some(200.0));
        assert_eq!(joules(&ledger, 3), None);
    }

    #[test]
    fn what_is_written_adds_up_and_comes_every_ten_seconds() {
        let mut ledger = Ledger::new(&[]);
        let (mut rows, mut written) = (0, 0.0);
        for second in 0..=60 {
            for write in read(&mut ledger, second, Some(1)) {
                match write {
                    Write::Energy(_, energy) => written += energy.joules,
                    Write::Readings(_) => rows += 1,
                    other => panic!("{other:?}"),
                }
            }
        }
        assert_eq!(rows, 7);
        assert!((written - 6_000.0).abs() < 1e-6);
        read(&mut ledger, 61, Some(1));
        assert_eq!(ledger.flush().len(), 1);
        assert!(ledger.flush().is_empty());
    }
}
