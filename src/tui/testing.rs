//! Scenes for the tests of drawing and of keys.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use super::canvas::Scene;
use super::hits::Hits;
use super::keymap::KeyMap;
use super::theme::{Depth, Theme};
use super::ui::{Seat, Ui};
use super::view::view;
use super::{testing_cards, testing_context};
use crate::base::{Moment, Stamp, shown, width};
use crate::model::{
    ContextView, Counts, Energy, Event, EventKind, FailedCount, Failure, FailureClass, HistoryView,
    JobId, JobState, JobView, LaneView, LatencyView, LoadedModel, Mark, Parallel, Phase, RateView,
    RequestId, Reuse, ReuseView, SeriesView, ServerState, ServerView, Snapshot, Tokens,
    WatchedAnswer,
};

/// The names of the scenes.
pub(super) const SCENES: [&str; 6] = ["empty", "busy", "failing", "paused", "huge", "hostile"];

/// Strings that a terminal could obey or that a screen could be broken with.
pub(super) const HOSTILE: [&str; 10] = [
    "\u{1b}[2J\u{1b}]0;owned\u{7}\u{1b}[31mred",
    "\u{9b}31mcsi \u{90}dcs\u{9c}",
    "evil\u{202e}txt.exe\u{2066}x\u{2069}",
    "zero\u{200b}width\u{200d}join\u{feff}er",
    "日本語の名前がとても長いときはどうなるか",
    "👨‍👩‍👧‍👦 family 👍🏽 ❤️ 🏳️‍🌈 🇩🇪",
    "tab\ttab\r\nline\u{2028}sep\u{0}nul",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301} marks",
    "مرحبا بالعالم שלום",
    "\u{e0041}\u{e0042}tags\u{ad}soft",
];

/// The same, and texts of a megabyte without a space.
pub(super) fn hostile_texts() -> &'static [&'static str] {
    static TEXTS: LazyLock<Vec<&str>> = LazyLock::new(|| {
        let long = ["x", "日", "e\u{301}", "\u{200b}", "👍🏽"];
        let long = long.map(|sign| &*sign.repeat((1 << 20) / sign.len()).leak());
        HOSTILE.into_iter().chain(long).collect()
    });
    &TEXTS
}

/// Nothing of it can do anything to a terminal, and no sign is wider than its cells.
#[track_caller]
pub(super) fn assert_harmless(buffer: &Buffer) {
    for cell in buffer.content() {
        let symbol = cell.symbol();
        // Most cells of most pictures.
        if matches!(symbol.as_bytes(), [b' '..=b'~']) {
            continue;
        }
        assert_eq!(shown(symbol), symbol);
        assert!(symbol.len() < 40 && width(symbol) <= 2, "{symbol:?}");
    }
}

fn at(seconds: u64) -> Moment {
    Moment(Duration::from_secs(seconds))
}

/// The run in one of the scenes.
pub(super) fn snapshot(scene: &str) -> Snapshot {
    let mut snapshot = match scene {
        "empty" => empty(),
        _ => busy(),
    };
    match scene {
        "failing" => failing(&mut snapshot),
        "paused" => paused(&mut snapshot),
        "huge" => huge(&mut snapshot),
        "hostile" => hostile(&mut snapshot),
        _ => {}
    }
    testing_cards::add(&mut snapshot, scene);
    snapshot
}

fn empty() -> Snapshot {
    Snapshot {
        now: at(3),
        at: Stamp(1_795_262_400_000),
        simulated: false,
        server: ServerView {
            address: "http://127.0.0.1:11434".into(),
            version: None,
            state: ServerState::Unknown,
            loaded: Vec::new(),
        },
        jobs: Arc::new([]),
        jobs_left_out: 0,
        active: None,
        lanes: Vec::new(),
        lanes_allowed: 0,
        rates: RateView::default(),
        latency: None,
        unsaved: 0,
        held: false,
        waiting: None,
        events: Arc::new([]),
        failures: Arc::new([]),
        failed: Arc::new([]),
        readings: None,
        history: HistoryView::default(),
        watched: None,
        guard: None,
        plan: None,
        context: ContextView::default(),
    }
}

fn job(id: i64, name: &str, state: JobState, counts: (u64, u64, u64)) -> JobView {
    let (total, done, failed) = counts;
    let runs = state == JobState::Running;
    JobView {
        id: JobId(id),
        name: name.into(),
        state,
        priority: 0,
        counts: Counts {
            total,
            done,
            failed,
            cut: failed / 2,
            prompt_tokens: Tokens(done * 1_948),
            answer_tokens: Tokens(done * 41),
        },
        parallel: Parallel::Fixed(2),
        eta: runs.then(|| Duration::from_mins(521)),
        eta_p90: runs.then(|| Duration::from_mins(560)),
        running_for: Duration::from_mins(160),
        energy: runs.then_some(Energy {
            joules: 1_476_000.0,
            estimated: 0.0,
        }),
        reuse: reuse(done, runs && failed > 1_000),
    }
}

