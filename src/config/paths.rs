//! Where data, logs and settings are kept.

use std::path::PathBuf;

use super::environment::Environment;

/// The folders and files of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The folder that holds the queue.
    pub data: PathBuf,
    /// The folder that holds the logs: inside the data folder, so that it moves along with it.
    pub logs: PathBuf,
    /// The settings file.
    pub config: ConfigFile,
}

/// A settings file that may not be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where it is.
    pub path: PathBuf,
    /// Whether a flag or the environment names it: then it must be there.
    pub named: bool,
}

/// What the command line says about paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PathFlags {
    /// `--data-dir`
    pub data_dir: Option<PathBuf>,
    /// `--config`
    pub config: Option<PathBuf>,
}

/// Where the platform keeps such things for this user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// Data of programs.
    pub data: PathBuf,
    /// Settings of programs.
    pub config: PathBuf,
}

/// Why there are no paths.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// The user has no home folder, as in some containers, and no folder was named.
    #[error(
        "no data folder: this user has no home folder; name one with `--data-dir DIR` or `BATCHTOP_DATA_DIR`"
    )]
    NoHome,
}

impl Platform {
    /// That of this process; `None` where its user has no home folder.
    pub fn of_process() -> Option<Self> {
        let folders = directories::ProjectDirs::from("", "", "batchtop")?;
        Some(Self {
            data: folders.data_local_dir().to_owned(),
            config: folders.config_dir().to_owned(),
        })
    }
}

impl Paths {
    /// Flags over environment over platform. Without a platform's folder the settings file is
    /// looked for in the data folder.
    ///
    /// # Errors
    /// When nothing names a data folder.
    pub fn find(
        flags: PathFlags,
        environment: &Environment,
        platform: Option<Platform>,
    ) -> Result<Self, PathError> {
        let (home_data, home_config) = platform.map(|one| (one.data, one.config)).unzip();
        let data = flags
            .data_dir
            .or_else(|| environment.data_dir())
            .or(home_data)
            .ok_or(PathError::NoHome)?;
        let named = flags.config.or_else(|| environment.config());
        let config = ConfigFile {
            named: named.is_some(),
            path: named.unwrap_or_else(|| {
                home_config
                    .unwrap_or_else(|| data.clone())
                    .join("config.toml")
            }),
        };
        let logs = data.join("logs");
        Ok(Self { data, logs, config })
    }
}
