use super::*;
use rstest::rstest;
use std::time::Duration;

use crate::inference::TimeLimits;

fn call(endpoint: Endpoint, body: &str) -> Call {
    let long = Duration::from_mins(1);
    Call {
        endpoint,
        body: body.into(),
        messages: None,
        load: LoadOptions {
            model: "g3t".to_owned(),
            num_ctx: Some(1024),
            embeddings: endpoint == Endpoint::Embeddings,
        },
        max_tokens: 100,
        limits: TimeLimits {
            first_byte: long,
            idle: long,
            whole: long,
        },
        nudge: 0,
    }
}

fn sent(endpoint: Endpoint, body: &str) -> String {
    native(&call(endpoint, body)).unwrap().body
}

fn refusal(endpoint: Endpoint, body: &str) -> String {
    let failure = native(&call(endpoint, body)).unwrap_err();
    assert_eq!(failure.class, FailureClass::Refused);
    failure.message
}

const TAIL: &str = r#""stream":true,"keep_alive":-1,"truncate":false,"shift":false}"#;
const HELLO: &str = r#""messages":[{"role":"user","content":"hello"}]"#;

#[test]
fn a_plain_chat_is_written_exactly_so() {
    let body = r#"{"model":"other","messages":[{"role":"system","content":"Grade \u00e4 <b>."},{"role":"user","content":"Ada\n"}],"temperature":0,"user":"me"}"#;
    assert_eq!(
        sent(Endpoint::Chat, body),
        format!(
            r#"{{"model":"g3t","messages":[{{"role":"system","content":"Grade \u00e4 <b>."}},{{"role":"user","content":"Ada\n"}}],"options":{{"num_ctx":1024,"num_predict":100,"temperature":0}},{TAIL}"#
        )
    );
}

#[rstest]
#[case(r#""seed":-1"#, r#""seed":-1"#)]
#[case(
    r#""temperature":0.30000000000000004"#,
    r#""temperature":0.30000000000000004"#
)]
#[case(
    r#""top_p":1e-1,"top_k":40,"min_p":0.05"#,
    r#""top_p":1e-1,"top_k":40,"min_p":0.05"#
)]
#[case(
    r#""repeat_penalty":1.3,"repeat_last_n":9"#,
    r#""repeat_penalty":1.3,"repeat_last_n":9"#
)]
#[case(
    r#""frequency_penalty":1,"presence_penalty":-0.50"#,
    r#""presence_penalty":-0.50,"frequency_penalty":1"#
)]
#[case(r#""stop":"\n\n""#, r#""stop":["\n\n"]"#)]
#[case(r#""stop":["a","b"]"#, r#""stop":["a","b"]"#)]
fn options_keep_their_text(#[case] given: &str, #[case] expected: &str) {
    assert_eq!(
        sent(Endpoint::Chat, &format!("{{{HELLO},{given}}}")),
        format!(
            r#"{{"model":"g3t",{HELLO},"options":{{"num_ctx":1024,"num_predict":100,{expected}}},{TAIL}"#
        )
    );
}

