//! The guide is typed from beginning to end, and says what the program says.

use std::path::Path;

use batchtop::simulator::{ModelScript, Script};

use crate::support::{Running, Stage};

/// A command of the guide and the lines below it.
struct Step {
    command: String,
    shown: Vec<String>,
}

fn steps() -> Vec<Step> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/GUIDE.md");
    let text = std::fs::read_to_string(path).unwrap();
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = !inside && line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            let (command, shown) = (command.to_owned(), Vec::new());
            steps.push(Step { command, shown });
        } else if inside {
            steps.last_mut().unwrap().shown.push(line.to_owned());
        }
    }
    steps
}

/// The same over the simulated server, whose figures are kept and believed only when asked for.
fn runnable(command: &str) -> String {
    let more = if command.starts_with("batchtop bench") {
        " --keep-simulated"
    } else if command.starts_with("batchtop estimate") {
        " --simulated"
    } else {
        ""
    };
    command.to_owned() + more
}

/// Whether the pieces of a line, between its dots, stand behind each other in a line of the text.
fn is_said(shown: &str, said: &str) -> bool {
    said.lines().any(|line| {
        let mut rest = line;
        shown.split('…').map(str::trim).all(|piece| {
            let found = rest.split_once(piece);
            rest = found.map_or("", |(_, behind)| behind);
            found.is_some()
        })
    })
}

#[test]
fn every_step_of_the_guide_works_and_says_what_is_shown() {
    let stage = Stage::with(Script {
        models: vec![ModelScript {
            name: "gemma3:12b".to_owned(),
            ..ModelScript::default()
        }],
        ..Script::instant()
    });
    let folder = Stage::binary().parent().unwrap().display();
    let path = format!("{folder}:/usr/bin:/bin");
    let steps = steps();
    assert!(steps.len() >= 10, "only {} steps were found", steps.len());
    for step in steps {
        let mut shell = stage.process("/bin/sh");
        shell
            .args(["-c", &runnable(&step.command)])
            .env("PATH", &path);
        let finished = Running::start(&mut shell, b"").ends().with(0);
        let said = format!("{}\n{}", finished.out, finished.err);
        for shown in &step.shown {
            assert!(
                is_said(shown, &said),
                "`{}` does not say `{shown}`: {finished:?}",
                step.command
            );
        }
    }
    // Whether the candidates' own words stand beside their scores.
    assert!(stage.read("scores.csv").contains("request.prompt"));
    assert!(stage.read("report.html").contains("<svg"));
}
