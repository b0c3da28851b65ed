use std::time::Duration;

use rstest::rstest;
use serde_json::value::RawValue;

use super::*;
use crate::model::{AnswerBody, Finish, Timings, Usage};

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.to_owned()).unwrap()
}

fn answer(body: AnswerBody, finish: Finish) -> Answer {
    Answer {
        model: "gemma3:12b".to_owned(),
        body,
        finish,
        usage: Usage {
            prompt: Some(Tokens(35)),
            cached: None,
            answer: Some(Tokens(12)),
            ..Usage::default()
        },
        timings: Timings {
            wall: Duration::from_micros(180_250),
            first_token: Some(Duration::from_millis(30)),
            total: Some(Duration::from_nanos(177_345_654)),
            load: Some(Duration::from_nanos(1_813_077)),
            prefill: Some(Duration::from_micros(23_428)),
            decode: Some(Duration::from_micros(143_350)),
            saved: None,
        },
    }
}

fn chat(content: &str) -> AnswerBody {
    AnswerBody::Chat {
        content: content.to_owned(),
        thinking: None,
        tool_calls: None,
        logprobs: None,
    }
}

fn written(custom_id: Option<&str>, ending: Ending<'_>) -> String {
    let line = ResultLine {
        job: JobId(3),
        request: RequestId(17),
        custom_id,
        created: Stamp(1_795_225_449_118),
        attempts: Attempts {
            sent: 2,
            counted: 1,
            crashes: 0,
        },
        conversation: None,
        trims: &[],
        ending,
    };
    let mut out = Vec::new();
    write_line(&line, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches(['\n', '\r']).count(), 1);
    text.strip_suffix('\n').unwrap().to_owned()
}

fn answered(answer: &Answer) -> String {
    let vectors = VectorEncoding::Float;
    written(Some("cand-1"), Ending::Answered { answer, vectors })
}

const MEASURED: &str = r#""wall_ms":180.25,"first_token_ms":30.0,"total_ms":177.345,"queue_ms":8.754,"load_ms":1.813,"prefill_ms":23.428,"decode_ms":143.35}"#;

#[test]
fn a_chat_is_written_exactly_so() {
    let answer = answer(chat("Grade: \"7\"\n"), Finish::Stop);
    assert_eq!(
        answered(&answer),
        format!(
            r#"{{"id":"batch_req_3_17","custom_id":"cand-1","response":{{"status_code":200,"request_id":"req_3_17","body":{{"id":"chatcmpl-3_17","object":"chat.completion","created":1795225449,"model":"gemma3:12b","choices":[{{"index":0,"message":{{"role":"assistant","content":"Grade: \"7\"\n","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{{"prompt_tokens":35,"completion_tokens":12,"total_tokens":47}},"batchtop":{{"attempts":2,{MEASURED}}}}},"error":null}}"#
        )
    );
}

