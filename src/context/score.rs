//! How much an exchange matters, from its length, its age, who speaks in it and its mark.

use super::turn::{Exchange, Role, Turn};

/// What a message says to be kept as long as possible.
const MARK: &str = "[keep]";

/// Whether a message asks to be kept: it has `[keep]` in it, in any case of letters.
pub fn is_marked(text: &str) -> bool {
    let mark = MARK.as_bytes();
    let mut windows = text.as_bytes().windows(mark.len());
    windows.any(|window| window.eq_ignore_ascii_case(mark))
}

/// The score of the exchange that is number `at` of `count`; the lowest goes first.
///
/// A mark outweighs everything. Then age: the newest exchange gets 400. Then length, because a short
/// answer is soon asked again: 20 for each doubling, at most 300. Then what a tool found, which
/// cannot be asked again: 100.
pub(super) fn score(turns: &[Turn], exchange: &Exchange, at: usize, count: usize) -> u64 {
    const MARKED: u64 = 1_000;
    const NEWEST: u64 = 400;
    const DOUBLING: u64 = 20;
    const LONGEST: u64 = 300;
    const TOOL: u64 = 100;
    let messages = turns.get(exchange.place.clone()).unwrap_or_default();
    let marked = u64::from(messages.iter().any(|turn| turn.marked)) * MARKED;
    let age = (at as u64 + 1) * NEWEST / count.max(1) as u64;
    let doublings = u64::from((exchange.tokens.0 + 1).ilog2());
    let length = (doublings * DOUBLING).min(LONGEST);
    let tool = u64::from(messages.iter().any(|turn| turn.role == Role::Tool)) * TOOL;
    marked + age + length + tool
}

#[cfg(test)]
mod tests {
    use super::super::turn::exchanges;
    use super::*;
    use crate::model::Tokens;
    use rstest::rstest;

    #[rstest]
    #[case("please [KEEP] this", true)]
    #[case("[keep]", true)]
    #[case("keep", false)]
    #[case("", false)]
    fn a_mark_is_found_in_any_case(#[case] text: &str, #[case] marked: bool) {
        assert_eq!(is_marked(text), marked);
    }

    #[test]
    fn marks_age_length_and_tools_count() {
        let turn = |role, tokens, marked| Turn {
            role,
            tokens: Tokens(tokens),
            marked,
        };
        let turns = [
            turn(Role::User, 10, true),
            turn(Role::User, 10, false),
            turn(Role::Tool, 10, false),
            turn(Role::User, 10, false),
            turn(Role::User, 4_000, false),
        ];
        let all = exchanges(&turns);
        let scores: Vec<u64> = all.iter().map(|it| score(&turns, it, 0, 1)).collect();
        assert!(scores[0] > scores[3] && scores[3] > scores[1] && scores[1] > scores[2]);
        assert!(score(&turns, &all[2], 3, 4) > score(&turns, &all[2], 0, 4));
    }
}