#[rstest]
#[case(r#""max_tokens":7"#, 7)]
#[case(r#""max_tokens":7,"max_completion_tokens":8"#, 8)]
#[case(r#""max_completion_tokens":null,"max_tokens":9"#, 9)]
#[case(r#""max_tokens":12.0"#, 12)]
#[case(r#""max_tokens":null"#, 100)]
fn the_cap_is_always_there(#[case] given: &str, #[case] cap: u64) {
    let native = native(&call(Endpoint::Chat, &format!("{{{HELLO},{given}}}"))).unwrap();
    assert_eq!(native.expected, Expected::Chat { cap });
    assert!(native.body.contains(&format!(r#""num_predict":{cap}}}"#)));
}

#[rstest]
#[case(r#""response_format":{"type":"text"}"#, "")]
#[case(r#""response_format":{"type":"json_object"}"#, r#""format":"json","#)]
#[case(
    r#""response_format":{"type":"json_schema","json_schema":{"name":"s","strict":true,"schema":{"type":"object", "maximum":1.50}}}"#,
    r#""format":{"type":"object", "maximum":1.50},"#
)]
#[case(r#""reasoning_effort":"none""#, r#""think":false,"#)]
#[case(r#""reasoning_effort":"minimal""#, r#""think":"low","#)]
#[case(r#""reasoning_effort":"medium""#, r#""think":"medium","#)]
#[case(r#""reasoning":{"effort":"high"}"#, r#""think":"high","#)]
#[case(r#""reasoning_effort":"xhigh""#, r#""think":"max","#)]
#[case(
    r#""logprobs":true,"top_logprobs":2"#,
    r#""logprobs":true,"top_logprobs":2,"#
)]
#[case(
    r#""tools":[{"type":"function","function":{"name":"f"}}]"#,
    r#""tools":[{"type":"function","function":{"name":"f"}}],"#
)]
#[case(
    r#""tools":[{"type":"function","function":{"name":"f"}}],"tool_choice":"none""#,
    ""
)]
#[case(
    r#""tools":[],"tool_choice":"auto","n":1,"logit_bias":{},"stream":false"#,
    ""
)]
fn fields_become_ollamas(#[case] given: &str, #[case] expected: &str) {
    assert_eq!(
        sent(Endpoint::Chat, &format!("{{{HELLO},{given}}}")),
        format!(
            r#"{{"model":"g3t",{HELLO},{expected}"options":{{"num_ctx":1024,"num_predict":100}},{TAIL}"#
        )
    );
}

#[rstest]
#[case(
    r#"{"role":"developer","content":"x"}"#,
    r#"{"role":"system","content":"x"}"#
)]
#[case(
    r#"{"role":"user","name":"bo","content":"x"}"#,
    r#"{"role":"user","content":"x"}"#
)]
#[case(r#"{"role":"assistant","content":null}"#, r#"{"role":"assistant"}"#)]
#[case(
    r#"{"role":"assistant","content":null,"refusal":"no"}"#,
    r#"{"role":"assistant","content":"no"}"#
)]
#[case(
    r#"{"role":"assistant","content":"x","reasoning":"hm"}"#,
    r#"{"role":"assistant","content":"x","thinking":"hm"}"#
)]
#[case(
    r#"{"role":"user","content":[{"type":"text","text":"a\u00e4"},{"type":"text","text":"\"b\""}]}"#,
    r#"{"role":"user","content":"a\u00e4\n\n\"b\""}"#
)]
#[case(
    r#"{"role":"user","content":[{"type":"text","text":"see"},{"type":"image_url","image_url":{"url":"data:image/png;base64,aGk=","detail":"low"}}]}"#,
    r#"{"role":"user","content":"see","images":["aGk="]}"#
)]
#[case(
    r#"{"role":"user","content":[{"type":"image_url","image_url":"data:image\/JPEG;base64,\/9j="}]}"#,
    r#"{"role":"user","content":"","images":["/9j="]}"#
)]
#[case(
    r#"{"role":"user","content":[{"type":"input_audio","input_audio":{"data":"aGk=","format":"wav"}}]}"#,
    r#"{"role":"user","content":"","images":["aGk="]}"#
)]
#[case(
    r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\": 1.0}"}}]},{"role":"tool","tool_call_id":"c1","content":"4"}"#,
    r#"{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"f","arguments":{"a": 1.0}}}]},{"role":"tool","content":"4","tool_name":"f","tool_call_id":"c1"}"#
)]
#[case(
    r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":""}},{"function":{"name":"g","arguments":{"b":2}}}]}"#,
    r#"{"role":"assistant","content":"","tool_calls":[{"id":"c1","function":{"name":"f","arguments":{}}},{"function":{"name":"g","arguments":{"b":2}}}]}"#
)]
#[case(
    r#"{"role":"function","name":"f","content":"4"}"#,
    r#"{"role":"tool","content":"4","tool_name":"f"}"#
)]
fn messages_become_ollamas(#[case] given: &str, #[case] expected: &str) {
    assert_eq!(
        sent(Endpoint::Chat, &format!(r#"{{"messages":[{given}]}}"#)),
        format!(
            r#"{{"model":"g3t","messages":[{expected}],"options":{{"num_ctx":1024,"num_predict":100}},{TAIL}"#
        )
    );
}

#[rstest]
#[case(r#""messages":[]"#, "`messages` is empty")]
#[case(r#""messages":[{"content":"x"}]"#, "missing field `role`")]
#[case(
    r#""messages":[{"role":"robot","content":"x"}]"#,
    "`messages[0].role` is `robot`"
)]
#[case(r#""messages":[{"role":"user","content":7}]"#, "`messages[0].content`")]
#[case(
    r#""messages":[{"role":"user","content":[{"type":"video"}]}]"#,
    "`messages[0].content[0]` is of a type"
)]
#[case(
    r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]"#,
    "`data:image/png;base64,…`"
)]
#[case(
    r#""messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/gif;base64,aa"}}]}]"#,
    "png, jpeg or webp"
)]
#[case(
    r#""messages":[{"role":"assistant","tool_calls":[{"id":"c","function":{"name":"f","arguments":"[1]"}}]}]"#,
    "`messages[0].tool_calls[0].function.arguments`"
)]
fn messages_that_ollama_cannot_take(#[case] given: &str, #[case] part: &str) {
    let message = refusal(Endpoint::Chat, &format!("{{{given}}}"));
    assert!(message.contains(part), "{message}");
}

