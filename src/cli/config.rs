//! `batchtop config`: where the settings are, what they are, what is wrong with them.

use std::fs::{self, File};
use std::io::Write;

use super::args::ConfigAction;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use crate::config::{default_file, print};

pub(super) fn run(action: ConfigAction, context: &mut Context) -> Outcome {
    match action {
        ConfigAction::Path => {
            let path = context.paths.config.path.display().to_string();
            context.say.name(&path)?;
        }
        ConfigAction::Init => init(context)?,
        ConfigAction::Print => {
            for line in print(&context.loaded).lines() {
                context.say.line(line)?;
            }
        }
        // Anything else that is wrong would have ended the program before this.
        ConfigAction::Check => {
            context.ways()?;
            context.say.line("the settings are well")?;
        }
    }
    Ok(End::Done)
}

/// Writes the commented defaults; a file that is there stays as it is.
fn init(context: &mut Context) -> Result<(), Trouble> {
    let path = &context.paths.config.path;
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    let written = made
        .and_then(|()| File::create_new(path))
        .and_then(|mut file| file.write_all(default_file().as_bytes()));
    match written {
        Ok(()) => Ok(context.say.name(&path.display().to_string())?),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Trouble::new(
            format!("`{}` is there already", path.display()),
            "edit it, or remove it first",
        )),
        Err(error) => Err(Trouble::new(
            format!("cannot write `{}`: {error}", path.display()),
            "name another file with `--config`",
        )),
    }
}
