//! What the system tells of the memory of a process.

/// A row of what Linux tells about the memory of a process, in bytes. The process is its number, or
/// `self`.
pub(crate) fn memory(process: &str, row: &str) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with(row))?;
    let kilobytes: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes * 1024)
}
