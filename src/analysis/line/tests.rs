//! Lines as providers write them.

use rstest::rstest;

use super::*;
use crate::analysis::Seen;

fn seen(line: &str) -> Seen {
    match Observation::of_line(line.as_bytes()).unwrap().ending {
        Ending::Answered(seen) => *seen,
        Ending::Failed { class, .. } => panic!("{class}"),
    }
}

#[test]
fn an_answer_of_batchtop_tells_its_times() {
    let seen = seen(
        r#"{"id":"b","custom_id":"c","response":{"status_code":200,"request_id":"r","body":{"id":"x","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":null,"batchtop":{"attempts":1,"prompt_tokens":7,"wall_ms":12.5}}},"error":null}"#,
    );
    assert_eq!(
        (seen.text.as_deref(), seen.prompt_tokens, seen.wall_ms),
        (Some("hi"), Some(7), Some(12.5))
    );
    assert_eq!((seen.answer_tokens, seen.first_token_ms), (None, None));
}

#[rstest]
#[case::openai(r#"{"id":"batch_req_1","custom_id":"a","response":{"status_code":200,"request_id":"q","body":{"model":"gpt","choices":[{"message":{"content":null,"refusal":"No."},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}},"error":null}"#, "No.", true)]
#[case::vllm(r#"{"id":"vllm-1","custom_id":"a","response":{"status_code":200,"request_id":"vllm-batch-2","body":{"object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","reasoning_content":null,"content":"8/10","tool_calls":[]},"finish_reason":"length","stop_reason":null}],"usage":{"prompt_tokens":1,"total_tokens":2,"completion_tokens":1}}},"error":null}"#, "8/10", false)]
#[case::completion(
    r#"{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"text":"t"}]}}}"#,
    "t",
    false
)]
#[case::vllm_before_0_5_5(r#"{"id":"vllm-1","custom_id":"a","response":{"id":"cmpl-2","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1,"total_tokens":2,"completion_tokens":1}},"error":null}"#, "hi", false)]
#[case::response(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"completed","output":[{"type":"reasoning","summary":[],"content":[{"type":"reasoning_text","text":"hm"}]},{"type":"message","role":"assistant","content":[{"type":"output_text","text":"8","annotations":[]},{"type":"output_text","text":"/10"}]}]}}}"#, "8/10", false)]
#[case::refused_response(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","output":[{"type":"message","content":[{"type":"refusal","refusal":"No."}]}]}}}"#, "No.", true)]
#[case::no_tools(r#"{"custom_id":"a","response":{"body":{"choices":[{"message":{"content":"","tool_calls":[]}}]}}}"#, "", false)]
fn others_write_the_same(#[case] line: &str, #[case] text: &str, #[case] is_refusal: bool) {
    let seen = seen(line);
    assert_eq!(
        (seen.text.as_deref(), seen.is_refusal),
        (Some(text), is_refusal)
    );
}

#[test]
fn a_response_tells_tokens_and_why_it_is_incomplete() {
    let seen = seen(
        r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"},"model":"gpt","output":[],"usage":{"input_tokens":7,"output_tokens":16,"total_tokens":23}}}}"#,
    );
    assert_eq!(
        (seen.prompt_tokens, seen.answer_tokens),
        (Some(7), Some(16))
    );
    assert_eq!(seen.finish.as_deref(), Some("max_output_tokens"));
    assert_eq!(seen.text.as_deref(), Some(""));
}

#[test]
fn the_arguments_of_a_call_are_the_answer() {
    let seen = seen(
        r#"{"custom_id":"a","response":{"body":{"choices":[{"message":{"content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"grade","arguments":"{\"score\":5}"}}]},"finish_reason":"tool_calls"}]}}}"#,
    );
    assert_eq!(
        (
            seen.text.as_deref(),
            seen.tool_calls,
            seen.finish.as_deref()
        ),
        (Some("{\"score\":5}"), 1, Some("tool_calls"))
    );
}

