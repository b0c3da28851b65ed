use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::notice::{Notice, NoticeKind};
use super::watch::{Rules, Sight, Watch};
use crate::base::{Moment, Stamp};
use crate::model::{
    Counts, Event, EventKind, GuardCause, GuardHold, GuardLevel, GuardView, JobId, JobState,
    JobView, Parallel, ServerState, ServerView, Tokens,
};

const RULES: Rules = Rules {
    after: Duration::from_mins(1),
    trouble_after: Duration::from_mins(5),
};

/// A run that is watched in virtual time.
struct Scene {
    watch: Watch,
    seconds: u64,
    jobs: Vec<JobView>,
    server: ServerState,
    guard: Option<GuardView>,
    events: Vec<Event>,
    told: Vec<Notice>,
}

impl Scene {
    /// One that was looked at once, with these jobs.
    fn with(jobs: Vec<JobView>) -> Self {
        let mut scene = Self {
            watch: Watch::new(RULES),
            seconds: 0,
            jobs,
            server: ServerState::Up,
            guard: None,
            events: Vec::new(),
            told: Vec::new(),
        };
        scene.look();
        scene
    }

    fn look(&mut self) {
        let server = ServerView {
            address: "http://box:11434".into(),
            version: None,
            state: self.server.clone(),
            loaded: Vec::new(),
        };
        let notices = self.watch.look(Sight {
            now: at(self.seconds),
            at: Stamp(1_795_262_400_000),
            jobs: &self.jobs,
            server: &server,
            guard: self.guard.as_ref(),
            events: &self.events,
        });
        self.told.extend(notices);
    }

    /// Time passes; jobs that run have been running meanwhile. It is looked when that is due.
    fn pass(&mut self, seconds: u64) {
        let end = self.seconds + seconds;
        while let Some(due) = self.watch.next().filter(|due| *due < at(end)) {
            self.go_to(due.0.as_secs());
        }
        self.go_to(end);
    }

    fn go_to(&mut self, seconds: u64) {
        let passed = Duration::from_secs(seconds - self.seconds);
        for job in &mut self.jobs {
            if job.state == JobState::Running {
                job.running_for += passed;
            }
        }
        self.seconds = seconds;
        self.look();
    }

    fn becomes(&mut self, place: usize, state: JobState) {
        self.jobs[place].state = state;
        self.look();
    }

    fn server_goes(&mut self) {
        let (since, next) = (at(self.seconds), at(self.seconds + 5));
        let why = "connection refused".to_owned();
        self.server = ServerState::Down { since, why, next };
        self.look();
    }

    fn server_is(&mut self, state: ServerState) {
        self.server = state;
        self.look();
    }

    fn happens(&mut self, kind: EventKind) {
        self.events.push(Event {
            at: Stamp(0),
            job: None,
            kind,
            text: "the disk is full".into(),
        });
        self.look();
    }

    fn kinds(&self) -> Vec<NoticeKind> {
        self.told.iter().map(|notice| notice.kind).collect()
    }
}

fn at(seconds: u64) -> Moment {
    Moment(Duration::from_secs(seconds))
}

fn job(id: i64, state: JobState) -> JobView {
    JobView {
        id: JobId(id),
        name: format!("job-{id}.jsonl").into(),
        state,
        priority: 0,
        counts: Counts {
            total: 1_000,
            done: 988,
            failed: 12,
            cut: 3,
            prompt_tokens: Tokens(0),
            answer_tokens: Tokens(0),
        },
        parallel: Parallel::Auto,
        eta: None,
        eta_p90: None,
        running_for: Duration::ZERO,
        energy: None,
        reuse: crate::model::ReuseView::default(),
    }
}

fn stopped() -> JobState {
    JobState::Paused {
        why: Some("the model `x` is missing".into()),
    }
}

fn unstartable() -> JobState {
    JobState::FailedToStart {
        why: "it does not fit the card".into(),
    }
}

fn running() -> Scene {
    Scene::with(vec![job(1, JobState::Running)])
}

