//! All faults of the simulated server at once, at rates that a die decides. What is stored in the
//! end is what the server knows it answered.
//!
//! `BATCHTOP_LONG=1` asks ten thousand requests (`docs/TESTING.md`).

use std::collections::{BTreeMap, BTreeSet};

use batchtop::simulator::{Answers, Fault, Length, Outcome, Script, When};
use rstest::rstest;

use crate::support::{Dice, Stage, batch, seed, times};

/// Every kind of fault as a script says it, and how often it may happen in the long form: those
/// that cost seconds happen once in the short one.
const KINDS: &[(&str, Option<usize>)] = &[
    (r#""refuse""#, None),
    (r#""reset""#, None),
    (r#""busy""#, None),
    (r#"{"error":{"status":500,"text":"boom"}}"#, None),
    (r#"{"error":{"status":400,"text":"no such thing"}}"#, None),
    (
        r#"{"llama_error":{"status":500,"type":"server_error","message":"decode failed"}}"#,
        None,
    ),
    (r#"{"runner_crash":{"after_tokens":2}}"#, Some(12)),
    (r#""out_of_memory_at_load""#, Some(1)),
    (r#"{"out_of_memory_in_run":{"after_tokens":1}}"#, Some(2)),
    (r#"{"hang_before_first_byte":{}}"#, Some(1)),
    (
        r#"{"hang_before_first_byte":{"stuck_runner":true}}"#,
        Some(1),
    ),
    (r#"{"hang_mid_stream":{"after_tokens":3}}"#, Some(1)),
    (r#"{"end_without_done":{"after_tokens":3}}"#, None),
    (r#"{"reset_mid_stream":{"after_tokens":3}}"#, None),
    (
        r#"{"error_line":{"after_tokens":2,"text":"something broke"}}"#,
        None,
    ),
    (
        r#"{"garbage_line":{"after_tokens":2,"text":"<html>a proxy</html>"}}"#,
        None,
    ),
    (r#"{"repeat_guard":{"newer":false}}"#, None),
    (r#"{"repeat_guard":{"newer":true}}"#, None),
    (r#"{"huge":{"bytes":200000,"chunk_bytes":10000}}"#, Some(8)),
    (r#"{"slow_drip":{"ms":2}}"#, None),
    (r#"{"endless":{"text":"on and ","ms":20}}"#, Some(1)),
    (r#"{"foreign_reload":{"num_ctx":512}}"#, Some(6)),
    (r#"{"restart":{"version":"0.34.1"}}"#, Some(3)),
    (r#"{"outage":{"ms":150}}"#, Some(3)),
];

/// Each kind with a rate of its own, one in a thousand to two in a hundred.
fn faults(seed: u64) -> Vec<Fault> {
    let mut dice = Dice::new(seed);
    let mut fault = |(action, often): &(&str, Option<usize>)| Fault {
        when: When {
            probability: Some((1 + dice.below(20)) as f64 / 1_000.0),
            seed: dice.below(1_000_000) as u64,
            times: often.map(|often| times(1, often) as u64),
            ..When::default()
        },
        action: serde_json::from_str(action).unwrap(),
    };
    KINDS.iter().map(&mut fault).collect()
}

fn names(stage: &Stage, file: &str) -> Vec<String> {
    let lines = stage.lines(file).into_iter();
    lines
        .map(|line| line["custom_id"].as_str().unwrap().to_owned())
        .collect()
}

#[rstest]
#[case(1)]
#[case(29)]
#[case(20_261_121)]
fn what_is_stored_is_what_the_server_answered(#[case] usual: u64) {
    let seed = seed(usual);
    let requests = times(400, 10_000);
    let stage = Stage::with(Script {
        slots: 4,
        answers: Answers {
            tokens: Length::Between { min: 4, max: 12 },
            ..Answers::default()
        },
        faults: faults(seed),
        marker_prefix: Some("r".to_owned()),
        ..Script::instant()
    });
    stage.write("b.jsonl", batch(requests));
    stage.write(
        "limits.toml",
        "[server]\nfirst_byte_timeout = \"1s\"\nidle_timeout = \"1s\"\n",
    );
    let command = "run b.jsonl --parallel 8 --timeout 2s --config limits.toml";
    // Want of memory pauses the job, three times at most.
    let ended = (0..8).find_map(|_| stage.run(command).code.filter(|code| *code < 2));
    let answers = names(&stage, "b.results.jsonl");
    let errors = names(&stage, "b.errors.jsonl");
    assert_eq!(ended, Some(u8::from(!errors.is_empty()).into()));
    let expected: BTreeSet<String> = (1..=requests).map(|number| format!("r{number}")).collect();
    assert_eq!(answers.len() + errors.len(), requests);
    let all: BTreeSet<String> = answers.iter().chain(&errors).cloned().collect();
    assert_eq!(all, expected);
    assert_eq!(
        answers.into_iter().collect::<BTreeSet<_>>(),
        answered_last(&stage)
    );
}

/// The requests whose last word from the server was an answer. One that was lost on its way, with
/// a server that was started anew, is asked for again and may be refused then.
fn answered_last(stage: &Stage) -> BTreeSet<String> {
    let mut last = BTreeMap::new();
    for entry in stage.server().log() {
        if let Some(marker) = entry.marker {
            last.insert(marker, entry.outcome);
        }
    }
    let answered = last
        .into_iter()
        .filter(|(_, end)| *end == Outcome::Answered);
    answered.map(|(marker, _)| marker).collect()
}
