//! Working on an order: model, slot, prompt, and the answer token by token.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answers::{Plan, Question};
use super::call::{Call, Halt};
use super::faults::Action;
use super::models::PromptPath;
use super::order::Order;
use super::prompt::{self, Room};
use super::runner::{Lease, Runner, Seat};
use super::script::Script;
use super::speaking::Generation;
use super::tokens::Token;
use super::voice::{Dialect, Voice};
use super::wire::{Cut, Refusal, Reply};

/// What a request is told whose runner dies under it.
pub(super) const CRASHED: &str = "an error was encountered while running the model: unexpected EOF";

/// What llama-server and its log say when memory runs out in the run.
pub(super) const OUT_OF_MEMORY: &str = "{\"error\":{\"code\":500,\"message\":\"Compute error.\",\"type\":\"server_error\"}}\ncudaMalloc failed: out of memory";

/// Time that figures show for a token which in truth took none.
const NOTHING: Duration = Duration::from_micros(1);

/// Works on an order until there is something to reply.
pub(super) async fn answer(call: Call, order: Order) -> Result<Reply, Cut> {
    let arrived = Instant::now();
    let stream = order.stream;
    let leased = call.lease(&order.model, &order.tuple, order.keep_alive);
    let lease = match leased.await {
        Ok(lease) => lease,
        Err(halt) => return call.halt(halt),
    };
    match prepare(&call, order, lease, arrived).await {
        Ok(ready) => Generation::new(call, ready).reply(stream).await,
        Err(halt) => call.halt(from_runner(halt, stream)),
    }
}

/// A prompt that has been evaluated: the first token comes next.
#[derive(Debug)]
pub(super) struct Ready {
    pub seat: Seat,
    pub plan: Plan,
    pub voice: Voice,
    pub pace: Pace,
    /// Tokens of the prompt as it was evaluated.
    pub prompt_tokens: u64,
    /// Prompt and answer in numbers are wanted at the end.
    pub wants_context: bool,
    /// The figures leave the thinking out of the answer and count it as prompt: with a format on
    /// the rendered path, Ollama 0.33 thinks first and then asks again.
    pub thinking_apart: bool,
}

/// When things happen, and what the figures say of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub arrived: Instant,
    pub load: Duration,
    pub queued: Duration,
    pub prefill: Duration,
    /// When the first token is there.
    pub first: Instant,
    /// From one token to the next; nothing is "all at once".
    pub step: Duration,
}

impl Pace {
    /// When the n-th token is there, from 0.
    pub(super) fn at(&self, token: u64) -> Instant {
        let steps = u32::try_from(token).unwrap_or(u32::MAX);
        self.first + self.step.saturating_mul(steps).min(Self::LONG)
    }

    /// Far enough to be never, near enough to be added to an instant.
    const LONG: Duration = Duration::from_secs(1 << 30);

    /// What `eval_duration` says of so many tokens, the last of which is there now: the steps
    /// between them, at least a microsecond. Where the machine was too busy to keep to its pace,
    /// it is as long as it truly took, as llama-server measures it: otherwise the rest would look
    /// like time in the queue. `before` are the tokens that came before them and are not meant.
    pub(super) fn decode(&self, tokens: u64, before: u64) -> Duration {
        let steps = u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX);
        let planned = self.step.max(NOTHING).saturating_mul(steps).max(NOTHING);
        if self.step.is_zero() {
            return planned;
        }
        planned.max(self.at(before).elapsed())
    }
}

async fn prepare(call: &Call, order: Order, lease: Lease, arrived: Instant) -> Result<Ready, Halt> {
    let runner = Arc::clone(&lease.runner);
    let load = lease.waited + warm(call.ticket.number());
    let leased = Instant::now();
    let mut seat = take_seat(lease, &order, &call.edition.script).await?;
    let queued = leased.elapsed();
    let slot = seat.slot;
    call.ticket.note(|entry| entry.slot = Some(slot));
    fail_before_first_token(call, &runner).await?;
    let prompt_tokens = seat.prompt.len() as u64;
    let prefill = evaluate(call, &order, &mut seat).await?;
    Ok(Ready {
        plan: plan(call, &order, &seat.prompt, &runner),
        seat,
        pace: Pace {
            arrived,
            load,
            queued,
            prefill,
            first: Instant::now() + first_delay(call),
            step: step(call, &order),
        },
        prompt_tokens,
        wants_context: order.dialect == Dialect::Generate && !order.said.raw,
        thinking_apart: order.model.path == PromptPath::Rendered && order.format.is_some(),
        voice: Voice {
            dialect: order.dialect,
            model: order.spoken,
            logprobs: order.logprobs,
            number: call.ticket.number(),
            begun: false,
        },
    })
}

