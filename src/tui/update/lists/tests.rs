//! What keys do in the views over the queue.

use super::*;
use crate::model::{Attempts, FailureClass, RequestState};
use crate::store::{FailureGroup, RequestDetail, RequestLine, Sort};
use crate::tui::key::{Mouse, MouseDid};
use crate::tui::keymap::KeyMap;
use crate::tui::lists::Side;
use crate::tui::msg::Msg;
use crate::tui::query::Page;
use crate::tui::reading::RequestText;
use crate::tui::testing::{drawn, snapshot, text, ui};
use crate::tui::update::update;

fn press(ui: &mut Ui, run: &Snapshot, keys: &str) -> Vec<Ask> {
    let map = KeyMap::built_in();
    keys.split(' ')
        .flat_map(|key| update(ui, Msg::Key(key.parse().unwrap()), run, &map))
        .collect()
}

fn lines(from: i64, many: i64) -> Vec<RequestLine> {
    (from..from + many)
        .map(|seq| RequestLine {
            id: RequestId(seq + 1),
            seq,
            line: seq as u64 + 1,
            custom_id: Some(format!("c{seq}")),
            state: RequestState::Failed,
            attempts: Attempts::default(),
            at: None,
            class: Some(FailureClass::Timeout),
            prompt_tokens: None,
            answer_tokens: None,
            wall_ms: None,
        })
        .collect()
}

fn queries(asks: Vec<Ask>) -> Vec<Query> {
    let query = |ask| match ask {
        Ask::Query(query) => Some(query),
        _ => None,
    };
    asks.into_iter().filter_map(query).collect()
}

fn answered(ui: &mut Ui, run: &Snapshot, query: Query, found: Found) -> Vec<Ask> {
    let msg = Msg::Found {
        query,
        found: Ok(found),
    };
    update(ui, msg, run, &KeyMap::built_in())
}

/// A screen with the requests of job 1, of which the first 400 are held.
fn listed(run: &Snapshot) -> Ui {
    let mut ui = ui();
    let asked = queries(press(&mut ui, run, "enter"));
    answered(
        &mut ui,
        run,
        asked[0].clone(),
        Found::Page(piece(400, false)),
    );
    ui
}

/// The first requests of a list.
fn piece(many: i64, is_last: bool) -> Page {
    Page {
        lines: lines(0, many),
        is_first: true,
        is_last,
        claimed: 0,
    }
}

fn page_at(list: &RequestList) -> Option<At> {
    match &list.asked {
        Some(Query::Page { at, .. }) => Some(*at),
        _ => None,
    }
}

fn list(ui: &Ui) -> &RequestList {
    ui.lists.requests.as_ref().unwrap()
}

#[test]
fn enter_opens_a_job_and_its_first_request_is_selected() {
    let run = snapshot("busy");
    let ui = listed(&run);
    assert_eq!(ui.view(), View::Requests);
    assert_eq!(list(&ui).cursor, Some((RequestId(1), 0)));
    assert_eq!(list(&ui).asked, None);
}

#[test]
fn the_end_of_the_list_is_asked_for_and_not_scrolled_to() {
    let run = snapshot("huge");
    let mut ui = listed(&run);
    let asked = queries(press(&mut ui, &run, "G"));
    assert_eq!(page_at(list(&ui)), Some(At::Last));
    let page = Page {
        lines: lines(999_600, 400),
        is_first: false,
        is_last: true,
        claimed: 0,
    };
    answered(&mut ui, &run, asked[0].clone(), Found::Page(page));
    assert_eq!(list(&ui).cursor, Some((RequestId(1_000_000), 999_999)));
    press(&mut ui, &run, "g");
    assert_eq!(page_at(list(&ui)), Some(At::First));
}

#[test]
fn near_the_end_of_what_is_held_more_is_asked_for_and_the_selection_stays() {
    let run = snapshot("huge");
    let mut ui = listed(&run);
    let mut asked = Vec::new();
    while asked.is_empty() {
        asked = queries(press(&mut ui, &run, "j"));
    }
    let (id, seq) = list(&ui).cursor.unwrap();
    assert_eq!(page_at(list(&ui)), Some(At::Around(seq)));
    let page = Page {
        lines: lines(seq - 200, 400),
        is_first: false,
        is_last: false,
        claimed: 0,
    };
    answered(&mut ui, &run, asked[0].clone(), Found::Page(page));
    assert_eq!(
        (list(&ui).cursor, list(&ui).at()),
        (Some((id, seq)), Some(200))
    );
}

