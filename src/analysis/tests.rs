//! From the lines of a result file to what is said of them.

use super::*;

fn answer(id: &str, text: &str, tokens: u64) -> String {
    let text = serde_json::Value::from(text);
    format!(
        r#"{{"custom_id":"{id}","response":{{"status_code":200,"body":{{"model":"m","choices":[{{"message":{{"content":{text}}},"finish_reason":"stop"}}],"usage":{{"prompt_tokens":100,"completion_tokens":{tokens}}},"batchtop":{{"wall_ms":{tokens}0.5}}}}}},"error":null}}"#
    ) + "\n"
}

fn failure(id: &str) -> String {
    format!(
        r#"{{"custom_id":"{id}","response":null,"error":{{"code":"timeout","message":"late \u001b[2J"}}}}"#
    ) + "\n"
}

fn file() -> String {
    let mut file = String::new();
    for number in 0..40 {
        let text = format!("{{\"score\": {}, \"reason\": \"r{number}\"}}", number % 9);
        file += &answer(&format!("c{number}"), &text, 10 + number);
    }
    file += &answer("same1", "8/10", 3);
    file += &answer("same2", "8/10", 3);
    file += &answer("bad", "{\"score\":\"high\"}", 3);
    file += &answer("none", "I cannot help with that.", 6);
    file += &answer("\u{202e}empty", " ", 1);
    file + &failure("f1") + &failure("f2")
}

fn analyzed(file: &str, rule: ScoreRule) -> (Summary, Reading) {
    let mut analyzer = Analyzer::new(rule);
    let reading = read_results(file.as_bytes(), |observation| {
        analyzer.add(&observation);
        Ok(())
    });
    (analyzer.finish(), reading.unwrap())
}

#[test]
fn a_result_file_is_summed_up() {
    let (summary, reading) = analyzed(&file(), ScoreRule::Detect);
    assert!(reading.is_clean());
    insta::assert_snapshot!("report", summary.report());
    insta::assert_snapshot!("json", serde_json::to_string_pretty(&summary).unwrap());
}

#[test]
fn nothing_from_outside_is_obeyed() {
    let report = analyzed(&file(), ScoreRule::Detect).0.report();
    assert!(
        !report.chars().any(|c| c.is_control() && c != '\n'),
        "{report:?}"
    );
    assert!(!report.contains('\u{202e}'));
}

#[test]
fn scores_are_the_same_however_they_are_written() {
    let mut file = String::new();
    for (number, text) in ["8/10", "{\"Score\": 8}", "**8**", "Score: 8", "fine"]
        .iter()
        .enumerate()
    {
        file += &answer(&format!("c{number}"), text, 1);
    }
    let summary = analyzed(&file, ScoreRule::Detect).0;
    let report = summary.report();
    let scores = summary.scores.unwrap();
    let spread = scores.spread.unwrap();
    assert_eq!((spread.count, spread.least, spread.most), (4, 8.0, 8.0));
    assert_eq!((scores.missing.count, scores.found_in.len()), (1, 4));
    assert!(report.contains("4 scores, from "), "{report}");
    assert!(report.contains("field `Score` (1)"), "{report}");
}

#[test]
fn where_no_score_is_found_the_options_are_named() {
    let none = "no scores found; --score-path FIELD or --score-pattern REGEX say where they are";
    for (text, is_said) in [(Some("fine"), true), (None, false)] {
        let file = match text {
            Some(text) => answer("a", text, 1),
            None => {
                r#"{"custom_id":"a","response":{"body":{"data":[{"embedding":[1]}]}}}"#.to_owned()
            }
        };
        let report = analyzed(&file, ScoreRule::Detect).0.report();
        assert_eq!(report.contains(none), is_said, "{report}");
    }
    let asked = analyzed(&answer("a", "8/10", 1), ScoreRule::path("score")).0;
    assert_eq!(asked.scores, None);
}

#[test]
fn scores_of_different_scales_are_told_apart() {
    let same = answer("a", "8/10", 1) + &answer("b", "7 out of 10", 1);
    let warning = |file: &str| {
        let scores = analyzed(file, ScoreRule::Detect).0.scores.unwrap();
        scores.scale_warning()
    };
    assert_eq!(warning(&same), None);
    assert_eq!(
        warning(&(same + &answer("c", "4/5", 1))).unwrap(),
        "1 out of 5, 2 out of 10: not converted"
    );
}