#[rstest]
#[case(r#""max_tokens":0"#, "`max_tokens` is `0`")]
#[case(r#""max_tokens":-1"#, "`max_tokens` is `-1`")]
#[case(r#""max_completion_tokens":"5""#, "must be a whole number")]
#[case(r#""max_tokens":99999999999"#, "must be a whole number")]
#[case(r#""n":2"#, "`n` 2")]
#[case(r#""logit_bias":{"50256":-100}"#, "`logit_bias`")]
#[case(r#""functions":[{"name":"f"}]"#, "use `tools`")]
#[case(r#""tool_choice":"required""#, "`tool_choice`")]
#[case(r#""tools":[{"type":"custom"}]"#, "`tools[0]` is no function")]
#[case(
    r#""response_format":{"type":"json_schema"}"#,
    "json_schema.schema` is missing"
)]
#[case(
    r#""response_format":{"type":"xml"}"#,
    "`response_format.type` is `xml`"
)]
#[case(r#""reasoning_effort":"huge""#, "`reasoning_effort` is `huge`")]
#[case(r#""seed":1,"seed":2"#, "duplicate field `seed`")]
fn fields_that_ollama_cannot_do(#[case] given: &str, #[case] part: &str) {
    let message = refusal(Endpoint::Chat, &format!("{{{HELLO},{given}}}"));
    assert!(message.contains(part), "{message}");
}

#[rstest]
#[case(r#""prompt":"a""#, r#""prompt":"a","raw":true,"#)]
#[case(r#""prompt":["a"]"#, r#""prompt":"a","raw":true,"#)]
#[case(r#""prompt":"a","suffix":"z""#, r#""prompt":"a","suffix":"z","#)]
fn completions_are_raw(#[case] given: &str, #[case] expected: &str) {
    assert_eq!(
        sent(
            Endpoint::Completions,
            &format!("{{{given},\"max_tokens\":5}}")
        ),
        format!(
            r#"{{"model":"g3t",{expected}"think":false,"options":{{"num_ctx":1024,"num_predict":5}},{TAIL}"#
        )
    );
}

#[rstest]
#[case(r#""prompt":"""#, "`prompt` is missing or empty")]
#[case(r#""prompt":["a","b"]"#, "several entries")]
#[case(r#""prompt":[1,2]"#, "several entries")]
#[case(r#""prompt":[[1,2]]"#, "must be a text")]
#[case(r#""prompt":"a","echo":true"#, "`echo`")]
#[case(r#""prompt":"a","logprobs":3"#, "`logprobs`")]
#[case(r#""prompt":"a","best_of":3"#, "`best_of`")]
fn completions_that_ollama_cannot_do(#[case] given: &str, #[case] part: &str) {
    let message = refusal(Endpoint::Completions, &format!("{{{given}}}"));
    assert!(message.contains(part), "{message}");
}

