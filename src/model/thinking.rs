//! Thinking that a model wrote into its answer.
//!
//! Servers that know a model's format deliver its thinking in a field of its own. Others leave it
//! in the text, in the marks of the model's chat template. It is no part of the answer: a score in
//! it is a draft, and in the history of a conversation it only takes room.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;

/// Names of the tags in angle brackets, as models and prompts use them.
const TAGS: &str = "think|thinking|thought|thoughts|reasoning|scratchpad|seed:think";

/// The marks around thinking: how it begins and how it ends.
struct Marks {
    open: Regex,
    close: Regex,
}

static MARKS: LazyLock<Vec<Marks>> = LazyLock::new(|| {
    let tags = (
        format!(r"(?i)<(?:{TAGS})(?:\s[^<>]{{0,200}})?>"),
        format!(r"(?i)</(?:{TAGS})\s*>"),
    );
    // Magistral, Kimi, Command A, OpenThinker, MedGemma, Gemma 4.
    let others = [
        (r"\[THINK\]", r"\[/THINK\]"),
        ("◁think▷", "◁/think▷"),
        (r"<\|START_THINKING\|>", r"<\|END_THINKING\|>"),
        (r"<\|begin_of_thought\|>", r"<\|end_of_thought\|>"),
        (r"<unused94>", r"<unused95>"),
        (r"<\|channel>", r"<channel\|>"),
    ];
    let others = others.map(|(open, close)| (open.to_owned(), close.to_owned()));
    let pattern = |text: &str| Regex::new(text).expect("the marks are valid patterns");
    std::iter::once(tags)
        .chain(others)
        .map(|(open, close)| Marks {
            open: pattern(&open),
            close: pattern(&close),
        })
        .collect()
});

/// What is left of a template around an answer once its thinking is gone.
static TOKENS: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"<\|\w{1,30}\|>").expect("a valid pattern"));

/// The text of an answer without the thinking in it.
///
/// - `<think>…</think>` and its kin are left out wherever they stand.
/// - Thinking that was never closed goes to the end of the text, if its mark begins a line.
/// - Where only the end of thinking is there, because the template opened it, everything before
///   that is thinking.
/// - Of gpt-oss channels the last `final` one is the answer, or else the last call of a tool.
/// - A mark behind a backtick is spoken about, and an answer that is JSON as a whole is left alone.
pub fn without_thinking(text: &str) -> Cow<'_, str> {
    if let Some(answer) = of_channels(text) {
        return Cow::Borrowed(answer.trim());
    }
    let is_marked = MARKS.iter().any(|marks| marks.close.is_match(text))
        || MARKS.iter().any(|marks| marks.open.is_match(text));
    if !is_marked || is_json(text) {
        return Cow::Borrowed(text);
    }
    let mut answer = text.to_owned();
    for marks in MARKS.iter() {
        answer = marks.left_out(&answer);
    }
    if answer == text {
        return Cow::Borrowed(text);
    }
    Cow::Owned(TOKENS.replace_all(&answer, "").trim().to_owned())
}

impl Marks {
    fn left_out(&self, text: &str) -> String {
        let mut kept = String::with_capacity(text.len());
        let mut from = 0;
        // Where none follows one mark, none follows the next: it is looked for once.
        let mut may_close = true;
        while let Some((start, end)) = next(&self.open, text, from) {
            kept.push_str(&text[from..start]);
            let close = may_close.then(|| next(&self.close, text, end)).flatten();
            may_close = close.is_some();
            from = if let Some((_, closed)) = close {
                closed
            } else if begins_line(text, start) {
                text.len()
            } else {
                kept.push_str(&text[start..end]);
                end
            };
        }
        kept.push_str(&text[from..]);
        let mut orphan = None;
        let mut from = 0;
        while let Some((_, end)) = next(&self.close, &kept, from) {
            orphan = Some(end);
            from = end;
        }
        orphan.map_or(kept.clone(), |end| kept[end..].to_owned())
    }
}

/// The next mark that is not spoken about.
fn next(mark: &Regex, text: &str, from: usize) -> Option<(usize, usize)> {
    let mut found = mark.find_iter(&text[from..]);
    let found = found.find(|found| !text[..from + found.start()].ends_with('`'))?;
    Some((from + found.start(), from + found.end()))
}

