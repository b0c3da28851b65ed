//! `analyze` and `compare`: what is said of results, wherever they come from.

use std::path::Path;

use batchtop::simulator::Action;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::{Stage, batch, chat_with, marked};

fn results(scores: &[(&str, &str)]) -> String {
    let line = |(id, text): &(&str, &str)| {
        let text = Value::from(*text);
        format!(
            r#"{{"custom_id":"{id}","response":{{"status_code":200,"body":{{"model":"m","choices":[{{"message":{{"content":{text}}},"finish_reason":"stop"}}]}}}},"error":null}}"#
        ) + "\n"
    };
    scores.iter().map(line).collect()
}

fn json(stage: &Stage, command: &str) -> Value {
    serde_json::from_str(&stage.run(command).with(0).out).unwrap()
}

#[test]
fn a_job_and_its_files_say_the_same() {
    let refusal = Action::Error {
        status: 400,
        text: "no".into(),
    };
    let stage = Stage::failing([marked("r2", refusal)]);
    stage.write("b.jsonl", batch(6));
    stage.run("run b.jsonl").with(1);
    let mut of_files = json(&stage, "analyze b.results.jsonl --json");
    let mut of_job = json(&stage, "analyze 1 --json");
    assert_eq!(of_files["results"], 6);
    assert_eq!(of_files["failures"]["refused"]["count"], 1);
    for told in [&mut of_files, &mut of_job] {
        // What came from where is told of files only.
        told.as_object_mut().unwrap().remove("files");
    }
    assert_eq!(of_files, of_job);
}

#[test]
fn scores_go_to_a_spreadsheet_and_formulas_do_not() {
    let stage = Stage::new();
    let answers = results(&[
        ("a", "{\"score\":7}"),
        ("=1+1", "@SUM(A1) 3/10"),
        ("c", "-2"),
    ]);
    stage.write("r.jsonl", answers);
    stage
        .run("analyze r.jsonl --csv s.csv --columns custom_id,score,answer")
        .with(0)
        .saying("the results are in s.csv");
    insta::assert_snapshot!("spreadsheet", stage.read("s.csv"));
}

#[test]
fn what_was_asked_stands_beside_the_answers() {
    let stage = Stage::new();
    let request = |id: &str, team: &str| {
        let body = json!({"metadata": {"team": team}});
        chat_with(id, &format!("={id}"), &body)
    };
    stage.write("b.jsonl", request("a", "red") + &request("b", "blue"));
    stage.write("r.jsonl", results(&[("a", "7/10"), ("z", "8/10")]));
    let command = "analyze r.jsonl --csv s.csv --columns custom_id,score --requests b.jsonl \
                   --request-columns prompt,metadata.team";
    stage
        .run(command)
        .with(0)
        .saying("1 result belongs to no request of the batch file")
        .saying("1 request of the batch file has no result");
    assert_eq!(
        stage.read("s.csv"),
        "custom_id,score,request.prompt,request.metadata.team\na,7,'=a,red\nz,8,,\n"
    );
    stage
        .run("analyze r.jsonl --csv t.csv --requests r.jsonl")
        .with(2)
        .saying("`r.jsonl` holds no request");
    assert!(!stage.path("t.csv").exists());
    stage
        .run("analyze r.jsonl --requests b.jsonl")
        .with(2)
        .saying("--csv");
}

#[test]
fn a_pattern_finds_what_nobody_would_guess() {
    let stage = Stage::new();
    stage.write("r.jsonl", results(&[("a", "note=3"), ("b", "note=5")]));
    let told = json(&stage, "analyze r.jsonl --score-pattern note=(\\d) --json");
    assert_eq!(told["scores"]["spread"]["mean"], 4.0);
    stage
        .run("analyze r.jsonl --score-pattern (")
        .with(2)
        .saying("`--score-pattern` is no regular expression");
}

#[test]
fn files_that_are_no_results_are_refused_in_clear_words() {
    let stage = Stage::new();
    let whole = results(&[("a", "1/10")]);
    stage.write("cut.jsonl", whole.clone() + &whole[..30]);
    stage
        .run("analyze cut.jsonl")
        .with(0)
        .saying("warning: cut.jsonl: line 2: the line is not one JSON object")
        .saying("the file was cut off");
    stage.run("sample 2 -o batch.jsonl").with(0);
    stage
        .run("analyze batch.jsonl")
        .with(2)
        .saying("the line is a request and not a result")
        .saying("`batch.jsonl` holds no result");
    stage.write("text.jsonl", "hello\n");
    stage
        .run("analyze text.jsonl")
        .with(2)
        .saying("holds no result");
    stage
        .run("analyze nothing.jsonl")
        .with(2)
        .saying("no such file");
}

#[test]
fn a_file_that_is_mixed_says_what_of_it_is_no_result() {
    let stage = Stage::new();
    stage.run("sample 2 -o batch.jsonl").with(0);
    let batch = stage.read("batch.jsonl");
    let results = results(&[("a", "1/10"), ("b", "2/10")]);
    stage.write("m.jsonl", results + &batch + "{\"row\":1}\n\u{0}\n");
    let finished = stage
        .run("analyze m.jsonl")
        .with(0)
        .printing("2 results, 2 answers");
    insta::assert_snapshot!("mixed", finished.err);
    stage
        .run("compare m.jsonl batch.jsonl")
        .with(2)
        .saying("`batch.jsonl` holds no result");
}

