//! Reports in every form, and what hostile text becomes in them.

use rstest::rstest;

use super::Report;
use crate::analysis::{Analyzer, Observation, ScoreRule};
use crate::base::{Stamp, shown};
use crate::model::{
    Answer, AnswerBody, Bill, CloudPrice, Counts, Energy, Event, EventKind, Failure, FailureClass,
    Finish, Format, Job, JobId, JobSettings, JobState, Price, Prices, RanOn, RequestId, Reuse,
    Source, Timings, Tokens, Trim, TrimPolicy, TrimReason, Usage,
};
use crate::report::{Answered, IntervalCounter};
use crate::store::{CardPoint, Events, FailureGroup, JobReadings, Trims};

const START: i64 = 1_795_225_440_000;

fn at(seconds: i64) -> Stamp {
    Stamp(START + seconds * 1_000)
}

fn job(outside: &str) -> Job {
    Job {
        id: JobId(3),
        name: format!("candidates{outside}.jsonl"),
        state: JobState::Done,
        priority: 0,
        position: 0,
        settings: JobSettings {
            model: Some(format!("gemma3:12b{outside}")),
            num_ctx: Some(8_192),
            ..JobSettings::default()
        },
        source: Source {
            path: format!("/data/candidates{outside}.jsonl"),
            bytes: 1_234_567,
            hash: "af1349b9".repeat(8),
            receipt: None,
        },
        endpoint: None,
        models: vec![format!("gemma3:12b{outside}")],
        counts: Counts {
            total: 40,
            done: 38,
            failed: 2,
            cut: 1,
            prompt_tokens: Tokens(15_200),
            answer_tokens: Tokens(1_900),
        },
        energy: Some(Energy {
            joules: 36_000.0,
            estimated: 1.0,
        }),
        created: at(-5),
        started: Some(at(0)),
        finished: Some(at(20)),
    }
}

fn answer(number: u64, outside: &str) -> Answer {
    Answer {
        model: format!("gemma3:12b{outside}"),
        body: AnswerBody::Completion {
            text: format!("{outside} score: {}", number % 5),
        },
        finish: Finish::Stop,
        usage: Usage {
            prompt: Some(Tokens(400)),
            cached: None,
            reused: None,
            answer: Some(Tokens(50 + number)),
        },
        timings: Timings {
            wall: std::time::Duration::from_millis(800 + 10 * number),
            ..Timings::default()
        },
    }
}

fn reading(seconds: i64, watts: Option<f64>, outside: &str) -> JobReadings {
    let card = CardPoint {
        id: format!("GPU-a{outside}"),
        name: format!("RTX 4090{outside}"),
        memory_used: Some(11_000_000_000 + 1_000_000 * seconds.unsigned_abs()),
        memory_total: Some(25_757_220_864),
        busy_percent: Some(90),
        celsius: Some(60 + seconds as i32),
        watts,
    };
    JobReadings {
        job: JobId(3),
        at: at(seconds),
        lanes: 4,
        server_size: None,
        server_size_vram: None,
        requests_per_second: None,
        answer_tokens_per_second: None,
        cards: vec![card],
    }
}

fn trims() -> Trims {
    let trim = Trim {
        request: RequestId(9),
        policy: TrimPolicy::Sliding,
        reason: TrimReason::Tokens,
        messages_before: 21,
        messages_after: 9,
        tokens_before: Tokens(7_900),
        tokens_after: Tokens(4_100),
    };
    Trims {
        count: 7,
        last: vec![(at(9), trim)],
    }
}

fn events(outside: &str) -> Events {
    let event = |seconds, kind, text: &str| Event {
        at: at(seconds),
        job: None,
        kind,
        text: format!("{text}{outside}"),
    };
    Events {
        count: 3,
        first: vec![
            event(0, EventKind::Loaded, "gemma3:12b is loaded"),
            event(4, EventKind::Guard, "paused: 86 °C"),
            event(9, EventKind::Reloaded, "loaded again"),
        ],
    }
}

