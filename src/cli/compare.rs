//! `batchtop compare`: two runs of the same requests.

use super::analyze::{rule, warn};
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::sources;
use super::table_flags::Compare;
use crate::analysis::{Comparer, Observation};

pub(super) fn run(flags: &Compare, context: &mut Context) -> Outcome {
    if flags.first == FileArg::Standard && flags.second == FileArg::Standard {
        return Err(Trouble::new(
            "standard input (`-`) can be read only once",
            "name a file for one of the two",
        ));
    }
    let mut comparer = Comparer::new(&rule(&flags.score)?);
    read(&flags.first, context, |observation| {
        comparer.first(observation);
    })?;
    read(&flags.second, context, |observation| {
        comparer.second(observation);
    })?;
    let comparison = comparer.finish();
    let runs = [
        (&flags.first, &comparison.first),
        (&flags.second, &comparison.second),
    ];
    for (file, summary) in runs {
        warn(&sources::name(file), summary, &flags.score, context);
    }
    if flags.json {
        context.say.json(&comparison)?;
    } else {
        for line in comparison.report().lines() {
            context.say.line(line)?;
        }
    }
    Ok(End::Done)
}

/// Gives every result of a run to `each`.
fn read(
    file: &FileArg,
    context: &mut Context,
    mut each: impl FnMut(&Observation),
) -> Result<(), Trouble> {
    for source in sources::with_errors(std::slice::from_ref(file)) {
        sources::observe(&source, context, |observation| {
            each(&observation);
            Ok(())
        })?;
    }
    Ok(())
}
