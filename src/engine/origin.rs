//! What a job runs on, noted for the report when a model is loaded for it.

use super::core::Now;
use crate::model::{JobId, LoadedModel, RanOn, Readings};
use crate::store::Write;

/// What was noted last.
#[derive(Debug)]
pub(super) struct Origin {
    simulated: bool,
    noted: Option<(JobId, RanOn)>,
}

impl Origin {
    /// Nothing was noted yet. `simulated` tells whether the server is the built-in one.
    pub(super) const fn new(simulated: bool) -> Self {
        Self {
            simulated,
            noted: None,
        }
    }

    /// A model was loaded for a job. Returns what is to be written.
    pub(super) fn loaded(
        &mut self,
        job: JobId,
        (model, version): (&LoadedModel, Option<&str>),
        readings: Option<&Readings>,
        now: Now,
    ) -> Write {
        let mut ran_on = RanOn {
            model: model.name.clone(),
            digest: (!model.digest.is_empty()).then(|| model.digest.clone()),
            quantization: model.quantization.clone(),
            window: model.window,
            server_version: version.map(str::to_owned),
            simulated: self.simulated,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            ..RanOn::default()
        };
        if let Some(readings) = readings {
            add_cards(&mut ran_on, readings);
        }
        self.noted = Some((job, ran_on.clone()));
        Write::RanOn(job, now.stamp, Box::new(ran_on))
    }

    /// The first readings may come after the model: then they are added. Returns what is to be
    /// written.
    pub(super) fn read(&mut self, readings: &Readings, now: Now) -> Option<Write> {
        let (job, ran_on) = self.noted.as_mut()?;
        if !ran_on.cards.is_empty() || readings.cards.is_empty() {
            return None;
        }
        add_cards(ran_on, readings);
        Some(Write::RanOn(*job, now.stamp, Box::new(ran_on.clone())))
    }
}

fn add_cards(ran_on: &mut RanOn, readings: &Readings) {
    ran_on.driver.clone_from(&readings.driver);
    ran_on.cards = readings
        .cards
        .iter()
        .map(|card| card.name.clone())
        .collect();
}
