//! What the documents say can be typed, and every example in them is valid.

use std::path::{Path, PathBuf};

use batchtop::cli::args::Arguments;
use batchtop::intake::{Item, Lines, Rules, open};
use batchtop::simulator::{ModelScript, Script};
use clap::error::ErrorKind;
use serde_json::Value;

use crate::support::{Running, Stage};

/// Commands that build or test the program itself; running them here would not end.
const NOT_RUN: &[&str] = &["cargo build --release", "cargo test"];

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut documents: Vec<_> = std::fs::read_dir(root.join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    documents.push(root.join("README.md"));
    documents.sort();
    assert!(documents.len() >= 4);
    documents
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The lines of every block of this language.
fn blocks(document: &Path, language: &str) -> Vec<String> {
    let opening = format!("```{language}");
    let mut lines = Vec::new();
    let mut inside = false;
    for line in text(document).lines() {
        if line.starts_with("```") {
            inside = !inside && line == opening;
        } else if inside {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// The commands of a document as they are typed.
fn commands(document: &Path) -> Vec<String> {
    blocks(document, "console")
        .iter()
        .filter_map(|line| line.strip_prefix("$ "))
        .filter(|command| !NOT_RUN.contains(command))
        .map(str::to_owned)
        .collect()
}

/// The same with the binary that was built for the tests, and a demo short enough to wait for.
fn runnable(command: &str) -> String {
    let command = command.replacen("cargo run --release -- ", "batchtop ", 1);
    if command.contains("batchtop demo") {
        return command + " --requests 4";
    }
    if command.starts_with("batchtop bench") {
        return command + " --keep-simulated --warm-up 0";
    }
    if command.starts_with("batchtop estimate") {
        return command + " --simulated";
    }
    command
}

/// A folder that holds the files the documents speak of.
fn stage() -> Stage {
    let stage = Stage::with(Script {
        models: vec![ModelScript {
            name: "gemma3:12b".to_owned(),
            ..ModelScript::default()
        }],
        ..Script::instant()
    });
    for name in ["candidates.jsonl", "monday.jsonl", "tuesday.jsonl"] {
        stage
            .run(&format!("sample 3 --model gemma3:12b -o {name}"))
            .with(0);
    }
    let packed = zstd::encode_all(stage.read("tuesday.jsonl").as_bytes(), 1).unwrap();
    stage.write("tuesday.jsonl.zst", packed);
    stage
}

#[test]
fn every_command_of_the_documents_works() {
    let path = format!(
        "{}:/usr/bin:/bin",
        Stage::binary().parent().unwrap().display()
    );
    let mut ran = 0;
    for document in documents() {
        // The guide is one story and has a test of its own.
        if document.ends_with("GUIDE.md") {
            continue;
        }
        let stage = stage();
        for command in commands(&document) {
            let mut shell = stage.process("/bin/sh");
            shell.args(["-c", &runnable(&command)]).env("PATH", &path);
            let finished = Running::start(&mut shell, b"").ends();
            assert_eq!(
                finished.code,
                Some(0),
                "`{command}` of {}: {finished:?}",
                document.display()
            );
            ran += 1;
        }
    }
    assert!(ran >= 6, "only {ran} commands were found");
}

/// Commands in running text, such as `batchtop doctor`.
fn mentioned(document: &Path) -> Vec<String> {
    text(document)
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.starts_with("batchtop ") && !code.contains('\n'))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_that_is_mentioned_can_be_typed() {
    for document in documents() {
        for command in mentioned(&document) {
            let command = command.replace(" … ", " ").replace("…", "");
            if let Err(error) = Arguments::of(command.split_whitespace()) {
                // The name of a command alone is a way to speak of it.
                let is_name = error.kind() == ErrorKind::MissingRequiredArgument;
                assert!(
                    is_name || !error.use_stderr(),
                    "`{command}` of {}: {error}",
                    document.display()
                );
            }
        }
    }
}

#[test]
fn every_request_shown_is_a_valid_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut shown = 0;
    for document in documents() {
        for line in blocks(&document, "json") {
            let value: Value = serde_json::from_str(&line)
                .unwrap_or_else(|error| panic!("{}: {error}: {line}", document.display()));
            if value.get("response").is_some() {
                assert_is_result(&value);
                continue;
            }
            let path = folder.path().join("shown.jsonl");
            std::fs::write(&path, &line).unwrap();
            let items: Vec<_> = Lines::new(open(&path).unwrap(), Rules::default()).collect();
            assert!(
                matches!(items.as_slice(), [Ok(Item::Request(..))]),
                "{}: {line}: {items:?}",
                document.display()
            );
            shown += 1;
        }
    }
    assert!(shown >= 2);
}

fn assert_is_result(line: &Value) {
    for field in ["id", "custom_id", "response", "error"] {
        assert!(line.get(field).is_some(), "no `{field}` in {line}");
    }
    assert!(
        line["response"].is_null() != line["error"].is_null(),
        "one of them: {line}"
    );
}

/// The tests of this crate as they are named on its command line, without their cases.
fn tests_of(folder: &Path, module: &str, names: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let inner = match stem.as_str() {
            "main" | "mod" => module.to_owned(),
            stem => format!("{module}{stem}::"),
        };
        if path.is_dir() {
            tests_of(&path, &inner, names);
            continue;
        }
        let functions = text(&path);
        let functions = functions.lines().filter_map(|line| {
            let line = line.trim_start();
            let after = line.strip_prefix("async ").unwrap_or(line);
            after.strip_prefix("fn ")?.split(['(', '<']).next()
        });
        names.extend(functions.map(|name| format!("{inner}{name}")));
    }
}

#[test]
fn every_test_that_is_named_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = Vec::new();
    tests_of(&root.join("tests/it"), "", &mut tests);
    let document = text(&root.join("docs/TESTING.md"));
    let faults = document.lines().filter(|line| line.starts_with("| "));
    let quoted = faults.flat_map(|line| line.split('`').skip(1).step_by(2));
    let named: Vec<&str> = quoted
        .filter(|word| word.contains("::") && !word.contains('/'))
        .collect();
    assert!(named.len() > 40, "{named:#?}");
    for name in named {
        let known = |test: &String| test == name || test.starts_with(&format!("{name}::"));
        assert!(tests.iter().any(known), "no test is called `{name}`");
    }
}
