//! Asks the cards on a thread of its own, and only while somebody wants to know: a card that is
//! asked every second never falls asleep.
//!
//! A driver may block for long or fail in ways that no type shows. Nobody waits for it: the latest
//! readings win, a panic ends the readings and nothing else, and a thread that hangs in the driver
//! is left behind when the engine ends.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::gpu::Sampler;
use crate::model::Readings;

/// How long the end of the engine waits for a driver.
const LAST_SAMPLE: Duration = Duration::from_secs(2);

/// The thread that asks the cards.
#[derive(Debug)]
pub(super) struct Sampling {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    order: Order,
}

#[derive(Debug)]
struct Shared {
    desk: Mutex<Desk>,
    /// The order has changed.
    ordered: Condvar,
    /// Readings lie on the desk.
    arrived: Notify,
    /// The thread has ended.
    ended: Notify,
}

/// What lies between the thread and the engine.
#[derive(Debug)]
struct Desk {
    order: Order,
    readings: Option<Readings>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Rest,
    Sample,
    End,
}

impl Sampling {
    /// Starts the thread, which rests until it is wanted, and then asks so often.
    pub(super) fn start(sampler: Box<dyn Sampler>, every: Duration) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            desk: Mutex::new(Desk {
                order: Order::Rest,
                readings: None,
            }),
            ordered: Condvar::new(),
            arrived: Notify::new(),
            ended: Notify::new(),
        });
        let own = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("cards".to_owned())
            .spawn(move || {
                own.work(sampler, every);
                own.ended.notify_one();
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            order: Order::Rest,
        })
    }

    /// Says whether readings are wanted from now on.
    pub(super) fn want(&mut self, wanted: bool) {
        self.order(if wanted { Order::Sample } else { Order::Rest });
    }

    fn order(&mut self, order: Order) {
        if self.order != order {
            self.order = order;
            self.shared.desk().order = order;
            self.shared.ordered.notify_all();
        }
    }

    /// Waits for the next readings. Being dropped while it waits loses none.
    pub(super) async fn next(&self) -> Readings {
        loop {
            if let Some(readings) = self.shared.desk().readings.take() {
                return readings;
            }
            self.shared.arrived.notified().await;
        }
    }

    /// Ends the thread. One that hangs in the driver is left behind and ends with the process.
    pub(super) async fn end(mut self) {
        self.order(Order::End);
        let has_ended = timeout(LAST_SAMPLE, self.shared.ended.notified()).await;
        let thread = self.thread.take();
        if has_ended.is_err() {
            tracing::warn!("a driver does not answer; its cards are no longer asked");
        } else if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::warn!("the thread that reads the cards has panicked");
        }
    }
}

impl Drop for Sampling {
    fn drop(&mut self) {
        self.order(Order::End);
    }
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, mut sampler: Box<dyn Sampler>, every: Duration) {
        while self.is_wanted() {
            let read = catch_unwind(AssertUnwindSafe(|| sampler.sample()));
            let has_failed = read.is_err();
            self.lay(read.unwrap_or_else(|_| failed()));
            if has_failed {
                // What it holds may be broken, so that even dropping it may fail.
                std::mem::forget(sampler);
                return;
            }
            self.rest(every);
        }
    }

    /// Waits until readings are wanted; false at the end.
    fn is_wanted(&self) -> bool {
        let resting = |desk: &mut Desk| desk.order == Order::Rest;
        let waited = self.ordered.wait_while(self.desk(), resting);
        let desk = waited.unwrap_or_else(PoisonError::into_inner);
        desk.order == Order::Sample
    }

    /// Waits for so long, or until the end.
    fn rest(&self, length: Duration) {
        let going_on = |desk: &mut Desk| desk.order != Order::End;
        // Both what was waited for and a poisoned lock lead to the next look at the order.
        drop(
            self.ordered
                .wait_timeout_while(self.desk(), length, going_on),
        );
    }

    /// Lays readings on the desk. News that nobody has taken yet are kept.
    fn lay(&self, mut readings: Readings) {
        let mut desk = self.desk();
        if let Some(mut before) = desk.readings.take() {
            before.news.append(&mut readings.news);
            readings.news = before.news;
        }
        desk.readings = Some(readings);
        drop(desk);
        self.arrived.notify_one();
    }
}

fn failed() -> Readings {
    Readings {
        absent: Some("reading the cards failed in an unforeseen way".to_owned()),
        ..Readings::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    /// Gives readings only when the test lets it.
    #[derive(Debug)]
    struct Stepped {
        asked: SyncSender<()>,
        go: Receiver<Option<&'static str>>,
    }

    impl Sampler for Stepped {
        fn sample(&mut self) -> Readings {
            let _ = self.asked.send(());
            let news = self.go.recv().unwrap_or_default();
            Readings {
                news: vec![news.expect("the test wants a panic").to_owned()],
                ..Readings::default()
            }
        }
    }

    struct Bench {
        sampling: Sampling,
        asked: Receiver<()>,
        go: SyncSender<Option<&'static str>>,
    }

    fn bench() -> Bench {
        let (asked_in, asked) = sync_channel(8);
        let (go, go_out) = sync_channel(8);
        let sampler = Stepped {
            asked: asked_in,
            go: go_out,
        };
        let sampling = Sampling::start(Box::new(sampler), Duration::ZERO).unwrap();
        Bench {
            sampling,
            asked,
            go,
        }
    }

    impl Bench {
        async fn next(&self) -> Readings {
            let patience = Duration::from_secs(30);
            timeout(patience, self.sampling.next()).await.unwrap()
        }
    }

    #[tokio::test]
    async fn nothing_is_asked_before_it_is_wanted_and_nothing_at_rest() {
        let mut bench = bench();
        assert!(bench.asked.try_recv().is_err());
        bench.sampling.want(true);
        bench.asked.recv().unwrap();
        bench.sampling.want(false);
        bench.go.send(Some("one")).unwrap();
        assert_eq!(bench.next().await.news, ["one"]);
        bench.go.send(Some("two")).unwrap();
        bench.sampling.want(true);
        assert_eq!(bench.next().await.news, ["two"]);
        drop(bench.go);
        bench.sampling.end().await;
    }

    #[tokio::test]
    async fn news_that_were_not_taken_are_kept() {
        let mut bench = bench();
        for news in ["lost", "back"] {
            bench.go.send(Some(news)).unwrap();
        }
        bench.sampling.want(true);
        for _ in 0..3 {
            bench.asked.recv().unwrap();
        }
        assert_eq!(bench.next().await.news, ["lost", "back"]);
        drop(bench.go);
        bench.sampling.end().await;
    }

    #[tokio::test]
    async fn a_panic_is_a_reason_and_ends_only_the_readings() {
        let mut bench = bench();
        bench.go.send(None).unwrap();
        bench.sampling.want(true);
        let absent = bench.next().await.absent.unwrap();
        assert!(absent.contains("unforeseen"), "{absent}");
        bench.sampling.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_driver_that_hangs_is_left_behind() {
        let mut bench = bench();
        bench.sampling.want(true);
        bench.asked.recv().unwrap();
        bench.sampling.end().await;
        drop(bench.go);
    }
}