#[rstest]
#[case::short(59, JobState::Done, &[])]
#[case::long(60, JobState::Done, &[NoticeKind::JobDone])]
#[case::short_stop(59, stopped(), &[])]
#[case::stop(60, stopped(), &[NoticeKind::JobStopped])]
#[case::unstartable(60, unstartable(), &[NoticeKind::JobStopped])]
#[case::by_the_user(600, JobState::Paused { why: None }, &[])]
#[case::cancelled(600, JobState::Cancelled, &[])]
fn the_end_of_a_run_is_told_where_it_was_long(
    #[case] seconds: u64,
    #[case] state: JobState,
    #[case] told: &[NoticeKind],
) {
    let mut scene = running();
    scene.pass(seconds);
    scene.becomes(0, state);
    scene.pass(600);
    assert_eq!(scene.kinds(), told);
}

#[test]
fn words_and_figures_are_those_of_the_job() {
    let mut scene = running();
    scene.pass(3_725);
    scene.becomes(0, JobState::Done);
    let notice = &scene.told[0];
    assert_eq!(notice.title, "job-1.jsonl is done");
    assert_eq!(
        notice.text,
        "job 1 (job-1.jsonl): 988 of 1,000 requests answered, 3 cut off, 12 failed, in 1 h 02 min"
    );
    scene.becomes(0, JobState::Running);
    scene.pass(61);
    scene.becomes(0, stopped());
    assert_eq!(
        scene.told[1].text,
        "job 1 (job-1.jsonl) is paused: the model `x` is missing; 988 of 1,000 requests answered, \
         3 cut off, 12 failed"
    );
}

