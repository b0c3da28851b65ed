use tempfile::TempDir;

use super::*;
use crate::model::{JobSettings, JobState};
use crate::store::{NewJob, Store, Write, Written};

struct Bench {
    folder: TempDir,
    store: Store,
    job: JobId,
}

fn bench() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let new = NewJob {
        name: "a.jsonl".into(),
        path: "/a.jsonl".into(),
        settings: JobSettings::default(),
        created: Stamp(0),
    };
    let written = store.apply(&[Write::OpenJob(new)]).unwrap().remove(0);
    let Written::Job(job) = written else {
        panic!("{written:?}")
    };
    Bench {
        folder,
        store,
        job: job.id,
    }
}

fn at(job: JobId, at: i64) -> JobReadings {
    JobReadings {
        job,
        at: Stamp(at),
        lanes: 4,
        server_size: Some(u64::MAX),
        server_size_vram: Some(8 << 30),
        requests_per_second: Some(4.0),
        answer_tokens_per_second: None,
        cards: vec![CardPoint {
            id: "GPU-1".to_owned(),
            name: "RTX".to_owned(),
            memory_used: Some(u64::MAX),
            memory_total: Some(16 << 30),
            celsius: Some(61),
            ..CardPoint::default()
        }],
    }
}

impl Bench {
    fn keep(&mut self, stamps: impl IntoIterator<Item = i64>) {
        let job = self.job;
        let writes = stamps.into_iter().map(|stamp| at(job, stamp));
        let writes: Vec<Write> = writes.map(|it| Write::Readings(Box::new(it))).collect();
        self.store.apply(&writes).unwrap();
    }

    fn reader(&self) -> Reader {
        Reader::open(self.folder.path()).unwrap().unwrap()
    }

    fn kept(&self) -> Vec<i64> {
        let readings = self.reader().readings(self.job).unwrap();
        readings.iter().map(|it| it.at.0).collect()
    }
}

#[test]
fn what_is_kept_is_read_again_and_what_cannot_be_is_unknown() {
    let mut bench = bench();
    bench.keep([5]);
    let readings = bench.reader().readings(bench.job).unwrap();
    let expected = JobReadings {
        server_size: None,
        ..at(bench.job, 5)
    };
    assert_eq!(readings, [expected]);
}

#[test]
fn readings_that_follow_too_closely_are_left_out_and_clocks_may_jump() {
    let mut bench = bench();
    bench.keep([0, 1_000, 10_000, 19_500, 25_000, 12_000, 22_000, i64::MAX]);
    assert_eq!(bench.kept(), [0, 10_000, 19_500, 12_000, 22_000, i64::MAX]);
}

#[test]
fn a_long_night_stays_small_and_evenly_spread() {
    let mut bench = bench();
    bench.keep((0..20_000).map(|n| n * 10_000));
    let kept = bench.kept();
    assert!((1_000..=4_097).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept[0], 0);
    let steps: Vec<i64> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let (least, most) = (steps.iter().min().unwrap(), steps.iter().max().unwrap());
    assert!(most <= &(least * 2), "{least} {most}");
    assert!(kept.last().unwrap() > &(19_980 * 10_000));
}

#[test]
fn energy_is_added_up_and_unknown_until_then() {
    let mut bench = bench();
    assert_eq!(bench.reader().job(bench.job).unwrap().unwrap().energy, None);
    let energy = Energy {
        joules: 2.5,
        estimated: 1.0,
    };
    for _ in 0..2 {
        let write = Write::Energy(bench.job, energy);
        bench.store.apply(&[write]).unwrap();
    }
    let expected = energy + energy;
    let job = bench.reader().job(bench.job).unwrap().unwrap();
    assert_eq!(job.energy, Some(expected));
}

#[test]
fn a_job_that_is_gone_takes_its_readings_along_and_stays_gone() {
    let mut bench = bench();
    bench.keep([0]);
    let gone = bench.job;
    let cancel = Write::SetState(gone, JobState::Cancelled, Stamp(1));
    bench.store.apply(&[cancel, Write::Remove(gone)]).unwrap();
    let late = Write::Energy(gone, Energy::default());
    bench.store.apply(&[late]).unwrap();
    bench.keep([20_000]);
    assert!(bench.kept().is_empty());
    assert_eq!(bench.reader().job(gone).unwrap(), None);
}

#[test]
fn a_queue_of_the_first_format_is_brought_up_to_date_by_whoever_looks_first() {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(folder.path().join(Store::FILE)).unwrap();
    connection
        .execute_batch(include_str!("../../assets/sql/0001_start.sql"))
        .unwrap();
    connection
        .execute(
            "INSERT INTO job (name, state, settings, source, created)
             VALUES ('old.jsonl', 'queued', '{}', '{\"path\":\"\",\"bytes\":0,\"hash\":\"\"}', 7)",
            [],
        )
        .unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    let jobs = reader.jobs().unwrap();
    assert_eq!((jobs[0].name.as_str(), jobs[0].energy), ("old.jsonl", None));
}