#[rstest]
#[case(
    r#"{"custom_id":"a","response":null,"error":{"code":"timeout","message":"late"}}"#,
    "timeout",
    "late"
)]
#[case(r#"{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"long","type":"invalid_request_error","code":"context_length_exceeded"}}},"error":null}"#, "context_length_exceeded", "long")]
#[case(
    r#"{"custom_id":"a","response":{"status_code":500,"body":null},"error":null}"#,
    "http_500",
    ""
)]
#[case(r#"{"custom_id":"a","response":{"status_code":400,"body":{"error":{"message":"bad","type":"BadRequestError","param":null,"code":400}}}}"#, "http_400", "bad")]
#[case(r#"{"custom_id":null,"error":"lost"}"#, "unknown", "lost")]
#[case::vllm_in_words(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"vllm-batch-1","body":null},"error":"bad"}"#, "http_400", "bad")]
#[case::vllm(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"vllm-batch-1","body":null},"error":{"error":{"message":"long","type":"BadRequestError","param":null,"code":400}}}"#, "http_400", "long")]
#[case::vllm_before_0_10(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"vllm-batch-1","body":null},"error":{"object":"error","message":"long","type":"BadRequestError","param":null,"code":400}}"#, "http_400", "long")]
#[case::response(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"failed","error":{"code":"server_error","message":"down"},"output":[]}}}"#, "server_error", "down")]
fn failures_have_a_class(#[case] line: &str, #[case] class: &str, #[case] message: &str) {
    let found = Observation::of_line(line.as_bytes()).unwrap().ending;
    let expected = Ending::Failed {
        class: class.to_owned(),
        message: message.to_owned(),
    };
    assert_eq!(found, expected);
}

#[rstest]
#[case(
    r#"{"custom_id":"a","method":"POST","url":"/v1/embeddings","body":{}}"#,
    LineError::Request
)]
#[case("{}", LineError::NotAResult)]
#[case(r#"{"response":7}"#, LineError::UnknownForm)]
#[case(r#"{"custom_id":"a","respo"#, LineError::NotJson)]
#[case("[]", LineError::List)]
#[case("7", LineError::NotJson)]
#[case::anthropic(
    r#"{"custom_id":"a","params":{"model":"claude","messages":[]}}"#,
    LineError::Request
)]
#[case::gemini(r#"{"key":"a","request":{"contents":[]}}"#, LineError::Request)]
#[case::amazon(r#"{"recordId":"a","modelInput":{}}"#, LineError::Request)]
#[case(r#"{"prompt":"hi"}"#, LineError::Request)]
#[case(
    r#"{"id":"batch_1","object":"batch","status":"completed"}"#,
    LineError::Batch
)]
#[case(
    r#"{"id":"msgbatch_1","type":"message_batch","results_url":"x"}"#,
    LineError::Batch
)]
#[case(r#"{"level":"info","message":"hello"}"#, LineError::NotAResult)]
#[case(r#"{"custom_id":"a","result":"8"}"#, LineError::UnknownForm)]
#[case(
    r#"{"custom_id":"a","response":{"status_code":200,"body":{"choices":"8"}}}"#,
    LineError::UnknownForm
)]
fn what_is_no_result_is_told_apart(#[case] line: &str, #[case] expected: LineError) {
    assert_eq!(Observation::of_line(line.as_bytes()), Err(expected));
}

