//! What a simulated model says: decided before the first token, told token by token.

use serde::Serialize;
use serde_json::{Map, Value};

use super::schema::{self, Format};
use super::script::{Answers, Length, Style};
use super::tokens::{self, Token};
use super::words::Dice;

/// Everything an answer depends on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'a> {
    pub answers: &'a Answers,
    pub format: Option<&'a Format>,
    /// Whether the system prompt speaks of JSON.
    pub speaks_of_json: bool,
    pub think: bool,
    pub tools: &'a [Value],
    /// The last user message.
    pub message: &'a str,
    pub prompt: &'a [Token],
    pub seed: Option<i64>,
    pub stop: &'a [String],
    /// Most tokens; `None` is no limit.
    pub cap: Option<u64>,
    /// Tokens until the context is full; `None` where the context shifts.
    pub room: Option<u64>,
}

/// An answer in full.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    speech: Speech,
    /// How many of the first records are thinking.
    pub thinking: u64,
    /// Tokens generated, the end mark included; `None` is without end.
    pub tokens: Option<u64>,
    /// `stop` or `length`.
    pub reason: &'static str,
    pub tool_calls: Vec<ToolCall>,
}

/// A call of a tool, as Ollama's own endpoints write it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct ToolCall {
    pub id: String,
    pub function: CalledFunction,
}

/// Which function is called with what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct CalledFunction {
    pub index: u32,
    pub name: String,
    pub arguments: Value,
}

#[derive(Debug, Clone)]
enum Speech {
    /// A text and where its tokens end.
    Text { text: String, ends: Vec<usize> },
    /// The same text in every record, so many bytes in all or without end.
    Same { text: String, bytes: Option<u64> },
}

impl Plan {
    /// What the model says to this.
    pub(super) fn new(question: &Question<'_>) -> Self {
        let mut dice = Dice::new(seed(question));
        let length = draw(question.answers.tokens, &mut dice);
        let called = called_tool(question, &mut dice);
        let (mut text, mut thinking) = (String::new(), 0);
        if question.think {
            text = dice.prose(question.answers.thinking_tokens);
            thinking = question.answers.thinking_tokens;
        }
        let thought = text.len();
        if called.is_none() {
            text.push_str(&visible(question, length.saturating_sub(1), &mut dice));
            cut_at_stop(&mut text, thought, question.stop);
        }
        Self::limited(text, thought, thinking, question).calling(called)
    }

    /// The same record over and over.
    pub(super) fn same(text: &str, bytes: Option<u64>) -> Self {
        let records = bytes.map(|bytes| bytes.div_ceil(text.len().max(1) as u64));
        Self {
            speech: Speech::Same {
                text: text.to_owned(),
                bytes,
            },
            thinking: 0,
            tokens: records.map(|records| records + 1),
            reason: "stop",
            tool_calls: Vec::new(),
        }
    }

    /// The text of the n-th token, `None` for the end mark and beyond.
    pub(super) fn token(&self, at: u64) -> Option<&str> {
        match &self.speech {
            Speech::Text { text, ends } => {
                let at = usize::try_from(at).ok()?;
                let end = *ends.get(at)?;
                let start = at.checked_sub(1).and_then(|before| ends.get(before));
                text.get(start.copied().unwrap_or(0)..end)
            }
            Speech::Same { text, bytes: None } => Some(text),
            Speech::Same {
                text,
                bytes: Some(bytes),
            } => {
                let from = at.checked_mul(text.len() as u64)?;
                let left = bytes.checked_sub(from).filter(|&left| left > 0)?;
                let end = text.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                text.get(..text.floor_char_boundary(end))
            }
        }
    }

    /// The thinking and the answer of the first `count` tokens.
    pub(super) fn text(&self, count: u64) -> (String, String) {
        let (mut thinking, mut content) = (String::new(), String::new());
        for at in 0..count {
            let Some(token) = self.token(at) else { break };
            let part = if at < self.thinking {
                &mut thinking
            } else {
                &mut content
            };
            part.push_str(token);
        }
        (thinking, content)
    }

    /// The first `count` tokens as numbers.
    pub(super) fn token_numbers(&self, count: u64) -> impl Iterator<Item = Token> {
        let known = match &self.speech {
            Speech::Text { .. } => count,
            // Nobody continues a conversation after such an answer.
            Speech::Same { .. } => 0,
        };
        (0..known).map_while(|at| self.token(at)).map(tokens::token)
    }

