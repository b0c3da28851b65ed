//! `convert`: from a table to a batch file, and what is said where that cannot be.

use rstest::rstest;
use serde_json::Value;

use crate::support::Stage;

const PEOPLE: &str =
    "id;Full name;profile\nc1;Ada;\"maths;\nengines\"\nc2;Grace;=HYPERLINK(\"x\")\n";

#[test]
fn a_table_becomes_a_batch_file_that_is_clean() {
    let stage = Stage::new();
    stage.write("people.csv", PEOPLE);
    stage.write("rubric.txt", "You grade {{ row[\"Full name\"] }}.\n");
    stage.write(
        "schema.json",
        "{\"title\":\"a grade\",\n\"type\":\"object\"}",
    );
    let command = "convert people.csv --prompt {{profile}} --system-file rubric.txt --schema schema.json \
                   --model simulated --temperature 0 --max-tokens 9 -o people.jsonl";
    let finished = stage.run(command).with(0);
    assert!(finished.out.is_empty(), "{finished:?}");
    finished.saying("2 requests");
    insta::assert_snapshot!("batch_file", stage.read("people.jsonl"));
    stage.run("check people.jsonl").with(0);
}

#[test]
fn without_a_file_for_it_the_batch_goes_to_standard_output() {
    let stage = Stage::new();
    let finished = stage
        .feed("convert - --prompt {{a}}", b"\xef\xbb\xbfa\tb\r\n1\t2\r\n")
        .with(0);
    let line: Value = serde_json::from_str(&finished.out).unwrap();
    assert_eq!(line["custom_id"], "row-000001");
    assert_eq!(line["body"]["messages"][0]["content"], "1");
}

#[test]
fn the_sample_goes_the_whole_way() {
    let stage = Stage::new();
    stage.run("sample 12 --csv --seed 3 -o c.csv").with(0);
    stage
        .run("convert c.csv --template candidates --model simulated -o c.jsonl")
        .with(0);
    stage
        .run("sample 12 --seed 3 --model simulated -o s.jsonl")
        .with(0);
    assert_eq!(stage.lines("c.jsonl"), stage.lines("s.jsonl"));
    stage.run("run c.jsonl").with(0);
    assert_eq!(stage.lines("c.results.jsonl").len(), 12);
}

#[test]
fn a_preview_writes_nothing() {
    let stage = Stage::new();
    stage.write("people.csv", PEOPLE);
    let finished = stage
        .run("convert people.csv --prompt {{profile}} --preview 1")
        .with(0)
        .printing("── c1")
        .printing("engines")
        .saying("2 requests");
    assert!(!finished.out.contains("HYPERLINK"), "{finished:?}");
}

#[test]
fn bad_rows_leave_no_file_unless_they_may_be_left_out() {
    let stage = Stage::new();
    stage.write("t.csv", "id,a\n1,x\n2\n3,z\n");
    stage
        .run("convert t.csv --prompt {{a}} -o t.jsonl")
        .with(2)
        .saying("line 3: the row has 1 fields, the header has 2; the first without a field is `a`")
        .saying("hint: `--skip-invalid` leaves the bad rows out");
    assert!(!stage.path("t.jsonl").exists());
    stage
        .run("convert t.csv --prompt {{a}} -o t.jsonl --skip-invalid")
        .with(0)
        .saying("1 rows were left out");
    assert_eq!(stage.lines("t.jsonl").len(), 2);
}

#[test]
fn a_name_that_is_no_column_is_said_with_place_and_the_nearest() {
    let stage = Stage::new();
    stage.write("people.csv", PEOPLE);
    stage
        .run("convert people.csv --prompt {{profil}} -o p.jsonl")
        .with(2)
        .saying("template of `prompt`, line 1, column 3: there is no column `profil`")
        .saying("hint: did you mean `profile`?");
    assert!(!stage.path("p.jsonl").exists());
}

