//! What was learnt about a model on one ground, kept across runs.

use serde::{Deserialize, Serialize};

use super::calibration::Calibration;
use super::learned::{Ground, LearnedLimit};
use super::probe::{Reach, Recommendation, Step};
use super::savings::ColdRate;
use crate::base::Stamp;

/// What was learnt about a model on one ground.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// On which.
    pub ground: Ground,
    /// The model's name when it was last learnt from: outside text.
    pub model: String,
    /// When that was.
    pub at: Stamp,
    /// What.
    pub learnt: Learnt,
}

/// The figures of a profile. What an older version stored has the later ones at their beginning.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Learnt {
    /// Tokens of texts.
    pub calibration: Calibration,
    /// The rate of reading prompts of which nothing is cached.
    pub cold: ColdRate,
    /// The largest context that went well and the smallest that failed.
    pub limit: LearnedLimit,
    /// Bytes that the loaded model takes beside weights, keys and values.
    pub overhead: Option<u64>,
    /// Slots that the server really has; only a probe shows them.
    pub slots: Option<u32>,
    /// Requests at a time that gave the most tokens a second.
    pub lanes: Option<u32>,
    /// What a probe tried, in that order.
    pub probe: Option<Probed>,
}

/// The steps of a probe and how far it was to go.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Probed {
    /// How far it was to go.
    pub reach: Reach,
    /// What was tried.
    pub steps: Vec<Step>,
}

impl Probed {
    /// What the steps recommend; `None` where no window went well.
    pub fn recommendation(&self) -> Option<Recommendation> {
        Recommendation::of(&self.steps)
    }
}

impl Profile {
    /// A profile for this ground, begun with what is known of the same model on other grounds: its
    /// tokens are the same everywhere, its rates and sizes on the same card, its limit and the lanes
    /// that are best with the same window.
    pub fn begin(known: &[Self], ground: Ground, model: &str, at: Stamp) -> Self {
        if let Some(same) = known.iter().find(|profile| profile.ground == ground) {
            return Self {
                model: model.to_owned(),
                ..same.clone()
            };
        }
        let of_model = || {
            let same = known.iter();
            same.filter(|profile| profile.ground.digest == ground.digest)
        };
        let on_card = || of_model().filter(|profile| profile.ground.card == ground.card);
        let newest = |profile: &&Self| profile.at;
        let alike = on_card().filter(|it| it.ground.num_ctx == ground.num_ctx);
        let alike = alike.max_by_key(newest).map(|it| &it.learnt);
        let calibrated = of_model().max_by_key(|it| it.learnt.calibration.prompts());
        let cold = on_card().filter(|it| it.learnt.cold.per_second().is_some());
        let learnt = Learnt {
            calibration: calibrated.map_or_else(Default::default, |it| it.learnt.calibration),
            cold: cold
                .max_by_key(newest)
                .map_or_else(Default::default, |it| it.learnt.cold),
            overhead: Self::overhead(on_card(), ground.num_ctx),
            slots: on_card()
                .filter(|it| it.learnt.slots.is_some())
                .max_by_key(newest)
                .and_then(|it| it.learnt.slots),
            limit: alike.map_or_else(Default::default, |it| it.limit),
            lanes: alike.and_then(|it| it.lanes),
            probe: None,
        };
        Self {
            ground,
            model: model.to_owned(),
            at,
            learnt,
        }
    }

    /// Bytes that computing took at an earlier load: at the newest with this window, or else with
    /// any.
    pub fn overhead<'a>(
        known: impl IntoIterator<Item = &'a Self>,
        num_ctx: Option<u32>,
    ) -> Option<u64> {
        let shown = known.into_iter().filter(|it| it.learnt.overhead.is_some());
        let best = shown.max_by_key(|it| (it.ground.num_ctx == num_ctx, it.at))?;
        best.learnt.overhead
    }

    /// The newest of these that a probe wrote.
    pub fn newest_probe<'a>(
        known: impl IntoIterator<Item = &'a Self>,
    ) -> Option<(&'a Self, Recommendation)> {
        let probed = known.into_iter().filter_map(|profile| {
            let recommendation = profile.learnt.probe.as_ref()?.recommendation()?;
            Some((profile, recommendation))
        });
        probed.max_by_key(|(profile, _)| profile.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Tokens;
    use std::time::Duration;

    fn ground(card: &str, num_ctx: u32) -> Ground {
        Ground {
            digest: "d".to_owned(),
            card: card.to_owned(),
            num_ctx: Some(num_ctx),
            slots: 1,
        }
    }

    fn profile(card: &str, num_ctx: u32) -> Profile {
        let mut learnt = Learnt {
            overhead: Some(7),
            ..Learnt::default()
        };
        learnt.calibration.learn(3_000, Tokens(1_000));
        learnt.cold.learn(Tokens(1_000), Duration::from_secs(1));
        learnt.limit.failed(Tokens(9_000));
        Profile {
            ground: ground(card, num_ctx),
            model: "m".to_owned(),
            at: Stamp(1),
            learnt,
        }
    }

    #[test]
    fn a_known_ground_goes_on_where_it_was() {
        let known = [profile("a", 4_096), profile("a", 8_192)];
        let same = Profile::begin(&known, ground("a", 8_192), "m:latest", Stamp(9));
        assert_eq!(same.learnt, known[1].learnt);
        assert_eq!(same.model, "m:latest");
    }

    #[test]
    fn another_ground_takes_over_what_does_not_depend_on_it() {
        let known = [profile("a", 4_096)];
        let other = Profile::begin(&known, ground("a", 8_192), "m", Stamp(9));
        assert_eq!(other.learnt.calibration, known[0].learnt.calibration);
        assert_eq!(other.learnt.cold, known[0].learnt.cold);
        assert_eq!(other.learnt.overhead, Some(7));
        assert_eq!(other.learnt.limit, LearnedLimit::default());
        let elsewhere = Profile::begin(&known, ground("b", 4_096), "m", Stamp(9));
        assert_eq!(elsewhere.learnt.cold, ColdRate::default());
        assert_eq!(elsewhere.learnt.overhead, None);
        assert_eq!(elsewhere.learnt.calibration.prompts(), 1);
    }

    #[test]
    fn what_an_older_version_stored_can_be_read() {
        let learnt: Learnt = serde_json::from_str(r#"{"overhead":5,"unknown":[1]}"#).unwrap();
        assert_eq!(learnt.overhead, Some(5));
        assert_eq!(learnt.calibration, Calibration::default());
        let text = serde_json::to_string(&profile("a", 1)).unwrap();
        assert_eq!(
            serde_json::from_str::<Profile>(&text).unwrap(),
            profile("a", 1)
        );
    }
}
