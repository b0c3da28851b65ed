//! `report`: what is written of a job, in the middle of a run and at its end.

use batchtop::simulator::{Action, Script};
use serde_json::Value;

use crate::support::{Running, Stage, batch, marked, until};

fn refusing() -> Stage {
    let refusal = Action::Error {
        status: 400,
        text: "no <script> for you".into(),
    };
    let stage = Stage::failing([marked("r2", refusal)]);
    stage.write("b.jsonl", batch(6));
    stage
}

#[test]
fn a_run_writes_its_report_at_the_end() {
    let stage = refusing();
    stage
        .run("run b.jsonl --report html")
        .with(1)
        .saying("the report is in ")
        .saying("b.report.html");
    let page = stage.read("b.report.html");
    assert!(page.contains("no &lt;script&gt; for you") && page.contains("<svg"));
    stage.run("run b.jsonl --report out.md").with(1);
    assert!(stage.read("out.md").starts_with("# Job 1: b.jsonl\n"));
}

#[test]
fn a_setting_asks_for_it_too() {
    let stage = refusing().set("BATCHTOP_REPORT", "csv");
    stage.run("run b.jsonl").with(1);
    assert!(stage.read("b.report.csv").starts_with("at,seconds,"));
    let stage = refusing().set("BATCHTOP_REPORT", "pdf");
    stage
        .run("run b.jsonl")
        .with(2)
        .saying("`pdf` is no form of a report");
}

#[test]
fn the_queue_is_worked_off_with_a_report_on_each_job_that_ended_meanwhile() {
    let stage = Stage::new();
    stage.write("old.jsonl", batch(1));
    stage.run("run old.jsonl").with(0);
    for name in ["a.jsonl", "b.jsonl"] {
        stage.write(name, batch(3));
        stage.run(&format!("enqueue {name}")).with(0);
    }
    stage
        .run("work --report md")
        .with(0)
        .saying("a.report.md")
        .saying("b.report.md");
    assert!(stage.read("b.report.md").starts_with("# Job 3: b.jsonl\n"));
    assert!(!stage.path("old.report.md").exists());
}

#[test]
fn every_form_says_what_ran() {
    let stage = refusing();
    stage.run("run b.jsonl").with(1);
    stage
        .run("report 1")
        .with(0)
        .printing("| Failed | 1 (16.7 %) |")
        .printing("refused");
    let json: Value =
        serde_json::from_str(&stage.run("report 1 --format json").with(0).out).unwrap();
    assert_eq!(json["job"]["done"], 5);
    assert_eq!(json["results"]["answers"], 5);
    assert_eq!(json["ran_on"][0]["model"], "simulated:latest");
    assert!(
        json["ran_on"][0]["digest"].is_string(),
        "{}",
        json["ran_on"]
    );
    assert!(
        json["ran_on"][0]["server_version"].is_string(),
        "{}",
        json["ran_on"]
    );
    assert_eq!(
        json["attempts"],
        serde_json::json!([{"class": "refused", "count": 1}])
    );
    let ended: u64 = json["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["answered"].as_u64().unwrap() + one["failed"].as_u64().unwrap())
        .sum();
    assert_eq!(ended, 6);
    stage
        .run("report b -o r.html")
        .with(0)
        .saying("the report is in r.html");
    stage
        .run("report b -o r.pdf")
        .with(2)
        .saying("names no form of a report");
    stage.run("report 9").with(2).saying("no job is called `9`");
}

#[test]
fn the_command_in_a_report_runs_the_same_again() {
    let stage = Stage::new();
    stage.write("a 'b'.jsonl", batch(6));
    let mut run = stage.command(
        "run --num-ctx 4096 --parallel 2 --retries 1 --timeout 5m --limit 3 --max-tokens 77 \
         --skip-invalid --allow-spill --trim-interval 7 --safe-share 80%",
    );
    run.arg("a 'b'.jsonl");
    Running::start(&mut run, b"").ends().with(0);
    let page = stage.run("report 1").with(0).out;
    let command = page.lines().find(|line| line.starts_with("batchtop run"));
    let command = command.expect("a command");
    let folder = Stage::binary().parent().unwrap().display();
    let mut shell = stage.process("/bin/sh");
    shell
        .args(["-c", command])
        .env("PATH", format!("{folder}:/usr/bin:/bin"));
    Running::start(&mut shell, b"").ends().with(0);
    let job = |number: u32| -> Value {
        let out = stage.run(&format!("report {number} --format json")).out;
        serde_json::from_str::<Value>(&out).unwrap()["job"].take()
    };
    let (first, again) = (job(1), job(2));
    assert_eq!(first["settings"], again["settings"], "{command}");
    assert_eq!(first["source"]["blake3"], again["source"]["blake3"]);
    assert_eq!(again["done"], 3);
}

#[test]
fn a_report_is_written_in_the_middle_of_a_run() {
    let stage = Stage::failing([marked(
        "r5 is",
        Action::HangBeforeFirstByte {
            stuck_runner: false,
        },
    )]);
    stage.write("b.jsonl", batch(8));
    let running = stage.start("run b.jsonl --parallel 2");
    until("all but one are done", || {
        let json = stage.run("report 1 --format json").out;
        let json: Value = serde_json::from_str(&json).ok()?;
        (json["job"]["done"] == 7).then_some(())
    });
    stage
        .run("report 1")
        .with(0)
        .printing("| Without an end yet | 1 (12.5 %) |")
        .printing("The job is not over");
    stage.play(Script::instant());
    running.kill();
}
