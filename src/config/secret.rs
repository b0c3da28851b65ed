//! Secrets: read from a file that nobody else may read, or from the environment, and never shown.

use std::fmt;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::value::{Raw, Value, Wrong, quoted, text};

/// The longest secret that is read.
const MOST_BYTES: u64 = 4_096;

/// A text that is used and never shown: neither printed, nor logged, nor part of an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// The name of a file that holds a secret. The secret itself in its place is refused without
/// being repeated, so that it does not get to a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretFile(PathBuf);

/// Why there is no secret. No text of it is repeated.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file cannot be read.
    #[error("cannot read the secret in `{}`: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// Others may read the file as well.
    #[error("others may read the secret in `{}` (its mode is {mode:04o})", path.display())]
    Shared {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What the file holds is no secret.
    #[error("`{}` does not hold one line of text with a secret", path.display())]
    NoLine {
        /// The file.
        path: PathBuf,
    },
    /// The variable is not UTF-8.
    #[error("the secret in `{name}` is not UTF-8 text")]
    NoText {
        /// The variable.
        name: &'static str,
    },
}

impl Secret {
    /// The secret with this text, without the space around it.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text: for using, never for showing.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reads the only line of a file. On systems with Unix permissions nobody but its owner may
    /// be allowed to read it.
    pub fn of_file(path: &Path) -> Result<Self, SecretError> {
        let unreadable = |error| SecretError::Unreadable {
            path: path.to_owned(),
            error,
        };
        // Before it is opened: opening a pipe would wait for somebody who writes.
        check(path, &fs::metadata(path).map_err(unreadable)?)?;
        let file = File::open(path).map_err(unreadable)?;
        // Again, now that it cannot be exchanged for another.
        check(path, &file.metadata().map_err(unreadable)?)?;
        let mut bytes = Vec::new();
        file.take(MOST_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let text = String::from_utf8(bytes).ok();
        let line = text.filter(|text| {
            let line = text.trim();
            text.len() as u64 <= MOST_BYTES && !line.is_empty() && !line.contains(char::is_control)
        });
        line.map(|line| Self::new(&line))
            .ok_or_else(|| SecretError::NoLine {
                path: path.to_owned(),
            })
    }
}

impl SecretFile {
    /// The file, as given.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Value for SecretFile {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Wrong> {
        let text = text(raw)?;
        if text.contains("://") {
            return Err(Wrong::new(
                "is an address where the name of a file belongs",
                "write the address into a file that only you may read, and its name here",
            ));
        }
        Ok(Self(PathBuf::from(text)))
    }

    fn written(&self) -> Option<String> {
        Some(quoted(&self.0.to_string_lossy()))
    }
}

impl SecretError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Unreadable { .. } => "name a file that holds it".to_owned(),
            Self::Shared { path, .. } => format!("`chmod 600 {}`", path.display()),
            Self::NoLine { .. } => "write the secret into it, on one line".to_owned(),
            Self::NoText { .. } => "set it again or unset it".to_owned(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

fn check(path: &Path, found: &Metadata) -> Result<(), SecretError> {
    if !found.is_file() {
        return Err(SecretError::NoLine {
            path: path.to_owned(),
        });
    }
    match mode(found) {
        Some(mode) if mode & 0o077 != 0 => Err(SecretError::Shared {
            path: path.to_owned(),
            mode,
        }),
        _ => Ok(()),
    }
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "other systems have no such mode")]
fn mode(found: &Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    Some(found.permissions().mode() & 0o7777)
}

#[cfg(not(unix))]
fn mode(_: &Metadata) -> Option<u32> {
    None
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;
    use rstest::rstest;
    use std::os::unix::fs::PermissionsExt;

    fn file(content: &[u8], mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[rstest]
    #[case(0o600)]
    #[case(0o400)]
    fn one_s_own_file_is_read(#[case] mode: u32) {
        let (_folder, path) = file(b" s3cret\r\n", mode);
        let secret = Secret::of_file(&path).unwrap();
        assert_eq!(secret.reveal(), "s3cret");
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }

    #[rstest]
    #[case(0o644, "0644")]
    #[case(0o640, "0640")]
    #[case(0o602, "0602")]
    fn a_file_of_all_is_refused_with_a_cure(#[case] mode: u32, #[case] shown: &str) {
        let (_folder, path) = file(b"s3cret", mode);
        let error = Secret::of_file(&path).unwrap_err();
        assert!(error.to_string().contains(shown), "{error}");
        assert!(error.hint().contains("chmod 600"));
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[rstest]
    #[case::empty(b"\n".as_slice())]
    #[case::lines(b"s3cret\ns3cret")]
    #[case::bytes(b"s3cret\xff")]
    #[case::control(b"s3cret\x1b[2J")]
    #[case::long(&[b'x'; 5_000])]
    fn what_is_no_line_of_text_is_refused(#[case] content: &[u8]) {
        let (_folder, path) = file(content, 0o600);
        let error = Secret::of_file(&path).unwrap_err();
        assert!(matches!(error, SecretError::NoLine { .. }), "{error}");
        assert!(!format!("{error} {error:?}").contains("s3cret"));
    }

    #[test]
    fn no_file_and_no_regular_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Secret::of_file(&folder.path().join("none")).unwrap_err();
        assert!(matches!(missing, SecretError::Unreadable { .. }));
        assert!(Secret::of_file(folder.path()).is_err());
    }
}
