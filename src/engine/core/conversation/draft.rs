//! A prompt on its way to being sent: what stays of the history before it and of its own turns.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Exchange;
use super::prompt::{Message, Prompt, bytes};
use crate::context::{Budget, Calibration, Fit, Role, Trigger, Turn, fit, least};
use crate::model::{Overflow, RequestId, Tokens, TrimPolicy, TrimReason};

/// Times that a prompt is made shorter because the server refused it.
pub(super) const SHORTER_TRIES: u32 = 3;

/// How a prompt is to be fitted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) policy: TrimPolicy,
    pub(super) trigger: Trigger,
    pub(super) reason: TrimReason,
    /// How often the server has refused the prompt as too long.
    pub(super) refused: u32,
}

/// A prompt as it will be sent.
#[derive(Debug)]
pub(super) struct Draft<'a> {
    prompt: &'a Prompt,
    pub(super) history: Vec<&'a Exchange>,
    pub(super) own: Vec<&'a Message>,
    /// What was left out of the history, and what of the request's own turns.
    pub(super) cuts: Vec<Cut>,
}

/// Something that was left out.
#[derive(Debug)]
pub(super) struct Cut {
    /// By which policy.
    pub(super) policy: TrimPolicy,
    /// Messages before and after.
    pub(super) messages: (usize, usize),
    /// The same in tokens.
    pub(super) tokens: (Tokens, Tokens),
    /// The exchanges that are out of the history.
    pub(super) dropped: Vec<RequestId>,
}

/// Makes tokens of bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Measure {
    pub(super) calibration: Calibration,
    /// By how much estimates of this prompt were too low.
    pub(super) scale: f64,
}

impl Measure {
    pub(super) fn tokens(&self, bytes: u64) -> Tokens {
        let careful = self.calibration.careful(bytes);
        Tokens((careful.0 as f64 * self.scale).ceil() as u64)
    }
}

impl<'a> Draft<'a> {
    pub(super) fn of(prompt: &'a Prompt, history: &'a [Exchange]) -> Self {
        Self {
            prompt,
            history: history.iter().collect(),
            own: prompt.own.iter().collect(),
            cuts: Vec::new(),
        }
    }

    /// Leaves out what has to go of the history. Returns whether the rest fits.
    pub(super) fn fit_history(&mut self, measure: Measure, budget: &Budget, order: Order) -> bool {
        let (kept, policy, fits) = fitted(&self.exchanges(measure), budget, order);
        let before = self.messages();
        let stays: BTreeSet<usize> = kept.kept.iter().copied().collect();
        let (mut place, mut dropped) = (0, Vec::new());
        // The system turn is first, then two turns for each exchange.
        self.history.retain(|exchange| {
            place += 1;
            let stays = stays.contains(&(2 * place - 1));
            if !stays {
                dropped.push(exchange.request);
            }
            stays
        });
        self.cut(before, (&kept, policy), dropped);
        fits
    }

    /// Leaves out what has to go of the request's own turns.
    pub(super) fn fit_own(&mut self, measure: Measure, budget: &Budget, order: Order) {
        let system = turn(Role::System, measure.tokens(self.prompt.system_bytes()));
        let own = self.own.iter().map(|message| Turn {
            marked: message.is_marked,
            ..turn(message.role, measure.tokens(message.bytes))
        });
        let turns: Vec<Turn> = std::iter::once(system).chain(own).collect();
        let (kept, policy, _) = fitted(&turns, budget, order);
        let before = self.messages();
        let stays: BTreeSet<usize> = kept.kept.iter().copied().collect();
        let mut place = 0;
        self.own.retain(|_| {
            place += 1;
            stays.contains(&place)
        });
        self.cut(before, (&kept, policy), Vec::new());
    }

    /// The whole as trimming sees it: an exchange is one question and one answer, whatever it
    /// consists of, and the request's own turns are one question, so that each stays or goes as a
    /// whole.
    fn exchanges(&self, measure: Measure) -> Vec<Turn> {
        let system = turn(Role::System, measure.tokens(self.prompt.system_bytes()));
        let history = self.history.iter().flat_map(|exchange| {
            let (question, answer) = (&exchange.question, &exchange.answer);
            [
                Turn {
                    marked: question.iter().any(|it| it.is_marked),
                    ..turn(Role::User, measure.tokens(bytes(question)))
                },
                Turn {
                    marked: answer.is_marked,
                    ..turn(Role::Assistant, measure.tokens(answer.bytes))
                },
            ]
        });
        let own = turn(Role::User, measure.tokens(bytes(&self.prompt.own)));
        std::iter::once(system)
            .chain(history)
            .chain([own])
            .collect()
    }

    fn cut(&mut self, before: usize, (kept, policy): (&Fit, TrimPolicy), dropped: Vec<RequestId>) {
        if kept.is_trimmed() {
            self.cuts.push(Cut {
                policy,
                messages: (before, self.messages()),
                tokens: (kept.before, kept.after),
                dropped,
            });
        }
    }

    fn messages(&self) -> usize {
        let history: usize = self.history.iter().map(|it| it.question.len() + 1).sum();
        self.prompt.system.len() + history + self.own.len()
    }

    /// Whether anything of it could still be left out.
    pub(super) fn is_compressible(&self, overflow: Overflow) -> bool {
        let questions = self.own.iter().filter(|it| it.role == Role::User).count();
        !self.history.is_empty() || (overflow == Overflow::Trim && questions > 1)
    }

    pub(super) fn history_bytes(&self) -> u64 {
        let all = self.history.iter();
        all.map(|it| bytes(&it.question) + it.answer.bytes).sum()
    }

    pub(super) fn own_bytes(&self) -> u64 {
        self.own.iter().map(|message| message.bytes).sum()
    }

    /// The messages to send; nothing where they are those of the body.
    pub(super) fn written(&self) -> Option<Vec<Arc<str>>> {
        if self.history.is_empty() && self.own.len() == self.prompt.own.len() {
            return None;
        }
        let history = self.history.iter();
        let history = history.flat_map(|it| it.question.iter().chain([&it.answer]));
        let all = self.prompt.system.iter().chain(history);
        let all = all.chain(self.own.iter().copied());
        Some(all.map(|message| Arc::clone(&message.json)).collect())
    }
}

const fn turn(role: Role, tokens: Tokens) -> Turn {
    Turn {
        role,
        tokens,
        marked: false,
    }
}

/// What stays, by which policy, and whether that fits. A prompt that was refused loses something in
/// any case: what its policy says at first, then all but the last exchange, then all that can go.
fn fitted(turns: &[Turn], budget: &Budget, order: Order) -> (Fit, TrimPolicy, bool) {
    let hardest = TrimPolicy::Aggressive;
    if order.refused >= SHORTER_TRIES {
        return (least(turns), hardest, true);
    }
    let by = |policy| fit(turns, budget, policy, order.trigger);
    let policy = if order.refused > 1 {
        hardest
    } else {
        order.policy
    };
    match by(policy) {
        Err(_) => (least(turns), hardest, false),
        Ok(kept) if order.refused == 0 || kept.is_trimmed() => (kept, policy, true),
        Ok(_) => match by(hardest) {
            Ok(kept) if kept.is_trimmed() => (kept, hardest, true),
            _ => (least(turns), hardest, true),
        },
    }
}
