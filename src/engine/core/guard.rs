//! The guard in the run: fewer lanes, or nothing new, while the card or the clock asks for it.
//!
//! The cards are sampled elsewhere; each sample is an input. When samples stop coming, the guard
//! looks again at nothing every half minute: then it notices that it is blind and lets go, and the
//! hours are kept without any card. What passes by itself (heat, memory that others take, another
//! program, hours) is waited for. What does not pass by itself (a card that stays lost, a card that
//! the model alone fills) stops the jobs, with what to do.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Core, Load, Now};
use crate::base::{Moment, duration};
use crate::context::Guard;
use crate::model::{
    EventKind, GuardCause, GuardLevel, GuardLimits, GuardView, JobId, JobState, Readings,
};

/// Without a sample it is looked at least so often.
const LOOK: Duration = Duration::from_secs(30);
/// A card that is lost for so long does not come back by itself.
const LOST: Duration = Duration::from_mins(1);
/// A card that the model alone fills for so long will not get emptier.
const FILLED: Duration = Duration::from_mins(5);

/// The guard with what it saw last.
#[derive(Debug)]
pub(super) struct Watch {
    guard: Guard,
    allow_spill: bool,
    zone: TimeZone,
    latest: Arc<Readings>,
    /// When it looked last; never before the first time.
    looked: Option<Moment>,
    minute: Option<u16>,
}

impl Core {
    /// The same core under a guard. `zone` is the one in which its hours are meant.
    #[must_use]
    pub fn guarded_by(mut self, limits: GuardLimits, zone: TimeZone) -> Self {
        self.watch = Some(Watch {
            guard: Guard::new(limits),
            allow_spill: limits.allow_spill,
            zone,
            latest: Arc::default(),
            looked: None,
            minute: None,
        });
        self
    }

    /// What the guard holds back; `None` where there is none.
    pub fn guard_view(&self) -> Option<GuardView> {
        self.watch.as_ref().map(|watch| watch.guard.view())
    }

    /// Whether the card's memory is so full that histories should be trimmed harder than usual.
    pub fn memory_is_tight(&self) -> bool {
        let watch = self.watch.as_ref();
        watch.is_some_and(|watch| watch.guard.held_by(GuardCause::Memory).0 >= GuardLevel::Least)
    }

    /// Whether work waits until a card gives way: then it is asked although nothing runs. Hours
    /// come without any card.
    pub fn waits_for_cards(&self) -> bool {
        let holds = self.guard_view().map(|view| view.holds).unwrap_or_default();
        let by_card = holds.iter().any(|hold| hold.cause != GuardCause::Hours);
        by_card && !self.order.is_empty()
    }

    /// Whether jobs are refused whose model surely does not fit.
    pub(super) fn refuses_to_spill(&self) -> bool {
        self.watch.as_ref().is_some_and(|watch| !watch.allow_spill)
    }

    /// The cards as they were seen last; nothing where they never were.
    pub(super) fn readings(&self) -> Arc<Readings> {
        Arc::clone(&self.latest)
    }

    pub(super) fn sampled(&mut self, readings: Arc<Readings>, now: Now) {
        self.latest = Arc::clone(&readings);
        let Some(watch) = &mut self.watch else { return };
        watch.latest = readings;
        self.look(now);
        self.stop_hopeless(now);
    }

    /// Looks without a sample, where none has come for a while.
    pub(super) fn look_when_due(&mut self, now: Now) {
        let Some(watch) = &mut self.watch else { return };
        if watch
            .looked
            .is_none_or(|looked| now.moment - looked >= LOOK)
        {
            watch.latest = Arc::default();
            self.look(now);
        }
    }

    /// When to look again although no sample comes.
    pub(super) fn look_at(&self) -> Option<Moment> {
        let watch = self.watch.as_ref().filter(|_| !self.order.is_empty())?;
        Some(watch.looked? + LOOK)
    }

    fn look(&mut self, now: Now) {
        let Some(watch) = &mut self.watch else { return };
        watch.looked = Some(now.moment);
        watch.minute = now.stamp.minute_of_day(&watch.zone);
        let steps = watch.guard.step(now.moment, watch.minute, &watch.latest);
        let level = watch.guard.level();
        for step in steps {
            self.tell(None, EventKind::Guard, step.sentence(level), now);
        }
    }