fn prices(outside: &str) -> Prices {
    Prices {
        kilowatt_hour: Some("0.30".parse().unwrap()),
        cloud: Some(CloudPrice {
            prompt: "0.5".parse().unwrap(),
            answer: Price::whole(2),
        }),
        currency: format!("€{outside}"),
    }
}

fn ran_on(outside: &str) -> RanOn {
    RanOn {
        model: format!("gemma3:12b{outside}"),
        digest: Some("f4031aab637d".to_owned()),
        quantization: Some(format!("Q4_K_M{outside}")),
        window: Some(Tokens(8_192)),
        server_version: Some(format!("0.33.3{outside}")),
        simulated: false,
        driver: None,
        cards: vec![format!("RTX 4090{outside}")],
        program: "0.1.0".to_owned(),
    }
}

/// A report in which every outside text has this in it.
fn report(outside: &str) -> Report {
    let mut analyzer = Analyzer::new(ScoreRule::Detect);
    let mut counter = IntervalCounter::new(at(0));
    for number in 0..38 {
        let answered = Answered {
            prompt_tokens: 400,
            answer_tokens: 50 + number,
            wall_ms: 800.0 + 10.0 * number as f64,
        };
        counter.answered(Stamp(at(0).0 + 500 * number as i64), answered);
        let id = Some(format!("r{number}{outside}"));
        analyzer.add(&Observation::of_answer(id, &answer(number, outside)));
    }
    let failure = Failure::new(FailureClass::Refused, format!("no{outside}"));
    counter.failed(at(6));
    counter.failed(at(7));
    let job = job(outside);
    let prices = prices(outside);
    // The watts of one reading are not known, and some readings are missing altogether.
    let readings = [
        (1, Some(300.0)),
        (2, Some(310.5)),
        (3, None),
        (4, Some(290.0)),
        (12, Some(280.0)),
    ];
    Report {
        form: Report::FORM,
        program: "0.1.0".to_owned(),
        written: at(30),
        ran_on: vec![ran_on(outside)],
        results: analyzer.finish(),
        intervals: counter.finish(at(20)),
        readings: readings
            .iter()
            .map(|(at, watts)| reading(*at, *watts, outside))
            .collect(),
        reuse: Reuse {
            requests: 38,
            prompt: Tokens(15_200),
            reused: Tokens(11_400),
            saved: std::time::Duration::from_secs(9),
        },
        trims: trims(),
        failures: vec![FailureGroup {
            class: FailureClass::Refused,
            pattern: failure.pattern(),
            count: 2,
            sample: failure.message,
        }],
        attempts: vec![(FailureClass::ServerError, 5), (FailureClass::Refused, 2)],
        events: events(outside),
        bill: Bill::of(job.energy, &job.counts, &prices),
        prices,
        job,
    }
}

