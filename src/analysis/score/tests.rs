//! Answers, and the scores that people would read in them.

use rstest::rstest;

use super::*;

fn field(name: &str) -> Spot {
    Spot::Field(name.to_owned())
}

fn score(text: &str) -> Option<Score> {
    ScoreRule::Detect.find(text).map(|found| found.score)
}

#[rstest]
#[case(r#"{"score": 7, "reason": "4/10"}"#, field("score"), 7.0)]
#[case("```json\n{\"rating\": \"6.5\"}\n```", field("rating"), 6.5)]
#[case("{\"score\": 7}\n\nThat is because of 3/10.", field("score"), 7.0)]
#[case(
    "Here is my evaluation:\n```json\n{\"reason\":\"meets 4/10 criteria\",\"score\": 7}\n```",
    field("score"),
    7.0
)]
#[case("Sure! {\"score\": 8, \"reason\":\"x\"}", field("score"), 8.0)]
#[case::last(
    "For instance {\"score\": 5}. Mine: {\"score\": 8}",
    field("score"),
    8.0
)]
#[case::last_that_has_one("{\"score\": 8} {\"name\": \"x\"}", field("score"), 8.0)]
#[case::no_json("{'score': 7, 'reason': 'meets 4/10'}", Spot::Label, 7.0)]
#[case::no_json("{\"score\": 7,}", Spot::Label, 7.0)]
#[case::no_json("{\"reason\": \"a\nb 3/10\", \"score\": 7}", Spot::Label, 7.0)]
#[case::prose_beside_json("I give it 8/10. {\"name\": \"x\"}", Spot::Fraction, 8.0)]
fn json_is_the_answer_wherever_it_stands(
    #[case] text: &str,
    #[case] spot: Spot,
    #[case] score: f64,
) {
    let found = ScoreRule::Detect.find(text).unwrap();
    assert_eq!((found.spot, found.score), (spot, Score::Valid(score)));
}

#[rstest]
#[case("8", Spot::Number, 8.0)]
#[case("**7**", Spot::Number, 7.0)]
#[case("\\boxed{6}", Spot::Label, 6.0)]
#[case("So it is \\boxed{6}.", Spot::Label, 6.0)]
#[case("8.", Spot::Number, 8.0)]
#[case("-2", Spot::Number, -2.0)]
#[case("7,5", Spot::Number, 7.5)]
#[case("85%", Spot::Number, 85.0)]
#[case("[8]", Spot::Number, 8.0)]
#[case("\"8\"", Spot::Number, 8.0)]
#[case("# 8", Spot::Number, 8.0)]
#[case("8 points", Spot::Number, 8.0)]
#[case("$8$", Spot::Number, 8.0)]
#[case("８", Spot::Number, 8.0)]
#[case("8/10", Spot::Fraction, 8.0)]
#[case("[9/10]", Spot::Fraction, 9.0)]
#[case("**8**/10", Spot::Fraction, 8.0)]
#[case("7 out of 10", Spot::Fraction, 7.0)]
#[case("4 out of 5 stars", Spot::Fraction, 4.0)]
#[case("3/4", Spot::Fraction, 3.0)]
#[case("8\n\nA strong candidate with 3 years.", Spot::Number, 8.0)]
#[case("A strong candidate with 3 years.\n\n8", Spot::Number, 8.0)]
#[case("8 - strong", Spot::Number, 8.0)]
#[case("8: because of 3 years", Spot::Number, 8.0)]
#[case("8, because of 3 years", Spot::Number, 8.0)]
#[case("8;strong", Spot::Number, 8.0)]
#[case("1,250", Spot::Number, 1250.0)]
fn an_answer_that_is_a_number_is_a_score(
    #[case] text: &str,
    #[case] spot: Spot,
    #[case] score: f64,
) {
    let found = ScoreRule::Detect.find(text).unwrap();
    assert_eq!((found.spot, found.score), (spot, Score::Valid(score)));
}

#[rstest]
#[case("I rate this 7 out of 10", 7.0)]
#[case("I give it 8/10.", 8.0)]
#[case("I'd give this candidate a solid 7.", 7.0)]
#[case("I would rate this a 7 out of 10.", 7.0)]
#[case("Score - 6", 6.0)]
#[case("Score -6", -6.0)]
#[case("Score: -6", -6.0)]
#[case("Score 6", 6.0)]
#[case("Score=6", 6.0)]
#[case("Score → 6", 6.0)]
#[case("Score: 85%", 85.0)]
#[case("Score: **8**/10", 8.0)]
#[case("**Score:** 9", 9.0)]
#[case("**Score**: 9", 9.0)]
#[case("## Score\n\n9", 9.0)]
#[case("| Score | 9 |", 9.0)]
#[case("<score>8</score><reason>3/10</reason>", 8.0)]
#[case("<answer>8</answer>", 8.0)]
#[case("Answer: 8", 8.0)]
#[case("The rating is 3.", 3.0)]
#[case("a score of 7", 7.0)]
#[case("The score for this candidate is 7.", 7.0)]
#[case("Score (0-10): 7", 7.0)]
#[case("Score out of 10: 7", 7.0)]
#[case("Rating: 4.5/5", 4.5)]
#[case("Score: 7\nMeets 4/10 criteria.", 7.0)]
#[case("Meets 4/10 criteria.\nScore: 7", 7.0)]
#[case("He meets 4/10 criteria. I give it 7/10.", 7.0)]
#[case("8/10: strong. It would be 10/10 with more.", 8.0)]
#[case("Score: 8. A score of 10 would need more.", 8.0)]
#[case("Maximum score: 10. Score: 8", 8.0)]
#[case("Skills: 3/5\nManners: 4/5\nOverall: 7/10", 7.0)]
#[case("Skill score: 3\nFinal score: 7\nThe skill score is low.", 7.0)]
#[case("First I thought of a score of 5. The score is 7.", 7.0)]
#[case("Bewertung: 8 von 10", 8.0)]
#[case("Note: 14/20", 14.0)]
#[case("Ich gebe 8 von 10 Punkten.", 8.0)]
#[case("Note : 14 sur 20", 14.0)]
#[case("Puntuación: 8", 8.0)]
#[case("评分：8", 8.0)]
#[case("总评分：8分", 8.0)]
#[case("score: 8 # yaml", 8.0)]
#[case("11/10 candidates; score: 8", 8.0)]
fn a_score_in_prose_is_found(#[case] text: &str, #[case] expected: f64) {
    assert_eq!(score(text), Some(Score::Valid(expected)));
}

