//! Conversations and trims on disk.

use super::*;

const SYSTEM: &str = "You grade candidates.";

fn unit(bench: &Bench) -> Unit {
    Unit {
        job: bench.job,
        model: 0,
    }
}

/// Six answered requests in turns in two conversations.
fn talked() -> Bench {
    let mut bench = bench((0..6).map(|n| request(n, &SYSTEM.repeat(20))));
    let (claimed, _) = bench.claim(6);
    for (request, number) in claimed.iter().zip([1, 2].into_iter().cycle()) {
        let speak = Write::Speak(unit(&bench), request.id, number);
        apply(&mut bench.store, speak);
        assert!(bench.answered(request));
    }
    bench
}

fn recall(bench: &mut Bench, conversations: usize, bytes: usize) -> (Vec<Recalled>, i64) {
    let unit = unit(bench);
    match apply(&mut bench.store, Write::Recall(unit, conversations, bytes)) {
        Written::Recalled {
            conversations,
            highest,
            ..
        } => (conversations, highest),
        other => panic!("{other:?}"),
    }
}

fn trim(request: i64) -> Trim {
    Trim {
        request: RequestId(request),
        policy: TrimPolicy::Hybrid,
        reason: TrimReason::Interval { requests: 50 },
        messages_before: 8,
        messages_after: 4,
        tokens_before: Tokens(800),
        tokens_after: Tokens(400),
    }
}

/// The requests of each conversation.
fn requests(recalled: &[Recalled]) -> Vec<Vec<i64>> {
    let ids = |it: &Recalled| it.exchanges.iter().map(|it| it.request.0).collect();
    recalled.iter().map(ids).collect()
}

#[test]
fn conversations_are_recalled_as_they_were() {
    let mut bench = talked();
    let (recalled, highest) = recall(&mut bench, 9, 1 << 20);
    assert_eq!(highest, 2);
    let numbers: Vec<i64> = recalled.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [2, 1], "the one that spoke last comes first");
    assert_eq!(requests(&recalled), [[2, 4, 6], [1, 3, 5]]);
    let first = &recalled[1].exchanges[0];
    assert_eq!(first.body, request(0, &SYSTEM.repeat(20)).body);
    let AnswerBody::Chat { content, .. } = &first.answer.body else {
        panic!("{first:?}");
    };
    assert_eq!(content, "c0");
}

#[test]
fn only_the_newest_is_recalled_where_there_is_no_room_for_all() {
    let mut bench = talked();
    let (one, _) = recall(&mut bench, 1, 1 << 20);
    assert_eq!(requests(&one), [[2, 4, 6]]);
    let long = request(0, "").body.len() + serde_json::to_string(&answer("c0")).unwrap().len();
    let (newest, _) = recall(&mut bench, 2, 2 * long);
    assert!(newest.iter().all(|it| (1..3).contains(&it.exchanges.len())));
    assert_eq!(newest[0].exchanges.last().unwrap().request.0, 6);
    let (nothing, highest) = recall(&mut bench, 2, 0);
    assert!(nothing.iter().all(|it| it.exchanges.is_empty()));
    assert_eq!(highest, 2);
}

#[test]
fn what_was_trimmed_or_not_answered_is_not_recalled() {
    let mut bench = talked();
    let job = bench.job;
    let dropped = vec![RequestId(1), RequestId(2)];
    apply(&mut bench.store, Write::Trim(job, NOW, trim(6), dropped));
    let mut more = vec![request(9, SYSTEM)];
    more[0].custom_id = "late".into();
    let (recalled, _) = recall(&mut bench, 2, 1 << 20);
    assert_eq!(requests(&recalled), [[4, 6], [3, 5]]);
    // One that spoke and got no answer.
    let other = super::job(&mut bench.store, more);
    let late = Unit {
        job: other,
        model: 0,
    };
    apply(&mut bench.store, Write::Speak(late, RequestId(7), 1));
    let recalled = apply(&mut bench.store, Write::Recall(late, 2, 1 << 20));
    let Written::Recalled {
        conversations,
        highest,
        ..
    } = recalled
    else {
        panic!("{recalled:?}");
    };
    assert_eq!((requests(&conversations), highest), (vec![vec![]], 1));
}

