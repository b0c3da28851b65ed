use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::base::Stamp;
use crate::model::{
    Card, CardMemory, ContextView, Counts, Energy, HistoryView, LatencyView, RateView, Readings,
    Reuse, ReuseView, ServerView, TakenReadings, Tokens,
};

fn job(state: JobState) -> JobView {
    JobView {
        id: JobId(3),
        name: "candidates.jsonl".into(),
        state,
        priority: 0,
        counts: Counts {
            total: 170_000,
            done: 12_345,
            failed: 3,
            cut: 1,
            prompt_tokens: Tokens(30_000_000),
            answer_tokens: Tokens(600_000),
        },
        parallel: crate::model::Parallel::Fixed(4),
        eta: Some(Duration::from_mins(521)),
        eta_p90: Some(Duration::from_hours(9)),
        running_for: Duration::from_millis(3_078_500),
        energy: Some(Energy {
            joules: 72_000.5,
            estimated: 0.0,
        }),
        reuse: ReuseView {
            total: Reuse {
                requests: 12_000,
                prompt: Tokens(29_000_000),
                reused: Tokens(27_900_000),
                saved: Duration::from_mins(93),
            },
            ..ReuseView::default()
        },
    }
}

fn readings() -> Readings {
    Readings {
        cards: vec![Card {
            name: "RTX 4080".into(),
            memory: Some(CardMemory {
                total: 16 << 30,
                used: 10 << 30,
                free: 6 << 30,
            }),
            celsius: Some(61),
            ..Card::default()
        }],
        ..Readings::default()
    }
}

fn snapshot(job: JobView) -> Snapshot {
    Snapshot {
        now: Moment(Duration::from_hours(1)),
        at: Stamp(1_795_225_449_118),
        simulated: false,
        server: ServerView {
            address: "http://127.0.0.1:11434".into(),
            version: None,
            state: ServerState::Up,
            loaded: Vec::new(),
        },
        active: Some(job.id),
        jobs: Arc::new([job]),
        jobs_left_out: 0,
        lanes: Vec::new(),
        lanes_allowed: 4,
        rates: RateView {
            requests: Some(4.014),
            answer_tokens: Some(163.2),
            prompt_tokens: Some(9_876.5),
        },
        latency: Some(LatencyView {
            p50: Duration::from_millis(910),
            p95: Duration::from_millis(2_400),
            p99: Duration::from_millis(5_100),
        }),
        unsaved: 7,
        held: false,
        waiting: None,
        events: Arc::new([]),
        failures: Arc::new([]),
        context: ContextView::default(),
        failed: Arc::new([]),
        readings: Some(TakenReadings {
            at: Moment(Duration::from_secs(3_599)),
            readings: Arc::new(readings()),
        }),
        history: HistoryView::default(),
        watched: None,
        guard: None,
        plan: None,
    }
}

fn with(change: impl FnOnce(&mut JobView, &mut Snapshot)) -> Snapshot {
    let mut view = job(JobState::Running);
    let mut all = snapshot(view.clone());
    change(&mut view, &mut all);
    all.jobs = Arc::new([view]);
    all
}

