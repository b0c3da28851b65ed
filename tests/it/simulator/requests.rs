//! What single requests are answered: fields, defaults, refusals.

use batchtop::simulator::{
    Action, Answers, Capability, Fault, Length, ModelScript, PromptPath, Script, When,
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{ask, chat, client, get, model, number, post, receive, start, with};

fn abilities(capabilities: &[Capability]) -> Script {
    Script {
        models: model(|model| model.capabilities.extend(capabilities)),
        ..Script::default()
    }
}

#[tokio::test]
async fn a_stream_and_a_whole_answer_say_the_same() {
    let simulator = start(Script::instant()).await;
    let whole = chat(&simulator, &ask("Who?")).await;
    let streamed = chat(&simulator, &with(ask("Who?"), &json!({"stream": null}))).await;
    assert_eq!(
        streamed.content_type.as_deref(),
        Some("application/x-ndjson")
    );
    assert_eq!(whole.json()["message"]["content"], streamed.content());
    let last = streamed.lines().pop().unwrap();
    assert_eq!(last["done"], true);
    assert_eq!(last["eval_count"], 32);
    assert_eq!(whole.json()["done_reason"], "stop");
}

#[tokio::test]
async fn times_are_written_as_go_does() {
    let simulator = start(Script::instant()).await;
    let record = chat(&simulator, &ask("Who?")).await.json();
    let created = record["created_at"].as_str().unwrap();
    assert!(
        created.ends_with('Z') && created.contains('T') && created.len() > 20,
        "{created}"
    );
}

#[tokio::test]
async fn unknown_fields_and_options_are_ignored() {
    let simulator = start(Script::instant()).await;
    let body = with(
        ask("Who?"),
        &json!({"store": true, "format": "", "options": {"mirostat": 2, "seed": null}}),
    );
    assert_eq!(chat(&simulator, &body).await.status, 200);
}

#[tokio::test]
async fn answers_depend_on_prompt_and_seed_alone() {
    let simulator = start(Script::instant()).await;
    let said = async |body: &Value| chat(&simulator, body).await.json()["message"].clone();
    let seeded = |seed: i64| with(ask("Who?"), &json!({"options": {"seed": seed}}));
    assert_eq!(said(&ask("Who?")).await, said(&ask("Who?")).await);
    assert_eq!(said(&seeded(1)).await, said(&seeded(1)).await);
    assert_ne!(said(&seeded(1)).await, said(&seeded(2)).await);
    assert_ne!(said(&ask("Who?")).await, said(&ask("What?")).await);
}

#[rstest]
#[case(json!({"format": "json"}))]
#[case(json!({"format": {"type": "object", "properties": {
    "score": {"type": "integer"}, "reason": {"type": "string"}}}}))]
#[case(json!({"messages": [{"role": "system", "content": "Answer in JSON."},
    {"role": "user", "content": "Ada"}]}))]
#[tokio::test]
async fn json_is_answered_where_it_is_asked_for(#[case] fields: Value) {
    let simulator = start(Script::instant()).await;
    let answer = chat(&simulator, &with(ask("Ada"), &fields)).await.json();
    let said: Value = serde_json::from_str(answer["message"]["content"].as_str().unwrap()).unwrap();
    assert!(
        said["score"].is_u64() && said["reason"].is_string(),
        "{said}"
    );
}

#[tokio::test]
async fn answer_lengths_are_drawn_from_their_range() {
    let simulator = start(Script {
        answers: Answers {
            tokens: Length::Between { min: 5, max: 9 },
            ..Answers::default()
        },
        ..Script::default()
    })
    .await;
    let mut seen = std::collections::BTreeSet::new();
    for at in 0..40 {
        let answer = chat(&simulator, &ask(&format!("question {at}")))
            .await
            .json();
        seen.insert(number(&answer, "eval_count"));
    }
    assert_eq!(seen, (5..=9).collect());
}

