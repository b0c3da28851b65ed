//! An answer on its way to the client, and what may cut it short.

use std::sync::Arc;

use futures_util::stream;
use hyper::body::Bytes;

use super::call::{Call, Halt};
use super::faults::Action;
use super::generation::{CRASHED, OUT_OF_MEMORY, Ready, crash, pause};
use super::log::Outcome;
use super::runner::Runner;
use super::tokens::Token;
use super::voice::{End, Metrics};
use super::wire::{Cut, JSON, Refusal, Reply, reply_in_pieces};

/// Bytes gathered into one piece where tokens take no time.
const PIECE: usize = 64 << 10;

/// Records that a repeated answer has beyond what Ollama 0.33 stands.
const REPEATS: u64 = 31;
/// Tokens before an answer begins to repeat itself.
const BEFORE_REPEATING: u64 = 3;
/// What it repeats.
const REPEATED: &str = " 0";
/// What releases after 0.33 say of it.
const REPEAT_LIMIT: &str = "prediction aborted, token repeat limit reached";

/// An answer from its first token on.
#[derive(Debug)]
pub(super) struct Generation {
    call: Call,
    ready: Option<Ready>,
    sent: u64,
    /// Something that is no JSON is among its records.
    is_garbled: bool,
}

/// How a fault leaves the stream.
enum Struck {
    /// It goes on.
    GoesOn,
    /// It ends in good order.
    Ends(Outcome),
    /// The connection is cut.
    Cut,
}

impl Generation {
    pub(super) const fn new(call: Call, ready: Ready) -> Self {
        Self {
            call,
            ready: Some(ready),
            sent: 0,
            is_garbled: false,
        }
    }

    /// Replies: at once with a stream once the first token is there, or with everything at the
    /// end.
    pub(super) async fn reply(mut self, stream: bool) -> Result<Reply, Cut> {
        let Some(ready) = self.ready.take() else {
            return Err(Cut);
        };
        if !stream {
            return whole(self.call, ready).await;
        }
        let runner = Arc::clone(&ready.seat.lease.runner);
        if pause(&self.call, ready.pace.first, ready.pace.step, &runner)
            .await
            .is_err()
        {
            return self.call.halt(Halt::Crashed(Refusal::new(500, CRASHED)));
        }
        let content_type = ready.voice.stream_type();
        self.call.ticket.note(|entry| entry.status = Some(200));
        self.ready = Some(ready);
        let pieces = stream::unfold(self, async |mut generation: Self| {
            let piece = generation.piece().await?;
            Some((piece, generation))
        });
        Ok(reply_in_pieces(200, content_type, None, pieces))
    }

    /// The next piece of the stream: one record where tokens take time, many where they do not.
    async fn piece(&mut self) -> Option<Result<Bytes, Cut>> {
        let mut ready = self.ready.take()?;
        let mut out = Vec::new();
        loop {
            if self.strikes() {
                if !out.is_empty() {
                    break;
                }
                match self.strike(&mut out, &mut ready).await {
                    Struck::GoesOn => {}
                    Struck::Ends(outcome) => return Some(Ok(self.close(ready, out, outcome))),
                    Struck::Cut => return Some(Err(Cut)),
                }
            }
            if ready.plan.tokens == Some(self.sent) {
                end(&mut ready).tell(&mut out, &ready);
                let outcome = if self.is_garbled {
                    Outcome::Failed
                } else {
                    Outcome::Answered
                };
                return Some(Ok(self.close(ready, out, outcome)));
            }
            let runner = &ready.seat.lease.runner;
            let (due, step) = (ready.pace.at(self.sent), ready.pace.step);
            if pause(&self.call, due, step, runner).await.is_err() {
                ready.voice.error(&mut out, CRASHED);
                return Some(Ok(self.close(ready, out, Outcome::Crashed)));
            }
            self.speak(&mut out, &mut ready);
            if !ready.pace.step.is_zero() || out.len() >= PIECE {
                break;
            }
        }
        self.ready = Some(ready);
        Some(Ok(out.into()))
    }

    fn speak(&mut self, out: &mut Vec<u8>, ready: &mut Ready) {
        if let Some(text) = ready.plan.token(self.sent) {
            ready.voice.word(out, text, self.sent < ready.plan.thinking);
        }
        self.sent += 1;
        ready.seat.generated = self.sent;
    }

