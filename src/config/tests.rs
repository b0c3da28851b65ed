use std::path::PathBuf;
use std::time::Duration;

use proptest::prelude::*;
use rstest::rstest;

use super::*;
use crate::model::{GuardLimits, JobSettings, Parallel};

fn nothing() -> Environment {
    Environment::default()
}

fn file(text: &str) -> (PathBuf, String) {
    (PathBuf::from("/etc/batchtop.toml"), text.to_owned())
}

fn load_file(text: &str) -> Result<Loaded, Vec<String>> {
    load(Layer::default(), &nothing(), Some(file(text)))
        .map_err(|all| all.iter().map(ToString::to_string).collect())
}

fn complaints(text: &str) -> Vec<String> {
    load_file(text).expect_err("this file is wrong")
}

fn secret_file(name: &str) -> SecretFile {
    parse(name, &()).unwrap()
}

#[test]
fn a_secret_in_the_place_of_its_file_is_refused_without_being_repeated() {
    let wrong = complaints("[notify]\nwebhook_file = 'https://hooks.example.com/t0ken'").join("");
    assert!(wrong.contains("notify.webhook_file"), "{wrong}");
    assert!(!wrong.contains("t0ken"), "{wrong}");
}

#[test]
fn secrets_of_the_environment_are_used_and_never_shown() {
    let names = ["BATCHTOP_NOTIFY_WEBHOOK", "BATCHTOP_NOTIFY_SMTP_PASSWORD"];
    let environment: Environment = names.map(|name| (name, "s3cret")).into_iter().collect();
    let webhook = environment.webhook().unwrap().unwrap();
    assert_eq!(webhook.reveal(), "s3cret");
    assert!(environment.smtp_password().unwrap().is_some());
    let loaded = load(Layer::default(), &environment, None).unwrap();
    assert_eq!(loaded.warnings, []);
    let seen = format!("{environment:?} {loaded:?} {}", print(&loaded));
    assert!(!seen.contains("s3cret"), "{seen}");
}