    /// Cuts the answer at the cap and at the end of the context.
    fn limited(text: String, thought: usize, thinking: u64, question: &Question<'_>) -> Self {
        // Thinking and answer are tokenized apart, so that none of their tokens run together.
        let (thoughts, answer) = text.split_at(thought);
        let mut end = 0;
        let mut ends: Vec<usize> = tokens::pieces(thoughts)
            .chain(tokens::pieces(answer))
            .map(|piece| {
                end += piece.len();
                end
            })
            .collect();
        let whole = ends.len() as u64 + 1;
        let limit = [question.cap, question.room]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(u64::MAX);
        let reason = if whole > limit { "length" } else { "stop" };
        ends.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Self {
            speech: Speech::Text { text, ends },
            thinking,
            tokens: Some(whole.min(limit)),
            reason,
            tool_calls: Vec::new(),
        }
    }

    /// Ends with a call, whose tokens count although no record shows them.
    fn calling(mut self, called: Option<ToolCall>) -> Self {
        if let Some(call) = called.filter(|_| self.reason == "stop") {
            let arguments = call.function.arguments.to_string();
            let silent = tokens::pieces(&arguments).count() as u64;
            self.tokens = self.tokens.map(|tokens| tokens + silent);
            self.tool_calls.push(call);
        }
        self
    }
}

fn seed(question: &Question<'_>) -> u64 {
    let bytes = question
        .prompt
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &token| {
            (hash ^ u64::from(token)).wrapping_mul(0x0100_0000_01b3)
        });
    let own = question
        .seed
        .map_or(question.answers.seed, |seed| seed as u64);
    bytes ^ own.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

const fn draw(length: Length, dice: &mut Dice) -> u64 {
    match length {
        Length::Fixed(tokens) => tokens,
        Length::Between { min, max } => dice.between(min, max),
    }
}

/// The answer itself, in about so many tokens.
fn visible(question: &Question<'_>, tokens: u64, dice: &mut Dice) -> String {
    let json = match question.answers.style {
        Style::Auto => question.format.is_some() || question.speaks_of_json,
        Style::Prose => question.format.is_some(),
        Style::Json => true,
    };
    if let Some(password) = password(question).filter(|_| !json) {
        return password.to_owned();
    }
    if !json {
        return dice.prose(tokens);
    }
    let make = |words: u64, dice: &mut Dice| match question.format {
        Some(Format::Schema(schema)) => {
            let value = schema::sample(schema, words, dice);
            (value.to_string(), schema::strings_in(&value).max(1))
        }
        _ => (schema::score(words, dice), 1),
    };
    let (frame, strings) = make(0, &mut dice.clone());
    let spare = tokens.saturating_sub(tokens::pieces(&frame).count() as u64);
    make((spare / strings).max(1), dice).0
}

/// A password that the message tells and asks for, if it is still in the prompt: a model whose
/// prompt was cut knows nothing of what was cut out.
fn password<'a>(question: &Question<'a>) -> Option<&'a str> {
    let message = question.message;
    let (_, told) = message.split_once("The password is ")?;
    let word = told.split(' ').next()?;
    message.contains("What is the password?").then_some(())?;
    let sought = tokens::encode(&format!(" {word}"));
    let mut places = question.prompt.windows(sought.len().max(1));
    places.any(|place| place == sought).then_some(word)
}

fn cut_at_stop(text: &mut String, from: usize, stops: &[String]) {
    let found = stops
        .iter()
        .filter(|stop| !stop.is_empty())
        .filter_map(|stop| text.get(from..)?.find(stop.as_str()))
        .min();
    if let Some(at) = found {
        text.truncate(from + at);
    }
}

