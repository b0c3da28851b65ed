//! What is worth telling: a pure function of what is seen of the run, and of the time.
//!
//! The end of a job is told where the job was long enough for somebody to have looked away. A
//! trouble is told once it has lasted, once, and once more when it has passed; one that passes
//! before that is not told at all.

use std::collections::BTreeMap;
use std::time::Duration;

use super::notice::{Notice, NoticeKind, name};
use crate::base::{Moment, Stamp, count, duration};
use crate::model::{
    Event, EventKind, GuardCause, GuardLevel, GuardView, JobId, JobState, JobView, ServerState,
    ServerView, Snapshot,
};

/// Jobs remembered although they are not seen.
const REMEMBERED: usize = 4_096;

/// When to keep quiet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Runs shorter than this end without a notice.
    pub after: Duration,
    /// Troubles shorter than this are not told.
    pub trouble_after: Duration,
}

/// What of a snapshot matters.
#[derive(Debug, Clone, Copy)]
pub struct Sight<'a> {
    /// Time since the engine started.
    pub now: Moment,
    /// The same by the wall clock.
    pub at: Stamp,
    /// The jobs.
    pub jobs: &'a [JobView],
    /// The server.
    pub server: &'a ServerView,
    /// What the guard holds back.
    pub guard: Option<&'a GuardView>,
    /// What happened last, oldest first.
    pub events: &'a [Event],
}

/// Remembers what was told.
#[derive(Debug)]
pub struct Watch {
    rules: Rules,
    /// When it looked last; never before the first time.
    looked: Option<Moment>,
    jobs: BTreeMap<JobId, Seen>,
    stretch: Option<Stretch>,
    troubles: BTreeMap<Trouble, Standing>,
}

/// A job that was seen.
#[derive(Debug, Clone, Copy)]
struct Seen {
    /// Since when it has been going on, as far as was seen.
    since: Moment,
    /// For how long it had been running then.
    ran_before: Duration,
    has_ended: bool,
}

/// A time during which there was always something to do.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    since: Moment,
    done: u64,
    stopped: u64,
    answered: u64,
    failed: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Trouble {
    Server,
    Disk,
    Guard,
}

/// A trouble that has not passed.
#[derive(Debug, Clone)]
struct Standing {
    since: Moment,
    is_told: bool,
}

/// How it looks about one trouble.
enum Look {
    Bad {
        since: Moment,
        why: String,
    },
    Well,
    /// Nothing is known that would change what was known before.
    Unclear,
    /// There is nothing to do that it could hinder.
    Idle,
}

impl<'a> Sight<'a> {
    /// What matters of a snapshot, `later` after it was taken.
    pub fn of(snapshot: &'a Snapshot, later: Duration) -> Self {
        Self {
            now: snapshot.now + later,
            at: snapshot.at.after(later),
            jobs: &snapshot.jobs,
            server: &snapshot.server,
            guard: snapshot.guard.as_ref(),
            events: &snapshot.events,
        }
    }

    fn is_busy(&self) -> bool {
        self.jobs.iter().any(|job| job.state.is_runnable())
    }
}

impl Watch {
    /// One that has seen nothing.
    pub const fn new(rules: Rules) -> Self {
        Self {
            rules,
            looked: None,
            jobs: BTreeMap::new(),
            stretch: None,
            troubles: BTreeMap::new(),
        }
    }

    /// What is worth telling now.
    pub fn look(&mut self, sight: Sight<'_>) -> Vec<Notice> {
        let is_busy = sight.is_busy();
        if is_busy && self.stretch.is_none() {
            self.stretch = Some(Stretch::starting(sight.now));
        }
        let mut notices = Vec::new();
        let mut has_ended = false;
        for job in sight.jobs {
            if self.has_just_ended(job, sight, &mut notices) {
                has_ended = true;
            }
        }
        if !is_busy {
            let stretch = self.stretch.take().filter(|_| has_ended);
            notices.extend(stretch.and_then(|stretch| self.end_of_queue(stretch, sight)));
        }
        for (trouble, look) in [
            (Trouble::Server, server(sight, is_busy)),
            (Trouble::Disk, disk(sight)),
            (Trouble::Guard, guard(sight, is_busy)),
        ] {
            notices.extend(self.look_at_trouble(trouble, look, sight));
        }
        self.looked = Some(sight.now);
        self.forget(sight);
        notices
    }