#[test]
fn a_conversation_that_is_over_is_not_recalled_and_its_number_is_not_given_again() {
    let mut bench = talked();
    let end = Write::EndConversation(unit(&bench), 2);
    apply(&mut bench.store, end);
    let (recalled, highest) = recall(&mut bench, 9, 1 << 20);
    assert_eq!((requests(&recalled), highest), (vec![vec![1, 3, 5]], 2));
}

#[test]
fn who_has_not_come_to_an_end_is_recalled_with_its_conversation() {
    let mut bench = bench((0..4).map(|n| request(n, SYSTEM)));
    let (claimed, _) = bench.claim(4);
    for request in &claimed {
        let speak = Write::Speak(unit(&bench), request.id, 1);
        apply(&mut bench.store, speak);
    }
    assert!(bench.answered(&claimed[0]));
    assert!(bench.failed(&claimed[1], FailureClass::Refused));
    let (recalled, _) = recall(&mut bench, 9, 1 << 20);
    assert_eq!(requests(&recalled), [[1]]);
    assert_eq!(recalled[0].unended, [RequestId(3), RequestId(4)]);
}

#[test]
fn answers_since_the_last_trim_are_counted() {
    let mut bench = talked();
    let since = |bench: &mut Bench| -> Vec<u32> {
        let (recalled, _) = recall(bench, 9, 1 << 20);
        recalled.iter().map(|it| it.since_trim).collect()
    };
    assert_eq!(since(&mut bench), [3, 3]);
    let (job, dropped) = (bench.job, vec![RequestId(2)]);
    apply(&mut bench.store, Write::Trim(job, NOW, trim(4), dropped));
    assert_eq!(since(&mut bench), [2, 3], "the one that it was for counts");
}

#[test]
fn trims_are_read_by_job_and_by_request() {
    let mut bench = talked();
    let job = bench.job;
    for number in [3, 4, 4] {
        apply(
            &mut bench.store,
            Write::Trim(job, NOW, trim(number), Vec::new()),
        );
    }
    let reader = bench.reader();
    let trims = reader.trims(job, 2).unwrap();
    assert_eq!((trims.count, trims.last.len()), (3, 2));
    assert_eq!(trims.last[0], (NOW, trim(4)));
    assert_eq!(reader.trims_before(RequestId(3)).unwrap(), [trim(3)]);
    let mut seen = Vec::new();
    let read = reader.results::<StoreError>(job, Order::Input, |row| {
        seen.push((row.conversation, row.trims.len()));
        Ok(())
    });
    read.unwrap();
    let expected = [(1, 0), (2, 0), (1, 1), (2, 2), (1, 0), (2, 0)];
    assert_eq!(seen, expected.map(|(number, trims)| (Some(number), trims)));
    apply(&mut bench.store, Write::Remove(job));
    assert_eq!(bench.reader().trims(job, 2).unwrap(), Trims::default());
}

#[test]
fn a_file_of_the_first_format_is_read_as_it_is_and_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(Store::FILE);
    let old = rusqlite::Connection::open(path).unwrap();
    old.execute_batch(include_str!("../../assets/sql/0001_start.sql"))
        .unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute_batch(
        "INSERT INTO job (name, state, settings, source, created)
         VALUES ('a', 'queued', '{}', '{\"path\":\"a\",\"bytes\":1,\"hash\":\"0\"}', 0);
         INSERT INTO request (job, seq, line, state, model, prefix) VALUES (1, 0, 1, 0, 0, 0);",
    )
    .unwrap();
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    assert_eq!(reader.trims(JobId(1), 9).unwrap(), Trims::default());
    assert!(reader.trims_before(RequestId(1)).unwrap().is_empty());
    let read = reader.results::<StoreError>(JobId(1), Order::Input, |row| {
        assert_eq!((row.conversation, row.trims.len()), (None, 0));
        Ok(())
    });
    read.unwrap();
    let job = reader.job(JobId(1)).unwrap().unwrap();
    assert_eq!(
        job.settings,
        JobSettings::default(),
        "an old job is independent"
    );
    drop(old);
    let mut store = Store::open(folder.path()).unwrap();
    apply(&mut store, Write::Trim(JobId(1), NOW, trim(1), Vec::new()));
    assert_eq!(reader.trims(JobId(1), 9).unwrap().count, 1);
}