#[test]
fn an_answer_to_an_older_question_changes_nothing() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    let older = queries(press(&mut ui, &run, "s"))[0].clone();
    press(&mut ui, &run, "s");
    let before = ui.clone();
    answered(&mut ui, &run, older, Found::Page(Page::default()));
    assert_eq!(ui, before);
}

#[test]
fn a_text_filter_is_live_negates_stays_with_enter_and_goes_with_esc() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    let asked = queries(press(&mut ui, &run, "/ ! c 9"));
    let filter = &list(&ui).filter;
    assert_eq!((filter.text.as_deref(), filter.inverse), (Some("c9"), true));
    // What it lets through is counted once it is known that there is more of it.
    let page = asked.last().unwrap().clone();
    let asked = queries(answered(
        &mut ui,
        &run,
        page,
        Found::Page(piece(400, false)),
    ));
    assert!(matches!(asked[..], [Query::Count { .. }]), "{asked:?}");
    answered(&mut ui, &run, asked[0].clone(), Found::Count(412));
    assert_eq!(list(&ui).matched, Some(412));
    press(&mut ui, &run, "enter");
    assert_eq!(
        (&list(&ui).typing, list(&ui).filter.text.is_some()),
        (&None, true)
    );
    press(&mut ui, &run, "/ esc");
    assert_eq!(list(&ui).filter.text, None);
    update(&mut ui, Msg::Paste("q".into()), &run, &KeyMap::built_in());
    assert_eq!(list(&ui).filter.text, None);
    press(&mut ui, &run, "esc");
    assert_eq!(ui.view(), View::Main);
}

#[test]
fn what_is_held_whole_is_not_counted_in_the_queue() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    let asked = queries(press(&mut ui, &run, "/ c 9"));
    let page = asked.last().unwrap().clone();
    let asked = answered(&mut ui, &run, page, Found::Page(piece(12, true)));
    assert_eq!((asked, list(&ui).matched), (Vec::new(), Some(12)));
}

#[test]
fn what_takes_a_while_is_said_and_can_be_stopped() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    let says = |ui: &Ui, words: &str| text(&drawn(&run, ui, 120, 30).0).contains(words);
    press(&mut ui, &run, "O O");
    assert_eq!(list(&ui).sort, Sort::Name);
    assert!(says(&ui, "sorting… esc stops it"));
    let asked = queries(press(&mut ui, &run, "esc"));
    assert!(
        matches!(
            &asked[..],
            [Query::Page {
                sort: Sort::Place,
                ..
            }]
        ),
        "{asked:?}"
    );
    assert!(!says(&ui, "sorting"));
    answered(
        &mut ui,
        &run,
        asked[0].clone(),
        Found::Page(piece(400, false)),
    );
    press(&mut ui, &run, "/ c 9 enter");
    assert!(says(&ui, "searching… esc stops it"));
    let asked = queries(press(&mut ui, &run, "esc"));
    assert!(matches!(&asked[..], [Query::Page { filter, .. }] if filter.text.is_none()));
    assert!(!says(&ui, "searching"));
    assert_eq!(ui.view(), View::Requests);
}

#[test]
fn keys_filter_by_state_and_class_and_turn_the_order() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    press(&mut ui, &run, "s s s s");
    assert_eq!(list(&ui).filter.state, Some(RequestState::Failed));
    press(&mut ui, &run, "s");
    assert_eq!(list(&ui).filter.state, None);
    press(&mut ui, &run, "C");
    assert_eq!(list(&ui).filter.class, Some(FailureClass::ALL[0]));
    press(&mut ui, &run, "o");
    assert_eq!(page_at(list(&ui)), Some(At::Last));
}

#[test]
fn marked_requests_are_retried_together_after_a_question() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    assert_eq!(press(&mut ui, &run, "m m r"), []);
    let asks = press(&mut ui, &run, "y");
    press(&mut ui, &run, "esc");
    assert!(list(&ui).marked.is_empty());
    let which = WhichFailures::Requests(vec![RequestId(1), RequestId(2)]);
    let command = Command::Retry {
        job: JobId(1),
        which,
    };
    assert_eq!(
        asks,
        [Ask::Command {
            command,
            what: "retry marked".into()
        }]
    );
}