#[tokio::test]
async fn special_characters_are_escaped_as_go_does() {
    let simulator = start(Script {
        faults: vec![Fault {
            when: When::default(),
            action: Action::Error {
                status: 500,
                text: "<b> & c".to_owned(),
            },
        }],
        ..Script::default()
    })
    .await;
    let answer = chat(&simulator, &ask("x")).await;
    assert_eq!(answer.text, r#"{"error":"\u003cb\u003e \u0026 c"}"#);
}

#[tokio::test]
async fn models_that_think_do_so_unless_told_otherwise() {
    let simulator = start(abilities(&[Capability::Thinking])).await;
    let thought = chat(&simulator, &ask("Who?")).await.json();
    assert!(!thought["message"]["thinking"].as_str().unwrap().is_empty());
    assert_eq!(thought["eval_count"], 48);
    let plain = chat(&simulator, &with(ask("Who?"), &json!({"think": false})))
        .await
        .json();
    assert_eq!(plain["message"].get("thinking"), None);
    assert_eq!(plain["eval_count"], 32);
    let capped = with(ask("Who?"), &json!({"options": {"num_predict": 4}}));
    let capped = chat(&simulator, &capped).await.json();
    assert_eq!(capped["message"]["content"], "");
    assert_eq!(capped["done_reason"], "length");
}

#[tokio::test]
async fn thinking_before_a_format_is_left_out_of_the_figures() {
    let simulator = start(abilities(&[Capability::Thinking])).await;
    let body = |think: bool| with(ask("Who?"), &json!({"format": "json", "think": think}));
    let thought = chat(&simulator, &body(true)).await.json();
    let plain = chat(&simulator, &body(false)).await.json();
    assert_eq!(
        number(&thought, "prompt_eval_count"),
        number(&plain, "prompt_eval_count") + 16
    );
}

#[tokio::test]
async fn tools_are_called_when_the_message_asks() {
    let simulator = start(abilities(&[Capability::Tools])).await;
    let tools = json!({"tools": [{"type": "function", "function": {"name": "look", "parameters": {
        "type": "object", "properties": {"where": {"type": "string"}}}}}]});
    let body = with(ask("Use the tool."), &tools);
    let whole = chat(&simulator, &body).await.json();
    let call = &whole["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "look");
    assert!(call["arguments"]["where"].is_string());
    let lines = chat(&simulator, &with(body.clone(), &json!({"stream": true})))
        .await
        .lines();
    assert_eq!(
        lines[0]["message"]["tool_calls"][0]["function"]["name"],
        "look"
    );
    assert_eq!(lines[1]["done_reason"], "stop");
    let openai = post(&simulator, "/v1/chat/completions", &body).await.json();
    assert_eq!(openai["choices"][0]["finish_reason"], "tool_calls");
    let arguments = &openai["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"];
    assert!(arguments.is_string());
}

#[rstest]
#[case("/api/chat", json!({"think": true}), 400, "\"simulated\" does not support thinking")]
#[case("/api/chat", json!({"think": "deep"}), 400, "invalid think value")]
#[case("/api/chat", json!({"tools": [{}]}), 400, "registry.ollama.ai/library/simulated:latest does not support tools")]
#[case("/api/chat", json!({"top_logprobs": 21}), 400, "top_logprobs must be between 0 and 20")]
#[case("/api/chat", json!({"model": "a b"}), 400, "invalid model name")]
#[case("/api/chat", json!({"model": "nope"}), 404, "model 'nope' not found")]
#[case("/api/chat", json!({"keep_alive": true}), 400, "Unsupported type: 'bool'")]
#[case("/api/chat", json!({"messages": "no"}), 400, "json: cannot unmarshal")]
#[case("/api/chat", json!({"format": {"type": "tuple"}}), 400, "JSON schema conversion failed")]
#[case("/api/chat", json!({"messages": [{"role": "user", "images": ["aGk="]}]}), 400, "image input is not supported")]
#[case("/api/generate", json!({"model": ""}), 404, "model '' not found")]
#[case("/api/generate", json!({"prompt": "a", "raw": true, "system": "b"}), 400, "raw mode does not support")]
#[case("/api/generate", json!({"prompt": "a", "suffix": "b"}), 400, "does not support insert")]
#[case("/api/embed", json!({"model": "nope", "input": "a"}), 404, "model \"nope\" not found, try pulling it first")]
#[case("/api/embeddings", json!({"prompt": "a"}), 501, "does not support embeddings")]
#[case("/api/show", json!({"model": "nope"}), 404, "model 'nope:latest' not found")]
#[tokio::test]
async fn what_cannot_be_done_is_refused(
    #[case] path: &str,
    #[case] fields: Value,
    #[case] status: u16,
    #[case] text: &str,
) {
    let simulator = start(Script::instant()).await;
    let answer = post(&simulator, path, &with(ask("x"), &fields)).await;
    assert_eq!(answer.status, status);
    assert!(answer.error().contains(text), "{}", answer.text);
    assert_eq!(simulator.log()[0].status, Some(status));
}

#[tokio::test]
async fn generate_answers_with_the_context_in_numbers() {
    let simulator = start(Script::instant()).await;
    let body = json!({"model": "simulated", "prompt": "One two", "system": "Be kind.",
        "stream": false, "options": {"num_predict": 7}});
    let answer = post(&simulator, "/api/generate", &body).await.json();
    let context = answer["context"].as_array().unwrap().len() as u64;
    assert_eq!(context, number(&answer, "prompt_eval_count") + 7);
    assert!(answer["response"].is_string());
    let raw = json!({"model": "simulated", "prompt": "One two", "raw": true, "stream": false});
    let answer = post(&simulator, "/api/generate", &raw).await.json();
    assert_eq!(number(&answer, "prompt_eval_count"), 2);
    assert_eq!(answer.get("context"), None);
}

#[rstest]
#[case(PromptPath::Native, "/api/chat", 1)]
#[case(PromptPath::Rendered, "/api/chat", 32)]
#[case(PromptPath::Native, "/api/generate", 32)]
#[tokio::test]
async fn a_cap_of_nothing_depends_on_the_path(
    #[case] path: PromptPath,
    #[case] url: &str,
    #[case] tokens: u64,
) {
    let simulator = start(Script {
        models: model(|model| model.path = path),
        ..Script::default()
    })
    .await;
    let body = with(
        ask("x"),
        &json!({"prompt": "x", "options": {"num_predict": 0}}),
    );
    let answer = post(&simulator, url, &body).await.json();
    assert_eq!(number(&answer, "eval_count"), tokens);
}

#[tokio::test]
async fn one_token_takes_a_microsecond() {
    let simulator = start(Script::instant()).await;
    let body = with(ask("x"), &json!({"options": {"num_predict": 1}}));
    assert_eq!(chat(&simulator, &body).await.json()["eval_duration"], 1_000);
}

fn embedder() -> Script {
    Script {
        models: model(|model| {
            model.capabilities = vec![Capability::Embedding];
            model.embedding_length = 16;
        }),
        ..Script::default()
    }
}

#[tokio::test]
async fn texts_become_vectors_of_length_one() {
    let simulator = start(embedder()).await;
    let body = json!({"model": "simulated", "input": ["a", "b", "a"]});
    let answer = post(&simulator, "/api/embed", &body).await.json();
    let vectors = answer["embeddings"].as_array().unwrap();
    assert_eq!(vectors.len(), 3);
    assert_eq!(vectors[0], vectors[2]);
    assert_ne!(vectors[0], vectors[1]);
    let norm: f64 = vectors[0]
        .as_array()
        .unwrap()
        .iter()
        .map(|x| x.as_f64().unwrap().powi(2))
        .sum();
    assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    assert_eq!(number(&answer, "prompt_eval_count"), 9);
    let short = with(body, &json!({"dimensions": 4}));
    let answer = post(&simulator, "/api/embed", &short).await.json();
    assert_eq!(answer["embeddings"][0].as_array().unwrap().len(), 4);
    let old = json!({"model": "simulated", "prompt": "a"});
    let answer = post(&simulator, "/api/embeddings", &old).await.json();
    assert_eq!(answer["embedding"].as_array().unwrap().len(), 16);
}

#[rstest]
#[case(json!({"input": [1]}), 400, "invalid input type")]
#[case(json!({"input": {"a": 1}}), 400, "invalid input type")]
#[case(json!({"input": "a b c d e f g h i j", "truncate": false, "options": {"num_ctx": 8}}), 400,
    "the input length exceeds the context length")]