fn reuse(done: u64, is_low: bool) -> ReuseView {
    let cause = "the model was loaded again 12 times: another program asks for it";
    let causes = is_low.then(|| cause.into());
    ReuseView {
        total: Reuse {
            requests: done,
            prompt: Tokens(done * 1_948),
            reused: Tokens(done * if is_low { 90 } else { 1_886 }),
            saved: Duration::from_millis(done * if is_low { 29 } else { 610 }),
        },
        causes: causes.into_iter().collect(),
    }
}

fn lane(lane: u32, phase: Phase, since: u64, chunks: u64) -> LaneView {
    LaneView {
        lane,
        job: JobId(1),
        request: RequestId(41_000 + i64::from(lane)),
        custom_id: format!("cand-0412{lane:02}").into(),
        phase,
        since: at(since),
        chunks,
        attempt: 1,
    }
}

fn history() -> HistoryView {
    let points: Arc<[Option<f32>]> = (0..600u16)
        .map(|n| (n > 200 && !(300..330).contains(&n)).then(|| 3.0 + f32::from(n % 50) / 50.0))
        .collect();
    let series = SeriesView {
        recent: Arc::clone(&points),
        whole: points,
        whole_step: Duration::from_secs(16),
    };
    let mark = |seconds, kind| Mark {
        at: at(seconds),
        kind,
    };
    HistoryView {
        requests: series.clone(),
        answer_tokens: series,
        marks: Arc::new([
            mark(9_300, EventKind::JobState),
            mark(9_366, EventKind::ServerDown),
            mark(9_400, EventKind::ServerUp),
        ]),
        cards: Arc::new([]),
    }
}

fn busy_server() -> ServerView {
    ServerView {
        version: Some("0.33.0".into()),
        state: ServerState::Up,
        loaded: vec![LoadedModel {
            name: "gemma3:12b".into(),
            quantization: None,
            digest: "f4031aab637d".into(),
            size: Some(11_059_744_000),
            size_vram: Some(11_059_744_000),
            window: Some(Tokens(8_192)),
            expires: None,
        }],
        ..empty().server
    }
}

fn busy() -> Snapshot {
    let happened = |seconds: i64, kind, text: &str| Event {
        at: Stamp(1_795_262_400_000 - seconds * 1_000),
        job: Some(JobId(1)),
        kind,
        text: text.to_owned(),
    };
    Snapshot {
        now: at(9_667),
        server: busy_server(),
        jobs: Arc::new([
            job(
                1,
                "candidates.jsonl",
                JobState::Running,
                (170_000, 41_191, 12),
            ),
            job(2, "reviews.jsonl", JobState::Queued, (12_000, 0, 0)),
            job(3, "smoke.jsonl", JobState::Done, (100, 98, 2)),
        ]),
        active: Some(JobId(1)),
        lanes: vec![
            lane(1, Phase::Answering, 9_666, 34),
            lane(2, Phase::Reading, 9_667, 0),
        ],
        lanes_allowed: 2,
        rates: RateView {
            requests: Some(4.014),
            answer_tokens: Some(163.2),
            prompt_tokens: Some(1_876.5),
        },
        latency: Some(LatencyView {
            p50: Duration::from_millis(910),
            p95: Duration::from_millis(1_640),
            p99: Duration::from_millis(2_400),
        }),
        events: Arc::new([
            happened(9_000, EventKind::Loaded, "`gemma3:12b` is loaded (4.2 s)"),
            happened(
                360,
                EventKind::ServerDown,
                "the server does not answer: connection refused",
            ),
        ]),
        history: history(),
        context: testing_context::busy(),
        ..empty()
    }
}

fn failing(snapshot: &mut Snapshot) {
    let failure = |class, message: &str| (JobId(1), RequestId(7), Failure::new(class, message));
    snapshot.server.state = ServerState::Down {
        since: at(9_600),
        why: "connection refused".into(),
        next: at(9_680),
    };
    snapshot.waiting = Some("the server does not answer; trying again in 13 s".into());
    let mut waits = lane(0, Phase::BackingOff, 9_680, 0);
    waits.attempt = 2;
    snapshot.lanes = vec![waits];
    snapshot.context = testing_context::too_long();
    snapshot.failures = Arc::new([
        failure(FailureClass::Timeout, "no token within 2 min"),
        failure(
            FailureClass::ContextLength,
            "the prompt has 9,120 tokens, the window 8,192",
        ),
    ]);
    let count = |class, count| FailedCount {
        job: JobId(1),
        class,
        count,
    };
    snapshot.failed = Arc::new([
        count(FailureClass::Timeout, 7),
        count(FailureClass::ContextLength, 4),
        count(FailureClass::RunnerCrash, 1),
    ]);
    let jobs = [
        job(
            1,
            "candidates.jsonl",
            JobState::Running,
            (170_000, 41_191, 12),
        ),
        job(
            4,
            "big.jsonl",
            JobState::FailedToStart {
                why: "the server does not have the model `llama9`".into(),
            },
            (50, 0, 0),
        ),
    ];
    snapshot.jobs = Arc::new(jobs);
}

