//! Whether the model fits, as far as the dialog knows. One question is on its way at a time, so
//! that typing a number does not ask the server at every digit.

use crate::model::JobSettings;
use crate::tui::errand::{Found, PlanAsked, Planned};

/// The last answer, and what is on its way.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Fit {
    known: Option<(PlanAsked, Planned)>,
    under_way: Option<PlanAsked>,
}

impl Fit {
    /// What is to be asked now to know about this.
    pub(super) fn ask(&mut self, wanted: PlanAsked) -> Option<PlanAsked> {
        if self.under_way.is_some() || self.known(&wanted).is_some() {
            return None;
        }
        self.under_way = Some(wanted.clone());
        Some(wanted)
    }

    pub(super) fn planned(&mut self, asked: &PlanAsked, planned: &Planned) {
        if self.under_way.as_ref() == Some(asked) {
            self.under_way = None;
            self.known = Some((asked.clone(), planned.clone()));
        }
    }

    pub(super) fn known(&self, wanted: &PlanAsked) -> Option<&Planned> {
        let (asked, planned) = self.known.as_ref()?;
        (asked == wanted).then_some(planned)
    }
}

/// What the settings ask for: the chosen model, else the first that the file names.
pub(super) fn wanted(found: &Found, settings: &JobSettings) -> Option<PlanAsked> {
    let model = settings.model.clone();
    Some(PlanAsked {
        model: model.or_else(|| found.models.first().cloned())?,
        window: settings.num_ctx,
        slots: settings.parallel.fixed().unwrap_or(1),
    })
}
