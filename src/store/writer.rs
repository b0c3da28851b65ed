//! The one writing thread. It takes what has arrived, commits it as a group, and only then
//! answers. While the disk is full or locked it keeps what it has and tries again.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{Store, StoreError, Write, Written};

/// A commit takes at most this many writes, so that the first of them does not wait long.
const GROUP: usize = 256;
/// While writes come faster than commits, so long they gather before the next: of a commit the
/// smaller part depends on how much is in it, and lanes go on with what was claimed ahead.
const GATHER: Duration = Duration::from_millis(2);
/// Writes that may wait. The engine's own limits keep it far below; admission waits for its
/// replies.
const WAITING: usize = 8_192;
/// Between tries while the database cannot be written.
const TROUBLE_PAUSE: Duration = Duration::from_millis(500);

/// Gives writes to the writing thread. Clones share the thread, which ends after the last of them
/// is dropped and everything is written.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: SyncSender<Item>,
}

/// What the engine hears from the writing thread.
#[derive(Debug)]
pub enum Reply {
    /// Writes that are now on disk (or were refused), with the tickets they carried.
    Committed(Vec<(Option<u64>, Result<Written, StoreError>)>),
    /// Nothing can be written at present; what is waiting is kept.
    Trouble(StoreError),
    /// Writing works again.
    Well,
}

#[derive(Debug)]
struct Item {
    write: Write,
    back: Back,
}

#[derive(Debug)]
enum Back {
    Engine(Option<u64>),
    One(oneshot::Sender<Result<Written, StoreError>>),
}

impl Writer {
    /// Starts the thread. Replies to [`Writer::send`] arrive at `replies`.
    pub fn start(
        store: Store,
        replies: mpsc::Sender<Reply>,
    ) -> Result<(Self, JoinHandle<()>), std::io::Error> {
        let (queue, items) = sync_channel(WAITING);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                Loop {
                    store,
                    items,
                    replies,
                }
                .run();
            })?;
        Ok((Self { queue }, thread))
    }

    /// Queues a write whose result goes to the engine's replies, with `ticket`. Never waits.
    pub fn send(&self, write: Write, ticket: Option<u64>) -> Result<(), StoreError> {
        self.queue
            .try_send(Item {
                write,
                back: Back::Engine(ticket),
            })
            .map_err(|_| StoreError::Stopped)
    }

    /// Queues a write and waits until it is on disk. For threads outside the runtime.
    pub fn write(&self, write: Write) -> Result<Written, StoreError> {
        self.begin(write)?
            .blocking_recv()
            .map_err(|_| StoreError::Stopped)?
    }

    /// Queues a write; the receiver hears when it is on disk. Waits while the queue is full.
    pub fn begin(
        &self,
        write: Write,
    ) -> Result<oneshot::Receiver<Result<Written, StoreError>>, StoreError> {
        let (sender, receiver) = oneshot::channel();
        self.queue
            .send(Item {
                write,
                back: Back::One(sender),
            })
            .map_err(|_| StoreError::Stopped)?;
        Ok(receiver)
    }
}

struct Loop {
    store: Store,
    items: Receiver<Item>,
    replies: mpsc::Sender<Reply>,
}

impl Loop {
    fn run(mut self) {
        let mut is_busy = false;
        while let Ok(first) = self.items.recv() {
            if is_busy {
                thread::sleep(GATHER);
            }
            let mut items = vec![first];
            while items.len() < GROUP
                && let Ok(item) = self.items.try_recv()
            {
                items.push(item);
            }
            is_busy = items.len() > 1;
            self.commit(items);
        }
    }

    /// Writes the group and answers those who gave the writes.
    fn commit(&mut self, items: Vec<Item>) {
        let (writes, backs): (Vec<Write>, Vec<Back>) = items
            .into_iter()
            .map(|item| (item.write, item.back))
            .unzip();
        match self.store.apply(&writes) {
            Ok(written) => self.answer(backs, written.into_iter().map(Ok).collect()),
            Err(error) if error.may_pass() => self.outlast(error, writes, backs),
            Err(error) if writes.len() == 1 => self.answer(backs, vec![Err(error)]),
            // One write that can never succeed must not take the others with it.
            Err(_) => {
                for (write, back) in writes.into_iter().zip(backs) {
                    self.commit(vec![Item { write, back }]);
                }
            }
        }
    }

    /// Those who wait for one write are told of the trouble. The engine's writes are kept and
    /// tried again until the trouble has passed or nobody would hear of it.
    fn outlast(&mut self, error: StoreError, writes: Vec<Write>, backs: Vec<Back>) {
        tracing::warn!(error = %error, waiting = writes.len(), "the database cannot be written");
        let mut kept = (Vec::new(), Vec::new());
        for (write, back) in writes.into_iter().zip(backs) {
            match back {
                Back::One(sender) => {
                    let result = self.store.apply(&[write]);
                    drop(sender.send(result.map(|mut written| written.remove(0))));
                }
                Back::Engine(_) => {
                    kept.0.push(write);
                    kept.1.push(back);
                }
            }
        }
        if kept.0.is_empty() {
            return;
        }
        let _ = self.replies.blocking_send(Reply::Trouble(error));
        while !self.replies.is_closed() {
            thread::sleep(TROUBLE_PAUSE);
            let result = self.store.apply(&kept.0);
            if matches!(&result, Err(error) if error.may_pass()) {
                continue;
            }
            let _ = self.replies.blocking_send(Reply::Well);
            let items = kept
                .0
                .into_iter()
                .zip(kept.1)
                .map(|(write, back)| Item { write, back });
            return match result {
                Ok(written) => {
                    let backs = items.map(|item| item.back).collect();
                    self.answer(backs, written.into_iter().map(Ok).collect());
                }
                Err(_) => self.commit(items.collect()),
            };
        }
    }

    fn answer(&self, backs: Vec<Back>, results: Vec<Result<Written, StoreError>>) {
        let mut engine = Vec::new();
        for (back, result) in backs.into_iter().zip(results) {
            match back {
                Back::Engine(ticket) => engine.push((ticket, result)),
                // Who no longer waits does not need the answer; the write stands.
                Back::One(sender) => drop(sender.send(result)),
            }
        }
        if !engine.is_empty() {
            let _ = self.replies.blocking_send(Reply::Committed(engine));
        }
    }
}
