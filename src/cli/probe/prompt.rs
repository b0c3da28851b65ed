//! The prompts of a probe: a word at the very beginning, filler, and the question for the word.

use serde_json::json;

use crate::model::{Answer, AnswerBody};

/// A line of filler. Its number keeps models from taking it for a repetition.
const FILLER: &str = "the quick brown fox jumps over the lazy dog and rests in the shade";
/// Tokens that an answer may have.
pub(super) const ANSWER: u32 = 24;

/// A prompt with a word at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    /// The word.
    pub(super) word: String,
    /// The prompt.
    pub(super) text: String,
}

impl Needle {
    /// A prompt of so many bytes, or a little more than the question takes. Another number gives
    /// another word, so that no prompt begins as one before it did.
    pub(super) fn new(number: u64, bytes: u64) -> Self {
        let word = format!("k{:08}", number.wrapping_mul(2_654_435_761) % 100_000_000);
        let head = format!("The password is {word} and must be remembered.\n");
        let tail = "What is the password? Answer with the password alone.";
        let room = (bytes as usize).saturating_sub(head.len() + tail.len());
        let mut text = head;
        let end = text.len() + room;
        let mut line = 1_u64;
        while text.len() < end {
            let filler = format!("{line}: {FILLER}\n");
            let left = end - text.len();
            text.push_str(filler.get(..left).unwrap_or(&filler));
            line += 1;
        }
        text.push_str(tail);
        Self { word, text }
    }

    /// Whether the answer holds the word.
    pub(super) fn is_in(&self, answer: &Answer) -> bool {
        let AnswerBody::Chat {
            content, thinking, ..
        } = &answer.body
        else {
            return false;
        };
        let thought = thinking.as_deref().unwrap_or_default();
        content.contains(&self.word) || thought.contains(&self.word)
    }
}

/// A request in OpenAI's form.
pub(super) fn body(text: &str) -> String {
    json!({
        "messages": [{"role": "user", "content": text}],
        "temperature": 0,
        "seed": 1,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_prompt_is_as_long_as_asked_and_begins_with_its_word(number: u64, bytes in 0u64..20_000) {
            let needle = Needle::new(number, bytes);
            prop_assert!(needle.text.len() as u64 >= bytes);
            prop_assert!(needle.text.len() as u64 <= bytes.max(200));
            prop_assert!(needle.text.find(&needle.word).unwrap() < 40);
            prop_assert!(needle.text.ends_with("alone."));
        }
    }

    #[test]
    fn no_two_prompts_begin_alike() {
        assert_ne!(Needle::new(1, 300).word, Needle::new(2, 300).word);
    }
}
