use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use rstest::rstest;
use tempfile::TempDir;

use super::*;

const TWO_CARDS: &str = "\
driver 570.86.15
count 2
0.name NVIDIA GeForce RTX 4090
0.uuid GPU-aaaa
0.bus 00000000:01:00.0
0.total 25757220864
0.used 21474836480
0.free 3758096384
0.load 97
0.temperature 71
0.power 402500
0.limit 450000
0.energy 9000000123
0.core 2520
0.memory_clock 10501
0.throttle 36
0.processes 4242:20401094656 77:314572800
0.drawing 77:314572800 88:104857600
0.busy 4242:96
process.4242 /usr/lib/ollama/llama-server
process.77 /usr/bin/Xorg
1.name NVIDIA T4
1.uuid GPU-bbbb
1.bus 00000000:41:00.0
1.total 16106127360
1.used 0
1.free 16106127360
1.load 0
1.temperature 40
1.power !3
1.limit !4
1.processes !3
";

/// A library of its own for every test, because it reads the file beside it.
struct Fake {
    folder: TempDir,
}

impl Fake {
    fn new(script: &str) -> Self {
        static LIBRARY: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
        Self::of(&LIBRARY.get_or_init(|| compiled(&[])).1, script)
    }

    /// The library of an old driver, which lacks functions.
    fn old(script: &str) -> Self {
        Self::of(&compiled(&["-DOLD"]).1, script)
    }

    fn of(library: &Path, script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::copy(library, folder.path().join("libfake.so")).unwrap();
        let fake = Self { folder };
        fake.script(script);
        fake
    }

    fn script(&self, script: &str) {
        fs::write(self.folder.path().join("libfake.so.txt"), script).unwrap();
    }

    fn places(&self) -> Places {
        Places {
            nvml: vec![
                self.folder.path().join("not-there.so"),
                self.folder.path().join("libfake.so"),
            ],
            drm: self.folder.path().join("drm"),
            pci: self.folder.path().join("pci"),
            proc: self.folder.path().join("proc"),
        }
    }

    fn open(&self) -> Nvidia {
        Nvidia::open(&self.places()).unwrap()
    }
}

fn compiled(flags: &[&str]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libfake.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/nvml/fake.c");
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&path)
        .args(flags)
        .arg(source)
        .arg("-ldl")
        .status()
        .unwrap();
    assert!(compiler.success());
    (folder, path)
}

#[test]
fn several_cards_are_read_in_full() {
    let fake = Fake::new(TWO_CARDS);
    let readings = fake.open().sample();
    assert_eq!(readings.driver.as_deref(), Some("570.86.15"));
    let [first, second] = <[Card; 2]>::try_from(readings.cards).unwrap();
    assert_eq!(first.name, "NVIDIA GeForce RTX 4090");
    assert_eq!(first.id, "GPU-aaaa");
    let memory = first.memory.unwrap();
    assert_eq!(
        (memory.total, memory.used, memory.free),
        (25_757_220_864, 21_474_836_480, 3_758_096_384)
    );
    assert_eq!(first.busy_percent, Some(97));
    assert_eq!(first.celsius, Some(71));
    assert_eq!(first.watts, Some(402.5));
    assert_eq!(first.watts_limit, Some(450.0));
    assert_eq!(first.joules, Some(9_000_000.123));
    assert_eq!(
        (first.core_mhz, first.memory_mhz),
        (Some(2520), Some(10_501))
    );
    assert_eq!(
        first.throttled,
        Some(vec![Throttle::PowerLimit, Throttle::Heat])
    );
    assert!(first.missing.is_empty(), "{:?}", first.missing);
    assert_eq!(second.celsius, Some(40));
    assert_eq!(second.watts, None);
}

#[test]
fn the_runner_is_told_from_its_neighbours() {
    let fake = Fake::new(TWO_CARDS);
    let readings = fake.open().sample();
    let processes = readings.cards[0].processes.clone().unwrap();
    let seen: Vec<_> = processes
        .iter()
        .map(|it| (it.pid, it.is_runner(), it.memory, it.busy_percent))
        .collect();
    assert_eq!(
        seen,
        [
            (4242, Some(true), Some(20_401_094_656), Some(96)),
            (77, Some(false), Some(314_572_800), Some(0)),
            (88, None, Some(104_857_600), Some(0)),
        ]
    );
    assert_eq!(readings.working_cards().count(), 1);
}

#[test]
fn the_kernel_names_a_process_that_the_driver_does_not() {
    let fake = Fake::new(TWO_CARDS);
    let folder = fake.places().proc.join("88");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("comm"), "game\n").unwrap();
    let readings = fake.open().sample();
    let processes = readings.cards[0].processes.clone().unwrap();
    assert_eq!(processes[2].name.as_deref(), Some("game"));
}

#[test]
fn single_readings_that_are_missing_are_told_once() {
    let fake = Fake::new(TWO_CARDS);
    let mut nvidia = fake.open();
    let news = nvidia.sample().news;
    let expected = [
        "NVIDIA T4: power cannot be read: the card does not support it",
        "NVIDIA T4: power limit cannot be read: the current user does not have permission",
        "NVIDIA T4: processes cannot be read",
    ];
    for start in expected {
        assert!(news.iter().any(|it| it.starts_with(start)), "{news:?}");
    }
    let second = nvidia.sample();
    assert!(second.news.is_empty(), "{:?}", second.news);
    assert_eq!(second.cards[1].processes, None);
    assert!(second.cards[1].missing.len() >= 3);
}