#[rstest]
#[case::groq(r#"{"id":"batch_req_1","custom_id":"a","response":{"status_code":200,"request_id":"r","body":{"id":"chatcmpl-1","object":"chat.completion","model":"llama","choices":[{"index":0,"message":{"role":"assistant","content":"8/10"},"logprobs":null,"finish_reason":"stop"}],"usage":{"queue_time":0.1,"prompt_tokens":20,"completion_tokens":10,"total_tokens":30},"x_groq":{"id":"r"}}},"error":null}"#, Some(20), Some(10))]
#[case::azure(r#"{"custom_id":"a","response":{"body":{"choices":[{"content_filter_results":{"hate":{"filtered":false}},"finish_reason":"stop","index":0,"logprobs":null,"message":{"annotations":[],"content":"8/10","refusal":null,"role":"assistant"}}],"model":"gpt","prompt_filter_results":[],"usage":{"completion_tokens":10,"prompt_tokens":20}},"request_id":"r","status_code":200},"error":null}"#, Some(20), Some(10))]
#[case::mistral(r#"{"id":"b-0","custom_id":"a","response":{"status_code":200,"body":{"id":"x","object":"chat.completion","model":"magistral","usage":{"prompt_tokens":20,"total_tokens":30,"completion_tokens":10},"choices":[{"index":0,"message":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"3/10?"}]},{"type":"text","text":"8/10"}],"tool_calls":null,"prefix":false,"role":"assistant"},"finish_reason":"stop"}]}},"error":null}"#, Some(20), Some(10))]
#[case::anthropic(r#"{"custom_id":"a","result":{"type":"succeeded","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude","content":[{"type":"thinking","thinking":"3/10?","signature":"s"},{"type":"text","text":"8/10"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_read_input_tokens":15,"output_tokens":10}}}}"#, Some(20), Some(10))]
#[case::gemini(r#"{"key":"a","response":{"candidates":[{"content":{"parts":[{"text":"3/10?","thought":true},{"text":"8/10"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":4,"thoughtsTokenCount":6,"totalTokenCount":30},"modelVersion":"gemini"}}"#, Some(20), Some(10))]
#[case::vertex(r#"{"status":"","processed_time":"2026-11-01T00:00:00Z","request":{"contents":[]},"response":{"candidates":[{"content":{"parts":[{"text":"8/10"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":20,"candidatesTokenCount":10}}}"#, Some(20), Some(10))]
#[case::amazon_with_anthropic(r#"{"recordId":"a","modelInput":{},"modelOutput":{"type":"message","role":"assistant","content":[{"type":"text","text":"8/10"}],"stop_reason":"end_turn","usage":{"input_tokens":20,"output_tokens":10}}}"#, Some(20), Some(10))]
#[case::amazon(r#"{"recordId":"a","modelInput":{},"modelOutput":{"output":{"message":{"content":[{"text":"8/10"}],"role":"assistant"}},"stopReason":"end_turn","usage":{"inputTokens":20,"outputTokens":10}}}"#, Some(20), Some(10))]
#[case::a_body_alone(
    r#"{"id":"c","object":"chat.completion","choices":[{"message":{"content":"8/10"}}]}"#,
    None,
    None
)]
#[case::ollama(r#"{"model":"m","message":{"role":"assistant","content":"8/10"},"done":true,"prompt_eval_count":20,"eval_count":10}"#, Some(20), Some(10))]
#[case::ollama_generate(
    r#"{"custom_id":"a","response":"<think>3/10?</think>8/10"}"#,
    None,
    None
)]
#[case::body_as_text(r#"{"custom_id":"a","response":{"status_code":"200","body":"{\"choices\":[{\"message\":{\"content\":\"8/10\"}}]}"}}"#, None, None)]
#[case::number_as_id(
    r#"{"custom_id":7,"response":{"body":{"choices":[{"message":{"content":"8/10"}}]}}}"#,
    None,
    None
)]
fn every_provider_is_read(
    #[case] line: &str,
    #[case] prompt: Option<u64>,
    #[case] answer: Option<u64>,
) {
    let seen = seen(line);
    assert_eq!(seen.text.as_deref(), Some("8/10"));
    assert_eq!((seen.prompt_tokens, seen.answer_tokens), (prompt, answer));
    let id = Observation::of_line(line.as_bytes()).unwrap().custom_id;
    let is_named = line.contains("custom_id") || line.contains("recordId") || line.contains("key");
    assert_eq!(id.is_some(), is_named, "{id:?}");
}

