//! The store as the engine uses it, on real files.

use std::time::Duration;

use rstest::rstest;
use tempfile::TempDir;

use super::*;
use crate::base::Stamp;
use crate::model::*;

#[path = "conversation_tests.rs"]
mod conversation;

#[path = "sort_tests.rs"]
mod sort;

const NOW: Stamp = Stamp(1_795_225_449_000);

struct Bench {
    folder: TempDir,
    store: Store,
    job: JobId,
}

fn request(n: usize, system: &str) -> NewRequest {
    let head = r#"{"model":"m","messages":[{"role":"system","content":"#;
    let body = format!(r#"{head}"{system}"}},{{"role":"user","content":"number {n}"}}]}}"#);
    let shared = head.len()..head.len() + system.len() + 2;
    NewRequest {
        line: n as u64 + 1,
        custom_id: format!("c{n}"),
        endpoint: Endpoint::Chat,
        model: Some("m".into()),
        body,
        shareable: vec![shared],
        prompt: Prompt {
            bytes: (system.len() + 40) as u64,
            lead: system.len() as u64,
            prefix: u64::MAX - system.len() as u64,
        },
    }
}

fn job(store: &mut Store, requests: impl IntoIterator<Item = NewRequest>) -> JobId {
    let settings = JobSettings::default();
    let new = NewJob {
        name: "a.jsonl".into(),
        path: "/a.jsonl".into(),
        settings: settings.clone(),
        created: NOW,
    };
    let Written::Job(row) = apply(store, Write::OpenJob(new)) else {
        panic!("no job")
    };
    let mut admission = Admission::new(&settings);
    for request in requests {
        if let Some(chunk) = admission.request(request) {
            apply(store, Write::Admit(row.id, chunk));
        }
    }
    apply(store, Write::Admit(row.id, admission.finish()));
    let source = Source {
        path: "/a.jsonl".into(),
        bytes: 1,
        hash: "00".into(),
        receipt: None,
    };
    apply(store, Write::CloseJob(row.id, source));
    row.id
}

fn apply(store: &mut Store, write: Write) -> Written {
    store.apply(&[write]).unwrap().remove(0)
}

fn bench(requests: impl IntoIterator<Item = NewRequest>) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let job = job(&mut store, requests);
    Bench { folder, store, job }
}

impl Bench {
    fn claim(&mut self, limit: usize) -> (Vec<Claimed>, bool) {
        let unit = Unit {
            job: self.job,
            model: 0,
        };
        match apply(&mut self.store, Write::Claim(unit, limit, 1 << 20)) {
            Written::Claimed {
                requests,
                exhausted,
                ..
            } => (requests, exhausted),
            other => panic!("{other:?}"),
        }
    }

    fn counts(&self) -> Counts {
        self.reader().job(self.job).unwrap().unwrap().counts
    }

    fn reader(&self) -> Reader {
        Reader::open(self.folder.path()).unwrap().unwrap()
    }

    fn save(&mut self, record: Record) -> bool {
        match apply(&mut self.store, Write::Save(record)) {
            Written::Saved { moved, .. } => moved,
            other => panic!("{other:?}"),
        }
    }

    fn answered(&mut self, request: &Claimed) -> bool {
        self.save(self.answer_to(request))
    }

    fn answer_to(&self, request: &Claimed) -> Record {
        Record::Answered {
            job: self.job,
            request: request.id,
            answer: Box::new(answer(&request.custom_id)),
            at: NOW,
        }
    }

    fn failed(&mut self, request: &Claimed, class: FailureClass) -> bool {
        let record = Record::Failed {
            job: self.job,
            request: request.id,
            failure: Failure::new(class, "no"),
            at: NOW,
            attempts: request.attempts,
        };
        self.save(record)
    }
}

fn answer(text: &str) -> Answer {
    Answer {
        model: "m".into(),
        body: AnswerBody::Chat {
            content: text.into(),
            thinking: None,
            tool_calls: None,
            logprobs: None,
        },
        finish: Finish::Stop,
        usage: Usage {
            prompt: Some(Tokens(10)),
            cached: None,
            answer: Some(Tokens(3)),
            ..Usage::default()
        },
        timings: Timings {
            wall: Duration::from_millis(5),
            ..Timings::default()
        },
    }
}