#[tokio::test]
async fn inputs_that_cannot_be_embedded_are_refused(
    #[case] fields: Value,
    #[case] status: u16,
    #[case] text: &str,
) {
    let simulator = start(embedder()).await;
    let body = with(json!({"model": "simulated"}), &fields);
    let answer = post(&simulator, "/api/embed", &body).await;
    assert_eq!((answer.status, answer.error().as_str()), (status, text));
}

#[tokio::test]
async fn an_empty_input_loads_and_a_long_one_is_cut() {
    let simulator = start(embedder()).await;
    let body = json!({"model": "simulated", "input": ""});
    let answer = post(&simulator, "/api/embed", &body).await.json();
    assert_eq!(answer["embeddings"], json!([]));
    assert_eq!(simulator.stats().loads, 1);
    let long =
        json!({"model": "simulated", "input": "a b c d e f g h i j", "options": {"num_ctx": 8}});
    let answer = post(&simulator, "/api/embed", &long).await.json();
    assert_eq!(number(&answer, "prompt_eval_count"), 8);
}

#[tokio::test]
async fn an_embedding_model_does_not_chat() {
    let simulator = start(embedder()).await;
    let answer = chat(&simulator, &ask("x")).await;
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (400, "\"simulated\" does not support chat")
    );
}

