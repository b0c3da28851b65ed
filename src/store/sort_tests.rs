//! Lists in every order, beside another job whose requests lie in between.

use super::*;

/// A job whose requests ended in many ways, and another one that was read at the same time.
fn mixed() -> Bench {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(folder.path()).unwrap();
    let job = job(&mut store, []);
    let other = super::job(&mut store, []);
    let settings = JobSettings::default();
    let [mut mine, mut theirs] = [(); 2].map(|()| Admission::new(&settings));
    for n in 0..12 {
        mine.request(request(n * 7 % 12, "s"));
        theirs.request(request(n, "s"));
        apply(&mut store, Write::Admit(job, mine.finish()));
        apply(&mut store, Write::Admit(other, theirs.finish()));
    }
    let mut bench = Bench { folder, store, job };
    bench.job = other;
    end(&mut bench, 12);
    bench.job = job;
    end(&mut bench, 7);
    bench
}

/// Claims two more than end, every third of which fails.
fn end(bench: &mut Bench, ends: usize) {
    let (claimed, _) = bench.claim(ends + 2);
    for (n, one) in claimed.iter().enumerate().take(ends) {
        if n % 3 == 0 {
            bench.failed(one, FailureClass::Timeout);
        } else {
            bench.answered(one);
        }
    }
}

/// What a request is sorted by, as text of equal length.
fn key(line: &RequestLine, sort: Sort) -> String {
    let number = |value: Option<i64>| format!("{:020}", value.unwrap_or(-1) + 1);
    match sort {
        Sort::Place => number(Some(line.seq)),
        Sort::State => number(Some(line.state.code())),
        Sort::Name => line.custom_id.clone().unwrap_or_default(),
        Sort::Tries => number(Some(i64::from(line.attempts.sent))),
        Sort::Prompt => number(line.prompt_tokens.map(|tokens| tokens.0 as i64)),
        Sort::Answer => number(line.answer_tokens.map(|tokens| tokens.0 as i64)),
        Sort::Time => number(line.wall_ms.map(|ms| ms as i64)),
        Sort::Finished => number(line.at.map(|at| at.0)),
    }
}

#[rstest]
#[case::all(Filter::default(), 12)]
#[case::done(Filter { state: Some(RequestState::Done), ..Filter::default() }, 4)]
#[case::failed(Filter { class: Some(FailureClass::Timeout), ..Filter::default() }, 3)]
#[case::named(Filter { text: Some("c1".into()), ..Filter::default() }, 3)]
fn every_order_is_whole_sorted_and_pages_meet(#[case] filter: Filter, #[case] many: usize) {
    let bench = mixed();
    let (reader, job) = (bench.reader(), bench.job);
    let page = |sort, anchor, limit| {
        reader
            .sorted_page(job, (&filter, sort), anchor, limit)
            .unwrap()
    };
    for sort in Sort::ALL {
        let all = page(sort, Anchor::First, 100);
        assert_eq!(all.len(), many, "{sort:?}");
        let keys: Vec<_> = all.iter().map(|line| (key(line, sort), line.seq)).collect();
        assert!(keys.is_sorted(), "{sort:?}: {keys:?}");
        assert_eq!(page(sort, Anchor::First, 2), all[..2], "{sort:?}");
        assert_eq!(page(sort, Anchor::Last, 2), all[many - 2..], "{sort:?}");
        for (at, line) in all.iter().enumerate() {
            let before = page(sort, Anchor::Before(line.seq), 4);
            assert_eq!(before, all[at.saturating_sub(4)..at], "{sort:?}");
            assert_eq!(page(sort, Anchor::From(line.seq), 100), all[at..]);
            assert_eq!(page(sort, Anchor::After(line.seq), 100), all[at + 1..]);
            let around = reader.sorted_around(job, (&filter, sort), line.seq, 4);
            let [before, behind] = around.unwrap();
            assert_eq!(before, all[at.saturating_sub(4)..at], "{sort:?}");
            assert_eq!(behind, all[at..many.min(at + 4)], "{sort:?}");
        }
    }
    assert_eq!(reader.claimed(job).unwrap(), 2);
}

#[test]
fn a_job_without_requests_has_empty_pages() {
    let bench = bench([]);
    for sort in Sort::ALL {
        let filter = Filter::default();
        let reader = bench.reader();
        let around = reader.sorted_around(bench.job, (&filter, sort), 0, 4);
        assert_eq!(around.unwrap(), [[], []], "{sort:?}");
    }
}
