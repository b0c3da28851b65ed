//! Settings and where they came from: flags over environment over file over defaults.
//!
//! Every source becomes a [`Layer`], in which only what the source names is set; the layers are
//! laid over each other and each value keeps its [`Origin`]. All that is wrong in all sources is
//! reported at once, with its place and a cure.
//!
//! A new setting is one row in `settings.rs` and its lines in `assets/config.toml`.

mod choice;
mod environment;
mod file;
mod origin;
mod paths;
mod price;
mod print;
mod secret;
mod settings;
mod suggest;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use environment::Environment;
pub use file::{FileError, MAX_FILE_BYTES, read_file};
pub use origin::{Origin, Problem, Sourced};
pub use paths::{ConfigFile, PathError, PathFlags, Paths, Platform};
pub use print::print;
pub use secret::{Secret, SecretError, SecretFile};
pub use settings::{KEYS, Key, Layer, Settings, limits};
pub use suggest::nearest;
pub use value::{Address, Ascii, Color, LogLevel, SmtpSecurity, Value, Wrong, parse};

/// The settings in force, and where each came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// What is in force.
    pub settings: Settings,
    /// What looks like a mistake but stops nothing: `BATCHTOP_…` variables that mean nothing.
    pub warnings: Vec<Problem>,
    named: Layer,
}

impl Loaded {
    /// Where the value of the setting with this path (`job.parallel`) came from.
    pub fn origin(&self, path: &str) -> Origin {
        self.named.origin(path).cloned().unwrap_or(Origin::Default)
    }
}

/// Lays flags over environment over file over defaults.
///
/// `OLLAMA_HOST` comes last before the default, because it belongs to other programs as well.
///
/// # Errors
/// Everything that is wrong in the environment and in the file.
pub fn load(
    flags: Layer,
    environment: &Environment,
    file: Option<(PathBuf, String)>,
) -> Result<Loaded, Vec<Problem>> {
    let (variables, mut problems) = environment.layer();
    let (ollama, wrong_host) = environment.ollama();
    problems.extend(wrong_host);
    let mut lines = Layer::default();
    if let Some((path, text)) = file {
        let (layer, wrong) = file::layer(&Arc::<Path>::from(path), &text);
        lines = layer;
        problems.extend(wrong);
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let named = flags.over(variables).over(lines).over(ollama);
    let settings = named.settings();
    let contradictions = settings.contradictions(&named);
    if !contradictions.is_empty() {
        return Err(contradictions);
    }
    Ok(Loaded {
        settings,
        warnings: environment.unknown(),
        named,
    })
}

/// The commented file that `config init` writes: every setting with its default.
pub const fn default_file() -> &'static str {
    include_str!("../../assets/config.toml")
}