type Situation = (&'static str, Snapshot);

fn of_job() -> Vec<Situation> {
    let state = |state: JobState| with(|job, _| job.state = state);
    let why = || "the server ran out of memory".to_owned();
    let starting = with(|job, all| {
        job.counts = Counts {
            total: 170_000,
            ..Counts::default()
        };
        job.eta = None;
        (all.rates, all.latency) = (RateView::default(), None);
    });
    let reading = with(|job, all| {
        (job.state, job.counts, job.eta) = (JobState::Reading, Counts::default(), None);
        all.rates = RateView::default();
    });
    let done = with(|job, _| {
        job.state = JobState::Done;
        (job.counts.done, job.counts.failed) = (169_997, 3);
    });
    vec![
        ("reading", reading),
        ("starting", starting),
        ("running", with(|_, _| {})),
        ("paused", state(JobState::Paused { why: None })),
        ("held", state(JobState::Paused { why: Some(why()) })),
        ("finishing", state(JobState::Finishing)),
        ("done", done),
        ("cancelled", state(JobState::Cancelled)),
        ("not started", state(JobState::FailedToStart { why: why() })),
    ]
}

fn of_server() -> Vec<Situation> {
    let server = |state: ServerState| with(|_, all| all.server.state = state);
    let at = |second: u64| Moment(Duration::from_secs(second));
    let down = |since, next| ServerState::Down {
        since: at(since),
        why: "connection refused".into(),
        next: at(next),
    };
    let loading = ServerState::Loading {
        model: "gemma3:12b".into(),
        since: at(3_535),
    };
    let waiting = with(|_, all| all.waiting = Some("the database cannot be written".into()));
    vec![
        ("server down", server(down(3_528, 3_612))),
        ("trying again", server(down(3_600, 3_600))),
        ("loading", server(loading)),
        ("waiting", waiting),
    ]
}

fn of_trouble() -> Vec<Situation> {
    let hostile = with(|job, all| {
        job.name = "a\u{1b}[31m\u{202e}b-that-is-a-very-long-name-indeed.jsonl".into();
        let reason = "\u{1b}[2J\u{202e}so long a reason that no terminal could hold it in one line";
        all.waiting = Some(reason.into());
    });
    let huge = with(|job, all| {
        job.id = JobId(i64::MAX);
        all.active = Some(job.id);
        (job.counts.total, job.counts.done) = (u64::MAX, u64::MAX / 2);
        job.counts.failed = u64::MAX / 3;
        job.eta = Some(Duration::MAX);
        all.rates.requests = Some(1e12);
        all.rates.answer_tokens = Some(f64::INFINITY);
    });
    vec![
        ("simulated", with(|_, all| all.simulated = true)),
        ("no job", with(|_, all| all.active = None)),
        ("hostile", hostile),
        ("huge", huge),
    ]
}

/// One of each situation that a person may meet.
fn situations() -> Vec<Situation> {
    [of_job(), of_server(), of_trouble()].concat()
}

fn written(line: &impl Serialize) -> String {
    serde_json::to_string(line).unwrap()
}

fn each(show: impl Fn(&Snapshot, Option<JobId>) -> String) -> String {
    situations()
        .iter()
        .map(|(name, snapshot)| {
            let only = (*name == "no job").then_some(JobId(99));
            format!("{name:>12} | {}", show(snapshot, only))
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn on_a_wide_terminal() {
    insta::assert_snapshot!(each(|all, job| Progress::of(all, job).terminal(120)));
}

#[test]
fn on_a_usual_terminal() {
    insta::assert_snapshot!(each(|all, job| Progress::of(all, job).terminal(80)));
}

#[test]
fn on_a_narrow_terminal() {
    insta::assert_snapshot!(each(|all, job| Progress::of(all, job).terminal(40)));
}

#[test]
fn in_a_log() {
    insta::assert_snapshot!(each(|all, job| Progress::of(all, job).plain()));
}

#[test]
fn as_json() {
    insta::assert_snapshot!(each(|all, job| written(&Progress::of(all, job).json())));
}

#[test]
fn why_the_last_answers_are_not_stored_is_told() {
    let why = "no room is left for the database";
    let seen = with(|job, snapshot| {
        job.state = JobState::Finishing;
        snapshot.waiting = Some(why.to_owned());
    });
    let line = Progress::of(&seen, None).plain();
    assert!(line.ends_with(why), "{line}");
}

#[test]
fn without_a_name_the_active_job_is_meant_or_the_next_that_is_not_over() {
    let view = |id, state| JobView {
        id: JobId(id),
        ..job(state)
    };
    let mut all = snapshot(job(JobState::Running));
    let jobs = [
        view(1, JobState::Done),
        view(2, JobState::Queued),
        view(3, JobState::Running),
    ];
    all.jobs = Arc::new(jobs);
    let chosen = |all: &Snapshot, job| Progress::of(all, job).job.map(|view| view.id.0);
    assert_eq!(chosen(&all, None), Some(3));
    assert_eq!(chosen(&all, Some(JobId(1))), Some(1));
    all.active = None;
    assert_eq!(chosen(&all, None), Some(2));
}

proptest! {
    #[test]
    fn every_line_fits_and_is_harmless(columns in 0usize..200, outside in "\\PC*|[\\x00-\\xff]*") {
        for (_, mut snapshot) in situations() {
            snapshot.waiting = Some(outside.clone());
            let line = Progress::of(&snapshot, None).terminal(columns);
            prop_assert!(width(&line) <= columns);
            prop_assert!(!line.chars().any(char::is_control));
            prop_assert!(!Progress::of(&snapshot, None).plain().chars().any(char::is_control));
        }
    }
}