/// The default file with its commented settings in force.
fn uncommented() -> String {
    let known = |line: &str| {
        KEYS.iter().any(|key| {
            let name = key.path.rsplit('.').next().expect("a path has a name");
            line.starts_with(&format!("#{name} = "))
        })
    };
    default_file()
        .lines()
        .map(|line| if known(line) { &line[1..] } else { line })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_default_file_says_what_is_built_in() {
    let loaded = load_file(default_file()).unwrap();
    assert_eq!(loaded.settings, Settings::default());
}

#[test]
fn every_setting_is_in_the_default_file_with_its_default() {
    let all = load_file(&uncommented()).unwrap();
    for key in KEYS {
        assert!(
            matches!(all.origin(key.path), Origin::File { .. }),
            "{} is missing",
            key.path
        );
        assert!(
            default_file().contains(key.variable),
            "{} is missing",
            key.variable
        );
    }
    let examples = Settings {
        model: Some("gemma3:12b".into()),
        num_ctx: Some(8192),
        power: Some(300),
        hours: Some("22:00-07:00".parse().unwrap()),
        report: Some(crate::model::ReportTo::Beside(crate::model::Format::Html)),
        energy_price: "0.30".parse().ok(),
        cloud_prompt_price: "0.15".parse().ok(),
        cloud_answer_price: "0.60".parse().ok(),
        webhook_file: Some(secret_file("webhook")),
        smtp_host: Some("mail.example.com".into()),
        smtp_port: Some(465),
        smtp_from: Some("batchtop <batchtop@example.com>".into()),
        smtp_to: Some("me@example.com".into()),
        smtp_user: Some("batchtop@example.com".into()),
        smtp_password_file: Some(secret_file("smtp-password")),
        ..Settings::default()
    };
    assert_eq!(all.settings, examples);
}

#[test]
fn the_default_file_leaves_ollama_host_in_force() {
    let environment = [("OLLAMA_HOST", "gpu:11434")].into_iter().collect();
    let loaded = load(Layer::default(), &environment, Some(file(default_file()))).unwrap();
    assert_eq!(loaded.settings.server.as_given(), "gpu:11434");
}

#[test]
fn every_variable_is_the_prefix_and_a_name() {
    for key in KEYS {
        let environment = [(key.variable, "\u{1}")].into_iter().collect();
        let read = load(Layer::default(), &environment, None);
        match read {
            Ok(loaded) => assert_eq!(
                loaded.origin(key.path),
                Origin::Environment(key.variable.into())
            ),
            Err(problems) => assert_eq!(problems[0].setting.as_deref(), Some(key.path)),
        }
        assert!(key.variable.starts_with("BATCHTOP_"));
    }
}

#[test]
fn a_job_starts_from_the_model_s_defaults() {
    assert_eq!(Settings::default().job(), JobSettings::default());
    let loaded = load_file("[job]\nmodel = 'm'\nnum_ctx = 5\nskip_invalid = true").unwrap();
    let expected = JobSettings {
        model: Some("m".into()),
        num_ctx: Some(5),
        skip_invalid: true,
        ..JobSettings::default()
    };
    assert_eq!(loaded.settings.job(), expected);
}

#[rstest]
#[case(Some(8), Some("4"), "parallel = 2", Some(8), "flag")]
#[case(
    None,
    Some("4"),
    "parallel = 2",
    Some(4),
    "environment BATCHTOP_PARALLEL"
)]
#[case(None, Some(""), "parallel = 2", Some(2), "file /etc/batchtop.toml:2")]
#[case(None, None, "parallel = 2", Some(2), "file /etc/batchtop.toml:2")]
#[case(
    None,
    Some("auto"),
    "parallel = 2",
    None,
    "environment BATCHTOP_PARALLEL"
)]
#[case(None, None, "", None, "default")]
fn flags_go_before_environment_before_file_before_defaults(
    #[case] flag: Option<u32>,
    #[case] variable: Option<&str>,
    #[case] line: &str,
    #[case] parallel: Option<u32>,
    #[case] origin: &str,
) {
    let flags = Layer {
        parallel: flag.map(Parallel::Fixed).map(Sourced::flag),
        ..Layer::default()
    };
    let environment = variable
        .map(|value| ("BATCHTOP_PARALLEL", value))
        .into_iter()
        .collect();
    let loaded = load(flags, &environment, Some(file(&format!("[job]\n{line}")))).unwrap();
    assert_eq!(loaded.settings.parallel.fixed(), parallel);
    assert_eq!(loaded.origin("job.parallel").to_string(), origin);
}

#[rstest]
#[case(&[("BATCHTOP_SERVER", "a"), ("OLLAMA_HOST", "b")], "url = 'c'", "a")]
#[case(&[("OLLAMA_HOST", "b")], "url = 'c'", "c")]
#[case(&[("OLLAMA_HOST", "'b:1' ")], "", "'b:1' ")]
#[case(&[("OLLAMA_HOST", "")], "", "http://127.0.0.1:11434")]
fn ollama_host_comes_last_before_the_default_and_is_left_as_it_is(
    #[case] variables: &[(&str, &str)],
    #[case] line: &str,
    #[case] server: &str,
) {
    let environment = variables.iter().copied().collect();
    let text = format!("[server]\n{line}");
    let loaded = load(Layer::default(), &environment, Some(file(&text))).unwrap();
    assert_eq!(loaded.settings.server.as_given(), server);
}

