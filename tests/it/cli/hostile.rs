//! Outside text as bad as it gets in what the commands say: nothing reaches a terminal raw.

use batchtop::base::shown;
use batchtop::simulator::Action;
use rstest::rstest;

use crate::support::{Finished, Running, Stage, always, chat};

/// What a terminal could obey, in what may be a name, a value or a message.
const NASTY: &str = "a\u{1b}[2J\u{9b}31m\u{202e}txt.\u{200b}b\u{7}";

/// Runs the program with an argument that holds anything.
fn run(stage: &Stage, arguments: &str, last: &str) -> Finished {
    let mut command = stage.command(arguments);
    Running::start(command.arg(last), b"").ends()
}

#[track_caller]
fn harmless(finished: &Finished) {
    for line in finished.out.lines().chain(finished.err.lines()) {
        assert_eq!(shown(line), line, "{finished:?}");
    }
}

/// Fails as it should, and says what it was given as what can be read.
#[track_caller]
fn refused(finished: &Finished) {
    harmless(finished);
    assert_eq!(finished.code, Some(2), "{finished:?}");
    let said = finished.out.clone() + &finished.err;
    assert!(said.contains("a␛[2J·31m"), "{finished:?}");
}

#[rstest]
#[case("check")]
#[case("run")]
#[case("enqueue")]
#[case("show")]
#[case("pause")]
#[case("export")]
#[case("retry")]
#[case("remove --yes")]
#[case("analyze")]
#[case("convert --template")]
#[case("jobs --config")]
#[case("doctor --server")]
#[case("run b.jsonl --parallel")]
fn in_arguments(#[case] arguments: &str) {
    refused(&run(&Stage::new(), arguments, NASTY));
}

#[test]
fn in_flags_that_do_not_exist() {
    refused(&run(&Stage::new(), "jobs", &format!("--{NASTY}")));
}

#[test]
fn in_settings_and_the_environment() {
    let stage = Stage::new();
    let nasty = serde_json::to_string(NASTY).unwrap();
    for setting in [
        format!("[job]\nparallel = {nasty}"),
        format!("[job]\ntimeout = {nasty}"),
        format!("{nasty} = 1"),
    ] {
        stage.write("config.toml", setting);
        refused(&stage.run("jobs --config config.toml"));
    }
    stage.write("config.toml", NASTY);
    harmless(&stage.run("jobs --config config.toml").with(2));
    refused(&Stage::new().set("BATCHTOP_PARALLEL", NASTY).run("jobs"));
}

#[test]
fn in_batch_files_and_what_becomes_of_them() {
    let text = "no \u{1b}[31mway\u{202e}";
    let stage = Stage::failing([always(Action::Error {
        status: 400,
        text: text.to_owned(),
    })]);
    let name = format!("{NASTY}.jsonl");
    let lines = chat(NASTY, "hello") + &chat(NASTY, "again") + &format!("{NASTY}\n");
    stage.write(&name, &lines);
    harmless(&run(&stage, "check", &name));
    refused(&run(&stage, "run", &name));
    stage.write(&name, chat(NASTY, "hello"));
    harmless(&run(&stage, "run", &name));
    for arguments in ["jobs", "show 1", "export 1", "retry 1", "work"] {
        let finished = stage.run(arguments);
        harmless(&finished);
        assert!(!(finished.out + &finished.err).is_empty(), "{arguments}");
    }
}
