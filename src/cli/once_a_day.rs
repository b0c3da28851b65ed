//! What is said once a day and not at every run: what nobody can change would otherwise be read by
//! nobody.

use std::fs;
use std::path::Path;

use crate::base::Stamp;

/// The file in the data folder that remembers it.
const FILE: &str = "said-today";

/// Whether this is said for the first time today (UTC), and remembers that it was. Where nothing
/// can be remembered it is said again.
pub(super) fn is_first(folder: &Path, what: &str, now: Stamp) -> bool {
    let path = folder.join(FILE);
    let known = fs::read_to_string(&path).unwrap_or_default();
    let Some(text) = remembered(&known, what, now) else {
        return false;
    };
    // The next run says it again: no harm is done.
    let _ = fs::write(path, text);
    true
}

/// What is to be remembered after this was said; `None` where it was said today.
fn remembered(known: &str, what: &str, now: Stamp) -> Option<String> {
    let time = now.rfc3339();
    let today = time.get(..10).unwrap_or(&time);
    let line = format!("{today} {}", what.replace(['\n', '\r'], " "));
    if known.lines().any(|known| known == line) {
        return None;
    }
    let of_today = known.lines().filter(|known| known.starts_with(today));
    Some(
        of_today
            .chain([line.as_str()])
            .fold(String::new(), |text, line| text + line + "\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Stamp = Stamp(1_795_262_400_000);

    #[test]
    fn a_thing_is_said_once_a_day() {
        let folder = tempfile::tempdir().unwrap();
        let hours = |hours: i64| Stamp(NOON.0 + hours * 3_600_000);
        let said = |what: &str, at: Stamp| is_first(folder.path(), what, at);
        assert!(said("no card\n", NOON));
        assert!(!said("no card\n", hours(1)));
        assert!(said("another", hours(1)));
        assert!(said("no card\n", hours(24)));
        let kept = fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(kept.lines().count(), 1, "{kept}");
        assert!(is_first(Path::new("/no/such/folder"), "x", NOON));
    }
}
