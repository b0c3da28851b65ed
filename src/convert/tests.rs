//! From a table to a batch file that `check` has nothing to say against.

use std::io::Cursor;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;
use crate::intake::{Input, Rules, read_all};
use crate::sample::{SampleOptions, csv_header, csv_row, request_line};

const TABLE: &str =
    "id,name,skills\nc1,Ada,\"maths, engines\"\nc2,Grace,\"compilers\nand \"\"COBOL\"\"\"\n";

fn recipe(prompt: &str) -> Recipe {
    Recipe::new(&Wording::new(prompt.to_owned())).unwrap()
}

fn run(
    table: &[u8],
    recipe: &Recipe,
    reading: &Reading,
) -> Result<(Converted, String), ConvertError> {
    let mut output = Vec::new();
    let converted = convert(table, recipe, reading, &mut output)?;
    Ok((converted, String::from_utf8(output).unwrap()))
}

fn lines(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn prompts(table: &[u8], template: &str, reading: &Reading) -> Vec<String> {
    let (converted, text) = run(table, &recipe(template), reading).unwrap();
    assert_eq!(converted.problems, []);
    let lines = lines(&text);
    let prompt = |line: &Value| {
        line["body"]["messages"][0]["content"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    lines.iter().map(prompt).collect()
}

fn problems(table: &str, wording: &Wording) -> String {
    let recipe = match Recipe::new(wording) {
        Ok(recipe) => recipe,
        Err(flaw) => return format!("{flaw}\n  {}", flaw.cure()),
    };
    let said = match run(table.as_bytes(), &recipe, &Reading::default()) {
        Ok((converted, _)) => converted.problems,
        Err(ConvertError::Header(problem)) => vec![problem],
        Err(error) => return error.to_string(),
    };
    let said = said
        .iter()
        .map(|problem| format!("{problem}\n  {}", problem.flaw.cure()));
    said.collect::<Vec<_>>().join("\n")
}

#[test]
fn a_row_becomes_a_request() {
    let wording = Wording {
        system: Some("You grade.".into()),
        model: Some("gemma3:12b".into()),
        temperature: Some(0.5),
        max_tokens: Some(20),
        schema: Some(("grade".into(), "{\n  \"type\": \"object\"\n}\n".into())),
        ..Wording::new("{{ name|upper }}{% if skills %}: {{ skills }}{% endif %}".into())
    };
    let recipe = Recipe::new(&wording).unwrap();
    let (converted, text) = run(TABLE.as_bytes(), &recipe, &Reading::default()).unwrap();
    assert_eq!(
        (converted.requests, converted.bytes),
        (2, text.len() as u64)
    );
    assert_eq!(
        lines(&text)[1],
        json!({"custom_id": "c2", "method": "POST", "url": "/v1/chat/completions", "body": {
            "model": "gemma3:12b",
            "messages": [
                {"role": "system", "content": "You grade."},
                {"role": "user", "content": "GRACE: compilers\nand \"COBOL\""},
            ],
            "response_format": {"type": "json_schema", "json_schema": {"name": "grade", "schema": {"type": "object"}}},
            "max_tokens": 20,
            "temperature": 0.5,
        }})
    );
}

#[rstest]
#[case("{{ a }}/{{ b }}", "a;b\n1;x,y\n", "1/x,y")]
#[case(
    "{{ Full_name }} {{ row[\"Full name\"] }}",
    "Full name\tb\nAda\t\n",
    "Ada Ada"
)]
#[case("{{ row_number }}: {{ a }}", "\u{feff}a\nx\n", "1: x")]
#[case(
    "{{ a }} {{ person.name }}{{ open }}",
    "{\"a\":1.5,\"person\":{\"name\":\"Ada\"},\"open\":null}",
    "1.5 Ada"
)]
#[case("{{ b|default(\"none\") }}", "a\nx\n", "none")]
#[case("{% if b is defined %}{{ b }}{% else %}no{% endif %}", "a\nx\n", "no")]
#[case("<b>{{ a }}</b>", "a\n<script>&\n", "<b><script>&</b>")]
#[case("{{ a }}", "a\r\n\r\nx\r\n", "x")]
fn templates_see_columns(#[case] template: &str, #[case] table: &str, #[case] expected: &str) {
    assert_eq!(
        prompts(table.as_bytes(), template, &Reading::default()),
        [expected]
    );
}

#[test]
fn encodings_are_found_or_told() {
    let utf16: Vec<u8> = "\u{feff}a,b\ncafé €,x\n"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(prompts(&utf16, "{{ a }}", &Reading::default()), ["café €"]);
    let told = Reading {
        encoding: Some(Encoding::Windows1252),
        ..Reading::default()
    };
    assert_eq!(
        prompts(b"a,b\ncaf\xe9 \x80,x\n", "{{ a }}", &told),
        ["café €"]
    );
}

