//! `batchtop profile`: what was learnt about models, shown and forgotten.

use serde::Serialize;

use super::args::{Forget, Profile as Flags, ProfileAction};
use super::cards;
use super::context::Context;
use super::outcome::{End, Outcome, Trouble};
use super::probe::json::{GroundJson, ProbedJson, RecommendationJson};
use super::session::owned;
use crate::base::{bytes, count, rate, shown};
use crate::context::{Calibration, Profile, Recommendation};
use crate::inference::is_same_model;
use crate::model::JobSettings;
use crate::report::Utc;
use crate::store::{Ownership, Profiles, Store, StoreError, Write, Written};

/// One profile for programs. What is not known is `null`.
#[derive(Debug, Serialize)]
struct Line<'a> {
    model: &'a str,
    #[serde(flatten)]
    ground: GroundJson<'a>,
    learned_at: Utc,
    bytes_per_token: f64,
    estimate_error: Option<f64>,
    cold_tokens_per_second: Option<f64>,
    usable_tokens: Option<u64>,
    largest_safe_tokens: Option<u64>,
    smallest_failed_tokens: Option<u64>,
    compute_bytes: Option<u64>,
    found_slots: Option<u32>,
    best_lanes: Option<u32>,
    probe: Option<ProbedJson<'a>>,
    recommendation: Option<RecommendationJson>,
}

impl<'a> Line<'a> {
    fn of(profile: &'a Profile) -> Self {
        let learnt = &profile.learnt;
        let limit = &learnt.limit;
        Self {
            model: &profile.model,
            ground: GroundJson::new(&profile.ground),
            learned_at: Utc(profile.at),
            bytes_per_token: learnt.calibration.bytes_per_token(),
            estimate_error: learnt.calibration.error(),
            cold_tokens_per_second: learnt.cold.per_second(),
            usable_tokens: limit.usable().map(|tokens| tokens.0),
            largest_safe_tokens: limit.largest_safe.map(|tokens| tokens.0),
            smallest_failed_tokens: limit.smallest_failed.map(|tokens| tokens.0),
            compute_bytes: learnt.overhead,
            found_slots: learnt.slots,
            best_lanes: learnt.lanes,
            probe: learnt.probe.as_ref().map(ProbedJson::new),
            recommendation: recommendation(profile).map(RecommendationJson::new),
        }
    }
}

pub(super) fn run(flags: &Flags, context: &mut Context) -> Outcome {
    match &flags.action {
        None => show(None, flags.json, context),
        Some(ProfileAction::Show { model }) => show(Some(model), flags.json, context),
        Some(ProfileAction::Forget(which)) => forget(which, context),
    }
}

fn show(model: Option<&str>, json: bool, context: &mut Context) -> Outcome {
    let stored = stored(context)?;
    let is_meant =
        |profile: &&Profile| model.is_none_or(|name| is_same_model(&profile.model, name));
    let all: Vec<&Profile> = stored.all.iter().filter(is_meant).collect();
    if json {
        let lines: Vec<Line<'_>> = all.iter().map(|profile| Line::of(profile)).collect();
        context.say.json(&lines)?;
        return Ok(End::Done);
    }
    if let (Some(name), true) = (model, all.is_empty()) {
        return Err(unknown(name));
    }
    if all.is_empty() {
        context
            .say
            .note("nothing was learnt yet; a run learns, and so does `batchtop probe`");
    }
    for profile in all {
        for line in lines(profile) {
            context.say.line(&line)?;
        }
    }
    Ok(End::Done)
}

/// The profiles of the queue; rows that cannot be read are told of.
pub(super) fn stored(context: &mut Context) -> Result<Profiles, Trouble> {
    let profiles = match context.reader()? {
        Some(reader) => reader.profiles()?,
        None => Profiles::default(),
    };
    if profiles.unreadable > 0 {
        context.say.warning(&format!(
            "{} stored profiles cannot be read and are passed over",
            profiles.unreadable
        ));
    }
    Ok(profiles)
}

fn unknown(model: &str) -> Trouble {
    Trouble::new(
        format!("nothing was learnt about `{model}`"),
        "`batchtop profile` lists what was",
    )
}