#[test]
fn bytes_that_are_no_text_are_no_results() {
    let stage = Stage::new();
    let whole = results(&[("a", "1/10")]);
    let utf16: Vec<u8> = whole.encode_utf16().flat_map(u16::to_le_bytes).collect();
    stage.write("u.jsonl", utf16);
    stage.write("z.jsonl.gz", b"\x1f\x8b\x08\x00garbage");
    stage
        .run("analyze u.jsonl")
        .with(2)
        .saying("`u.jsonl` holds no result");
    stage
        .run("analyze z.jsonl.gz")
        .with(2)
        .saying("cannot read `z.jsonl.gz` to its end");
}

#[test]
fn nothing_is_written_over_what_is_read() {
    let stage = Stage::new();
    let whole = results(&[("a", "1/10")]);
    stage.write("r.jsonl", &whole);
    stage.write("b.jsonl", chat_with("a", "x", &json!({})));
    for command in [
        "analyze r.jsonl --csv r.jsonl",
        "analyze r.jsonl --csv ./b.jsonl --requests b.jsonl",
    ] {
        stage
            .run(command)
            .with(2)
            .saying("would be written over itself")
            .saying("hint: name another file with `--csv`");
    }
    assert_eq!(stage.read("r.jsonl"), whole);
    stage
        .run("analyze r.jsonl --csv no/such/folder.csv")
        .with(2)
        .saying("cannot write `no/such/folder.csv`")
        .saying("hint: name another file with `--csv`");
}

#[test]
fn two_files_are_compared() {
    let stage = Stage::new();
    stage.write("a.jsonl", results(&[("a", "1/10"), ("b", "5/10")]));
    stage.write("b.jsonl", results(&[("b", "7/10"), ("a", "1/10")]));
    stage
        .run("compare a.jsonl b.jsonl")
        .with(0)
        .printing("b: 5 → 7");
    let told = json(&stage, "compare a.jsonl b.jsonl --json");
    assert_eq!(
        (&told["both"], &told["shift"]),
        (&Value::from(2), &Value::from(1.0))
    );
    stage.run("compare - -").with(2).saying("only once");
}

/// A file of `tests/data/cases`.
fn case(stage: &Stage, path: &str) {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cases");
    let bytes = std::fs::read(data.join(path)).unwrap();
    let name = Path::new(path).file_name().unwrap().to_str().unwrap();
    stage.write(name, bytes);
}

/// The column `score` of a CSV file.
fn scores(stage: &Stage, csv: &str) -> Vec<String> {
    let text = stage.read(csv);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let place = reader
        .headers()
        .unwrap()
        .iter()
        .position(|name| name == "score");
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| row[place.unwrap()].to_owned()).collect()
}

#[rstest]
#[case("01-think-tags-score/results.jsonl", &["8", "9", "7"], "3 scores, from")]
#[case("10-answers-as-tool-calls/results.jsonl", &["5", "6", "7"], "3 tool calls")]
#[case("15-bare-number-scores/results.jsonl", &["8", "7", "7", "6", "6"], "5 scores, from")]
#[case("16-json-after-prose/results.jsonl", &["7", "8"], "from field `score`")]
#[case("16-json-after-prose/capitals.jsonl", &["7", "8"], "from field `Score`")]
#[case("16-json-after-prose/nested.jsonl", &["7"], "from field `evaluation.score`")]
#[case("28-csv-for-excel/results.jsonl", &["8", "7"], "2 scores, from")]
fn the_score_is_the_one_that_people_would_read(
    #[case] file: &str,
    #[case] expected: &[&str],
    #[case] line: &str,
) {
    let stage = Stage::new();
    case(&stage, file);
    let name = Path::new(file).file_name().unwrap().to_str().unwrap();
    let command = format!("analyze {name} --csv s.csv");
    stage.run(&command).with(0).printing(line);
    assert_eq!(scores(&stage, "s.csv"), expected);
    // The summary, the comparison and the CSV file have one rule.
    let told = json(&stage, &format!("analyze {name} --json"));
    assert_eq!(told["scores"]["spread"]["count"], expected.len());
    let compared = json(&stage, &format!("compare {name} {name} --json"));
    assert_eq!(compared["same_score"], expected.len());
}

#[rstest]
#[case("01-think-tags-score/results.jsonl", "1 score, from field `score`")]
#[case(
    "10-answers-as-tool-calls/results.jsonl",
    "3 scores, from field `score`"
)]
#[case("16-json-after-prose/results.jsonl", "2 scores, from field `score`")]
#[case("16-json-after-prose/capitals.jsonl", "2 scores, from field `score`")]
fn a_path_finds_the_json_in_the_answer(#[case] file: &str, #[case] line: &str) {
    let stage = Stage::new();
    case(&stage, file);
    let name = Path::new(file).file_name().unwrap().to_str().unwrap();
    let command = format!("analyze {name} --score-path score");
    stage.run(&command).with(0).printing(line);
}

