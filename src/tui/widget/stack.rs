//! A bar that shows what a context window is filled with.

use ratatui::text::{Line, Span};

use crate::model::{LaneContext, Tokens};
use crate::tui::theme::{Meaning, Theme};

/// What a window is filled with, in the order of the prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece {
    /// Tools and system prompt.
    System,
    /// Earlier questions and answers.
    History,
    /// The request's own messages.
    Question,
    /// Room for the answer.
    Answer,
}

impl Piece {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::System, Self::History, Self::Question, Self::Answer];

    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::History => "history",
            Self::Question => "question",
            Self::Answer => "answer",
        }
    }

    /// What a column of it is drawn with: each has a sign of its own, so that no colour is needed.
    pub fn sign(self, theme: &Theme) -> (&'static str, Meaning) {
        match self {
            Self::System => (theme.sign("█", "s"), Meaning::Bar),
            Self::History => (theme.sign("▓", "h"), Meaning::Accent),
            Self::Question => (theme.sign("▒", "q"), Meaning::Good),
            Self::Answer => (theme.sign("░", "a"), Meaning::Dim),
        }
    }

    const fn tokens(self, filled: &LaneContext) -> u64 {
        match self {
            Self::System => filled.system.0,
            Self::History => filled.history.0,
            Self::Question => filled.question.0,
            Self::Answer => filled.answer.0,
        }
    }
}

/// A bar of so many columns that stands for the window, with a mark where its safe part ends. What
/// is there has a column at least. An unknown window is an empty bar.
pub fn stack(
    theme: &Theme,
    filled: &LaneContext,
    (window, safe): (Option<Tokens>, Option<Tokens>),
    columns: usize,
) -> Line<'static> {
    let window = window.map_or(0, |window| window.0);
    let column = |tokens: u64| {
        let scaled = u128::from(tokens) * columns as u128;
        scaled
            .checked_div(u128::from(window))
            .map_or(0, |column| column.min(columns as u128) as usize)
    };
    let (mut line, mut drawn, mut tokens) = (Line::default(), 0, 0u64);
    for piece in Piece::ALL.into_iter().filter(|_| window > 0) {
        let own = piece.tokens(filled);
        tokens = tokens.saturating_add(own);
        let end = column(tokens)
            .max(drawn + usize::from(own > 0))
            .min(columns);
        let (sign, meaning) = piece.sign(theme);
        line.push_span(Span::styled(sign.repeat(end - drawn), theme.style(meaning)));
        drawn = end;
    }
    let mark = safe.map(|safe| column(safe.0));
    let mark = mark.filter(|at| window > 0 && (drawn..columns).contains(at));
    let track = |columns: usize| {
        Span::styled(
            theme.sign("·", ".").repeat(columns),
            theme.style(Meaning::Track),
        )
    };
    let before = mark.unwrap_or(columns) - drawn;
    line.push_span(track(before));
    if mark.is_some() {
        line.push_span(Span::styled(
            theme.sign("│", "|"),
            theme.style(Meaning::Warn),
        ));
        line.push_span(track(columns - drawn - before - 1));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::RequestId;
    use crate::tui::theme::Depth;
    use proptest::prelude::*;
    use rstest::rstest;

    fn lane(parts: [u64; 4]) -> LaneContext {
        let [system, history, question, answer] = parts.map(Tokens);
        LaneContext {
            lane: 1,
            request: RequestId(1),
            system,
            history,
            question,
            answer,
        }
    }

    fn drawn(parts: [u64; 4], window: Option<u64>, ascii: bool) -> String {
        let theme = Theme::built_in("mono", Depth::None, ascii).unwrap();
        let window = window.map(Tokens);
        let safe = window.map(|window| Tokens(window.0 * 7 / 8));
        stack(&theme, &lane(parts), (window, safe), 16).to_string()
    }

    #[rstest]
    #[case([400, 400, 100, 100], Some(1_600), "████▓▓▓▓▒░····│·")]
    #[case([400, 400, 1, 1], Some(1_600), "████▓▓▓▓▒░····│·")]
    #[case([1_600, 0, 0, 0], Some(1_600), "████████████████")]
    #[case([9_999, 9, 9, 9], Some(1_600), "████████████████")]
    #[case([0, 0, 0, 0], Some(1_600), "··············│·")]
    #[case([1, 1, 1, 1], None, "················")]
    #[case([1, 1, 1, 1], Some(0), "················")]
    fn a_window_is_filled_by_its_parts(
        #[case] parts: [u64; 4],
        #[case] window: Option<u64>,
        #[case] expected: &str,
    ) {
        assert_eq!(drawn(parts, window, false), expected);
    }

    #[test]
    fn an_ascii_stack_says_what_is_what() {
        assert_eq!(
            drawn([400, 400, 100, 100], Some(1_600), true),
            "sssshhhhqa....|."
        );
    }

    proptest! {
        #[test]
        fn it_is_as_wide_as_it_should_be(
            parts in any::<[u64; 4]>(),
            window in any::<Option<u64>>(),
            safe in any::<Option<u64>>(),
            columns in 0usize..60,
        ) {
            let theme = Theme::built_in("dark", Depth::True, false).unwrap();
            let limits = (window.map(Tokens), safe.map(Tokens));
            let line = stack(&theme, &lane(parts), limits, columns);
            prop_assert_eq!(line.width(), columns);
        }
    }
}
