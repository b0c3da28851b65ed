//! `batchtop notify`: whether notifications arrive.

use std::time::Duration;

use super::args::NotifyAction;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use crate::base::Stamp;
use crate::notify::{Notice, Trial, Ways, Went};

/// How long one way may take.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn run(action: NotifyAction, context: &mut Context) -> Outcome {
    match action {
        NotifyAction::Test => test(context).await,
    }
}

async fn test(context: &mut Context) -> Outcome {
    let ways = context.ways()?;
    let notice = Notice::test(Stamp::now());
    let mut trials = ring(&ways, &notice, context);
    trials.extend(ways.test(&notice, LIMIT).await);
    if trials.is_empty() {
        return Err(Trouble::new(
            "no way to notify is switched on",
            "`[notify]` of the settings file switches them on: `batchtop config init` writes it",
        ));
    }
    for trial in &trials {
        let went = match &trial.went {
            Went::Well => "sent".to_owned(),
            Went::LeftOut(why) => format!("left out: {why}"),
            Went::Failed(why) => format!("FAILED: {why}"),
        };
        context.say.line(&format!("{:9} {went}", trial.way))?;
    }
    if trials
        .iter()
        .any(|trial| matches!(trial.went, Went::Failed(_)))
    {
        return Err(Trouble::Said);
    }
    Ok(End::Done)
}

fn ring(ways: &Ways, notice: &Notice, context: &mut Context) -> Vec<Trial> {
    let alert = ways.alert(notice);
    let trial = alert.map(|alert| Trial {
        way: "terminal",
        went: if context.say.alert(&alert) {
            Went::Well
        } else {
            Went::LeftOut("standard error is no terminal")
        },
    });
    trial.into_iter().collect()
}