#[rstest]
#[case(json!({"messages": []}), "[] is too short - 'messages'")]
#[case(json!({"messages": [{"role": "user", "content": null}]}), "invalid message content type: <nil>")]
#[tokio::test]
async fn openai_refusals_have_openais_shape(#[case] fields: Value, #[case] text: &str) {
    let simulator = start(Script::instant()).await;
    let answer = post(&simulator, "/v1/chat/completions", &with(ask("x"), &fields)).await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
    assert_eq!(answer.json()["error"]["message"], text);
}

#[tokio::test]
async fn a_server_without_models_says_null_to_openai() {
    let simulator = start(Script {
        models: Vec::new(),
        ..Script::default()
    })
    .await;
    let answer = get(&simulator, "/v1/models").await;
    assert_eq!(answer.text, "{\"object\":\"list\",\"data\":null}\n");
    assert_eq!(get(&simulator, "/api/tags").await.text, r#"{"models":[]}"#);
}

#[tokio::test]
async fn the_root_can_be_asked_for_its_head() {
    let simulator = start(Script::default()).await;
    let answer = receive(client().head(simulator.url())).await.unwrap();
    assert_eq!((answer.status, answer.text.as_str()), (200, ""));
}

#[tokio::test]
async fn a_foreign_host_is_no_matter_where_it_is_not_checked() {
    let simulator = start(Script {
        check_host: false,
        ..Script::default()
    })
    .await;
    let request = client().get(simulator.url()).header("host", "box.example");
    assert_eq!(receive(request).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_model_shows_what_the_script_says_of_it() {
    let simulator = start(Script {
        models: vec![ModelScript {
            name: "small:1b".to_owned(),
            license: "free".to_owned(),
            system: "Be brief.".to_owned(),
            num_ctx: Some(2048),
            ..ModelScript::default()
        }],
        ..Script::default()
    })
    .await;
    let shown = post(&simulator, "/api/show", &json!({"model": "Small:1B"}))
        .await
        .json();
    assert_eq!(shown["license"], "free");
    assert_eq!(shown["system"], "Be brief.");
    assert!(shown["parameters"].as_str().unwrap().ends_with(" 2048"));
    assert_eq!(shown["model_info"]["llama.context_length"], 131_072);
}
