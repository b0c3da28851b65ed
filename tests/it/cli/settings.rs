//! `config`, `doctor`, `simulate`: what the program works with.

use serde_json::Value;

use crate::support::{Signal, Stage, batch, json_lines};

#[test]
fn the_settings_file_is_written_found_and_checked() {
    let stage = Stage::new();
    let path = stage.run("config path").with(0).out;
    assert!(path.ends_with("config.toml\n"), "{path}");
    stage.run("config check").with(0).printing("well");
    assert_eq!(stage.run("config init").with(0).out, path);
    assert!(
        std::fs::read_to_string(path.trim())
            .unwrap()
            .contains("BATCHTOP_PARALLEL")
    );
    stage.run("config init").with(2).saying("is there already");
    stage.run("config check").with(0);
}

#[test]
fn settings_come_from_flags_then_environment_then_file_then_defaults() {
    let stage = Stage::new()
        .set("BATCHTOP_RETRIES", "7")
        .set("BATCHTOP_PARALLEL", "");
    stage.write("c.toml", "[job]\nparallel = 3\nretries = 5\n");
    let printed = stage.run("config print --config c.toml").with(0).out;
    let line = |name: &str| {
        let found = printed.lines().find(|line| line.contains(name));
        found.unwrap_or_else(|| panic!("no `{name}` in {printed}"))
    };
    assert!(line("parallel").contains('3') && line("parallel").contains("c.toml"));
    assert!(line("retries").contains('7') && line("retries").contains("BATCHTOP_RETRIES"));
    stage.write("b.jsonl", batch(1));
    stage
        .run("enqueue b.jsonl --config c.toml --retries 9")
        .with(0);
    let job: Value = serde_json::from_str(&stage.run("show 1 --json").with(0).out).unwrap();
    assert_eq!(
        (&job["settings"]["retries"], &job["settings"]["parallel"]),
        (&9.into(), &3.into())
    );
}

#[test]
fn all_that_is_wrong_with_the_settings_is_said_at_once() {
    let stage = Stage::new();
    stage.write("c.toml", "[job]\nparalel = 3\nretries = \"many\"\n");
    stage
        .run("config check --config c.toml")
        .with(2)
        .saying("paralel")
        .saying("retries");
    stage
        .run("jobs --config none.toml")
        .with(2)
        .saying("none.toml");
    let typed = Stage::new().set("BATCHTOP_PARALLEL", "lots");
    typed.run("jobs").with(2).saying("BATCHTOP_PARALLEL");
}

#[test]
fn a_doctor_finds_what_is_well() {
    let stage = Stage::new();
    let told = stage.run("doctor").with(0);
    for words in [
        "Ollama 0.33.0",
        "1 installed: simulated:latest",
        "made when needed",
    ] {
        assert!(told.out.contains(words), "no `{words}` in {told:?}");
    }
    assert!(!stage.data().exists(), "looking makes nothing");
    let findings: Value = serde_json::from_str(&stage.run("doctor --json").with(0).out).unwrap();
    let states = findings.as_array().unwrap().iter().map(|f| &f["state"]);
    assert!(states.clone().count() >= 5 && states.into_iter().all(|state| state == "well"));
}

#[test]
fn a_doctor_finds_what_is_not() {
    let stage = Stage::new();
    stage.server_goes();
    let told = stage.run("doctor").with(2);
    for words in ["BAD", "does not answer", "ollama serve"] {
        assert!(told.out.contains(words), "no `{words}` in {told:?}");
    }
    let findings = stage.run("doctor --json").with(2).out;
    assert_eq!(json_lines(&findings).len(), 1);
}

#[test]
fn a_doctor_tells_who_works_the_queue() {
    let stage = Stage::new();
    let owner = stage.start("work --keep");
    crate::support::until("it owns the queue", || {
        stage.path("data/owner.json").exists().then_some(())
    });
    stage
        .run("doctor")
        .with(0)
        .printing(&format!("process {} works the queue", owner.id()));
    owner.kill();
}

#[test]
fn a_simulated_server_can_be_started_alone() {
    let stage = Stage::new();
    let script = r#"{"slots":2,"models":[{"name":"m"}],"faults":[{"when":{"nth":1},"do":"busy"}]}"#;
    stage.write("script.json", script);
    let server = stage.start("simulate --listen 127.0.0.1:0 --script script.json --log log.jsonl");
    let url = server.first_line();
    assert!(url.starts_with("http://127.0.0.1:"), "{url}");
    server.says("SIMULATED");
    stage.write("b.jsonl", batch(2));
    stage
        .run(&format!("run b.jsonl --model m --server {url}"))
        .with(0);
    server.signal(Signal::Interrupt);
    server.ends().with(0);
    let log = stage.lines("log.jsonl");
    assert!(log.iter().any(|entry| entry["fault"] == "busy"), "{log:?}");
    let answered = |entry: &&Value| entry["route"] == "chat" && entry["outcome"] == "answered";
    assert!(log.iter().filter(answered).count() >= 2);
    assert!(
        stage.server().log().is_empty(),
        "the other server was asked"
    );
}

#[test]
fn a_script_that_means_nothing_is_refused() {
    let stage = Stage::new();
    stage.write("script.json", r#"{"slotz":2}"#);
    stage
        .run("simulate --script script.json")
        .with(2)
        .saying("slotz")
        .saying("docs/FORMATS.md");
    stage
        .run("simulate --script none.json")
        .with(2)
        .saying("none.json");
    let taken = stage.server().address();
    stage
        .run(&format!("simulate --listen {taken}"))
        .with(2)
        .saying("--listen");
}

#[test]
fn the_server_is_found_as_ollama_finds_it() {
    let stage = Stage::new();
    let address = stage.server().address().to_string();
    let stage = stage
        .set("BATCHTOP_SERVER", "")
        .set("OLLAMA_HOST", &address);
    stage.run("doctor").with(0).printing(&address);
    stage.run("doctor --server http://127.0.0.1:1").with(2);
    stage.run("doctor --server ftp://x").with(2).printing("ftp");
}