#[rstest]
#[case(r#""input":"a""#, r#""input":"a","#, 1)]
#[case(
    r#""input":["a", "b"],"dimensions":64"#,
    r#""input":["a", "b"],"dimensions":64,"#,
    2
)]
fn embeddings_are_never_cut(#[case] given: &str, #[case] expected: &str, #[case] count: usize) {
    let native = native(&call(Endpoint::Embeddings, &format!("{{{given}}}"))).unwrap();
    assert_eq!(native.path, Path::Embed);
    assert_eq!(native.expected, Expected::Vectors { count });
    assert_eq!(
        native.body,
        format!(
            r#"{{"model":"g3t",{expected}"options":{{"num_ctx":1024}},"keep_alive":-1,"truncate":false}}"#
        )
    );
}

#[rstest]
#[case("", "`input` is missing")]
#[case(r#""input":"""#, "`input` is missing or empty")]
#[case(r#""input":[]"#, "`input` is missing or empty")]
#[case(r#""input":["a",[1]]"#, "`input[1]` must be a text")]
#[case(r#""input":5"#, "`input` must be a text or a list")]
fn embeddings_that_ollama_cannot_do(#[case] given: &str, #[case] part: &str) {
    let message = refusal(Endpoint::Embeddings, &format!("{{{given}}}"));
    assert!(message.contains(part), "{message}");
}

#[rstest]
#[case(0, r#""seed":7"#, r#""seed":7"#)]
#[case(2, r#""seed":7"#, r#""seed":9,"repeat_penalty":1.1"#)]
#[case(
    1,
    r#""seed":7,"repeat_penalty":1.5"#,
    r#""seed":8,"repeat_penalty":1.5"#
)]
#[case(1, r#""repeat_penalty":1.0"#, r#""repeat_penalty":1.1"#)]
fn a_nudge_leads_out_of_a_loop(#[case] nudge: u32, #[case] given: &str, #[case] expected: &str) {
    let mut call = call(Endpoint::Chat, &format!("{{{HELLO},{given}}}"));
    call.nudge = nudge;
    let body = native(&call).unwrap().body;
    assert!(
        body.contains(&format!(r#""num_predict":100,{expected}}}"#)),
        "{body}"
    );
}

#[test]
fn a_warm_up_has_the_load_options_of_the_requests_after_it() {
    let mut load = call(Endpoint::Chat, "{}").load;
    let (path, body) = warm_up(&load, FOR_EVER).unwrap();
    assert_eq!(path, Path::Chat);
    assert_eq!(
        body,
        r#"{"model":"g3t","messages":[],"options":{"num_ctx":1024},"keep_alive":-1,"shift":false}"#
    );
    load.num_ctx = None;
    load.embeddings = true;
    let (path, body) = warm_up(&load, USUAL).unwrap();
    assert_eq!(path, Path::Embed);
    assert_eq!(body, r#"{"model":"g3t","input":"","keep_alive":300}"#);
}

proptest::proptest! {
    #[test]
    fn any_body_is_a_call_or_a_refusal(body in "\\PC{0,60}|[{}\":,a-z0-9\\[\\]]{0,60}") {
        for endpoint in Endpoint::ALL {
            let _ = native(&call(endpoint, &body));
        }
    }

    #[test]
    fn any_text_arrives_as_it_was(text: String) {
        let quoted = serde_json::to_string(&text).unwrap();
        let body = format!(r#"{{"messages":[{{"role":"user","content":{quoted}}}]}}"#);
        let sent: serde_json::Value = serde_json::from_str(&sent(Endpoint::Chat, &body)).unwrap();
        proptest::prop_assert_eq!(sent["messages"][0]["content"].as_str(), Some(text.as_str()));
    }
}