#[rstest]
#[case::slip(
    "[job]\nnum_ctxt = 5",
    "2:1: job.num_ctxt: means nothing; did you mean `num_ctx`?"
)]
#[case::no_table(
    "num_ctx = 5",
    "1:1: num_ctx: means nothing; did you mean `num_ctx` in `[job]`?"
)]
#[case::other_table(
    "[server]\nretries = 5",
    "2:1: server.retries: means nothing; did you mean `retries` in `[job]`?"
)]
#[case::wrong_table(
    "[jobs]\nretries = 5",
    "1:2: jobs: means nothing; did you mean `[job]`?"
)]
#[case::nonsense("[job]\nxyzzy = 5", "2:1: job.xyzzy: means nothing")]
#[case::no_such_table(
    "job = 3",
    "1:7: job: a number is not a table; write `[job]` on a line of its own"
)]
#[case::quoted(
    "[job]\nparallel = '4'",
    "2:12: job.parallel: `4` is not a whole number; write it without quotes, or `auto`"
)]
#[case::zero(
    "[job]\nparallel = 0",
    "2:12: job.parallel: `0` is not between 1 and 4,096; or write `auto`"
)]
#[case::negative(
    "[job]\nretries = -1",
    "2:11: job.retries: `-1` is not between 0 and 1,000"
)]
#[case::huge(
    "[job]\nretries = 99999999999999999999",
    "2:11: job.retries: a number beyond all limits is not a whole number; write digits only"
)]
#[case::fraction(
    "[job]\nretries = 1.5",
    "2:11: job.retries: `1.5` is not a whole number; write digits only"
)]
#[case::no_unit(
    "[job]\ntimeout = '30'",
    "2:11: job.timeout: `30` is not a length of time; write a number with its unit, such as `30s`, `10m` or `1h 30m`"
)]
#[case::bare_time(
    "[job]\ntimeout = 30",
    "2:11: job.timeout: `30` is not a length of time; write a number with its unit, such as `30s`, `10m` or `1h 30m`, in quotes"
)]
#[case::no_time(
    "[job]\ntimeout = '0s'",
    "2:11: job.timeout: `0s` is not between 1ms and 30days"
)]
#[case::switch(
    "[job]\nskip_invalid = 'yes'",
    "2:16: job.skip_invalid: `yes` is not a switch; write `true` or `false`, without quotes"
)]
#[case::word(
    "[output]\ncolor = 'allways'",
    "2:9: output.color: `allways` is none of `auto`, `always`, `never`; did you mean `always`?"
)]
#[case::empty(
    "[job]\nmodel = ''",
    "2:9: job.model: is empty; leave it out where nothing is meant"
)]
#[case::list(
    "[job]\nmodel = ['a']",
    "2:9: job.model: a list is not text; write it in quotes"
)]
#[case::control("[job]\n\"a\\u001b\" = 1", "2:1: job.a␛: means nothing")]
fn a_problem_names_place_setting_and_cure(#[case] text: &str, #[case] expected: &str) {
    assert_eq!(complaints(text), [format!("/etc/batchtop.toml:{expected}")]);
}

#[test]
fn all_problems_are_told_in_the_order_of_the_file_after_those_of_the_environment() {
    let environment = [
        ("BATCHTOP_PARALLEL", "many"),
        ("BATCHTOP_SKIP_INVALID", "2"),
    ]
    .into_iter()
    .collect();
    let text = "[job]\nretries = -1\nmodl = 'x'\n[log]\nlevel = 'loud'\n[job2]\n";
    let problems = load(Layer::default(), &environment, Some(file(text))).unwrap_err();
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "environment BATCHTOP_PARALLEL: job.parallel: `many` is not a whole number; write digits only, or `auto`",
            "environment BATCHTOP_SKIP_INVALID: job.skip_invalid: `2` is not a switch; write `true` or `false`",
            "/etc/batchtop.toml:2:11: job.retries: `-1` is not between 0 and 1,000",
            "/etc/batchtop.toml:3:1: job.modl: means nothing; did you mean `model`?",
            "/etc/batchtop.toml:5:9: log.level: `loud` is none of `error`, `warn`, `info`, `debug`, `trace`",
            "/etc/batchtop.toml:6:2: job2: means nothing; did you mean `[job]`?",
        ]
    );
}