#[test]
fn bodies_come_out_byte_for_byte_although_the_shared_text_is_stored_once() {
    let system = "grade them \\n".repeat(100);
    let mut bench = bench((0..50).map(|n| request(n, &system)));
    let (claimed, exhausted) = bench.claim(100);
    assert!(exhausted);
    assert_eq!(claimed.len(), 50);
    for (n, request_back) in claimed.iter().enumerate() {
        assert_eq!(*request_back.body, request(n, &system).body);
        assert_eq!(request_back.prompt, Some(request(n, &system).prompt));
    }
    let stored: i64 = bench
        .store
        .connection
        .query_row("SELECT sum(length(rest)) FROM body", [], |row| row.get(0))
        .unwrap();
    assert!(
        stored < 2 * system.len() as i64 + 50 * 150,
        "{stored} bytes of bodies"
    );
}

#[test]
fn answers_of_one_commit_are_in_the_counts_that_the_same_commit_tells() {
    let mut bench = bench((0..5).map(|n| request(n, "s")));
    let claimed = bench.claim(5).0;
    let save = |n: usize| Write::Save(bench.answer_to(&claimed[n]));
    let state = Write::SetState(bench.job, JobState::Running, NOW);
    let group = [save(0), save(1), save(0), state, save(2)];
    let written = bench.store.apply(&group).unwrap();
    let Written::Job(told) = &written[3] else {
        panic!("{written:?}");
    };
    assert_eq!(
        (told.counts.done, told.counts.answer_tokens),
        (2, Tokens(6))
    );
    let counts = bench.counts();
    assert_eq!((counts.done, counts.answer_tokens), (3, Tokens(9)));
}

#[test]
fn requests_that_begin_alike_run_side_by_side_in_input_order() {
    let system = |n: usize| "x".repeat(300 + n % 3);
    let mut bench = bench((0..9).map(|n| request(n, &system(n))));
    let order: Vec<String> = bench
        .claim(9)
        .0
        .iter()
        .map(|request| request.custom_id.to_string())
        .collect();
    assert_eq!(
        order,
        ["c0", "c3", "c6", "c1", "c4", "c7", "c2", "c5", "c8"]
    );
}

#[test]
fn a_claim_counts_the_attempt_before_anything_is_sent_and_survives_a_death() {
    let mut bench = bench((0..3).map(|n| request(n, "s")));
    assert_eq!(bench.claim(2).0[0].attempts.sent, 1);
    let Bench { folder, store, job } = bench;
    drop(store);
    let mut store = Store::open(folder.path()).unwrap();
    assert_eq!(store.recover().unwrap(), 2);
    let mut bench = Bench { folder, store, job };
    let sent: Vec<u32> = bench
        .claim(3)
        .0
        .iter()
        .map(|request| request.attempts.sent)
        .collect();
    assert_eq!(sent, [2, 2, 1]);
}

#[test]
fn claims_stop_at_their_bytes_and_say_that_more_is_there() {
    let mut bench = bench((0..10).map(|n| request(n, &"y".repeat(1000))));
    let unit = Unit {
        job: bench.job,
        model: 0,
    };
    let written = apply(&mut bench.store, Write::Claim(unit, 10, 2_000));
    let Written::Claimed {
        requests,
        exhausted,
        ..
    } = written
    else {
        panic!("{written:?}")
    };
    assert_eq!((requests.len(), exhausted), (2, false));
}

#[test]
fn an_answer_is_stored_once_and_a_late_duplicate_changes_nothing() {
    let mut bench = bench((0..2).map(|n| request(n, "s")));
    let (claimed, _) = bench.claim(1);
    assert!(bench.answered(&claimed[0]));
    assert!(!bench.answered(&claimed[0]));
    assert!(!bench.failed(&claimed[0], FailureClass::Timeout));
    let counts = bench.counts();
    assert_eq!((counts.total, counts.done, counts.failed), (2, 1, 0));
    assert_eq!(
        (counts.prompt_tokens, counts.answer_tokens),
        (Tokens(10), Tokens(3))
    );
}