/// Waits for a slot and fits the prompt into it.
async fn take_seat(lease: Lease, order: &Order, script: &Script) -> Result<Seat, Halt> {
    let turn = lease.turn().await?;
    let prompt = fitted(order, &lease.runner, script)?;
    Ok(Seat::take(lease, turn, prompt)?)
}

fn fitted(order: &Order, runner: &Runner, script: &Script) -> Result<Vec<Token>, Refusal> {
    let tuple = &runner.tuple;
    let generates = order.dialect == Dialect::Generate;
    let path = if generates {
        PromptPath::Rendered
    } else {
        order.model.path
    };
    let prompt = match order.said.turns.last() {
        Some(prompt) if order.said.raw => prompt.content.clone(),
        _ if order.truncate && order.said.turns.len() > 1 && !generates => {
            prompt::render(prompt::drop_old(&order.said.turns, tuple.num_ctx), path)
        }
        _ => prompt::render(&order.said.turns, path),
    };
    let most = script.true_window.unwrap_or(u64::MAX);
    let room = Room {
        path,
        num_ctx: tuple.num_ctx.min(most),
        window: tuple.slot_window().min(most),
        truncate: order.truncate || script.cuts_always,
        shift: tuple.shift || script.cuts_always,
        num_keep: order
            .options
            .num_keep
            .map_or(4, |keep| u64::try_from(keep).unwrap_or_default()),
    };
    prompt::fit(prompt, &room)
}

/// Faults that strike while the request holds its slot but has no token yet.
pub(super) async fn fail_before_first_token(call: &Call, runner: &Arc<Runner>) -> Result<(), Halt> {
    match &call.fault {
        Some(Action::HangBeforeFirstByte { stuck_runner }) => {
            hang(call, runner, *stuck_runner).await
        }
        Some(Action::LlamaError {
            status,
            kind,
            message,
            log_line,
        }) => {
            let mut refusal = Refusal::nested(*status, kind, message);
            if let Some(line) = log_line {
                refusal.text.push('\n');
                refusal.text.push_str(line);
            }
            Err(refusal.into())
        }
        Some(Action::RunnerCrash { after_tokens: 0 }) => Err(crash(call, runner)),
        Some(Action::OutOfMemoryInRun { after_tokens: 0 }) => {
            call.server.scheduler.expire_all();
            Err(Refusal::new(500, OUT_OF_MEMORY).into())
        }
        Some(Action::ErrorLine {
            after_tokens: 0,
            text,
        }) => Err(Refusal::new(500, text).into()),
        _ => Ok(()),
    }
}

/// The runner dies, and this request with it.
pub(super) fn crash(call: &Call, runner: &Arc<Runner>) -> Halt {
    call.server.scheduler.crash(runner);
    Halt::Crashed(Refusal::new(500, CRASHED))
}

/// Holds the slot without a word until the client leaves or the runner dies.
async fn hang(call: &Call, runner: &Arc<Runner>, stuck: bool) -> Result<(), Halt> {
    let _stuck = stuck.then(|| {
        (
            call.server.stuck.begin(),
            KilledAfter(call.server.scheduler.clone(), Arc::clone(runner)),
        )
    });
    runner.died.cancelled().await;
    Err(Halt::Crashed(Refusal::new(500, CRASHED)))
}

/// Ollama kills a runner that does not react once the request in it is closed.
struct KilledAfter(Arc<super::scheduler::Scheduler>, Arc<Runner>);

impl Drop for KilledAfter {
    fn drop(&mut self) {
        self.0.crash(&self.1);
    }
}

