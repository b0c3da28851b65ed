//! What the requests in flight do at the server, as far as that can be known from outside.
//!
//! Ollama 0.33 sends nothing before the first token and never tells how many slots it has, so that
//! a request that is silent may stand in the server's queue or have its prompt read. What is known
//! is how many requests were answered at the same moment: so many slots there are at least. A
//! request that is silent while fewer are being answered has a slot (Ollama gives slots to those
//! that have waited longest), so it is read; about every other one nothing is said. Clients that
//! we do not know of could take the slot: the rule holds for a server that works for us alone.

use crate::model::{LaneView, LoadOptions, Phase};

/// How many requests the server was seen to answer at once.
#[derive(Debug, Default)]
pub(super) struct Slots {
    /// With which model and window; another one has other slots.
    load: Option<LoadOptions>,
    at_least: usize,
}

impl Slots {
    /// Tells apart those that wait at the server, and learns from those that are answered.
    /// `lanes` are in the order of their numbers; `load` is what the server has loaded for them.
    pub(super) fn settle(&mut self, lanes: &mut [LaneView], load: Option<&LoadOptions>) {
        if self.load.as_ref() != load {
            *self = Self {
                load: load.cloned(),
                at_least: 0,
            };
        }
        let answered = lanes
            .iter()
            .filter(|lane| lane.phase == Phase::Answering)
            .count();
        self.at_least = self.at_least.max(answered);
        // A server that has the model loaded has one slot.
        let slots = self.at_least.max(usize::from(load.is_some()));
        let mut silent: Vec<&mut LaneView> = lanes
            .iter_mut()
            .filter(|lane| lane.phase == Phase::Waiting)
            .collect();
        silent.sort_by_key(|lane| lane.since);
        for lane in silent.into_iter().take(slots.saturating_sub(answered)) {
            lane.phase = Phase::Reading;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::Moment;
    use crate::model::{JobId, RequestId};

    fn load(model: &str) -> LoadOptions {
        LoadOptions {
            model: model.into(),
            num_ctx: None,
            embeddings: false,
        }
    }

    /// Lanes that were sent one after the other.
    fn lanes(phases: &[Phase]) -> Vec<LaneView> {
        let lane = |(number, phase): (usize, &Phase)| LaneView {
            lane: number as u32 + 1,
            job: JobId(1),
            request: RequestId(number as i64),
            custom_id: "a".into(),
            phase: *phase,
            since: Moment(Duration::from_secs(number as u64)),
            chunks: 0,
            attempt: 1,
        };
        phases.iter().enumerate().map(lane).collect()
    }

    fn settled(slots: &mut Slots, phases: &[Phase], model: &str) -> Vec<Phase> {
        let mut lanes = lanes(phases);
        slots.settle(&mut lanes, Some(&load(model)));
        lanes.into_iter().map(|lane| lane.phase).collect()
    }

    #[test]
    fn only_as_many_are_read_as_were_seen_to_be_answered_at_once() {
        use Phase::{Answering, Reading, Waiting};
        let mut slots = Slots::default();
        let four = [Waiting; 4];
        assert_eq!(
            settled(&mut slots, &four, "m"),
            [Reading, Waiting, Waiting, Waiting]
        );
        settled(&mut slots, &[Answering, Answering, Waiting], "m");
        let later = [Waiting, Answering, Waiting, Waiting];
        assert_eq!(
            settled(&mut slots, &later, "m"),
            [Reading, Answering, Waiting, Waiting]
        );
        // Another model has slots of its own.
        assert_eq!(
            settled(&mut slots, &[Answering, Waiting, Waiting], "n"),
            [Answering, Waiting, Waiting]
        );
    }

    #[test]
    fn nothing_is_said_while_no_model_is_known_to_be_loaded() {
        let mut lanes = lanes(&[Phase::Waiting, Phase::BackingOff]);
        Slots::default().settle(&mut lanes, None);
        assert_eq!(lanes[0].phase, Phase::Waiting);
        assert_eq!(lanes[1].phase, Phase::BackingOff);
    }
}
