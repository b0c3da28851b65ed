//! The small files in which the kernel tells about devices. What stands in them is not trusted.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::str::FromStr;

/// No such file is longer.
const LONGEST: u64 = 4096;

/// Why a file gave no reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// There is no such file: the card has no such reading.
    Absent,
    /// It is there and cannot be used.
    Unusable(String),
}

impl Unread {
    pub(super) fn why(&self) -> String {
        match self {
            Self::Absent => "the driver does not show it".to_owned(),
            Self::Unusable(why) => why.clone(),
        }
    }
}

/// The text of a file without white space around it.
pub(super) fn text(path: &Path) -> Result<String, Unread> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(String::from_utf8_lossy(&bytes).trim().to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Unread::Absent),
        Err(error) => Err(Unread::Unusable(error.to_string())),
    }
}

/// The number that a file holds.
pub(super) fn number<T: FromStr>(path: &Path) -> Result<T, Unread> {
    let text = text(path)?;
    text.parse().map_err(|_| {
        let start: String = text.chars().take(20).collect();
        let start = crate::base::shown(&start);
        Unread::Unusable(format!("`{start}` is not a number"))
    })
}

/// Whether the kernel has put a device to sleep to save power; unknown counts as awake.
pub(super) fn sleeps(device: &Path) -> bool {
    text(&device.join("power/runtime_status")).is_ok_and(|status| status == "suspended")
}