fn forget(which: &Forget, context: &mut Context) -> Outcome {
    let stored = stored(context)?;
    let mut writes = Vec::new();
    if let Some(name) = &which.model {
        let mut names: Vec<&String> = stored.all.iter().map(|profile| &profile.model).collect();
        names.retain(|stored| is_same_model(stored, name));
        names.dedup();
        if names.is_empty() {
            return Err(unknown(name));
        }
        writes.extend(
            names
                .into_iter()
                .map(|name| Write::Forget(Some(name.clone()))),
        );
    } else {
        writes.push(Write::Forget(None));
    }
    let written = write(&writes, context)?;
    let forgotten = written.iter().map(|written| match written {
        Written::Forgotten(count) => *count,
        _ => 0,
    });
    let text = format!("{} profiles are forgotten", count(forgotten.sum()));
    context.say.line(&text)?;
    Ok(End::Done)
}

/// Writes while no other process works the queue: its engine would store again what it learnt.
fn write(writes: &[Write], context: &Context) -> Result<Vec<Written>, Trouble> {
    let folder = &context.paths.data;
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let Some(_ownership) = Ownership::take(folder)? else {
        return Err(owned(folder));
    };
    let written = Store::open(folder).and_then(|mut store| store.apply(writes));
    written.map_err(StoreError::into)
}

fn recommendation(profile: &Profile) -> Option<Recommendation> {
    profile.learnt.probe.as_ref()?.recommendation()
}

/// A profile for people, the model's name first.
fn lines(profile: &Profile) -> Vec<String> {
    let learnt = &profile.learnt;
    let limit = &learnt.limit;
    let tokens = |tokens: Option<crate::model::Tokens>| {
        tokens.map_or_else(|| "n/a".to_owned(), |tokens| count(tokens.0))
    };
    let overhead = learnt.overhead.map_or_else(|| "n/a".to_owned(), bytes);
    let context = format!(
        "{} went well, {} failed",
        tokens(limit.largest_safe),
        tokens(limit.smallest_failed)
    );
    let used = limit
        .usable()
        .map(|usable| format!(", {} are used", count(usable.0)));
    let pairs = [
        ("tokens", estimates(&learnt.calibration)),
        ("cold", cold(profile)),
        ("context", context + &used.unwrap_or_default()),
        ("computing", overhead),
        (
            "probe",
            recommendation(profile).map_or_else(|| "none".to_owned(), advice),
        ),
        ("learnt", profile.at.local()),
    ];
    let pairs = pairs.into_iter();
    let facts = pairs.map(|(name, text)| format!("  {name:<10} {text}"));
    std::iter::once(head(profile)).chain(facts).collect()
}

fn head(profile: &Profile) -> String {
    let ground = &profile.ground;
    let window = ground.num_ctx.map_or_else(
        || "server's choice".to_owned(),
        |window| count(window.into()),
    );
    let lanes = match ground.slots {
        0 => "lanes found by itself".to_owned(),
        lanes => format!("{lanes} at a time"),
    };
    let card = match ground.card.as_str() {
        "" => "a card that is not known",
        card => card,
    };
    format!(
        "{} on {}, window {window}, {lanes}",
        shown(&profile.model),
        shown(card),
    )
}

/// How estimates of tokens are made for a model, and how far off they were.
pub(super) fn estimates(calibration: &Calibration) -> String {
    let Some(error) = calibration.error() else {
        return "4 bytes a token, not measured yet".to_owned();
    };
    format!(
        "{:.2} bytes a token, off by {:.1} % (from {} prompts)",
        calibration.bytes_per_token(),
        error * 100.0,
        count(calibration.prompts())
    )
}

fn cold(profile: &Profile) -> String {
    let rate = profile.learnt.cold.per_second().map(rate);
    rate.map_or_else(
        || "n/a".to_owned(),
        |rate| format!("{rate} tokens a second are read when nothing is cached"),
    )
}

/// What a probe recommends.
pub(super) fn advice(found: Recommendation) -> String {
    format!(
        "--num-ctx {} --parallel {} ({} went well)",
        found.window,
        found.lanes,
        count(found.largest.into())
    )
}

