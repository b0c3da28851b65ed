use std::time::Duration;

use rstest::rstest;

use super::*;
use crate::config::{Address, Color, Environment, Origin, Settings, load};
use crate::model::{JobId, Parallel};

fn typed(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::of(std::iter::once("batchtop").chain(line.split_whitespace()))
}

fn command(line: &str) -> Command {
    typed(line).unwrap().command.expect("a command was typed")
}

fn settings(line: &str) -> Settings {
    let layer = typed(line).unwrap().layer();
    load(layer, &Environment::default(), None).unwrap().settings
}

/// At a width of its own, so that the terminal in which the tests run does not matter.
fn help(line: &str) -> String {
    let words = std::iter::once("batchtop").chain(line.split_whitespace());
    let command = Arguments::command().term_width(100);
    let error = command
        .try_get_matches_from(words)
        .expect_err("help comes as an error");
    assert_eq!(error.kind(), ErrorKind::DisplayHelp);
    error.render().to_string()
}

#[test]
fn the_definitions_hold_together() {
    Arguments::command().debug_assert();
}

#[test]
fn no_command_is_the_screen() {
    assert_eq!(typed("").unwrap().command, None);
}

#[rstest]
#[case(
    "run a.jsonl -o b.jsonl --errors c.jsonl --new --model m --parallel 4 --num-ctx 8192 --max-tokens 9 --timeout 90s --retries 0 --limit 5 --skip-invalid"
)]
#[case("run a.jsonl --json")]
#[case("run - -o -")]
#[case("check a.jsonl --json")]
#[case("enqueue a.jsonl b.jsonl --model m")]
#[case("work --keep --json")]
#[case("jobs --json")]
#[case("show 3 --json")]
#[case("pause candidates")]
#[case("resume 3")]
#[case("cancel 3")]
#[case("retry 3 --class timeout")]
#[case("remove 3 --yes")]
#[case("export 3 -o a.jsonl --errors b.jsonl --order finished")]
#[case("plan --model m --num-ctx 8192 --parallel 4 --cache-type q8_0 --json")]
#[case("doctor --json --server gpu")]
#[case("demo --headless --requests 10 --seed 3 --keep /tmp/d")]
#[case("sample 100 -o a.jsonl --csv --seed 3")]
#[case("sample 100 --model m")]
#[case(
    "convert t.csv -o b.jsonl --prompt {{a}} --system s --id nr --model m --temperature 0.5 --max-tokens 9 --schema s.json --separator ; --encoding utf-16le --skip-invalid"
)]
#[case("analyze a.jsonl b.jsonl --csv c.csv --columns custom_id,score --score-path a.b --json")]
#[case("analyze 3 --score-pattern x")]
#[case("analyze 3 --csv c.csv --requests b.jsonl --request-columns prompt,metadata.team")]
#[case("compare a.jsonl 3 --json")]
#[case(
    "bench --sizes 100,1000 --parallel 1,4,auto --num-ctx 4096,8192 --model a,b --warm-up 0 --keep-simulated --json"
)]
#[case("estimate a.jsonl --model m --answer-tokens 90 --simulated --json")]
#[case("convert - --template candidates --preview 3 --format tsv")]
#[case("simulate --listen 127.0.0.1:0 --script a.json --log b.jsonl")]
#[case("config path")]
#[case("config init")]
#[case("config print")]
#[case("config check")]
#[case("completions zsh")]
#[case("man")]
#[case("--data-dir /d --config /c --server s --color never -vv jobs")]
#[case("jobs --data-dir /d --config /c --server s --color never -vv")]
fn every_command_is_understood(#[case] line: &str) {
    command(line);
}