    /// Whether a fault strikes before the next token.
    fn strikes(&self) -> bool {
        let at = match &self.call.fault {
            Some(Action::RepeatGuard { .. }) => Some(BEFORE_REPEATING),
            Some(fault) => fault.after_tokens(),
            None => None,
        };
        at.is_some_and(|at| self.sent >= at)
    }

    async fn strike(&mut self, out: &mut Vec<u8>, ready: &mut Ready) -> Struck {
        let runner = Arc::clone(&ready.seat.lease.runner);
        match self.call.fault.take() {
            Some(Action::RunnerCrash { .. }) => {
                self.call.server.scheduler.crash(&runner);
                ready.voice.error(out, CRASHED);
                Struck::Ends(Outcome::Crashed)
            }
            Some(Action::OutOfMemoryInRun { .. }) => {
                self.call.server.scheduler.expire_all();
                ready.voice.error(out, OUT_OF_MEMORY);
                Struck::Ends(Outcome::Failed)
            }
            Some(Action::HangMidStream { .. }) => {
                runner.died.cancelled().await;
                ready.voice.error(out, CRASHED);
                Struck::Ends(Outcome::Crashed)
            }
            Some(Action::EndWithoutDone { .. }) => Struck::Ends(Outcome::Cut),
            Some(Action::ResetMidStream { .. }) => {
                // Lets hyper send what it holds before the connection is gone.
                tokio::task::yield_now().await;
                self.call.hang_up(true);
                Struck::Cut
            }
            Some(Action::ErrorLine { text, .. }) => {
                ready.voice.error(out, &text);
                Struck::Ends(Outcome::Failed)
            }
            Some(Action::GarbageLine { text, .. }) => {
                out.extend_from_slice(text.as_bytes());
                out.push(b'\n');
                self.is_garbled = true;
                Struck::GoesOn
            }
            Some(Action::RepeatGuard { newer }) => repeat(out, ready, newer),
            _ => Struck::GoesOn,
        }
    }

    /// The last piece: the slot is free and the log knows the end before it is sent.
    fn close(&mut self, ready: Ready, out: Vec<u8>, outcome: Outcome) -> Bytes {
        let generated = ready.seat.generated;
        drop(ready);
        self.call
            .ticket
            .note(|entry| entry.generated = Some(generated));
        self.call.ticket.end(outcome);
        out.into()
    }
}

/// Waits until the whole answer is there and replies with it.
async fn whole(mut call: Call, mut ready: Ready) -> Result<Reply, Cut> {
    let runner = Arc::clone(&ready.seat.lease.runner);
    let Some(tokens) = ready.plan.tokens else {
        runner.died.cancelled().await;
        return call.halt(Halt::Crashed(Refusal::new(500, CRASHED)));
    };
    let fault = call.fault.take().filter(|fault| {
        let struck_at = fault.after_tokens();
        struck_at.is_none_or(|at| at <= tokens)
    });
    let struck_at = fault.as_ref().and_then(Action::after_tokens);
    let last = struck_at.unwrap_or(tokens);
    let due = ready.pace.at(last.saturating_sub(1));
    if pause(&call, due, ready.pace.step, &runner).await.is_err() {
        return call.halt(Halt::Crashed(Refusal::new(500, CRASHED)));
    }
    ready.seat.generated = last;
    call.ticket.note(|entry| entry.generated = Some(last));
    if let Some(fault) = fault {
        return whole_with_fault(call, ready, fault, &runner).await;
    }
    let body = whole_body(&mut ready, tokens);
    let content_type = ready.voice.whole_type();
    drop(ready);
    Ok(call.reply(200, content_type, body))
}

