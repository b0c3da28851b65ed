//! A conversation as trimming sees it: no text, only who spoke and how much.

use std::ops::Range;

use crate::model::Tokens;

/// Who speaks in a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The instructions: always kept.
    System,
    /// A question.
    User,
    /// An answer.
    Assistant,
    /// What a tool gave back.
    Tool,
}

/// One message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Who speaks.
    pub role: Role,
    /// Its tokens, as estimated.
    pub tokens: Tokens,
    /// Whether it asks to be kept ([`is_marked`](super::is_marked)).
    pub marked: bool,
}

/// A question with everything up to the next one. It stays or goes as a whole: an answer without
/// its question misleads the model, and strict templates refuse two answers in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    /// Where its messages are. System messages among them are not part of it.
    pub(super) place: Range<usize>,
    /// Tokens of its messages.
    pub(super) tokens: Tokens,
}

/// Splits a history into exchanges, oldest first.
pub(super) fn exchanges(turns: &[Turn]) -> Vec<Exchange> {
    let mut all: Vec<Exchange> = Vec::new();
    for (at, turn) in turns.iter().enumerate() {
        match (turn.role, all.last_mut()) {
            (Role::System, _) => {}
            (Role::Assistant | Role::Tool, Some(exchange)) => {
                exchange.place.end = at + 1;
                exchange.tokens += turn.tokens;
            }
            _ => all.push(Exchange {
                place: at..at + 1,
                tokens: turn.tokens,
            }),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exchange_is_a_question_and_what_follows() {
        use Role::{Assistant, System, Tool, User};
        let roles = [System, User, Assistant, User, Tool, Assistant, User];
        let turns = roles.map(|role| Turn {
            role,
            tokens: Tokens(10),
            marked: false,
        });
        let places: Vec<_> = exchanges(&turns).into_iter().map(|it| it.place).collect();
        assert_eq!(places, [1..3, 3..6, 6..7]);
        assert_eq!(exchanges(&turns)[1].tokens, Tokens(30));
        assert_eq!(exchanges(&turns[2..3]).len(), 1);
        assert!(exchanges(&[]).is_empty());
    }
}