#[test]
fn thinking_tools_and_probabilities_have_their_places() {
    let body = AnswerBody::Chat {
        content: String::new(),
        thinking: Some("hm".to_owned()),
        tool_calls: Some(raw("[{\"id\":\"c1\",\r\n\"type\":\"function\"}]")),
        logprobs: Some(raw(r#"{"content":[],"refusal":null}"#)),
    };
    let line = answered(&answer(body, Finish::ToolCalls));
    let choices = r#""choices":[{"index":0,"message":{"role":"assistant","content":null,"refusal":null,"reasoning":"hm","tool_calls":[{"id":"c1",  "type":"function"}]},"logprobs":{"content":[],"refusal":null},"finish_reason":"tool_calls"}]"#;
    assert!(line.contains(choices), "{line}");
}

#[rstest]
#[case(Finish::Cap, r#""batchtop":{"attempts":2,"cut":"cap","#)]
#[case(Finish::ContextFull, r#""batchtop":{"attempts":2,"cut":"context","#)]
fn what_cut_an_answer_is_told_apart(#[case] finish: Finish, #[case] part: &str) {
    let line = answered(&answer(chat("x"), finish));
    assert!(line.contains(part), "{line}");
    assert!(line.contains(r#""finish_reason":"length""#), "{line}");
}

#[test]
fn cached_tokens_are_there_only_when_known() {
    let mut answer = answer(chat("x"), Finish::Stop);
    answer.usage.cached = Some(Tokens(30));
    let part = r#""total_tokens":47,"prompt_tokens_details":{"cached_tokens":30}}"#;
    assert!(answered(&answer).contains(part));
}

#[test]
fn unknown_figures_are_left_out_and_never_zero() {
    let mut answer = answer(chat("x"), Finish::Stop);
    answer.usage.answer = None;
    answer.timings = Timings {
        wall: Duration::from_millis(5),
        ..Timings::default()
    };
    let part = r#""usage":null,"batchtop":{"attempts":2,"prompt_tokens":35,"wall_ms":5.0}}"#;
    assert!(answered(&answer).contains(part));
}

#[test]
fn a_completion_is_written_exactly_so() {
    let text = "and on".to_owned();
    let line = answered(&answer(AnswerBody::Completion { text }, Finish::Stop));
    let part = r#""body":{"id":"cmpl-3_17","object":"text_completion","created":1795225449,"model":"gemma3:12b","choices":[{"text":"and on","index":0,"logprobs":null,"finish_reason":"stop"}],"usage":{"#;
    assert!(line.contains(part), "{line}");
}

#[rstest]
#[case(VectorEncoding::Float, r"[1,-0.50]", r"[0]")]
#[case(VectorEncoding::Base64, r#""AACAPwAAAL8=""#, r#""AAAAAA==""#)]
fn vectors_are_written_as_asked(
    #[case] vectors: VectorEncoding,
    #[case] first: &str,
    #[case] second: &str,
) {
    let body = AnswerBody::Embeddings {
        vectors: vec![raw("[1,-0.50]"), raw("[0]")],
    };
    let answer = &answer(body, Finish::Stop);
    let line = written(Some("e"), Ending::Answered { answer, vectors });
    let part = format!(
        r#""body":{{"object":"list","data":[{{"object":"embedding","index":0,"embedding":{first}}},{{"object":"embedding","index":1,"embedding":{second}}}],"model":"gemma3:12b","usage":{{"prompt_tokens":35,"total_tokens":35}},"#
    );
    assert!(line.contains(&part), "{line}");
}

#[rstest]
#[case(r#"{"input":"a","encoding_format":"base64"}"#, VectorEncoding::Base64)]
#[case(r#"{"input":"a","encoding_format":"float"}"#, VectorEncoding::Float)]
#[case(r#"{"input":"a","encoding_format":null}"#, VectorEncoding::Float)]
#[case(r#"{"input":"a"}"#, VectorEncoding::Float)]
#[case("broken", VectorEncoding::Float)]
fn the_encoding_is_read_from_the_body(#[case] body: &str, #[case] expected: VectorEncoding) {
    assert_eq!(VectorEncoding::of(body), expected);
}

#[test]
fn a_failure_with_an_http_answer_is_a_response() {
    let mut failure =
        Failure::new(FailureClass::ContextLength, "request is too long").with_status(400);
    failure.need = Some(TokenNeed {
        prompt: Tokens(3499),
        window: Tokens(512),
    });
    assert_eq!(
        written(Some("ä"), Ending::Failed(&failure)),
        r#"{"id":"batch_req_3_17","custom_id":"ä","response":{"status_code":400,"request_id":"req_3_17","body":{"error":{"message":"request is too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"},"batchtop":{"attempts":2,"prompt_tokens":3499,"window_tokens":512}}},"error":null}"#
    );
}

#[rstest]
#[case(FailureClass::Timeout, None)]
// A status of success with an answer that cannot be read is no answer either.
#[case(FailureClass::BadReply, Some(200))]
fn a_failure_without_an_http_answer_is_an_error(
    #[case] class: FailureClass,
    #[case] status: Option<u16>,
) {
    let mut failure = Failure::new(class, "no");
    failure.status = status;
    assert_eq!(
        written(None, Ending::Failed(&failure)),
        format!(
            r#"{{"id":"batch_req_3_17","custom_id":null,"response":null,"error":{{"code":"{class}","message":"no","batchtop":{{"attempts":2}}}}}}"#
        )
    );
}

#[rstest]
#[case(404, "invalid_request_error")]
#[case(429, "rate_limit_exceeded")]
#[case(500, "server_error")]
fn errors_have_openais_types(#[case] status: u16, #[case] kind: &str) {
    let failure = Failure::new(FailureClass::ServerError, "no").with_status(status);
    let line = written(Some("x"), Ending::Failed(&failure));
    assert!(line.contains(&format!(r#""type":"{kind}""#)), "{line}");
}

#[test]
fn a_cancelled_request_has_openais_code() {
    let line = written(Some("x"), Ending::Cancelled);
    assert!(line.contains(r#""response":null,"error":{"code":"batch_cancelled","#));
    assert!(!Ending::Cancelled.is_answer());
}

proptest::proptest! {
    #[test]
    fn any_text_makes_one_line_that_reads_back(id: String, content: String) {
        let answer = &answer(chat(&content), Finish::Stop);
        let vectors = VectorEncoding::Float;
        let line = written(Some(&id), Ending::Answered { answer, vectors });
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        proptest::prop_assert_eq!(read["custom_id"].as_str(), Some(id.as_str()));
        let body = &read["response"]["body"];
        let text = body["choices"][0]["message"]["content"].as_str();
        proptest::prop_assert_eq!(text, Some(content.as_str()));
    }
}