#[test]
fn what_ended_before_is_old_news() {
    let ends = [JobState::Done, stopped(), unstartable()];
    let jobs = ends.into_iter().zip(1..).map(|(end, id)| job(id, end));
    let mut scene = Scene::with(jobs.collect());
    scene.pass(600);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_job_that_goes_on_is_told_again_for_what_it_ran_then() {
    let mut scene = running();
    scene.pass(600);
    scene.becomes(0, JobState::Done);
    scene.becomes(0, JobState::Queued);
    scene.becomes(0, JobState::Running);
    scene.pass(30);
    scene.becomes(0, JobState::Done);
    assert_eq!(scene.kinds(), [NoticeKind::JobDone], "a short second run");
    scene.becomes(0, JobState::Running);
    scene.pass(60);
    scene.becomes(0, JobState::Done);
    assert_eq!(scene.kinds(), [NoticeKind::JobDone, NoticeKind::JobDone]);
}

#[test]
fn the_end_of_a_queue_is_told_after_its_jobs() {
    let mut scene = Scene::with(vec![job(1, JobState::Running), job(2, JobState::Queued)]);
    scene.pass(10);
    scene.becomes(0, JobState::Done);
    scene.becomes(1, JobState::Running);
    scene.pass(90);
    scene.becomes(1, stopped());
    assert_eq!(
        scene.kinds(),
        [NoticeKind::JobStopped, NoticeKind::QueueDone]
    );
    assert_eq!(
        scene.told[1].text,
        "1 jobs done, 1 stopped; 1,976 requests answered, 24 failed, in 1 min 40 s"
    );
}

#[test]
fn a_queue_that_the_user_ends_is_not_told() {
    let mut scene = Scene::with((1..=3).map(|id| job(id, JobState::Running)).collect());
    scene.pass(30);
    scene.becomes(0, JobState::Done);
    scene.becomes(1, JobState::Done);
    scene.pass(90);
    scene.becomes(2, JobState::Cancelled);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_long_outage_is_told_once_and_once_more_when_it_is_over() {
    let mut scene = running();
    scene.pass(10);
    scene.server_goes();
    scene.pass(299);
    assert_eq!(scene.kinds(), []);
    scene.pass(3_600);
    assert_eq!(scene.kinds(), [NoticeKind::ServerDown]);
    assert_eq!(
        scene.told[0].title,
        "the server has not answered for 5 min 00 s"
    );
    assert_eq!(
        scene.told[0].text,
        "http://box:11434: connection refused; it is tried again until it does"
    );
    scene.server_is(ServerState::Unknown);
    scene.server_is(ServerState::Up);
    scene.pass(600);
    assert_eq!(
        scene.kinds(),
        [NoticeKind::ServerDown, NoticeKind::TroubleOver]
    );
    assert_eq!(
        scene.told[1].text,
        "the server answers again, after 1 h 04 min"
    );
}

#[test]
fn an_idle_queue_does_not_care_about_the_server() {
    let mut scene = Scene::with(vec![job(1, JobState::Done)]);
    scene.server_goes();
    scene.pass(3_600);
    assert_eq!(scene.kinds(), []);
}

#[test]
fn a_doubtful_server_is_not_asked_about_for_ever() {
    let mut scene = running();
    scene.server_goes();
    scene.server_is(ServerState::Unknown);
    scene.pass(3_600);
    assert_eq!(scene.kinds(), []);
    assert_eq!(scene.watch.next(), None);
}

#[test]
fn a_disk_that_stays_full_is_told() {
    let mut scene = running();
    scene.happens(EventKind::StoreTrouble);
    scene.pass(10);
    scene.happens(EventKind::StoreWell);
    scene.pass(600);
    assert_eq!(scene.kinds(), []);
    scene.happens(EventKind::StoreTrouble);
    // Other events push it out of the list.
    scene.pass(600);
    scene.events.clear();
    scene.pass(600);
    assert_eq!(scene.kinds(), [NoticeKind::DiskTrouble]);
    assert!(scene.told[0].text.starts_with("the disk is full; "));
    scene.happens(EventKind::StoreWell);
    assert_eq!(scene.kinds()[1], NoticeKind::TroubleOver);
}

#[rstest]
#[case::heat(GuardCause::Heat, GuardLevel::Pause, true)]
#[case::eased(GuardCause::Heat, GuardLevel::Ease, false)]
#[case::hours(GuardCause::Hours, GuardLevel::Pause, false)]
fn a_pause_that_nobody_planned_is_told(
    #[case] cause: GuardCause,
    #[case] level: GuardLevel,
    #[case] is_told: bool,
) {
    let mut scene = running();
    let why = "the card \u{1b}[2J has 91 °C".to_owned();
    scene.guard = Some(GuardView {
        level,
        holds: vec![GuardHold { cause, level, why }],
    });
    scene.look();
    scene.pass(301);
    let expected: &[NoticeKind] = if is_told {
        &[NoticeKind::GuardPause]
    } else {
        &[]
    };
    assert_eq!(scene.kinds(), expected);
    scene.guard = Some(GuardView::default());
    scene.look();
    assert_eq!(scene.kinds().len(), expected.len() * 2);
}

#[test]
fn hostile_names_and_reasons_are_shown_and_bounded() {
    let mut hostile = job(1, JobState::Running);
    let name = "\u{1b}]0;x\u{7}\r\nBcc: all@example.com <!channel> ".repeat(40);
    hostile.name = name.as_str().into();
    let mut scene = Scene::with(vec![hostile]);
    scene.pass(100);
    scene.becomes(0, JobState::Paused { why: Some(name) });
    let notice = &scene.told[0];
    let job = notice.job.as_ref().unwrap();
    for text in [&notice.title, &notice.text, &job.name] {
        assert!(!text.chars().any(char::is_control), "{text:?}");
        assert!(!text.contains(['<', '>']), "{text:?}");
        assert!(text.chars().count() <= 600, "{text:?}");
    }
}

proptest! {
    /// Whatever the server does, what is told of it alternates, and there are no more troubles
    /// told than there were long ones.
    #[test]
    fn each_trouble_is_told_once_until_it_is_over(
        steps in prop::collection::vec((0_u8..3, 1_u64..500), 0..40),
    ) {
        let mut scene = running();
        let (mut longest, mut down_for, mut long) = (0, 0, 0);
        for (state, seconds) in steps {
            match state {
                0 if !matches!(scene.server, ServerState::Down { .. }) && down_for == 0 => {
                    scene.server_goes();
                }
                1 => {
                    scene.server_is(ServerState::Up);
                    long += u32::from(longest >= 300);
                    (longest, down_for) = (0, 0);
                }
                _ => {}
            }
            scene.pass(seconds);
            if matches!(scene.server, ServerState::Down { .. }) {
                down_for += seconds;
                longest = longest.max(down_for);
            }
        }
        scene.server_is(ServerState::Up);
        long += u32::from(longest >= 300);
        let kinds = scene.kinds();
        prop_assert_eq!(kinds.len() as u32, long * 2);
        for pair in kinds.chunks(2) {
            prop_assert_eq!(pair, [NoticeKind::ServerDown, NoticeKind::TroubleOver]);
        }
    }
}