/// Tables and templates that can be no batch file: the command, and what is said in which words.
#[rstest]
#[case::missing_column(
    "ok.csv --prompt {{salary}}",
    "line 1, column 3: there is no column `salary`",
    "the columns are `id`, `name`"
)]
#[case::missing_id(
    "ok.csv --prompt {{name}} --id nr",
    "line 1: template of `id`",
    "the columns are `id`, `name`"
)]
#[case::duplicate_header(
    "twice.csv --prompt {{name}}",
    "line 1: the column `id` stands there twice, as number 1 and 3",
    "rename one of them"
)]
#[case::nul_byte(
    "nul.csv --prompt {{name}}",
    "line 2: the row holds a NUL byte",
    "take it out"
)]
#[case::open_quote(
    "quote.csv --prompt {{name}}",
    "line 3: a quote opens here and never closes",
    "close the quote"
)]
#[case::broken_template(
    "ok.csv --prompt {{name|}}",
    "template of `prompt`, line 1, column 8: syntax error",
    "templates are those of Jinja"
)]
#[case::missing_field(
    "records.jsonl --prompt {{name}}",
    "line 2: template of `prompt`, line 1, column 3: there is no column `name`",
    "did you mean `nam`?"
)]
#[case::no_table(
    "none.csv --prompt {{name}}",
    "cannot open `none.csv`: there is no such file",
    "check the name"
)]
#[case::empty(
    "empty.csv --prompt {{name}}",
    "the table holds no row",
    "write a header and one row"
)]
#[case::no_folder(
    "ok.csv --prompt {{name}} -o no/such.jsonl",
    "cannot write `no/such.jsonl`",
    "name another file with `-o`"
)]
fn bad_input_is_refused_with_place_and_cure(
    #[case] command: &str,
    #[case] what: &str,
    #[case] cure: &str,
) {
    let stage = Stage::new();
    for (name, content) in [
        ("ok.csv", "id,name\n1,Ada\n"),
        ("twice.csv", "id,name,id\n1,Ada,2\n"),
        ("nul.csv", "id,name\n1,A\0da\n"),
        ("quote.csv", "id,name\n1,Ada\n2,\"Bob\n3,Cy\n"),
        ("records.jsonl", "{\"name\":\"Ada\"}\n{\"nam\":\"Bob\"}\n"),
        ("empty.csv", ""),
    ] {
        stage.write(name, content);
    }
    let finished = stage.run(&format!("convert {command}"));
    finished
        .with(2)
        .saying(what)
        .saying(&format!("hint: {cure}"));
}

#[test]
fn ten_megabytes_in_one_field_go_through() {
    let stage = Stage::new();
    let long = "x".repeat(10_000_000);
    stage.write("t.csv", format!("id,a\n1,{long}\n2,y\n"));
    stage
        .run("convert t.csv --prompt {{a}} --model simulated -o t.jsonl")
        .with(0)
        .saying("2 requests, 10.0 MB");
    stage.run("check t.jsonl").with(0);
}

#[test]
fn an_encoding_is_obeyed() {
    let stage = Stage::new();
    stage.write("t.csv", b"a\ncaf\xe9\n");
    stage
        .run("convert t.csv --prompt {{a}}")
        .with(2)
        .saying("hint: save the file as UTF-8, or try `--encoding windows-1252`");
    let finished = stage
        .run("convert t.csv --prompt {{a}} --encoding windows-1252")
        .with(0);
    assert!(finished.out.contains("café"), "{finished:?}");
}

#[test]
fn a_file_is_not_written_over_itself() {
    let stage = Stage::new();
    stage.write("t.jsonl", "{\"a\":1}\n");
    stage
        .run("convert t.jsonl --prompt {{a}} -o t.jsonl")
        .with(2)
        .saying("would be written over itself");
    assert_eq!(stage.read("t.jsonl"), "{\"a\":1}\n");
}

#[test]
fn nothing_in_a_table_reaches_the_terminal_as_it_is() {
    let stage = Stage::new();
    stage.write("t.csv", "id,a\n\u{1b}[2Jx,1\n\u{1b}[2Jx,\u{1b}]0;y\u{7}\n");
    let finished = stage
        .run("convert t.csv --prompt {{a}} --preview 2")
        .with(2);
    let all = finished.out + &finished.err;
    assert!(!all.contains('\u{1b}') && !all.contains('\u{7}'), "{all:?}");
}
