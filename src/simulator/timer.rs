//! Waiting to a fraction of a millisecond.
//!
//! Tokio's timer rounds up to a millisecond and its poll of the system rounds up once more: an
//! answer of 5 ms would take 6 to 7, and what a client loses beside the server could not be seen.
//! A thread that sleeps is on time.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

/// What is further away waits with tokio's timer first, which forgets at once what is given up.
const NEAR: Duration = Duration::from_millis(20);
/// How long the thread sleeps where there is nothing to wait for.
const LONG: Duration = Duration::from_hours(1);

/// A clock that rings on time. Its thread has ended when it is dropped.
#[derive(Debug)]
pub(super) struct Timer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    alarms: Mutex<Alarms>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Alarms {
    bells: Bells,
    is_over: bool,
}

/// By the time when they are due. A bell rings by being dropped.
type Bells = BTreeMap<std::time::Instant, Vec<oneshot::Sender<()>>>;

impl Timer {
    /// Starts the thread. Fails where the system gives none.
    pub(super) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let ringing = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("simulated-time".to_owned())
            .spawn(move || ringing.ring())?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Waits until then.
    pub(super) async fn wait_until(&self, due: Instant) {
        if let Some(near) = due.checked_sub(NEAR)
            && near > Instant::now()
        {
            tokio::time::sleep_until(near).await;
        }
        // Where a test owns the clock, tokio's timer is the one that tells the time.
        tokio::select! {
            _ = self.shared.alarm_at(due.into_std()) => {}
            () = tokio::time::sleep_until(due) => {}
        }
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.alarms().is_over = true;
        self.shared.changed.notify_one();
        // It was asleep, or wakes somebody up: it is over in a moment. A panic of it has been told.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn alarms(&self) -> MutexGuard<'_, Alarms> {
        self.alarms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn alarm_at(&self, due: std::time::Instant) -> oneshot::Receiver<()> {
        let (bell, heard) = oneshot::channel();
        let mut alarms = self.alarms();
        let is_next = alarms.next().is_none_or(|next| due < next);
        alarms.bells.entry(due).or_default().push(bell);
        drop(alarms);
        if is_next {
            self.changed.notify_one();
        }
        heard
    }

    /// Rings for those who wait until the clock is dropped.
    fn ring(&self) {
        let mut alarms = self.alarms();
        while !alarms.is_over {
            let due = alarms.take_due(now());
            if !due.is_empty() {
                // Whoever is woken may set the next one at once.
                drop(alarms);
                drop(due);
                alarms = self.alarms();
                continue;
            }
            let length = alarms
                .next()
                .map_or(LONG, |next| next.saturating_duration_since(now()));
            let woken = self.changed.wait_timeout(alarms, length);
            alarms = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Alarms {
    fn next(&self) -> Option<std::time::Instant> {
        self.bells.first_key_value().map(|(due, _)| *due)
    }

    /// Takes out what was due before now.
    fn take_due(&mut self, now: std::time::Instant) -> Bells {
        let later = self.bells.split_off(&now);
        std::mem::replace(&mut self.bells, later)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the real clock is what it is for"
)]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot::error::TryRecvError;

    #[test]
    fn what_was_due_rings_and_what_comes_later_is_kept() {
        let start = now();
        let at = |millis| start + Duration::from_millis(millis);
        let shared = Shared::default();
        let mut heard: Vec<_> = [30, 10, 20, 10].map(|due| shared.alarm_at(at(due))).into();
        let mut alarms = shared.alarms();
        assert_eq!(alarms.next(), Some(at(10)));
        drop(alarms.take_due(at(20)));
        assert_eq!(alarms.next(), Some(at(20)));
        drop(alarms.take_due(at(21)));
        assert_eq!(alarms.next(), Some(at(30)));
        let rings = |bell: &mut oneshot::Receiver<()>| bell.try_recv() == Err(TryRecvError::Closed);
        let rung: Vec<bool> = heard.iter_mut().map(rings).collect();
        assert_eq!(rung, [false, true, true, true]);
    }

    #[tokio::test]
    async fn nobody_is_woken_early() {
        let timer = Timer::start().unwrap();
        let start = Instant::now();
        let wait = async |millis: u64| {
            let due = start + Duration::from_millis(millis);
            timer.wait_until(due).await;
            assert!(Instant::now() >= due);
        };
        tokio::join!(wait(60), wait(20), wait(1), wait(40), wait(0));
    }

    #[tokio::test(start_paused = true)]
    async fn hours_pass_at_once_where_the_clock_is_a_tests() {
        let timer = Timer::start().unwrap();
        let start = Instant::now();
        timer.wait_until(start + Duration::from_hours(5)).await;
        assert_eq!(start.elapsed(), Duration::from_hours(5));
    }

    #[test]
    fn its_thread_has_ended_when_it_is_dropped() {
        let timer = Timer::start().unwrap();
        let shared = Arc::downgrade(&timer.shared);
        drop(timer);
        assert!(shared.upgrade().is_none());
    }
}