#[test]
fn where_there_is_no_score_the_options_are_named() {
    let stage = Stage::new();
    stage.write("r.jsonl", results(&[("a", "fine")]));
    let said = stage.run("analyze r.jsonl").with(0);
    let said = said.printing("no scores found");
    assert!(said.out.contains("--score-path") && said.out.contains("--score-pattern"));
    stage
        .run("analyze r.jsonl --score-path grade")
        .with(0)
        .saying("warning: r.jsonl: no answer has a field `grade` (`--score-path`)");
    stage
        .run("analyze r.jsonl --score-pattern x=(\\d) --json")
        .with(0)
        .saying("warning: r.jsonl: `--score-pattern` matches no answer");
    stage
        .run("analyze r.jsonl --csv s.csv --columns custom_id,score")
        .with(2)
        .saying("no answer has anything in the column `score`")
        .saying("--score-path");
    assert!(!stage.path("s.csv").exists());
}

#[test]
fn ids_that_come_again_are_warned_of() {
    let stage = Stage::new();
    case(&stage, "09-duplicate-ids/results.jsonl");
    case(&stage, "09-duplicate-ids/requests.jsonl");
    let warning = "warning: results.jsonl: 1 result repeats the `custom_id` of an earlier one, \
                   first `request-1`";
    stage
        .run("compare results.jsonl results.jsonl")
        .with(0)
        .saying(warning)
        .printing("same text       2 (100.0 %)");
    stage
        .run("analyze results.jsonl --requests requests.jsonl --csv s.csv --columns custom_id,score")
        .with(0)
        .saying(warning)
        .saying("1 request repeats the `custom_id` of an earlier one in the batch file, first `request-1`");
    assert_eq!(
        stage.read("s.csv"),
        "custom_id,score,request.prompt\nrequest-1,1,first prompt\nrequest-1,9,second prompt\n"
    );
}

#[test]
fn the_failures_beside_the_answers_are_counted() {
    let stage = Stage::new();
    stage.write("b.results.jsonl", results(&[("a", "8/10")]));
    let failure =
        r#"{"custom_id":"b","response":null,"error":{"code":"timeout","message":"late"}}"#;
    stage.write("b.errors.jsonl", failure);
    stage
        .run("analyze b.results.jsonl")
        .with(0)
        .saying("counted too: 1 failure in b.errors.jsonl")
        .printing("2 results, 1 answer (50.0 %)");
    let told = json(&stage, "analyze b.results.jsonl b.errors.jsonl --json");
    assert_eq!(
        (&told["results"], &told["files"][1]["name"]),
        (&json!(2), &json!("b.errors.jsonl"))
    );
    let compared = json(&stage, "compare b.results.jsonl b.errors.jsonl --json");
    assert_eq!(
        (&compared["first"]["results"], &compared["lost"]),
        (&json!(2), &json!(0))
    );
    // Failures alone are what they are, and what is no result beside answers does no harm.
    stage
        .run("analyze b.errors.jsonl")
        .with(0)
        .printing("1 result, 0 answers");
    stage.write("b.errors.jsonl", "");
    stage
        .run("analyze b.results.jsonl")
        .with(0)
        .printing("1 result, 1 answer");
    stage
        .run("analyze b.results.jsonl --csv b.errors.jsonl")
        .with(2)
        .saying("would be written over itself");
}

#[test]
fn a_column_that_nothing_has_is_refused() {
    let stage = Stage::new();
    stage.write("r.jsonl", results(&[("a", "8/10")]));
    stage.write(
        "b.jsonl",
        chat_with("a", "x", &json!({"metadata": {"team": "red"}})),
    );
    let csv = "analyze r.jsonl --csv s.csv";
    stage
        .run(&format!("{csv} --columns custom_id,wall_ms"))
        .with(2)
        .saying("no answer has anything in the column `wall_ms`")
        .saying("hint: leave it out of `--columns`");
    stage
        .run(&format!(
            "{csv} --requests b.jsonl --request-columns metadata.tem"
        ))
        .with(2)
        .saying("no request in `b.jsonl` has `metadata.tem`");
    assert!(!stage.path("s.csv").exists());
    stage.run(csv).with(0);
    stage
        .run(&format!(
            "{csv} --requests b.jsonl --request-columns metadata.team"
        ))
        .with(0);
}

#[test]
fn excel_is_told_the_encoding_where_it_is_asked_for() {
    let stage = Stage::new();
    case(&stage, "28-csv-for-excel/results.jsonl");
    stage.run("analyze results.jsonl --csv plain.csv").with(0);
    stage.run("analyze results.jsonl --csv s.csv --bom").with(0);
    let marked = stage.read("s.csv");
    assert_eq!(marked, format!("\u{feff}{}", stage.read("plain.csv")));
    assert!(marked.contains("Müller"));
    stage
        .run("analyze results.jsonl --bom")
        .with(2)
        .saying("--csv");
}
