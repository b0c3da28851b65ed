//! JSON that satisfies a JSON schema, well enough for the schemas that batches bring.

use serde_json::{Map, Value};

use super::wire::Refusal;
use super::words::Dice;

/// Deepest nesting followed; what lies below becomes `null`.
const DEPTH: usize = 16;

/// The types that llama.cpp's converter knows.
const TYPES: [&str; 7] = [
    "object", "array", "string", "integer", "number", "boolean", "null",
];

/// What a request wants its answer to look like.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Format {
    /// Any JSON.
    Json,
    /// JSON for this schema.
    Schema(Value),
}

impl Format {
    /// Reads the `format` of a request. What is neither `"json"` nor an object is refused: by
    /// Ollama itself on the rendered path, by llama-server on the native one.
    pub(super) fn parse(value: &Value, native: bool) -> Result<Option<Self>, Refusal> {
        match value {
            Value::Null => Ok(None),
            Value::String(text) if text.is_empty() => Ok(None),
            Value::String(text) if text == "json" => Ok(Some(Self::Json)),
            Value::Object(_) => {
                convertible(value, DEPTH).map(|()| Some(Self::Schema(value.clone())))
            }
            other if native => Err(Refusal::nested(
                400,
                "invalid_request_error",
                &format!("response_format must be an object or \"json\", got {other}"),
            )),
            other => Err(Refusal::new(
                500,
                format!(
                    "invalid format: {:?}; expected \"json\" or a valid JSON Schema object",
                    other.to_string()
                ),
            )),
        }
    }
}

/// A value for the schema whose strings have `words` words each.
pub(super) fn sample(schema: &Value, words: u64, dice: &mut Dice) -> Value {
    Sampler {
        root: schema,
        words,
        dice,
    }
    .value(schema, DEPTH)
}

/// `{"score":7,"reason":"…"}`, for requests that want JSON but do not say which.
pub(super) fn score(words: u64, dice: &mut Dice) -> String {
    let score = dice.between(0, 10);
    let reason = dice.prose(words);
    // Prose has nothing to escape.
    format!("{{\"score\":{score},\"reason\":\"{reason}\"}}")
}

/// How many free strings a sample has, so that its length can be shared among them.
pub(super) fn strings_in(value: &Value) -> u64 {
    match value {
        Value::String(_) => 1,
        Value::Array(items) => items.iter().map(strings_in).sum(),
        Value::Object(fields) => fields.values().map(strings_in).sum(),
        _ => 0,
    }
}

fn convertible(schema: &Value, depth: usize) -> Result<(), Refusal> {
    let Value::Object(fields) = schema else {
        return Ok(());
    };
    let known = match fields.get("type") {
        None => true,
        Some(Value::String(name)) => TYPES.contains(&name.as_str()),
        Some(Value::Array(names)) => names
            .iter()
            .all(|name| name.as_str().is_some_and(|name| TYPES.contains(&name))),
        Some(_) => false,
    };
    if !known {
        let message = format!("JSON schema conversion failed:\nUnrecognized schema: {schema}");
        return Err(Refusal::nested(400, "invalid_request_error", &message));
    }
    if depth == 0 {
        return Ok(());
    }
    let properties = fields.get("properties").and_then(Value::as_object);
    properties
        .into_iter()
        .flat_map(Map::values)
        .chain(fields.get("items"))
        .try_for_each(|inner| convertible(inner, depth - 1))
}

struct Sampler<'a> {
    root: &'a Value,
    words: u64,
    dice: &'a mut Dice,
}