#[test]
fn the_sample_as_csv_becomes_the_sample_as_batch_file() {
    let mut table = csv_header().to_owned() + "\n";
    let mut batch = String::new();
    let options = SampleOptions::default();
    for index in 0..600 {
        table += &(csv_row(7, index) + "\n");
        batch += &(request_line(7, index, &options) + "\n");
    }
    let recipe = Recipe::new(&Wording::candidates()).unwrap();
    let (converted, text) = run(table.as_bytes(), &recipe, &Reading::default()).unwrap();
    assert_eq!(converted.requests, 600);
    assert!(text == batch, "the same to the byte");
}

#[test]
fn the_ready_template_lists_the_columns_of_any_table() {
    let recipe = Recipe::new(&Wording::candidates()).unwrap();
    let (_, text) = run(b"nr,role,note\n1,Nurse,\n", &recipe, &Reading::default()).unwrap();
    let line = &lines(&text)[0];
    assert_eq!(line["custom_id"], "row-000001");
    assert_eq!(line["body"]["messages"][1]["content"], "nr: 1\nrole: Nurse");
}

#[rstest]
#[case("unknown_column", "id,name\n1,Ada\n", "Grade\n{{ nmae }}")]
#[case("no_such_column", "id,name\n1,Ada\n", "{{ salary }}")]
#[case(
    "record_without_field",
    "{\"name\":\"Ada\"}\n{\"nam\":\"Bob\"}\n",
    "Grade {{ name }}"
)]
#[case(
    "unknown_column_of_row",
    "Full name\nAda\n",
    "é {{ row[\"Ful name\"] }}"
)]
#[case(
    "record_without_inner_field",
    "{\"person\":{\"name\":\"Ada\"}}\n",
    "Grade {{ person.nmae }}"
)]
#[case("nul_in_header", "a,b\0\n1,2\n", "{{ a }}")]
#[case("open_quote_in_header", "\"a,b\n1,2\n", "{{ a }}")]
#[case("open_block", "a\n1\n", "{% if a %}\nyes")]
#[case("broken_template", "a\n1\n", "line one\n{{ a | }}")]
#[case("unknown_filter", "a\n1\n", "é {{ a|frobnicate }}")]
#[case("ragged_rows", "a,b,c\n1,2\n1,2,3,4\n1,2,3\n", "{{ a }}")]
#[case("duplicate_header", "a,b,a\n1,2,3\n", "{{ a }}")]
#[case("open_quote", "a,b\n1,\"x\ny\"\n2,\"never\nends\n", "{{ a }}")]
#[case("nul_byte", "a,b\n1,x\0y\n", "{{ a }}")]
#[case("duplicate_id", "id,a\nx,1\ny,2\nx,3\n", "{{ a }}")]
#[case("empty_prompt", "id,a\nx,\n,b\n", "{{ a }}")]
#[case("no_json", "{\"a\":1}\n[1]\n{\"a\":}\n", "{{ a }}")]
#[case("old_line_ends", "a,b\r1,2\r", "{{ a }}")]
#[case("empty", " \n", "{{ a }}")]
#[case("header_only", "a,b\n", "{{ a }}")]
fn what_is_wrong_is_said_with_place_and_cure(
    #[case] name: &str,
    #[case] table: &str,
    #[case] template: &str,
) {
    insta::assert_snapshot!(name, problems(table, &Wording::new(template.into())));
}

#[rstest]
#[case("row[\"b\"] is defined and row['b']")]
#[case("row[\"b\"] | default(0)")]
#[case("row['b' ~ a]|d(0)")]
fn a_column_of_a_row_may_be_absent_where_it_is_asked_after(#[case] asked: &str) {
    let table = b"a\nx\n";
    assert_eq!(
        prompts(table, &format!("x{{{{ {asked} }}}}"), &Reading::default()).len(),
        1
    );
}

#[test]
fn an_id_that_is_no_column_is_said_once() {
    let wording = Wording {
        id: Some("nr".into()),
        ..Wording::new("{{ a }}".into())
    };
    insta::assert_snapshot!("unknown_id", problems("a\n1\n2\n", &wording));
}