#[test]
fn a_file_that_is_no_toml_is_said_to_be_none_without_quoting_it() {
    let told = complaints("[server]\nurl = \"http://me:secret@gpu\nx\n[job\n");
    assert!(told.len() >= 2, "{told:#?}");
    assert!(told[0].starts_with("/etc/batchtop.toml:2:"), "{told:#?}");
    assert!(
        told.iter()
            .all(|one| one.contains("is no TOML") && !one.contains("secret"))
    );
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_text_is_a_problem() {
    use std::os::unix::ffi::OsStringExt;
    let bytes = || std::ffi::OsString::from_vec(vec![0xff]);
    let environment = [("BATCHTOP_MODEL", bytes()), ("OLLAMA_HOST", bytes())]
        .into_iter()
        .collect();
    let problems = load(Layer::default(), &environment, None).unwrap_err();
    assert_eq!(problems.len(), 2);
    assert!(problems[0].to_string().contains("is not UTF-8 text"));
}

#[test]
fn a_variable_that_means_nothing_is_a_warning() {
    let names = [
        "BATCHTOP_PARALEL",
        "BATCHTOP_DATADIR",
        "BATCHTOP_XYZ",
        "BATCHTOP_DATA_DIR",
    ];
    let environment = names.map(|name| (name, "4")).into_iter().collect();
    let loaded = load(Layer::default(), &environment, None).unwrap();
    let told: Vec<_> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "environment BATCHTOP_DATADIR: means nothing and is ignored; did you mean `BATCHTOP_DATA_DIR`?",
            "environment BATCHTOP_PARALEL: means nothing and is ignored; did you mean `BATCHTOP_PARALLEL`?",
            "environment BATCHTOP_XYZ: means nothing and is ignored",
        ]
    );
}

#[rstest]
#[case("http://me:secret@gpu:11434/x", "http://gpu:11434/x")]
#[case("http://me:sec/ret@gpu", "http://gpu")]
#[case("http://me:sec@ret@gpu", "http://gpu")]
#[case("me:secret@gpu", "gpu")]
#[case("me:se://cret@gpu", "gpu")]
#[case("s@e://c@gpu", "gpu")]
#[case("https://gpu", "https://gpu")]
#[case(":1234", ":1234")]
fn passwords_are_never_shown(#[case] given: &str, #[case] expected: &str) {
    let address = Address::new(given);
    assert_eq!(address.to_string(), expected);
    assert!(!format!("{address:?}").contains("cret"));
    assert_eq!(address.as_given(), given);
}

#[test]
fn what_is_in_force_is_printed_with_its_origin() {
    let flags = Layer {
        model: Some(Sourced::flag(Some("gemma3:12b".into()))),
        ..Layer::default()
    };
    let variables = [
        ("BATCHTOP_SERVER", "http://me:secret@gpu"),
        ("BATCHTOP_COLOR", "never"),
    ];
    let text = "[job]\n\nparallel = 8\ntimeout = \"1h 30m\"";
    let loaded = load(flags, &variables.into_iter().collect(), Some(file(text))).unwrap();
    insta::assert_snapshot!(print(&loaded));
}

#[test]
fn a_path_with_control_characters_cannot_break_out_of_its_comment() {
    let text = "[job]\nparallel = 8".to_owned();
    let odd = Some((PathBuf::from("/tmp/a\nparallel = 3"), text));
    let loaded = load(Layer::default(), &nothing(), odd).unwrap();
    let again = load_file(&print(&loaded)).unwrap();
    assert_eq!(again.settings, loaded.settings);
}

fn platform() -> Platform {
    Platform {
        data: PathBuf::from("/home/ann/.local/share/batchtop"),
        config: PathBuf::from("/home/ann/.config/batchtop"),
    }
}

#[rstest]
#[case::flag(Some("/flag"), &[("BATCHTOP_DATA_DIR", "/variable")], "/flag")]
#[case::variable(None, &[("BATCHTOP_DATA_DIR", "/variable")], "/variable")]
#[case::platform(None, &[], "/home/ann/.local/share/batchtop")]
fn the_data_folder_is_named_or_the_platform_s(
    #[case] flag: Option<&str>,
    #[case] variables: &[(&str, &str)],
    #[case] expected: &str,
) {
    let flags = PathFlags {
        data_dir: flag.map(PathBuf::from),
        config: None,
    };
    let paths = Paths::find(
        flags,
        &variables.iter().copied().collect(),
        Some(platform()),
    )
    .unwrap();
    assert_eq!(paths.data, PathBuf::from(expected));
    assert_eq!(paths.logs, paths.data.join("logs"));
    assert_eq!(
        paths.config,
        ConfigFile {
            path: PathBuf::from("/home/ann/.config/batchtop/config.toml"),
            named: false
        }
    );
}

