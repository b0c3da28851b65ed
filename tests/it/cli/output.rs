//! The two streams: data on one, words on the other, no colour where nobody sees it.

use batchtop::simulator::Action;
use rstest::rstest;

use crate::support::{Finished, Running, Stage, batch, json_lines, marked};

const ESCAPE: char = '\u{1b}';

fn shell(stage: &Stage, script: &str) -> Finished {
    let mut command = stage.process("/bin/sh");
    command.args(["-c", script]).env("B", Stage::binary());
    Running::start(&mut command, b"").ends()
}

#[rstest]
#[case::data("\"$B\" sample 20000 | head -1")]
#[case::answers("\"$B\" run b.jsonl -o - | head -1")]
#[case::progress("\"$B\" run b.jsonl --json -o x.jsonl | head -1")]
#[case::words("\"$B\" man | head -1")]
#[case::closed("\"$B\" completions bash | true")]
fn a_reader_that_goes_away_is_no_error(#[case] script: &str) {
    let stage = Stage::new();
    stage.write("b.jsonl", batch(200));
    let status = format!("({script}); exit $?");
    let finished = shell(&stage, &status).with(0);
    for word in ["error", "panic", "Broken pipe"] {
        assert!(!finished.err.contains(word), "{finished:?}");
    }
}

#[test]
fn no_colour_codes_where_nobody_sees_them() {
    let stage = Stage::failing([marked("r2", Action::Busy)]);
    stage.write("b.jsonl", batch(1));
    for arguments in [
        "run b.jsonl",
        "jobs",
        "show 1",
        "check b.jsonl",
        "check missing.jsonl",
        "doctor",
        "config print",
        "--help",
        "run --help",
        "nonsense",
        "run",
    ] {
        let finished = stage.run(arguments);
        let all = finished.out.clone() + &finished.err;
        assert!(!all.is_empty() && !all.contains(ESCAPE), "{finished:?}");
    }
}

#[test]
fn colour_is_used_where_it_is_asked_for_and_not_otherwise() {
    let colored = |stage: &Stage, arguments: &str| {
        let finished = stage.run(arguments).with(2);
        finished.err.contains(ESCAPE)
    };
    let stage = Stage::new();
    assert!(colored(&stage, "check missing --color always"));
    assert!(!colored(&stage, "check missing --color never"));
    let forced = Stage::new().set("CLICOLOR_FORCE", "1");
    assert!(colored(&forced, "check missing"));
    assert!(!colored(&forced.set("NO_COLOR", "1"), "check missing"));
}

#[rstest]
#[case("bash", "_batchtop")]
#[case("zsh", "#compdef batchtop")]
#[case("fish", "complete -c batchtop")]
#[case("powershell", "Register-ArgumentCompleter")]
#[case("elvish", "edit:completion")]
fn every_shell_has_completions(#[case] shell: &str, #[case] words: &str) {
    let stage = Stage::new();
    stage
        .run(&format!("completions {shell}"))
        .with(0)
        .printing(words)
        .printing("skip-invalid");
}

#[test]
fn the_manual_page_names_every_command() {
    let man = Stage::new().run("man").with(0).out;
    for command in ["run", "enqueue", "doctor", "simulate", "completions"] {
        assert!(man.contains(command), "{command}");
    }
    assert!(man.starts_with(".ie") || man.contains(".TH"), "{man}");
}

#[test]
fn a_sample_is_the_same_for_the_same_seed() {
    let stage = Stage::new();
    let first = stage.run("sample 5 --model m --seed 3").with(0).out;
    assert_eq!(json_lines(&first).len(), 5);
    assert_eq!(stage.run("sample 5 --model m --seed 3").with(0).out, first);
    assert_ne!(stage.run("sample 5 --model m --seed 4").with(0).out, first);
    stage.run("sample 5 --model m --seed 3 -o s.jsonl").with(0);
    assert_eq!(stage.read("s.jsonl"), first);
    stage.run("check s.jsonl").with(0);
    let table = stage.run("sample 5 --csv").with(0).out;
    assert!(table.lines().count() > 5, "{table}");
}

#[test]
fn help_is_data_and_a_mistake_is_not() {
    let stage = Stage::new();
    for arguments in ["--help", "help", "run --help", "--version"] {
        let finished = stage.run(arguments).with(0);
        assert!(
            !finished.out.is_empty() && finished.err.is_empty(),
            "{finished:?}"
        );
    }
    let finished = stage.run("runn b.jsonl").with(2).saying("'run'");
    assert!(finished.out.is_empty());
    stage.run("--help").printing("130  interrupted");
}

#[test]
fn without_a_terminal_the_screen_says_how_to_do_without_it() {
    let stage = Stage::new();
    stage.run("").with(2).saying("batchtop run FILE");
    stage.run("demo").with(2).saying("--headless");
}

#[test]
fn a_demo_shows_a_whole_run_and_keeps_it_where_that_is_wanted() {
    let stage = Stage::new().set("BATCHTOP_ENERGY_PRICE", "0.30");
    stage
        .run("demo --headless --requests 4 --keep kept")
        .with(0)
        .saying("SIMULATED")
        .saying("4 of 4 answered")
        .saying("energy of the cards: ")
        .saying("for example");
    assert_eq!(stage.lines("kept/candidates.results.jsonl").len(), 4);
    let shown = stage.run("show 1 --json --data-dir kept/data").with(0).out;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["energy_joules"].as_f64() > Some(0.0), "{shown}");
    assert!(shown["bill"]["cost"].as_f64() > Some(0.0), "{shown}");
    assert!(
        stage.server().log().is_empty(),
        "it has a server of its own"
    );
    assert!(!stage.data().exists(), "and a queue of its own");
}

#[rstest]
#[case::locale("LANG", "C")]
#[case::locale("LC_ALL", "POSIX")]
#[case::setting("BATCHTOP_ASCII", "true")]
fn where_only_ascii_can_be_shown_nothing_else_is_printed(#[case] name: &str, #[case] value: &str) {
    let refusal = Action::Error {
        status: 400,
        text: "“nein”".into(),
    };
    let stage = Stage::failing([marked("r2", refusal)]).set(name, value);
    let of = |text: &str| batch(3).replace("r1", text);
    stage.write("b.jsonl", of("Müller → …"));
    stage.run("run b.jsonl --json -o ü.jsonl");
    stage.run("run b.jsonl --new").saying("done");
    for arguments in [
        "analyze b.results.jsonl",
        "analyze b.results.jsonl --json",
        "analyze ü.jsonl",
        "compare b.results.jsonl ü.jsonl",
        "compare b.results.jsonl ü.jsonl --json",
        "check b.jsonl",
        "check ü.jsonl",
        "jobs",
        "show 1",
        "show 1 --json",
        "doctor",
        "config print",
        "plan --model gemma3:12b",
        "enqueue ü",
        "nonsense…",
        "run --über",
        "--help",
    ] {
        let finished = stage.run(arguments);
        let all = finished.out.clone() + &finished.err;
        assert!(
            !all.is_empty() && all.is_ascii(),
            "{arguments}: {finished:?}"
        );
    }
    // What programs read is what it was.
    let printed = stage.run("run b.jsonl --new -o -");
    assert!(printed.out.contains("Müller → …"));
    let told: serde_json::Value =
        serde_json::from_str(&stage.run("analyze ü.jsonl --json").out).unwrap();
    assert_eq!(told["files"][0]["name"], "ü.jsonl");
}
