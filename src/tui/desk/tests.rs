//! Questions about a real queue.

use super::*;
use crate::analysis::Summary;
use crate::model::{FailureClass, RequestState};
use crate::tui::testing_queue::{ended, queue};

const MANY: u64 = 200_000;

fn places(page: &Page) -> (i64, i64, usize) {
    let (first, last) = (page.lines.first().unwrap(), page.lines.last().unwrap());
    (first.seq, last.seq, page.lines.len())
}

async fn next(heard: &mut mpsc::Receiver<Msg>) -> (Query, Found) {
    match heard.recv().await {
        Some(Msg::Found { query, found }) => (query, found.unwrap()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_job_is_read_in_pieces_from_both_ends_and_through_filters() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = queue(folder.path(), MANY);
    let (found, mut heard) = mpsc::channel(4);
    let mut desks = Desks::new(folder.path().into(), found);
    let failed = Filter {
        state: Some(RequestState::Failed),
        ..Filter::default()
    };
    let text = Filter {
        text: Some("c19999".into()),
        ..Filter::default()
    };
    let last = MANY as i64 - 1;
    for (filter, at, expected) in [
        (Filter::default(), At::First, ((0, 399, 400), true, false)),
        (
            Filter::default(),
            At::Last,
            ((last - 399, last, 400), false, true),
        ),
        (
            Filter::default(),
            At::Around(100_000),
            ((99_800, 100_199, 400), false, false),
        ),
        (failed.clone(), At::First, ((999, last, 200), true, true)),
        (text, At::Around(0), ((199_990, 199_998, 9), true, true)),
    ] {
        desks.ask(Query::Page {
            job,
            filter,
            sort: Sort::Place,
            at,
        });
        let (_, Found::Page(page)) = next(&mut heard).await else {
            panic!("no page")
        };
        assert_eq!((places(&page), page.is_first, page.is_last), expected);
    }
    desks.ask(Query::Count {
        job,
        filter: failed,
    });
    assert_eq!(next(&mut heard).await.1, Found::Count(200));
    desks.ask(Query::Failures { job });
    let (_, Found::Failures(groups)) = next(&mut heard).await else {
        panic!("no groups")
    };
    assert_eq!(groups.len(), 1);
    assert_eq!(
        (groups[0].class, groups[0].count),
        (FailureClass::InvalidRequest, 200)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_question_is_answered_whatever_was_asked_before() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = queue(folder.path(), 5_000);
    let (found, mut heard) = mpsc::channel(4);
    let mut desks = Desks::new(folder.path().into(), found);
    let query = |seq| Query::Page {
        job,
        filter: Filter::default(),
        sort: Sort::Place,
        at: At::Around(seq),
    };
    for seq in 0..100 {
        desks.ask(query(seq));
    }
    while next(&mut heard).await.0 != query(99) {}
}

#[tokio::test]
async fn without_a_queue_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (found, mut heard) = mpsc::channel(4);
    let mut desks = Desks::new(folder.path().into(), found);
    desks.ask(Query::Failures { job: JobId(1) });
    let Some(Msg::Found { found, .. }) = heard.recv().await else {
        panic!("no answer")
    };
    assert_eq!(found, Err("there is no queue yet".into()));
}

/// How far a reading is said to be, until it ends.
async fn followed(heard: &mut mpsc::Receiver<Msg>) -> (Vec<u64>, Summary) {
    let mut far = Vec::new();
    loop {
        match next(heard).await.1 {
            Found::Analyzing(looked_at) => far.push(looked_at),
            Found::Analysis(summary) => return (far, *summary),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_analyzed_and_one_hears_how_far_that_is() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = ended(folder.path(), 3_500);
    let (found, mut heard) = mpsc::channel(8);
    let mut desks = Desks::new(folder.path().into(), found);
    desks.ask(Query::Analysis { job });
    let (far, summary) = followed(&mut heard).await;
    assert_eq!(far, [1_000, 2_000, 3_000]);
    assert_eq!((summary.results, summary.answers), (3_500, 0));
    assert_eq!(summary.failures["invalid_request"].count, 3_500);
    desks.close().await;
}

#[test]
fn an_analysis_ends_where_it_is_not_to_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = ended(folder.path(), 3_500);
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    let mut times = 0;
    let found = answer_while(&reader, &Query::Analysis { job }, |_| {
        times += 1;
        times < 2
    });
    assert_eq!(found.unwrap(), Found::Analyzing(2_000));
}

#[tokio::test]
async fn what_was_left_is_not_answered_and_the_next_question_is() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = ended(folder.path(), 20);
    let (found, mut heard) = mpsc::channel(4);
    let mut desks = Desks::new(folder.path().into(), found);
    let query = Query::Analysis { job };
    desks.leave(&query);
    desks.ask(query.clone());
    // Nothing is looked up before this test waits for something.
    desks.leave(&query);
    desks.ask(Query::Failures { job });
    assert!(matches!(next(&mut heard).await.1, Found::Failures(_)));
    desks.close().await;
    assert!(heard.recv().await.is_none(), "nobody waits for it");
}

#[tokio::test]
async fn a_question_that_is_left_is_given_up_on_the_way() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = ended(folder.path(), 3_500);
    let reader = Reader::open(folder.path()).unwrap().unwrap();
    let query = Query::Analysis { job };
    let (asking, mut asks) = watch::channel(Some(query.clone()));
    asking.send_replace(None);
    let (found, _heard) = mpsc::channel(4);
    let (reader, found) = work(reader, &query, &mut asks, &found).await;
    assert!(!matches!(found, Ok(Found::Analysis(_))), "read to its end");
    assert!(asks.has_changed().unwrap());
    let found = answer(&reader.unwrap(), &Query::Failures { job });
    assert!(matches!(found, Ok(Found::Failures(_))), "{found:?}");
}
/// A question of each kind, two of which look at every request.
fn one_of_each(job: JobId) -> [Query; 3] {
    let filter = Filter {
        text: Some("nobody".into()),
        ..Filter::default()
    };
    [
        Query::Page {
            job,
            filter: filter.clone(),
            sort: Sort::Time,
            at: At::First,
        },
        Query::Count { job, filter },
        Query::Failures { job },
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_closes_the_desks_waits_until_nobody_works_at_one() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = queue(folder.path(), MANY);
    let (found, mut heard) = mpsc::channel(16);
    let mut desks = Desks::new(folder.path().into(), found);
    for query in one_of_each(job) {
        desks.ask(query);
    }
    desks.close().await;
    // Whoever still worked could still answer.
    while heard.try_recv().is_ok() {}
    let left = heard.try_recv();
    assert!(matches!(left, Err(mpsc::error::TryRecvError::Disconnected)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_nobody_takes_any_more_holds_up_no_end() {
    let folder = tempfile::tempdir().unwrap();
    let (_store, job) = queue(folder.path(), 5_000);
    let (found, heard) = mpsc::channel(1);
    let mut desks = Desks::new(folder.path().into(), found);
    for query in one_of_each(job) {
        desks.ask(query);
    }
    drop(heard);
    desks.close().await;
}