/// A call of the first tool offered, where the message asks for one.
fn called_tool(question: &Question<'_>, dice: &mut Dice) -> Option<ToolCall> {
    let function = question.tools.first()?.get("function")?;
    let name = function.get("name")?.as_str()?;
    if !question.message.contains(&question.answers.tool_trigger) {
        return None;
    }
    let arguments = match function.get("parameters") {
        Some(parameters) => schema::sample(parameters, 2, dice),
        None => Value::Object(Map::new()),
    };
    Some(ToolCall {
        id: format!("call_{:08x}", dice.between(0, u64::from(u32::MAX))),
        function: CalledFunction {
            index: 0,
            name: name.to_owned(),
            arguments,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const PROMPT: [Token; 3] = [1, 2, 3];

    fn question(answers: &Answers) -> Question<'_> {
        Question {
            answers,
            format: None,
            speaks_of_json: false,
            think: false,
            tools: &[],
            message: "",
            prompt: &PROMPT,
            seed: None,
            stop: &[],
            cap: None,
            room: None,
        }
    }

    fn content(plan: &Plan) -> String {
        plan.text(plan.tokens.unwrap()).1
    }

    #[test]
    fn the_same_question_has_the_same_answer() {
        let answers = Answers::default();
        let first = Plan::new(&question(&answers));
        assert_eq!(content(&first), content(&Plan::new(&question(&answers))));
        let seeded = Plan::new(&Question {
            seed: Some(7),
            ..question(&answers)
        });
        assert_ne!(content(&first), content(&seeded));
        assert_eq!((first.tokens, first.reason), (Some(32), "stop"));
    }

    #[test]
    fn a_cap_or_a_full_context_cuts() {
        let answers = Answers::default();
        let capped = Plan::new(&Question {
            cap: Some(5),
            room: Some(9),
            ..question(&answers)
        });
        assert_eq!((capped.tokens, capped.reason), (Some(5), "length"));
        assert_eq!(capped.token(4).map(str::is_empty), Some(false));
        assert_eq!(capped.token(5), None);
        let exact = Plan::new(&Question {
            cap: Some(32),
            ..question(&answers)
        });
        assert_eq!((exact.tokens, exact.reason), (Some(32), "stop"));
    }

    #[test]
    fn json_is_whole_where_no_cap_cuts_it() {
        let answers = Answers {
            tokens: Length::Fixed(3),
            ..Answers::default()
        };
        let plan = Plan::new(&Question {
            speaks_of_json: true,
            ..question(&answers)
        });
        let value: Value = serde_json::from_str(&content(&plan)).unwrap();
        assert!(value["score"].is_u64() && value["reason"].is_string());
        let long = Answers::default();
        let plan = Plan::new(&Question {
            format: Some(&Format::Json),
            ..question(&long)
        });
        assert!((28..=32).contains(&plan.tokens.unwrap()), "{plan:?}");
    }

    #[test]
    fn a_stop_string_ends_the_answer_before_it() {
        let answers = Answers::default();
        let whole = content(&Plan::new(&question(&answers)));
        let stop = [whole.split(' ').nth(4).unwrap().to_owned()];
        let cut = Plan::new(&Question {
            stop: &stop,
            ..question(&answers)
        });
        assert!(whole.starts_with(&content(&cut)) && content(&cut).len() < whole.len());
        assert_eq!(cut.reason, "stop");
    }

    #[test]
    fn thinking_comes_first_and_counts() {
        let answers = Answers::default();
        let plan = Plan::new(&Question {
            think: true,
            ..question(&answers)
        });
        let (thinking, content) = plan.text(100);
        assert_eq!(tokens::encode(&thinking).len(), 16);
        assert_eq!(
            plan.tokens,
            Some(16 + tokens::encode(&content).len() as u64 + 1)
        );
    }

    #[test]
    fn a_tool_is_called_when_the_message_asks() {
        let answers = Answers::default();
        let tools = [json!({"function": {"name": "look", "parameters": {
            "type": "object", "properties": {"n": {"type": "integer"}}}}})];
        let asked = Question {
            tools: &tools,
            message: "use the tool",
            ..question(&answers)
        };
        let plan = Plan::new(&asked);
        assert_eq!(plan.tool_calls[0].function.name, "look");
        assert!(plan.tool_calls[0].function.arguments["n"].is_u64());
        assert_eq!(content(&plan), "");
        let unasked = Plan::new(&Question {
            message: "say hello",
            ..asked
        });
        assert!(unasked.tool_calls.is_empty() && !content(&unasked).is_empty());
    }

    #[test]
    fn a_repeated_record_fills_exactly_the_bytes_asked_for() {
        let plan = Plan::same("abcd", Some(10));
        assert_eq!(plan.text(100).1, "abcdabcdab");
        assert_eq!(plan.tokens, Some(4));
        assert_eq!(Plan::same("x", None).tokens, None);
    }
}
