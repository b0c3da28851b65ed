//! From messages to the tokens of a prompt, and what Ollama does when they are too many.

use super::models::PromptPath;
use super::tokens::{self, BEGIN, END_OF_TURN, NEWLINE, START_OF_TURN, Token};
use super::wire::Refusal;

/// Tokens that Ollama takes an image for.
pub(super) const IMAGE_TOKENS: usize = 768;

/// What the plain refusal of a prompt that is too long says.
const TOO_LONG: &str = "the prompt is longer than the context length currently available to the \
                        model; shorten the prompt, adjust the context length in settings, or use a \
                        model with a longer context length";

/// One message, already in tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Turn {
    pub role: String,
    pub content: Vec<Token>,
}

/// What is known when a prompt is fitted to its window.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub path: PromptPath,
    /// What Ollama takes for the window.
    pub num_ctx: u64,
    /// What the slot really has.
    pub window: u64,
    pub truncate: bool,
    pub shift: bool,
    pub num_keep: u64,
}

impl Turn {
    pub(super) fn new(role: &str, content: Vec<Token>) -> Self {
        Self {
            role: role.to_ascii_lowercase(),
            content,
        }
    }

    /// Start, role, line end; content; end, line end.
    const fn length(&self) -> usize {
        self.content.len() + 5
    }
}

/// Joins consecutive messages of one role by a blank line, as Go templates have it; tool
/// results stay apart.
pub(super) fn merge(turns: Vec<Turn>) -> Vec<Turn> {
    let mut merged: Vec<Turn> = Vec::with_capacity(turns.len());
    for turn in turns {
        match merged.last_mut() {
            Some(last) if last.role == turn.role && turn.role != "tool" => {
                last.content.extend([NEWLINE, NEWLINE]);
                last.content.extend(turn.content);
            }
            _ => merged.push(turn),
        }
    }
    merged
}

/// Drops whole messages from the front until the prompt has at most `num_ctx` tokens. System
/// messages and the last message stay.
pub(super) fn drop_old(turns: &[Turn], num_ctx: u64) -> Vec<&Turn> {
    let mut length = rendered_length(turns);
    let last = turns.len().saturating_sub(1);
    turns
        .iter()
        .enumerate()
        .filter(|(at, turn)| {
            let drops = length as u64 > num_ctx && *at != last && turn.role != "system";
            if drops {
                length -= turn.length();
            }
            !drops
        })
        .map(|(_, turn)| turn)
        .collect()
}

/// The tokens of all messages, and the opening of the answer. On the native path a last
/// assistant message is left open for the model to continue.
pub(super) fn render<'a>(
    turns: impl IntoIterator<Item = &'a Turn>,
    path: PromptPath,
) -> Vec<Token> {
    let mut prompt = vec![BEGIN];
    let mut continues = false;
    for turn in turns {
        continues = turn.role == "assistant";
        prompt.extend([START_OF_TURN, tokens::token(&turn.role), NEWLINE]);
        prompt.extend_from_slice(&turn.content);
        prompt.extend([END_OF_TURN, NEWLINE]);
    }
    if continues && path == PromptPath::Native {
        prompt.truncate(prompt.len() - 2);
    } else {
        prompt.extend([START_OF_TURN, tokens::token("assistant"), NEWLINE]);
    }
    prompt
}

/// Fits a rendered prompt into its window, or says why it cannot be.
///
/// On the rendered path with `truncate`, a prompt one token too long loses half of the window
/// from its middle without a word (Ollama 0.33). Otherwise llama-server refuses it.
pub(super) fn fit(mut prompt: Vec<Token>, room: &Room) -> Result<Vec<Token>, Refusal> {
    let length = prompt.len() as u64;
    let cuts = room.truncate && room.path == PromptPath::Rendered;
    if cuts && length > room.num_ctx.saturating_sub(1) {
        if !room.shift {
            return Err(Refusal::new(400, TOO_LONG));
        }
        let keep = room.num_keep.saturating_add(1).min(room.num_ctx);
        let total = room.num_ctx - ((room.num_ctx - keep) / 2).max(1);
        let keep = keep.min(total);
        let tail = prompt.split_off(prompt.len() - (total - keep) as usize);
        prompt.truncate(keep as usize);
        prompt.extend(tail);
    }
    if prompt.len() as u64 >= room.window {
        return Err(Refusal::exceeds(length, room.window));
    }
    Ok(prompt)
}

