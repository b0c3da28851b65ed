//! `batchtop completions` and `batchtop man`: written from the same table as the help.

use clap::CommandFactory;
use clap_complete::Shell;

use super::args::Arguments;
use super::context::Context;
use super::outcome::{End, Outcome};
use super::say::SayError;

pub(super) fn completions(shell: Shell, context: &mut Context) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "batchtop", &mut script);
    context.say.data(&script)?;
    Ok(End::Done)
}

/// The manual page of the program and of each command, one after the other.
pub(super) fn man(context: &mut Context) -> Outcome {
    let mut command = Arguments::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone())
        .render(&mut page)
        .map_err(SayError::from)?;
    for sub in command
        .get_subcommands()
        .filter(|sub| sub.get_name() != "help")
    {
        clap_mangen::Man::new(sub.clone())
            .render(&mut page)
            .map_err(SayError::from)?;
    }
    context.say.data(&page)?;
    Ok(End::Done)
}