    /// When a trouble will have lasted long enough although nothing else happens: later than the
    /// last look.
    pub fn next(&self) -> Option<Moment> {
        let untold = self.troubles.values().filter(|standing| !standing.is_told);
        untold
            .map(|standing| standing.since + self.rules.trouble_after)
            .filter(|due| self.looked.is_none_or(|looked| *due > looked))
            .min()
    }

    /// Whether the job has come to an end since it was last seen; that is told where it is worth
    /// it. A job that had ended before the first look is old news.
    fn has_just_ended(
        &mut self,
        job: &JobView,
        sight: Sight<'_>,
        notices: &mut Vec<Notice>,
    ) -> bool {
        let is_first = self.looked.is_none();
        let is_over = is_end(&job.state);
        let seen = self.jobs.entry(job.id).or_insert(Seen {
            since: sight.now,
            ran_before: if is_first {
                job.running_for
            } else {
                Duration::ZERO
            },
            has_ended: is_first && is_over,
        });
        if !is_over {
            if std::mem::take(&mut seen.has_ended) {
                (seen.since, seen.ran_before) = (sight.now, job.running_for);
            }
            return false;
        }
        if std::mem::replace(&mut seen.has_ended, true) {
            return false;
        }
        if let Some(stretch) = &mut self.stretch {
            stretch.add(job);
        }
        let took = match job.state {
            JobState::Done => job.running_for.saturating_sub(seen.ran_before),
            _ => sight.now - seen.since,
        };
        if took >= self.rules.after {
            notices.push(end_of(job, took, sight.at));
        }
        true
    }

    /// One job alone has told it all by itself.
    fn end_of_queue(&self, stretch: Stretch, sight: Sight<'_>) -> Option<Notice> {
        let took = sight.now - stretch.since;
        let is_worth = stretch.done + stretch.stopped > 1 && took >= self.rules.after;
        is_worth.then(|| stretch.notice(took, sight.at))
    }

    fn look_at_trouble(
        &mut self,
        trouble: Trouble,
        look: Look,
        sight: Sight<'_>,
    ) -> Option<Notice> {
        match look {
            Look::Unclear => None,
            Look::Idle => {
                self.troubles.remove(&trouble);
                None
            }
            Look::Well => {
                let standing = self.troubles.remove(&trouble)?;
                let lasted = sight.now - standing.since;
                standing.is_told.then(|| trouble.over(lasted, sight.at))
            }
            Look::Bad { since, why } => {
                let standing = self.troubles.entry(trouble).or_insert(Standing {
                    since,
                    is_told: false,
                });
                let lasted = sight.now - standing.since;
                if standing.is_told || lasted < self.rules.trouble_after {
                    return None;
                }
                standing.is_told = true;
                Some(trouble.lasting(lasted, &why, sight.at))
            }
        }
    }

    /// Jobs that left the list long ago are not remembered for ever.
    fn forget(&mut self, sight: Sight<'_>) {
        if self.jobs.len() > REMEMBERED {
            self.jobs
                .retain(|id, _| sight.jobs.iter().any(|job| job.id == *id));
        }
    }
}

impl Stretch {
    const fn starting(since: Moment) -> Self {
        Self {
            since,
            done: 0,
            stopped: 0,
            answered: 0,
            failed: 0,
        }
    }

    fn add(&mut self, job: &JobView) {
        if job.state == JobState::Done {
            self.done += 1;
        } else {
            self.stopped += 1;
        }
        self.answered += job.counts.done;
        self.failed += job.counts.failed;
    }

    fn notice(self, took: Duration, at: Stamp) -> Notice {
        let stopped = match self.stopped {
            0 => String::new(),
            stopped => format!(", {} stopped", count(stopped)),
        };
        let text = format!(
            "{} jobs done{stopped}; {} requests answered, {} failed, in {}",
            count(self.done),
            count(self.answered),
            count(self.failed),
            duration(took)
        );
        Notice::new(NoticeKind::QueueDone, at, "the queue is done", &text)
    }
}