fn written(report: &Report, format: Format) -> String {
    let mut bytes = Vec::new();
    report.write(format, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

/// A report on a job that waits: nothing is known of it.
fn waiting() -> Report {
    let mut report = report("");
    report.job.state = JobState::Queued;
    report.job.counts = Counts {
        total: 40,
        ..Counts::default()
    };
    (report.job.started, report.job.finished, report.job.energy) = (None, None, None);
    report.results = Analyzer::new(ScoreRule::Detect).finish();
    (report.ran_on, report.intervals, report.readings) = (Vec::new(), Vec::new(), Vec::new());
    (report.failures, report.attempts) = (Vec::new(), Vec::new());
    report.trims = Trims::default();
    report.reuse = Reuse::default();
    report.events = Events::default();
    report.bill = Bill::of(None, &report.job.counts, &report.prices);
    report
}

#[rstest]
#[case(Format::Markdown)]
#[case(Format::Html)]
#[case(Format::Json)]
#[case(Format::Csv)]
fn golden(#[case] format: Format) {
    insta::assert_snapshot!(format!("report-{format}"), written(&report(""), format));
}

#[test]
fn what_is_not_known_is_not_made_up() {
    insta::assert_snapshot!("report-waiting", written(&waiting(), Format::Markdown));
    is_well_formed(&written(&waiting(), Format::Html));
    assert_eq!(written(&waiting(), Format::Csv).lines().count(), 1);
}

#[test]
fn a_clock_that_was_set_back_leaves_the_time_unknown() {
    let mut report = report("");
    report.job.started = report.job.finished.map(|at| Stamp(at.0 + 1));
    let told = written(&report, Format::Markdown);
    let mut lines = told.lines();
    let took = lines.find(|line| line.contains("Time from the start"));
    assert!(took.is_some_and(|line| line.contains("n/a")), "{took:?}");
}

/// A job that stood still for ten minutes, with a server that was away meanwhile.
fn stood_still() -> Report {
    let mut report = report("");
    let mut counter = IntervalCounter::new(at(0));
    for second in (0..100).chain(700..800) {
        counter.answered(at(second), Answered::default());
    }
    report.job.finished = Some(at(800));
    report.intervals = counter.finish(at(800));
    let event = |seconds, kind, text: &str| Event {
        at: at(seconds),
        job: None,
        kind,
        text: text.to_owned(),
    };
    report.events.first = vec![
        event(100, EventKind::ServerDown, "down"),
        event(150, EventKind::RunnerCrash, "crash"),
        event(600, EventKind::ServerUp, "up"),
    ];
    report
}

#[test]
fn a_standstill_is_shaded_and_named() {
    let page = written(&stood_still(), Format::Html);
    is_well_formed(&page);
    assert!(page.contains("<title>nothing ended for 10 min 00 s</title>"));
    let charts = page.matches("<polyline").count();
    assert!(
        page.matches("class=\"idle\"").count() >= charts.min(6),
        "{page}"
    );
    assert!(page.contains("Where it is shaded, nothing ended"));
    let plain = written(&report(""), Format::Html);
    assert!(!plain.contains("class=\"idle\"") && !plain.contains("shaded"));
}

#[test]
fn what_lasted_is_a_bar_on_the_time_line() {
    let page = written(&stood_still(), Format::Html);
    assert!(page.contains("rx=\"3\"><title>down; up</title></rect>"));
    assert!(page.contains("<title>crash</title></circle>"));
}

#[test]
fn what_is_left_of_a_run_is_foretold_only_where_there_is_a_rest() {
    let mut report = report("");
    let told = |report: &Report| {
        let page = written(report, Format::Markdown);
        let line = page.lines().find(|line| line.starts_with("| Time left"));
        line.map(str::to_owned)
    };
    assert_eq!(told(&report), None);
    (report.job.state, report.job.finished) = (JobState::Running, None);
    (report.job.counts.done, report.job.counts.failed) = (19, 1);
    report.written = at(100);
    let line = "| Time left, at the mean rate so far | 1 min 40 s |";
    assert_eq!(told(&report).as_deref(), Some(line));
    let page = written(&report, Format::Markdown);
    assert!(page.contains("░` 50.0 %") && page.contains("The job is not over"));
    report.job.started = None;
    assert_eq!(told(&report), None);
}

#[test]
fn what_a_simulated_server_answered_is_said_to_be_so() {
    let mut report = report("");
    report.ran_on[0].simulated = true;
    let page = written(&report, Format::Markdown);
    assert!(
        page.contains("| Server | SIMULATED, not a real one (0.33.3) |"),
        "{page}"
    );
}

#[test]
fn several_grounds_stand_in_a_table() {
    let mut report = report("");
    report.ran_on.push(RanOn {
        quantization: Some("Q8_0".to_owned()),
        ..ran_on("")
    });
    let page = written(&report, Format::Markdown);
    assert!(
        page.contains("| gemma3:12b | f4031aab637d | Q8\\_0 |"),
        "{page}"
    );
}

/// Holds a page to XML: every tag is closed in order, every `<` and `&` begins something known.
/// Returns the names of the tags and the attributes.
#[track_caller]
fn is_well_formed(page: &str) -> Vec<String> {
    let body = page.strip_prefix("<!DOCTYPE html>\n").expect("a doctype");
    let (mut open, mut names) = (Vec::new(), Vec::new());
    for part in body.split('<').skip(1) {
        let (tag, text) = part.split_once('>').expect("a tag that ends");
        let css = open.last().is_some_and(|name| name == "style");
        assert!(css || !text.contains('>'), "{text}");
        for entity in text.split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "#39;"];
            assert!(
                known.iter().any(|known| entity.starts_with(known)),
                "{entity}"
            );
        }
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name));
            continue;
        }
        let (tag, closed) = tag
            .strip_suffix('/')
            .map_or((tag, false), |tag| (tag, true));
        assert_eq!(tag.matches('"').count() % 2, 0, "{tag}");
        let outside_quotes: String = tag.split('"').step_by(2).collect();
        let mut words = outside_quotes.split_whitespace().map(str::to_owned);
        let name = words.next().expect("a name");
        names.push(name.clone());
        names.extend(words.map(|word| word.trim_end_matches('=').to_owned()));
        if !closed {
            open.push(name);
        }
    }
    assert_eq!(open, Vec::<String>::new());
    names
}