impl Sampler<'_> {
    fn value(&mut self, schema: &Value, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else {
            return Value::Null;
        };
        if let Some(target) = self.reference(schema) {
            return self.value(&target, depth);
        }
        if let Some(constant) = schema.get("const") {
            return constant.clone();
        }
        if let Some(choice) = self.choice(schema, "enum") {
            return choice;
        }
        if let Some(branch) = self
            .choice(schema, "anyOf")
            .or_else(|| self.choice(schema, "oneOf"))
        {
            return self.value(&branch, depth);
        }
        self.of_type(schema, depth)
    }

    fn of_type(&mut self, schema: &Value, depth: usize) -> Value {
        match type_of(schema) {
            "object" => self.object(schema, depth),
            "array" => self.array(schema, depth),
            "integer" => self.integer(schema).into(),
            "number" => (self.integer(schema) as f64).into(),
            "boolean" => (self.dice.between(0, 1) == 1).into(),
            "null" => Value::Null,
            _ => self.dice.prose(self.words).into(),
        }
    }

    fn object(&mut self, schema: &Value, depth: usize) -> Value {
        let properties = schema.get("properties").and_then(Value::as_object);
        let fields = properties
            .into_iter()
            .flatten()
            .map(|(name, inner)| (name.clone(), self.value(inner, depth)))
            .collect();
        Value::Object(fields)
    }

    fn array(&mut self, schema: &Value, depth: usize) -> Value {
        let least = schema.get("minItems").and_then(Value::as_u64).unwrap_or(1);
        let items = schema.get("items").unwrap_or(&Value::Null);
        (0..least.clamp(1, 64))
            .map(|_| self.value(items, depth))
            .collect()
    }

    fn integer(&mut self, schema: &Value) -> i64 {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64).map(|b| b as i64);
        let min = bound("minimum").unwrap_or(0);
        let max = bound("maximum").unwrap_or(min.saturating_add(10)).max(min);
        min.saturating_add(self.dice.between(0, max.abs_diff(min).min(1 << 32)) as i64)
    }

    fn choice(&mut self, schema: &Value, key: &str) -> Option<Value> {
        let choices = schema.get(key)?.as_array()?;
        let last = (choices.len() as u64).checked_sub(1)?;
        choices.get(self.dice.between(0, last) as usize).cloned()
    }

    fn reference(&self, schema: &Value) -> Option<Value> {
        let path = schema.get("$ref")?.as_str()?.strip_prefix('#')?;
        self.root.pointer(path).cloned()
    }
}

/// The first type a schema allows; an object where it only lists properties.
fn type_of(schema: &Value) -> &str {
    let named = match schema.get("type") {
        Some(Value::Array(names)) => names.first().and_then(Value::as_str),
        other => other.and_then(Value::as_str),
    };
    let implied = if schema.get("properties").is_some() {
        "object"
    } else {
        "string"
    };
    named.unwrap_or(implied)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[test]
    fn a_sample_satisfies_its_schema() {
        let schema = json!({
            "type": "object",
            "properties": {
                "score": {"type": "integer", "minimum": 3, "maximum": 5},
                "grade": {"enum": ["a", "b"]},
                "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 2},
                "sure": {"type": ["boolean", "null"]},
                "kind": {"const": "person"},
            },
            "$defs": {"tag": {"type": "string"}},
        });
        for seed in 0..50 {
            let value = sample(&schema, 2, &mut Dice::new(seed));
            assert!((3..=5).contains(&value["score"].as_i64().unwrap()));
            assert!(["a", "b"].contains(&value["grade"].as_str().unwrap()));
            assert_eq!(value["tags"].as_array().unwrap().len(), 2);
            assert!(value["tags"][0].is_string() && value["sure"].is_boolean());
            assert_eq!(value["kind"], "person");
        }
    }

    #[test]
    fn a_schema_that_refers_to_itself_ends() {
        let schema = json!({"type": "object", "properties": {"next": {"$ref": "#"}}});
        let value = sample(&schema, 1, &mut Dice::new(1));
        assert!(value.to_string().ends_with("null}}}}}}}}"), "{value}");
    }

    #[rstest]
    #[case(json!(null), false, Ok(None))]
    #[case(json!(""), false, Ok(None))]
    #[case(json!("json"), true, Ok(Some(Format::Json)))]
    #[case(json!("xml"), false, Err((500, "invalid format: \"\\\"xml\\\"\"; expected")))]
    #[case(json!([1]), false, Err((500, "invalid format: \"[1]\"; expected")))]
    #[case(json!("xml"), true, Err((400, "invalid_request_error")))]
    #[case(json!({"type": "tuple"}), false, Err((400, "JSON schema conversion failed")))]
    #[case(json!({"properties": {"a": {"type": 7}}}), true, Err((400, "conversion failed")))]
    fn formats_are_checked(
        #[case] value: Value,
        #[case] native: bool,
        #[case] expected: Result<Option<Format>, (u16, &str)>,
    ) {
        match (Format::parse(&value, native), expected) {
            (Ok(format), Ok(expected)) => assert_eq!(format, expected),
            (Err(refusal), Err((status, text))) => {
                assert_eq!(refusal.status, status);
                assert!(refusal.text.contains(text), "{}", refusal.text);
            }
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }
}
