use rstest::rstest;
use serde_json::json;

use super::*;
use crate::context::testing::llama;

fn gemma3() -> Value {
    json!({
        "general.architecture": "gemma3",
        "gemma3.block_count": 18,
        "gemma3.attention.head_count": 4,
        "gemma3.attention.head_count_kv": 1,
        "gemma3.attention.key_length": 256,
        "gemma3.attention.value_length": 256,
        "gemma3.attention.sliding_window": 512,
        "gemma3.context_length": 32_768,
        "gemma3.embedding_length": 640,
    })
}

fn of(info: &Value) -> Result<ModelShape, ShapeError> {
    ModelShape::of(info.as_object().unwrap())
}

/// The same model with one key changed.
fn with(mut info: Value, key: &str, value: Value) -> Value {
    info[key] = value;
    info
}

fn without(mut info: Value, key: &str) -> Value {
    info.as_object_mut().unwrap().remove(key);
    info
}

fn full_layers(shape: &ModelShape) -> usize {
    shape.layers.iter().filter(|layer| !layer.slides).count()
}

#[test]
fn the_recorded_model_is_read() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/ollama/show-native.json"
    );
    let exchange: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let body: Value = serde_json::from_str(exchange["response"]["body"].as_str().unwrap()).unwrap();
    let shape = of(&body["model_info"]).unwrap();
    assert_eq!(shape, of(&gemma3()).unwrap());
    assert_eq!((shape.layers.len(), full_layers(&shape)), (18, 3));
    assert_eq!(shape.trained_window, Some(32_768));
}

#[rstest]
#[case(json!({}), ShapeError::NoArchitecture)]
#[case(json!({"general.architecture": 7}), ShapeError::NoArchitecture)]
fn a_model_without_architecture_is_unknown(#[case] info: Value, #[case] expected: ShapeError) {
    assert_eq!(of(&info).unwrap_err(), expected);
}

#[rstest]
#[case("mamba")]
#[case("deepseek2")]
#[case("nemotron_h")]
#[case("")]
fn nothing_is_guessed_of_an_unknown_architecture(#[case] architecture: &str) {
    let text = gemma3().to_string().replace("gemma3", architecture);
    let error = of(&serde_json::from_str(&text).unwrap()).unwrap_err();
    assert!(matches!(error, ShapeError::Unknown { .. }), "{error}");
    assert!(error.to_string().contains(&format!("`{architecture}`")));
}

#[rstest]
#[case("block_count", json!(0))]
#[case("block_count", json!(-3))]
#[case("block_count", json!(1e18))]
#[case("block_count", json!("18"))]
#[case("block_count", json!(u64::MAX))]
#[case("attention.head_count_kv", json!(0))]
#[case("attention.head_count_kv", json!([1, 1]))]
#[case("attention.head_count_kv", json!([1, -1]))]
#[case("attention.head_count_kv", json!(u64::MAX))]
#[case("attention.key_length", json!(0))]
#[case("attention.sliding_window", json!(0))]
#[case("attention.sliding_window_pattern", json!(0))]
#[case("attention.sliding_window_pattern", json!([true]))]
#[case("context_length", json!(0.5))]
fn garbage_is_named(#[case] key: &str, #[case] value: Value) {
    let key = format!("gemma3.{key}");
    let error = of(&with(gemma3(), &key, value)).unwrap_err();
    assert!(matches!(error, ShapeError::Strange { .. }), "{error}");
    assert!(error.to_string().contains(&key), "{error}");
}

#[rstest]
#[case("block_count")]
#[case("attention.sliding_window")]
fn a_missing_key_is_named(#[case] key: &str) {
    let key = format!("gemma3.{key}");
    assert_eq!(
        of(&without(gemma3(), &key)).unwrap_err(),
        ShapeError::Absent { key }
    );
}

#[test]
fn what_the_server_keeps_back_can_be_asked_for() {
    let error = of(&with(
        gemma3(),
        "gemma3.attention.head_count_kv",
        Value::Null,
    ))
    .unwrap_err();
    assert!(error.is_left_out());
    assert!(!ShapeError::NoArchitecture.is_left_out());
}

#[test]
fn lengths_follow_from_the_width_where_they_are_not_said() {
    let info = without(Value::Object(llama()), "llama.context_length");
    let shape = of(&info).unwrap();
    assert_eq!(shape.layers[0].elements, 8 * (128 + 128));
    assert_eq!((shape.trained_window, shape.sliding_window), (None, None));
    let all_heads = of(&without(info.clone(), "llama.attention.head_count_kv")).unwrap();
    assert_eq!(all_heads.layers[0].elements, 32 * (128 + 128));
    let no_heads = with(info, "llama.attention.head_count", json!(0));
    assert!(of(&no_heads).is_err());
}

#[test]
fn lists_give_every_layer_its_own_figure() {
    let info = json!({
        "general.architecture": "deci",
        "deci.block_count": 3,
        "deci.attention.head_count_kv": [8, 0, 4],
        "deci.attention.key_length": 64,
        "deci.attention.value_length": 64,
    });
    let elements: Vec<u64> = of(&info)
        .unwrap()
        .layers
        .iter()
        .map(|layer| layer.elements)
        .collect();
    assert_eq!(elements, [1024, 0, 512]);
}

#[test]
fn gemma_4_shares_its_last_layers_and_slides_by_a_list() {
    let info = json!({
        "general.architecture": "gemma4",
        "gemma4.block_count": 4,
        "gemma4.attention.head_count_kv": 2,
        "gemma4.attention.key_length": 512,
        "gemma4.attention.value_length": 512,
        "gemma4.attention.key_length_swa": 256,
        "gemma4.attention.value_length_swa": 256,
        "gemma4.attention.sliding_window": 512,
        "gemma4.attention.sliding_window_pattern": [true, false, true, false],
        "gemma4.attention.shared_kv_layers": 2,
    });
    let shape = of(&info).unwrap();
    let layers: Vec<_> = shape
        .layers
        .iter()
        .map(|it| (it.elements, it.slides))
        .collect();
    assert_eq!(layers, [(1024, true), (2048, false)]);
    let key = "gemma4.attention.sliding_window_pattern";
    let hidden = of(&with(info.clone(), key, Value::Null)).unwrap_err();
    assert!(hidden.is_left_out());
    assert!(of(&without(info, key)).is_err());
}

#[test]
fn gemma_3n_and_gemma_2_have_figures_in_the_source_only() {
    let text = gemma3().to_string().replace("gemma3", "gemma3n");
    let mut info: Value = serde_json::from_str(&text).unwrap();
    info["gemma3n.block_count"] = json!(35);
    let shape = of(&info).unwrap();
    assert_eq!((shape.layers.len(), full_layers(&shape)), (20, 4));
    let text = gemma3().to_string().replace("gemma3", "gemma2");
    let info: Value = serde_json::from_str(&text).unwrap();
    let shape = of(&without(info, "gemma2.attention.sliding_window")).unwrap();
    assert_eq!(shape.sliding_window, Some(4_096));
    assert_eq!(full_layers(&shape), 9);
}