const HOSTILE: [&str; 8] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onload='alert(1)",
    "](javascript:alert(1))",
    "|x|`|",
    "\u{1b}[2J\u{9b}31m\u{202e}\r\n# x",
    "http://evil.example/a www.evil.example &lt;b&gt;",
    "</style></title>]]><!--",
];

#[rstest]
fn a_page_obeys_nothing_and_loads_nothing(#[values(0, 1, 2, 3, 4, 5, 6, 7)] which: usize) {
    let page = written(&report(HOSTILE[which]), Format::Html);
    let names = is_well_formed(&page);
    let plain = is_well_formed(&written(&report(""), Format::Html));
    // The same tags and attributes as without it: none came in.
    assert_eq!(names, plain);
    for name in names {
        let is_bad = ["script", "link", "img", "iframe", "a", "src", "href"].contains(&&*name);
        assert!(!is_bad && !name.starts_with("on"), "{name}");
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
}

#[test]
fn a_page_names_no_address_at_all() {
    let page = written(&report(""), Format::Html);
    assert!(!page.contains("http:") && !page.contains("https:"));
    assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    assert_eq!(
        page.matches("<svg role=\"img\"").count(),
        page.matches("<desc>").count()
    );
}

#[rstest]
fn markdown_stays_text(#[values(0, 1, 2, 3, 4, 5, 6, 7)] which: usize) {
    let page = written(&report(HOSTILE[which]), Format::Markdown);
    let plain = written(&report(""), Format::Markdown);
    // No line came in, and no cell: a bar is escaped.
    assert_eq!(page.lines().count(), plain.lines().count());
    let cells = |line: &str| {
        line.replace("\\\\", "")
            .replace("\\|", "")
            .matches('|')
            .count()
    };
    let mut is_code = false;
    for (line, plain) in page.lines().zip(plain.lines()) {
        is_code ^= line.starts_with("```");
        if is_code {
            continue;
        }
        assert_eq!(cells(line), cells(plain), "{line}");
        let line = line.replace("\\]", "").replace("\\:", "");
        assert!(
            !line.contains('<') && !line.contains("](") && !line.contains("://"),
            "{line}"
        );
        assert!(!line.contains("www."), "{line}");
    }
    assert!(!page.chars().any(|c| c.is_control() && c != '\n'));
}

#[rstest]
fn json_and_csv_read_back(#[values(0, 1, 2, 3, 4, 5, 6, 7)] which: usize) {
    let hostile = report(HOSTILE[which]);
    let text = written(&hostile, Format::Json);
    assert!(text.lines().all(|line| shown(line) == line), "{text}");
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["job"]["name"], hostile.job.name);
    assert_eq!(
        json["readings"][2]["cards"][0]["watts"],
        serde_json::Value::Null
    );
    // Nothing in the series is outside text.
    assert_eq!(
        written(&hostile, Format::Csv),
        written(&report(""), Format::Csv)
    );
}

#[test]
fn a_command_means_what_it_says_to_a_shell() {
    let page = written(&report(" it's; rm -rf $HOME"), Format::Markdown);
    assert!(page.contains(r"batchtop run '/data/candidates it'\''s; rm -rf $HOME.jsonl' --new"));
}