#[test]
fn a_request_is_not_longer_than_a_line_may_be() {
    let mut recipe = recipe("{{ a }}");
    recipe.cap_lines(200);
    let table = format!("id,a\n1,x\n2,{}\n3,y\n", "\u{1}".repeat(30));
    let (converted, text) = run(table.as_bytes(), &recipe, &Reading::default()).unwrap();
    assert_eq!((converted.requests, converted.bad_rows), (2, 1));
    assert_eq!(
        converted.problems[0].to_string(),
        "line 3: the request of this row is longer than 200 bytes"
    );
    assert!(lines(&text).len() == 2 && text.len() as u64 == converted.bytes);
}

#[test]
fn invalid_utf8_is_named() {
    let (converted, text) = run(
        b"a,b\n1,caf\xe9\n2,x\n",
        &recipe("{{ b }}"),
        &Reading::default(),
    )
    .unwrap();
    assert_eq!(
        converted.problems[0].to_string(),
        "line 2: byte 6 of the row is no UTF-8"
    );
    assert_eq!(lines(&text).len(), 1, "the other rows are written");
}

#[test]
fn problems_are_capped_and_counted() {
    let table = "a,b\n".to_owned() + &"1\n".repeat(300);
    let (converted, _) = run(table.as_bytes(), &recipe("{{ a }}"), &Reading::default()).unwrap();
    assert_eq!((converted.problems.len(), converted.bad_rows), (100, 300));
}

#[test]
fn ten_megabytes_in_one_field_are_carried() {
    let table = format!("id,a\n1,\"{}\"\n2,x\n", "y\n".repeat(5_000_000));
    let prompts = prompts(table.as_bytes(), "{{ a }}", &Reading::default());
    assert_eq!((prompts[0].len(), prompts[1].as_str()), (10_000_000, "x"));
}

#[test]
fn order_and_line_numbers_hold_over_many_blocks() {
    let mut table = "id,text\n".to_owned();
    for number in 0..9_000 {
        let text = "x".repeat(100 + number % 7);
        table.extend(["r", &number.to_string(), ",\"", &text, "\n\"\n"]);
    }
    table += "r0,again\n";
    let reading = Reading {
        workers: 3,
        previews: 2,
        ..Reading::default()
    };
    let (converted, text) = run(table.as_bytes(), &recipe("{{ text }}"), &reading).unwrap();
    assert_eq!(converted.requests, 9_000);
    assert_eq!(
        converted.problems[0].to_string(),
        "line 18002: the `custom_id` `r0` is already used on line 2"
    );
    assert_eq!(converted.previews[1].custom_id, "r1");
    for (number, line) in lines(&text).iter().enumerate() {
        assert_eq!(line["custom_id"], format!("r{number}"));
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_ends_everything() {
    let table = "a\n".to_owned() + &"text\n".repeat(400_000);
    let failed = convert(
        table.as_bytes(),
        &recipe("{{ a }}"),
        &Reading::default(),
        &mut Full,
    );
    assert!(matches!(failed, Err(ConvertError::Write(_))));
}

fn cell() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z ,;\"\n\té😀<&{}%\\\\\u{1}-\u{1f}]{1,20}", "\\PC{1,12}"]
}

proptest! {
    #[test]
    fn what_is_converted_is_clean_and_reads_back(
        cells in prop::collection::vec((cell(), cell()), 1..30),
        separator in prop::sample::select(&b",;\t"[..]),
    ) {
        let mut writer = csv::WriterBuilder::new().delimiter(separator).from_writer(Vec::new());
        writer.write_record(["left", "right"]).unwrap();
        for (left, right) in &cells {
            writer.write_record([left, right]).unwrap();
        }
        let table = writer.into_inner().unwrap();
        let (converted, text) = run(&table, &recipe("[{{ left }}|{{ right }}]"), &Reading::default()).unwrap();
        prop_assert_eq!(converted.bad_rows, 0);
        let survey = read_all(Input::from_reader(Cursor::new(text.clone().into_bytes())).unwrap(), Rules::default(), 10);
        prop_assert!(survey.is_good() || survey.problems.iter().all(|problem| problem.field.as_deref() == Some("body.model")), "{:?}", survey.problems);
        for (line, (left, right)) in lines(&text).iter().zip(&cells) {
            prop_assert_eq!(&line["body"]["messages"][0]["content"], &format!("[{left}|{right}]"));
        }
    }

    #[test]
    fn no_table_makes_it_panic(table in prop::collection::vec(any::<u8>(), 0..300), template in "[{}% a|b.(\n\"]{0,20}") {
        let reading = Reading { workers: 1, ..Reading::default() };
        if let Ok(recipe) = Recipe::new(&Wording::new(template)) {
            let _ = run(&table, &recipe, &reading);
        }
        let _ = run(&table, &recipe("{{ a }}"), &reading);
    }
}