#[rstest]
#[case::flag(Some("/flag.toml"), &[("BATCHTOP_CONFIG", "/variable.toml")], "/flag.toml")]
#[case::variable(None, &[("BATCHTOP_CONFIG", "/variable.toml")], "/variable.toml")]
fn a_settings_file_that_is_named_must_be_there(
    #[case] flag: Option<&str>,
    #[case] variables: &[(&str, &str)],
    #[case] expected: &str,
) {
    let flags = PathFlags {
        data_dir: None,
        config: flag.map(PathBuf::from),
    };
    let paths = Paths::find(
        flags,
        &variables.iter().copied().collect(),
        Some(platform()),
    )
    .unwrap();
    assert_eq!(paths.config.path, PathBuf::from(expected));
    let error = read_file(&paths.config).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn without_a_home_a_folder_must_be_named() {
    let error = Paths::find(PathFlags::default(), &nothing(), None).unwrap_err();
    assert!(error.to_string().contains("--data-dir"));
    let environment = [("BATCHTOP_DATA_DIR", "/data")].into_iter().collect();
    let paths = Paths::find(PathFlags::default(), &environment, None).unwrap();
    assert_eq!(paths.config.path, PathBuf::from("/data/config.toml"));
    assert!(!paths.config.named);
}

#[test]
fn a_settings_file_is_read_or_the_reason_told() {
    let folder = tempfile::tempdir().unwrap();
    let read = |name: &str, bytes: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        read_file(&ConfigFile { path, named: false })
    };
    assert!(read("missing.toml", None).unwrap().is_none());
    let (_, text) = read("good.toml", Some(b"[job]")).unwrap().unwrap();
    assert_eq!(text, "[job]");
    let long = vec![b'#'; MAX_FILE_BYTES as usize + 1];
    assert!(matches!(
        read("long.toml", Some(&long)),
        Err(FileError::TooLong { .. })
    ));
    let bytes = read("bytes.toml", Some(b"ab\xff"));
    assert!(matches!(bytes, Err(FileError::NotText { offset: 2, .. })));
    assert!(matches!(read("", None), Err(FileError::Unreadable { .. })));
}

#[rstest]
#[case(&[("NO_COLOR", "1")], (true, false, false))]
#[case(&[("NO_COLOR", "")], (false, false, false))]
#[case(&[("CLICOLOR_FORCE", "1")], (false, true, false))]
#[case(&[("CLICOLOR_FORCE", "0")], (false, false, false))]
#[case(&[("TERM", "dumb")], (false, false, true))]
#[case(&[("TERM", "xterm")], (false, false, false))]
fn colour_variables_are_obeyed(
    #[case] variables: &[(&str, &str)],
    #[case] expected: (bool, bool, bool),
) {
    let environment: Environment = variables.iter().copied().collect();
    let found = (
        environment.no_color(),
        environment.forces_color(),
        environment.has_dumb_terminal(),
    );
    assert_eq!(found, expected);
}

#[test]
fn only_variables_that_mean_something_are_kept() {
    let environment: Environment = [("PATH", "/bin"), ("AWS_SECRET", "x")]
        .into_iter()
        .collect();
    assert_eq!(environment, nothing());
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(text in "(\\[(job|server|log)\\]\n)?([a-z_.\"'\\[\\]{}=0-9 \n-]|\\PC){0,80}") {
        let _ = load_file(&text);
    }

    #[test]
    fn no_value_makes_it_panic(value in "[\"']?\\PC{0,12}[\"']?") {
        for key in KEYS {
            let _ = load_file(&format!("{} = {value}", key.path));
            let environment = [(key.variable, value.clone())].into_iter().collect();
            let _ = load(Layer::default(), &environment, None);
        }
    }

    #[test]
    fn what_is_printed_can_be_read_again(
        parallel in limits::PARALLEL,
        window in proptest::option::of(limits::NUM_CTX),
        millis in 1u64..2_592_000_000,
        model in proptest::option::of("[^ \\pC]\\PC{0,20}[^ \\pC]"),
    ) {
        let flags = Layer {
            parallel: Some(Sourced::flag(Parallel::lanes(parallel))),
            num_ctx: Some(Sourced::flag(window)),
            timeout: Some(Sourced::flag(Duration::from_millis(millis))),
            model: Some(Sourced::flag(model.filter(|name| name.trim() == name))),
            ..Layer::default()
        };
        let loaded = load(flags, &nothing(), None).unwrap();
        let again = load_file(&print(&loaded)).unwrap();
        prop_assert_eq!(again.settings, loaded.settings);
    }
}

