//! The end of an answer, kept while it is being written, in bounded memory.

/// Bytes kept of an answer. A lane takes twice as much at most, because old text is dropped in
/// pieces and not with every token.
const KEPT: usize = 4_096;

/// The last bytes of an answer.
#[derive(Debug, Default)]
pub(super) struct Tail {
    text: String,
    dropped: u64,
    is_thinking: bool,
}

impl Tail {
    /// Takes a piece of the answer.
    pub(super) fn push(&mut self, piece: &str, thinking: bool) {
        if self.is_thinking != thinking && !self.is_empty() {
            self.text.push_str("\n\n");
        }
        self.is_thinking = thinking;
        // A piece may be of any length: what would be dropped at once is never kept.
        let start = piece.ceil_char_boundary(piece.len().saturating_sub(KEPT));
        if start > 0 {
            self.dropped += (self.text.len() + start) as u64;
            self.text.clear();
        }
        self.text.push_str(piece.get(start..).unwrap_or_default());
        if self.text.len() > 2 * KEPT {
            let cut = self.start();
            self.text.drain(..cut);
            self.dropped += cut as u64;
        }
    }

    /// The last bytes, whole characters only.
    pub(super) fn text(&self) -> &str {
        self.text.get(self.start()..).unwrap_or_default()
    }

    /// Bytes that came before [`Self::text`].
    pub(super) fn dropped(&self) -> u64 {
        self.dropped + self.start() as u64
    }

    /// Whether the last piece was thinking.
    pub(super) const fn is_thinking(&self) -> bool {
        self.is_thinking
    }

    fn start(&self) -> usize {
        self.text
            .ceil_char_boundary(self.text.len().saturating_sub(KEPT))
    }

    const fn is_empty(&self) -> bool {
        self.text.is_empty() && self.dropped == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_thought_is_divided_from_what_is_said() {
        let mut tail = Tail::default();
        for (piece, thinking) in [("Let me", true), (" see.", true), ("Yes", false)] {
            tail.push(piece, thinking);
        }
        assert_eq!((tail.text(), tail.dropped()), ("Let me see.\n\nYes", 0));
        assert!(!tail.is_thinking());
    }

    proptest::proptest! {
        #[test]
        fn the_end_is_kept_and_the_rest_is_counted(pieces in proptest::collection::vec("[a-zé日]{0,900}", 0..40), long in 0usize..12_000) {
            let mut tail = Tail::default();
            let mut whole = String::new();
            for piece in pieces.iter().map(String::as_str).chain([&*"日".repeat(long)]) {
                tail.push(piece, false);
                whole.push_str(piece);
            }
            let kept = tail.text();
            proptest::prop_assert!(whole.ends_with(kept));
            proptest::prop_assert!(kept.len() <= KEPT);
            proptest::prop_assert_eq!(tail.dropped() + kept.len() as u64, whole.len() as u64);
            proptest::prop_assert!(kept.len() + 3 >= whole.len().min(KEPT));
            proptest::prop_assert!(tail.text.len() <= 2 * KEPT);
        }
    }
}