/// The profiles of a model, newest first; none where they cannot be read, which whoever needs the
/// queue is told anyway.
fn of_model(context: &Context, model: &str) -> Vec<Profile> {
    let stored = context.reader().ok().flatten();
    let stored = stored.and_then(|reader| reader.profiles().ok());
    let mut all = stored.unwrap_or_default().all;
    all.retain(|profile| is_same_model(&profile.model, model));
    all
}

/// What computing needed at an earlier load of the model on these cards.
pub(super) async fn overhead(context: &Context, model: &str) -> Option<u64> {
    let known = of_model(context, model);
    if known.is_empty() {
        return None;
    }
    let card = cards::identity(context).await;
    let here = known.iter().filter(|profile| profile.ground.card == card);
    Profile::overhead(here, context.loaded.settings.num_ctx)
}

/// What runs of a model have learnt about the length of texts.
pub(super) fn calibration(context: &Context, model: &str) -> Option<Calibration> {
    let known = of_model(context, model).into_iter();
    let all = known.map(|profile| profile.learnt.calibration);
    all.filter(|calibration| calibration.prompts() > 0)
        .max_by_key(Calibration::prompts)
}

/// Says what a probe recommends where the user leaves the window to the server.
pub(super) fn tell_recommendation(settings: &JobSettings, context: &mut Context) {
    let (Some(model), None) = (&settings.model, settings.num_ctx) else {
        return;
    };
    let known = of_model(context, model);
    if let Some((profile, found)) = Profile::newest_probe(&known) {
        let text = format!(
            "the probe of `{}` recommends {}",
            profile.model,
            advice(found)
        );
        context.say.hint(&text);
    }
}

/// All profiles in a sentence.
pub(super) fn summary(profiles: &Profiles) -> String {
    if profiles.all.is_empty() {
        return "nothing learnt yet".to_owned();
    }
    let mut models: Vec<&str> = Vec::new();
    for profile in &profiles.all {
        if !models.contains(&profile.model.as_str()) {
            models.push(&profile.model);
        }
    }
    let newest = profiles.all.first().map(|profile| {
        let calibration = estimates(&profile.learnt.calibration);
        format!("; {}: {calibration}", profile.model)
    });
    format!(
        "models known: {}{}",
        models.len(),
        newest.unwrap_or_default()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Stamp;
    use crate::context::{Figures, Ground, Learnt, Probed, Reach, Step, Trial};
    use crate::model::Tokens;
    use std::time::Duration;

    fn profile() -> Profile {
        let mut learnt = Learnt {
            overhead: Some(640_000_000),
            ..Learnt::default()
        };
        for _ in 0..1_200 {
            learnt.calibration.learn(4_000, Tokens(970));
        }
        learnt
            .cold
            .learn(Tokens(2_146), Duration::from_millis(1_730));
        learnt.limit.went_well(Tokens(7_900));
        learnt.limit.failed(Tokens(9_000));
        learnt.probe = Some(Probed {
            reach: Reach {
                window: 8_192,
                lanes: 4,
            },
            steps: vec![Step {
                trial: Trial {
                    window: 8_192,
                    lanes: 1,
                },
                stop: None,
                figures: Figures::default(),
            }],
        });
        Profile {
            ground: Ground {
                digest: "d".to_owned(),
                card: "GPU-1\u{1b}[31m".to_owned(),
                num_ctx: None,
                slots: 4,
            },
            model: "gemma3:12b\u{202e}".to_owned(),
            at: Stamp(1_795_225_449_118),
            learnt,
        }
    }

    #[test]
    fn a_profile_is_shown_with_what_it_says() {
        let mut lines = lines(&profile());
        // The time is by the zone of the machine.
        lines.pop();
        insta::assert_snapshot!(lines.join("\n"));
    }

    #[test]
    fn a_profile_that_knows_nothing_says_so() {
        let empty = Profile {
            learnt: Learnt::default(),
            ..profile()
        };
        let text = lines(&empty).join("\n");
        assert!(text.contains("not measured yet"), "{text}");
        assert!(text.contains("n/a went well, n/a failed"), "{text}");
        assert_eq!(summary(&Profiles::default()), "nothing learnt yet");
    }
}