#[test]
fn thinking_is_no_part_of_an_answer() {
    let file = answer("a", "<think>3/10?</think>\n8/10", 1) + &answer("b", "<think>7/10", 1);
    let summary = analyzed(&file, ScoreRule::Detect).0;
    assert_eq!(summary.longest[0].characters, 4);
    assert_eq!(summary.empty.first, ["b"]);
    let scores = summary.scores.unwrap();
    assert_eq!(
        (scores.bars.len(), scores.bars[0].title()),
        (1, "8".to_owned())
    );
}

#[test]
fn ids_that_come_again_are_counted() {
    let file = answer("a", "1/10", 1) + &answer("a", "9/10", 1) + &answer("b", "5/10", 1);
    let summary = analyzed(&file, ScoreRule::Detect).0;
    let expected = Ids {
        count: 1,
        first: vec!["a".to_owned()],
    };
    assert_eq!(summary.duplicate_ids, expected);
    // The first is held against the first, the second against the second.
    let comparison = compared(&file, &file);
    assert_eq!((comparison.both, comparison.same_text), (3, 3));
    assert_eq!((comparison.shift, comparison.same_score), (Some(0.0), 3));
    let comparison = compared(&file, &answer("a", "1/10", 1));
    assert_eq!((comparison.both, comparison.only_first), (1, 2));
}

#[test]
fn cut_off_mixed_and_other_files_are_told_apart() {
    let whole = answer("a", "1", 1);
    let cut = whole.clone() + &whole[..40];
    let request =
        "{\"custom_id\":\"a\",\"method\":\"POST\",\"url\":\"/v1/embeddings\",\"body\":{}}\n";
    let (_, cut) = analyzed(&cut, ScoreRule::Detect);
    let (_, mixed) = analyzed(&(whole + "\n" + request + "{}\n{}\n"), ScoreRule::Detect);
    let what = |reading: Reading| -> Vec<String> {
        let problems = reading.problems().into_iter();
        problems.map(|(what, _)| what).collect()
    };
    assert_eq!(what(cut), ["line 2: the line is not one JSON object"]);
    assert_eq!(
        what(mixed),
        [
            "line 3: the line is a request and not a result",
            "line 4 and one other: the line has neither `response` nor `error`",
        ]
    );
    let (_, nothing) = analyzed("", ScoreRule::Detect);
    assert!(!nothing.is_clean());
}

fn compared(first: &str, second: &str) -> Comparison {
    let mut comparer = Comparer::new(&ScoreRule::Detect);
    read_results(first.as_bytes(), |observation| {
        comparer.first(&observation);
        Ok(())
    })
    .unwrap();
    read_results(second.as_bytes(), |observation| {
        comparer.second(&observation);
        Ok(())
    })
    .unwrap();
    comparer.finish()
}

#[test]
fn two_runs_are_compared_by_id() {
    let first = answer("a", "1/10", 1)
        + &answer("b", "5/10", 2)
        + &answer("c", "9/10", 3)
        + &failure("d")
        + &answer("e", "0/10", 1)
        + &answer("gone", "1/10", 1);
    let second = answer("c", "10/10", 9)
        + &answer("b", "5/10", 2)
        + &answer("a", "3/10", 1)
        + &answer("d", "x", 1)
        + &failure("e")
        + &answer("new", "1/10", 1);
    let comparison = compared(&first, &second);
    assert_eq!(
        (comparison.both, comparison.same_text, comparison.scored),
        (3, 1, 3)
    );
    assert_eq!((comparison.lost, comparison.won), (1, 1));
    assert_eq!((comparison.only_first, comparison.only_second), (1, 1));
    assert!((comparison.shift.unwrap() - 1.0).abs() < 1e-9);
    // By hand: deviations -4, 0, 4 and -3, -1, 4 give 28 / sqrt(32 × 26).
    assert!((comparison.correlation.unwrap() - 28.0 / 832.0_f64.sqrt()).abs() < 1e-9);
    insta::assert_snapshot!("comparison", comparison.report());
}

#[test]
fn a_run_agrees_with_itself() {
    let comparison = compared(&file(), &file());
    assert_eq!(comparison.same_text, comparison.both);
    assert_eq!(
        (comparison.shift, comparison.distance),
        (Some(0.0), Some(0.0))
    );
    assert!((comparison.correlation.unwrap() - 1.0).abs() < 1e-9);
    assert_eq!(comparison.changes, []);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
        let mut analyzer = Analyzer::new(ScoreRule::Detect);
        let _ = read_results(bytes.as_slice(), |observation| {
            analyzer.add(&observation);
            Ok(())
        });
        let _ = analyzer.finish().report();
    }
}