async fn whole_with_fault(
    mut call: Call,
    mut ready: Ready,
    fault: Action,
    runner: &Arc<Runner>,
) -> Result<Reply, Cut> {
    let tokens = ready.plan.tokens.unwrap_or_default();
    let content_type = ready.voice.whole_type();
    match fault {
        Action::RunnerCrash { .. } => {
            let halt = crash(&call, runner);
            call.halt(halt)
        }
        Action::OutOfMemoryInRun { .. } => {
            call.server.scheduler.expire_all();
            Ok(call.refuse(&Refusal::new(500, OUT_OF_MEMORY)))
        }
        Action::HangMidStream { .. } => {
            runner.died.cancelled().await;
            call.halt(Halt::Crashed(Refusal::new(500, CRASHED)))
        }
        Action::EndWithoutDone { .. } => Ok(half(call, whole_body(&mut ready, tokens))),
        Action::ResetMidStream { .. } => Err(call.hang_up(true)),
        Action::ErrorLine { text, .. } => Ok(call.refuse(&Refusal::new(500, text))),
        Action::GarbageLine { text, .. } => {
            call.ticket.note(|entry| entry.status = Some(200));
            call.ticket.end(Outcome::Failed);
            Ok(call.reply(200, content_type, text.into()))
        }
        Action::RepeatGuard { newer: true } => Ok(call.refuse(&Refusal::new(500, REPEAT_LIMIT))),
        Action::RepeatGuard { newer: false } => {
            let text = ready.plan.text(BEFORE_REPEATING).1 + &REPEATED.repeat(REPEATS as usize);
            call.ticket.note(|entry| entry.status = Some(200));
            call.ticket.end(Outcome::Cut);
            Ok(call.reply(200, content_type, ready.voice.unfinished(&text)))
        }
        _ => {
            let body = whole_body(&mut ready, tokens);
            drop(ready);
            Ok(call.reply(200, content_type, body))
        }
    }
}

/// Half of a body whose headers promise all of it; then the connection is closed.
fn half(mut call: Call, body: Vec<u8>) -> Reply {
    let promised = body.len() as u64;
    let first = Bytes::from(body).slice(..(promised / 2) as usize);
    call.ticket.note(|entry| entry.status = Some(200));
    call.ticket.end(Outcome::Cut);
    let pieces = stream::unfold(Some(first), async |first: Option<Bytes>| match first {
        Some(piece) if !piece.is_empty() => Some((Ok(piece), Some(Bytes::new()))),
        Some(_) => {
            tokio::task::yield_now().await;
            Some((Err(Cut), None))
        }
        None => None,
    });
    reply_in_pieces(200, JSON, Some(promised), pieces)
}

fn whole_body(ready: &mut Ready, tokens: u64) -> Vec<u8> {
    let (thinking, content) = ready.plan.text(tokens);
    end(ready).whole(&thinking, &content, ready)
}

/// The answer repeats itself until Ollama has had enough.
fn repeat(out: &mut Vec<u8>, ready: &mut Ready, newer: bool) -> Struck {
    for _ in 0..REPEATS {
        ready.voice.word(out, REPEATED, false);
    }
    ready.seat.generated += REPEATS;
    if newer {
        ready.voice.error(out, REPEAT_LIMIT);
        return Struck::Ends(Outcome::Failed);
    }
    Struck::Ends(Outcome::Cut)
}

/// What the last record says.
struct LastWords {
    metrics: Metrics,
    context: Option<Vec<Token>>,
}

/// Ends the generation: the slot holds the answer from now on.
fn end(ready: &mut Ready) -> LastWords {
    let tokens = ready.plan.tokens.unwrap_or_default();
    let answer = ready.plan.token_numbers(tokens);
    ready.seat.prompt.extend(answer);
    ready.seat.generated = tokens;
    let apart = if ready.thinking_apart {
        ready.plan.thinking.min(tokens)
    } else {
        0
    };
    let pace = &ready.pace;
    let decode = pace.decode(tokens - apart, apart);
    let known = pace.load + pace.queued + pace.prefill + decode;
    LastWords {
        metrics: Metrics {
            total: pace.arrived.elapsed().max(known),
            load: pace.load,
            prompt_tokens: ready.prompt_tokens + apart,
            prefill: pace.prefill,
            answer_tokens: tokens - apart,
            decode,
        },
        context: ready.wants_context.then(|| ready.seat.prompt.clone()),
    }
}

impl LastWords {
    fn tell(self, out: &mut Vec<u8>, ready: &Ready) {
        ready.voice.end(out, &self.end(ready));
    }

    fn whole(self, thinking: &str, content: &str, ready: &Ready) -> Vec<u8> {
        ready.voice.whole(thinking, content, &self.end(ready))
    }

    fn end(self, ready: &Ready) -> End<'_> {
        End {
            reason: ready.plan.reason,
            metrics: self.metrics,
            tool_calls: &ready.plan.tool_calls,
            context: self.context,
        }
    }
}