fn rendered_length(turns: &[Turn]) -> usize {
    turns.iter().map(Turn::length).sum::<usize>() + 4
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const ROOM: Room = Room {
        path: PromptPath::Rendered,
        num_ctx: 512,
        window: 512,
        truncate: true,
        shift: true,
        num_keep: 4,
    };

    fn turn(role: &str, content: &str) -> Turn {
        Turn::new(role, tokens::encode(content))
    }

    fn long(length: usize) -> Vec<Token> {
        (0..length as u32).collect()
    }

    #[test]
    fn the_recorded_prompt_has_as_many_tokens_as_recorded() {
        let turns = [
            turn("system", "You grade people from 0 to 10."),
            turn("user", "Ada: ten years of systems work. Grade?"),
        ];
        assert_eq!(render(&turns, PromptPath::Rendered).len(), 35);
        let turns = [turns[0].clone(), turn("user", &"word ".repeat(3000))];
        assert_eq!(render(&turns, PromptPath::Native).len(), 3026);
    }

    #[rstest]
    #[case(512, 259)]
    #[case(4096, 2051)]
    #[case(32_768, 16_387)]
    fn a_token_too_much_costs_half_the_window(#[case] num_ctx: u64, #[case] left: usize) {
        let room = Room {
            num_ctx,
            window: num_ctx,
            ..ROOM
        };
        let cut = fit(long(num_ctx as usize), &room).unwrap();
        assert_eq!(cut.len(), left);
        assert_eq!(&cut[..5], &[0, 1, 2, 3, 4]);
        assert_eq!(cut.last(), Some(&(num_ctx as u32 - 1)));
        assert_eq!(
            fit(long(num_ctx as usize - 1), &room).unwrap().len() as u64,
            num_ctx - 1
        );
    }

    #[rstest]
    #[case(Room { shift: false, ..ROOM }, "the prompt is longer than")]
    #[case(Room { truncate: false, ..ROOM }, "exceed_context_size_error")]
    #[case(Room { path: PromptPath::Native, ..ROOM }, "exceed_context_size_error")]
    fn what_cannot_be_cut_is_refused(#[case] room: Room, #[case] text: &str) {
        let refusal = fit(long(600), &room).unwrap_err();
        assert_eq!(refusal.status, 400);
        assert!(refusal.text.contains(text), "{}", refusal.text);
    }

    #[test]
    fn the_slot_decides_not_num_ctx() {
        let room = Room {
            num_ctx: 128,
            window: 256,
            truncate: false,
            ..ROOM
        };
        assert!(fit(long(255), &room).is_ok());
        assert!(fit(long(256), &room).is_err());
    }

    #[test]
    fn old_messages_go_but_system_and_last_stay() {
        let text = "word ".repeat(100);
        let turns: Vec<_> = ["system", "user", "assistant", "system", "user"]
            .map(|role| turn(role, &text))
            .to_vec();
        let roles = |turns: Vec<&Turn>| {
            let roles: Vec<_> = turns.iter().map(|turn| turn.role.clone()).collect();
            roles
        };
        assert_eq!(
            roles(drop_old(&turns, 450)),
            ["system", "assistant", "system", "user"]
        );
        assert_eq!(roles(drop_old(&turns, 10)), ["system", "system", "user"]);
    }

    #[test]
    fn neighbours_of_one_role_are_merged() {
        let turns = vec![
            turn("user", "a"),
            turn("user", "b"),
            turn("tool", "c"),
            turn("tool", "d"),
        ];
        assert_eq!(merge(turns).len(), 3);
    }

    #[test]
    fn the_native_path_continues_an_open_answer() {
        let turns = [turn("user", "a"), turn("assistant", "b")];
        let native = render(&turns, PromptPath::Native);
        assert_eq!(native.last(), Some(&tokens::token("b")));
        assert_eq!(render(&turns, PromptPath::Rendered).len(), native.len() + 5);
    }
}
