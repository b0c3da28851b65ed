//! Reading batch files: every complaint has a file in `tests/data/bad` that provokes it, every
//! accepted form one in `tests/data/good`, and what each of them says is a snapshot.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use batchtop::intake::{
    Input, Item, Lines, OpenError, ProblemCode, Rules, Survey, fingerprint, open, read_all,
};
use batchtop::model::NewRequest;
use batchtop::sample::{SampleOptions, request_line};
use rstest::rstest;

/// The files of `tests/data/<folder>`, by name.
fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(folder);
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of test data")
        .map(|entry| entry.expect("its entries").path())
        .collect();
    files.sort();
    assert!(files.len() > 10);
    files
}

fn name(path: &Path) -> String {
    path.file_name()
        .expect("a file")
        .to_string_lossy()
        .into_owned()
}

/// The longest line is short here, so that the file with too long a line can be small.
fn rules() -> Rules {
    Rules {
        longest_line: 9_000,
        ..Rules::default()
    }
}

fn survey(path: &Path) -> Survey {
    read_all(open(path).expect("a readable file"), rules(), 100)
}

fn requests(path: &Path) -> Vec<NewRequest> {
    Lines::new(open(path).expect("a readable file"), rules())
        .map(|item| match item.expect("a readable line") {
            Item::Request(request, _) => request,
            Item::Invalid(line) => panic!("{}: {:?}", path.display(), line.problems),
        })
        .collect()
}

fn good(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data/good")
        .join(name)
}

#[test]
fn each_complaint_has_a_file_and_clear_words() {
    let mut all = String::new();
    for path in files("bad") {
        let survey = survey(&path);
        assert!(!survey.is_good(), "{} is taken for good", path.display());
        writeln!(all, "{}", name(&path)).unwrap();
        for problem in &survey.problems {
            assert!(!problem.cure.is_empty());
            writeln!(
                all,
                "  {problem}\n      [{}] {}",
                problem.code, problem.cure
            )
            .unwrap();
        }
    }
    assert!(!all.chars().any(|c| c.is_control() && c != '\n'));
    insta::assert_snapshot!("complaints", all);
}

#[test]
fn each_code_is_provoked_by_a_file() {
    let provoked: BTreeSet<_> = files("bad")
        .iter()
        .flat_map(|path| survey(path).problem_counts.into_keys())
        .collect();
    assert_eq!(provoked, ProblemCode::ALL.iter().copied().collect());
}

#[test]
fn each_accepted_form_is_accepted_and_described() {
    let mut all = String::new();
    for path in files("good") {
        let survey = survey(&path);
        writeln!(all, "{}\n{}", name(&path), survey.report()).unwrap();
        assert!(survey.is_good(), "{all}");
    }
    insta::assert_snapshot!("accepted", all);
}

#[test]
fn a_report_says_what_is_wrong_and_what_to_do() {
    let bad = |name: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad");
        read_all(open(&folder.join(name)).unwrap(), rules(), 3).report()
    };
    let reports = [
        "custom-id-twice",
        "several-problems-at-once",
        "empty-file",
        "url-unknown",
    ]
    .map(|name| bad(&format!("{name}.jsonl")))
    .join("\n");
    insta::assert_snapshot!("reports", reports);
}

#[test]
fn a_survey_is_json_too() {
    let survey = survey(&good("shared-prompts.jsonl"));
    insta::assert_snapshot!(
        "survey_json",
        serde_json::to_string_pretty(&survey).unwrap()
    );
}

#[rstest]
#[case("plain.jsonl", &[1, 2])]
#[case("crlf.jsonl", &[1, 2])]
#[case("bom.jsonl", &[1])]
#[case("no-final-line-feed.jsonl", &[1, 2])]
#[case("blank-lines.jsonl", &[2, 5])]
#[case("gzip-two-members.jsonl.gz", &[1, 2])]
#[case("gzip-by-content.jsonl", &[1, 2])]
#[case("zstd-two-frames.jsonl.zst", &[1, 2])]
fn lines_are_numbered_as_in_the_file(#[case] file: &str, #[case] expected: &[u64]) {
    let requests = requests(&good(file));
    assert_eq!(
        requests
            .iter()
            .map(|request| request.line)
            .collect::<Vec<_>>(),
        expected
    );
    let plain = self::requests(&good("plain.jsonl"));
    assert_eq!(requests[0].body, plain[0].body);
}

#[test]
fn numbers_and_unknown_fields_keep_their_text() {
    let path = good("numbers-keep-their-text.jsonl");
    let line = std::fs::read_to_string(&path).unwrap();
    let body = &requests(&path)[0].body;
    assert!(body.contains("\"temperature\":0.70,\"top_p\":1.0e0,\"seed\":9007199254740993"));
    assert!(line.contains(body.as_str()));
}