#[rstest]
#[case(WhichFailures::All, 2)]
#[case(WhichFailures::Class(FailureClass::Timeout), 1)]
#[case(WhichFailures::Class(FailureClass::Busy), 0)]
#[case(WhichFailures::Alike("no".into()), 2)]
#[case(WhichFailures::Alike("yes".into()), 0)]
#[case(WhichFailures::Requests(vec![RequestId(2), RequestId(3)]), 1)]
fn failures_go_back_all_or_some(#[case] which: WhichFailures, #[case] back: u64) {
    let mut bench = bench((0..3).map(|n| request(n, "s")));
    let (claimed, _) = bench.claim(3);
    bench.failed(&claimed[0], FailureClass::Timeout);
    bench.failed(&claimed[1], FailureClass::Refused);
    bench.answered(&claimed[2]);
    let groups = bench.reader().failures(bench.job).unwrap();
    assert_eq!(groups.len(), 2);
    let written = apply(&mut bench.store, Write::Retry(bench.job, which));
    let Written::Retried { count, job, failed } = written else {
        panic!("{written:?}")
    };
    assert_eq!(count, back);
    assert_eq!(job.counts.failed, 2 - back);
    assert_eq!(bench.claim(9).0.len() as u64, back);
    // What is counted by class is what is there, and a new start reads the same.
    let counted: u64 = failed.iter().map(|(_, count)| count).sum();
    assert_eq!(counted, 2 - back);
    let mut read: Vec<_> = bench.store.failed().unwrap();
    read.sort_by_key(|one| one.class);
    let kept = failed.iter().filter(|(_, count)| *count > 0);
    let kept: Vec<_> = kept.map(|&(class, count)| (class, count)).collect();
    assert_eq!(
        read.iter()
            .map(|one| (one.class, one.count))
            .collect::<std::collections::BTreeMap<_, _>>(),
        kept.into_iter().collect()
    );
}

#[test]
fn invalid_lines_are_failures_that_nothing_retries() {
    let mut bench = bench([]);
    let mut admission = Admission::new(&JobSettings::default());
    let failure = Failure::new(FailureClass::InvalidRequest, "line 1: not JSON");
    admission.invalid(Invalid {
        line: 1,
        custom_id: None,
        failure,
        at: NOW,
    });
    apply(
        &mut bench.store,
        Write::Admit(bench.job, admission.finish()),
    );
    assert_eq!(bench.counts().failed, 1);
    let written = apply(
        &mut bench.store,
        Write::Retry(bench.job, WhichFailures::All),
    );
    assert!(
        matches!(written, Written::Retried { count: 0, .. }),
        "{written:?}"
    );
}

#[test]
fn results_come_in_input_order_with_every_request_once() {
    let mut bench = bench((0..4).map(|n| request(n, "s")));
    let (claimed, _) = bench.claim(4);
    bench.answered(&claimed[2]);
    bench.failed(&claimed[0], FailureClass::Timeout);
    let mut seen = Vec::new();
    bench
        .reader()
        .results::<StoreError>(bench.job, Order::Input, |row| {
            seen.push((
                row.custom_id.unwrap(),
                row.answer.is_some(),
                row.failure.is_some(),
            ));
            Ok(())
        })
        .unwrap();
    let expected = [
        ("c0", false, true),
        ("c1", false, false),
        ("c2", true, false),
        ("c3", false, false),
    ];
    assert_eq!(seen, expected.map(|(id, a, f)| (id.to_owned(), a, f)));
}

#[test]
fn a_job_is_found_by_number_or_by_a_clear_part_of_its_name() {
    let mut bench = bench([request(0, "s")]);
    let reader = bench.reader();
    assert_eq!(reader.find(&"1".parse().unwrap()).unwrap().id, bench.job);
    assert_eq!(reader.find(&"a.js".parse().unwrap()).unwrap().id, bench.job);
    assert!(matches!(
        reader.find(&"zz".parse().unwrap()),
        Err(FindError::None(_))
    ));
    job(&mut bench.store, [request(0, "s")]);
    assert!(matches!(
        reader.find(&"a.j".parse().unwrap()),
        Err(FindError::Several { .. })
    ));
}

#[test]
fn places_are_changed_with_the_neighbour() {
    let mut bench = bench([request(0, "s")]);
    let second = job(&mut bench.store, [request(0, "s")]);
    let written = apply(&mut bench.store, Write::Reorder(second, Move::Up));
    let Written::Reordered { changed, jobs } = written else {
        panic!("{written:?}")
    };
    assert!(changed);
    assert_eq!(
        jobs.iter().map(|job| job.id).collect::<Vec<_>>(),
        [second, bench.job]
    );
    let written = apply(&mut bench.store, Write::Reorder(second, Move::Up));
    assert!(matches!(written, Written::Reordered { changed: false, .. }));
}

#[test]
fn a_removed_job_leaves_nothing() {
    let mut bench = bench((0..3).map(|n| request(n, &"z".repeat(400))));
    let (claimed, _) = bench.claim(2);
    bench.answered(&claimed[0]);
    bench.failed(&claimed[1], FailureClass::Refused);
    apply(&mut bench.store, Write::Remove(bench.job));
    for table in [
        "job",
        "job_model",
        "text",
        "request",
        "body",
        "outcome",
        "attempt",
    ] {
        let rows: i64 = bench
            .store
            .connection
            .query_row(&format!("SELECT count(*) FROM {table}"), [], |row| {
                row.get(0)
            })
            .unwrap();
        assert_eq!(rows, 0, "{table}");
    }
}