impl Trouble {
    fn lasting(self, lasted: Duration, why: &str, at: Stamp) -> Notice {
        let lasted = duration(lasted);
        let (kind, title, then) = match self {
            Self::Server => (
                NoticeKind::ServerDown,
                format!("the server has not answered for {lasted}"),
                "it is tried again until it does",
            ),
            Self::Disk => (
                NoticeKind::DiskTrouble,
                format!("the queue cannot be written for {lasted}"),
                "nothing new is sent until it can",
            ),
            Self::Guard => (
                NoticeKind::GuardPause,
                format!("the guard has paused the run for {lasted}"),
                "it goes on by itself",
            ),
        };
        Notice::new(kind, at, &title, &format!("{why}; {then}"))
    }

    fn over(self, lasted: Duration, at: Stamp) -> Notice {
        let title = match self {
            Self::Server => "the server answers again",
            Self::Disk => "the queue can be written again",
            Self::Guard => "the guard lets the run go on",
        };
        let text = format!("{title}, after {}", duration(lasted));
        Notice::new(NoticeKind::TroubleOver, at, title, &text)
    }
}

/// Whether a job has come to an end that the user did not bring about.
const fn is_end(state: &JobState) -> bool {
    matches!(
        state,
        JobState::Done | JobState::Paused { why: Some(_) } | JobState::FailedToStart { .. }
    )
}

fn end_of(job: &JobView, took: Duration, at: Stamp) -> Notice {
    let (name, counts) = (name(job), &job.counts);
    let cut = match counts.cut {
        0 => String::new(),
        cut => format!(", {} cut off", count(cut)),
    };
    let figures = format!(
        "{} of {} requests answered{cut}, {} failed",
        count(counts.done),
        count(counts.total),
        count(counts.failed)
    );
    let notice = match job.state.why() {
        None => Notice::new(
            NoticeKind::JobDone,
            at,
            &format!("{name} is done"),
            &format!("job {} ({name}): {figures}, in {}", job.id, duration(took)),
        ),
        Some(why) => Notice::new(
            NoticeKind::JobStopped,
            at,
            &format!("{name} has stopped"),
            &format!("job {} ({name}) is {}: {why}; {figures}", job.id, job.state),
        ),
    };
    notice.about(job)
}

fn server(sight: Sight<'_>, is_busy: bool) -> Look {
    match &sight.server.state {
        _ if !is_busy => Look::Idle,
        ServerState::Down { since, why, .. } => Look::Bad {
            since: *since,
            why: format!("{}: {why}", sight.server.address),
        },
        ServerState::Unknown => Look::Unclear,
        ServerState::Up | ServerState::Loading { .. } => Look::Well,
    }
}

/// The last that was said about the disk. An event that has left the list changes nothing.
fn disk(sight: Sight<'_>) -> Look {
    let mut events = sight.events.iter().rev();
    let last =
        events.find(|event| matches!(event.kind, EventKind::StoreTrouble | EventKind::StoreWell));
    match last {
        None => Look::Unclear,
        Some(event) if event.kind == EventKind::StoreWell => Look::Well,
        Some(event) => Look::Bad {
            since: sight.now,
            why: event.text.clone(),
        },
    }
}

/// Hours in which nothing is to be sent are what the user wanted, and no trouble.
fn guard(sight: Sight<'_>, is_busy: bool) -> Look {
    if !is_busy {
        return Look::Idle;
    }
    let holds = sight.guard.map_or(&[][..], |guard| &guard.holds);
    let pauses = holds
        .iter()
        .filter(|hold| hold.level == GuardLevel::Pause && hold.cause != GuardCause::Hours);
    let why: Vec<&str> = pauses.map(|hold| hold.why.as_str()).collect();
    if why.is_empty() {
        return Look::Well;
    }
    Look::Bad {
        since: sight.now,
        why: why.join("; "),
    }
}
