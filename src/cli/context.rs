//! What every command has at hand: settings, folders, and the two streams.

use std::ffi::OsStr;
use std::path::Path;

use super::args::Arguments;
use super::outcome::Trouble;
use super::say::StandardSay;
use crate::config::{Color, Environment, Loaded, Paths, Platform, load, read_file};
use crate::inference::{Address, Ollama, Timeouts};
use crate::notify::Ways;
use crate::store::{KillPoint, Reader};

/// What a command works with.
pub(super) struct Context {
    pub(super) say: StandardSay,
    pub(super) loaded: Loaded,
    pub(super) paths: Paths,
    pub(super) environment: Environment,
}

impl Context {
    /// Reads the settings. All that is wrong with them is said.
    pub(super) fn new(arguments: &Arguments, environment: &Environment) -> Result<Self, u8> {
        let color = arguments.global.color.unwrap_or(Color::Auto);
        let mut say = StandardSay::of_process(color, environment.ascii(), environment);
        match Self::read(arguments, environment, &mut say) {
            Ok((paths, loaded)) => {
                let settings = &loaded.settings;
                let say = StandardSay::of_process(settings.color, settings.ascii, environment);
                Ok(Self {
                    say,
                    loaded,
                    paths,
                    environment: environment.clone(),
                })
            }
            Err(trouble) => Err(trouble.tell(&mut say)),
        }
    }

    fn read(
        arguments: &Arguments,
        environment: &Environment,
        say: &mut StandardSay,
    ) -> Result<(Paths, Loaded), Trouble> {
        let paths = Paths::find(
            arguments.global.paths(),
            environment,
            Platform::of_process(),
        )?;
        let file = read_file(&paths.config)?;
        match load(arguments.layer(), environment, file) {
            Ok(loaded) => {
                for warning in &loaded.warnings {
                    say.warning(&warning.to_string());
                }
                Ok((paths, loaded))
            }
            Err(problems) => {
                for problem in &problems {
                    say.error(&problem.to_string());
                }
                Err(Trouble::Said)
            }
        }
    }

    /// The server that the settings name.
    pub(super) fn server(&self) -> Result<Ollama, Trouble> {
        self.server_at(self.loaded.settings.server.as_given())
    }

    /// The server at an address, by Ollama's rules for `OLLAMA_HOST`.
    pub(super) fn server_at(&self, address: &str) -> Result<Ollama, Trouble> {
        let settings = &self.loaded.settings;
        let address = address.parse::<Address>().map_err(|error| {
            Trouble::new(
                error.to_string(),
                "`--server http://HOST:PORT` names the server",
            )
        })?;
        let timeouts = Timeouts {
            connect: settings.connect_timeout,
            load: settings.load_timeout,
            ..Timeouts::default()
        };
        Ollama::new(address, timeouts).map_err(|error| Trouble::Wrong(error.to_string(), None))
    }

    /// The ways by which notices are told.
    pub(super) fn ways(&self) -> Result<Ways, Trouble> {
        let folder = self.paths.config.path.parent();
        let folder = folder.unwrap_or(Path::new("."));
        Ok(Ways::of(&self.loaded.settings, &self.environment, folder)?)
    }

    /// Where tests want the process to end.
    pub(super) fn kill_point(&self) -> Result<Option<KillPoint>, Trouble> {
        let named = self.environment.kill_at().map(OsStr::to_string_lossy);
        let point = named.map(|text| text.parse::<KillPoint>()).transpose();
        point.map_err(|error| Trouble::Wrong(error.to_string(), None))
    }

    /// The queue for looking only; `None` where there is none yet.
    pub(super) fn reader(&self) -> Result<Option<Reader>, Trouble> {
        Ok(Reader::open(&self.paths.data)?)
    }
}
