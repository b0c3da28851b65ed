//! Notifications over real connections: a webhook and a mail server of the test's own.

mod http;
mod smtp;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use batchtop::base::Stamp;
use batchtop::config::{Environment, Settings};
use batchtop::notify::{Notice, Ways, Went};
use serde_json::Value;

use self::http::{Answer, Hook};
use self::smtp::MailServer;
use crate::support::{Finished, Stage, batch};

/// Parts of secrets; none of them may be seen anywhere.
const SECRETS: [&str; 3] = ["u5er", "pa55word", "t0ken"];

fn address(hook: &Hook) -> String {
    format!(
        "http://u5er:pa55word@{}/hooks/t0ken?key=t0ken",
        hook.place()
    )
}

fn with_hook(hook: &Hook) -> Stage {
    Stage::new().set("BATCHTOP_NOTIFY_WEBHOOK", &address(hook))
}

#[track_caller]
fn assert_no_secret(text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "`{secret}` in {text}");
    }
}

#[track_caller]
fn assert_silent(finished: &Finished) {
    assert_no_secret(&finished.out);
    assert_no_secret(&finished.err);
}

fn logged(stage: &Stage) -> String {
    let files = fs::read_dir(stage.data().join("logs")).unwrap();
    files
        .map(|file| fs::read_to_string(file.unwrap().path()).unwrap())
        .collect()
}

#[test]
fn a_job_that_is_done_is_posted_and_what_may_pass_is_tried_again() {
    let hook = Hook::answering(&[Answer::Status(500), Answer::Status(204)]);
    let stage = with_hook(&hook);
    stage.write("b.jsonl", batch(3));
    let finished = stage.run("run b.jsonl --notify").with(0);
    assert_silent(&finished);
    let posts = hook.posts();
    assert_eq!(posts.len(), 2, "{posts:?}");
    assert_eq!(posts[0].body, posts[1].body);
    assert!(
        posts[0]
            .head
            .starts_with("POST /hooks/t0ken?key=t0ken HTTP/1.1")
    );
    assert!(
        posts[0]
            .head
            .to_lowercase()
            .contains("authorization: basic")
    );
    let mut payload: Value = serde_json::from_str(&posts[0].body).unwrap();
    assert!(payload["at"].as_str().unwrap().ends_with('Z'));
    assert!(
        payload["text"]
            .as_str()
            .unwrap()
            .contains("3 of 3 requests answered")
    );
    for (field, value) in [("at", "TIME"), ("version", "VERSION"), ("text", "TEXT")] {
        payload[field] = value.into();
    }
    payload["job"]["seconds"] = 0.into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&payload).unwrap());
}

#[test]
fn a_short_run_is_quiet_unless_it_is_asked_about() {
    let hook = Hook::answering(&[]);
    let stage = with_hook(&hook);
    stage.write("b.jsonl", batch(1));
    stage.run("run b.jsonl").with(0);
    assert_eq!(hook.posts().len(), 0);
}

#[test]
fn who_fails_fails_no_run_and_secrets_are_in_no_log() {
    let hook = Hook::answering(&[Answer::Status(404)]);
    let stage = with_hook(&hook);
    stage.write("b.jsonl", batch(1));
    let finished = stage.run("run b.jsonl --notify -vv").with(0);
    assert_silent(&finished);
    assert_eq!(hook.posts().len(), 1);
    let log = logged(&stage);
    assert!(log.contains("was not delivered"), "{log}");
    assert!(log.contains("answered 404"), "{log}");
    assert_no_secret(&log);
    let printed = stage.run("config print").with(0);
    assert_silent(&printed);
}

#[test]
fn a_hostile_name_reaches_nobody() {
    let hook = Hook::answering(&[Answer::Status(200)]);
    let stage = with_hook(&hook);
    stage.write("b.jsonl", batch(1));
    let name = "<!channel>\u{1b}[2J\u{202e}.jsonl";
    stage.write(name, batch(1));
    let mut command = stage.command("run --notify");
    command.arg(stage.path(name));
    crate::support::Running::start(&mut command, b"")
        .ends()
        .with(0);
    let body = &hook.posts()[0].body;
    let payload: Value = serde_json::from_str(body).unwrap();
    assert_eq!(payload["job"]["name"], "‹!channel›␛[2J·.jsonl");
    assert!(!body.contains(['<', '>', '\u{202e}']) && !body.contains("\\u001b"));
}