#[rstest]
#[case::anthropic(r#"{"custom_id":"a","result":{"type":"errored","error":{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}}}"#, "invalid_request_error", "bad")]
#[case::anthropic(
    r#"{"custom_id":"a","result":{"type":"expired"}}"#,
    "expired",
    "the request ended as `expired`"
)]
#[case::gemini(
    r#"{"key":"a","error":{"code":3,"message":"bad","status":"INVALID_ARGUMENT"}}"#,
    "invalid_argument",
    "bad"
)]
#[case::gemini(
    r#"{"key":"a","response":{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{}}}"#,
    "content_filter",
    "the prompt was blocked: safety"
)]
#[case::gemini(
    r#"{"key":"a","response":{"candidates":[{"finishReason":"RECITATION"}]}}"#,
    "content_filter",
    "the answer was held back: recitation"
)]
#[case::vertex(
    r#"{"status":"Bad Request: long","request":{},"response":{}}"#,
    "unknown",
    "Bad Request: long"
)]
#[case::amazon(
    r#"{"recordId":"a","modelInput":{},"error":{"errorCode":400,"errorMessage":"bad"}}"#,
    "http_400",
    "bad"
)]
#[case::azure(r#"{"custom_id":"a","response":{"status_code":400,"request_id":"r","body":{"error":{"code":"content_filter","message":"filtered","innererror":{}}}},"error":null}"#, "content_filter", "filtered")]
#[case::azure(r#"{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"finish_reason":"content_filter","message":{"role":"assistant"}}]}},"error":null}"#, "content_filter", "the answer was held back: content_filter")]
#[case::mistral(r#"{"custom_id":"a","response":{"status_code":422,"body":{"object":"error","message":{"detail":[{"msg":"bad"}]},"type":"invalid_request_error","code":null}},"error":null}"#, "invalid_request_error", "{\"detail\":[{\"msg\":\"bad\"}]}")]
#[case::openrouter(r#"{"custom_id":"a","response":{"status_code":200,"body":{"choices":[{"error":{"code":502,"message":"down"},"finish_reason":"error"}]}}}"#, "http_502", "down")]
#[case::fastapi(
    r#"{"custom_id":"a","response":{"status_code":404,"body":{"detail":"Not Found"}}}"#,
    "http_404",
    "Not Found"
)]
#[case::proxy(
    r#"{"custom_id":"a","response":{"status_code":502,"body":"<html>"},"error":null}"#,
    "http_502",
    "<html>"
)]
#[case::nothing(
    r#"{"custom_id":"a","response":{"status_code":200,"body":{}},"error":null}"#,
    "no_answer",
    "the response holds no answer"
)]
#[case::nothing(
    r#"{"custom_id":"a","response":{"status_code":200,"body":{"choices":[]}}}"#,
    "no_answer",
    "the response holds no answer"
)]
#[case::nothing(
    r#"{"custom_id":"a","response":{"status_code":200,"body":null}}"#,
    "no_answer",
    "the response holds no answer"
)]
#[case::never_ran(r#"{"custom_id":"a","response":{"status_code":200,"body":{"object":"response","status":"cancelled","output":[]}}}"#, "no_answer", "the response is `cancelled`")]
#[case::empty_error(
    r#"{"custom_id":"a","response":{"body":{"choices":[]}},"error":{"code":null,"message":null}}"#,
    "no_answer",
    "the response holds no answer"
)]
fn what_is_no_answer_is_counted_as_none(
    #[case] line: &str,
    #[case] class: &str,
    #[case] message: &str,
) {
    let found = Observation::of_line(line.as_bytes()).unwrap().ending;
    let expected = Ending::Failed {
        class: class.to_owned(),
        message: message.to_owned(),
    };
    assert_eq!(found, expected);
}

#[rstest]
#[case::embeddings(r#"{"object":"list","data":[{"object":"embedding","embedding":[0.1]}]}"#)]
#[case::scores(r#"{"object":"list","data":[{"object":"score","score":0.8}]}"#)]
#[case::rankings(r#"{"results":[{"index":0,"relevance_score":0.8}]}"#)]
#[case::moderations(r#"{"model":"m","results":[{"flagged":false}]}"#)]
#[case::gemini(r#"{"embedding":{"values":[0.1]}}"#)]
fn answers_without_words_are_answers(#[case] body: &str) {
    let line = format!(r#"{{"custom_id":"a","response":{{"status_code":200,"body":{body}}}}}"#);
    assert_eq!(seen(&line).text, None);
}

proptest::proptest! {
    /// An answer is one whatever else stands beside it, and no field makes a line panic.
    #[test]
    fn odd_fields_do_no_harm(name in "custom_id|response|error|status|choices|message|content|result", value in "null|7|true|\"x\"|\\[\\]|\\[1\\]|\\{\\}|\\{\"a\":1\\}") {
        let line = format!("{{\"{name}\":{value}}}");
        let _ = Observation::of_line(line.as_bytes());
        let line = format!(r#"{{"custom_id":"a","response":{{"body":{line}}}}}"#);
        let _ = Observation::of_line(line.as_bytes());
    }
}