#[test]
fn the_guard_holds_to_what_the_settings_say() {
    let limits = |text: &str| load_file(text).unwrap().settings.guard_limits();
    assert_eq!(limits(""), Some(GuardLimits::default()));
    assert_eq!(limits("[guard]\nenabled = false"), None);
    let set = "[guard]\nmemory_pause = 97\nmemory_ease = 92\nheat_pause = 80\nheat_resume = 70\n\
               power = 250\nneighbour = true\nhours = '22:00-07:00'";
    let expected = GuardLimits {
        memory_pause: 97.0,
        memory_ease: 92.0,
        heat_pause: 80,
        heat_resume: 70,
        watts: Some(250.0),
        neighbour: true,
        hours: Some("22:00-07:00".parse().unwrap()),
        allow_spill: false,
    };
    assert_eq!(limits(set), Some(expected));
}

#[rstest]
#[case(
    "heat_resume = 85",
    "heat_resume: `85` °C is not below guard.heat_pause (`85` °C); set guard.heat_resume lower"
)]
#[case(
    "heat_pause = 70",
    "heat_resume: `75` °C is not below guard.heat_pause (`70` °C)"
)]
#[case(
    "memory_ease = 96",
    "memory_ease: `96` % is not below guard.memory_pause (`95` %)"
)]
#[case("memory_pause = 101", "`101` is not between 1 and 100")]
#[case("heat_pause = 5", "`5` is not between 20 and 120")]
#[case(
    "hours = 'night'",
    "`night` is not a stretch of the day; write two times of the day, such as `22:00-07:00`"
)]
#[case("hours = 22", "is not text")]
#[case("power = 0", "`0` is not between 10 and 10,000")]
fn limits_of_the_guard_that_make_no_sense_are_refused(#[case] line: &str, #[case] said: &str) {
    let complaints = complaints(&format!("[guard]\n{line}"));
    assert_eq!(complaints.len(), 1, "{complaints:?}");
    assert!(complaints[0].contains(said), "{complaints:?}");
    assert!(
        complaints[0].contains("/etc/batchtop.toml:2"),
        "{complaints:?}"
    );
}

#[rstest]
#[case(&[("LANG", "C")], true)]
#[case(&[("LANG", "POSIX")], true)]
#[case(&[("LC_ALL", "C"), ("LANG", "de_DE.UTF-8")], true)]
#[case(&[("LC_CTYPE", "C"), ("LANG", "de_DE.UTF-8")], true)]
#[case(&[("LC_ALL", ""), ("LANG", "C")], true)]
#[case(&[("LANG", "de_DE.ISO-8859-1")], true)]
#[case(&[("LANG", "de_DE.ISO-8859-15@euro")], true)]
#[case(&[("LC_ALL", "C.UTF-8"), ("LANG", "C")], false)]
#[case(&[("LANG", "C.utf8")], false)]
#[case(&[("LANG", "de_DE.UTF-8@euro")], false)]
#[case(&[("LANG", "de_DE")], false)]
#[case::none(&[], false)]
#[case::said(&[("LANG", "C"), ("BATCHTOP_ASCII", "false")], false)]
#[case::said(&[("LANG", "de_DE.UTF-8"), ("BATCHTOP_ASCII", "true")], true)]
#[case::said(&[("LANG", "C"), ("BATCHTOP_ASCII", "auto")], true)]
fn the_locale_says_what_a_terminal_shows(
    #[case] variables: &[(&str, &str)],
    #[case] is_ascii: bool,
) {
    let environment: Environment = variables.iter().copied().collect();
    let loaded = load(Layer::default(), &environment, None).unwrap();
    let ascii = loaded.settings.ascii;
    assert_eq!(environment.draws_ascii(ascii), is_ascii);
    assert_eq!(environment.draws_ascii(environment.ascii()), is_ascii);
}