#[test]
fn a_job_that_was_being_read_when_the_process_died_is_dropped() {
    let mut bench = bench([request(0, "s")]);
    let new = NewJob {
        name: "half.jsonl".into(),
        path: "half".into(),
        settings: JobSettings::default(),
        created: NOW,
    };
    apply(&mut bench.store, Write::OpenJob(new));
    bench.store.recover().unwrap();
    let names: Vec<String> = bench
        .store
        .jobs()
        .unwrap()
        .into_iter()
        .map(|job| job.name)
        .collect();
    assert_eq!(names, ["a.jsonl"]);
}

#[test]
fn one_owner_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Ownership::take(folder.path()).unwrap().expect("free");
    assert!(Ownership::take(folder.path()).unwrap().is_none());
    let owner = Owner {
        pid: 7,
        port: Some(1),
        token: "t".into(),
    };
    first.announce(&owner).unwrap();
    assert_eq!(Owner::read(folder.path()), Some(owner));
    drop(first);
    assert_eq!(Owner::read(folder.path()), None);
    assert!(Ownership::take(folder.path()).unwrap().is_some());
}

#[test]
fn a_newer_database_is_refused_and_left_alone() {
    let Bench { folder, store, .. } = bench([request(0, "s")]);
    store
        .connection
        .pragma_update(None, "user_version", 99)
        .unwrap();
    drop(store);
    let before = std::fs::read(folder.path().join(Store::FILE)).unwrap();
    assert!(matches!(
        Store::open(folder.path()),
        Err(StoreError::Newer { found: 99, .. })
    ));
    assert!(matches!(
        Reader::open(folder.path()),
        Err(StoreError::Newer { .. })
    ));
    assert_eq!(
        std::fs::read(folder.path().join(Store::FILE)).unwrap(),
        before
    );
}

#[test]
fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(Store::FILE);
    std::fs::write(
        &path,
        "this is a letter, not a database, and it is long enough",
    )
    .unwrap();
    assert!(matches!(
        Store::open(folder.path()),
        Err(StoreError::Corrupt { .. })
    ));
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("this is a letter")
    );
}

#[test]
fn a_missing_database_is_no_error_to_a_reader_and_is_not_made() {
    let folder = tempfile::tempdir().unwrap();
    assert!(Reader::open(folder.path()).unwrap().is_none());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    // Another process makes the file just now.
    std::fs::write(folder.path().join(Store::FILE), "").unwrap();
    assert!(Reader::open(folder.path()).unwrap().is_none());
}

#[test]
fn the_writing_thread_answers_after_the_commit_and_ends_with_its_last_owner() {
    let Bench { folder, store, job } = bench([request(0, "s")]);
    let (sender, mut replies) = tokio::sync::mpsc::channel(4);
    let (writer, thread) = Writer::start(store, sender).unwrap();
    let state = JobState::Paused { why: None };
    writer
        .send(Write::SetState(job, state.clone(), NOW), Some(5))
        .unwrap();
    let Some(Reply::Committed(done)) = replies.blocking_recv() else {
        panic!("no reply")
    };
    assert!(
        matches!(&done[..], [(Some(5), Ok(Written::Job(_)))]),
        "{done:?}"
    );
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(reader.job(job).unwrap().unwrap().state, state);
    drop(writer);
    thread.join().unwrap();
}

#[test]
fn a_write_that_cannot_succeed_does_not_take_the_others_with_it() {
    let Bench { folder, store, job } = bench([request(0, "s")]);
    let (sender, mut replies) = tokio::sync::mpsc::channel(4);
    let mut twice = Admission::new(&JobSettings::default());
    twice.request(request(0, "s"));
    let (writer, thread) = Writer::start(store, sender).unwrap();
    // The first write holds the thread until the other two stand in the queue behind it.
    let first = writer.begin(Write::SetPriority(job, 1)).unwrap();
    writer
        .send(Write::Admit(job, twice.finish()), Some(1))
        .unwrap();
    writer.send(Write::SetPriority(job, 7), Some(2)).unwrap();
    drop(writer);
    first.blocking_recv().unwrap().unwrap();
    let mut good = 0;
    while let Some(Reply::Committed(done)) = replies.blocking_recv() {
        good += done.iter().filter(|(_, result)| result.is_ok()).count();
    }
    thread.join().unwrap();
    assert_eq!(good, 1);
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(reader.job(job).unwrap().unwrap().priority, 7);
}

fn listed(bench: &Bench, filter: &Filter, anchor: Anchor, limit: usize) -> Vec<i64> {
    let lines = bench
        .reader()
        .page(bench.job, filter, anchor, limit)
        .unwrap();
    lines.into_iter().map(|line| line.seq).collect()
}

