//! The command line: reads flags, opens things, starts the engine, picks faces.
//!
//! One file a command. `args` and `flags` are what may be typed, `context` is what every command
//! works with, `session` is an engine with everything around it, `outcome` turns ends into exit
//! codes, `say` is the one place that writes to the terminal.

pub mod args;
pub mod flags;
mod fresh;
pub mod measure_flags;
pub mod output_flags;
pub mod progress;
pub mod say;
pub mod table_flags;

mod analyze;
mod bench;
mod cards;
mod check;
mod columns;
mod compare;
mod completions;
mod config;
mod context;
mod convert;
mod demo;
mod doctor;
mod enqueue;
mod estimate;
mod export;
mod jobs;
mod learnt_args;
mod leaving;
mod log;
mod notify;
mod once_a_day;
mod outcome;
mod plan;
mod probe;
mod profile;
mod queue;
mod report;
mod run;
mod sample;
mod screen;
mod session;
mod show;
mod simulate;
mod sources;
mod standing;
mod telling;
mod work;

use std::ffi::OsString;
use std::time::Duration;

use args::{Arguments, Command};
use clap::CommandFactory;
use context::Context;
use outcome::Outcome;

use crate::base::{ascii, shown};
use crate::config::Environment;

/// Runs what was typed, the program's name first, and returns the exit code: 0 all done,
/// 1 finished with failed requests, 2 could not run, 130 interrupted.
pub fn main(typed: impl IntoIterator<Item = OsString>) -> u8 {
    let typed: Vec<OsString> = typed.into_iter().collect();
    let environment = Environment::of_process();
    let arguments = match Arguments::of(&typed) {
        Ok(arguments) => arguments,
        // Help and version are data and success; clap knows which is which.
        Err(answer) => {
            let failed = answer.use_stderr();
            let answer = if failed {
                harmless(
                    &typed,
                    &answer,
                    environment.draws_ascii(environment.ascii()),
                )
            } else {
                answer
            };
            return if answer.print().is_ok() && !failed {
                0
            } else {
                2
            };
        }
    };
    let mut context = match Context::new(&arguments, &environment) {
        Ok(context) => context,
        Err(code) => return code,
    };
    let _log = log::start(&context, arguments.command.as_ref());
    let outcome = dispatch(arguments, &mut context);
    match outcome {
        Ok(end) => end.code(),
        Err(trouble) => trouble.tell(&mut context.say),
    }
}

/// The same mistake in what was typed, told with nothing that a terminal could obey: clap repeats
/// arguments as they are.
fn harmless(typed: &[OsString], mistake: &clap::Error, is_ascii: bool) -> clap::Error {
    let typed = typed.iter().map(|one| shown(&one.to_string_lossy()));
    let typed = typed.map(|one| {
        if is_ascii {
            ascii(&one).into_owned()
        } else {
            one
        }
    });
    match Arguments::of(typed) {
        Err(same) if same.kind() == mistake.kind() => same,
        _ => Arguments::command().error(mistake.kind(), mistake.kind()),
    }
}

fn dispatch(arguments: Arguments, context: &mut Context) -> Outcome {
    if arguments.command.is_some() && !arguments.files.is_empty() {
        return Err(outcome::Trouble::new(
            "files stand behind the command",
            "`batchtop COMMAND FILE`, or `batchtop FILE` for the screen",
        ));
    }
    match arguments.command {
        None => wait(screen::run(&arguments.files, context)),
        Some(Command::Run(flags)) => wait(run::run(&flags, context)),
        Some(Command::Check(flags)) => check::run(&flags, context),
        Some(Command::Enqueue(flags)) => wait(enqueue::run(&flags, context)),
        Some(Command::Work(flags)) => wait(work::run(&flags, context)),
        Some(Command::Jobs(flags)) => jobs::run(&flags, context),
        Some(Command::Show(flags)) => show::run(&flags, context),
        Some(Command::Pause(one)) => wait(queue::pause(&one, context)),
        Some(Command::Resume(one)) => wait(queue::resume(&one, context)),
        Some(Command::Cancel(one)) => wait(queue::cancel(&one, context)),
        Some(Command::Retry(flags)) => wait(queue::retry(&flags, context)),
        Some(Command::Remove(flags)) => wait(queue::remove(&flags, context)),
        Some(Command::Export(flags)) => export::run(&flags, context),
        Some(Command::Report(flags)) => report::run(&flags, context),
        Some(Command::Plan(flags)) => wait(plan::run(&flags, context)),
        Some(Command::Probe(flags)) => wait(probe::run(&flags, context)),
        Some(Command::Profile(flags)) => profile::run(&flags, context),
        Some(Command::Doctor(flags)) => wait(doctor::run(&flags, context)),
        Some(Command::Demo(flags)) => wait(demo::run(&flags, context)),
        Some(Command::Sample(flags)) => sample::run(&flags, context),
        Some(Command::Convert(flags)) => convert::run(&flags, context),
        Some(Command::Analyze(flags)) => analyze::run(&flags, context),
        Some(Command::Compare(flags)) => compare::run(&flags, context),
        Some(Command::Bench(flags)) => wait(bench::run(&flags, context)),
        Some(Command::Estimate(flags)) => estimate::run(&flags, context),
        Some(Command::Simulate(flags)) => wait(simulate::run(&flags, context)),
        Some(Command::Notify { action }) => wait(notify::run(action, context)),
        Some(Command::Config { action }) => config::run(action, context),
        Some(Command::Completions { shell }) => completions::completions(shell, context),
        Some(Command::Man) => completions::man(context),
    }
}

/// A thread that hangs in the system, reading a silent standard input, ends with the process.
const LAST_THREADS: Duration = Duration::from_millis(100);

/// Runs a command on a runtime of its own.
fn wait(command: impl Future<Output = Outcome>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("batchtop")
        .build()
        .map_err(|error| session::no_system("start the runtime", &error))?;
    let outcome = runtime.block_on(command);
    runtime.shutdown_timeout(LAST_THREADS);
    outcome
}
