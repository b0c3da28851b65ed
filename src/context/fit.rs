//! Whether a conversation fits its window, and which messages stay if not.

use super::score::score;
use super::turn::{Exchange, Role, Turn, exchanges};
use crate::model::{Share, Tokens, TrimPolicy};

/// The share of the room for a prompt that is left after a trim, in thousandths. Every trim makes
/// the server read the whole history again, so there must not be one before every request.
const AFTER_TRIM: u64 = 600;
/// Exchanges that `hybrid` keeps as long as it can.
const NEWEST: usize = 4;

/// What a prompt may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    /// Window of one slot.
    pub window: Tokens,
    /// Tokens reserved for the answer.
    pub answer: Tokens,
    /// The part of the window that prompt and answer may take.
    pub share: Share,
    /// The largest context to use, where a limit was learnt.
    pub learned: Option<Tokens>,
}

impl Budget {
    /// The budget of a window. The cap of an answer is reserved, but at most half of the safe part:
    /// a cap is no length, and with the usual caps no prompt would fit a small window.
    pub fn of(window: Tokens, cap: Tokens, share: Share, learned: Option<Tokens>) -> Self {
        let mut budget = Self {
            window,
            answer: Tokens(0),
            share,
            learned,
        };
        budget.answer = cap.min(Tokens(budget.safe().0 / 2));
        budget
    }

    /// The largest context that is used: the safe part of the window, or what was learnt if that
    /// is less.
    pub fn safe(&self) -> Tokens {
        let safe = thousandths(self.window, u64::from(self.share.thousandths()));
        self.learned.map_or(safe, |learned| learned.min(safe))
    }

    /// What is left of that for the prompt.
    pub fn prompt(&self) -> Tokens {
        Tokens(self.safe().0.saturating_sub(self.answer.0))
    }

    /// What a prompt takes at most after a trim.
    pub fn after_trim(&self) -> Tokens {
        thousandths(self.prompt(), AFTER_TRIM)
    }
}

/// When to trim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// Only if the prompt would not fit.
    WhenTooLong,
    /// Now, although it may fit: the interval is over, or memory is short.
    Now,
}

/// What stays.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fit {
    /// The places of the messages that stay, ascending.
    pub kept: Vec<usize>,
    /// Tokens of all messages.
    pub before: Tokens,
    /// Tokens of those that stay.
    pub after: Tokens,
}

/// The system prompt and the question alone are too long: no trim helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("needs {} tokens where {} are available", needed.0, available.0)]
pub struct TooLong {
    /// Tokens of what cannot be left out.
    pub needed: Tokens,
    /// Tokens that a prompt may have.
    pub available: Tokens,
}

/// Decides which messages of a conversation stay. System messages, the newest question and what
/// follows it always do, and the order never changes. Applied to its own result it changes nothing.
/// A history of 1,000 messages takes less than a millisecond, unoptimised.
///
/// # Errors
/// When what must stay is already too long.
pub fn fit(
    turns: &[Turn],
    budget: &Budget,
    policy: TrimPolicy,
    trigger: Trigger,
) -> Result<Fit, TooLong> {
    let all = exchanges(turns);
    let (newest, history) = match all.split_last() {
        Some((newest, history)) => (newest.tokens, history),
        None => (Tokens(0), all.as_slice()),
    };
    let system = turns.iter().filter(|turn| turn.role == Role::System);
    let needed = system.map(|turn| turn.tokens).sum::<Tokens>() + newest;
    let available = budget.prompt();
    if needed > available {
        return Err(TooLong { needed, available });
    }
    let before = turns.iter().map(|turn| turn.tokens).sum();
    let dropped = match trigger {
        Trigger::WhenTooLong if before <= available => vec![false; history.len()],
        _ => drops(turns, history, policy, &Room { needed, budget }),
    };
    Ok(kept(turns, history, &dropped, before))
}

/// What stays when no trim makes a conversation fit: what can never be left out.
pub fn least(turns: &[Turn]) -> Fit {
    let all = exchanges(turns);
    let history = all
        .split_last()
        .map_or(all.as_slice(), |(_, history)| history);
    let before = turns.iter().map(|turn| turn.tokens).sum();
    kept(turns, history, &vec![true; history.len()], before)
}

/// What a trim has to reach.
struct Room<'a> {
    needed: Tokens,
    budget: &'a Budget,
}

/// Which exchanges of the history go.
fn drops(turns: &[Turn], history: &[Exchange], policy: TrimPolicy, room: &Room<'_>) -> Vec<bool> {
    let mut dropped = vec![false; history.len()];
    if policy == TrimPolicy::Aggressive {
        for (at, exchange) in history.iter().enumerate() {
            let is_last = at + 1 == history.len();
            let fits = room.needed + exchange.tokens <= room.budget.prompt();
            dropped[at] = !(is_last && fits);
        }
        return dropped;
    }
    let mut left: Tokens = history
        .iter()
        .map(|exchange| exchange.tokens)
        .sum::<Tokens>()
        + room.needed;
    for at in order(turns, history, policy) {
        if left <= room.budget.after_trim() {
            break;
        }
        left = Tokens(left.0.saturating_sub(history[at].tokens.0));
        dropped[at] = true;
    }
    dropped
}

/// The order in which exchanges go.
fn order(turns: &[Turn], history: &[Exchange], policy: TrimPolicy) -> Vec<usize> {
    let count = history.len();
    let mut order: Vec<usize> = (0..count).collect();
    let key = |at: &usize| score(turns, &history[*at], *at, count);
    match policy {
        TrimPolicy::Sliding | TrimPolicy::Aggressive => {}
        TrimPolicy::Importance => order.sort_by_cached_key(key),
        TrimPolicy::Hybrid => {
            let old = count.saturating_sub(NEWEST);
            order[..old].sort_by_cached_key(key);
        }
    }
    order
}

fn kept(turns: &[Turn], history: &[Exchange], dropped: &[bool], before: Tokens) -> Fit {
    let mut stays = vec![true; turns.len()];
    for (exchange, _) in history.iter().zip(dropped).filter(|(_, dropped)| **dropped) {
        for at in exchange.place.clone() {
            stays[at] = turns[at].role == Role::System;
        }
    }
    let kept: Vec<usize> = (0..turns.len()).filter(|&at| stays[at]).collect();
    let after = kept.iter().map(|&at| turns[at].tokens).sum();
    Fit {
        kept,
        before,
        after,
    }
}

impl Fit {
    /// Whether anything was left out.
    pub fn is_trimmed(&self) -> bool {
        self.after < self.before
    }
}

fn thousandths(tokens: Tokens, share: u64) -> Tokens {
    Tokens((u128::from(tokens.0) * u128::from(share) / 1_000) as u64)
}

#[cfg(test)]
#[path = "fit_tests.rs"]
mod tests;
