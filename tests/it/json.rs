//! What `--json` prints is what `docs/FORMATS.md` lists, in shapes that any program can read.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use batchtop::simulator::Action;
use serde_json::Value;

use crate::support::{Stage, batch, chat_with, marked};

/// The fields of each command, as the document lists them.
struct Document(BTreeMap<String, BTreeSet<String>>);

impl Document {
    fn read() -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/FORMATS.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, text) = text.split_once("## JSON of commands").unwrap();
        let text = text.split("\n## ").next().unwrap();
        let mut commands: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut names: Vec<String> = Vec::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("### ") {
                let words = quoted(title).into_iter();
                names = words.map(|name| first_word(&name)).collect();
            } else if line.starts_with("All fields of `jobs`") {
                let jobs = commands["jobs"].clone();
                commands.entry(names[0].clone()).or_default().extend(jobs);
            } else if let Some(row) = line.strip_prefix("| `") {
                let cell = format!("`{}", row.split(" | ").next().unwrap());
                for name in &names {
                    let fields = commands.entry(name.clone()).or_default();
                    fields.extend(quoted(&cell));
                }
            }
        }
        Self(commands)
    }

    /// Whether a field is listed: itself, as what stands around listed ones, or under one that is
    /// described elsewhere (`first.*`).
    fn lists(&self, command: &str, field: &str) -> bool {
        self.0[command].iter().any(|listed| {
            let listed: Vec<&str> = listed.split('.').collect();
            let field: Vec<&str> = field.split('.').collect();
            let is_same = |(one, other): (&&str, &&str)| {
                *one == "*" || one == other || one.strip_suffix("[]") == Some(*other)
            };
            let is_prefix = listed.iter().zip(&field).all(is_same);
            let is_open = matches!(listed.last(), Some(&"*"));
            is_prefix && (field.len() <= listed.len() || is_open)
        })
    }
}

fn quoted(text: &str) -> Vec<String> {
    let odd = text.split('`').skip(1).step_by(2);
    odd.map(str::to_owned).collect()
}

fn first_word(text: &str) -> String {
    text.split_whitespace().next().unwrap().to_owned()
}

/// Every field of a value with its path, and what is odd about its shape.
fn walk(value: &Value, path: &str, fields: &mut BTreeSet<String>, odd: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, field) in object {
                let below = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                if ["secs", "nanos"].contains(&name.as_str()) {
                    odd.push(format!("{below}: a length of time in two halves"));
                }
                fields.insert(below.clone());
                walk(field, &below, fields, odd);
            }
        }
        Value::Array(list) => {
            let kinds: BTreeSet<u8> = list.iter().map(kind).collect();
            if kinds.len() > 1 || list.iter().any(Value::is_array) {
                odd.push(format!("{path}: a list of different things"));
            }
            let below = match path {
                "" => String::new(),
                path => format!("{path}[]"),
            };
            for item in list {
                walk(item, &below, fields, odd);
            }
        }
        Value::Number(number) => {
            let is_stamp = number
                .as_i64()
                .is_some_and(|number| (1_600_000_000_000..2_500_000_000_000).contains(&number));
            if is_stamp && !path.ends_with("_bytes") {
                odd.push(format!("{path}: milliseconds since 1970"));
            }
        }
        _ => {}
    }
}

const fn kind(value: &Value) -> u8 {
    match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    }
}

fn holds(document: &Document, command: &str, printed: &str) {
    assert!(!printed.trim().is_empty(), "{command} prints nothing");
    for line in serde_json::Deserializer::from_str(printed).into_iter::<Value>() {
        let (mut fields, mut odd) = (BTreeSet::new(), Vec::new());
        walk(&line.unwrap(), "", &mut fields, &mut odd);
        assert_eq!(odd, [""; 0], "{command}");
        let missing = fields
            .iter()
            .filter(|field| !document.lists(command, field));
        let missing: Vec<&String> = missing.collect();
        assert!(
            missing.is_empty(),
            "{command} prints what is not documented: {missing:?}"
        );
    }
}

#[test]
fn everything_that_is_printed_is_documented() {
    let refusal = Action::Error {
        status: 400,
        text: "no".into(),
    };
    let stage = Stage::failing([marked("r2", refusal)]);
    let document = Document::read();
    stage.write("b.jsonl", batch(6));
    let long = "word ".repeat(400);
    let talk = |id: &str| {
        chat_with(
            id,
            &format!("{id} {long}"),
            &serde_json::json!({"max_tokens": 16}),
        )
    };
    let talks: String = (0..6).map(|number| talk(&format!("t{number}"))).collect();
    stage.write("talk.jsonl", talks);
    stage.write(
        "wrong.jsonl",
        "{\"custom_id\":\"a\"}\n".to_owned() + &batch(2),
    );
    let run = stage.run("run b.jsonl --json -o r.jsonl --errors r.errors.jsonl");
    holds(&document, "run", &run.out);
    stage.run("run talk.jsonl --mode conversation --num-ctx 2048 --max-tokens 16");
    let bench = "bench --model simulated --sizes 2 --parallel 1 --keep-simulated --json";
    stage.run(bench).with(0);
    holds(&document, "bench", &stage.run(bench).with(0).out);
    for command in [
        "jobs --json",
        "show 1 --json",
        "show 2 --json",
        "check b.jsonl --json",
        "check wrong.jsonl --json",
        "doctor --json",
        "plan --model simulated --json",
        "profile --json",
        "probe --model simulated --json",
        "profile --json",
        "estimate b.jsonl --model simulated --simulated --json",
        "analyze r.jsonl r.errors.jsonl --json",
        "compare 1 1 --json",
    ] {
        holds(&document, &first_word(command), &stage.run(command).out);
    }
    stage.run("report 1 -o report.json").with(0);
    holds(&document, "report", &stage.read("report.json"));
}
