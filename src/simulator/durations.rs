//! Durations as Go's `time.ParseDuration` reads them, for `keep_alive`.

use std::time::Duration;

use serde_json::Value;

/// How long a model stays loaded after its last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeepAlive {
    /// Until something else needs the room. Any negative value says so.
    Forever,
    /// This long; nothing means that it is unloaded as soon as it is idle.
    For(Duration),
}

impl KeepAlive {
    /// Reads the JSON value of `keep_alive`: seconds, or a duration such as `"1h30m"`. `null` is
    /// "keep what the runner has". The error is the text that Ollama 0.33 answers with.
    pub(super) fn parse(value: &Value) -> Result<Option<Self>, String> {
        match value {
            Value::Null => Ok(None),
            Value::Number(number) => {
                let seconds = number.as_f64().unwrap_or_default();
                Ok(Some(Self::from_seconds(seconds)))
            }
            Value::String(text) => parse_go(text).map(|seconds| Some(Self::from_seconds(seconds))),
            Value::Bool(_) => Err("Unsupported type: 'bool'".to_owned()),
            Value::Array(_) => Err("Unsupported type: '[]interface {}'".to_owned()),
            Value::Object(_) => Err("Unsupported type: 'map[string]interface {}'".to_owned()),
        }
    }

    fn from_seconds(seconds: f64) -> Self {
        Duration::try_from_secs_f64(seconds).map_or(Self::Forever, Self::For)
    }
}

/// Seconds of a Go duration; negative ones stay negative.
fn parse_go(text: &str) -> Result<f64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.as_bytes().first() {
        Some(b'-') => (-1.0, &text[1..]),
        Some(b'+') => (1.0, &text[1..]),
        _ => (1.0, text),
    };
    if rest == "0" {
        return Ok(0.0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut seconds = 0.0;
    while !rest.is_empty() {
        let (number, after) = split_where(rest, |c| c.is_ascii_digit() || c == '.');
        let (unit, after) = split_where(after, |c| !c.is_ascii_digit() && c != '.');
        let number: f64 = number.parse().map_err(|_| invalid())?;
        seconds += number * unit_seconds(unit, text)?;
        rest = after;
    }
    Ok(sign * seconds)
}

fn split_where(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !belongs(c)).unwrap_or(text.len()))
}

fn unit_seconds(unit: &str, whole: &str) -> Result<f64, String> {
    match unit {
        "ns" => Ok(1e-9),
        "us" | "µs" | "μs" => Ok(1e-6),
        "ms" => Ok(1e-3),
        "s" => Ok(1.0),
        "m" => Ok(60.0),
        "h" => Ok(3600.0),
        "" => Err(format!("time: missing unit in duration {whole:?}")),
        _ => Err(format!("time: unknown unit {unit:?} in duration {whole:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!(null), None)]
    #[case(json!(0), Some(KeepAlive::For(Duration::ZERO)))]
    #[case(json!(1.5), Some(KeepAlive::For(Duration::from_millis(1500))))]
    #[case(json!(-1), Some(KeepAlive::Forever))]
    #[case(json!("-1m"), Some(KeepAlive::Forever))]
    #[case(json!("10m"), Some(KeepAlive::For(Duration::from_mins(10))))]
    #[case(json!("1h30m"), Some(KeepAlive::For(Duration::from_mins(90))))]
    #[case(json!("500ms"), Some(KeepAlive::For(Duration::from_millis(500))))]
    #[case(json!("0"), Some(KeepAlive::For(Duration::ZERO)))]
    fn keep_alive_is_read_as_go_does(#[case] value: Value, #[case] expected: Option<KeepAlive>) {
        assert_eq!(KeepAlive::parse(&value), Ok(expected));
    }

    #[rstest]
    #[case(json!("abc"), "time: invalid duration \"abc\"")]
    #[case(json!(""), "time: invalid duration \"\"")]
    #[case(json!("300"), "time: missing unit in duration \"300\"")]
    #[case(json!("5x"), "time: unknown unit \"x\" in duration \"5x\"")]
    #[case(json!(true), "Unsupported type: 'bool'")]
    fn bad_values_are_refused_in_go_words(#[case] value: Value, #[case] text: &str) {
        assert_eq!(KeepAlive::parse(&value), Err(text.to_owned()));
    }
}
