//! `check`: what is in a batch file and all that is wrong with it.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Stage, batch};

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // Too long only for the shorter limit of the tests of `intake`.
        .filter(|path| !path.ends_with("line-too-long.jsonl"))
        .collect();
    files.sort();
    assert!(files.len() > 10);
    files
}

fn survey(stage: &Stage, path: &Path, code: i32) -> Value {
    let mut command = stage.command("check --json");
    command.arg(path);
    let finished = crate::support::Running::start(&mut command, b"").ends();
    serde_json::from_str(&finished.with(code).out).unwrap()
}

#[test]
fn each_bad_file_is_refused_with_its_code() {
    let stage = Stage::new();
    let mut all = String::new();
    for path in files("bad") {
        let survey = survey(&stage, &path, 2);
        let problems = survey["problems"].as_array().unwrap();
        let codes: Vec<_> = problems
            .iter()
            .map(|problem| problem["code"].as_str().unwrap())
            .collect();
        assert!(!codes.is_empty(), "{}", path.display());
        let name = path.file_name().unwrap().to_string_lossy();
        writeln!(all, "{name}: {}", codes.join(", ")).unwrap();
    }
    insta::assert_snapshot!("codes", all);
}

#[test]
fn each_good_file_is_accepted() {
    let stage = Stage::new();
    for path in files("good") {
        let survey = survey(&stage, &path, 0);
        assert!(survey["requests"].as_u64().unwrap() > 0, "{survey}");
        assert_eq!(survey["problems"], serde_json::json!([]));
    }
}

#[test]
fn a_line_of_more_than_64_mib_is_refused() {
    let stage = Stage::new();
    let long = batch(1).replace("is a number", &"x".repeat(64 << 20));
    let path = stage.write("long.jsonl", long + &batch(1));
    let survey = survey(&stage, &path, 2);
    assert_eq!(survey["problems"][0]["code"], "line_too_long");
    assert_eq!(survey["requests"], 1, "what follows is read");
}

#[test]
fn what_is_in_a_file_is_said_on_standard_output() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(3));
    let finished = stage.run("check b.jsonl").with(0);
    assert!(finished.err.is_empty(), "{finished:?}");
    for words in ["3 requests", "/v1/chat/completions", "simulated", "longest"] {
        assert!(finished.out.contains(words), "no `{words}` in {finished:?}");
    }
    let from_standard_input = stage.feed("check -", batch(3).as_bytes()).with(0);
    assert_eq!(from_standard_input.out, finished.out);
}

#[test]
fn a_problem_is_said_with_line_field_and_cure() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(1) + &batch(1));
    stage
        .run("check b.jsonl")
        .with(2)
        .printing("line 2, custom_id: `r1` is already used on line 1")
        .printing("hint: give each line a `custom_id` of its own");
}

#[test]
fn checking_leaves_nothing_behind() {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(1));
    stage.run("check b.jsonl").with(0);
    assert!(!stage.data().exists());
    assert!(stage.server().log().is_empty());
}
