//! `batchtop compare`: two runs of the same requests.

use super::analyze::{observe, rule};
use super::context::Context;
use super::flags::FileArg;
use super::outcome::{End, Outcome, Trouble};
use super::table_flags::Compare;
use crate::analysis::Comparer;

pub(super) fn run(flags: &Compare, context: &mut Context) -> Outcome {
    if flags.first == FileArg::Standard && flags.second == FileArg::Standard {
        return Err(Trouble::new(
            "standard input (`-`) can be read only once",
            "name a file for one of the two",
        ));
    }
    let mut comparer = Comparer::new(&rule(&flags.score)?);
    observe(&flags.first, context, |observation| {
        comparer.first(&observation);
        Ok(())
    })?;
    observe(&flags.second, context, |observation| {
        comparer.second(&observation);
        Ok(())
    })?;
    let comparison = comparer.finish();
    if flags.json {
        context.say.json(&comparison)?;
    } else {
        for line in comparison.report().lines() {
            context.say.line(line)?;
        }
    }
    Ok(End::Done)
}