#[rstest]
#[case("11/10 would hire")]
#[case("Score: 7-8")]
#[case("7-8/10")]
#[case("between 7-8 out of 10")]
#[case(r#"{"score": "high"}"#)]
fn what_is_no_one_number_is_invalid(#[case] text: &str) {
    assert_eq!(score(text), Some(Score::Invalid));
}

#[rstest]
#[case("")]
#[case("No idea, 7 candidates")]
#[case("on 8/10/2024")]
#[case("open 24/7")]
#[case("fine")]
#[case(r#"{"reason": "4/10"}"#)]
#[case::cut_off(r#"{"score": 6"#)]
#[case::cut_off("```json\n{\"score\": 6, \"reason\": \"3/10")]
#[case::criteria("Skills: 3/5\nManners: 4/5")]
#[case("Points:\n1. foo\n2. bar")]
#[case("Note: 3 candidates left")]
#[case("Points of interest: 3 lakes")]
#[case("Grade 5 students")]
#[case("1\n2\n3")]
#[case("Maximum score: 10")]
#[case("GPT-4/5 is a model")]
fn where_nothing_is_a_score_there_is_none(#[case] text: &str) {
    assert_eq!(score(text), None);
}

#[test]
fn what_it_is_out_of_is_kept() {
    let out_of = |text: &str| ScoreRule::Detect.find(text).unwrap().out_of;
    assert_eq!(out_of("4/5"), Some(5.0));
    assert_eq!(out_of("Score: 7 out of 10"), Some(10.0));
    assert_eq!(out_of("8"), None);
}

#[test]
fn a_path_goes_into_objects_and_lists() {
    let rule = ScoreRule::path("grades.1.value");
    let found = rule.find(r#"{"grades":[{},{"value":4}]}"#).unwrap();
    assert_eq!(
        (found.spot, found.score),
        (field("grades.1.value"), Score::Valid(4.0))
    );
    assert_eq!(rule.find("4"), None);
}

#[rstest]
#[case("Here:\n```json\n{\"score\": 7}\n```", 7.0)]
#[case("Sure! {\"Score\": 8}", 8.0)]
#[case("{\"score\": 1} and then {\"score\": 2}", 2.0)]
fn a_path_is_followed_wherever_the_json_stands(#[case] text: &str, #[case] expected: f64) {
    let found = ScoreRule::path("score").find(text).unwrap();
    assert_eq!(found.score, Score::Valid(expected));
}

#[test]
fn a_pattern_gives_its_first_group() {
    let rule = ScoreRule::Pattern(Regex::new(r"note (\S+)").unwrap());
    let found = |text: &str| rule.find(text).map(|found| (found.spot, found.score));
    assert_eq!(found("note 5"), Some((Spot::Pattern, Score::Valid(5.0))));
    assert_eq!(
        found("note 4,5/6"),
        Some((Spot::Pattern, Score::Valid(4.5)))
    );
    assert_eq!(found("note A"), Some((Spot::Pattern, Score::Invalid)));
    assert_eq!(found("none"), None);
}

#[test]
fn of_a_long_text_the_end_is_searched_and_json_in_whole() {
    let long = "é ".repeat(SEARCHED);
    assert_eq!(score(&format!("{long}\nScore: 8")), Some(Score::Valid(8.0)));
    let json = format!("{{\"score\": 7, \"reason\": \"{long}\"}}");
    assert_eq!(score(&json), Some(Score::Valid(7.0)));
}

proptest::proptest! {
    #[test]
    fn no_answer_makes_it_panic(text in "\\PC{0,60}|[{}\\[\\]`0-9/:\"a-z ]{0,60}|(score|[:=/ -]|out of|[0-9]{1,3}|\\n|<|>|\\\\boxed|é|评分){0,20}") {
        let _ = ScoreRule::Detect.find(&text);
        let _ = ScoreRule::path("a.0").find(&text);
    }

    #[test]
    fn a_plain_score_reads_back(tenths in -1000_i32..1000, name in "score|Rating|GRADE") {
        let number = f64::from(tenths) / 10.0;
        let expected = Some(Score::Valid(number));
        proptest::prop_assert_eq!(score(&number.to_string()), expected);
        let label = format!("{name}: {number}");
        proptest::prop_assert_eq!(score(&label), expected);
        let json = format!("Well:\n{{\"{name}\": {number}}}");
        proptest::prop_assert_eq!(score(&json), expected);
    }
}
