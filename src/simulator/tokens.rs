//! A tokenizer without a vocabulary: text becomes pieces of about four bytes, a piece becomes
//! the hash of its bytes. Equal beginnings of texts give equal tokens, which is all that a
//! prefix cache needs, and counts are close to those of Gemma 3.

use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of a token.
pub(super) type Token = u32;

/// Opens every prompt.
pub(super) const BEGIN: Token = 2;
/// Opens a turn.
pub(super) const START_OF_TURN: Token = 105;
/// Closes a turn.
pub(super) const END_OF_TURN: Token = 106;
/// The end of a line.
pub(super) const NEWLINE: Token = 107;

/// Longest piece of a word in bytes, its leading space not counted.
const WORD_BYTES: usize = 7;
/// Longest run of spaces in one piece.
const SPACES: usize = 16;

/// The pieces of a text, in order; together they are the text.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (piece, after) = rest.split_at(piece_length(rest));
        rest = after;
        Some(piece)
    })
}

/// Appends the tokens of a text.
pub(super) fn encode_into(text: &str, tokens: &mut Vec<Token>) {
    tokens.reserve(text.len() / 4);
    tokens.extend(pieces(text).map(token));
}

/// The tokens of a text.
pub(super) fn encode(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    encode_into(text, &mut tokens);
    tokens
}

/// The token of a piece. The newline has its own number because templates write it too.
pub(super) fn token(piece: &str) -> Token {
    if piece == "\n" {
        return NEWLINE;
    }
    // FNV-1a: short inputs, no state to set up.
    let hash = piece.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash | 0x100
}

fn piece_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let spaces = bytes.iter().take_while(|&&byte| byte == b' ').count();
    if spaces == 0 {
        return word_length(rest);
    }
    let word_follows = bytes.get(spaces).copied().is_some_and(is_letter);
    match (spaces, word_follows) {
        (1, true) => 1 + word_length(&rest[1..]),
        (_, true) => (spaces - 1).min(SPACES),
        (_, false) => spaces.min(SPACES),
    }
}

/// Length of the run of letters at the start, or of the one character that is no letter.
fn word_length(rest: &str) -> usize {
    let letters = rest
        .bytes()
        .take(WORD_BYTES)
        .take_while(|&byte| is_letter(byte))
        .count();
    let whole = rest.floor_char_boundary(letters);
    if whole > 0 {
        return whole;
    }
    rest.chars().next().map_or(0, char::len_utf8)
}

const fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte >= 0x80
}

/// Tokens of long texts that were seen lately: in a batch every request brings the same system
/// prompt, and to cut it into pieces again and again would cost more than all else.
#[derive(Debug, Default)]
pub(super) struct Familiar {
    /// The text seen last comes first.
    texts: Mutex<VecDeque<(String, Arc<[Token]>)>>,
}

impl Familiar {
    /// Texts that are remembered.
    const KEPT: usize = 16;
    /// Bytes of a text that is worth it, and that costs no memory to speak of.
    const LENGTHS: RangeInclusive<usize> = 512..=(1 << 20);

    /// The tokens of a text.
    pub(super) fn encode(&self, text: &str) -> Vec<Token> {
        if !Self::LENGTHS.contains(&text.len()) {
            return encode(text);
        }
        if let Some(tokens) = self.recall(text) {
            return tokens.to_vec();
        }
        let tokens = encode(text);
        let mut texts = self.texts();
        texts.push_front((text.to_owned(), tokens.as_slice().into()));
        texts.truncate(Self::KEPT);
        tokens
    }

    fn recall(&self, text: &str) -> Option<Arc<[Token]>> {
        let mut texts = self.texts();
        let at = texts.iter().position(|(known, _)| known == text)?;
        let found = texts.remove(at)?;
        let tokens = Arc::clone(&found.1);
        texts.push_front(found);
        Some(tokens)
    }

    fn texts(&self) -> MutexGuard<'_, VecDeque<(String, Arc<[Token]>)>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[test]
    fn a_familiar_text_has_the_same_tokens_and_a_bounded_number_is_kept() {
        let familiar = Familiar::default();
        let text = |n: usize| format!("{n}: {}", "a long system prompt. ".repeat(40));
        let system = text(0);
        for n in 0..100 {
            assert_eq!(familiar.encode(&system), encode(&system));
            assert_eq!(familiar.encode(&text(n)), encode(&text(n)));
        }
        assert_eq!(familiar.encode("short"), encode("short"));
        assert_eq!(familiar.texts().len(), Familiar::KEPT);
        assert!(familiar.recall(&system).is_some());
        assert!(familiar.recall(&text(50)).is_none());
    }

    #[rstest]
    #[case("", &[])]
    #[case("You grade people", &["You", " grade", " people"])]
    #[case("from 0 to 10.", &["from", " ", "0", " to", " ", "1", "0", "."])]
    #[case("two\n\nlines", &["two", "\n", "\n", "lines"])]
    #[case("a   b", &["a", "  ", " b"])]
    #[case("unbelievable", &["unbelie", "vable"])]
    #[case("日本語", &["日本", "語"])]
    #[case("word ", &["word", " "])]
    fn text_falls_into_pieces(#[case] text: &str, #[case] expected: &[&str]) {
        assert_eq!(pieces(text).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn english_prose_has_about_four_bytes_a_token() {
        let prose = "The candidate has led three teams through difficult migrations, wrote clear \
                     documentation and answers questions precisely. References confirm all of it.";
        let bytes_each = prose.len() as f64 / encode(prose).len() as f64;
        assert!((3.5..5.5).contains(&bytes_each), "{bytes_each}");
    }

    proptest::proptest! {
        #[test]
        fn pieces_are_the_text(text in "\\PC*|[ a-z\\n0-9äß日🦀]*") {
            proptest::prop_assert_eq!(pieces(&text).collect::<String>(), text);
        }

        #[test]
        fn equal_beginnings_give_equal_tokens(head in "[a-z .]{0,40}", a in "[a-z]{1,9}", b in "[0-9]{1,9}") {
            let head = format!("{head}\n");
            let known = encode(&head);
            for tail in [a, b] {
                let whole = encode(&format!("{head}{tail}"));
                proptest::prop_assert!(whole.starts_with(&known));
            }
        }
    }
}