#[test]
fn a_group_of_failures_is_listed_and_retried() {
    let run = snapshot("failing");
    let mut ui = ui();
    let asked = queries(press(&mut ui, &run, "3"));
    let groups = vec![FailureGroup {
        class: FailureClass::Timeout,
        pattern: "no token within # min".into(),
        count: 7,
        sample: "no token within 2 min".into(),
    }];
    answered(&mut ui, &run, asked[0].clone(), Found::Failures(groups));
    press(&mut ui, &run, "r");
    let asks = press(&mut ui, &run, "y");
    let command = |which| Command::Retry {
        job: JobId(1),
        which,
    };
    let class = command(WhichFailures::Class(FailureClass::Timeout));
    assert!(matches!(&asks[..], [Ask::Command { command, .. }] if *command == class));
    press(&mut ui, &run, "j r");
    let asks = press(&mut ui, &run, "y");
    let alike = command(WhichFailures::Alike("no token within # min".into()));
    assert!(matches!(&asks[..], [Ask::Command { command, .. }] if *command == alike));
    press(&mut ui, &run, "enter");
    assert_eq!(ui.view(), View::Requests);
    let pattern = list(&ui).filter.pattern.as_deref();
    assert_eq!(pattern, Some("no token within # min"));
}

#[test]
fn a_request_is_opened_and_says_what_went_wrong() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    let asked = queries(press(&mut ui, &run, "enter"));
    assert_eq!(
        asked,
        [Query::Request {
            job: JobId(1),
            request: RequestId(1)
        }]
    );
    answered(&mut ui, &run, asked[0].clone(), Found::Request(None));
    assert!(ui.lists.reading.as_ref().unwrap().trouble.is_some());
    press(&mut ui, &run, "tab v");
    let reading = ui.lists.reading.as_ref().unwrap();
    assert_eq!((reading.side, reading.is_raw), (Side::Prompt, true));
}

#[test]
fn a_list_is_asked_for_again_only_when_its_job_has_changed() {
    let mut run = snapshot("busy");
    let mut ui = listed(&run);
    let changed = |ui: &mut Ui, run: &Snapshot| update(ui, Msg::Changed, run, &KeyMap::built_in());
    assert_eq!(changed(&mut ui, &run), []);
    let mut jobs = run.jobs.to_vec();
    jobs[0].counts.done += 1;
    run.jobs = jobs.into();
    assert_eq!(queries(changed(&mut ui, &run)).len(), 1);
    assert_eq!(changed(&mut ui, &run), []);
}

#[test]
fn a_list_is_sorted_by_key_and_by_a_click_on_a_head() {
    let run = snapshot("busy");
    let mut ui = listed(&run);
    press(&mut ui, &run, "O");
    assert_eq!(
        (list(&ui).sort, list(&ui).is_reversed),
        (Sort::State, false)
    );
    assert_eq!(page_at(list(&ui)), Some(At::First));
    let head = |ui: &mut Ui, word: &str| {
        let (buffer, hits) = drawn(&run, ui, 120, 30);
        ui.hits = hits;
        let heads = text(&buffer).lines().nth(3).unwrap().to_owned();
        let column = crate::base::width(&heads[..heads.find(word).unwrap()]) as u16;
        let did = MouseDid::Click;
        let mouse = Mouse {
            column,
            row: 3,
            did,
        };
        update(ui, Msg::Mouse(mouse), &run, &KeyMap::built_in());
        text(&drawn(&run, ui, 120, 30).0)
    };
    assert!(head(&mut ui, "time").contains("▼time"));
    assert_eq!((list(&ui).sort, list(&ui).is_reversed), (Sort::Time, true));
    // Turned round, the end of the order is what is asked for first.
    assert_eq!(page_at(list(&ui)), Some(At::Last));
    assert!(head(&mut ui, "time").contains("▲time"));
    assert_eq!(page_at(list(&ui)), Some(At::First));
    assert!(head(&mut ui, "request").contains("▲request"));
    assert!(head(&mut ui, "ended").contains("▼ended"));
}

#[test]
fn what_looks_at_every_request_is_not_done_with_every_picture() {
    let mut run = snapshot("busy");
    let mut ui = listed(&run);
    press(&mut ui, &run, "O O");
    let query = list(&ui).asked.clone().unwrap();
    answered(&mut ui, &run, query, Found::Page(Page::default()));
    let mut jobs = run.jobs.to_vec();
    jobs[0].counts.done += 1;
    run.jobs = jobs.into();
    let changed = |ui: &mut Ui, run: &Snapshot| update(ui, Msg::Changed, run, &KeyMap::built_in());
    assert_eq!(changed(&mut ui, &run), []);
    run.now = run.now + SLOWLY;
    assert_eq!(queries(changed(&mut ui, &run)).len(), 1);
}

