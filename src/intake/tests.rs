//! Properties of reading: nothing makes it panic, and what is kept is kept exactly.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{Item, Lines, Rules, Surveyor, message_bytes};
use crate::model::{NewRequest, Prompt};

fn items(bytes: &[u8]) -> Vec<Item> {
    let rules = Rules {
        model_override: false,
        longest_line: 4_096,
    };
    Lines::new(bytes, rules).map(Result::unwrap).collect()
}

fn request(line: &str) -> NewRequest {
    match items(line.as_bytes()).pop() {
        Some(Item::Request(request, _)) => request,
        other => panic!("{line} is {other:?}"),
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::hash_map(field_name(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

fn field_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z_]{1,8}",
        "\\PC{0,6}",
        proptest::sample::select(vec![
            "messages",
            "role",
            "content",
            "tools",
            "prompt",
            "input",
            "model",
            "stop",
            "type",
            "text",
            "image_url",
            "response_format",
            "function",
            "tool_calls",
            "stream",
            "n",
        ])
        .prop_map(str::to_owned),
    ]
}

/// Lines that look more and more like requests, so that every rule is reached.
fn nearly_a_line() -> impl Strategy<Value = String> {
    let body = proptest::collection::hash_map(field_name(), any_json(), 0..6)
        .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()));
    let message = proptest::collection::hash_map(field_name(), any_json(), 0..4)
        .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>()));
    let url = proptest::sample::select(vec![
        "/v1/chat/completions",
        "/v1/completions",
        "/v1/embeddings",
        "/v2",
    ]);
    (body, message, url, any::<bool>()).prop_map(|(mut body, message, url, talks)| {
        if talks {
            body["messages"] = json!([{"role": "system", "content": "x"}, message]);
        }
        json!({"custom_id": "a", "method": "POST", "url": url, "body": body}).to_string()
    })
}

fn chat(system: &str, user: &str, field: &str, value: &Value) -> String {
    let fixed = json!([
        {"role": "system", "content": system},
        {"role": "user", "content": [{"type": "text", "text": user}]},
    ]);
    let field = Value::from(format!("x{field}"));
    format!(r#"{{ "model":"m" , {field} : {value} , "messages":{fixed} }}"#)
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        items(&bytes);
    }

    #[test]
    fn no_line_makes_it_panic(lines in proptest::collection::vec(nearly_a_line(), 1..4)) {
        let mut surveyor = Surveyor::new(3);
        for item in items(lines.join("\n").as_bytes()) {
            if let Item::Invalid(line) = &item {
                prop_assert!(!line.problems.is_empty());
            }
            surveyor.add(&item);
        }
        let report = surveyor.finish().report();
        prop_assert!(!report.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn no_cut_or_changed_line_makes_it_panic(
        line in nearly_a_line(),
        at in any::<proptest::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = line.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        items(&bytes);
        items(&bytes[..at]);
    }

    #[test]
    fn a_body_is_kept_byte_for_byte(
        system in "\\PC{0,400}",
        user in ".{0,400}",
        field in "\\PC{0,8}",
        value in any_json(),
    ) {
        let body = chat(&system, &user, &field, &value);
        let line = format!(
            r#"{{"custom_id":"a","method":"POST", "body" : {body} ,"url":"/v1/chat/completions"}}"#
        );
        prop_assert_eq!(request(&line).body, body);
    }

    #[test]
    fn shareable_ranges_are_values_in_order(
        system in "\\PC{0,400}",
        user in ".{0,400}",
        value in any_json(),
    ) {
        let body = chat(&system, &user, "", &value);
        let line = format!(
            r#"{{"custom_id":"a","method":"POST","url":"/v1/chat/completions","body":{body}}}"#
        );
        let request = request(&line);
        let mut end = 0;
        for range in &request.shareable {
            prop_assert!(range.start >= end);
            end = range.end;
            let text = request.body.get(range.clone()).expect("on the borders of characters");
            prop_assert!(text.len() >= 256);
            prop_assert!(serde_json::from_str::<Value>(text).is_ok());
        }
        let long = |text: &str| usize::from(text.len() >= 256);
        let contents = [Value::from(system), json!([{"type": "text", "text": user}])];
        let expected: usize = contents.iter().map(|content| long(&content.to_string())).sum();
        prop_assert_eq!(request.shareable.len(), expected);
    }
}

#[test]
fn nothing_is_given_after_an_error() {
    struct Broken(bool);
    impl std::io::Read for Broken {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if std::mem::replace(&mut self.0, true) {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            buffer[..3].copy_from_slice(b"{}\n");
            Ok(3)
        }
    }
    let mut lines = Lines::new(Broken(false), Rules::default());
    assert!(matches!(lines.next(), Some(Ok(Item::Invalid(_)))));
    let error = lines.next().unwrap().unwrap_err();
    assert_eq!(
        error.to_string(),
        "the compressed data end too early, in line 2"
    );
    assert!(lines.next().is_none());
}

#[test]
fn a_long_name_or_value_is_cut_in_what_is_said() {
    let long = "x".repeat(900);
    let line =
        format!(r#"{{"custom_id":"a","method":"{long}","url":"{long}","{long}":1,"{long}":2}}"#);
    let Some(Item::Invalid(line)) = items(line.as_bytes()).pop() else {
        panic!("taken for a request");
    };
    for problem in line.problems {
        assert!(problem.to_string().chars().count() < 200, "{problem}");
    }
}

fn prompt(messages: &Value) -> Prompt {
    let line = json!({"custom_id": "c", "method": "POST", "url": "/v1/chat/completions",
        "body": {"model": "m", "messages": messages}});
    let rules = Rules::default();
    let item = Lines::new(line.to_string().as_bytes(), rules).next();
    match item {
        Some(Ok(Item::Request(request, _))) => request.prompt,
        other => panic!("{messages} is {other:?}"),
    }
}

#[test]
fn prompts_with_the_same_instructions_begin_alike() {
    let chat = |system: &str, user: &str| {
        prompt(&json!([{"role": "system", "content": system}, {"role": "user", "content": user}]))
    };
    let one = chat("judge", "first");
    assert_eq!((one.bytes, one.lead), (7 + 20 + 7 + 20, 7));
    assert_eq!(one.prefix, chat("judge", "the second").prefix);
    assert_ne!(one.prefix, chat("rate", "first").prefix);
}

#[test]
fn a_prompt_is_the_sum_of_its_messages() {
    let picture = format!("data:image/png;base64,{}", "A".repeat(100_000));
    let messages = json!([
        {"role": "system", "content": "judge \"fairly\""},
        {"role": "user", "content": [
            {"type": "text", "text": "whose face is this?"},
            {"type": "image_url", "image_url": {"url": picture}},
        ]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}},
        ]},
    ]);
    let each = messages.as_array().unwrap().iter();
    let sum: u64 = each
        .map(|message| message_bytes(&message.to_string()))
        .sum();
    let prompt = prompt(&messages);
    assert_eq!(prompt.bytes, sum);
    // Ollama counts a picture as 768 tokens, whatever its size.
    assert!((3_000..3_400).contains(&prompt.bytes), "{}", prompt.bytes);
    assert_eq!(message_bytes("no message"), 0);
}