#[rstest]
#[case(Anchor::First, 3, &[0, 1, 2])]
#[case(Anchor::Last, 3, &[17, 18, 19])]
#[case(Anchor::From(5), 2, &[5, 6])]
#[case(Anchor::After(5), 2, &[6, 7])]
#[case(Anchor::Before(5), 2, &[3, 4])]
#[case(Anchor::Before(0), 2, &[])]
#[case(Anchor::After(18), 9, &[19])]
fn a_page_is_found_by_its_place(
    #[case] anchor: Anchor,
    #[case] limit: usize,
    #[case] seqs: &[i64],
) {
    let bench = bench((0..20).map(|n| request(n, "s")));
    assert_eq!(listed(&bench, &Filter::default(), anchor, limit), seqs);
}

#[test]
fn filters_let_through_what_they_say() {
    let mut bench = bench((0..12).map(|n| request(n, "s")));
    let (claimed, _) = bench.claim(4);
    bench.answered(&claimed[0]);
    bench.failed(&claimed[1], FailureClass::Timeout);
    bench.failed(&claimed[2], FailureClass::Refused);
    let page = |filter: Filter| listed(&bench, &filter, Anchor::First, 99);
    let state = |state| Filter {
        state: Some(state),
        ..Filter::default()
    };
    assert_eq!(page(state(RequestState::Done)), [0]);
    assert_eq!(page(state(RequestState::Failed)), [1, 2]);
    assert_eq!(page(state(RequestState::Claimed)), [3]);
    assert_eq!(
        page(state(RequestState::Queued)),
        (4..12).collect::<Vec<_>>()
    );
    let class = Filter {
        class: Some(FailureClass::Timeout),
        ..Filter::default()
    };
    assert_eq!(page(class.clone()), [1]);
    let pattern = Filter {
        pattern: Some("no".into()),
        ..Filter::default()
    };
    assert_eq!(page(pattern), [1, 2]);
    let text = Filter {
        text: Some("c1".into()),
        ..Filter::default()
    };
    assert_eq!(page(text.clone()), [1, 10, 11]);
    let inverse = Filter {
        inverse: true,
        ..text.clone()
    };
    assert_eq!(page(inverse).len(), 9);
    let reader = bench.reader();
    assert_eq!(reader.matches(bench.job, &text).unwrap(), 3);
    assert_eq!(reader.matches(bench.job, &class).unwrap(), 1);
}

#[test]
fn a_request_is_shown_with_what_it_asked_and_how_it_went() {
    let mut bench = bench((0..3).map(|n| request(n, &"long ".repeat(100))));
    let (claimed, _) = bench.claim(2);
    let mut attempts = claimed[1].attempts;
    attempts.sent += 1;
    attempts.counted = 1;
    bench.save(Record::Again {
        request: claimed[1].id,
        failure: Some(Failure::new(FailureClass::Timeout, "slow")),
        at: NOW,
        attempts,
    });
    bench.answered(&claimed[1]);
    let detail = bench
        .reader()
        .request(bench.job, claimed[1].id)
        .unwrap()
        .unwrap();
    assert_eq!(detail.body, Some(request(1, &"long ".repeat(100)).body));
    assert_eq!(detail.line.attempts, attempts);
    assert_eq!(detail.line.answer_tokens, Some(Tokens(3)));
    assert_eq!(detail.line.wall_ms, Some(5));
    assert!(detail.answer.is_some() && detail.failure.is_none());
    let failed: Vec<_> = detail
        .failed_attempts
        .iter()
        .map(|(n, _, f)| (*n, f.class))
        .collect();
    assert_eq!(failed, [(1, FailureClass::Timeout)]);
}

#[test]
fn lists_are_read_from_an_index_whatever_their_filter() {
    let bench = bench([request(0, "s")]);
    for filter in ["", "AND r.state = 2", "AND r.state = 3"] {
        for order in ["ASC", "DESC"] {
            let plan: Vec<String> = bench
                .store
                .connection
                .prepare(&format!(
                    "EXPLAIN QUERY PLAN SELECT r.id FROM request r WHERE r.job = 1 {filter}
                     AND r.seq > 5 ORDER BY r.seq {order} LIMIT 50"
                ))
                .unwrap()
                .query_map([], |row| row.get(3))
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            assert!(plan.iter().all(|step| step.contains("INDEX")), "{plan:?}");
            assert!(
                !plan.iter().any(|step| step.contains("TEMP B-TREE")),
                "{plan:?}"
            );
        }
    }
}