#[test]
fn a_card_lost_half_way_leaves_the_others_alone_and_may_come_back() {
    let fake = Fake::new(TWO_CARDS);
    let mut nvidia = fake.open();
    nvidia.sample();
    fake.script(&format!("0.gone 15\n{TWO_CARDS}"));
    let lost = nvidia.sample();
    assert_eq!(lost.news.len(), 1, "{:?}", lost.news);
    assert!(lost.news[0].starts_with("NVIDIA GeForce RTX 4090 is lost: device fell off the bus"));
    assert!(matches!(lost.cards[0].state, CardState::Lost { .. }));
    assert_eq!(lost.cards[0].memory, None);
    assert_eq!(lost.cards[1].celsius, Some(40));
    assert!(nvidia.sample().news.is_empty());
    fake.script(TWO_CARDS);
    let back = nvidia.sample();
    assert_eq!(back.news, ["NVIDIA GeForce RTX 4090 is back"]);
    assert_eq!(back.cards[0].celsius, Some(71));
}

#[test]
fn a_card_lost_between_two_readings_shows_nothing_half() {
    let fake = Fake::new(&TWO_CARDS.replace("0.power 402500", "0.power !15"));
    let card = fake.open().sample().cards.remove(0);
    assert!(matches!(card.state, CardState::Lost { .. }));
    assert_eq!((card.memory, card.celsius), (None, None));
    assert!(card.missing.is_empty());
}

#[test]
fn cards_are_known_by_identity_not_by_place() {
    let fake = Fake::new(TWO_CARDS);
    let mut nvidia = fake.open();
    let swapped = TWO_CARDS
        .replace("0.uuid GPU-aaaa", "0.uuid GPU-bbbb")
        .replace("1.uuid GPU-bbbb", "1.uuid GPU-aaaa");
    fake.script(&swapped);
    let readings = nvidia.sample();
    assert_eq!(readings.cards[0].id, "GPU-aaaa");
    assert_eq!(readings.cards[0].celsius, Some(40));
}

#[test]
fn a_sleeping_card_is_not_asked() {
    let fake = Fake::new(TWO_CARDS);
    let power = fake.places().pci.join("0000:41:00.0/power");
    fs::create_dir_all(&power).unwrap();
    fs::write(power.join("runtime_status"), "suspended\n").unwrap();
    let readings = fake.open().sample();
    assert_eq!(readings.cards[1].state, CardState::Asleep);
    assert_eq!(readings.cards[1].celsius, None);
    assert_eq!(readings.cards[0].state, CardState::Awake);
}

#[rstest]
#[case("0.used 21474836480", "0.used 99999999999999", "memory")]
#[case("0.total 25757220864", "0.total 0", "memory")]
#[case("0.temperature 71", "0.temperature 4294967295", "temperature")]
#[case("0.energy 9000000123", "0.energy !999", "energy")]
fn readings_that_cannot_be_are_missing(#[case] good: &str, #[case] bad: &str, #[case] what: &str) {
    let fake = Fake::new(&TWO_CARDS.replace(good, bad));
    let card = fake.open().sample().cards.remove(0);
    assert_eq!(card.missing.len(), 1, "{:?}", card.missing);
    assert_eq!(card.missing[0].what, what);
}

#[rstest]
#[case("init !9", "NVIDIA driver is not loaded")]
#[case("init !18", "RM detects a driver/library version mismatch")]
#[case("count !4", "the current user does not have permission")]
fn a_driver_that_refuses_is_a_reason(#[case] script: &str, #[case] why: &str) {
    let error = Nvidia::open(&Fake::new(script).places()).unwrap_err();
    assert!(error.starts_with(why), "{error}");
}

#[test]
fn a_library_that_is_no_nvml_is_a_reason() {
    let fake = Fake::new("");
    let source = fake.folder.path().join("empty.c");
    fs::write(&source, "int nothing;").unwrap();
    let library = fake.folder.path().join("other.so");
    let compiler = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(&library)
        .arg(&source)
        .status()
        .unwrap();
    assert!(compiler.success());
    let places = Places {
        nvml: vec![library],
        ..fake.places()
    };
    let error = Nvidia::open(&places).unwrap_err();
    assert!(error.ends_with("is too old or no NVML"), "{error}");
}

#[test]
fn an_old_driver_gives_what_it_has() {
    let fake = Fake::old(TWO_CARDS);
    let mut nvidia = fake.open();
    let readings = nvidia.sample();
    let card = &readings.cards[0];
    assert_eq!((card.celsius, card.watts), (Some(71), Some(402.5)));
    assert!(card.memory.is_some());
    assert_eq!((card.joules, card.processes.as_ref()), (None, None));
    let missing: Vec<(&str, &str)> = card
        .missing
        .iter()
        .map(|missing| (missing.what.as_str(), missing.why.as_str()))
        .collect();
    let why = "the driver is too old for it";
    assert_eq!(missing, [("energy", why), ("processes", why)]);
    assert!(nvidia.sample().news.is_empty(), "told once");
}

#[test]
fn all_makers_are_listed_together() {
    let fake = Fake::new(TWO_CARDS);
    let device = fake.places().drm.join("card0/device");
    fs::create_dir_all(&device).unwrap();
    fs::write(device.join("vendor"), "0x1002").unwrap();
    let readings = super::super::detect(&fake.places()).sample();
    assert_eq!(readings.cards.len(), 3);
    assert_eq!(readings.absent, None);
}