#[test]
fn a_test_goes_by_every_way_and_says_how_each_went() {
    let (hook, mail) = (
        Hook::answering(&[Answer::Status(200)]),
        MailServer::start(true),
    );
    let stage = with_mail(with_hook(&hook), &mail)
        .set("BATCHTOP_NOTIFY_BELL", "true")
        .set("BATCHTOP_NOTIFY_DESKTOP", "true");
    let finished = stage.run("notify test").with(0);
    assert_silent(&finished);
    assert_eq!(
        finished.out,
        "terminal  left out: standard error is no terminal\n\
         desktop   left out: there is no desktop here\n\
         webhook   sent\n\
         e-mail    sent\n"
    );
    assert_eq!(finished.err, "", "no bell where there is no terminal");
    let letter = mail.letter();
    assert!(letter.credentials.ends_with("\u{0}pa55word"), "{letter:?}");
    assert_eq!(
        letter.to,
        ["RCPT TO:<a@example.com>", "RCPT TO:<b@example.com>"]
    );
    assert!(
        letter
            .text
            .contains("Subject: batchtop: a test of batchtop\r\n")
    );
    assert!(
        letter
            .text
            .contains("From: batchtop <from@example.com>\r\n")
    );
}

#[test]
fn a_test_that_fails_says_so() {
    let (hook, mail) = (
        Hook::answering(&[Answer::Status(403)]),
        MailServer::start(false),
    );
    let finished = with_mail(with_hook(&hook), &mail)
        .run("notify test")
        .with(2);
    assert_silent(&finished);
    assert_eq!(
        finished.out,
        format!(
            "webhook   FAILED: http://{} answered 403\ne-mail    FAILED: 127.0.0.1 answered 535\n",
            hook.place()
        )
    );
    Stage::new()
        .run("notify test")
        .with(2)
        .saying("no way to notify is switched on");
}

#[tokio::test]
async fn a_server_that_hangs_is_not_waited_for() {
    let hook = Hook::answering(&[Answer::Hang]);
    let environment: Environment = [("BATCHTOP_NOTIFY_WEBHOOK", address(&hook))]
        .into_iter()
        .collect();
    let ways = Ways::of(&Settings::default(), &environment, Path::new(".")).unwrap();
    let notice = Notice::test(Stamp(0));
    let trials = ways.test(&notice, Duration::from_millis(100)).await;
    assert_eq!(
        trials[0].went,
        Went::Failed("no answer within 100 ms".into())
    );
    assert_no_secret(&format!("{ways:?} {trials:?}"));
}

#[test]
fn files_of_secrets_are_refused_where_others_may_read_them() {
    let stage = Stage::new()
        .set("BATCHTOP_NOTIFY_WEBHOOK_FILE", "hook")
        .set("BATCHTOP_CONFIG", "c.toml");
    stage.write("c.toml", "");
    stage.write("b.jsonl", batch(1));
    let path = stage.write("hook", "http://127.0.0.1:9/t0ken");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    for command in ["run b.jsonl", "work", "notify test", "config check"] {
        let finished = stage.run(command).with(2);
        assert!(finished.err.contains("hint: `chmod 600"), "{finished:?}");
        assert_silent(&finished);
    }
    assert_eq!(stage.asked().len(), 0);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    stage.run("config check").with(0);
    stage.run("run b.jsonl").with(0);
}

#[test]
fn mail_that_cannot_work_is_refused_before_anything_runs() {
    let stage = |settings: &[(&str, &str)]| {
        let all = Stage::new().set("BATCHTOP_NOTIFY_SMTP_HOST", "mail.example.com");
        settings.iter().fold(all, |stage, (name, value)| {
            stage.set(&format!("BATCHTOP_NOTIFY_SMTP_{name}"), value)
        })
    };
    let people = [("FROM", "a@example.com"), ("TO", "b@example.com")];
    let check = |more: &[(&str, &str)], what: &str| {
        let settings = [&people, more].concat();
        let finished = stage(&settings).run("config check").with(2).saying(what);
        assert_silent(&finished);
    };
    stage(&[])
        .run("config check")
        .with(2)
        .saying("notify.smtp_from is not set");
    check(&[("TO", "nobody")], "`nobody` of notify.smtp_to");
    check(&[("USER", "me")], "there is no password");
    check(
        &[
            ("USER", "me"),
            ("PASSWORD", "pa55word"),
            ("SECURITY", "none"),
        ],
        "not sent to another machine without TLS",
    );
}

/// With a password in a file that only its owner may read.
fn with_mail(stage: Stage, mail: &MailServer) -> Stage {
    let path = stage.write("password", "pa55word\n");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let password = path.to_string_lossy().into_owned();
    [
        ("HOST", "127.0.0.1"),
        ("PORT", &mail.port().to_string()),
        ("SECURITY", "none"),
        ("FROM", "batchtop <from@example.com>"),
        ("TO", "a@example.com, b@example.com"),
        ("USER", "me"),
        ("PASSWORD_FILE", &password),
    ]
    .into_iter()
    .fold(stage, |stage, (name, value)| {
        stage.set(&format!("BATCHTOP_NOTIFY_SMTP_{name}"), value)
    })
}
