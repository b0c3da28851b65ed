//! `batchtop simulate`: the simulated server alone.

use tokio::net::TcpListener;

use super::args::Simulate;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::session::{Signals, no_system};
use crate::simulator::{Script, Simulator};

pub(super) async fn run(flags: &Simulate, context: &mut Context) -> Outcome {
    let mut script = match &flags.script {
        Some(path) => read(path)?,
        None => Script::demo(),
    };
    if let Some(log) = &flags.log {
        script.log_file = Some(log.clone());
    }
    let mut signals = Signals::listen()?;
    let listener = TcpListener::bind(flags.listen).await.map_err(|error| {
        let what = format!("cannot listen at {}: {error}", flags.listen);
        Trouble::new(
            what,
            "name another address with `--listen`; port 0 takes a free one",
        )
    })?;
    let simulator = Simulator::start(listener, script)
        .await
        .map_err(|error| no_system("start the simulated server", &error))?;
    context.say.line(&simulator.url())?;
    context.say.note("SIMULATED server; Ctrl-C ends it");
    signals.next().await;
    simulator.shutdown().await;
    Ok(End::Done)
}

fn read(path: &std::path::Path) -> Result<Script, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|error| {
        Trouble::new(
            format!("cannot read `{}`: {error}", path.display()),
            "check the name",
        )
    })?;
    Script::from_text(&text).map_err(|error| {
        Trouble::new(
            format!("`{}`: {error}", path.display()),
            "docs/FORMATS.md describes scripts",
        )
    })
}