fn begins_line(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with('\n')
}

fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The answer among the channels of the gpt-oss models, where there are any.
fn of_channels(text: &str) -> Option<&str> {
    const CHANNEL: &str = "<|channel|>";
    if !text.contains(CHANNEL) {
        // The same where the marks were lost on the way.
        let (_, answer) = text
            .strip_prefix("analysis")?
            .rsplit_once("assistantfinal")?;
        return Some(answer);
    }
    let mut answer = None;
    let mut call = None;
    for channel in text.split(CHANNEL).skip(1) {
        let (header, rest) = channel.split_once("<|message|>").unwrap_or((channel, ""));
        let ends = ["<|end|>", "<|return|>", "<|call|>", "<|start|>"];
        let end = ends.iter().filter_map(|end| rest.find(end)).min();
        let body = &rest[..end.unwrap_or(rest.len())];
        match header.split_whitespace().next() {
            Some("final") => answer = Some(body),
            Some("commentary") if header.contains("to=") => call = Some(body),
            _ => {}
        }
    }
    answer.or(call).or(Some(""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("8/10", "8/10")]
    #[case("<think>\nmaybe 3/10\n</think>\n\n8/10", "8/10")]
    #[case("<THINK>3</THINK >8", "8")]
    #[case("<thinking type=\"deep\">3</thinking>8", "8")]
    #[case("<reasoning>3</reasoning>\n<answer>8</answer>", "<answer>8</answer>")]
    #[case("<seed:think>3</seed:think>8", "8")]
    #[case("[THINK]3[/THINK]8", "8")]
    #[case("◁think▷3◁/think▷8", "8")]
    #[case(
        "<|START_THINKING|>3<|END_THINKING|><|START_RESPONSE|>8<|END_RESPONSE|>",
        "8"
    )]
    #[case("<unused94>thought\n3<unused95>8", "8")]
    #[case("<|channel>thought\n3<channel|>8", "8")]
    #[case::twice("<think>1</think>a <think>2</think>b", "a b")]
    #[case::within("<think>1<think>2</think>3</think>8", "8")]
    #[case::opened_by_the_template("maybe 3/10\n</think>\n8", "8")]
    #[case::after_the_answer("8 <think>or 9?</think>", "8")]
    #[case::cut_off("<think>maybe 3/10 or", "")]
    #[case::cut_off_later("Sure.\n<think>maybe 3/10 or", "Sure.")]
    #[case::spoken_about("the `<think>` tag", "the `<think>` tag")]
    #[case::spoken_about_in_full("`<think>` and `</think>`", "`<think>` and `</think>`")]
    #[case::in_passing("write <think> first", "write <think> first")]
    #[case::json(
        r#"{"reason":"ends with </think>","score":7}"#,
        r#"{"reason":"ends with </think>","score":7}"#
    )]
    #[case::json_behind(r#"<think>3</think>{"score":9}"#, r#"{"score":9}"#)]
    #[case::channels(
        "<|channel|>analysis<|message|>3/10?<|end|><|start|>assistant<|channel|>final<|message|>8/10<|return|>",
        "8/10"
    )]
    #[case::channels_with_a_call(
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>commentary to=functions.grade <|constrain|>json<|message|>{\"score\":5}<|call|>",
        "{\"score\":5}"
    )]
    #[case::channels_cut_off("<|channel|>analysis<|message|>maybe 3/10", "")]
    #[case::lost_channels("analysisMaybe 3/10.assistantfinal8/10", "8/10")]
    #[case::a_word("analysis of the score: 8", "analysis of the score: 8")]
    fn thinking_is_no_answer(#[case] text: &str, #[case] answer: &str) {
        assert_eq!(without_thinking(text), answer);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(<think>|</think>|\\[THINK\\]|<\\|channel\\|>|<\\|message\\|>|`|\n|é|[a-z0-9 ]){0,30}") {
            let answer = without_thinking(&text);
            proptest::prop_assert!(answer.len() <= text.len());
        }

        #[test]
        fn what_follows_closed_thinking_is_the_answer(before in "[^<`\\[◁]{0,40}", after in "[a-z0-9/]{1,20}") {
            let text = format!("<think>{before}</think>{after}");
            let answer = without_thinking(&text);
            proptest::prop_assert_eq!(&*answer, &*after);
        }
    }
}
