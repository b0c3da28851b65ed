use std::fs;
use std::path::{Path, PathBuf};

use rstest::rstest;
use tempfile::TempDir;

use super::*;

/// A machine with one card of each maker and the entries that are no cards.
fn machine() -> TempDir {
    let drm = tempfile::tempdir().unwrap();
    for other in ["card0-DP-1", "renderD128", "version"] {
        fs::create_dir_all(drm.path().join(other)).unwrap();
    }
    put(drm.path(), "card0/device/vendor", "0x10de\n");
    let card = drm.path().join("card1/device");
    for (file, text) in [
        ("vendor", "0x1002\n"),
        ("device", "0x744c\n"),
        ("product_name", "Radeon RX 7900 XTX\n"),
        ("mem_info_vram_total", "25753026560\n"),
        ("mem_info_vram_used", "1073741824\n"),
        ("gpu_busy_percent", "37\n"),
        ("hwmon/hwmon3/temp1_input", "61000\n"),
        ("hwmon/hwmon3/power1_average", "215000000\n"),
        ("hwmon/hwmon3/power1_cap", "327000000\n"),
        ("hwmon/hwmon3/freq1_input", "2482000000\n"),
        ("hwmon/hwmon3/freq2_input", "1249000000\n"),
    ] {
        put(&card, file, text);
    }
    drm
}

fn put(folder: &Path, file: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(file);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn device(drm: &TempDir) -> PathBuf {
    drm.path().join("card1/device")
}

fn only(readings: Readings) -> Card {
    let [card] = <[Card; 1]>::try_from(readings.cards).unwrap();
    card
}

#[test]
fn a_card_is_read_in_full() {
    let drm = machine();
    let readings = Amd::find(drm.path()).sample();
    assert!(readings.news.is_empty(), "{:?}", readings.news);
    let card = only(readings);
    assert_eq!(card.name, "Radeon RX 7900 XTX");
    let memory = card.memory.unwrap();
    assert_eq!((memory.total, memory.used), (25_753_026_560, 1 << 30));
    assert_eq!(card.busy_percent, Some(37));
    assert_eq!(card.celsius, Some(61));
    assert_eq!(card.watts, Some(215.0));
    assert_eq!(card.watts_limit, Some(327.0));
    assert_eq!((card.core_mhz, card.memory_mhz), (Some(2482), Some(1249)));
    assert_eq!(card.joules, None);
    assert!(card.missing.is_empty());
}

#[rstest]
#[case("gpu_busy_percent", b"-3".as_slice())]
#[case("gpu_busy_percent", b"")]
#[case("gpu_busy_percent", b"99999999999999999999")]
#[case("gpu_busy_percent", b"\xff\xfe\x00")]
#[case("hwmon/hwmon3/temp1_input", b"hot")]
#[case("hwmon/hwmon3/power1_average", b"1e9")]
#[case("mem_info_vram_used", b"99999999999999")]
#[case("mem_info_vram_total", b"0")]
fn garbage_is_missing_and_told_once(#[case] file: &str, #[case] text: &[u8]) {
    let drm = machine();
    put(&device(&drm), file, text);
    let mut amd = Amd::find(drm.path());
    let first = amd.sample();
    assert_eq!(first.news.len(), 1, "{:?}", first.news);
    assert!(first.news[0].contains("cannot be read"), "{:?}", first.news);
    let second = amd.sample();
    assert!(second.news.is_empty());
    assert_eq!(only(second).missing.len(), 1);
}

#[test]
fn a_long_file_is_not_read_to_its_end() {
    let drm = machine();
    put(&device(&drm), "gpu_busy_percent", "7".repeat(1 << 20));
    assert_eq!(only(Amd::find(drm.path()).sample()).busy_percent, None);
}

#[test]
fn a_sleeping_card_is_left_alone() {
    let drm = machine();
    put(&device(&drm), "power/runtime_status", "suspended\n");
    put(&device(&drm), "gpu_busy_percent", "garbage");
    let readings = Amd::find(drm.path()).sample();
    assert!(readings.news.is_empty());
    let card = only(readings);
    assert_eq!(card.state, CardState::Asleep);
    assert_eq!(card.memory, None);
}

#[test]
fn a_card_that_disappears_and_comes_back_is_told_each_time() {
    let drm = machine();
    let mut amd = Amd::find(drm.path());
    amd.sample();
    let away = drm.path().join("away");
    fs::rename(drm.path().join("card1"), &away).unwrap();
    let lost = amd.sample();
    assert_eq!(
        lost.news,
        ["Radeon RX 7900 XTX is lost: its files are gone"]
    );
    assert!(matches!(only(lost).state, CardState::Lost { .. }));
    assert!(amd.sample().news.is_empty());
    fs::rename(&away, drm.path().join("card1")).unwrap();
    let back = amd.sample();
    assert_eq!(back.news, ["Radeon RX 7900 XTX is back"]);
    assert_eq!(only(back).celsius, Some(61));
}

#[test]
fn a_card_without_a_product_name_goes_by_its_number() {
    let drm = machine();
    put(&device(&drm), "product_name", "\n");
    assert_eq!(only(Amd::find(drm.path()).sample()).name, "AMD 744c");
}