/// Evaluates what of the prompt is not cached. Gives the time that the figures show for it.
async fn evaluate(call: &Call, order: &Order, seat: &mut Seat) -> Result<Duration, Halt> {
    let fresh = seat.prompt.len() - seat.reused;
    let speeds = call.edition.script.speeds(&order.model);
    let time = speeds.prefill_time(fresh);
    let due = Instant::now() + time.min(Pace::LONG);
    if pause(call, due, time, &seat.lease.runner).await.is_err() {
        return Err(Halt::Crashed(Refusal::new(500, CRASHED)));
    }
    seat.evaluated();
    let reused = seat.reused as u64;
    call.ticket.note(|entry| {
        entry.evaluated = Some(fresh as u64);
        entry.reused = Some(reused);
    });
    Ok(time.max(NOTHING * u32::try_from(fresh).unwrap_or(u32::MAX)))
}

/// Waits unless there is nothing to wait for. An error means that the runner died.
pub(super) async fn pause(
    call: &Call,
    until: Instant,
    length: Duration,
    runner: &Runner,
) -> Result<(), ()> {
    let died = &runner.died;
    if died.is_cancelled() {
        return Err(());
    }
    if length.is_zero() || until <= Instant::now() {
        return Ok(());
    }
    tokio::select! {
        biased;
        () = died.cancelled() => Err(()),
        () = call.server.timer.wait_until(until) => Ok(()),
    }
}

fn plan(call: &Call, order: &Order, prompt: &[Token], runner: &Runner) -> Plan {
    match &call.fault {
        Some(Action::Huge { bytes, chunk_bytes }) => {
            let chunk = "simulated ".repeat((*chunk_bytes as usize).div_ceil(10));
            let chunk = chunk.get(..*chunk_bytes as usize).unwrap_or(&chunk);
            return Plan::same(chunk, Some(*bytes));
        }
        Some(Action::Endless { text, .. }) => return Plan::same(text, None),
        _ => {}
    }
    let tuple = &runner.tuple;
    let native = order.model.path == PromptPath::Native && order.dialect != Dialect::Generate;
    let left = tuple.slot_window().saturating_sub(prompt.len() as u64);
    let answers = order.model.answers.as_ref();
    Plan::new(&Question {
        answers: answers.unwrap_or(&call.edition.script.answers),
        format: order.format.as_ref(),
        speaks_of_json: order.said.speaks_of_json,
        think: order.think,
        tools: &order.tools,
        message: &order.said.message,
        prompt,
        seed: order.options.seed,
        stop: &order.options.stop,
        cap: order.options.cap(tuple.num_ctx, native),
        room: (!tuple.can_shift(&order.model)).then_some(left),
    })
}

fn step(call: &Call, order: &Order) -> Duration {
    let usual = call.edition.script.speeds(&order.model).step();
    match call.fault {
        Some(Action::SlowDrip { ms }) => usual + Duration::from_millis(ms),
        Some(Action::Endless { ms, .. }) => Duration::from_millis(ms),
        _ => usual,
    }
}

fn first_delay(call: &Call) -> Duration {
    match call.fault {
        Some(Action::SlowDrip { ms }) => Duration::from_millis(ms),
        _ => Duration::ZERO,
    }
}

/// What Ollama takes to find a loaded model: a millisecond or two, never nothing.
fn warm(number: u64) -> Duration {
    Duration::from_micros(1_000 + super::edition::mix(number, 1) % 1_000)
}

/// Marks a refusal as the runner's, which shows in the content type where a stream was asked for.
fn from_runner(mut halt: Halt, stream: bool) -> Halt {
    if let Halt::Refused(refusal) | Halt::Crashed(refusal) = &mut halt {
        refusal.in_stream = stream;
    }
    halt
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::advance;

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_was_held_up_says_how_long_it_took() {
        let step = Duration::from_millis(10);
        let pace = Pace {
            arrived: Instant::now(),
            load: Duration::ZERO,
            queued: Duration::ZERO,
            prefill: Duration::ZERO,
            first: Instant::now(),
            step,
        };
        advance(step * 9).await;
        assert_eq!(pace.decode(10, 0), step * 9);
        advance(step * 6).await;
        assert_eq!(pace.decode(10, 0), step * 15);
        assert_eq!(pace.decode(5, 5), step * 10);
        let instant = Pace {
            step: Duration::ZERO,
            ..pace
        };
        assert_eq!(instant.decode(10, 0), Duration::from_micros(9));
    }
}
