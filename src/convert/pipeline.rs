//! One thread cuts the table into rows, several make requests of them, and the one that called
//! writes them in their order.
//!
//! Blocks go round the workers in turn and are taken back in turn, so that the order holds without
//! numbers. Every channel is bounded; when one end goes away, the others end too, and all threads
//! have ended when [`run`] returns.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use super::frame::{Block, Framer};
use super::problem::RowProblem;
use super::recipe::Recipe;
use super::table::{Form, Header, Row, Splitter};

/// Blocks that wait at each end of a worker.
const WAITING: usize = 2;

/// What a block of rows became.
#[derive(Debug, Default)]
pub(super) struct Rendered {
    /// Lines of the batch file.
    pub(super) lines: Vec<u8>,
    pub(super) requests: Vec<Request>,
    pub(super) problems: Vec<RowProblem>,
    pub(super) prompt_bytes: u64,
    /// Whether nothing comes after this block because of its last problem.
    pub(super) is_last: bool,
}

/// One line in [`Rendered::lines`].
#[derive(Debug)]
pub(super) struct Request {
    /// Where it ends.
    pub(super) end: usize,
    /// The line of its row.
    pub(super) line: u64,
    /// A hash of its `custom_id`; none where it cannot be another's.
    pub(super) id: Option<u128>,
}

/// What rows are made into requests with.
pub(super) struct Work<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) form: Form,
    /// The columns, where there is a header.
    pub(super) header: Arc<Header>,
    pub(super) workers: usize,
}

/// Gives what each block became to `each`, in order, until `each` fails.
///
/// # Errors
/// Those of the input and those of `each`.
pub(super) fn run<R: Read + Send>(
    framer: &mut Framer<R>,
    work: &Work<'_>,
    mut each: impl FnMut(Rendered) -> io::Result<()>,
) -> Result<(), Stop> {
    thread::scope(|scope| {
        let (mut to_workers, mut from_workers) = (Vec::new(), Vec::new());
        for _ in 0..work.workers.max(1) {
            let (to_worker, blocks) = sync_channel(WAITING);
            let (to_writer, rendered) = sync_channel(WAITING);
            to_workers.push(to_worker);
            from_workers.push(rendered);
            scope.spawn(move || work.serve(&blocks, &to_writer));
        }
        let reading = scope.spawn(move || hand_out(framer, &to_workers));
        let written = from_workers
            .iter()
            .cycle()
            .map_while(|rendered| rendered.recv().ok())
            .try_for_each(&mut each);
        // Whoever still has something to give notices that nobody takes it.
        drop(from_workers);
        let read = reading
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        written.map_err(Stop::Write)?;
        read.map_err(Stop::Read)
    })
}

/// Why not everything was converted.
#[derive(Debug)]
pub(super) enum Stop {
    Read(io::Error),
    Write(io::Error),
}

fn hand_out<R: Read>(framer: &mut Framer<R>, workers: &[SyncSender<Block>]) -> io::Result<()> {
    for worker in workers.iter().cycle() {
        let Some(block) = framer.next_block()? else {
            break;
        };
        if worker.send(block).is_err() {
            break;
        }
    }
    Ok(())
}

impl Work<'_> {
    fn serve(&self, blocks: &Receiver<Block>, rendered: &SyncSender<Rendered>) {
        let mut splitter = self.form.separator().map(Splitter::new);
        for block in blocks {
            if rendered
                .send(self.render(&block, splitter.as_mut()))
                .is_err()
            {
                break;
            }
        }
    }

    fn render(&self, block: &Block, mut splitter: Option<&mut Splitter>) -> Rendered {
        let mut rendered = Rendered {
            lines: Vec::with_capacity(2 * block.bytes.len()),
            ..Rendered::default()
        };
        for (number, frame) in (block.rows_before + 1..).zip(&block.frames) {
            let bytes = block.bytes.get(frame.bytes.clone()).unwrap_or_default();
            let row = match splitter.as_deref_mut() {
                Some(splitter) => splitter
                    .split(bytes)
                    .and_then(|fields| Row::of_fields(&self.header, fields, number)),
                None => Row::of_json(bytes, number),
            };
            let made = row.and_then(|row| self.recipe.write(&row, &mut rendered.lines));
            match made {
                Ok(made) => {
                    rendered.prompt_bytes += made.prompt_bytes;
                    rendered.requests.push(Request {
                        end: rendered.lines.len(),
                        line: frame.line,
                        id: (!made.is_numbered).then(|| hash(&made.custom_id)),
                    });
                }
                Err(flaw) => rendered.problems.push(RowProblem {
                    line: frame.line,
                    flaw,
                }),
            }
        }
        rendered.is_last = block.end.is_some();
        rendered.problems.extend(block.end.clone());
        rendered
    }
}

/// A hash that nobody can make collide.
fn hash(id: &str) -> u128 {
    let hash = blake3::hash(id.as_bytes());
    let half = hash.as_bytes().first_chunk::<16>();
    half.map_or(0, |bytes| u128::from_le_bytes(*bytes))
}
