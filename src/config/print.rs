//! The settings in force as a settings file, each with its origin.

use super::Loaded;
use super::settings::{Entry, entries};

/// The settings in force as TOML that can be used as a settings file; a comment says where each
/// value came from. User and password of the server's address are left out.
pub fn print(loaded: &Loaded) -> String {
    let entries = entries(&loaded.settings, &loaded.named);
    let lines: Vec<_> = entries.iter().map(|entry| (entry, line(entry))).collect();
    let wide = lines
        .iter()
        .map(|(_, line)| line.chars().count())
        .filter(|&columns| columns <= 48)
        .max()
        .unwrap_or(0);
    let mut pieces = Vec::new();
    let mut above = "";
    for (entry, line) in &lines {
        let table = entry.path.split_once('.').map_or("", |(table, _)| table);
        if table != above {
            let gap = if above.is_empty() { "" } else { "\n" };
            pieces.push(format!("{gap}[{table}]\n"));
            above = table;
        }
        let secret = if entry.path == "server.url" && loaded.settings.server.has_secrets() {
            ", user and password left out"
        } else {
            ""
        };
        pieces.push(format!("{line:wide$}  # {}{secret}\n", entry.origin));
    }
    pieces.concat()
}

fn line(entry: &Entry) -> String {
    let name = entry
        .path
        .rsplit_once('.')
        .map_or(entry.path, |(_, name)| name);
    match &entry.written {
        Some(written) => format!("{name} = {written}"),
        None => format!("# {name} is not set"),
    }
}