#[test]
fn a_request_without_an_end_is_followed() {
    let mut run = snapshot("busy");
    let mut ui = listed(&run);
    let detail = |state| {
        let mut line = lines(0, 1).remove(0);
        line.state = state;
        Found::Request(Some(Box::new(RequestText::of(RequestDetail {
            line,
            body: None,
            answer: None,
            failure: None,
            failed_attempts: Vec::new(),
        }))))
    };
    let asked = queries(press(&mut ui, &run, "enter")).remove(0);
    let asks = answered(&mut ui, &run, asked.clone(), detail(RequestState::Claimed));
    assert_eq!(asks, [Ask::Watch(Some(RequestId(1)))]);
    run.now = run.now + Duration::from_secs(1);
    let changed = |ui: &mut Ui, run: &Snapshot| update(ui, Msg::Changed, run, &KeyMap::built_in());
    assert_eq!(
        queries(changed(&mut ui, &run)),
        std::slice::from_ref(&asked)
    );
    let asks = answered(&mut ui, &run, asked, detail(RequestState::Done));
    assert_eq!(asks, [Ask::Watch(None)]);
    run.now = run.now + Duration::from_secs(1);
    assert_eq!(changed(&mut ui, &run), []);
}

/// A screen on which the analysis of job 1 is being read.
fn analyzing(run: &Snapshot) -> (Ui, Query) {
    let mut ui = ui();
    let asked = queries(press(&mut ui, run, "5"));
    assert_eq!(ui.view(), View::Analysis);
    assert_eq!(asked, [Query::Analysis { job: JobId(1) }]);
    (ui, asked[0].clone())
}

fn done(ui: &mut Ui, run: &Snapshot, query: &Query) {
    let found = Found::Analysis(Box::default());
    assert_eq!(answered(ui, run, query.clone(), found), []);
}

#[test]
fn an_analysis_says_how_far_it_is_until_it_is_there() {
    let run = snapshot("busy");
    let (mut ui, query) = analyzing(&run);
    answered(&mut ui, &run, query.clone(), Found::Analyzing(34_000));
    let (buffer, _) = drawn(&run, &ui, 80, 24);
    assert!(text(&buffer).contains("reading… 34,000 of 41,203 results"));
    assert_eq!(press(&mut ui, &run, "5"), [], "it is under way already");
    done(&mut ui, &run, &query);
    assert!(ui.lists.analysis.as_ref().unwrap().summary.is_some());
    assert_eq!(queries(press(&mut ui, &run, "5")), [query]);
}

#[test]
fn an_analysis_that_is_left_is_given_up_and_one_under_the_help_is_not() {
    let run = snapshot("busy");
    let (mut ui, query) = analyzing(&run);
    assert_eq!(press(&mut ui, &run, "?"), []);
    assert_eq!(press(&mut ui, &run, "esc"), []);
    assert_eq!(ui.view(), View::Analysis);
    assert_eq!(press(&mut ui, &run, "esc"), [Ask::Leave(query.clone())]);
    assert_eq!(ui.view(), View::Main);
    done(&mut ui, &run, &query);
    assert_eq!(ui.lists.analysis.as_ref().unwrap().summary, None);
    assert_eq!(queries(press(&mut ui, &run, "5")), [query]);
}

#[test]
fn an_analysis_is_read_again_while_the_job_runs() {
    let mut run = snapshot("busy");
    let (mut ui, query) = analyzing(&run);
    done(&mut ui, &run, &query);
    let map = KeyMap::built_in();
    assert_eq!(update(&mut ui, Msg::Changed, &run, &map), []);
    let mut jobs = run.jobs.to_vec();
    jobs[0].counts.done += 1;
    run.jobs = jobs.into();
    assert_eq!(update(&mut ui, Msg::Changed, &run, &map), []);
    run.now = run.now + Duration::from_secs(6);
    assert_eq!(queries(update(&mut ui, Msg::Changed, &run, &map)), [query]);
}

#[test]
fn an_analysis_is_copied_as_text_and_leads_to_the_requests() {
    let run = snapshot("busy");
    let (mut ui, query) = analyzing(&run);
    assert_eq!(press(&mut ui, &run, "y"), []);
    assert!(ui.message.as_ref().unwrap().is_error, "nothing yet");
    done(&mut ui, &run, &query);
    let asks = press(&mut ui, &run, "y");
    let [Ask::Copy(text)] = asks.as_slice() else {
        panic!("{asks:?}")
    };
    assert!(text.starts_with("0 results"), "{text}");
    press(&mut ui, &run, "enter");
    assert_eq!(list(&ui).job, JobId(1));
    assert_eq!(press(&mut ui, &run, "esc"), []);
    assert_eq!(ui.view(), View::Analysis);
}