#[test]
fn custom_ids_are_kept_byte_for_byte() {
    let ids: Vec<_> = requests(&good("ids-that-look-alike.jsonl"))
        .into_iter()
        .map(|request| request.custom_id)
        .collect();
    assert_eq!(ids[..6], ["a", "A", "a ", "é", "e\u{301}", "line\nfeed"]);
}

#[test]
fn prompts_that_begin_alike_have_one_prefix() {
    let requests = requests(&good("shared-prompts.jsonl"));
    let prefixes: Vec<_> = requests
        .iter()
        .map(|request| request.prompt.prefix)
        .collect();
    assert!(prefixes[..3].iter().all(|prefix| *prefix == prefixes[0]));
    assert_eq!(prefixes[2..].iter().collect::<BTreeSet<_>>().len(), 3);
    let shared = &requests[0].body[requests[0].shareable[0].clone()];
    assert!(shared.starts_with("\"You grade candidates. "));
}

#[test]
fn a_model_for_all_lines_makes_up_for_missing_ones() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/bad");
    let rules = Rules {
        model_override: true,
        ..Rules::default()
    };
    let survey = read_all(open(&folder.join("model-missing.jsonl")).unwrap(), rules, 9);
    assert!(survey.is_good() && survey.without_model == 2);
}

#[test]
fn problems_over_the_limit_are_counted() {
    let text: String = (0..40).map(|_| "{}\n").collect();
    let input = Input::from_reader(std::io::Cursor::new(text)).unwrap();
    let survey = read_all(input, Rules::default(), 5);
    assert_eq!((survey.problems.len(), survey.problem_count()), (5, 160));
    assert!(survey.report().contains("and 155 more"));
}

#[rstest]
#[case("plain.jsonl")]
#[case("gzip-two-members.jsonl.gz")]
#[case("zstd-two-frames.jsonl.zst")]
fn reading_a_file_gives_the_same_hash_as_looking_at_it(#[case] file: &str) {
    let stored = std::fs::read(good(file)).unwrap();
    let seen = survey(&good(file)).source.unwrap();
    assert_eq!(seen, fingerprint(&good(file)).unwrap());
    assert_eq!(seen.bytes, stored.len() as u64);
    assert_eq!(seen.hash, blake3::hash(&stored).to_hex().to_string());
}

#[test]
fn a_file_that_was_half_read_is_hashed_to_its_end() {
    let path = good("shared-prompts.jsonl");
    let mut lines = Lines::new(open(&path).unwrap(), Rules::default());
    lines.next().unwrap().unwrap();
    assert_eq!(
        lines.into_input().finish().unwrap(),
        fingerprint(&path).unwrap()
    );
}

#[test]
fn a_file_that_grows_while_it_is_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("growing.jsonl");
    std::fs::copy(good("plain.jsonl"), &path).unwrap();
    let input = open(&path).unwrap();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"\n").unwrap();
    let survey = read_all(input, Rules::default(), 9);
    assert_eq!(survey.problems[0].code, ProblemCode::UnreadableFile);
    assert!(
        survey.problems[0]
            .what
            .contains("was changed while it was read")
    );
    assert_eq!(survey.source, None);
}

#[test]
fn what_is_no_file_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let missing = open(&folder.path().join("none.jsonl")).unwrap_err();
    assert!(matches!(missing, OpenError::NotFound { .. }), "{missing}");
    let directory = open(folder.path()).unwrap_err();
    assert!(
        matches!(directory, OpenError::Directory { .. }),
        "{directory}"
    );
    let twice = fingerprint(Path::new("-")).unwrap_err();
    assert!(matches!(twice, OpenError::OnlyOnce), "{twice}");
}

#[cfg(unix)]
#[test]
fn a_device_is_no_file() {
    let device = open(Path::new("/dev/null")).unwrap_err();
    assert!(matches!(device, OpenError::NotRegular { .. }), "{device}");
}

#[rstest]
#[case(None)]
#[case(Some(60))]
fn every_sample_line_is_a_valid_request(#[case] prompt_words: Option<usize>) {
    let options = SampleOptions {
        model: Some("gemma3:12b".into()),
        prompt_words,
        ..SampleOptions::default()
    };
    let text: String = (0..300)
        .map(|index| request_line(7, index, &options) + "\n")
        .collect();
    let input = Input::from_reader(std::io::Cursor::new(text)).unwrap();
    let survey = read_all(input, Rules::default(), 9);
    assert!(survey.is_good(), "{}", survey.report());
    assert_eq!(survey.requests, 300);
    assert_eq!(survey.shared_prompts[0].requests, 300);
    assert!(survey.unknown_fields.is_empty());
}
