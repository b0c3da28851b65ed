//! `batchtop doctor`: what is well, what is not, and what to do about it.

use jiff::tz::TimeZone;
use serde::Serialize;

use super::args::Doctor;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::{cards, plan, profile};
use crate::base::{Stamp, bytes, count, shown};
use crate::context::Guard;
use crate::inference::{Ollama, Server, is_same_model};
use crate::model::{Card, CardState, Failure, GuardLimits, LoadedModel, Readings};
use crate::store::{Owner, Ownership, Reader};

/// Models named at most.
const NAMES: usize = 8;

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Finding {
    what: &'static str,
    state: State,
    text: String,
    hint: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Well,
    Warning,
    Bad,
}

impl Finding {
    fn new(what: &'static str, state: State, text: impl Into<String>) -> Self {
        Self {
            what,
            state,
            text: text.into(),
            hint: None,
        }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

pub(super) async fn run(flags: &Doctor, context: &mut Context) -> Outcome {
    let mut findings = vec![settings(context), folder(context), queue(context)];
    findings.extend(learnt(context));
    findings.extend(server(context).await);
    findings.extend(own_cards(context).await);
    if flags.json {
        context.say.json(&findings)?;
    } else {
        for finding in &findings {
            let word = match finding.state {
                State::Well => "well   ",
                State::Warning => "warning",
                State::Bad => "BAD    ",
            };
            context.say.line(&format!(
                "{word}  {:9}  {}",
                finding.what,
                shown(&finding.text)
            ))?;
            if let Some(hint) = &finding.hint {
                context
                    .say
                    .line(&format!("                    hint: {}", shown(hint)))?;
            }
        }
    }
    if findings.iter().any(|finding| finding.state == State::Bad) {
        return Err(Trouble::Said);
    }
    Ok(End::Done)
}

fn settings(context: &Context) -> Finding {
    let path = context.paths.config.path.display();
    let text = if context.paths.config.path.exists() {
        format!("{path}")
    } else {
        format!("defaults; `batchtop config init` writes {path}")
    };
    Finding::new("settings", State::Well, text)
}

/// The folder that holds the queue: whether it can be written, and who works there.
fn folder(context: &Context) -> Finding {
    let folder = &context.paths.data;
    if !folder.exists() {
        return Finding::new(
            "folder",
            State::Well,
            format!("{} (made when needed)", folder.display()),
        );
    }
    match Ownership::take(folder) {
        Ok(Some(_)) => Finding::new("folder", State::Well, folder.display().to_string()),
        Ok(None) => {
            let who =
                Owner::read(folder).map_or_else(String::new, |owner| format!(" {}", owner.pid));
            let text = format!("{}; process{who} works the queue", folder.display());
            Finding::new("folder", State::Well, text)
        }
        Err(error) => {
            let finding = Finding::new("folder", State::Bad, error.to_string());
            finding.hint(error.hint().unwrap_or_default())
        }
    }
}

fn queue(context: &Context) -> Finding {
    let read = Reader::open(&context.paths.data)
        .and_then(|reader| reader.map(|reader| reader.jobs()).transpose());
    match read {
        Ok(None) => Finding::new("queue", State::Well, "empty"),
        Ok(Some(jobs)) => {
            let left: u64 = jobs.iter().map(|job| job.counts.left()).sum();
            let text = format!("jobs: {}, requests left: {}", jobs.len(), count(left));
            Finding::new("queue", State::Well, text)
        }
        Err(error) => {
            let finding = Finding::new("queue", State::Bad, error.to_string());
            finding.hint(error.hint().unwrap_or_default())
        }
    }
}

/// What runs have learnt; a queue that cannot be read was told already.
fn learnt(context: &Context) -> Option<Finding> {
    let reader = Reader::open(&context.paths.data).ok().flatten()?;
    let profiles = reader.profiles().ok()?;
    let finding = Finding::new("profile", State::Well, profile::summary(&profiles));
    Some(match profiles.unreadable {
        0 => finding,
        rotten => Finding {
            state: State::Warning,
            ..finding.hint(format!(
                "{rotten} stored profiles cannot be read and are passed over"
            ))
        },
    })
}

async fn server(context: &Context) -> Vec<Finding> {
    let server = match context.server() {
        Ok(server) => server,
        Err(Trouble::Wrong(what, hint)) => {
            let finding = Finding::new("server", State::Bad, what);
            return vec![finding.hint(hint.unwrap_or_default())];
        }
        Err(_) => return Vec::new(),
    };
    let address = server.address();
    match server.version().await {
        Ok(version) => {
            let text = format!("Ollama {version} at {address}");
            let mut findings = vec![Finding::new("server", State::Well, text)];
            findings.push(models(context, &server).await);
            findings.extend(server.loaded().await.unwrap_or_default().iter().map(loaded));
            findings.extend(fit(context, &server).await);
            findings
        }
        Err(failure) => vec![no_server(&address, &failure)],
    }
}

/// Whether the model of the settings fits the card.
async fn fit(context: &Context, server: &Ollama) -> Option<Finding> {
    let settings = &context.loaded.settings;
    let model = settings.model.as_deref()?;
    // A model that the server does not have was told already.
    let learnt = profile::overhead(context, model).await;
    let outlook = plan::of_model(server, model, &plan::wish(settings), learnt).await;
    let outlook = outlook.ok()?;
    let text = outlook.sentences().swap_remove(0);
    let advice = outlook.plan.advice();
    Some(match advice {
        Some(advice) => Finding::new("plan", State::Warning, text).hint(advice),
        None => Finding::new("plan", State::Well, text),
    })
}

/// The cards of this machine, also when the server is on another one.
async fn own_cards(context: &Context) -> Vec<Finding> {
    let readings = cards::read().await;
    let guard = guard(context.loaded.settings.guard_limits(), &readings);
    let driver = readings.driver.map(|version| format!("driver {version}"));
    let driver = driver.map(|text| Finding::new("card", State::Well, text));
    // That a machine has no card is no fault; one that fails is listed as lost.
    let absent = readings.absent.map(|why| {
        let text = format!("{why}; without one there is no plan and no limit for heat and memory");
        Finding::new("card", State::Well, text)
    });
    let cards = readings.cards.iter().map(card);
    let found = absent.into_iter().chain(driver).chain(cards);
    found.chain([guard]).collect()
}

/// What would hold a job back if it started now.
fn guard(limits: Option<GuardLimits>, readings: &Readings) -> Finding {
    let Some(limits) = limits else {
        return Finding::new("guard", State::Well, "switched off");
    };
    let minute = Stamp::now().minute_of_day(&TimeZone::system());
    let refusals = Guard::new(limits).refusals(minute, readings);
    match refusals.into_iter().next() {
        Some((_, why)) => Finding::new("guard", State::Warning, format!("a job would wait: {why}"))
            .hint("`guard` in the settings has the limits; `--no-guard` goes without"),
        None => Finding::new("guard", State::Well, "nothing holds a job back"),
    }
}

fn card(card: &Card) -> Finding {
    let state = match card.state {
        CardState::Lost { .. } => State::Warning,
        CardState::Awake | CardState::Asleep => State::Well,
    };
    let finding = Finding::new("card", state, cards::line(card));
    match cards::missing(card) {
        Some(missing) => finding.hint(missing),
        None => finding,
    }
}

fn no_server(address: &str, failure: &Failure) -> Finding {
    Finding::new(
        "server",
        State::Bad,
        format!("{address} does not answer: {}", failure.message),
    )
    .hint("start it with `ollama serve`, or name another with `--server` or OLLAMA_HOST")
}

async fn models(context: &Context, server: &impl Server) -> Finding {
    let installed = match server.installed().await {
        Ok(installed) => installed,
        Err(failure) => return Finding::new("models", State::Bad, failure.to_string()),
    };
    if installed.is_empty() {
        return Finding::new("models", State::Warning, "none installed")
            .hint("`ollama pull gemma3:4b` fetches one");
    }
    let mut names: Vec<&str> = installed
        .iter()
        .take(NAMES)
        .map(|model| model.name.as_str())
        .collect();
    if installed.len() > NAMES {
        names.push("…");
    }
    let text = format!("{} installed: {}", installed.len(), names.join(", "));
    match &context.loaded.settings.model {
        Some(model) if !installed.iter().any(|it| is_same_model(&it.name, model)) => {
            Finding::new("models", State::Warning, text).hint(format!(
                "the model of the settings, `{model}`, is not among them"
            ))
        }
        _ => Finding::new("models", State::Well, text),
    }
}

/// What the server says about a model in its memory. A part on the processor is slow.
fn loaded(model: &LoadedModel) -> Finding {
    let window = model
        .window
        .map_or_else(|| "n/a".to_owned(), |window| count(window.0));
    let size = |size: Option<u64>| size.map_or_else(|| "n/a".to_owned(), bytes);
    let text = format!(
        "{} is loaded: {} of {} on the card, window {window}",
        model.name,
        size(model.size_vram),
        size(model.size)
    );
    match (model.size, model.size_vram) {
        (Some(all), Some(card)) if card < all => Finding::new("loaded", State::Warning, text)
            .hint("what is not on the card runs on the processor, which is far slower; a smaller window or model fits better"),
        _ => Finding::new("loaded", State::Well, text),
    }
}
