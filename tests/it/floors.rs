//! The floors of `docs/ARCHITECTURE.md`: the document is the rule, and this is what enforces it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What a pure place must not mention.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "tokio::",
    "reqwest",
    "rusqlite",
    "Instant::now",
    "SystemTime::now",
    "Stamp::now",
    "println!",
    "Mutex",
    "thread::",
];
/// Files in pure places that say themselves why they are not.
const EXCEPTIONS: &[&str] = &["base/stamp.rs", "intake/source.rs"];

struct Module {
    floor: u32,
    may_import: BTreeSet<String>,
}

fn document() -> String {
    fs::read_to_string(Path::new(ROOT).join("docs/ARCHITECTURE.md")).unwrap()
}

fn cells(line: &str) -> Vec<&str> {
    line.trim()
        .trim_matches('|')
        .split('|')
        .map(str::trim)
        .collect()
}

fn modules() -> BTreeMap<String, Module> {
    let document = document();
    let rows = document.lines().map(cells).filter(|row| row.len() == 4);
    rows.filter_map(|row| {
        let floor = row[0].parse().ok()?;
        let names = row[3].split(',').map(|name| name.trim().to_owned());
        let may_import = names.filter(|name| name != "–").collect();
        Some((
            row[1].trim_matches('`').to_owned(),
            Module { floor, may_import },
        ))
    })
    .collect()
}

fn pure_places() -> Vec<String> {
    let document = document();
    let table = document.split("| pure place |").nth(1).unwrap();
    let rows = table
        .lines()
        .skip(2)
        .take_while(|line| line.starts_with('|'));
    rows.map(|line| cells(line)[0].trim_matches('`').to_owned())
        .collect()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    files
}

/// The lines of a file that are code of the program: no comments, nothing of its tests.
fn code(path: &Path) -> Vec<(usize, String)> {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    if name == "tests.rs" || name.ends_with("_tests.rs") {
        return Vec::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let own = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    let lines = own.lines().enumerate();
    lines
        .map(|(number, line)| (number + 1, line.split("//").next().unwrap().to_owned()))
        .collect()
}

fn place(path: &Path) -> String {
    path.strip_prefix(Path::new(ROOT).join("src"))
        .unwrap()
        .to_string_lossy()
        .replace('\\', "/")
}

/// The modules that a line names as `crate::module`.
fn mentioned(line: &str) -> Vec<String> {
    let word = |text: &str| -> String {
        text.chars()
            .take_while(|c| c.is_alphanumeric() || *c == '_')
            .collect()
    };
    line.split("crate::")
        .skip(1)
        .map(word)
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn imports_go_down() {
    let modules = modules();
    let mut faults = Vec::new();
    for path in sources(&Path::new(ROOT).join("src")) {
        let place = place(&path);
        let Some((owner, _)) = place.split_once('/') else {
            continue;
        };
        let module = modules
            .get(owner)
            .unwrap_or_else(|| panic!("`{owner}` is not in the table"));
        for (number, line) in code(&path) {
            if line.contains("crate::{") {
                faults.push(format!(
                    "src/{place}:{number}: one `use crate::module` a line, please"
                ));
            }
            for name in mentioned(&line) {
                if name != owner
                    && modules.contains_key(&name)
                    && !module.may_import.contains(&name)
                {
                    faults.push(format!(
                        "src/{place}:{number}: `{owner}` may not import `{name}`"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_table_itself_goes_down_and_names_every_module() {
    let modules = modules();
    for (name, module) in &modules {
        for import in &module.may_import {
            let imported = modules
                .get(import)
                .unwrap_or_else(|| panic!("{name}: `{import}`?"));
            assert!(
                imported.floor < module.floor,
                "`{name}` would import `{import}` upwards"
            );
        }
    }
    let folders: BTreeSet<String> = fs::read_dir(Path::new(ROOT).join("src"))
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    assert_eq!(folders, modules.keys().cloned().collect());
}

#[test]
fn pure_places_do_no_input_or_output_and_never_ask_the_time() {
    let places = pure_places();
    assert!(places.len() >= 8, "{places:?}");
    let mut faults = Vec::new();
    let mut looked_at = BTreeSet::new();
    for path in sources(&Path::new(ROOT).join("src")) {
        let file = place(&path);
        let within = |pure: &&String| file == **pure || file.starts_with(&format!("{pure}/"));
        let Some(pure) = places.iter().find(within) else {
            continue;
        };
        looked_at.insert(pure.clone());
        if EXCEPTIONS.contains(&file.as_str()) {
            continue;
        }
        for (number, line) in code(&path) {
            for word in IMPURE.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("src/{file}:{number}: `{word}` in a pure place"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(
        looked_at,
        places.into_iter().collect(),
        "every pure place exists"
    );
}

#[test]
fn files_stay_short_enough_to_read() {
    let long: Vec<String> = sources(&Path::new(ROOT).join("src"))
        .iter()
        .map(|path| (place(path), code(path).len()))
        .filter(|(_, lines)| *lines > 480)
        .map(|(file, lines)| format!("src/{file}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split these:\n{}", long.join("\n"));
}

#[test]
fn the_project_reads_nothing_outside_itself() {
    let forbidden = format!("{}shared", "../");
    for folder in ["src", "tests", "assets", "docs"] {
        for path in sources(&Path::new(ROOT).join(folder)) {
            let text = fs::read_to_string(&path).unwrap();
            assert!(!text.contains(&forbidden), "{}", path.display());
        }
    }
}