fn paused(snapshot: &mut Snapshot) {
    snapshot.held = true;
    snapshot.lanes = Vec::new();
    snapshot.context.lanes = Vec::new();
    snapshot.waiting = Some("paused by the user".into());
    snapshot.rates = RateView::default();
    snapshot.unsaved = 3;
    let mut first = job(
        1,
        "candidates.jsonl",
        JobState::Paused { why: None },
        (170_000, 41_191, 12),
    );
    first.eta = None;
    snapshot.jobs = Arc::new([first]);
}

fn huge(snapshot: &mut Snapshot) {
    let many = (1..=200).map(|n| {
        let state = if n == 1 {
            JobState::Running
        } else {
            JobState::Queued
        };
        job(
            n,
            &format!("part-{n:06}.jsonl"),
            state,
            (u64::MAX / 1_000, 7_777_777, 1_234_567),
        )
    });
    snapshot.jobs = many.collect();
    snapshot.jobs_left_out = 99_800;
    snapshot.lanes = (1..=4_096)
        .map(|n| lane(n, Phase::Answering, 9_000, 1_000_000))
        .collect();
    snapshot.lanes_allowed = 4_096;
    snapshot.context = testing_context::huge();
    snapshot.rates.requests = Some(1e12);
    snapshot.rates.answer_tokens = Some(f64::INFINITY);
    snapshot.latency = Some(LatencyView {
        p50: Duration::from_hours(100),
        p95: Duration::from_hours(1_000),
        p99: Duration::MAX,
    });
}

fn hostile(snapshot: &mut Snapshot) {
    let long = "x".repeat(1 << 20);
    let all: Vec<&str> = HOSTILE.iter().copied().chain([long.as_str()]).collect();
    snapshot.jobs = all
        .iter()
        .zip(1..)
        .map(|(name, id)| {
            let why = Some((*name).to_owned());
            job(id, name, JobState::Paused { why }, (9, 1, 1))
        })
        .collect();
    snapshot.lanes = all
        .iter()
        .zip(1..)
        .map(|(name, n)| LaneView {
            custom_id: (*name).into(),
            ..lane(n, Phase::Answering, 9_000, 5)
        })
        .collect();
    snapshot.events = all
        .iter()
        .map(|text| Event {
            at: snapshot.at,
            job: None,
            kind: EventKind::Setting,
            text: (*text).to_owned(),
        })
        .collect();
    hostile_server(&mut snapshot.server, &all);
    snapshot.watched = Some(WatchedAnswer {
        request: RequestId(41_001),
        text: all.join("\n"),
        dropped: 7,
        is_thinking: false,
        is_open: true,
    });
    snapshot.waiting = Some(all.concat());
    snapshot.context = testing_context::named(&all);
    snapshot.failures = all
        .iter()
        .map(|text| {
            (
                JobId(1),
                RequestId(1),
                Failure::new(FailureClass::Timeout, *text),
            )
        })
        .collect();
    snapshot.failed = Arc::new([FailedCount {
        job: JobId(1),
        class: FailureClass::Timeout,
        count: 3,
    }]);
}

fn hostile_server(server: &mut ServerView, all: &[&str]) {
    server.version = Some(HOSTILE[0].into());
    server.address = HOSTILE[1].into();
    server.state = ServerState::Down {
        since: at(1),
        why: HOSTILE[2].into(),
        next: at(2),
    };
    server.loaded = all
        .iter()
        .map(|name| LoadedModel {
            name: (*name).to_owned(),
            quantization: None,
            digest: String::new(),
            size: None,
            size_vram: None,
            window: None,
            expires: None,
        })
        .collect();
}

/// A screen at its start.
pub(super) fn ui() -> Ui {
    let theme = Theme::built_in("dark", Depth::True, false).unwrap();
    Ui::new(Seat::Owner, theme, Depth::True)
}

/// What is drawn, and what lies where.
pub(super) fn drawn(snapshot: &Snapshot, ui: &Ui, columns: u16, rows: u16) -> (Buffer, Hits) {
    // Tests draw ten thousands of pictures: the file of keys is read once.
    static KEYS: LazyLock<KeyMap> = LazyLock::new(KeyMap::built_in);
    let area = Rect::new(0, 0, columns, rows);
    let mut buffer = Buffer::empty(area);
    let scene = Scene {
        snapshot,
        ui,
        keys: &KEYS,
    };
    let hits = view(scene, area, &mut buffer);
    (buffer, hits)
}

/// The text of what is drawn, without spaces at the ends of lines.
pub(super) fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in buffer.area.rows() {
        let mut line = String::new();
        let mut skip = 0;
        for x in y.columns() {
            let symbol = buffer[(x.x, x.y)].symbol();
            if skip > 0 {
                skip -= 1;
            } else {
                line.push_str(symbol);
                skip = width(symbol).saturating_sub(1);
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
