//! The JSON in an answer: the values, wherever they stand, and what is left of the text.

use serde_json::Value;

/// Places where JSON is looked for in one answer.
const MOST_STARTS: usize = 1_000;

/// The JSON objects of an answer, and the prose around them.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Parts {
    /// Objects, and lists of objects, in their order.
    pub(super) values: Vec<Value>,
    /// Everything else. An object that was cut off is in neither: its last number may be half.
    pub(super) prose: String,
}

/// Takes an answer apart. An object counts in a code fence, behind prose, and beside others.
pub(super) fn parts(text: &str) -> Parts {
    let mut parts = Parts::default();
    let mut rest = text;
    for _ in 0..MOST_STARTS {
        let Some(start) = rest.find(['{', '[']) else {
            break;
        };
        let (before, from) = rest.split_at(start);
        if !may_begin_json(from) {
            let end = start + 1;
            parts.prose.push_str(&rest[..end]);
            rest = &rest[end..];
            continue;
        }
        let mut values = serde_json::Deserializer::from_str(from).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) => {
                parts.prose.push_str(before);
                parts.prose.push('\n');
                rest = &from[values.byte_offset()..];
                parts.values.push(value);
            }
            Some(Err(error)) if error.is_eof() => {
                parts.prose.push_str(before);
                return parts;
            }
            Some(Err(_)) | None => {
                let end = start + 1;
                parts.prose.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    parts.prose.push_str(rest);
    parts
}

/// Whether an object begins here, or a list of objects: a brace in prose is neither, and `[8]`
/// is a number in brackets.
fn may_begin_json(from: &str) -> bool {
    let mut signs = from.chars().filter(|c| !c.is_whitespace());
    matches!(
        (signs.next(), signs.next()),
        (Some('{'), Some('"' | '}') | None) | (Some('['), Some('{'))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(r#"{"a":1}"#, &[json!({"a":1})], "\n")]
    #[case("Sure:\n```json\n{\"a\":1}\n```", &[json!({"a":1})], "Sure:\n```json\n\n\n```")]
    #[case(r#"{"a":1} or {"a":2}"#, &[json!({"a":1}), json!({"a":2})], "\n or \n")]
    #[case(r#"[{"a":1}]"#, &[json!([{"a":1}])], "\n")]
    #[case("{\n  \"a\": 1\n}", &[json!({"a":1})], "\n")]
    #[case("[8] {see} 8", &[], "[8] {see} 8")]
    #[case(r#"Sure: {"a": 1, "b"#, &[], "Sure: ")]
    #[case(r#"```{"a": 1"#, &[], "```")]
    #[case(r#"{"a": 1,}"#, &[], r#"{"a": 1,}"#)]
    fn an_answer_is_taken_apart(#[case] text: &str, #[case] values: &[Value], #[case] prose: &str) {
        let found = parts(text);
        assert_eq!(found.values, values);
        assert_eq!(found.prose, prose);
    }
}
