//! Memory of the machine and of this process, from Linux's `/proc`. Elsewhere it is unknown.

use std::path::Path;

use super::files;
use crate::model::HostMemory;

/// Reads it.
pub(super) fn memory(proc: &Path) -> HostMemory {
    let machine = files::text(&proc.join("meminfo")).unwrap_or_default();
    let own = files::text(&proc.join("self/status")).unwrap_or_default();
    HostMemory {
        total: line(&machine, "MemTotal:"),
        available: line(&machine, "MemAvailable:"),
        own: line(&own, "VmRSS:"),
    }
}

/// `MemTotal:       32768 kB` in bytes.
fn line(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kilobytes: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn memory_is_read_and_garbage_is_unknown() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("self")).unwrap();
        let text = "MemTotal:       32768 kB\nMemFree: 1 kB\nMemAvailable: many kB\n";
        fs::write(proc.path().join("meminfo"), text).unwrap();
        fs::write(proc.path().join("self/status"), "Name:\tx\nVmRSS:\t 100 kB").unwrap();
        let memory = memory(proc.path());
        assert_eq!(memory.total, Some(32_768 * 1024));
        assert_eq!(memory.available, None);
        assert_eq!(memory.own, Some(102_400));
    }
}