    /// So many of these lanes may be used now.
    pub(super) fn lanes_under_guard(&self, lanes: usize) -> usize {
        let Some(watch) = &self.watch else {
            return lanes;
        };
        let wanted = u32::try_from(lanes).unwrap_or(u32::MAX);
        watch.guard.lanes(wanted) as usize
    }

    /// Why the guard lets nothing be sent, if it does not.
    pub(super) fn paused_by_guard(&self) -> Option<String> {
        let view = self.watch.as_ref()?.guard.view();
        let mut pauses = view.holds.into_iter();
        let pause = pauses.find(|hold| hold.level == GuardLevel::Pause)?;
        Some(format!("held back: {}", pause.why))
    }

    /// Why the guard lets no model be loaded, if it does not. Memory that models hold is no reason,
    /// because Ollama lets them go for another one; where nobody knows who holds it, neither.
    pub(super) fn load_forbidden(&self) -> Option<String> {
        let watch = self.watch.as_ref()?;
        let others_fill = watch.guard.is_filled_by_others(&watch.latest) == Some(true);
        let counts = |cause| cause != GuardCause::Memory || others_fill;
        let held = watch.guard.view().holds.into_iter();
        let held = held.filter(|hold| hold.level == GuardLevel::Pause);
        let held = held.map(|hold| (hold.cause, hold.why));
        let refusals = watch.guard.refusals(watch.minute, &watch.latest);
        let mut reasons = held.chain(refusals).filter(|(cause, _)| counts(*cause));
        reasons.next().map(|(_, why)| format!("held back: {why}"))
    }

    /// Stops jobs that would wait for ever.
    fn stop_hopeless(&mut self, now: Now) {
        if let Some(why) = self.lost_for_good(now.moment) {
            self.stop_all(&self.order.clone(), &why, now);
        }
        if let Some(why) = self.filled_for_good(now.moment) {
            let options = self.load.options();
            let jobs: Vec<JobId> = options
                .map(|options| self.jobs_that_want(options).collect())
                .unwrap_or_default();
            self.stop_all(&jobs, &why, now);
        }
    }

    fn stop_all(&mut self, jobs: &[JobId], why: &str, now: Now) {
        for &id in jobs {
            let why = why.to_owned();
            let started = self.job(id).is_some_and(|job| job.started.is_some());
            let state = if started {
                JobState::Paused { why: Some(why) }
            } else {
                JobState::FailedToStart { why }
            };
            self.set_state(id, state, now);
            self.release_idle(|job| job == id);
        }
    }

    /// Why the card will not come back by itself, if so.
    fn lost_for_good(&self, now: Moment) -> Option<String> {
        let why = self.pause_of(GuardCause::CardLost, LOST, now)?;
        let long = duration(LOST);
        Some(format!(
            "{why}, and has not for {long}; see what the driver says (`nvidia-smi`), then resume \
             the job"
        ))
    }

    /// Why the card will not get emptier by itself, if so.
    fn filled_for_good(&self, now: Moment) -> Option<String> {
        let watch = self.watch.as_ref()?;
        let is_idle = self.flight.is_empty() && matches!(self.load, Load::Ready { .. });
        if !is_idle || watch.guard.is_filled_by_models(&watch.latest) != Some(true) {
            return None;
        }
        let why = self.pause_of(GuardCause::Memory, FILLED, now)?;
        Some(format!(
            "{why}, and the model alone takes it; a smaller window or fewer slots need less, or \
             `guard.memory_pause` may be higher"
        ))
    }

    /// The figures of a pause that has stood for so long.
    fn pause_of(&self, cause: GuardCause, long: Duration, now: Moment) -> Option<String> {
        let watch = self.watch.as_ref()?;
        let (level, since) = watch.guard.held_by(cause);
        let stands = level == GuardLevel::Pause && now - since >= long;
        let holds = watch.guard.view().holds;
        let hold = holds.into_iter().find(|hold| hold.cause == cause)?;
        stands.then_some(hold.why)
    }
}