#[rstest]
#[case("run", "<FILE>")]
#[case("run a --parallel 0", "`0` is not between 1 and 4,096")]
#[case("run a --parallel 4097", "`4097` is not between 1 and 4,096")]
#[case(
    "run a --parallel many",
    "`many` is not a whole number; write digits only, or `auto`"
)]
#[case(
    "run a --num-ctx 10000001",
    "`10000001` is not between 1 and 10,000,000"
)]
#[case("run a --timeout 30", "such as `30s`")]
#[case("run a --timeout 0s", "`0s` is not between 1ms and 30days")]
#[case("run a --limit 0", "0 is not in 1..")]
#[case("run a --skip-invalid=perhaps", "write `true` or `false`")]
#[case("run a --json -o -", "give `-o` a file")]
#[case("run a --mode chat", "[possible values: independent, conversation]")]
#[case("run a --trim newest", "[possible values: sliding, importance,")]
#[case("run a --on-overflow cut", "[possible values: fail, trim]")]
#[case("run a --safe-share 5", "write per cent from 10 to 100")]
#[case("enqueue", "<FILE>")]
#[case("enqueue - -", "only once")]
#[case("retry 3 --class tiemout", "a similar value exists: 'timeout'")]
#[case("jobs --color red", "[possible values: auto, always, never]")]
#[case("simulate --listen gpu", "invalid socket address")]
#[case("sample 3 --csv --model m", "cannot be used with")]
#[case("runn a", "a similar subcommand exists: 'run'")]
fn a_mistake_is_explained(#[case] line: &str, #[case] expected: &str) {
    let error = typed(line).unwrap_err();
    assert_eq!(error.exit_code(), 2);
    let text = error.render().to_string();
    assert!(text.contains(expected), "{text}");
}

#[test]
fn empty_names_are_refused() {
    for words in [["show", ""], ["check", ""]] {
        assert!(Arguments::of(["batchtop"].into_iter().chain(words)).is_err());
    }
}

#[test]
fn job_flags_become_settings() {
    let line = "--parallel 4 --num-ctx 8192 --max-tokens 9 --timeout 1h --retries 0 --model m --skip-invalid";
    let expected = Settings {
        parallel: Parallel::Fixed(4),
        num_ctx: Some(8192),
        max_tokens: 9,
        timeout: Duration::from_hours(1),
        retries: 0,
        model: Some("m".into()),
        skip_invalid: true,
        ..Settings::default()
    };
    assert_eq!(settings(&format!("run a {line}")), expected);
    assert_eq!(settings(&format!("enqueue a {line}")), expected);
}

#[test]
fn global_flags_become_settings() {
    let expected = Settings {
        server: Address::new("gpu:1234"),
        color: Color::Always,
        log_level: crate::config::LogLevel::Trace,
        ..Settings::default()
    };
    assert_eq!(
        settings("jobs --server gpu:1234 --color always -vv"),
        expected
    );
    assert_eq!(
        settings("-v jobs").log_level,
        crate::config::LogLevel::Debug
    );
}

#[test]
fn flags_that_are_not_typed_say_nothing() {
    assert_eq!(typed("run a").unwrap().layer(), Layer::default());
    let on = typed("run a --skip-invalid=no")
        .unwrap()
        .layer()
        .skip_invalid;
    assert_eq!(
        on.map(|on| (on.value, on.origin)),
        Some((false, Origin::Flag))
    );
}

#[rstest]
#[case("show 3", JobName::Number(JobId(3)))]
#[case("show candidates", JobName::Part("candidates".into()))]
fn a_job_is_a_number_or_a_name(#[case] line: &str, #[case] expected: JobName) {
    let Command::Show(show) = command(line) else {
        panic!("`show` was typed")
    };
    assert_eq!(show.one.job, expected);
}

#[test]
fn the_help_of_the_program() {
    insta::assert_snapshot!(help("-h"));
}

#[test]
fn the_help_of_run() {
    insta::assert_snapshot!(help("run -h"));
}

#[rstest]
#[case("enqueue -h")]
#[case("bench -h")]
#[case("estimate -h")]
#[case("export -h")]
#[case("demo -h")]
#[case("sample -h")]
#[case("analyze -h")]
#[case("compare -h")]
#[case("convert -h")]
#[case("simulate -h")]
#[case("retry -h")]
#[case("config -h")]
#[case("probe -h")]
#[case("profile -h")]
fn the_help_of_a_command(#[case] line: &str) {
    insta::assert_snapshot!(format!("help_of_{}", line.replace(" -h", "")), help(line));
}

#[test]
fn no_help_line_ends_with_a_full_stop() {
    let commands = Arguments::command();
    let all = commands.get_subcommands().chain([&commands]);
    for one in all {
        let about = one.get_about().map(ToString::to_string).unwrap_or_default();
        assert!(!about.ends_with('.'), "{about}");
        for argument in one.get_arguments() {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            assert!(
                !help.is_empty() && !help.ends_with('.'),
                "{}: {help}",
                argument.get_id()
            );
        }
    }
}

/// Help is printed before any setting is read.
#[test]
fn help_is_ascii() {
    fn check(command: &mut clap::Command) {
        let help = command.render_long_help().to_string();
        assert!(help.is_ascii(), "{help}");
        command.get_subcommands_mut().for_each(check);
    }
    check(&mut Arguments::command());
}
