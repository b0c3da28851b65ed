//! Context windows: what overflows, what fills up, what is cached.

use batchtop::simulator::{Answers, Length, PromptPath, Script, Simulator};
use rstest::rstest;
use serde_json::{Value, json};

use super::{ask, chat, model, number, post, start, with};

const WINDOW: u64 = 512;

async fn on_path(path: PromptPath) -> Simulator {
    start(Script {
        models: model(|model| model.path = path),
        num_ctx: WINDOW,
        ..Script::default()
    })
    .await
}

fn long(words: usize) -> String {
    "word ".repeat(words)
}

#[rstest]
#[case(PromptPath::Rendered, json!({}), 259)]
#[case(PromptPath::Rendered, json!({"truncate": false}), 0)]
#[case(PromptPath::Rendered, json!({"shift": false}), 1)]
#[case(PromptPath::Native, json!({}), 0)]
#[case(PromptPath::Native, json!({"truncate": false}), 0)]
#[case(PromptPath::Native, json!({"shift": false}), 0)]
#[tokio::test]
async fn one_huge_message_is_cut_or_refused(
    #[case] path: PromptPath,
    #[case] fields: Value,
    #[case] outcome: u64,
) {
    let simulator = on_path(path).await;
    let answer = chat(&simulator, &with(ask(&long(600)), &fields)).await;
    match outcome {
        0 => {
            let inner: Value = serde_json::from_str(&answer.error()).unwrap();
            assert_eq!(answer.status, 400);
            assert_eq!(inner["error"]["type"], "exceed_context_size_error");
            assert_eq!(inner["error"]["n_ctx"], WINDOW);
            assert_eq!(number(&inner["error"], "n_prompt_tokens"), 610);
        }
        1 => assert!(answer.error().starts_with("the prompt is longer than")),
        tokens => assert_eq!(number(&answer.json(), "prompt_eval_count"), tokens),
    }
}

#[rstest]
#[case(PromptPath::Rendered)]
#[case(PromptPath::Native)]
#[tokio::test]
async fn old_messages_are_dropped_without_a_word(#[case] path: PromptPath) {
    let simulator = on_path(path).await;
    let say = |role: &str| json!({"role": role, "content": long(200)});
    let body = with(
        ask("x"),
        &json!({"messages": [say("system"), say("user"), say("assistant"), say("user")]}),
    );
    let answer = chat(&simulator, &body).await.json();
    assert_eq!(number(&answer, "prompt_eval_count"), 4 + 2 * 206);
    let whole = chat(&simulator, &with(body, &json!({"truncate": false}))).await;
    assert_eq!(whole.status, 400);
}

#[tokio::test]
async fn generate_cuts_on_either_path() {
    let simulator = on_path(PromptPath::Native).await;
    let body = json!({"model": "simulated", "prompt": long(600), "stream": false});
    let answer = post(&simulator, "/api/generate", &body).await.json();
    assert_eq!(number(&answer, "prompt_eval_count"), 259);
    let refused = post(
        &simulator,
        "/api/generate",
        &with(body, &json!({"truncate": false})),
    )
    .await;
    assert_eq!(refused.status, 400);
}

#[tokio::test]
async fn a_runners_refusal_shows_in_the_content_type_of_a_stream() {
    let simulator = on_path(PromptPath::Native).await;
    let body = with(ask(&long(600)), &json!({"stream": true}));
    let answer = chat(&simulator, &body).await;
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
}

#[tokio::test]
async fn slots_are_larger_than_asked_for() {
    let simulator = on_path(PromptPath::Native).await;
    let body = |words: usize| {
        let fields = json!({"truncate": false, "options": {"num_ctx": 128}});
        with(ask(&long(words)), &fields)
    };
    assert_eq!(chat(&simulator, &body(200)).await.status, 200);
    let refused = chat(&simulator, &body(300)).await;
    assert!(refused.error().contains("(256 tokens)"), "{}", refused.text);
}

#[rstest]
#[case(Some(64), json!({"num_ctx": 1024}), false)]
#[case(None, json!({"num_ctx": 1024}), true)]
#[tokio::test]
async fn a_context_fills_up_or_shifts(
    #[case] window: Option<u64>,
    #[case] options: Value,
    #[case] shifts: bool,
) {
    let simulator = start(Script {
        models: model(|model| model.sliding_window = window),
        answers: Answers {
            tokens: Length::Fixed(2_000),
            ..Answers::default()
        },
        ..Script::default()
    })
    .await;
    let body = with(ask(&long(500)), &json!({ "options": options }));
    let answer = chat(&simulator, &body).await.json();
    let sum = number(&answer, "prompt_eval_count") + number(&answer, "eval_count");
    if shifts {
        assert!(sum > 1024, "{sum}");
        assert_eq!(answer["done_reason"], "stop");
    } else {
        assert_eq!(sum, 1024);
        assert_eq!(answer["done_reason"], "length");
    }
    let unshifted = with(body, &json!({"shift": false}));
    let answer = chat(&simulator, &unshifted).await.json();
    assert_eq!(
        number(&answer, "prompt_eval_count") + number(&answer, "eval_count"),
        1024
    );
}

#[tokio::test]
async fn the_log_knows_what_was_truly_evaluated() {
    let simulator = start(Script::default()).await;
    let body = |user: &str| {
        let system = json!({"role": "system", "content": long(300)});
        let messages = json!([system, {"role": "user", "content": user}]);
        with(ask(user), &json!({ "messages": messages }))
    };
    for user in ["Ada", "Bob", "Cyd"] {
        chat(&simulator, &body(user)).await;
    }
    let truth: Vec<_> = simulator
        .log()
        .iter()
        .map(|entry| (entry.reused.unwrap(), entry.evaluated.unwrap()))
        .collect();
    assert_eq!(truth, [(0, 316), (310, 6), (310, 6)]);
    let stats = simulator.stats();
    assert_eq!((stats.reused, stats.evaluated), (620, 328));
    assert_eq!(stats.generated, 3 * 32);
}

#[tokio::test]
async fn a_conversation_reuses_its_own_answer() {
    let simulator = start(Script::default()).await;
    let first = chat(&simulator, &ask("Who is Ada?")).await.json();
    let messages = json!([
        {"role": "user", "content": "Who is Ada?"},
        first["message"],
        {"role": "user", "content": "And Bob?"},
    ]);
    chat(
        &simulator,
        &with(ask("x"), &json!({ "messages": messages })),
    )
    .await;
    let reused = simulator.log()[1].reused.unwrap();
    let prompt = number(&first, "prompt_eval_count");
    assert_eq!(reused, prompt + 31);
}
